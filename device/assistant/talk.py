"""`Talk` holds the conversation as it stands and lets it take its steps."""

from __future__ import annotations

from device.conversation.effects import Effect
from device.conversation.machine import step
from device.conversation.states import PLAYING, RESTING, UPLINK_OPEN, Conversation, State
from device.news import News


class Talk:
    """One speaker's conversation. Used from the event loop's thread only."""

    def __init__(self) -> None:
        self._conversation = Conversation()

    @property
    def now(self) -> Conversation:
        """How the conversation stands."""
        return self._conversation

    @property
    def state(self) -> State:
        """Where the conversation stands."""
        return self._conversation.state

    @property
    def replying(self) -> bool:
        """Whether a reply plays, or is on its way to the loudspeaker."""
        return self._conversation.state in PLAYING

    @property
    def resting(self) -> bool:
        """Whether no conversation goes on."""
        return self._conversation.state in RESTING

    @property
    def uplink_open(self) -> bool:
        """Whether the microphone goes to the session."""
        return self._conversation.state in UPLINK_OPEN

    def step(self, news: News) -> tuple[Effect, ...]:
        """Take a step; returns what is to be done about it, in order."""
        self._conversation, effects = step(self._conversation, news)
        return effects
