"""The speaker stays within what its owner allows, and tells them how it stands."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from device.assistant import spending as module
from device.assistant.parts import Parts
from device.assistant.spending import Spending
from device.errors import ControlError
from device.events import EventBus, PublicEvent
from device.faults import Faults
from device.lights.patterns import Pattern
from device.news import News, PlaybackDrained, Post, SpendingLimit, TurnComplete, Usage
from device.records.clock import RecordClock
from device.records.store import Records
from device.records.tables import TABLES
from device.records.writer import Place
from device.signals import SPENDING, SPENDING_NEAR
from tests.rig.fakes import MODEL, Hub, until
from tests.rig.till import Till, open_till
from tests.timers.jumping import JumpingClocks, at

NOON = at("2026-11-10 12:00")
CENT = {"prompt": 13_333, "prompt_text": 13_333}
"""10,000 millionths of a dollar."""
LIMITS = "spending: {day: 0.05, month: 0.2}"


@pytest.fixture(autouse=True)
def _berlin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")


class Purse:
    """A `Spending` over real books, and what it tells."""

    def __init__(self, till: Till) -> None:
        self.till = till
        self.events: list[PublicEvent] = []
        self.news: list[News] = []
        self.clocks = JumpingClocks(till.at)
        bus = EventBus(self.events.append)
        self.faults = Faults(bus)
        self.spending = Spending(
            till.ledger, lambda: self.clocks, self.faults, bus, self.news.append
        )

    def spend(self, cents: int = 1) -> None:
        self.till.opened(1)
        for _ in range(cents):
            self.till.turn(1, CENT)
        self.spending.judge()

    def told(self, name: str = "spending") -> list[tuple[object, ...]]:
        """What and period of each event; kind and whether it is over, of faults."""
        keys = ("what", "period") if name == "spending" else ("kind", "cleared")
        found = [each.fields for each in self.events if each.event == name]
        return [tuple(fields[key] for key in keys) for fields in found]

    def go_to(self, moment: float) -> None:
        """Let the time be another one."""
        self.clocks.go_on(moment - self.till.at)
        self.till.at = moment


@asynccontextmanager
async def purse(
    folder: Path | None, moment: float = NOON, config: str = LIMITS
) -> AsyncIterator[Purse]:
    async with open_till(folder, moment, config) as till, asyncio.TaskGroup() as tasks:
        made = Purse(till)
        made.spending.start(tasks)
        await made.spending.known()
        await until(lambda: made.clocks.look.wall_s is not None)
        yield made
        for task in asyncio.all_tasks():
            if task.get_name() == "spending":
                task.cancel()


async def test_near_is_told_once_and_reached_ends_it(tmp_path: Path) -> None:
    """By event and fault, and as news for the conversation; with figures."""
    async with purse(tmp_path) as owner:
        owner.spend(3)
        assert owner.told() == []
        owner.spend()
        assert owner.told() == [("near", "day")]
        assert owner.events[0].fields == {
            "what": "near",
            "period": "day",
            "spent": 0.04,
            "limit": 0.05,
            "currency": "USD",
        }
        assert owner.news == []
        owner.spend()
        assert owner.told() == [("near", "day"), ("reached", "day")]
        assert [news.reached for news in owner.news if isinstance(news, SpendingLimit)] == [True]
        (fault,) = owner.faults.active
        assert fault.kind == SPENDING
        assert fault.message == (
            "the spending limit of the day is reached (0.05 of 0.05 USD, an estimate): allow more "
            "with `parley spending allow 0.05`, set another spending.day, or wait until midnight"
        )
        assert owner.spending.refusal == fault.message


async def test_midnight_clears_the_day_and_not_the_month(tmp_path: Path) -> None:
    """By the clocks: nobody has to ask, and nothing runs before."""
    async with purse(tmp_path, config="spending: {day: 0.05, month: 0.12}") as owner:
        owner.spend(5)
        owner.go_to(at("2026-11-10 23:59:59"))
        assert owner.spending.refusal
        owner.go_to(at("2026-11-11 00:00:01"))
        await until(lambda: ("cleared", "day") in owner.told())
        assert not owner.spending.refusal
        assert owner.faults.active == []
        assert isinstance(owner.news[-1], SpendingLimit)
        assert not owner.news[-1].reached
        owner.spend(5)
        assert owner.told()[-2:] == [("reached", "day"), ("near", "month")]
        owner.spend(2)
        owner.go_to(at("2026-11-12 00:00:01"))
        await until(lambda: owner.told()[-1] == ("cleared", "day"))
        assert "limit of the month is reached" in owner.spending.refusal
        assert "the first of the month" in owner.spending.refusal
        assert len(owner.news) == 3
        owner.go_to(at("2026-12-01 00:00:01"))
        await until(lambda: owner.told()[-1] == ("cleared", "month"))
        assert not owner.spending.refusal


async def test_a_clock_that_is_set_back_over_midnight_keeps_the_limit(tmp_path: Path) -> None:
    """What was spent then is dated in the future, and counts today."""
    async with purse(tmp_path) as owner:
        owner.spend(5)
        owner.go_to(NOON - 86_400)
        await owner.spending._look()
        assert owner.spending.as_dict()["day"]["name"] == "2026-11-09"
        assert owner.spending.refusal


async def test_what_was_said_near_is_not_said_again(tmp_path: Path) -> None:
    """The fault is the light for it: in force until it was said; also over a restart."""
    said: list[str] = []
    async with purse(tmp_path) as owner:
        owner.spend(4)
        assert owner.told("fault") == [(SPENDING_NEAR, False)]
        owner.spending.say_near(said.append)
        assert said == [SPENDING_NEAR]
        assert owner.told("fault") == [(SPENDING_NEAR, False), (SPENDING_NEAR, True)]
        owner.spending.say_near(said.append)
        assert len(said) == 1
    async with purse(tmp_path) as owner:
        assert owner.spending.as_dict()["day"]["level"] == "near"
        assert owner.told() == owner.told("fault") == []


async def test_a_limit_that_is_reached_outlives_the_process(tmp_path: Path) -> None:
    """It is known before anybody can call."""
    async with purse(tmp_path) as owner:
        owner.spend(6)
    async with purse(tmp_path) as owner:
        assert owner.spending.refusal
        assert owner.told() == [("reached", "day")]
        assert len(owner.news) == 1


async def test_allowing_more_clears_it_for_this_day(tmp_path: Path) -> None:
    """And says for which limit it was."""
    async with purse(tmp_path) as owner:
        owner.spend(5)
        done = await owner.spending.allow(0.02)
        assert done["allowed"] == {"amount": 0.02, "periods": ["day"]}
        assert (done["day"]["limit"], done["day"]["allowed"], done["day"]["left"]) == (
            *(0.05, 0.02, 0.02),
        )
        assert owner.told()[-1] == ("cleared", "day")
        assert owner.faults.active == []
        owner.spend(2)
        assert owner.told()[-1] == ("reached", "day")


async def test_without_a_name_the_limits_that_are_reached_are_raised(tmp_path: Path) -> None:
    """Both, where both are."""
    async with purse(tmp_path, config="spending: {day: 0.05, month: 0.05}") as owner:
        owner.spend(5)
        done = await owner.spending.allow("1")
        assert done["allowed"]["periods"] == ["day", "month"]
        assert not owner.spending.refusal
        assert (await owner.spending.allow(1, "month"))["month"]["allowed"] == 2.0


@pytest.mark.parametrize(
    "amount", [-1, 0, 0.001, 1e9, float("nan"), float("inf"), "abc", "2,00", None, True, [2], {}]
)
async def test_what_is_no_amount_is_refused(tmp_path: Path, amount: object) -> None:
    """With what can be given, and nothing changes."""
    async with purse(tmp_path) as owner:
        with pytest.raises(ControlError, match=r"is no amount: give one from 0\.01 to 1000000"):
            await owner.spending.allow(amount)
        assert owner.spending.as_dict()["day"]["allowed"] == 0


async def test_a_limit_that_there_is_not_cannot_be_raised(tmp_path: Path) -> None:
    """It says which there is."""
    async with purse(tmp_path, config="spending: {day: 1}") as owner:
        with pytest.raises(ControlError, match="there is no limit of 'month': there is one of day"):
            await owner.spending.allow(1, "month")
        with pytest.raises(ControlError, match="there is no limit of"):
            await owner.spending.allow(1, ["day"])
    async with purse(tmp_path, config="") as owner:
        with pytest.raises(ControlError, match=r"spending\.day and spending\.month are null"):
            await owner.spending.allow(1)


async def test_other_limits_are_in_force_at_once(tmp_path: Path) -> None:
    """Lower ones are reached, higher ones clear, and none is none."""
    async with purse(tmp_path) as owner:
        owner.spend(3)
        configs = ("{day: 0.03}", "{day: 0.3}", "{month: 0.01}", "{}")
        for number, config in enumerate(configs, 1):
            owner.till.configure(f"spending: {config}")
            owner.spending.changed()
            await until(lambda wanted=number: len(owner.news) == wanted)  # type: ignore[misc]
            assert bool(owner.spending.refusal) is (number % 2 == 1)
        assert [news.reached for news in owner.news if isinstance(news, SpendingLimit)] == [
            *(True, False, True, False),
        ]
        assert owner.events[-2].fields["limit"] is None


async def test_a_guess_of_a_turn_that_goes_on_reaches_no_limit(tmp_path: Path) -> None:
    """Else it might be reached and cleared within one answer."""
    async with purse(tmp_path) as owner:
        owner.till.opened(1)
        owner.till.says(1, 1, 600.0)
        assert owner.spending.as_dict()["day"]["spent"] > 0.05
        owner.till.ends(1, 1)
        owner.till.counted(1, 1, {**CENT, "response": 1})
        owner.spending.judge()
        assert owner.told() == []


async def test_a_disk_that_hangs_at_the_start_holds_nobody_up_for_long(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It counts from nothing then, and says so in the journal."""
    monkeypatch.setattr(module, "PATIENCE_S", 0.01)
    till = Till(None, NOON, LIMITS)
    bus = EventBus(lambda _event: None)
    made = Spending(till.ledger, JumpingClocks, Faults(bus), bus, lambda _news: None)
    await made.known()
    assert "the disk does not tell what was spent" in caplog.text
    till.configure("")
    caplog.clear()
    await made.known()
    assert caplog.text == ""


