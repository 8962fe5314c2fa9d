"""Two wake words, two characters: who is called answers, with its own settings, functions and talk.

What the conversation decides is tried in tests/conversation/test_machine.py, the whole of it with
the real daemon in tests/e2e/test_personas_e2e.py.
"""

from __future__ import annotations

import asyncio
import colorsys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from device import news as n
from device.assistant.reload import Reloader
from device.assistant.status import Status
from device.board.colour import BLACK
from device.config import Config, parse
from device.config.file import ConfigFile
from device.config.last_good import LastGood
from device.lights.patterns import MOTIONS, Pattern
from device.lights.render import WHITE
from device.live.refusals import Field
from device.news import HandleChanged
from device.ports import WakeDetector
from tests.rig.fakes import MODEL, FakeCamera, FakeDetector, FakeSession, Hub, until

PUCK = "{voice: Puck, language: de-DE, model: gemini-3.8-live, tools: [timers], hue: 30}"
JARVIS = "{voice: Kore, language: en-GB, hue: 210}"
WORDS = "[{model: hey_jarvis, persona: jarvis}, {model: alexa, persona: puck}]"
TWO = f"wake: {{words: {WORDS}}}\npersonas: {{jarvis: {JARVIS}, puck: {PUCK}, eve: }}\n"


class TwoWords(Hub):
    """A speaker with a word for jarvis and one for puck."""

    def __init__(self, config: str = TWO, state: Path | None = None) -> None:
        super().__init__(config, state=state)
        self.detector.words = ("hey_jarvis", "alexa")

    def call(self, name: str) -> None:
        """Say the word of this persona."""
        end_sample = self.detector.fed[-1].end_sample
        self.detector.hear(end_sample, ["jarvis", "puck"].index(name))

    async def called(self, name: str) -> FakeSession:
        """The same, over a session that opens at once."""
        before = len(self.sessions)
        self.call(name)
        if self.state == "connecting":
            await until(lambda: len(self.sessions) > before)
            self.session.opened()
        return self.session

    def ask(self, persona: str | None) -> None:
        self.assistant.post(n.Ask("why?", persona=persona))

    def handle(self) -> str | None:
        """What resumes the talk of the newest session."""
        return self.past.handle

    @property
    def voices(self) -> list[str | None]:
        """Whose sessions there were, by their voices."""
        return [config.live.voice for config in self.configs]


@asynccontextmanager
async def two_words(config: str = TWO, state: Path | None = None) -> AsyncIterator[TwoWords]:
    hub = TwoWords(config, state)
    async with hub.running():
        yield hub


async def test_the_word_says_who_answers_with_what() -> None:
    """Voice, language, model, functions: all of a talk is the persona's."""
    async with two_words() as hub:
        await hub.called("jarvis")
        assert hub.functions is not None
        of_jarvis = {each.name for each in hub.functions.declared}
        await hub.called("puck")
        of_puck = {each.name for each in hub.functions.declared}
        assert hub.voices == ["Kore", "Puck"]
        assert [config.live.language for config in hub.configs] == ["en-GB", "de-DE"]
        assert hub.configs[1].live.model == "gemini-3.8-live"
        assert {"set_timer", "set_volume"} <= of_jarvis
        assert "set_timer" in of_puck
        assert "set_volume" not in of_puck


async def test_there_is_one_session_at_a_time() -> None:
    """The other one is closed, wherever the talk stands; with the same word it goes on."""
    async with two_words() as hub:
        jarvis = await hub.called("jarvis")
        assert await hub.called("jarvis") is jarvis
        puck = await hub.called("puck")
        await until(lambda: jarvis.closed_with == "another persona was called")
        assert (hub.state, puck.closed_with) == ("listening", None)
        await until(lambda: hub.told("session", what="closed"))
        [closed] = hub.told("session", what="closed")
        assert closed.fields["persona"] == "jarvis"


async def test_over_a_reply_of_another_it_is_silent_at_once() -> None:
    """And what the other still sends is not played."""
    async with two_words() as hub:
        jarvis = await hub.called("jarvis")
        jarvis.say(1)
        assert hub.state == "speaking"
        cleared = hub.speaker.cleared
        await hub.called("puck")
        assert hub.speaker.cleared == cleared + 1
        assert hub.state == "listening"
        played = len(hub.speaker.played)
        jarvis.say(1)
        assert len(hub.speaker.played) == played


