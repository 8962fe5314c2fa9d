"""`Billing` puts on record what each turn of the model has used and cost, as it comes.

Theory of operation. The server counts a turn when it is over, and sometimes later, or never. So a
turn has its row from its first sound on, with a guess that grows with what is heard: a process that
is killed in the middle of an answer has hidden nothing. What the server counts then takes the
guess's place. Where it never counts, or was cut off before it had counted all, the dearer of both
stands.

A guess counts as spent at once, but nobody is told that a limit is reached before the turn is
settled: `device.assistant.spending.Spending.judge`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from device.assistant.ledger import Ledger
from device.assistant.settings import Settings
from device.config import Spending as Wanted
from device.frames import FRAME_MS, REPLY_RATE_HZ, SAMPLE_BYTES
from device.live.departures import Departure, PictureLeaves, SoundLeft, TextLeaves
from device.news import News, ReplyAudio, SessionOpened, TurnComplete, Usage
from device.records.bills import Bill, Traffic, bill, guess
from device.records.prices import (
    MICRO,
    Own,
    bare,
    converted,
    cost,
    paid_searches,
    prices_of,
)
from device.records.spending import Turn
from device.records.store import Records

REPLY_BYTES_S: Final = REPLY_RATE_HZ * SAMPLE_BYTES
GUESS_AGAIN_BYTES: Final = 5 * REPLY_BYTES_S
"""Of the model's sound: five seconds."""
MOST_TURNS: Final = 32
"""So many may wait for a late count; of an older one it is a turn of its own."""
MOST_SESSIONS: Final = 4

_T = TypeVar("_T")


@dataclass(slots=True)
class _Session:
    """What is known of one session, for its turns."""

    model: str = ""
    """Which answers; empty: not known, and priced as the dearest."""
    context: Bill = field(default_factory=Bill)
    """Of the newest turn."""
    sent_frames: int = 0
    pictures: int = 0
    characters: int = 0
    """Since the newest turn began."""

    def take(self) -> Traffic:
        """Return what went up for the turn that begins now."""
        traffic = Traffic(self.sent_frames * FRAME_MS / 1000, self.pictures, self.characters)
        self.sent_frames = self.pictures = self.characters = 0
        return traffic


@dataclass(slots=True)
class _Account:
    """What is known of one turn."""

    session: int
    turn: int
    model: str
    persona: str
    key: str
    at: float
    context: Bill
    traffic: Traffic
    heard_bytes: int = 0
    guessed_bytes: int | None = None
    """How much of that the newest guess knows of; None: there was none."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """What the server has counted; empty: nothing yet."""
    searches: int = 0
    cut_off: bool = False
    noted: Turn | None = None
    """As it is on record."""


class Billing:
    """Used from the event loop's thread only; what it is told it takes at once, and never fails."""

    def __init__(
        self,
        records: Records,
        ledger: Ledger,
        settings: Settings,
        whose: Callable[[int], str],
    ) -> None:
        """`whose` tells the persona of a session by its number."""
        self._records = records
        self._ledger = ledger
        self._settings = settings
        self._whose = whose
        self._sessions: dict[int, _Session] = {}
        self._accounts: dict[int, _Account] = {}

    def leaves(self, departure: Departure) -> None:
        """Take note of what goes up: the next turn reads it."""
        match departure:
            case SoundLeft(session=number, frames=frames):
                self._session(number).sent_frames += frames
            case PictureLeaves(session=number, left=True):
                self._session(number).pictures += 1
            case TextLeaves(session=number, left=True, characters=characters):
                self._session(number).characters += characters

    def take(self, news: News) -> News:
        """Take news; returns it, a count of tokens with what it costs."""
        match news:
            case SessionOpened(session=number, model=model):
                self._session(number).model = bare(model)
            case ReplyAudio(session=number, turn=turn, pcm=pcm):
                account = self._account(number, turn)
                account.heard_bytes += len(pcm)
                before = account.guessed_bytes
                if before is None or account.heard_bytes - before >= GUESS_AGAIN_BYTES:
                    self._note(account)
            case TurnComplete(session=number, turn=turn, cut_off=cut_off):
                account = self._account(number, turn)
                account.cut_off = cut_off
                self._note(account)
            case Usage(session=number, turn=turn, tokens=tokens, searches=searches):
                account = self._account(number, turn)
                account.counts = tokens
                account.searches = max(account.searches, searches)
                return self._told(news, self._note(account))
        return news

    # --- sessions and turns ----------------------------------------------------------------------

    def _session(self, number: int) -> _Session:
        return _kept(self._sessions, number, _Session, MOST_SESSIONS)

    def _account(self, number: int, turn: int) -> _Account:
        def begun() -> _Account:
            session = self._session(number)
            return _Account(
                number,
                turn,
                session.model,
                self._whose(number),
                self._records.fresh_key(),
                self._records.now(),
                session.context,
                session.take(),
            )

        return _kept(self._accounts, turn, begun, MOST_TURNS)

    def _note(self, account: _Account) -> Turn:
        """Put the turn on record as it is known now."""
        account.guessed_bytes = account.heard_bytes
        used, guessed = _used(account)
        made, before = self._priced(account, used, guessed=guessed), account.noted
        if made != before:
            account.noted = made
            if account.turn == max(self._accounts):
                self._session(account.session).context = used
            self._records.note(made.row(account.key, account.at))
            known = before.searches if before is not None else 0
            more = made.cost - self._in_currency(before)
            self._ledger.add(account.at, more, made.searches - known)
        return made

    def _priced(self, account: _Account, used: Bill, *, guessed: bool) -> Turn:
        priced = prices_of(account.model, own_prices(self._settings.now.spending))
        known = account.noted.searches if account.noted is not None else 0
        paid = paid_searches(max(self._ledger.searches - known, 0), account.searches)
        currency = self._ledger.currency
        costs = cost(used, priced.prices, paid, currency.per_usd)
        return Turn(
            account.session,
            account.turn,
            account.model,
            account.persona,
            used,
            account.searches,
            paid,
            costs.usd,
            costs.own,
            currency.name,
            guessed,
            priced.known,
        )

    def _in_currency(self, turn: Turn | None) -> int:
        """Return what a turn on record counts for, in the currency of now."""
        currency = self._ledger.currency
        if turn is None:
            return 0
        if turn.currency == currency.name:
            return turn.cost
        return converted(turn.usd, currency.per_usd)

    def _told(self, news: Usage, turn: Turn) -> Usage:
        return replace(news, cost=turn.cost / MICRO, currency=turn.currency)


def _used(account: _Account) -> tuple[Bill, bool]:
    """Return what a turn comes to, and whether that is a guess."""
    counted, heard_s = bill(account.counts), account.heard_bytes / REPLY_BYTES_S
    guessed = guess(account.context, replace(account.traffic, heard_s=heard_s))
    if account.counts.get("prompt") and not account.cut_off:
        if counted.coming_out or not heard_s:
            return counted, False
        # What was read is counted, and what was said is not.
        guessed = Bill(audio_out=guessed.audio_out)
    dearer = counted.or_more(guessed)
    return dearer, dearer != counted


def own_prices(wanted: Wanted) -> Own:
    """Return the owner's prices, by model and key."""
    return {
        model: {key: value for key, value in prices.model_dump().items() if value is not None}
        for model, prices in wanted.prices.items()
    }


def _kept(known: dict[int, _T], number: int, make: Callable[[], Any], most: int) -> _T:
    """Return what is known by a number, or make it; the oldest are forgotten."""
    if number not in known:
        known[number] = make()
        while len(known) > most:
            del known[next(iter(known))]
    return known[number]
