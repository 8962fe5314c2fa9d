"""`tools.mcp`: what an owner may write of an MCP server, and what is said of each mistake."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.config import Config, McpServer, describe, parse, schema
from device.config.mcp import MOST_SERVERS, MOST_WORDS, TAKEN, server_name, server_url
from device.credentials.credential import WHERE_IT_BELONGS
from device.credentials.hosts import at_home
from device.errors import ConfigError, TimerError
from device.tools.device import functions as device_functions
from device.tools.timers import functions as timer_functions

ROOT = Path(__file__).parents[2]
SECRET = "hunter2hunter2"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJwbGFudGVkIn0.c2lnbmF0dXJl"
URL = "http://homeassistant.local:8123/api/mcp"


def servers(text: str) -> tuple[McpServer, ...]:
    """The servers of a list in YAML, which must be right."""
    return parse(f"tools: {{mcp: [{text}]}}", "x").tools.mcp


def mistakes(text: str) -> list[tuple[str, str]]:
    """The mistakes of a list in YAML, as (where below tools.mcp, message)."""
    with pytest.raises(ConfigError) as caught:
        parse(f"tools: {{mcp: [{text}]}}", "x")
    assert SECRET not in str(caught.value)
    assert all(m.line == 1 and m.column > 1 for m in caught.value.mistakes)
    return [(m.where.removeprefix("tools.mcp"), m.message) for m in caught.value.mistakes]


def only(text: str) -> tuple[str, str]:
    [mistake] = mistakes(text)
    return mistake


def test_home_assistant_takes_five_lines() -> None:
    """As the README shows it; the rest is the default."""
    text = "tools:\n  mcp:\n    - name: home\n      url: {}\n      credential: home\n"
    [server] = parse(text.format(URL), "x").tools.mcp
    assert server == McpServer(name="home", url=URL, credential="home")
    assert (server.command, server.only, server.never, server.confirm) == ((), (), (), ())
    assert server.timeout_s == 10.0
    assert Config().tools.mcp == ()


def test_the_worked_examples_work() -> None:
    """That of the shipped file, in place of its [], and the README's."""
    shipped = (ROOT / "config" / "parley.yaml").read_text()
    [lines] = re.findall(r"(?m)^  # +mcp:\n(?:  # {9,}.+\n)+", shipped)
    example = re.sub(r"(?m)^  #      ", "", lines)
    assert example.count("\n") == 4
    [shown] = re.findall(r"(?s)```yaml\n(tools:\n  mcp:.*?)```", (ROOT / "README.md").read_text())
    for text in (shipped.replace("  mcp: []\n", example), shown):
        [server] = parse(text, "x").tools.mcp
        assert server == McpServer(name="home", url=URL, credential="home")


def test_every_key_arrives() -> None:
    """A server over HTTP and one of this device; what is shown reads back as the same."""
    text = (
        f"{{name: home, url: '{URL}', credential: ha-token, only: ['Hass*'], never: [HassUnlock], "
        "confirm: ['Hass[OU]*'], timeout_s: 60}, "
        "{name: clock, command: [/usr/bin/python3, -m, mcp_server_time, --zone, Europe/Berlin]}"
    )
    home, clock = servers(text)
    assert (home.credential, home.timeout_s) == ("ha-token", 60)
    assert (home.only, home.never, home.confirm) == (("Hass*",), ("HassUnlock",), ("Hass[OU]*",))
    assert clock.command[2:] == ("mcp_server_time", "--zone", "Europe/Berlin")
    assert clock.url is None
    config = parse(f"tools: {{mcp: [{text}]}}", "x")
    assert parse(describe(config), "shown.yaml") == config