async def test_what_was_said_in_one_breath_reaches_who_was_called() -> None:
    """Also what the other has heard already: it is the beginning of the sentence."""
    async with two_words() as hub:
        await hub.hear(100)
        jarvis = await hub.called("jarvis")
        said = await hub.hear(40)
        assert jarvis.frames[-40:] == [frame.pcm for frame in said]
        puck = await hub.called("puck")
        more = await hub.hear(10)
        words = [frame.pcm for frame in [*said, *more]]
        assert puck.frames[-len(words) :] == words
        assert len(puck.frames) == len(set(puck.frames)) == 75 + 10


async def test_the_button_goes_on_with_the_talk_or_begins_that_of_the_first_word() -> None:
    """Whoever talked last, when its session is over."""
    async with two_words() as hub:
        await hub.called("puck")
        hub.assistant.post(n.Stop())
        hub.assistant.post(n.Tap())
        assert (hub.state, len(hub.sessions)) == ("listening", 1)
        hub.assistant.post(n.Stop())
        hub.assistant.post(n.TimedOut(hub.assistant.talk.now.clock, n.Debt.NONE))
        hub.assistant.post(n.Tap())
        assert hub.voices == ["Puck", "Kore"]


@pytest.mark.parametrize(
    ("name", "voices"),
    [(None, ["Puck"]), ("puck", ["Puck"]), ("jarvis", ["Puck", "Kore"]), ("", ["Puck", None])],
)
async def test_a_question_is_for_whom_it_names(name: str | None, voices: list[str | None]) -> None:
    """Or for whoever talks."""
    async with two_words() as hub:
        await hub.called("puck")
        hub.ask(name)
        assert hub.voices == voices
        assert hub.session.sent[-1] == ">why?"


# --- functions ------------------------------------------------------------------------------------


async def test_a_function_that_a_persona_may_not_use_is_not_there() -> None:
    """Whatever the model calls."""
    async with two_words() as hub:
        await hub.called("puck")
        assert hub.functions is not None
        answer = await hub.functions.run("set_volume", {"percent": 100})
        assert "there is no function" in answer["error"]
        assert hub.speaker.volumes == []
        assert "output" in await hub.functions.run("list_timers", {})


async def test_a_late_call_of_one_persona_is_not_done_with_the_rights_of_another() -> None:
    """Its session may still be ending."""
    async with two_words() as hub:
        await hub.called("puck")
        of_puck = hub.functions
        await hub.called("jarvis")
        assert of_puck is not None
        for name in ("set_volume", "set_timer"):
            answer = await of_puck.run(name, {"percent": 100})
            assert "nobody is talking" in answer["error"]
        assert hub.speaker.volumes == []


async def test_a_yes_that_was_said_to_one_is_none_for_another() -> None:
    """Its words may come late, when the other has asked something."""
    async with two_words() as hub:
        jarvis = await hub.called("jarvis")
        overheard: list[n.News] = []
        hub.assistant.functions.overhear = overheard.append  # type: ignore[method-assign, assignment]
        puck = await hub.called("puck")
        for session in (jarvis, puck):
            session.post(n.Transcript(session.number, 1, "user", "yes", False, 1.0))
        assert [news.session for news in overheard if isinstance(news, n.Transcript)] == [2]


# --- the talk of each -----------------------------------------------------------------------------


def gets_a_handle(hub: Hub, session: FakeSession, handle: str) -> None:
    hub.past.keep(handle, MODEL, "host", time.time())
    session.post(HandleChanged(session.number, handle, MODEL, 1.0))


async def test_a_talk_is_resumed_by_its_own_persona_only(tmp_path: Path) -> None:
    """Across another's talk in between, and a restart."""
    async with two_words(state=tmp_path) as hub:
        gets_a_handle(hub, await hub.called("jarvis"), "J")
        await hub.called("puck")
        assert hub.handle() is None
        gets_a_handle(hub, hub.session, "P")
        await hub.called("jarvis")
        assert hub.handle() == "J"
        hub.ask("eve")
        assert hub.handle() is None
    async with two_words(state=tmp_path) as hub:
        for name, handle in (("puck", "P"), ("jarvis", "J"), ("puck", "P")):
            await hub.called(name)
            assert hub.handle() == handle


