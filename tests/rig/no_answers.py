"""Turns that the stand-in server is told to give in place of an answer, as people met them."""

from __future__ import annotations

from device.simulator.turns import Hiss, Pause, Tone, Turn

SAYS = "It's eighteen degrees in Berlin, and the sun is out. You won't need a jacket today."

EMPTY = Turn(audio=None, ends="turn")
"""The question's transcription, then ``turnComplete`` with a ``responseTokenCount`` of 0."""
TEXT_ONLY = Turn(audio=None, text=SAYS)
REJECTED = Turn(audio=None, ends="turn", reason="RESPONSE_REJECTED")
REJECTED_ODDLY = Turn(audio=None, ends="turn", reason="SOMETHING_NEW")
DEAD_LINE = Turn(says=SAYS, audio=(Hiss(5000, dbfs=-70),), order="paced", pace="realtime")
"""As long as a good answer and with its transcription, but nobody can hear it."""
NOTHING = Turn(answers=False, transcribed=False)
"""No event at all."""
UNSAID = Turn(answers=False)
"""The question's transcription alone."""

NOT_ANSWERS = {
    "empty": EMPTY,
    "text only": TEXT_ONLY,
    "rejected": REJECTED,
    "rejected oddly": REJECTED_ODDLY,
    "dead line": DEAD_LINE,
    "nothing": NOTHING,
    "unsaid": UNSAID,
}

LATE_SOUND = Turn(says=SAYS, audio=(Pause(1500), "answer_weather"))
"""A good answer after a second and a half of silence."""
STUCK = Turn(
    says=SAYS, audio=("answer_weather", Tone(8000)), order="paced", pace="realtime", plays_out=False
)
"""An answer that turns into one loud tone while its transcription stands still."""
ENDLESS = Turn(says=SAYS, audio="answer_weather", ends="generation")
"""``generationComplete``, but never ``turnComplete``."""