@pytest.mark.parametrize(
    ("text", "where", "said"),
    [
        ("home", "[0]", "'home' stands alone: write {name: home}"),
        (f"{{url: '{URL}'}}", "[0].name", "is missing: write it, e.g. home"),
        ("{name: a}", "[0]", f"has neither url nor command: write one, e.g. url: {URL}"),
        ("{name: a, command: []}", "[0]", "has neither url nor command"),
        (
            f"{{name: a, url: '{URL}', command: [x]}}",
            "[0].command",
            "is there beside url: a server has one of them: delete the other",
        ),
        (
            f"{{name: a, url: '{URL}'}}, {{name: a, command: [x]}}",
            "[1].name",
            "'a' is there twice: delete one of them",
        ),
        (
            f"{{name: Living_Room, url: '{URL}'}}",
            "[0].name",
            "'Living_Room' is not a server's name: write 1 to 16 small letters and digits, a",
        ),
        (f"{{name: '12', url: '{URL}'}}", "[0].name", "'12' is not a server's name: write 1 to 16"),
        (
            f"{{name: set, url: '{URL}'}}",
            "[0].name",
            "'set' begins functions of the speaker itself: choose another name",
        ),
        (
            f"{{name: {JWT}, url: '{URL}'}}",
            "",
            WHERE_IT_BELONGS,
        ),
        (
            f"{{name: a, url: '{URL}', timeout_s: 61}}",
            "[0].timeout_s",
            "61 is not in 1..60: choose e.g. 10.0",
        ),
        (
            f"{{name: a, url: '{URL}', onyl: []}}",
            "[0].onyl",
            "unknown key: did you mean only?",
        ),
        (
            f"{{name: a, url: '{URL}', never: HassUnlock}}",
            "[0].never",
            "'HassUnlock' is not a list: write one, e.g. [\"HassUnlock*\"]",
        ),
        (f"{{name: a, url: '{URL}', only: ['']}}", "[0].only[0]", "'' is not a pattern of tools'"),
        (
            f"{{name: a, url: '{URL}', confirm: [a, 'b c']}}",
            "[0].confirm[1]",
            "'b c' is not a pattern of tools' names: write letters, digits, _ and -, and * for any",
        ),
        (
            "{name: a, command: 'npx -y some-server'}",
            "[0].command",
            'is one text, and must be a list with an item for each word: write ["npx", "-y", "so',
        ),
        (
            '{name: a, command: "it\'s"}',
            "[0].command",
            "is one text, and must be a list with an item for each word: write [python3, -m, my_",
        ),
        (
            "{name: a, command: [python3, 80]}",
            "[0].command[1]",
            "80 is not text: write a text, in quotes if it is a number",
        ),
        (
            "{name: a, command: [./server]}",
            "[0].command",
            "'./server' is neither the name of a program, such as python3, nor its absolute path",
        ),
        ("{name: a, command: [x, '']}", "[0].command", "has a word that is empty or has a line"),
        (f"{{name: a, command: [x, {'y' * 501}]}}", "[0].command", "has a word of more than 500"),
        (
            f"{{name: a, command: [{', '.join('x' * (MOST_WORDS + 1))}]}}",
            "[0].command",
            f"has more than {MOST_WORDS} items: shorten it",
        ),
        (
            f"{{name: a, url: '{URL}', credential: My Token}}",
            "[0].credential",
            "is not the name of a credential: write that of a file, e.g. home (small letters",
        ),
        (
            f"{{name: a, url: '{URL}', credential: gemini_api_key}}",
            "[0].credential",
            "is the key of the Live API, which no other server is told: choose another",
        ),
        (
            "{name: a, url: http://h, credential: h-1}, {name: b, url: http://h, credential: h_1}",
            "[1].credential",
            "'h_1' and 'h-1' have the same variable: rename one of them",
        ),
    ],
)
def test_a_mistake_is_told_with_what_to_write(text: str, where: str, said: str) -> None:
    """One mistake, its key, and words that help."""
    found = [each for each in mistakes(text) if each[0] == where]
    assert [message for _, message in found if message.startswith(said)], mistakes(text)
    assert len(mistakes(text)) == (2 if JWT in text else 1)


def test_there_are_not_more_servers_than_a_talk_can_bear() -> None:
    """Each is billed with every turn."""
    listed = [f"{{name: s{n}, url: 'http://h'}}" for n in range(MOST_SERVERS + 1)]
    assert only(", ".join(listed)) == ("", f"has more than {MOST_SERVERS} items: shorten it")
    assert len(servers(", ".join(listed[:-1]))) == MOST_SERVERS


def test_a_url_that_is_wrong_in_itself_is_told_once() -> None:
    """Where it would send a credential is another matter."""
    where, message = only("{name: a, url: 'http://a..b/', credential: a}")
    assert (where, message.partition(":")[0]) == ("[0].url", "'a..b' is not a host")


def test_all_mistakes_are_told_at_once() -> None:
    """In each of the servers, what is wrong in itself and what does not fit together."""
    found = mistakes(
        f"{{name: A, url: 'ftp://h', timeout_s: 0}}, {{name: b, url: '{URL}', command: [./x]}}"
    )
    assert [where for where, _ in found] == [
        *("[0].name", "[0].url", "[0].timeout_s", "[1].command", "[1].command"),
    ]


