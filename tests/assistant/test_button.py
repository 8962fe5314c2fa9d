"""The button and the hub: what a finger does to the talk, to what goes up, and to mute."""

from __future__ import annotations

import time

import pytest

from device.assistant.uplink import BUTTON_PRE_ROLL_S
from device.board.gestures import HOLD_S, LONG_HOLD_S
from device.errors import CredentialError
from device.news import ButtonEdge, PlaybackDrained, SessionFailed, TurnComplete
from tests.assistant.test_hub import NETWORK, pcm
from tests.rig.fakes import MODEL, FakeSession, Hub, lost, until

PRE_ROLL_FRAMES = round(BUTTON_PRE_ROLL_S * 50)


def down(hub: Hub, ago_s: float = 0.0) -> None:
    hub.assistant.post(ButtonEdge(True, time.monotonic() - ago_s))


def up(hub: Hub, ago_s: float = 0.0) -> None:
    hub.assistant.post(ButtonEdge(False, time.monotonic() - ago_s))


def gestures(hub: Hub) -> list[str]:
    return [event.fields["gesture"] for event in hub.told("button")]


async def tap(hub: Hub) -> None:
    told = len(gestures(hub))
    down(hub)
    up(hub)
    await until(lambda: "tap" in gestures(hub)[told:])


async def hold(hub: Hub) -> FakeSession:
    """Until it is known that it is one."""
    down(hub, HOLD_S)
    await until(lambda: gestures(hub)[-1:] == ["hold"])
    return hub.session


async def release(hub: Hub) -> None:
    up(hub)
    await until(lambda: gestures(hub)[-1:] == ["release"])


async def test_talking_begins_at_the_press_and_a_second_tap_sends_it_away() -> None:
    """What may still become a hold waits; the tap lets it go."""
    hub = Hub()
    async with hub.running():
        before = await hub.hear(60)
        down(hub)
        assert hub.state == "connecting"
        assert hub.session.sent[0] == "press"
        up(hub)
        await until(lambda: "tap" in gestures(hub))
        assert hub.state == "connecting"
        hub.session.opened()
        assert hub.state == "listening"
        await tap(hub)
        assert hub.state == "idle"
    frames = hub.session.frames
    # Half a second before the press; which frame that falls into depends on the moment.
    assert len(frames) - PRE_ROLL_FRAMES in {0, 1}
    assert frames == pcm(before[-len(frames) :])
    assert hub.session.sent == ["press", *frames, "let go", "press", "let go", "end"]
    assert gestures(hub) == ["press", "tap"] * 2


async def test_a_reply_is_silent_as_soon_as_the_finger_comes() -> None:
    """Whatever it goes on to do."""
    hub = Hub("button: {gestures: {double_tap: mute}}")
    async with hub.running():
        await hub.speaking()
        down(hub)
        assert hub.speaker.cleared == 1
        assert hub.state == "listening"
        up(hub)
        await until(lambda: "tap" in gestures(hub))
        assert hub.state == "listening"


async def test_held_to_talk_everything_from_the_press_to_the_release_is_one_turn() -> None:
    """Pauses in it end nothing, nothing goes up after it, and then it waits for the answer."""
    hub = Hub()
    async with hub.running():
        before = await hub.hear(60)
        session = await hold(hub)
        session.opened()
        hub.detector.speech(speaking=True)
        said = await hub.hear(10)
        hub.detector.speech(speaking=False)
        said += await hub.hear(10)
        assert hub.state == "listening"
        assert not session.user_speaking
        await release(hub)
        assert hub.state == "thinking"
        await hub.hear(20)
        session.say(1)
        assert hub.state == "speaking"
        hub.assistant.post(TurnComplete(1, 1, 9.0))
        hub.assistant.post(PlaybackDrained(1, 900, 9.0))
        assert hub.state == "idle"
        await hub.hear(20)
        assert session.closed_with is None
    assert session.sent[0] == "press"
    assert session.sent[-1] == "release"
    assert session.sent.count("hold") == 1
    assert session.frames == pcm([*before, *said])[-len(session.frames) :]
    assert len(session.frames) >= PRE_ROLL_FRAMES + 20


