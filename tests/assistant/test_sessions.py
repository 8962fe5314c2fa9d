"""One session at a time: opened, closed and forgotten by its number; what resumes it is kept."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from device.assistant import sessions as module
from device.assistant.sessions import Sessions
from device.assistant.settings import Settings
from device.config import Config, parse
from device.errors import CredentialError
from device.live.departures import Departure, Sent, SoundEnds
from device.live.resumption import Past
from device.news import Debt, News, Post, SessionAged, SessionClosed, SessionFailed
from device.ports import Functions, Session
from device.state.talk import TalkMemory
from device.tools.registry import Registry
from tests.rig.fakes import MODEL, PATIENCE_S, FakeSession, until

RESUMABLE = "conversation: {resume_within_s: 600}"


class Maker:
    """Makes sessions as the recipe of the speaker does, or has no key for them."""

    def __init__(self) -> None:
        self.kind = FakeSession
        self.made: list[FakeSession] = []
        self.asked: list[tuple[Config, int]] = []
        self.past = Past()
        self.on_sent: Sent | None = None
        self.error: CredentialError | None = None
        self.log: list[str] = []

    def session(
        self, config: Config, number: int, past: Past, post: Post, on_sent: Sent, _: Functions
    ) -> Session:
        self.past, self.on_sent = past, on_sent
        self.asked.append((config, number))
        if self.error is not None:
            raise self.error
        self.made.append(self.kind(number, post, self.log))
        return self.made[-1]


class Hub:
    """Sessions, what they post, and who keeps the talk so far."""

    def __init__(self, config: str = RESUMABLE, folder: Path | None = None) -> None:
        self.settings = Settings(parse(config, "test.yaml"))
        self.maker = Maker()
        self.keepsake = TalkMemory(folder)
        self.posted: list[News] = []
        self.sent: list[Departure] = []
        self.sessions = Sessions(
            self.maker.session, self.keepsake, self.settings, self.posted.append, self.sent.append
        )

    def settle(self, config: str) -> None:
        """Put other settings into force."""
        self.settings.replace(parse(config, "test.yaml"))

    def current(self) -> Session | None:
        """The session that there is."""
        return self.sessions.session

    def resumable_s(self) -> float | None:
        """How long ago the talk ended that can be resumed."""
        return self.sessions.resumable_s

    @property
    def newest(self) -> FakeSession:
        return self.maker.made[-1]


@contextlib.asynccontextmanager
async def running(hub: Hub) -> AsyncIterator[Hub]:
    with contextlib.suppress(asyncio.CancelledError):
        async with asyncio.TaskGroup() as tasks:
            hub.sessions.start(tasks, lambda _persona: Registry(()))
            yield hub
            await hub.sessions.goodbye()
            raise asyncio.CancelledError


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    async with running(Hub()) as hub:
        yield hub


# --- beginning and end ----------------------------------------------------------------------------


async def test_at_first_there_is_none(hub: Hub) -> None:
    """And nothing is owed."""
    assert hub.current() is None
    assert hub.sessions.debt is Debt.NONE


async def test_a_session_is_made_with_its_number_and_the_settings_in_force(hub: Hub) -> None:
    """It tells its own model, and runs until it is closed; who times frames is told of them."""
    assert hub.sessions.open(7, "") == MODEL
    assert hub.maker.asked == [(hub.settings.now, 7)]
    assert hub.current() is hub.newest
    assert hub.maker.on_sent is not None
    ended = SoundEnds(7, 1, 1.5)
    hub.maker.on_sent(ended)
    assert hub.sent == [ended]
    hub.sessions.close("asked")
    assert hub.current() is None
    await until(lambda: hub.posted)
    (closed,) = hub.posted
    assert isinstance(closed, SessionClosed)
    assert (closed.session, closed.reason) == (7, "asked")
    hub.sessions.close("asked twice")
    assert hub.newest.closed_with == "asked"


async def test_without_a_key_it_fails_after_the_step(hub: Hub) -> None:
    """Not in the middle of it; the model that would have been asked is told all the same."""
    hub.settle("live: {model: wanted}")
    hub.maker.error = CredentialError("there is no key")
    assert hub.sessions.open(1, "") == "wanted"
    assert hub.posted == []
    await until(lambda: hub.posted)
    (failed,) = hub.posted
    assert isinstance(failed, SessionFailed)
    assert (failed.session, failed.model) == (1, "wanted")
    assert (failed.failure.message, failed.failure.retryable) == ("there is no key", False)
    assert hub.current() is None


async def test_only_the_session_that_is_over_is_forgotten(hub: Hub) -> None:
    """An older one may still be ending while the next one talks."""
    hub.sessions.open(1, "")
    hub.sessions.close("asked")
    hub.sessions.open(2, "")
    hub.sessions.forget(1)
    assert hub.current() is hub.newest
    hub.sessions.forget(2)
    assert hub.current() is None
    hub.sessions.forget(2)


@pytest.mark.parametrize(
    ("owes", "understood", "debt"),
    [
        (False, False, Debt.NONE),
        (False, True, Debt.NONE),
        (True, False, Debt.OWED),
        (True, True, Debt.UNDERSTOOD),
    ],
)
async def test_what_is_owed_is_what_the_session_says(
    hub: Hub, owes: bool, understood: bool, debt: Debt
) -> None:
    """An answer, and whether the server has told what it understood."""
    hub.sessions.open(1, "")
    hub.newest.owes, hub.newest.understood = owes, understood
    assert hub.sessions.debt is debt


# --- age ------------------------------------------------------------------------------------------


async def test_a_session_that_has_lasted_long_enough_is_told_by_its_number() -> None:
    """The one that is open: the age of an older one is nobody's business."""
    async with running(Hub()) as hub:
        soon = hub.settings.now.conversation.model_copy(update={"max_session_s": 0.02})
        hub.settings.replace(hub.settings.now.model_copy(update={"conversation": soon}))
        hub.sessions.open(1, "")
        hub.sessions.open(2, "")
        await until(lambda: hub.posted)
        assert hub.posted == [SessionAged(2)]
        assert hub.sessions.age_s >= 0.02


