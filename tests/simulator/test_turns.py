"""Turns as data: what comes of a question the first times it is asked."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from device.errors import ScriptError
from device.simulator.script import Filler, Hiss, Pause, Script, Tone, ToolCall, Turn

EMPTY = Turn(audio=None, ends="turn")
SILENT = Turn(answers=False)


def test_a_question_is_answered_in_the_end() -> None:
    """Each turn of first stands for its times, then the turn itself comes for ever."""
    turn = Turn(first=(Turn(audio=None, times=2), SILENT))
    comes = [turn.attempt(time, session=1) for time in range(1, 6)]
    assert comes == [turn.first[0], turn.first[0], SILENT, turn, turn]
    assert EMPTY.attempt(1, session=1) is EMPTY


def test_some_sessions_are_worse_than_others() -> None:
    """A turn of first is only for the sessions it names."""
    stuck = Turn(audio=None, sessions=(1, 3), times=99)
    turn = Turn(first=(stuck,))
    assert [turn.attempt(5, session) for session in (1, 2, 3)] == [stuck, turn, stuck]


def test_everything_that_may_sound_is_known() -> None:
    """Also fillers, and what comes the first times."""
    turn = Turn(audio=1, fillers=(Filler(audio=2),), first=(Turn(audio=(Pause(3),)),))
    assert turn.sounds == [1, 2, (Pause(3),)]


WRITTEN = """
turns:
  - audio:
      - {pause: {ms: 1500}}
      - answer_weather
      - 200
      - {tone: {ms: 8000}}
      - {hiss: {ms: 10, dbfs: -80}}
    order: paced
    status: ""
    fillers: [{says: one moment, audio: 300, pause_s: 1}]
    calls: [{name: lamp, id: ""}]
    first_over: all
    first:
      - {audio: null, ends: turn, reason: RESPONSE_REJECTED, times: 2}
      - {answers: false, transcribed: false, sessions: [1]}
refusals:
  - {field: compression, models: [gemini-3.8-live]}
  - {code: 1008, reason: over, at: ready, times: 1, after: 2}
events:
  - {at: call, turn: 1, do: cancel_calls}
  - {at: setup, connections: [2], do: lose_context}
fresh: next
empty_every: 10
"""


def test_it_is_read_from_yaml() -> None:
    """Pieces of sound, turns inside turns, refusals, and what the server does with the context."""
    script = Script.parse(yaml.safe_load(WRITTEN))
    assert script.turns[0] == Turn(
        audio=(Pause(1500), "answer_weather", 200, Tone(8000), Hiss(10, dbfs=-80)),
        order="paced",
        status="",
        fillers=(Filler("one moment", 300, 1.0),),
        calls=(ToolCall("lamp", id=""),),
        first_over="all",
        first=(
            Turn(audio=None, ends="turn", reason="RESPONSE_REJECTED", times=2),
            Turn(answers=False, transcribed=False, sessions=(1,)),
        ),
    )
    assert [refusal.field for refusal in script.refusals] == ["compression", ""]
    assert (script.fresh, script.empty_every) == ("next", 10)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Turn(times=0), "times is 0; give 1 or more"),
        (lambda: Turn(first=(Turn(first=(EMPTY,)),)), "put all in one list"),
        (lambda: Script(turns=(Turn(times=2),)), "they count only in a first"),
        (lambda: Script(turns=(Turn(sessions=(1,)),)), "they count only in a first"),
        (lambda: Script(empty_every=1), "empty_every is 1"),
        (lambda: Script(empty_row=0), "empty_row 0"),
        (lambda: Script.parse({"turns": [{"audio": [{"pause": 3}]}]}), "3 is not a mapping"),
        (lambda: Script.parse({"turns": [{"audio": [{"buzz": {}}]}]}), "unknown 'buzz'"),
        (lambda: Script.parse({"turns": [{"audio": [1.5]}]}), "audio[0]: 1.5 does not fit"),
    ],
)
def test_what_makes_no_sense_is_refused(build: Any, message: str) -> None:
    """When it is built, and told with its place."""
    with pytest.raises(ScriptError) as refused:
        build()
    assert message in str(refused.value)
