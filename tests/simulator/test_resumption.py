"""The conversations of the stand-in and their handles."""

from __future__ import annotations

import pytest

from device.simulator.resumption import Memory
from device.simulator.schema import RefusedError


def test_a_handle_is_a_moment_of_its_conversation() -> None:
    """Recalling it brings back the turns that were done, and no later ones."""
    memory = Memory()
    talk = memory.begin()
    talk.turns_done = 2
    handle = memory.issue(talk)
    talk.turns_done = 5
    assert memory.recall(handle) is talk
    assert talk.turns_done == 2
    assert memory.begin().number == 2


def test_only_a_conversation_without_a_connection_can_be_recalled() -> None:
    """The old connection must be closed first."""
    memory = Memory()
    talk = memory.begin()
    handle = memory.issue(talk)
    talk.in_use = lambda: True
    with pytest.raises(RefusedError, match="1011 Internal error"):
        memory.recall(handle)


def test_poison_spoils_old_handles_and_what_comes_of_them() -> None:
    """A new handle of the same conversation is well until an old one is recalled."""
    memory = Memory()
    talk = memory.begin()
    old = memory.issue(talk)
    memory.poison()
    assert not memory.recall(memory.issue(talk)).poisoned
    assert memory.recall(old).poisoned
    assert memory.recall(memory.issue(talk)).poisoned


def test_forgotten_handles_are_unknown() -> None:
    """As those that never were."""
    memory = Memory()
    handle = memory.issue(memory.begin())
    memory.forget()
    for unknown in (handle, "never"):
        with pytest.raises(RefusedError, match="1008 Requested entity was not found"):
            memory.recall(unknown)
