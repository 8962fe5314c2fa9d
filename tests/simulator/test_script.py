"""Scripts as data: what can be written, and how a mistake in one is told."""

from __future__ import annotations

import math
from typing import Any

import pytest
import yaml

from device.errors import ScriptError
from device.simulator.script import (
    Close,
    Drop,
    Event,
    GoAway,
    Interrupt,
    Reject,
    Script,
    Send,
    Silence,
    TellUsage,
    ToolCall,
    Turn,
)

WRITTEN = """
api_keys: [good, better]
setup_delay_s: 1
loop: false
turns:
  - trigger: [open]
    says: hello
    audio: answer_stop
    pace: realtime
    chunk_ms: [20, 40]
  - calls: [{name: lamp, args: {state: "on"}, blocking: false}]
    audio: 300
    pace: 2
  - audio: null
    usage: late
    counts: {promptTokenCount: 3}
    searches: [one, two]
events:
  - {at: turn, turn: 1, do: {go_away: {time_left_s: 5}}}
  - {at: reply, after_s: 0.5, connections: [1, 2], do: drop}
  - {at: setup, do: silence}
  - {at: ready, do: {send: {message: {a: 1}, padding_bytes: 9}}}
  - {at: opened, do: {send: {message: "not JSON"}}}
  - {at: upgrade, do: {reject: {status: 503}}}
  - {at: ready, do: tell_usage}
  - {at: turn, after_s: 1, do: {tell_usage: {counts: {totalTokenCount: 9}}}}
"""


def test_a_script_is_read_from_yaml() -> None:
    """Every kind of field: lists, numbers, words, mappings, actions with and without fields."""
    assert Script.parse(yaml.safe_load(WRITTEN)) == Script(
        api_keys=("good", "better"),
        setup_delay_s=1.0,
        loop=False,
        turns=(
            Turn(
                trigger=("open",),
                says="hello",
                audio="answer_stop",
                pace="realtime",
                chunk_ms=(20, 40),
            ),
            Turn(calls=(ToolCall("lamp", {"state": "on"}, blocking=False),), audio=300, pace=2.0),
            Turn(
                audio=None,
                usage="late",
                counts={"promptTokenCount": 3},
                searches=("one", "two"),
            ),
        ),
        events=(
            Event("turn", GoAway(5.0), turn=1),
            Event("reply", Drop(), after_s=0.5, connections=(1, 2)),
            Event("setup", Silence(math.inf)),
            Event("ready", Send({"a": 1}, padding_bytes=9)),
            Event("opened", Send("not JSON")),
            Event("upgrade", Reject(503)),
            Event("ready", TellUsage()),
            Event("turn", TellUsage({"totalTokenCount": 9}), after_s=1.0),
        ),
    )


def test_nothing_is_a_script_too() -> None:
    """Every field has a default; keys may be left open."""
    assert Script.parse({}) == Script.parse({"api_keys": None}) == Script()


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ([], "script: [] is not a mapping; give fields of Script"),
        ({"turn": []}, "script: unknown key 'turn'; did you mean turns?"),
        ({"zzz": 1}, "script: unknown key 'zzz'; known: turns, events, loop"),
        ({"turns": 1}, "script.turns: 1 is not a list"),
        (
            {"turns": [{"trigger": ["noise"]}]},
            "script.turns[0].trigger[0]: 'noise' does not fit; expected sp",
        ),
        (
            {"turns": [{"pace": "slow"}]},
            "pace: 'slow' does not fit; expected burst, realtime or fl",
        ),
        (
            {"turns": [{"audio": 1.5}]},
            "audio: 1.5 does not fit; expected str or int or bytes or No",
        ),
        (
            {"turns": [{"usage": "sometimes"}]},
            "usage: 'sometimes' does not fit; expected late, never, repeated, chunks or NoneType",
        ),
        ({"turns": [{"searches": "x"}]}, "script.turns[0].searches: 'x' is not a list"),
        ({"turns": [{"calls": [{}]}]}, "script.turns[0].calls[0]: name is missing"),
        ({"setup_delay_s": True}, "script.setup_delay_s: True does not fit; expected float"),
        ({"silence_ms": True}, "script.silence_ms: True does not fit; expected int"),
        ({"loop": "no"}, "script.loop: 'no' does not fit; expected bool"),
        ({"events": [{"at": "turn", "do": "dorp"}]}, "do: unknown 'dorp'; did you mean drop?"),
        ({"events": [{"at": "turn", "do": 3}]}, "do: 3 is not one of reject, close, drop, go_away"),
        ({"events": [{"at": "turn", "do": {"close": {}}}]}, "do.close: code is missing"),
        ({"api_keys": "good"}, "script.api_keys: 'good' does not fit"),
    ],
)
def test_a_mistake_is_told_with_its_place(mapping: Any, message: str) -> None:
    """And with what could stand there."""
    with pytest.raises(ScriptError) as refused:
        Script.parse(mapping)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Event("ready", Drop(), after_s=-1), "after_s is -1; give 0 or more"),
        (lambda: Event("ready", Drop(), after_s=math.inf), "after_s is inf"),
        (lambda: Event("ready", Reject(503)), "only a request at upgrade can be rejected"),
        (lambda: Event("upgrade", Close(1011)), "Close needs a WebSocket; put it at opened"),
        (lambda: Event("opened", TellUsage()), "nothing is counted before setup"),
        (lambda: Event("audio", Drop(), turn=2), "it has no turn; leave turn=2 out"),
        (lambda: Turn(chunk_ms=()), "chunk_ms is []; give lengths above 0"),
        (lambda: Turn(chunk_ms=(20, 0)), "chunk_ms is [20, 0]; give lengths above 0"),
        (lambda: Turn(pace=0), "pace is 0; give burst, realtime or a factor"),
        (lambda: Turn(trigger=()), "trigger is empty; give speech, text, audio or open"),
        (
            lambda: Script(turns=(Turn(trigger=("open",)),)),
            "every turn starts by itself and loop is on",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(build: Any, message: str) -> None:
    """When it is built, not when it happens."""
    with pytest.raises(ScriptError) as refused:
        build()
    assert message in str(refused.value)


def test_turns_begin_again_after_the_last_or_end() -> None:
    """As the script says; no turns are the end at once."""
    one, two = Turn(says="1"), Turn(says="2")
    assert [Script(turns=(one, two)).turn(number) for number in (1, 2, 3)] == [one, two, one]
    assert Script(turns=(one,), loop=False).turn(2) is None
    assert Script(turns=()).turn(1) is None


def test_an_event_concerns_its_point_its_turn_and_its_connections() -> None:
    """Without a turn or connections it concerns all of them."""
    event = Event("turn", Interrupt(), turn=2, connections=(1, 3))
    assert event.concerns("turn", 3, 2)
    assert not event.concerns("reply", 3, 2)
    assert not event.concerns("turn", 2, 2)
    assert not event.concerns("turn", 3, 1)
    assert Event("turn", Interrupt()).concerns("turn", 9, 9)


def test_paces_are_factors() -> None:
    """Two of them have words."""
    assert [Turn(pace=pace).speed for pace in ("burst", "realtime", 2.5)] == [math.inf, 1.0, 2.5]