async def test_turns_are_numbered_over_all_personas() -> None:
    """What was cut of one is not taken for what another says."""
    async with two_words() as hub:
        await hub.called("jarvis")
        of_jarvis = next(hub.past.turns)
        await hub.called("puck")
        assert next(hub.past.turns) == of_jarvis + 1


async def test_a_persona_that_is_gone_is_not_resumed_by_its_namesake(tmp_path: Path) -> None:
    """Who bears the name later may be somebody else."""
    async with two_words(state=tmp_path) as hub:
        gets_a_handle(hub, await hub.called("puck"), "P")
    async with two_words(TWO.replace("puck", "eva"), state=tmp_path) as hub:
        hub.assistant.sessions.remember()
    async with two_words(state=tmp_path) as hub:
        await hub.called("puck")
        assert hub.handle() is None


# --- what is shown and told -----------------------------------------------------------------------


async def test_events_and_status_say_who() -> None:
    """Null is nobody in particular."""
    async with two_words() as hub:
        await hub.called("puck")
        hub.ask("")
        hub.session.opened()
        told = [
            (each.event, each.fields.get("persona"))
            for each in hub.events
            if each.event in {"wake", "session"}
        ]
        assert told == [
            *(("wake", "puck"), ("session", "puck"), ("session", "puck")),
            *(("session", None), ("session", None)),
        ]
        file = ConfigFile(Path("config.yaml"), Config, LastGood(None, Path("config.yaml"), parse))
        status = Status(hub.assistant, file).as_dict()
        assert status["session"]["persona"] is None
        assert status["wake_personas"] == {"hey_jarvis": "jarvis", "alexa": "puck"}


async def test_the_status_tells_whose_talk_can_be_continued() -> None:
    """By name, nobody in particular as default."""
    async with two_words() as hub:
        gets_a_handle(hub, await hub.called("puck"), "P")
        hub.ask("")
        gets_a_handle(hub, hub.session, "D")
        await hub.called("jarvis")
        status = hub.assistant.sessions.as_dict()
        assert set(status["resumable_by_persona"]) == {"puck", "default"}
        assert (status["persona"], status["resumable_s"]) == ("jarvis", None)


async def test_the_lights_have_the_hue_of_whoever_talks() -> None:
    """Of nobody in particular the usual one; also where one calls while another is connecting."""
    async with two_words() as hub:

        def hues() -> set[int]:
            lit = [led for led in hub.lights.shown[-1] if led not in {BLACK, WHITE}]
            return {round(colorsys.rgb_to_hsv(*led)[0] * 36) * 10 for led in lit}

        async def shown(wanted: set[int]) -> None:
            await until(lambda: hues() == wanted)

        usual = round(colorsys.rgb_to_hsv(*MOTIONS[Pattern.CONNECTING].colour)[0] * 36) * 10
        for name, hue in (("puck", 30), ("jarvis", 210), ("puck", 30)):
            hub.call(name)
            await shown({hue})
            assert hub.state == "connecting"
        hub.ask("eve")
        await shown({usual})


async def test_what_is_wrong_is_said_in_the_language_of_whoever_talks() -> None:
    """Each has its sentences ready."""
    async with two_words() as hub:
        await until(lambda: {"sentences de-DE", "sentences en-GB"} <= set(hub.made))
        assert hub.made.count("sentences de-DE") == 1
        failure = n.Failure(n.FailureKind.NETWORK, "it broke", retryable=True)
        for name in ("puck", "jarvis"):
            session = await hub.called(name)
            session.end(n.SessionFailed(session.number, failure, MODEL, 1.0))
            await until(lambda: hub.state == "fault")
        assert [said.decode()[:5] for said in hub.speaker.announced] == ["de-DE", "en-GB"]


async def test_before_anybody_talks_it_is_that_of_the_first_word() -> None:
    """A tap on a deaf speaker, say."""
    hub = TwoWords()
    async with hub.running(hearing=False):
        await until(lambda: hub.assistant.talk.now.first)
        hub.assistant.faults.begin("microphone", "gone")
        hub.assistant.post(n.Tap())
        assert [said.decode()[:5] for said in hub.speaker.announced] == ["en-GB"]