class TestUrls:
    @pytest.mark.parametrize(
        "url",
        [
            URL,
            "http://homeassistant.local:8123/api/mcp/assist",
            "http://192.168.1.5:8123/mcp_server/sse",
            "https://[fd00::1]:65535/mcp",
            "HTTPS://mcp.example.com/mcp?tools=a,b&max_tokens=5",
            "https://server.example.com/@owner/server/mcp",
            "https://example.com/7b9e2f60-1f0c-4a0e-8d57-0f2f0d1c9a11/mcp",
            "https://ha.example.ts.net",
        ],
    )
    def test_what_leads_to_a_server_is_taken(self, url: str) -> None:
        """With a path, a port, a harmless query."""
        assert server_url(url) == url

    @pytest.mark.parametrize(
        ("url", "said"),
        [
            ("homeassistant.local:8123", "'homeassistant.local:8123' does not begin with http://"),
            ("ftp://h/mcp", "'ftp://h/mcp' does not begin with http:// or https:// and a host"),
            ("http:///mcp", "'http:///mcp' does not begin with http:// or https:// and a host"),
            ("http://[::1", f"is not a URL: write e.g. {URL}"),
            ("http://a..b/", "'a..b' is not a host: write a name or an address of one"),
            ("http://1.2.3.400/", "'1.2.3.400' is not a host"),
            ("http://0x7f000001/", "'0x7f000001' is not a host"),
            ("http://:80/", "'' is not a host"),
            ("http://h:0/", "has a port that is not in 1..65535: choose e.g. 8123"),
            ("http://h:99999/", "has a port that is not in 1..65535"),
            ("http://h:/", "has a port that is not in 1..65535"),
            ("http://h:a/", "has a port that is not in 1..65535"),
            ("http://h/a b", "has a space or a character that is in no URL"),
            ("http://h/ü", "has a space or a character that is in no URL"),
            ("http://h\\x/", "has a space or a character that is in no URL"),
            ("http://h/\nx", "has a space or a character that is in no URL"),
            ("http://h/mcp#top", "has a part behind #, which is never sent: delete it"),
        ],
    )
    def test_what_leads_nowhere_is_told(self, url: str, said: str) -> None:
        """Else every call would fail, and blame the network."""
        with pytest.raises(ValueError, match=re.escape(said)):
            server_url(url)

    @pytest.mark.parametrize(
        "url",
        [
            f"http://owner:{SECRET}@homeassistant.local/api/mcp",
            f"http://{SECRET}@homeassistant.local/api/mcp",
            "https://mcp.example.org/s/zctpwlx7zkiag7oqdfqw/mcp",
            "http://ha.local:8123/private_zctpwlx7zkiag7oqdfqw",
            f"http://ha.local:8123/api/webhook/{'0f' * 32}",
            f"ftp://owner:{SECRET}@h",
            f"https://h/mcp?token={SECRET}",
            f"https://h/mcp?x=1&api_key={SECRET}",
            f"https://h/mcp?x=1;apiKey={SECRET}",
            "https://h/mcp?u=9f86d081884c7d659a2feaa0c55ad015",
            "https://h/mcp?Cn8KfAoE5rTzKq0WvX1yZ2a3B4c5",
            "https://h/s/Cn8KfAoE5rTzKq0WvX1yZ2a3B4c5/mcp",
            f"https://h/{JWT}/mcp",
            f"https://h/mcp#access_token={SECRET}",
        ],
    )
    def test_a_secret_in_it_is_refused_and_not_repeated(self, url: str) -> None:
        """A URL is written into logs by everybody who sees it."""
        with pytest.raises(ValueError, match=re.escape(WHERE_IT_BELONGS)) as caught:
            server_url(url)
        for secret in (SECRET, "Cn8Kf", "9f86d", "eyJ"):
            assert secret not in str(caught.value)

    @pytest.mark.parametrize(
        "host",
        [
            *("homeassistant.local", "HA.Local.", "ha", "ha.home.arpa", "ha.lan", "fritz.box"),
            *("nas.fritz.box", "ha.internal", "localhost", "10.1.2.3", "172.31.0.1", "127.0.0.1"),
            *("192.168.1.5", "169.254.3.4", "::1", "fd12::3", "fe80::1"),
        ],
    )
    def test_a_credential_may_go_unencrypted_within_the_home(self, host: str) -> None:
        """Home Assistant speaks http there, and nothing else."""
        assert at_home(host)
        at = f"[{host}]" if ":" in host else host
        assert servers(f"{{name: a, url: 'http://{at}/mcp', credential: a}}")[0].credential == "a"

    @pytest.mark.parametrize(
        "host",
        [
            *("example.com", "local.example.com", "notlocal", "xlan.de", "8.8.8.8", "172.32.0.1"),
            *("100.64.0.1", "2001:db8::1", "evilfritz.box.com", "0.0.0.0", "home.org"),
        ],
    )
    def test_and_nowhere_else(self, host: str) -> None:
        """With https it may, and without a credential there is nothing to be lost."""
        if host == "notlocal":
            assert at_home(host)  # a name without a dot is one of this network
            return
        assert not at_home(host)
        at = f"[{host}]" if ":" in host else host
        where, message = only(f"{{name: a, url: 'http://{at}/mcp', credential: a}}")
        assert where == "[0].url"
        assert message.startswith(f"would send the credential unencrypted to '{host}', which is")
        assert "write https://" in message
        assert servers(f"{{name: a, url: 'https://{at}/mcp', credential: a}}")
        assert servers(f"{{name: a, url: 'http://{at}/mcp'}}")

    @given(st.text(max_size=40) | st.text(max_size=20).map("http://".__add__))
    def test_any_text_is_a_url_or_a_mistake(self, text: str) -> None:
        """Nothing but ValueError comes out."""
        told = ""
        try:
            assert server_url(text) == text
        except ValueError as error:
            told = str(error)
        assert "\n" not in told


