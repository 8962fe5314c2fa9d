"""A network that comes and goes: the real daemon in a home of its own, with a real wire to cut."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from device.announcements.clips import Clips
from device.simulator.certificate import make_certificate
from device.simulator.script import Script, Turn
from tests.rig.network import NAME, HomeNetwork, needs_root, open_home
from tests.rig.room import similarity
from tests.rig.strangers import CaptivePortal, NameMode, NameServer, Port, Proxy, refusing_port

pytestmark = needs_root

SHORT = Turn(heard="weather", says="It is sunny.", audio=700)
STORY = Turn(heard="story", says="once", audio=8000, pace="burst")


def test_in_a_home_with_a_network_it_talks() -> None:
    """The rig itself: a name, a wire, TLS, an answer."""
    with open_home(Script(turns=(SHORT,))) as home:
        home.wake_and_ask()
        home.daemon.event("reply", what="drained")
        assert home.daemon.seen("fault") == []


def test_wifi_that_goes_in_the_middle_of_a_reply_lets_it_play_and_is_told() -> None:
    """Packets vanish without a word: noticed within seconds, and over when they arrive again."""
    with open_home(Script(turns=(STORY, SHORT)), {"conversation": {"follow_up_s": 20}}) as home:
        home.wake_and_ask()
        home.daemon.event("reply", what="first_sound")
        home.network.cut()
        fault = home.daemon.event("fault", cleared=False, timeout=40)
        assert fault["kind"] == "network"
        home.network.restore()
        home.daemon.event("fault", cleared=True, timeout=40)
        assert home.daemon.event("reply", what="drained")["played_ms"] == 8000
        after = home.daemon.here
        home.say("and what about tomorrow", before_ms=600)
        home.daemon.event("reply", after=after, what="drained")
        assert len(home.daemon.seen("wake")) == 1


def test_wifi_that_goes_while_nobody_speaks_leaves_a_server_that_still_holds_the_old_line() -> None:
    """Resuming is refused as long as it does: so the talk goes on fresh, told what was said."""
    with open_home(Script(turns=(SHORT,)), {"conversation": {"follow_up_s": 60}}) as home:
        home.wake_and_ask()
        home.daemon.event("reply", what="drained")
        home.network.cut()
        fault = home.daemon.event("fault", cleared=False, timeout=40)
        home.network.restore()
        after = home.daemon.events.index(fault)
        home.daemon.state("listening", after=after, timeout=40)
        after = home.daemon.here
        home.say("and what about tomorrow", before_ms=600)
        home.daemon.event("reply", after=after, what="drained")
        last = home.server.connections[-1]
        assert last.handle or "It is sunny." in str(last.setup)
        assert home.daemon.status()["faults"] == []


def test_ipv6_that_leads_nowhere_costs_a_quarter_of_a_second_and_the_doctor_says_so() -> None:
    """Announced by the router, and in the name's addresses: IPv4 answers all the same."""
    with open_home(Script(turns=(SHORT,))) as home:
        home.network.announce_ipv6()
        home.wake_and_ask()
        opened = home.daemon.event("session", what="opened")
        assert opened["latency_ms"] > 200
        began = opened["time"] - opened["latency_ms"] / 1000
        assert home.daemon.took_s(began, opened["time"]) < 0.8
        home.daemon.event("reply", what="drained")
        assert home.daemon.seen("fault") == []
        arguments = ("doctor", "--json", "--config", str(home.daemon.config_file))
        told = home.daemon.cli(*arguments, timeout=120).stdout
        (tcp,) = (each for each in json.loads(told)["checks"] if each["name"] == "tcp")
        assert tcp["verdict"] == "hint"
        assert "IPv6 is announced but leads nowhere" in tcp["figure"]


def test_a_cable_that_is_pulled_for_seconds_costs_seconds() -> None:
    """The device knows that it has no network; what is said meanwhile reaches the server."""
    with open_home(Script(turns=(SHORT,)), {"conversation": {"follow_up_s": 20}}) as home:
        home.wake_and_ask()
        home.daemon.event("reply", what="drained")
        home.network.unplug()
        home.server.call(lambda server: server.drop())
        after = home.daemon.here
        home.say("and what about tomorrow", before_ms=600)
        home.daemon.event("fault", kind="offline", cleared=False, timeout=40)
        home.network.restore()
        home.daemon.event("session", after=after, what="resumed", timeout=40)
        home.daemon.event("reply", after=after, what="drained")
        home.daemon.event("fault", after=after, kind="offline", cleared=True)
        assert len(home.daemon.seen("wake")) == 1