async def test_another_age_counts_from_the_beginning_of_the_session(hub: Hub) -> None:
    """A shorter one may be over already."""
    hub.sessions.open(1, "")
    short = hub.settings.now.conversation.model_copy(update={"max_session_s": 0})
    hub.settings.replace(hub.settings.now.model_copy(update={"conversation": short}))
    hub.sessions.limit_age()
    await until(lambda: hub.posted)
    assert hub.posted == [SessionAged(1)]


# --- the talk so far ------------------------------------------------------------------------------


def keeps_a_talk(hub: Hub, ago_s: float = 0.0) -> None:
    """The server has given a handle so long ago, and it is kept."""
    hub.maker.past.keep("some-handle", MODEL, "some-host", time.time() - ago_s)
    hub.sessions.remember()


async def test_the_talk_so_far_outlives_the_process(tmp_path: Path) -> None:
    """Its handle, as it was last."""
    async with running(Hub(folder=tmp_path)) as hub:
        hub.sessions.open(1, "")
        keeps_a_talk(hub)
    async with running(Hub(folder=tmp_path)) as hub:
        assert hub.resumable_s() is not None
        hub.sessions.open(1, "")
        assert hub.maker.past.handle == "some-handle"


async def test_a_talk_can_be_resumed_from_the_end_of_its_session_on(hub: Hub) -> None:
    """However long ago its handle came; not while it goes on."""
    hub.sessions.open(1, "")
    keeps_a_talk(hub, ago_s=3000)
    assert hub.resumable_s() is None
    hub.sessions.forget(1)
    ended_s = hub.resumable_s()
    assert ended_s is not None
    assert 0 <= ended_s < 300


