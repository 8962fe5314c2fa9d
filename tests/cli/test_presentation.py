"""Status and events as a person sees them."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from device.board.gestures import Gesture
from device.cli import presentation as shown

ANSWER: dict[str, Any] = {
    "state": "idle",
    "muted": False,
    "config": {"file": "/etc/parley/config.yaml", "in_force": "file", "mistakes": []},
    "uptime_s": 3725.0,
    "board": "flex",
    "lights": 12,
    "microphone": "reSpeaker",
    "speaker": "USB audio",
    "volume": 60,
    "wake_words": ["hey_jarvis", "alexa"],
    "duplex": {"mode": "half", "why": "nothing is known yet", "canceller": "software"},
    "echo": {"erle_db": None},
    "session": {"number": 0, "model": None, "open_s": None},
    "faults": [],
    "last_fault": None,
}


def status(**changes: Any) -> list[str]:
    """The lines of a status, without colours."""
    answer = {**ANSWER, **changes}
    console = Console(file=io.StringIO(), width=120)
    shown.status(answer, console)
    assert isinstance(console.file, io.StringIO)
    return [" ".join(line.split()) for line in console.file.getvalue().splitlines()]


def test_the_status_is_a_small_table() -> None:
    """What it does, has and listens for."""
    assert status() == [
        "state idle",
        "microphone reSpeaker",
        "loudspeaker USB audio, volume 60",
        "board flex, 12 lights",
        "wake word hey_jarvis or alexa",
        "over a reply half duplex: nothing is known yet",
        "session none",
        "up for 1 h 2 min",
    ]


def test_who_answers_to_a_word_and_whose_talk_it_is_are_told() -> None:
    """By name, where it is somebody in particular."""
    open_talk = {"number": 3, "persona": "puck", "model": "m", "open_s": 5.0}
    lines = status(wake_personas={"hey_jarvis": None, "alexa": "puck"}, session=open_talk)
    assert "wake word hey_jarvis or alexa (puck)" in lines
    assert "session puck: m, open for 5 s" in lines
    kept = {**open_talk, "open_s": None, "resumable_s": 60.0}
    told = "session none; the next wake word of puck continues the talk of 1 min 0 s ago"
    assert told in status(session=kept)


def test_what_can_be_expected_of_the_place_is_told_where_it_is_known() -> None:
    """In words; the box of loudspeaker and microphone is the place where a reply stutters."""
    echo = {
        **dict.fromkeys(("residue_db", "noise_dbfs", "delay_ms", "drift_ppm")),
        "return_loss_db": 0.4,
        "erle_db": 22.0,
    }
    duplex = {"mode": "full", "why": "22 dB of the echo are cancelled", "canceller": "software"}
    told = " ".join(status(echo=echo, duplex=duplex))
    assert (
        "outlook like a loudspeaker and a microphone in one box: of 10 wake words over its own "
        "voice about 8 are heard of who is as loud as its echo, 6 of who is 10 dB quieter; its own "
        "voice pauses a reply about 2.6 times a minute; a short 'mm-hm' ends 4 of 8 replies"
    ) in told


def test_faults_come_first_and_the_last_one_only_when_all_is_well() -> None:
    """What is wrong now hides what was wrong before."""
    fault = {"kind": "lights", "message": "spi is off", "fatal": False, "age_s": 75.0}
    lines = status(state="fault", faults=[fault], last_fault=fault)
    assert lines[:2] == ["state fault", "fault lights: spi is off"]
    assert not any(line.startswith("last fault") for line in lines)
    assert status(last_fault=fault)[-1] == "last fault spi is off (1 min 15 s ago)"


def test_timers_are_told() -> None:
    """How many there are, what rings and what is next; and that a restart would lose them."""
    none: dict[str, Any] = {"set": 0, "next_due": None, "ringing": [], "kept": True}
    assert "timers none is set" in status(timers=none)
    due = "2100-12-24T07:00:00+01:00"
    some = {"set": 3, "next_due": due, "ringing": [4, 5], "kept": False}
    assert (
        "timers 3 set; rings now: 4, 5 (parley timers stop); the next rings on Fri 24 Dec 2100 at "
        "07:00; not on the disk: a restart would lose them; see: parley doctor"
    ) in " ".join(status(timers=some))


def test_what_was_spent_is_told() -> None:
    """In a line, where anything was or may be; no small amount looks like none."""
    nothing: dict[str, Any] = {
        "limit": None,
        "allowed": 0.0,
        "spent": 0.0,
        "left": None,
        "level": "",
    }

    def money(day: dict[str, Any], month: dict[str, Any], currency: str = "USD") -> list[str]:
        told = {"day": {**nothing, **day}, "month": {**nothing, **month}, "currency": currency}
        return [line for line in status(spending=told) if line.startswith("spending")]

    assert money({}, {}) == []
    assert money({"spent": 0.0003}, {"spent": 3.1, "limit": 10.0}, "EUR") == [
        "spending today 0.0003 EUR, this month 3.10 of 10.00 EUR (an estimate)"
    ]
    assert money({"limit": 0.5, "allowed": 2.0}, {}) == [
        "spending today 0.00 of 2.50 USD (an estimate)"
    ]
    assert money({"limit": 0.5, "spent": 0.499_9, "level": "near"}, {"spent": 0.499_9}, "[b]") == [
        "spending today 0.4999 of 0.50 [b], this month 0.50 [b] (an estimate)"
    ]


def test_a_server_that_is_not_ready_is_told_with_why() -> None:
    """One line for each; those that are ready need none."""
    ready: dict[str, Any] = {
        "name": "music",
        "place": "http://music.local/mcp",
        "state": "ready",
        "why": None,
        "since_s": 5.0,
    }
    why = "home (http://ha.local/api/mcp): nothing listens there: start the [b]server"
    gone = {**ready, "name": "home", "state": "gone", "why": why, "since_s": 61.2}
    lines = [line for line in status(mcp_servers=[ready, gone]) if "mcp" in line]
    assert lines == [f"mcp server gone for 1 minute 1 second: {why}"]
    assert not any("mcp" in line for line in status(mcp_servers=[ready]))


def test_it_is_told_when_the_last_good_settings_are_in_force() -> None:
    """The fault above it names the mistakes."""
    config = {"file": "/home/[b]/c.yaml", "in_force": "last good", "mistakes": ["no"]}
    assert status(config=config)[1] == "settings the last good ones: /home/[b]/c.yaml is refused"


def test_a_muted_speaker_does_not_seem_to_hear() -> None:
    """Whatever it does otherwise."""
    lines = status(state="speaking", muted=True)
    assert lines[1] == "microphone closed"


def test_no_line_ends_with_spaces() -> None:
    """What is copied into a bug report is as wide as it says."""
    console = Console(file=io.StringIO(), width=10_000)
    shown.status(ANSWER, console)
    assert isinstance(console.file, io.StringIO)
    assert max(len(line) for line in console.file.getvalue().splitlines()) < 100


def test_an_open_session_is_shown_with_its_model_and_age() -> None:
    """In seconds, where it is young."""
    session = {"number": 1, "model": "gemini-live", "open_s": 12.4}
    assert "session gemini-live, open for 12 s" in status(session=session)


def test_a_session_over_many_connections_and_a_talk_that_goes_on_are_shown() -> None:
    """Nobody noticed the server; who looks can see it."""
    session = {"number": 1, "model": "gemini-live", "open_s": 1_900.0, "connections": 4}
    assert "session gemini-live, open for 31 min 40 s over 4 connections" in status(session=session)
    rest = {"number": 0, "model": None, "open_s": None, "resumable_s": 62.0}
    told = "session none; the next wake word continues the talk of 1 min 2 s ago"
    assert told in status(session=rest)


def test_what_a_model_refuses_is_shown() -> None:
    """Whether a session is open or not."""
    rest = {"number": 0, "model": None, "open_s": None, "refused_settings": ["live.voice"]}
    assert "session none; the model refuses live.voice" in status(session=rest)


def test_turns_that_nobody_could_hear_are_counted() -> None:
    """By what they were instead."""
    rest = {"number": 2, "model": None, "open_s": None, "unheard": {"text_only": 1, "empty": 3}}
    assert "session none; no answer to be heard: 1 text only, 3 empty" in status(session=rest)


def test_latencies_are_shown_of_what_has_happened() -> None:
    """In whole milliseconds, and only where there are any."""
    none = {"p50": None, "p95": None, "max": None, "count": 0}
    figures = {
        "answer": {"p50": 84.6, "p95": 120.4, "max": 151.0, "count": 3},
        "wake_to_light": none,
        "microphone_to_wire": {"p50": 31.0, "p95": 40.0, "max": 44.1, "count": 900},
    }
    told = "latency answer 85 ms (p95 120), microphone to wire 31 ms (p95 40)"
    assert told in status(latency_ms=figures)
    lines = status(latency_ms={"wake_to_light": none})
    assert not any(line.startswith("latency") for line in lines)


def test_what_is_known_of_the_echo_is_shown() -> None:
    """And what follows from it for who talks over a reply."""
    echo = {
        "return_loss_db": 10.7,
        "erle_db": 26.5,
        "residue_db": 3.4,
        "noise_dbfs": -61.4,
        "delay_ms": 88.5,
        "drift_ppm": None,
    }
    duplex = {"mode": "full", "why": "26 dB of the echo are cancelled", "canceller": "software"}
    lines = status(echo=echo, duplex=duplex)
    assert "over a reply full duplex: 26 dB of the echo are cancelled" in lines
    told = " ".join(lines)
    assert "10.7 dB below what is played, 26.5 dB cancelled, 3.4 dB left" in told
    assert "delay 88.5 ms" in told
    assert "ppm" not in told


def test_what_the_lights_say_can_be_read() -> None:
    """Whoever stands before them, or cannot, is told what it is and how it looks."""
    told = "board flex, 12 lights, which show standing (parley lights --state standing)"
    assert told in status(lights_show="standing")
    assert "board none, 0 lights" in status(board="none", lights=0, lights_show="idle")


def test_brackets_in_names_are_shown_as_they_are() -> None:
    """Names of devices and errors are text, not markup: nothing vanishes, nothing breaks."""
    fault = {"kind": "config", "message": "no [/dev/spi] in [bold]", "fatal": True, "age_s": 1}
    lines = status(
        microphone="card [plughw:1]", speaker="[/usb]", faults=[fault], wake_words=["[a]"]
    )
    assert "microphone card [plughw:1]" in lines
    assert "loudspeaker [/usb], volume 60" in lines
    assert "fault config: no [/dev/spi] in [bold]" in lines
    assert "wake word [a]" in lines
    assert status(last_fault=fault)[-1] == "last fault no [/dev/spi] in [bold] (1 s ago)"


@pytest.mark.parametrize("state", [*shown.STATE_STYLES, "starting"])
def test_every_state_is_shown(state: str) -> None:
    """Also one that has no colour."""
    assert status(state=state)[0] == f"state {state}"


def test_an_event_is_a_line() -> None:
    """Time, name and fields; what is null says nothing."""
    record = {
        "time": 12.3456,
        "event": "session",
        "what": "opened",
        "reason": None,
        "latency_ms": 812.3,
    }
    assert shown.event(record) == "      12.346  session     what=opened latency_ms=812.3"


@pytest.mark.parametrize(
    ("gesture", "words"),
    [
        ("press", "pressed"),
        ("tap", "tapped"),
        ("double_tap", "tapped twice"),
        ("hold", "held"),
        ("long_hold", "held for long, in silence"),
        ("release", "let go"),
        ("something_new", "something_new"),
    ],
)
def test_gestures_are_shown_in_words(gesture: str, words: str) -> None:
    """What the button has understood of the finger."""
    record = {"time": 12.5, "event": "button", "gesture": gesture}
    assert shown.event(record).split(maxsplit=2) == ["12.500", "button", words]


def test_what_happens_to_a_timer_is_shown_in_words() -> None:
    """Which one, and when it rings where that is of interest."""
    record = {"time": 12.5, "event": "timer", "what": "set", "id": 3, "name": "pasta"}
    record |= {"due": "2100-12-24T07:00:00+01:00", "kind": "timer"}
    told = shown.event(record).split(maxsplit=2)
    assert told == [*("12.500", "timer", "timer 3 'pasta' is set, due on Fri 24 Dec 2100 at 07:00")]


def test_every_gesture_has_words() -> None:
    """A new one needs them."""
    assert set(shown.GESTURES) == {gesture.value for gesture in Gesture}


def test_who_muted_is_shown() -> None:
    """Since what undoes it differs."""
    assert status(state="muted", muted_by="owner")[0] == "state muted (parley unmute)"
    switch = "state muted (by the microphone's own switch)"
    assert status(state="muted", muted_by="switch")[0] == switch
    assert status(muted_by=None)[0] == "state idle"


EVIL = "x[/]\x1b[2J\x9b1m\x07\u202e\n  99.000  state  to=muted"
SHOWN = "x[/]�[2J�1m�� 99.000 state to=muted"


def test_whatever_is_in_a_status_only_shows() -> None:
    """Whoever answers may have been taken over: no command, no line of its own."""
    session = {"number": 1, "model": EVIL, "open_s": 3.0}
    fault = {"kind": EVIL, "message": EVIL, "fatal": False, "age_s": 75.0}
    lines = status(state=EVIL, microphone=EVIL, board=EVIL, session=session, faults=[fault])
    assert all(line.isprintable() for line in lines), lines
    assert f"microphone {SHOWN}" in lines
    assert not any(line.startswith("99.000") for line in lines)


def test_whatever_is_in_an_event_is_one_line_that_only_shows() -> None:
    """Values and names; a gesture too."""
    line = shown.event({"time": 1.0, "event": EVIL, EVIL: EVIL})
    assert line.isprintable(), line
    assert shown.event({"time": 1.0, "event": "button", "gesture": EVIL}).isprintable()
    evil = {"what": EVIL, "kind": EVIL, "id": EVIL, "name": EVIL, "due": EVIL}
    assert shown.event({"time": 1.0, "event": "timer", **evil}).isprintable()


@pytest.mark.parametrize(
    ("keep", "line"),
    [
        ("near", "wake clips of near misses, kept on this device (parley wakes)"),
        ("all", "wake clips of wakes and near misses, kept on this device (parley wakes)"),
    ],
)
def test_that_clips_of_wakes_are_kept_is_shown(keep: str, line: str) -> None:
    """And nothing where none are, or an older speaker knows of none."""
    assert line in status(wake_clips={"keep": keep})
    assert not any("wake clips" in each for each in status(wake_clips={"keep": "none"}))
    assert not any("wake clips" in each for each in status())


def test_a_camera_is_shown_with_what_it_sent_and_what_is_wrong_with_it() -> None:
    """Not where there is none; pictures given by hand count as well."""
    sent = {"asked": 1, "stream": 0, "typed": 2}
    camera = {"camera": "USB camera 'HD'", "trouble": None, "taken": 1, "failed": 0, "sent": sent}
    (line,) = [each for each in status(camera=camera) if "camera" in each]
    assert line.endswith("USB camera 'HD', 3 pictures sent")
    busy = {**camera, "trouble": "it is busy"}
    (line,) = [each for each in status(camera=busy) if each.startswith("camera")]
    assert line.endswith("3 pictures sent; it is busy")
    (line,) = [each for each in status(camera={"sent": {"typed": 1}}) if "camera" in each]
    assert line.endswith("off; 1 picture sent")
    assert not any("camera" in each for each in status(camera=None))
