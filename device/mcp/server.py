"""`Server` lives with one MCP server: it connects, lists, calls, and connects again.

Theory of operation. One task keeps the connection, since the library's belong to the task that
opened them: it connects, takes over what the server offers, and waits for news of it, which are
that the connection broke, that the offers changed, or that it is time to look. A server without
sessions, such as Home Assistant's, tells of no change and of no end, so it is listed again now and
then, after a call that failed, and not while calls come in.

A call runs in a task of its own. Whoever waits for it is answered at its deadline whatever the
server and the library do; then the server is told that nobody waits any more, and what it answers
late is dropped. A call is sent once, and again only where the server said itself that it did not
take it (it had forgotten the session).
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from device.mcp.failures import LONGEST_DETAIL, Failure, Fault, ServerFailureError, sentence
from device.mcp.patience import STABLE_S, wait_s
from device.mcp.results import Answer, answer, error
from device.mcp.tools import Offer, Tool, is_wanted
from device.mcp.wanted import Wanted
from device.text import printable

if TYPE_CHECKING:
    from device.mcp.client import Connection

log = logging.getLogger(__name__)

LIST_AGAIN_S = 300.0
"""How often a server is asked what it offers: a request of some ms."""
LIST_AFTER_FAILURE_S = 30.0
"""How soon again after a call failed, counted from the last time: a model that calls a tool again
and again which is not there must not ask the server for hundreds of others each time."""
LIST_AFTER_CHANGE_S = 1.0
"""How soon again after the server said that its offers changed, as above."""
QUIET_S = 30.0
"""No list is asked for so soon after a call: a talk goes on."""
BEYOND_DEADLINE_S = 2.0
"""The library's own limit for a call lies so far behind ours."""
CANCEL_AGAIN_S = 3.0
"""A connection that has not ended by then was not told; a child takes 2 s at most (`stdio`)."""
SOONEST_S = 5.0
"""A call to a server that is gone has it tried again at once, at most so often."""


class State(StrEnum):
    """Where a server stands."""

    CONNECTING = "connecting"
    """For the first time; nothing is wrong yet. Told of a server that comes with a change of the
    configuration (`Servers.replace`), not of those that were there when the servers were made."""
    READY = "ready"
    GONE = "gone"
    """It cannot be used; it is tried again."""