class TestSecrets:
    @pytest.mark.parametrize(
        "words",
        [
            f"[npx, server, --token, {SECRET}]",
            f"[npx, server, --api-key={SECRET}]",
            f"[env, GITHUB_TOKEN={SECRET}, npx, server]",
            f"[server, --url, 'https://me:{SECRET}@host']",
            f"[server, --header, 'Authorization: Bearer {SECRET}']",
            "[server, Cn8KfAoE5rTzKq0WvX1yZ2a3B4c5]",
            f"'npx server --token {SECRET}'",
        ],
    )
    def test_a_secret_in_a_command_is_refused_and_not_repeated(self, words: str) -> None:
        """Everybody on the machine can see the words of a command."""
        where, message = only(f"{{name: a, command: {words}}}")
        assert where == "[0].command"
        assert "Cn8Kf" not in message
        assert message.startswith(
            "is one text" if words.startswith("'") else "has something in it that looks like a sec"
        )

    @pytest.mark.parametrize(
        "words",
        [
            "[server, --token-file, /etc/server/token]",
            "[server, --max-tokens, '500']",
            "[server, --token, --verbose]",
            "[docker, run, 'image@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c']",
            "[uvx, --from, 'git+https://github.com/a/b@v1.2', server]",
        ],
    )
    def test_what_only_resembles_one_is_taken(self, words: str) -> None:
        """Names of files, numbers, versions."""
        assert servers(f"{{name: a, command: {words}}}")

    @pytest.mark.parametrize(
        "credential", [JWT, "9f86d081884c7d659a2feaa0c55ad015", "d" + SECRET * 3, "a b"]
    )
    def test_a_token_in_the_place_of_its_name_is_not_repeated(self, credential: str) -> None:
        """It is a common slip, and the journal would keep it."""
        with pytest.raises(ConfigError) as caught:
            parse(f"tools: {{mcp: [{{name: a, url: '{URL}', credential: {credential}}}]}}", "x")
        assert credential not in str(caught.value)
        assert credential[:12] not in str(caught.value)
        assert "/etc/parley/credentials/" in str(caught.value)

    @pytest.mark.parametrize("key", ["token", "password", "Access-Token", "authorization"])
    def test_a_token_under_its_own_name_is_told_where_it_belongs(self, key: str) -> None:
        """Whatever it looks like."""
        assert only(f"{{name: a, url: '{URL}', {key}: {SECRET}}}") == (
            f"[0].{key}",
            WHERE_IT_BELONGS,
        )

    def test_a_token_in_a_comment_is_found(self) -> None:
        """An owner may keep it beside the line it is for."""
        with pytest.raises(ConfigError) as caught:
            parse(f"tools:\n  # {JWT}\n  device: on\n", "x")
        assert caught.value.lines() == [f"x:2:5: {WHERE_IT_BELONGS}"]