async def test_let_go_before_the_session_is_open_it_is_answered_all_the_same() -> None:
    """The words and their end wait for it."""
    hub = Hub()
    async with hub.running():
        await hub.hear(60)
        session = await hold(hub)
        hub.detector.speech(speaking=True)
        await release(hub)
        assert hub.state == "connecting"
        session.opened()
        assert hub.state == "thinking"
        session.say(1)
        assert hub.state == "speaking"
    assert session.sent[-1] == "release"


async def test_held_in_silence_nothing_is_asked_and_nobody_apologises() -> None:
    """Back to rest, and the server is told no end of a turn that was none."""
    hub = Hub("button: {gestures: {long_hold: none}}")
    async with hub.running():
        await hub.hear(60)
        session = await hold(hub)
        session.opened()
        await hub.hear(10)
        await release(hub)
        assert hub.state == "idle"
        assert hub.told("fault") == []
        assert session.closed_with is None
    assert session.sent[-1] == "end"
    assert not {"heard", "release"} & set(session.sent)
    assert hub.speaker.chimes == ["wake", "end"]


async def test_held_over_a_reply_it_is_silent_and_what_follows_is_the_turn() -> None:
    """Half duplex or not."""
    hub = Hub("audio: {duplex: half}")
    async with hub.running():
        session = await hub.speaking()
        hub.speaker.audible, hub.speaker.level = True, 0.5
        await hub.hear(20)
        down(hub)
        hub.speaker.audible, hub.speaker.level = False, 0.0
        said = await hub.hear(5)
        await until(lambda: "hold" in gestures(hub))
        hub.detector.speech(speaking=True)
        await release(hub)
        assert hub.state == "thinking"
    after = session.sent[session.sent.index("press") :]
    assert after == ["press", *pcm(said), "hold", "heard", "release"]


async def test_a_hold_in_the_follow_up_window_does_not_end_it_first() -> None:
    """There a tap sends it away; the finger must leave before that is known."""
    hub = Hub()
    async with hub.running():
        session = await hub.wake()
        down(hub)
        assert hub.state == "listening"
        await until(lambda: "hold" in gestures(hub))
        hub.detector.speech(speaking=True)
        await release(hub)
        assert hub.path == ["idle", "connecting", "listening", "thinking"]
    assert session.sent[-4:] == ["press", "hold", "heard", "release"]


async def test_a_session_that_fails_ends_the_hold_and_its_release_says_no_more() -> None:
    """One alarm is enough."""
    hub = Hub()
    async with hub.running():
        await hub.hear()
        session = await hold(hub)
        hub.detector.speech(speaking=True)
        session.end(SessionFailed(session.number, NETWORK, MODEL, 1.0))
        await until(lambda: hub.state == "fault")
        chimes = len(hub.speaker.chimes)
        await release(hub)
        assert hub.state == "fault"
        assert len(hub.speaker.chimes) == chimes


async def test_a_long_hold_mutes_and_another_one_unmutes() -> None:
    """In silence; the microphone is closed, and what was begun at the press is given up."""
    hub = Hub()
    async with hub.running():
        await hub.hear()
        down(hub, LONG_HOLD_S)
        await until(lambda: hub.state == "muted" and not hub.microphone.is_open)
        by = [hub.assistant.mute.by]
        await release(hub)
        assert hub.session.closed_with
        down(hub, LONG_HOLD_S)
        await until(lambda: hub.microphone.is_open)
        await hub.hear()
        await until(lambda: hub.state == "idle")
        assert [*by, hub.assistant.mute.by] == ["owner", None]
    assert gestures(hub) == ["press", "hold", "long_hold", "release", "press", "hold", "long_hold"]


async def test_who_talks_for_long_does_not_mute() -> None:
    """However long the sentence."""
    hub = Hub()
    async with hub.running():
        await hub.hear()
        session = await hold(hub)
        session.opened()
        hub.detector.speech(speaking=True)
        button = hub.assistant.button
        due = button._gestures.due(button._used)
        assert due is not None
        assert due - time.monotonic() > LONG_HOLD_S
        await release(hub)
        assert hub.state == "thinking"
    assert "long_hold" not in gestures(hub)