class Server:
    """One server. Used from one event loop; ``changed`` is called when anything shown changed."""

    def __init__(
        self,
        wanted: Wanted,
        changed: Callable[[], None],
        *,
        list_again_s: float = LIST_AGAIN_S,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.wanted = wanted
        self._changed = changed
        self._list_again_s = list_again_s
        self._chance = chance
        self.state = State.CONNECTING
        self.failure: Failure | None = None
        self.since = time.monotonic()
        """Seconds of CLOCK_MONOTONIC when the state began."""
        self.offers: Sequence[Offer] = ()
        """What it offers; empty while it is gone."""
        self.says = ""
        """What it says of itself and of the house; empty while it is gone."""
        self.protocol = ""
        self.version = ""
        self._connection: Connection | None = None
        self._turned = asyncio.Condition()
        self._again = asyncio.Event()
        self._called_at = -QUIET_S
        self._call_failed = False
        self._calls: set[asyncio.Task[Answer]] = set()

    @property
    def why(self) -> str | None:
        """What is wrong with it and what to do, or None."""
        if self.failure is None:
            return None
        return sentence(self.wanted.name, self.wanted.place, self.failure)

    async def run(self) -> None:
        """Keep the server connected until cancelled; then its calls and its child are ended."""
        tries = 0
        try:
            while True:
                began = time.monotonic()
                failure = await self._to_its_end(asyncio.ensure_future(self._live()))
                ready_s = time.monotonic() - self.since if self.state is State.READY else 0.0
                tries = 1 if ready_s >= STABLE_S else tries + 1
                # A session that was forgotten is begun again at once: nobody need hear of it.
                if failure.fault is not Fault.FORGOTTEN or tries > 1:
                    self._gone(failure)
                await self._turn(None)
                await self._wait(failure, tries, began)
        finally:
            for call in self._calls:
                call.cancel()
            await asyncio.gather(*self._calls, return_exceptions=True)

    async def _to_its_end(self, living: asyncio.Task[Failure]) -> Failure:
        """Return what a connection came to. When cancelled, the connection has ended first.

        A task of its own: a cancellation that meets the library as it leaves one of its own scopes
        is taken for that scope's, and lost.
        """
        try:
            return await asyncio.shield(living)
        except asyncio.CancelledError:
            for call in self._calls:
                call.cancel()
            while not living.done():
                living.cancel()
                # Cancelled once more, it waits all the same: it is bounded.
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait({living}, timeout=CANCEL_AGAIN_S)
            raise

    async def _live(self) -> Failure:
        """Connect and stay connected; returns why not any longer."""
        try:
            # Half a second of a processor, several on a Pi: not on the thread of the sound.
            try:
                await asyncio.to_thread(importlib.import_module, "device.mcp.client")
            except Exception as broken:  # foreign code: whatever it is, the speaker goes on
                log.exception("what speaks MCP cannot be loaded")
                said = f"{type(broken).__name__}: {broken}"
                return Failure(Fault.LIBRARY, printable(said, LONGEST_DETAIL))
            from device.mcp import client  # noqa: PLC0415 - loads the library

            async with client.connect(self.wanted, client.Notes()) as connection:
                await self._take(connection)
                await self._turn(connection)
                listening = asyncio.ensure_future(connection.listen())
                try:
                    await self._attend(connection)
                finally:
                    listening.cancel()
                    await asyncio.gather(listening, return_exceptions=True)
        except ServerFailureError as failed:
            return failed.failure
        return Failure(Fault.LOST)

    async def _take(self, connection: Connection) -> None:
        """Take over what the server offers now."""
        connection.notes.changed = self._call_failed = False
        offers, says = await self._prepared(await connection.offers()), await connection.says()
        told = (offers, says, connection.protocol, connection.version)
        if self.state is State.READY and told == (
            self.offers,
            self.says,
            self.protocol,
            self.version,
        ):
            return
        self.offers, self.says, self.protocol, self.version = told
        if self.state is not State.READY:
            self.state, self.failure, self.since = State.READY, None, time.monotonic()
        self._changed()

    async def _prepared(self, listed: Sequence[Offer]) -> Sequence[Offer]:
        """Read the schemas of what may be declared, once each, giving the loop its turns."""
        known = {offer.own_name: offer for offer in self.offers}
        offers = []
        for each in listed:
            before = known.get(each.own_name)
            offer = before if before == each else each
            if is_wanted(offer.own_name, self.wanted):
                _ = offer.parameters
                await asyncio.sleep(0)
            offers.append(offer)
        return offers

    async def _attend(self, connection: Connection) -> None:
        """Wait for news of a server that is connected. Raises ServerFailureError at its end."""
        notes = connection.notes
        listed = time.monotonic()
        while True:
            if notes.lost:
                raise ServerFailureError(notes.failure or Failure(Fault.LOST))
            left_s = self._due(connection, listed) - time.monotonic()
            if left_s <= 0:
                await self._take(connection)
                listed = time.monotonic()
                continue
            try:
                async with asyncio.timeout(left_s):
                    await notes.news.wait()
            except TimeoutError:
                continue
            notes.news.clear()

    def _due(self, connection: Connection, listed: float) -> float:
        """When the server is listed next, in seconds of CLOCK_MONOTONIC."""
        if connection.notes.changed:
            return listed + LIST_AFTER_CHANGE_S
        due = max(listed + self._list_again_s, self._called_at + QUIET_S)
        return min(due, listed + LIST_AFTER_FAILURE_S) if self._call_failed else due

    def _gone(self, failure: Failure) -> None:
        if self.state is State.GONE and self.failure == failure:
            return
        self.state, self.failure, self.since = State.GONE, failure, time.monotonic()
        self.offers, self.says = (), ""
        self._changed()

    async def _turn(self, connection: Connection | None) -> None:
        async with self._turned:
            self._connection = connection
            self._turned.notify_all()

    async def _wait(self, failure: Failure, tries: int, began: float) -> None:
        """Wait until it is tried again: for its time, or for a call."""
        wait = wait_s(failure.fault, tries, self._chance())
        refused = failure.fault in {Fault.UNAUTHORIZED, Fault.FORBIDDEN}
        self._again.clear()
        try:
            async with asyncio.timeout(wait):
                await self._again.wait()
                # A call is no reason to send a token again that was refused.
                soonest = wait if refused else began + SOONEST_S - time.monotonic()
                await asyncio.sleep(max(0.0, soonest))
        except TimeoutError:
            pass

    async def call(self, tool: Tool, arguments: Mapping[str, Any]) -> Answer:
        """Call a tool of it; answers within its deadline. Raises CancelledError only.

        Cancelling it tells the server that nobody waits any more.
        """
        self._called_at = time.monotonic()
        connection = self._connection
        if connection is None or self._is_over(connection):
            self._again.set()
            return error(f"{self._why_not(connection)}. Nothing was done; tell the user")
        call = asyncio.ensure_future(self._ask(connection, tool, arguments))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        try:
            await asyncio.wait({call}, timeout=tool.deadline_s)
        except asyncio.CancelledError:
            call.cancel()
            raise
        if call.cancelled():
            made = error(
                f"{tool.name} was given up, since {self.wanted.name} is not used any more or the"
                f" speaker ends. {_UNKNOWN}; tell the user"
            )
        elif call.done():
            made = call.result()
        else:
            call.cancel()
            made = error(
                f"{tool.name} took longer than {tool.deadline_s:g} s and was given up; whether it"
                " was done is not known. Tell the user, and do not call it again by yourself"
            )
        if "error" in made:
            self._note_failed_call(connection)
        return made

    def _is_over(self, connection: Connection) -> bool:
        """Whether a connection broke that is not left yet; a forgotten session is waited for."""
        notes = connection.notes
        return notes.lost and (notes.last is None or notes.last.fault is not Fault.FORGOTTEN)

    def _why_not(self, connection: Connection | None) -> str:
        failure = self.failure if connection is None else connection.notes.failure
        if failure is None:
            return f"{self.wanted.name} ({self.wanted.place}) is not connected yet"
        return sentence(self.wanted.name, self.wanted.place, failure)

    def _note_failed_call(self, connection: Connection) -> None:
        """A tool may be gone, or its server: look soon."""
        self._call_failed = True
        connection.notes.news.set()

    async def _ask(
        self, connection: Connection, tool: Tool, arguments: Mapping[str, Any]
    ) -> Answer:
        from device.mcp import client  # noqa: PLC0415 - there is a connection, so it is loaded

        try:
            if connection.notes.lost:
                connection = await self._next(connection)
            try:
                result = await self._sent(connection, tool, arguments)
            except ServerFailureError as failed:
                # Only where this very request was answered so: another one's answer says nothing of
                # a call that is on its way, and it must not be carried out twice.
                if not failed.own or failed.failure.fault is not Fault.FORGOTTEN:
                    raise
                result = await self._sent(await self._next(connection), tool, arguments)
        except client.RefusedError as refused:
            return error(str(refused))
        except ServerFailureError as failed:
            why = sentence(self.wanted.name, self.wanted.place, failed.failure)
            done = "Nothing was done" if _is_before(failed) else _UNKNOWN
            return error(f"{why}. {done}; tell the user")
        return answer(self.wanted, tool.name, result)

    async def _sent(
        self, connection: Connection, tool: Tool, arguments: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        timeout_s = tool.deadline_s + BEYOND_DEADLINE_S
        return await connection.call(tool.own_name, arguments, timeout_s)

    async def _next(self, old: Connection) -> Connection:
        """Wait for the connection after this one; the call's deadline ends it."""
        async with self._turned:
            await self._turned.wait_for(lambda: self._connection not in {None, old})
        connection = self._connection
        if connection is None:
            raise ServerFailureError(Failure(Fault.LOST))
        return connection


_UNKNOWN = "Whether it was done is not known: look before you call it again"


def _is_before(failed: ServerFailureError) -> bool:
    """Whether a call that failed so cannot have reached the tool.

    What is wrong with the server is not enough: a call may have arrived before it went.
    """
    return failed.own and failed.failure.fault in {
        *(Fault.DNS, Fault.REFUSED, Fault.UNREACHABLE, Fault.TLS, Fault.UNAUTHORIZED),
        *(Fault.FORBIDDEN, Fault.NOT_FOUND, Fault.METHOD, Fault.REDIRECTED, Fault.FORGOTTEN),
    }