async def test_a_model_that_is_gone_is_told_by_its_own_key() -> None:
    """Live.model is not what its owner would have to change."""
    async with two_words() as hub:
        session = await hub.called("puck")
        session.post(n.ModelReplaced(session.number, "gemini-3.8-live", "other", 1.0))
        [fault] = hub.assistant.faults.active
        assert "set personas.puck.model to other" in fault.message


async def test_a_camera_that_is_taken_from_a_persona_while_it_looks_shows_it_nothing() -> None:
    """What the file says now counts, also for what had begun before."""
    on = "tools: {camera: on_request}\n"
    async with two_words(on + TWO.replace("tools: [timers]", "tools: [camera]")) as hub:
        await hub.called("puck")
        eye = hub.camera
        assert isinstance(eye, FakeCamera)
        assert hub.functions is not None
        eye.ready.clear()
        looking = asyncio.ensure_future(hub.functions.run("look", {}))
        await until(lambda: eye.is_open)
        hub.assistant.settings.replace(parse(on + TWO, "test.yaml"))
        eye.ready.set()
        assert "switched the camera off" in (await looking)["error"]


async def test_a_model_that_is_gone_is_told_until_its_own_persona_has_it_again() -> None:
    """Another that finds its own is no news of it, and nothing is told twice."""

    def told() -> list[str]:
        return [fault.message for fault in hub.assistant.faults.active]

    async with two_words() as hub:
        session = await hub.called("puck")
        session.post(n.ModelReplaced(session.number, "gemini-3.8-live", "other", 1.0))
        before = told()
        await hub.called("jarvis")
        assert told() == before
        assert len([each for each in hub.events if each.event == "fault"]) == 1
        hub.call("puck")
        await until(lambda: len(hub.sessions) == 3)
        last = hub.session
        last.post(n.SessionOpened(last.number, 1.0, "gemini-3.8-live", False, 2.0))
        assert told() == []


@pytest.mark.parametrize("kind", [n.FailureKind.MODEL, n.FailureKind.KEY])
async def test_a_model_that_no_server_has_is_told_by_its_own_key_too(kind: n.FailureKind) -> None:
    """Whoever changes live.model then would change nothing; some keys may use some models only."""
    gone = n.Failure(kind, "no model X: set another live.model", retryable=False)
    async with two_words() as hub:
        for name in ("puck", "jarvis"):
            session = await hub.called(name)
            session.end(n.SessionFailed(session.number, gone, "X", 1.0))
            await until(lambda: hub.state == "fault")
            hub.assistant.post(n.Stop())
        told = [each.fields["reason"] for each in hub.events if each.fields.get("what") == "failed"]
        assert told == [
            "no model X: set another live.model; for puck that is personas.puck.model",
            "no model X: set another live.model",
        ]


@pytest.mark.parametrize(
    ("name", "key"), [("puck", "personas.puck.model"), ("jarvis", "live.model")]
)
async def test_a_model_that_nobody_can_hear_is_told_by_its_own_key(name: str, key: str) -> None:
    """Another live.model would be asked by everybody else."""
    async with two_words() as hub:
        session = await hub.called(name)
        hub.detector.speech(speaking=True)
        hub.detector.speech(speaking=False)
        for turn in (1, 2, 3):
            session.post(n.Unheard(session.number, turn, "silent", False, 1.0))
        assert hub.state == "fault"
        (fault,) = hub.assistant.faults.active
        assert fault.message.endswith(f"try again later, or another {key}")


async def test_a_model_that_nobody_asks_for_any_more_is_not_missed() -> None:
    """Its key is not there to be mended."""
    async with two_words() as hub:
        session = await hub.called("puck")
        session.post(n.ModelReplaced(session.number, "gemini-3.8-live", "other", 1.0))
        hub.assistant.settings.replace(parse("", "test.yaml"))
        hub.assistant.tell_personas()
        assert hub.assistant.faults.active == []