async def test_a_muted_speaker_says_so_to_a_tap_and_to_who_talks_into_it() -> None:
    """A chime; nothing is sent anywhere."""
    hub = Hub("button: {gestures: {long_hold: none}}")
    async with hub.running():
        await hub.assistant.mute.mute()
        await tap(hub)
        assert hub.speaker.chimes == ["error"]
        down(hub, HOLD_S)
        await until(lambda: "hold" in gestures(hub))
        await release(hub)
        assert hub.speaker.chimes == ["error", "error"]
    assert hub.sessions == []


async def test_what_fails_between_press_and_hold_is_told_once() -> None:
    """A missing key, say: the hold does not try again what its press has tried."""
    hub = Hub("audio: {announcements: false}\nbutton: {gestures: {long_hold: none}}")
    hub.no_session = CredentialError("no key")
    async with hub.running():
        await hub.hear()
        down(hub)
        await until(lambda: hub.state == "fault")
        await until(lambda: "hold" in gestures(hub))
        await release(hub)
        assert hub.state == "fault"
        assert hub.path == ["idle", "connecting", "fault"]


async def test_a_microphone_that_is_lost_while_it_is_talked_into_is_told_once() -> None:
    """And one that was missing when the button went down, then and only then."""
    hub = Hub("audio: {announcements: false}\nbutton: {gestures: {long_hold: none}}")
    async with hub.running():
        await hub.hear()
        await hold(hub)
        hub.microphone.opening = [lost()] * 20
        hub.microphone.fail(lost())
        await until(lambda: hub.state == "fault")
        await release(hub)
        assert hub.speaker.chimes == ["wake", "error"]
        down(hub, HOLD_S)
        await until(lambda: gestures(hub)[-1] == "hold")
        await release(hub)
        assert hub.speaker.chimes == ["wake", "error", "error"]


async def test_a_double_tap_does_what_it_is_mapped_to_and_no_tap() -> None:
    """At rest a tap waits for the second one."""
    hub = Hub("button: {gestures: {double_tap: volume_down, tap: volume_up, hold: stop}}")
    async with hub.running():
        for ago_s in (0.4, 0.2):
            down(hub, ago_s)
            up(hub, ago_s - 0.1)
        await until(lambda: "double_tap" in gestures(hub))
        assert hub.speaker.volumes == [50]
        await tap(hub)
        assert hub.speaker.volumes == [50, 60]
        hub.assistant.set_volume(95)
        await tap(hub)
        assert hub.assistant.output.volume == 100
        await hub.wake()
        down(hub, HOLD_S)
        await until(lambda: hub.state == "idle")


async def test_gestures_without_a_meaning_do_nothing() -> None:
    """Not even wait."""
    hub = Hub("button: {gestures: {tap: none, hold: none, long_hold: none}}")
    async with hub.running():
        down(hub, 20)
        up(hub, 1)
        await until(lambda: "tap" in gestures(hub))
        assert hub.state == "idle"
    assert gestures(hub) == ["press", "tap"]


async def test_the_hold_of_a_button_that_is_replaced_ends() -> None:
    """Its release will never come."""
    hub = Hub()
    async with hub.running():
        await hub.hear()
        session = await hold(hub)
        session.opened()
        hub.detector.speech(speaking=True)
        hub.assistant.choose_board(hub.assistant.board)
        assert hub.state == "thinking"
    assert session.sent[-1] == "release"


@pytest.mark.parametrize("state", ["idle", "listening", "speaking"])
async def test_a_hold_alone_talks_where_a_tap_does_not(state: str) -> None:
    """From wherever it begins."""
    hub = Hub("button: {gestures: {tap: stop}}")
    async with hub.running():
        await hub.hear(60)
        if state == "listening":
            await hub.wake()
        elif state == "speaking":
            await hub.speaking()
        session = await hold(hub)
        if state == "idle":
            session.opened()
        hub.detector.speech(speaking=True)
        await release(hub)
        assert hub.state == "thinking"
    assert session.sent[-1] == "release"