async def test_the_report_says_who_has_cost_what(tmp_path: Path) -> None:
    """By model and persona, the dearest first, for the day and the month."""
    async with purse(tmp_path) as owner:
        owner.till.personas[2] = "anna"
        owner.spend()
        owner.till.opened(2, "gemini-9-live")
        owner.till.turn(2, {"prompt": 13_334, "prompt_audio": 13_334}, searches=3)
        told = await owner.spending.report()
        assert told["searches_this_month"] == 3
        dear, cheap = told["by_model"]["day"]
        assert (dear["model"], dear["persona"], dear["price_known"]) == (
            "gemini-9-live",
            "anna",
            False,
        )
        assert (dear["cost"], dear["turns"], dear["searches"]) == (0.040002, 1, 3)
        assert (cheap["cost"], cheap["tokens"]["text_in"]) == (0.01, 13_333)
        assert told["by_model"]["month"] == told["by_model"]["day"]


# --- the whole speaker ---------------------------------------------------------------------------


class Spender(Hub):
    """A speaker that has books on a disk, if it has one."""

    folder: Path | None = None

    def parts(self) -> Parts:
        return replace(super().parts(), records=self._records)

    def _records(self, post: Post, keep_days: Callable[[], int]) -> Records:
        clock = RecordClock(0.0, wall=lambda: NOON, known=lambda: True)
        return Records(Place(self.folder), TABLES, post, keep_days, clock)

    def answer(self, turn: int, cents: int = 1) -> None:
        """A turn, its count, and its last sound."""
        session = self.session
        session.say(turn)
        session.post(TurnComplete(session.number, turn, time.monotonic()))
        read = max(10_000 * cents, 1)
        tokens = {"prompt": read, "prompt_text": read}
        session.post(Usage(session.number, turn, tokens, time.monotonic()))

    def drained(self, turn: int) -> None:
        self.assistant.post(PlaybackDrained(turn, 900, time.monotonic()))