async def test_a_refused_setting_is_told_by_the_key_where_it_is_written() -> None:
    """What a persona has of its own is nowhere under live."""
    async with two_words() as hub:
        session = await hub.called("puck")
        for setting in ("live.voice", "live.vad"):
            session.post(n.SettingRefused(session.number, setting, MODEL, "no", 1.0))
        told = [each.fields["setting"] for each in hub.events if each.event == "setting_refused"]
        assert told == ["personas.puck.voice", "live.vad"]
        refusals = hub.past.refusals
        refusals.open(session.model, frozenset())
        assert refusals.refuse(session.model, frozenset({Field.VOICE})) is Field.VOICE
        about = hub.assistant.sessions.as_dict()
        assert about["refused_settings"] == ["personas.puck.voice"]


# --- a changed configuration ----------------------------------------------------------------------


class Owner:
    """Edits the file of a running speaker and reloads it."""

    def __init__(self, hub: Hub, folder: Path) -> None:
        self.path = folder / "config.yaml"
        kept = LastGood(folder, self.path, parse)
        file = ConfigFile(self.path, lambda: parse(self.path.read_text(), "config.yaml"), kept)
        self.reloader = Reloader(hub.assistant, file)

    async def write(self, text: str) -> None:
        self.path.write_text(text)
        await self.reloader.reload()


async def never(_: Config) -> WakeDetector:
    raise AssertionError("the networks were loaded anew")


@pytest.mark.parametrize(
    ("change", "outdated"),
    [
        (lambda text: text.replace("voice: Puck", "voice: Zephyr"), True),
        (lambda text: text.replace("[timers]", "[]"), True),
        (lambda text: text.replace("voice: Kore", "voice: Zephyr"), False),
        (lambda text: text.replace("hue: 30", "hue: 60"), False),
        (lambda text: text.replace(", eve: ", ""), False),
    ],
    ids=["voice", "tools", "another's voice", "hue", "another is gone"],
)
async def test_a_changed_persona_gets_another_session_when_it_rests(
    tmp_path: Path, change: Callable[[str], str], outdated: bool
) -> None:
    """As a changed key of live does; what concerns others, or the lights, is no reason."""
    async with two_words() as hub:
        await hub.called("puck")
        hub.load_detector = never
        await Owner(hub, tmp_path).write(change(TWO))
        assert hub.assistant.talk.now.outdated is outdated
        assert hub.session.closed_with is None
        hub.assistant.post(n.Stop())
        await until(lambda: (hub.session.closed_with == "settings changed") is outdated)


async def test_a_persona_that_is_gone_talks_no_more(tmp_path: Path) -> None:
    """In mid-sentence: nobody knows any more what it may do."""
    async with two_words() as hub:
        session = await hub.called("puck")
        session.say(1)
        await Owner(hub, tmp_path).write("wake: {words: [{model: hey_jarvis}, {model: alexa}]}")
        assert (hub.state, session.closed_with) == ("idle", "the persona is gone")
        assert hub.functions is not None
        assert "error" in await hub.functions.run("set_timer", {"duration_s": 60})


async def test_a_word_gets_another_persona_without_other_networks(tmp_path: Path) -> None:
    """It is heard all the while."""
    async with two_words() as hub:
        hub.load_detector = never
        swapped = TWO.replace("hey_jarvis, persona: jarvis", "hey_jarvis, persona: puck")
        await Owner(hub, tmp_path).write(
            swapped.replace("alexa, persona: puck", "alexa, persona: eve")
        )
        await hub.called("jarvis")
        assert hub.voices == ["Puck"]
        hub.assistant.post(n.Stop())
        hub.assistant.post(n.TimedOut(hub.assistant.talk.now.clock, n.Debt.NONE))
        hub.assistant.post(n.Tap())
        assert hub.voices == ["Puck", "Puck"], "puck is first now"


async def test_another_threshold_does_need_other_networks(tmp_path: Path) -> None:
    """They are what has it."""
    async with two_words() as hub:
        loaded = FakeDetector("hey_jarvis", "alexa")

        async def load(_: Config) -> WakeDetector:
            return loaded

        hub.load_detector = load
        await Owner(hub, tmp_path).write(
            TWO.replace("model: alexa,", "model: alexa, threshold: 0.9,")
        )
        assert hub.assistant.wake_word.detector is loaded
