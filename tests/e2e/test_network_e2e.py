"""A network that comes and goes: the real daemon in a home of its own, with a real wire to cut."""

from __future__ import annotations

from device.audio.clips import Clips
from device.simulator.script import Script, Turn
from tests.rig.home import NameServer, can_make_homes, open_house
from tests.rig.room import similarity

pytestmark = can_make_homes

SHORT = Turn(heard="weather", says="It is sunny.", audio=700)
STORY = Turn(heard="story", says="once", audio=8000, pace="burst")


def test_in_a_home_with_a_network_it_talks() -> None:
    """The rig itself: a name, a wire, TLS, an answer."""
    with open_house(Script(turns=(SHORT,))) as house:
        house.wake_and_ask()
        house.daemon.event("reply", what="drained")
        assert house.daemon.seen("fault") == []


def test_wifi_that_goes_in_the_middle_of_a_reply_lets_it_play_and_is_told() -> None:
    """Packets vanish without a word: noticed within seconds, and over when they arrive again."""
    with open_house(Script(turns=(STORY, SHORT)), {"conversation": {"follow_up_s": 20}}) as house:
        house.wake_and_ask()
        house.daemon.event("reply", what="first_sound")
        house.home.cut()
        fault = house.daemon.event("fault", cleared=False, timeout=40)
        assert fault["kind"] == "network"
        house.home.mend()
        house.daemon.event("session", what="resumed", timeout=40)
        house.daemon.event("fault", kind="network", cleared=True)
        assert house.daemon.event("reply", what="drained")["played_ms"] == 8000
        after = house.daemon.here
        house.say("and what about tomorrow", before_ms=600)
        house.daemon.event("reply", after=after, what="drained")
        assert len(house.daemon.seen("wake")) == 1


def test_a_cable_that_is_pulled_for_seconds_costs_seconds() -> None:
    """The device knows that it has no network; what is said meanwhile reaches the server."""
    with open_house(Script(turns=(SHORT,)), {"conversation": {"follow_up_s": 20}}) as house:
        house.wake_and_ask()
        house.daemon.event("reply", what="drained")
        house.home.unplug()
        house.server.call(lambda server: server.drop())
        after = house.daemon.here
        house.say("and what about tomorrow", before_ms=600)
        house.daemon.event("fault", kind="offline", cleared=False, timeout=40)
        house.home.plug_in()
        house.daemon.event("session", after=after, what="resumed", timeout=40)
        house.daemon.event("reply", after=after, what="drained")
        house.daemon.event("fault", after=after, kind="offline", cleared=True)
        assert len(house.daemon.seen("wake")) == 1


def test_without_a_network_it_starts_says_so_and_sees_by_itself_when_there_is_one() -> None:
    """Told from the start, spoken at the first wake word, cleared without anybody asking."""
    with open_house(Script(turns=(SHORT,)), plugged_in=False) as house:
        assert [fault["kind"] for fault in house.daemon.status()["faults"]] == ["offline"]
        assert "no network" in house.daemon.cli("status").stdout
        clips = Clips(house.daemon.path / "clips")
        house.daemon.wait(lambda: not clips.missing("en"), "the spoken sentences")
        sentence = clips.get("offline", "en")
        assert sentence is not None
        with house.sound.recorder() as recorder:
            house.wake_and_ask()
            fault = house.daemon.state("fault", timeout=30)
            house.daemon.state("idle", after=house.daemon.events.index(fault), timeout=30)
            assert similarity(recorder, sentence, 24_000) > 0.9
        assert house.server.attempts == 0
        house.home.plug_in()
        house.daemon.event("fault", kind="offline", cleared=True)
        after = house.daemon.here
        house.say("hey jarvis, what is the weather in Berlin", before_ms=2500)
        house.daemon.event("reply", after=after, what="drained")


def test_a_router_without_internet_is_told_from_no_network() -> None:
    """Names are not resolved, or nobody answers at all: neither is the absence of a network."""
    with open_house(dns=True) as house:
        with NameServer(house.home.outside, code=NameServer.SERVFAIL):
            house.wake_and_ask()
            fault = house.daemon.event("fault", cleared=False, timeout=40)
            assert fault["kind"] == "dns"
            assert "live.home.test" in fault["message"]
            house.daemon.state("idle", after=house.daemon.events.index(fault), timeout=40)
        assert house.server.attempts == 0


def test_a_server_that_nobody_reaches_is_told_as_such() -> None:
    """The dial hangs: a network that leads nowhere."""
    with open_house(Script(), {"live": {"connect_timeout_s": 3}}, name=None) as house:
        house.home.cut()
        house.wake_and_ask()
        fault = house.daemon.event("fault", cleared=False, timeout=40)
        assert fault["kind"] == "network"
        house.home.mend()
