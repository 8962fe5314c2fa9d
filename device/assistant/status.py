"""The status says in words and figures what the speaker does, and what is wrong."""

from __future__ import annotations

from device.assistant.input import Ears
from device.conversation.states import Conversation, State
from device.faults import Faults


def headline(talk: Conversation, ears: Ears, faults: Faults) -> str:
    """One line for `systemctl status`: what it does, what is wrong, what it hears with.

    In this order, since a terminal shows the beginning of a long line.
    """
    hears = {
        State.IDLE: f"hears with {ears.microphone.description}",
        State.MUTED: "microphone closed",
    }.get(talk.rest, "hears nothing")
    if talk.rest is State.IDLE:
        hears += f" for {' or '.join(ears.detector.words)}"
    return "; ".join([talk.state.label, *(fault.message for fault in faults.active), hears])