@pytest.mark.parametrize(("ago_s", "resumable"), [(0, True), (300, True), (600, False)])
async def test_a_talk_is_resumed_for_as_long_as_the_owner_wants(
    hub: Hub, ago_s: float, resumable: bool
) -> None:
    """Then the next one begins anew."""
    hub.sessions.open(1, "")
    hub.sessions.close("asked")
    keeps_a_talk(hub, ago_s)
    known_s = hub.resumable_s()
    assert (known_s is not None) is resumable
    assert known_s is None or ago_s <= known_s < 600
    hub.sessions.open(2, "")
    assert (hub.maker.past.handle is not None) is resumable


async def test_a_clock_that_was_set_back_does_not_hide_the_talk(hub: Hub) -> None:
    """It ended just now, as far as can be known."""
    hub.sessions.open(1, "")
    hub.sessions.close("asked")
    keeps_a_talk(hub, ago_s=-3000)
    assert hub.resumable_s() == 0.0


async def test_a_session_that_never_stood_does_not_renew_the_talk(hub: Hub) -> None:
    """The handle is as old as it was."""
    hub.sessions.open(1, "")
    keeps_a_talk(hub, ago_s=100)
    hub.newest.counters["connections"] = 0
    before = hub.maker.past.at
    hub.sessions.forget(1)
    assert hub.maker.past.at == before


async def test_a_deaf_server_is_not_resumed(hub: Hub) -> None:
    """Whatever handle the session may still be given; without a session that is no harm."""
    hub.sessions.open(1, "")
    keeps_a_talk(hub)
    hub.sessions.give_up_handle()
    assert hub.newest.gave_up
    assert hub.maker.past.handle is None
    hub.sessions.close("no answer came")
    hub.sessions.give_up_handle()
    assert hub.resumable_s() is None


# --- the end of the process, and the status -------------------------------------------------------


class Stubborn(FakeSession):
    """Does not close."""

    async def close(self, reason: str) -> None:
        self.closed_with = reason
        await asyncio.Event().wait()


async def test_at_the_end_the_session_is_closed_and_the_talk_is_kept(tmp_path: Path) -> None:
    """Before the process ends; a timer of it is left to nobody."""
    async with running(Hub(folder=tmp_path)) as hub:
        hub.sessions.open(1, "")
        keeps_a_talk(hub)
        await hub.sessions.goodbye()
        assert hub.newest.closed_with == "shutting down"
        kept = TalkMemory(tmp_path).load()
        assert kept is not None
        assert kept["handle"] == "some-handle"


async def test_a_session_that_does_not_close_is_not_waited_for_long(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Systemd would kill the process."""
    monkeypatch.setattr(module, "GOODBYE_S", 0.01)
    hub.maker.kind = Stubborn
    hub.sessions.open(1, "")
    async with asyncio.timeout(PATIENCE_S):
        await hub.sessions.goodbye()
    assert hub.newest.closed_with == "shutting down"


async def test_the_status_names_the_session_its_model_and_what_it_counted(hub: Hub) -> None:
    """And without one how long ago the talk ended that the next one continues."""
    nothing: dict[str, object] = {
        "persona": None,
        "model": None,
        "open_s": None,
        "refused_settings": [],
        "resumable_s": None,
        "resumable_by_persona": {},
    }
    assert hub.sessions.as_dict() == nothing
    hub.sessions.open(1, "")
    keeps_a_talk(hub)
    told = hub.sessions.as_dict()
    assert told.pop("open_s") < 60
    del nothing["open_s"]
    assert told == {**nothing, "model": MODEL, "frames_sent": 7, "connections": 1}
    hub.sessions.forget(1)
    told = hub.sessions.as_dict()
    assert told.pop("resumable_s") < 60
    assert told.pop("resumable_by_persona")["default"] < 60
    assert told == {"persona": None, "model": None, "open_s": None, "refused_settings": []}