class TestNames:
    def test_no_two_prefixes_can_be_confused(self) -> None:
        """What is before the first _ of a function's name is the server's name."""
        with pytest.raises(ValueError, match=r"a letter first: did you mean homex\?"):
            server_name("home_x")

    def test_no_server_takes_the_place_of_our_own_functions(self) -> None:
        """The list here is that of what is declared."""

        def answer(*_: object) -> object:
            raise TimerError

        declared = [
            *device_functions(None),  # type: ignore[arg-type]
            *timer_functions(answer, answer),  # type: ignore[arg-type]
        ]
        first_words = {each.name.partition("_")[0] for each in declared}
        assert len(first_words) > 5
        assert first_words <= set(TAKEN)
        assert set(TAKEN) - first_words == {"look", "device", "timers", "camera"}


def test_the_schema_describes_a_server() -> None:
    """For editors that check while one types."""
    described = schema()["$defs"]
    json.dumps(described)
    keys = described["McpServer"]["properties"]
    assert set(keys) == {
        *("name", "url", "command", "credential", "only", "never", "confirm", "timeout_s"),
    }
    assert described["McpServer"]["required"] == ["name"]
    assert (keys["timeout_s"]["minimum"], keys["timeout_s"]["maximum"]) == (1, 60)
    assert described["Tools"]["properties"]["mcp"]["maxItems"] == MOST_SERVERS


# --- the token server ----------------------------------------------------------------------------


def in_live(text: str) -> tuple[str, str]:
    """The first mistake of a section, as (where, message); what looks secret is a second one."""
    with pytest.raises(ConfigError) as caught:
        parse(f"live: {text}", "x")
    first = caught.value.mistakes[0]
    return first.where, first.message


@pytest.mark.parametrize(
    "url",
    [
        "https://tokens.home.arpa:8790/token",
        "https://192.168.1.5/token?for=kitchen",
        "http://127.0.0.1:8790/token",
        "http://localhost/token",
        "http://[::1]:8790/token",
    ],
)
def test_a_token_server_is_asked_over_https_or_on_this_machine(url: str) -> None:
    """And with a credential of its own, or without."""
    live = parse(f"live: {{token_url: '{url}', token_credential: tokens}}", "x").live
    assert (live.token_url, live.token_credential) == (url, "tokens")
    assert parse(f"live: {{token_url: '{url}'}}", "x").live.token_credential is None


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://192.168.1.5/token", "would send a token unencrypted to '192.168.1.5'"),
        ("http://tokens.local/token", "would send a token unencrypted to 'tokens.local'"),
        ("http://127.0.0.1.evil.example/token", "unencrypted"),
        ("ftp://tokens.home.arpa/token", "does not begin with http"),
        ("https://me:secret@tokens.home.arpa/token", "has a user or a password in it"),
        (f"https://tokens.home.arpa/token?access_token={JWT}", "looks like a secret"),
        ("https://tokens.home.arpa/auth_tokens/4969d96da97639001864", "looks like a secret"),
    ],
)
def test_a_token_server_of_another_kind_is_refused(url: str, words: str) -> None:
    """Where somebody could listen, or with a secret in it, which is not repeated."""
    place, message = in_live(f"{{token_url: '{url}'}}")
    assert place == "live.token_url"
    assert words in message
    for secret in (JWT, "secret@", "4969d96da976"):
        assert secret not in message


def test_a_credential_in_place_of_its_name_is_refused() -> None:
    """As for an MCP server; and the key is told to nobody."""
    for name in (JWT, "gemini_api_key"):
        with pytest.raises(ConfigError) as caught:
            parse(f"live: {{token_url: 'https://t/', token_credential: {name}}}", "x")
        assert "live.token_credential" in {mistake.where for mistake in caught.value.mistakes}
        assert JWT not in str(caught.value)


def test_what_a_token_server_looks_like_is_told_of_itself() -> None:
    """And not an MCP server's address, which would be refused here."""
    for url in ("tokens.home.arpa", "https://t\u00f6kens.home.arpa/token", "https://t :1/"):
        _, message = in_live(f"{{token_url: '{url}'}}")
        assert "write e.g. https://tokens.home.arpa:8790/token" in message
