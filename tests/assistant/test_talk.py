"""The conversation of one speaker takes its steps, and says how it stands."""

from __future__ import annotations

import pytest

from device.assistant.talk import Talk
from device.conversation.effects import Entered
from device.conversation.states import Conversation, State
from device.news import (
    Detection,
    MicrophoneDelivers,
    News,
    ReplyAudio,
    SessionOpened,
    Tap,
)

WAY: list[tuple[News, State, bool, bool]] = [
    (MicrophoneDelivers(1.0), State.IDLE, False, False),
    (Detection("hey", 0.9, 1, 1.0), State.CONNECTING, True, False),
    (SessionOpened(1, 800.0, "some-model", False, 1.0), State.LISTENING, True, False),
    (ReplyAudio(1, 1, b"\1\0", 1.0), State.SPEAKING, True, True),
    (Tap(), State.LISTENING, True, False),
]
"""News, and the state that follows; whether the microphone goes up there, and a reply plays."""


def test_it_begins_where_nothing_is_heard_yet() -> None:
    """As the machine does."""
    talk = Talk()
    assert talk.now == Conversation()
    assert (talk.state, talk.uplink_open, talk.replying) == (State.STARTING, False, False)


@pytest.mark.parametrize("steps", range(1, len(WAY) + 1))
def test_every_step_leads_on_from_the_last_one(steps: int) -> None:
    """Its effects are returned, and what follows from the state is at hand."""
    talk = Talk()
    for news, state, uplink_open, replying in WAY[:steps]:
        before = talk.state
        effects = talk.step(news)
        entered = [(told.before, told.state) for told in effects if isinstance(told, Entered)]
        assert entered == [(before, state)]
        assert talk.now.state is talk.state is state
        assert (talk.uplink_open, talk.replying) == (uplink_open, replying)