def test_without_a_network_it_starts_says_so_and_sees_by_itself_when_there_is_one() -> None:
    """Told from the start, spoken at the first wake word, cleared without anybody asking."""
    with ExitStack() as stack:
        network = stack.enter_context(HomeNetwork())
        network.unplug()
        home = stack.enter_context(open_home(Script(turns=(SHORT,)), network=network))
        assert [fault["kind"] for fault in home.daemon.status()["faults"]] == ["offline"]
        assert "no network" in home.daemon.cli("status").stdout
        clips = Clips(home.daemon.path / "clips")
        home.daemon.wait(lambda: not clips.missing("en"), "the spoken sentences")
        sentence = clips.get("offline", "en")
        assert sentence is not None
        with home.sound.recorder() as recorder:
            home.wake_and_ask()
            fault = home.daemon.state("fault", timeout=30)
            home.daemon.state("idle", after=home.daemon.events.index(fault), timeout=30)
            assert similarity(recorder, sentence, 24_000) > 0.9
        assert home.server.attempts == 0
        home.network.restore()
        home.daemon.event("fault", kind="offline", cleared=True)
        after = home.daemon.here
        home.wake_and_ask(before_ms=2500)
        home.daemon.event("reply", after=after, what="drained")


def test_a_router_without_internet_is_told_from_no_network() -> None:
    """Names are not resolved, or nobody answers at all: neither is the absence of a network."""
    with HomeNetwork(names={}) as network, open_home(network=network) as home:
        with NameServer(network.outside, mode=NameMode.SERVFAIL):
            home.wake_and_ask()
            fault = home.daemon.event("fault", cleared=False, timeout=40)
            assert fault["kind"] == "dns"
            assert "live.home.test" in fault["message"]
            home.daemon.state("idle", after=home.daemon.events.index(fault), timeout=40)
        assert home.server.attempts == 0


def portal_that_is_trusted(network: HomeNetwork) -> Port:
    return CaptivePortal(network.outside, network.certificate)


def portal_with_another_name(network: HomeNetwork) -> Port:
    folder = network.certificate.certificate.parent / "portal"
    other = make_certificate(folder, names=("login.wifi.test",))
    network.trust(other)
    return CaptivePortal(network.outside, other)


def stranger(network: HomeNetwork) -> Port:
    folder = network.certificate.certificate.parent / "stranger"
    return CaptivePortal(network.outside, make_certificate(folder, names=(NAME,)))


def nobody_who_speaks(network: HomeNetwork) -> Port:
    return Port(network.outside)


@pytest.mark.parametrize(
    ("stand_in", "kind", "words"),
    [
        (portal_that_is_trusted, "portal", "HTTP 302"),
        (portal_with_another_name, "portal", "sign the network in"),
        (stranger, "tls", "SSL_CERT_FILE"),
        (nobody_who_speaks, "network", "did not answer in time"),
    ],
)
def test_who_stands_in_the_servers_place_is_told_apart(
    stand_in: Callable[[HomeNetwork], Port], kind: str, words: str
) -> None:
    """A sign-in page, a stranger with a certificate of its own, a port that is dead."""
    with HomeNetwork() as network, stand_in(network) as port:
        live = {"endpoint": f"https://{NAME}:{port.port}", "connect_timeout_s": 3}
        with open_home(config={"live": live}, network=network) as home:
            home.wake_and_ask()
            fault = home.daemon.event("fault", cleared=False, timeout=40)
            assert fault["kind"] == kind
            assert words in fault["message"]
            assert home.daemon.state("fault")["from"] == "connecting"
        assert port.attempts <= 3


@pytest.mark.parametrize("status", [200, 407, 502])
def test_a_proxy_is_used_where_there_is_one_and_told_when_it_refuses(status: int) -> None:
    """As curl would use it; without one the server cannot be reached from this home."""
    with (
        HomeNetwork() as network,
        Proxy(network.outside, hosts={NAME: network.outside}, status=status) as proxy,
        open_home(
            Script(turns=(SHORT,)), network=network, environment={"HTTPS_PROXY": proxy.url}
        ) as home,
    ):
        home.wake_and_ask()
        if status == 200:
            home.daemon.event("reply", what="drained")
        else:
            fault = home.daemon.event("fault", cleared=False, timeout=40)
            assert fault["kind"] == "proxy"
            assert str(status) in fault["message"]
        assert proxy.targets


def test_a_server_that_is_not_there_is_told_as_such() -> None:
    """Nobody takes connections at its port."""
    with HomeNetwork() as network, refusing_port(network.outside) as port:
        live = {"endpoint": f"https://{NAME}:{port}"}
        with open_home(config={"live": live}, network=network) as home:
            home.wake_and_ask()
            fault = home.daemon.event("fault", cleared=False, timeout=40)
            assert fault["kind"] == "network"
            assert "connection refused" in fault["message"]