PRICED = f"spending: {{day: 0.05, prices: {{{MODEL}: {{text_in: 1, audio_out: 0}}}}}}"


async def test_a_talk_at_the_limit_ends_after_its_answer_and_none_begins() -> None:
    """Events, light, sentence, refusal; and one more session once more is allowed."""
    hub = Spender(PRICED)
    async with hub.running():
        session = await hub.wake()
        hub.answer(1, cents=5)
        assert hub.told("usage")[0].fields["cost"] == 0.05
        assert hub.told("spending", what="reached")
        assert hub.state == "speaking"
        hub.drained(1)
        assert hub.state == "fault"
        assert hub.assistant.panel.shows is Pattern.FAULT_ACCOUNT
        assert hub.speaker.announced[-1] == b"None: spending"
        await until(lambda: session.closed_with is not None)
        assert session.closed_with == "the spending limit is reached"
        hub.detector.hear(hub.detector.fed[-1].end_sample)
        await until(lambda: len(hub.speaker.announced) == 2)
        assert len(hub.sessions) == 1
        assert [fault.fields["kind"] for fault in hub.told("fault")] == [
            SPENDING,
            SPENDING,
            SPENDING,
        ]
        status = hub.assistant.spending.as_dict()
        assert (status["day"]["level"], status["day"]["spent"]) == ("reached", 0.05)
        await hub.assistant.spending.allow(2)
        await hub.wake()
        await until(lambda: len(hub.sessions) == 2)
        assert hub.state in {"connecting", "listening"}


