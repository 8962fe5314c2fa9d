"""`LiveSession` is one conversation, over as many connections as it takes.

Theory of operation. `LiveSession.run` makes one connection after the other. On each, a reader and a
writer task carry the traffic (`connection_loop`, `traffic`) until something must be decided: the
hub wants to close, the connection should give way to the next (`rotation`, `stalls`), or one of the
two tasks has lost it (`failures` says what that is, `reconnect` whether and how to go on,
`omissions` with what left out). A connection that gives way is closed before the next one is opened
on the newest handle; what the microphone delivers in between waits in the uplink queue, and a
sentence that the old connection took with it goes up again before that (`repeat`). Where there is
no handle any more, the next connection is told what was said (`resumption`). Everything runs on the
event loop's thread, but for the import of the SDK and the making of its client, which take too long
for that.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Mapping

from device import __version__
from device.frames import FRAME_MS, SILENT_FRAME
from device.live.access import Access, AccessError
from device.live.connection_loop import Away, carry
from device.live.departures import Departure, Sent
from device.live.failures import Remedy, diagnose
from device.live.link import LinkError, open_link
from device.live.messages import of_camera, of_owner
from device.live.models import profile
from device.live.network import obstacle
from device.live.omissions import Omissions
from device.live.reconnect import TALK_PATIENCE_S, Recovery
from device.live.refusals import Field
from device.live.resumption import Past
from device.live.rotation import ROTATE_AFTER_S, Rotation
from device.live.setup import (
    LiveSettings,
    Surroundings,
    connect_config,
    host_of,
    load_sdk,
    optional_fields,
    optional_settings,
)
from device.live.symptoms import Family
from device.live.tokens import Tokens
from device.live.traffic import Care, Traffic
from device.news import (
    Enclosed,
    Failure,
    HandleChanged,
    ModelReplaced,
    News,
    Post,
    SessionClosed,
    SessionFailed,
    SessionOpened,
    SettingRefused,
)
from device.ports import Functions, Picture

_log = logging.getLogger(__name__)

_TRAILING_FRAMES = 500 // FRAME_MS
"""Half a second of silence."""

PATIENCE_S = 15.0
"""How long the user is kept waiting for an answer, where nobody says otherwise."""


def _nobody(_departure: Departure) -> None:
    """Take no note of what leaves."""


Ending = SessionClosed | SessionFailed


async def warm_up() -> None:
    """Load the SDK in a thread (seconds on a Pi), so that no session has to wait for it."""
    # Certificates that cannot be read are told by the session that needs them.
    with contextlib.suppress(OSError, ValueError):
        await asyncio.to_thread(load_sdk)


class LiveSession:
    """One conversation. Used from the event loop's thread only.

    ``number`` names it in all its news. ``past`` is the talk so far: the session resumes it where
    it can, and writes down there how it goes on. ``patience_s`` is how long the user is kept
    waiting for an answer in all; a silent server is helped along within that. ``lost_after_s`` is
    how long a lost connection is tried for. ``on_sent`` is told of all that leaves, as it is handed
    to a connection. ``place`` is told to the model, and ``functions`` are what it can call.
    ``streams``: whether `send_picture` will be used.
    With ``tokens`` each session begins with an ephemeral token, and the key is not used.
    """

    def __init__(  # noqa: PLR0913 - what it is made of; only the first four without a default
        self,
        settings: LiveSettings,
        key: str,
        *,
        number: int,
        post: Post,
        past: Past | None = None,
        on_sent: Sent = _nobody,
        patience_s: float = PATIENCE_S,
        rotate_after_s: float = ROTATE_AFTER_S,
        lost_after_s: float = TALK_PATIENCE_S,
        place: str | None = None,
        functions: Functions | None = None,
        streams: bool = False,
        tokens: Tokens | None = None,
    ) -> None:
        self.number = number
        self._place = place
        self._streams = streams
        self._functions = functions
        self._settings = settings
        self._access = Access(settings, key, tokens)
        self._post = post
        self._past = past = past or Past()
        self._rotate_after_s = rotate_after_s
        self._host = host_of(settings)
        self._keeps_handles = True
        wanted = [settings.model, *settings.fallback_models]
        models = past.models(wanted, self._server, time.time())
        if not settings.resumption or past.host not in {"", self._host}:
            # What was said to one server is nobody else's business.
            past.forget_talk()
        elif not past.fits(models[0], self._host):
            past.drop_handle()
        self._recovery = Recovery(
            models,
            past.handle,
            chance=random.random,
            resumes=settings.resumption,
            talk_patience_s=lost_after_s,
        )
        trigger = settings.compression.trigger_tokens
        care = Care(settings.resumption, patience_s, trigger, settings.repeat_s, functions)
        self._traffic = Traffic(number, past.turns, self._note, self._recovery, care, on_sent)
        self.push_to_talk = self._traffic.push_to_talk
        """Told what the finger on the button does."""
        self._connecting: asyncio.Timeout | None = None
        self._away = Away(number, post, self._host)
        wanted_so = optional_settings(settings)
        past.refusals.renew(__version__, self._access.identity, wanted_so)
        self._omissions = Omissions(past.refusals, self._tell_refused)
        self._closing: str | None = None
        self._running = False
        self._over = asyncio.Event()

    # --- what the hub uses -----------------------------------------------------------------------

    @property
    def handle(self) -> str | None:
        """The newest handle that resumes this conversation, also after its end; None without."""
        return self._recovery.handle

    @property
    def model(self) -> str:
        """The model in use, or asked for."""
        return self._recovery.model

    @property
    def _server(self) -> str:
        """Where a model may be missing: another server, or version of the API, may have it."""
        return f"{self._host}/{self._settings.api_version}"

    @property
    def owes(self) -> bool:
        """Whether it is the server's fault if no answer comes: it had words to answer."""
        return self._traffic.owes

    @property
    def understood(self) -> bool:
        """Whether the server has told what it understood of the user's last words."""
        return self._traffic.understood

    @property
    def counters(self) -> Mapping[str, int]:
        """What this session did so far.

        ``frames_sent``, ``bytes_sent``, ``held`` (frames that wait), ``held_max``, ``dropped``
        (frames and words without room), ``repeated`` (messages sent again because a stalled
        connection may not have taken them), ``repeated_frames`` (of an unanswered sentence, sent
        again on purpose), ``attempts``, ``connections``, ``rotations``, ``recoveries``, ``nudges``
        and ``stalls`` (of a silent server), ``odd_messages``, ``tool_calls``, ``pictures_sent``,
        ``pictures_skipped`` (of a stream, on a slow line), ``cut_characters`` (of transcripts,
        beyond what a turn can hold).
        """
        return self._traffic.counters

    def send_frame(self, pcm: bytes, captured_at: float | None = None) -> None:
        """Append 20 ms of microphone (640 bytes, s16le mono 16 kHz) to what goes up.

        It waits until a connection is open. When a minute waits already, the frame is dropped and
        counted. ``captured_at`` is for ``on_sent``, which tells it again. Returns at once.
        """
        self._traffic.uplink.append_frame(pcm, captured_at)

    def end_audio(self) -> None:
        """Say, after all that waits, that the microphone pauses; more frames begin a new stretch.

        ``UplinkChanged(flowing=False)`` follows when it has been sent. Nothing is sent, and no news
        comes, when no audio went up before. Nobody waits for an answer any more. Returns at once.
        """
        self.push_to_talk.end()
        self._traffic.uplink.append_end()
        self.dismiss()

    def dismiss(self) -> None:
        """Nobody waits for an answer any more, and nothing need be said again."""
        self._traffic.dismissed()

    def forget_pictures(self) -> None:
        """The talk is over: no picture that the camera took for it goes up any more.

        A call that waits for one is answered without. Returns at once.
        """
        self._traffic.forget_pictures()

    def ask_again(self, *, fresh: bool, forget: bool) -> None:
        """Put to the server again what the user said or typed last and no turn has answered.

        ``fresh``: over a fresh connection, without a handle; ``forget``: which is told nothing of
        the talk so far. Returns at once.
        """
        if fresh:
            self._past.drop_handle()
        if forget:
            self._past.forget_talk()
        self._traffic.ask_again(fresh=fresh)

    def finish_audio(self) -> None:
        """End the stretch of audio for good, and have what was said answered all the same.

        Live API: a model may need to hear the silence after the words, so some goes up first.
        """
        for _ in range(_TRAILING_FRAMES):
            self._traffic.uplink.append_frame(SILENT_FRAME)
        self._traffic.uplink.append_end()

    def give_up_handle(self) -> None:
        """The talk is not worth being resumed, whatever handle may still come."""
        self._recovery.handle = None
        self._past.drop_handle()
        self._keeps_handles = False

    def send_text(self, text: str, picture: Enclosed | None = None) -> None:
        """Append words of the user, and what they are about, after all that waits.

        Both go up over the same connection, the picture first. Returns at once.
        """
        self._traffic.uplink.append_text(text, of_owner(picture))

    def send_picture(self, picture: Picture) -> None:
        """Let the server see this when nothing else waits; the next one takes its place.

        Where the line is so slow that sound would often be late because of pictures, few of them go
        up. Nothing is told of one that never went. Returns at once.
        """
        self._traffic.show(of_camera(picture, "stream"))

    def user_speaks(self, speaking: bool, lasted_s: float = 0.0) -> None:
        """Take note whether the user is in mid-sentence, and how long the sentence was.

        A rotation waits for its end, and after that the server owes an answer.
        """
        self._traffic.user_speaks(speaking, lasted_s)

    async def close(self, reason: str) -> None:
        """End the session; returns when it has ended, about a second later at most.

        What waits is given a short chance to go up. ``SessionClosed`` carries the first reason
        given. Harmless when it has ended or is ending; before `run` it makes `run` end at once.
        """
        if self._closing is None:
            self._closing = reason
        self._traffic.stirred.set()
        if self._connecting is not None and not self._connecting.expired():
            self._connecting.reschedule(asyncio.get_running_loop().time())
        if self._running:
            await self._over.wait()

    async def run(self) -> None:
        """Hold the conversation. The last news is one SessionClosed or SessionFailed.

        Safe to cancel: the connection is closed within about a second, and no task is left.
        """
        self._running = True
        try:
            ending = await self._converse()
        except asyncio.CancelledError:
            self._end(self._closed("cancelled"))
            raise
        else:
            self._end(ending)
        finally:
            self._running = False
            self._over.set()

    # --- from connection to connection -----------------------------------------------------------

    async def _converse(self) -> Ending:
        if (failure := self._access.unusable) is not None:
            return self._failed(failure, self.model)
        await warm_up()
        try:
            while self._closing is None:
                try:
                    await self._one_connection()
                except AccessError as error:
                    return self._failed(error.failure, self.model)
                except LinkError as error:
                    ending = await self._lost(error)
                    if ending is not None:
                        return ending
            return self._closed(self._closing)
        finally:
            await self._access.close()

    async def _one_connection(self) -> None:
        """Open a connection and stay on it until it should be closed.

        Raises LinkError, or AccessError.
        """
        began = time.monotonic()
        self._recovery.dialling(began)
        self._traffic.counts["attempts"] += 1
        hindrance = obstacle(self._host)
        if hindrance is not None:
            raise LinkError(hindrance)
        model, handle = self.model, self.handle if self._settings.resumption else None
        resuming = handle is not None
        self._connecting = asyncio.timeout(self._settings.connect_timeout_s)
        try:
            client = await self._access.client(model, resuming=resuming, patience=self._connecting)
        finally:
            self._connecting = None
        if self._closing is not None:
            return
        about = {"resuming": resuming, "model": model, "host": self._host, **self._access.about}
        around = self._around()
        manual = self.push_to_talk.next_is_manual()
        fields = optional_fields(self._settings, profile(model), around, manual=manual)
        without = self._omissions.of_next(model, fields, time.time())
        earlier = "" if handle else self._past.summary
        config = connect_config(
            self._settings,
            profile(model),
            handle,
            earlier,
            manual=manual,
            without=without,
            around=around,
        )
        self._connecting = asyncio.timeout(self._settings.connect_timeout_s)
        try:
            connecting = self._connecting
            async with open_link(
                client,
                self._access.dialler,
                model,
                config,
                connecting,
                about=about,
                connected=self._connected,
            ) as link:
                self._opened(began, resumed=resuming, manual=manual)
                await carry(self._traffic, link, lambda: self._closing is not None)
        finally:
            self._connecting = None

    def _around(self) -> Surroundings:
        able, streams = self._functions, self._streams
        if able is None:
            return Surroundings(self._place, streams=streams)
        told = (able.declared, able.abilities, able.facts)
        return Surroundings(self._place, *told, streams=streams)

    def _tell_refused(self, field: Field, model: str, reason: str) -> None:
        self._note(SettingRefused(self.number, field.value, model, reason, time.monotonic()))

    def _connected(self) -> None:
        self._connecting = None

    def _opened(self, began: float, *, resumed: bool, manual: bool) -> None:
        now = time.monotonic()
        latency_ms = (now - began) * 1000
        self._traffic.counts["connections"] += 1
        self._away.back()
        self._recovery.opened(now)
        self._omissions.opened(self.model, time.time())
        what = "resumed" if resumed else "opened"
        _log.debug("session %d %s: %s, %.0f ms", self.number, what, self.model, latency_ms)
        if self.model != self._settings.model:
            self._post(ModelReplaced(self.number, self._settings.model, self.model, now))
        where = (self._host, self._traffic.counts["connections"])
        self._post(SessionOpened(self.number, latency_ms, self.model, resumed, now, *where))
        self._access.opened(resumed=resumed)
        rotation = Rotation(now, self._rotate_after_s, self._access.ends_at)
        self._traffic.opened(rotation, profile(self.model), resumed=resumed, manual=manual)

    def _note(self, news: News) -> None:
        """Pass news on, and write down what the next connection or session should know."""
        if self._keeps_handles or not isinstance(news, HandleChanged):
            self._past.note(news, self._host, time.time())
        self._post(news)

    # --- ends ------------------------------------------------------------------------------------

    async def _lost(self, error: LinkError) -> Ending | None:
        """Decide on a failed connection: wait and return None to go on, or return the end."""
        if self._closing is not None:
            return self._closed(self._closing)
        model, handle, diagnosis = self.model, self.handle, diagnose(error.symptom)
        _log.debug("session %d: %s: %s", self.number, error, diagnosis.remedy)
        self._traffic.dry()
        if self._access.lost(error.symptom):
            # No failure of the talk: the next connection is made at once, with another token.
            self._recovery.again()
            return None
        wait_s = self._recovery.after(diagnosis, time.monotonic())
        if handle is not None and self.handle is None:
            self._note(HandleChanged(self.number, None, model, time.monotonic()))
        if self._omissions.tries_less(error.symptom, diagnosis.failure, model):
            self._recovery.again()
            return None
        if diagnosis.remedy is Remedy.NEXT_MODEL:
            self._past.found_gone(model, self._server, time.time())
        if wait_s is not None:
            _log.debug("session %d goes on: %s", self.number, diagnosis.failure.message)
            self._traffic.counts["recoveries"] += 1
            await self._away.pause(
                diagnosis.failure, wait_s, self._traffic, lambda: self._closing is not None
            )
            return None
        symptom, opened = error.symptom, self._traffic.counts["connections"]
        if opened and symptom.family is Family.CLOSED and symptom.code == 1000:
            # Live API: an idle session is closed with 1000 and no reason.
            return self._closed(symptom.text or "the server closed it")
        return self._failed(diagnosis.failure, model)

    def _closed(self, reason: str) -> SessionClosed:
        return SessionClosed(self.number, reason, time.monotonic())

    def _failed(self, failure: Failure, model: str) -> SessionFailed:
        return SessionFailed(self.number, failure, model, time.monotonic())

    def _end(self, ending: Ending) -> None:
        self._traffic.close()
        self._away.back()
        if isinstance(ending, SessionFailed):
            _log.warning("session %d failed: %s", self.number, ending.failure.message)
        else:
            _log.debug("session %d closed: %s", self.number, ending.reason)
        self._post(ending)
