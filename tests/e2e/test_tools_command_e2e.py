"""Functions and MCP servers by command: the real process, beside a house it can reach or not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tests.rig.daemon import Daemon
from tests.rig.mcp_server import McpHouse, home_assistant
from tests.rig.room import open_room

TOKEN = "eyJhbGciOiJIUzI1NiJ9.planted-token-of-the-house.0123456789"
WRONG = "eyJhbGciOiJIUzI1NiJ9.another-token-than-that.9876543210"


@contextmanager
def speaker_of(home: McpHouse, token: str) -> Iterator[Daemon]:
    """A speaker with that house, as an ordinary user has one: its token is in a variable."""
    server = {"name": "home", "url": home.url, "credential": "home", "confirm": ["HassUnlock"]}

    class Owner(Daemon):
        @property
        def environment(self) -> dict[str, str]:
            return {**super().environment, "PARLEY_CREDENTIAL_HOME": token}

    with open_room(config={"tools": {"mcp": [server]}}, daemon=Owner) as room:
        yield room.daemon


def listed(daemon: Daemon) -> Mapping[str, Any]:
    told = daemon.cli("tools", "--json")
    assert told.returncode == 0, told.stderr
    found: Mapping[str, Any] = json.loads(told.stdout)
    return found


def told_nowhere(daemon: Daemon, secret: str, *texts: str) -> None:
    """Neither by these commands nor by what the speaker says of itself."""
    for text in (*texts, daemon.log(), json.dumps(daemon.status()), json.dumps(daemon.events)):
        assert secret[20:40] not in text


def test_a_light_is_turned_off_by_hand_and_a_server_that_goes_is_told_with_why() -> None:
    """Listed with its cost, called, and gone: in the list, in the status, in a call."""
    with home_assistant(TOKEN) as home, speaker_of(home, TOKEN) as daemon:
        daemon.event("mcp_server", what="ready")
        shown = daemon.cli("tools")
        print(shown.stdout)
        assert (shown.returncode, shown.stderr) == (0, "")
        lines = shown.stdout.splitlines()
        names = [line.split()[0] for line in lines if line]
        assert {"set_volume", "set_timer", "home_HassTurnOff"} <= set(names)
        found = listed(daemon)
        (server,) = found["servers"]
        theirs = [each for each in found["functions"] if each["from"] == "home"]
        assert sum(each["tokens"] for each in theirs) == server["tokens"]
        assert [each["name"] for each in theirs if each["confirm"]] == ["home_HassUnlock"]
        tokens = sum(each["tokens"] for each in found["functions"])
        total = next(line for line in lines if " functions, about " in line)
        assert total.startswith(
            f"{len(found['functions'])} functions, about {tokens} tokens in each turn, and about "
        )
        assert lines[-1].startswith("ready for ")
        assert f"home ({home.url}): home-assistant 2026.11.0, MCP " in lines[-1]
        assert "mcp server" not in daemon.cli("status").stdout

        assert home.lights["kitchen"] == "on"
        done = daemon.cli("tools", "call", "home_HassTurnOff", '{"name": "Kitchen Light"}')
        assert (done.returncode, done.stderr) == (0, "")
        assert "action_done" in json.loads(done.stdout)["output"]["result"]
        assert home.lights["kitchen"] == "off"
        assert daemon.status()["state"] == "idle"
        unknown = daemon.cli("tools", "call", "HassTurnOff")
        assert unknown.returncode == 1
        assert "no function 'HassTurnOff'; did you mean home_HassTurnOff" in unknown.stderr
        secret = daemon.cli("tools", "call", "home_tell_secret")
        assert "the token is [secret]" in secret.stdout

        after = daemon.here
        home.stop()
        failed = daemon.cli("tools", "call", "home_HassTurnOn", "{}")
        assert failed.returncode == 1
        assert "error" in json.loads(failed.stdout)
        gone = daemon.event("mcp_server", after=after, what="gone")
        (server,) = listed(daemon)["servers"]
        assert (server["state"], server["why"]) == ("gone", gone["why"])
        assert "nothing listens there" in gone["why"] or "connection broke" in gone["why"]
        plain = daemon.cli("tools").stdout
        print(plain)
        assert plain.splitlines()[-1].startswith("gone for ")
        assert "home_HassTurnOff" not in plain
        status = daemon.cli("status").stdout
        print(status)
        assert "mcp server    gone for" in status
        assert f"home ({home.url}): " in status
        told_nowhere(
            daemon,
            TOKEN,
            json.dumps(found),
            plain,
            status,
            shown.stdout,
            done.stdout,
            secret.stdout,
        )


def test_a_wrong_token_is_told_by_status_and_doctor() -> None:
    """With what to do; neither token is told by anybody."""
    with home_assistant(TOKEN) as home, speaker_of(home, WRONG) as daemon:
        daemon.event("mcp_server", what="gone")
        status, tools = daemon.cli("status"), daemon.cli("tools")
        call = daemon.cli("tools", "call", "home_HassTurnOff")
        looked = daemon.cli("doctor", "--json", "--config", str(daemon.config_file), timeout=120)
        assert (status.returncode, tools.returncode) == (0, 0)
        assert (call.returncode, looked.returncode) == (1, 1)
        refused = f"home ({home.url}): it refuses the token (401): make a new one there"
        assert refused in status.stdout
        assert refused in tools.stdout
        assert "no function 'home_HassTurnOff' now, since home is not ready: home" in call.stderr
        found = {each["name"]: each for each in json.loads(looked.stdout)["checks"]}
        assert found["mcp home"]["verdict"] == "broken"
        assert found["mcp home"]["advice"].startswith(refused)
        assert found["credentials"]["verdict"] == "fine"
        texts = [each.stdout + each.stderr for each in (status, tools, call, looked)]
        told_nowhere(daemon, WRONG, *texts)
        told_nowhere(daemon, TOKEN, *texts)