async def test_near_is_said_at_rest_after_the_answer() -> None:
    """Once; and not while the talk goes on, since it would go up as the user's speech."""
    hub = Spender(f"{PRICED}\nconversation: {{follow_up: never}}")
    async with hub.running():
        await hub.wake()
        hub.answer(1, cents=4)
        assert hub.told("spending", what="near")
        assert hub.speaker.announced == []
        hub.drained(1)
        assert hub.state == "idle"
        assert hub.speaker.announced == [b"None: spending_near"]
        assert hub.told("fault", kind=SPENDING_NEAR, cleared=True)
        await hub.wake()
        hub.answer(2, cents=0)
        hub.drained(2)
        assert len(hub.speaker.announced) == 1


async def test_near_is_shown_until_the_end_where_nothing_is_said() -> None:
    """By the light for what its owner should see to some day."""
    hub = Spender(f"{PRICED}\naudio: {{announcements: off}}\nconversation: {{follow_up: never}}")
    async with hub.running():
        await hub.wake()
        hub.answer(1, cents=4)
        hub.drained(1)
        assert hub.speaker.announced == []
        assert hub.assistant.panel.shows is Pattern.MISTAKE


async def test_the_model_can_tell_what_was_spent() -> None:
    """In `get_status`, as an estimate."""
    hub = Spender(PRICED)
    async with hub.running():
        await hub.wake()
        hub.answer(1, cents=2)
        assert hub.functions is not None
        told = (await hub.functions.run("get_status", {}))["output"]["spent"]
        assert told == {
            "currency": "USD",
            "note": "an estimate, by the tokens used",
            "today": 0.02,
            "left_today": 0.03,
            "this_month": 0.02,
        }
