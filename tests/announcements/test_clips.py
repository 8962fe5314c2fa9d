"""The sentences as sound: made by the real espeak-ng, kept, found again, and fit to be heard."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soxr

from device.announcements import espeak
from device.announcements.clips import Clips, main, speak
from device.announcements.sentences import languages, sentence, sentences
from device.errors import VoiceError
from device.wake.catalogue import bundled_words
from device.wake.scores import WakeScorer
from tests.rig.sound import SoundServer
from tests.rig.sound_fixtures import SpeechProbability

ROOT = Path(__file__).parents[2]
KINDS = [each.kind for each in sentences("en")]
Floats = npt.NDArray[np.float32]


def at_16_khz(pcm: bytes) -> Floats:
    """As a microphone would hear it, in -1..1."""
    samples = np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32_768)
    return np.asarray(soxr.resample(samples, 24_000, 16_000), np.float32)


def clip(clips: Clips, kind: str, language: str | None) -> bytes:
    pcm = clips.get(kind, language)
    assert pcm is not None
    return pcm


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Clips:
    """All languages, made once."""
    clips = Clips(tmp_path_factory.mktemp("clips"))
    for language in (*languages(), "en-GB", "es-MX", "pt-BR"):
        assert clips.make(language) == len(KINDS) or language == "en"
    return clips


# --- what it sounds like -------------------------------------------------------------------------


@pytest.mark.parametrize("language", [*languages(), "en-GB", "es-MX", "pt-BR"])
def test_every_clip_is_short_and_as_loud_as_a_reply(made: Clips, language: str) -> None:
    """2 to 5 s, the greeting 8 to 14; -20 dBFS, peaks under -3 dBFS, no offset, no clicks."""
    for kind in KINDS:
        samples = np.frombuffer(clip(made, kind, language), "<i2") / 32_768
        shortest, longest = (8, 14) if kind == "hello" else (2, 5)
        assert shortest < len(samples) / 24_000 < longest, kind
        assert 20 * np.log10(np.sqrt(np.mean(samples**2))) == pytest.approx(-20, abs=1), kind
        assert 20 * np.log10(np.max(np.abs(samples))) < -3, kind
        assert abs(np.mean(samples)) < 0.003, kind
        assert samples[0] == samples[-1] == 0, kind
        assert np.max(np.abs(samples[:24])) < 0.02, kind


@pytest.mark.parametrize("language", languages())
def test_every_clip_is_speech(
    made: Clips, language: str, speech_probability: SpeechProbability
) -> None:
    """So says the network that listens for people."""
    silence = np.zeros(4000, np.float32)
    for kind in KINDS:
        sound = np.concatenate([silence, at_16_khz(clip(made, kind, language))])
        assert speech_probability(sound, enough=0.91) > 0.9, kind


@pytest.mark.parametrize("kind", KINDS)
def test_no_clip_wakes_a_speaker(made: Clips, kind: str) -> None:
    """Loud or from afar, wherever the hops fall, no bundled wake word comes near its threshold."""
    scorer = WakeScorer(bundled_words())
    hiss = np.random.default_rng(1).normal(0, 20, 40_000)
    for language in ("en", "en-GB"):
        heard = at_16_khz(clip(made, kind, language)) * 32_768
        for gain, shift in ((1.0, 0), (0.2, 640)):
            sound = np.concatenate([hiss[shift:], heard * gain, np.zeros(8000)])
            scorer.reset()
            scores = [max(hop.values()) for hop in scorer.feed(sound.astype(np.int16))]
            assert max(scores) < 0.3, language


def test_the_judge_of_the_wake_words_is_not_deaf() -> None:
    """It finds one in the same voice, made in the same way."""
    scorer = WakeScorer(["hey_jarvis"])
    hiss = np.random.default_rng(1).normal(0, 20, 40_000)
    program = espeak.find()
    assert program is not None
    spoken = at_16_khz(espeak.speak(program, "en-us", "hey jarvis!")) * 32_768
    sound = np.concatenate([hiss, spoken, np.zeros(16_000)]).astype(np.int16)
    assert max(hop["hey_jarvis"] for hop in scorer.feed(sound)) > 0.5


def test_languages_and_kinds_sound_different(made: Clips) -> None:
    """Nothing was made twice under two names."""
    everything = [clip(made, kind, language) for language in languages() for kind in KINDS]
    assert len(set(everything)) == len(everything)
    assert clip(made, "key", "pt") != clip(made, "key", "pt-BR")


# --- what is found -------------------------------------------------------------------------------


def test_what_is_missing_falls_back_to_english_and_then_to_nothing(tmp_path: Path) -> None:
    """Better a sentence in another language than none; better none than a crash."""
    clips = Clips(tmp_path / "none")
    assert clips.get("key", "de") is None
    assert clips.make("de") == 2 * len(KINDS)
    german, english = clip(clips, "key", "de"), clip(clips, "key", None)
    assert german != english
    assert clip(clips, "key", "ja") == clip(clips, "key", "en-US") == english
    assert clip(clips, "key", "fr") == english
    assert clips.get("speaker", "de") is None


def test_each_is_made_once_and_stale_ones_go(tmp_path: Path) -> None:
    """A second call costs nothing; a text that has changed is spoken anew in place of the old."""
    clips = Clips(tmp_path)
    assert clips.make("en-GB") == len(KINDS), "no second English"
    names = {path.name for path in tmp_path.iterdir()}
    assert len(names) == len(KINDS)
    assert clips.make("en-GB") == 0
    (current,) = tmp_path.glob("en-gb-key-*.wav")
    of_others = {tmp_path / "en-gb-other-0.wav", tmp_path / "en-us-key-0.wav"}
    current.rename(tmp_path / "en-gb-key-000000000000.wav")
    for path in of_others:
        path.touch()
    assert [each.kind for each in clips.missing("en-GB")] == ["key"]
    assert clips.make("en-GB") == 1
    assert {path.name for path in set(tmp_path.iterdir()) - of_others} == names


def wav(path: Path, *, channels: int = 1, rate_hz: int = 24_000, frames: bytes = b"\1\0") -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(frames * channels)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"RIFF"),
        lambda path: path.write_bytes(bytes(5000)),
        lambda path: path.write_bytes(path.read_bytes()[:20] + b"\xff" * 5000),
        cut_short,
        lambda path: (path.unlink(), path.mkdir()),
        lambda path: wav(path, channels=2),
        lambda path: wav(path, rate_hz=16_000),
        lambda path: wav(path, frames=b""),
    ],
    ids=["empty", "header", "zeros", "garbage", "cut", "folder", "stereo", "slow", "silent"],
)
def test_a_damaged_file_is_told_ignored_and_made_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], object]
) -> None:
    """The power may go at any time; nobody listens to noise because of it."""
    clips = Clips(tmp_path)
    clips.make("en")
    whole = clip(clips, "key", "en")
    (path,) = tmp_path.glob("en-us-key-*.wav")
    damage(path)
    assert clips.get("key", "en") is None
    assert f"{path} is ignored: " in caplog.text
    if path.is_dir():
        path.rmdir()
    assert clips.make("en") == 1
    assert clip(clips, "key", "en") == whole


def test_a_file_with_any_other_header_is_not_played(tmp_path: Path) -> None:
    """Whichever byte of it is wrong: nothing is raised, and no noise is made of it."""
    clips = Clips(tmp_path)
    clips.make("en")
    (path,) = tmp_path.glob("en-us-key-*.wav")
    whole = path.read_bytes()
    for place in range(44):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x81]) + whole[place + 1 :])
        assert clips.get("key", "en") is None


# --- what may go wrong ---------------------------------------------------------------------------


def test_without_espeak_there_is_one_line_in_the_journal(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no folder; where all is made already there is nothing to say."""
    Clips(tmp_path / "whole").make("en")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert Clips(tmp_path / "clips").make("de") == 0
    assert Clips(tmp_path / "whole").make("en") == 0
    assert caplog.messages == ["no sentences are spoken: espeak-ng is missing; install it with apt"]
    assert not (tmp_path / "clips").exists()


def install(folder: Path, script: str) -> str:
    """A program of that name that does something else."""
    program = folder / "espeak-ng"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return str(folder)


def test_a_missing_voice_costs_its_language_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """English is made, and stands in for it."""
    real = espeak.find()
    fussy = f'case "$2" in de) echo "Error: no such voice" >&2; exit 1 ;; esac\nexec {real} "$@"'
    monkeypatch.setenv("PATH", f"{install(tmp_path, fussy)}:{os.environ['PATH']}")
    clips = Clips(tmp_path / "clips")
    assert clips.make("de") == len(KINDS)
    assert clip(clips, "key", "de") == clip(clips, "key", "en")
    why = f"{tmp_path}/espeak-ng cannot speak with the voice 'de': Error: no such voice"
    assert caplog.messages == [f"no sentences are spoken by the voice 'de': {why}"]


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("exit 3", "cannot speak with the voice 'en-us': exit status 3"),
        ("exit 0", "gave no WAV"),
        ("echo nonsense", "gave no WAV"),
        ("exec sox -n -r 22050 -c 2 -b 16 -t wav - trim 0 1", "gave 2 channels of 2 bytes"),
        ("exec sox -D -n -r 22050 -c 1 -b 16 -t wav - trim 0 1", "said nothing"),
    ],
)
def test_a_program_that_gives_no_speech_is_told_of(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    script: str,
    told: str,
) -> None:
    """Once; nothing is kept of it."""
    monkeypatch.setenv("PATH", f"{install(tmp_path, script)}:{os.environ['PATH']}")
    assert Clips(tmp_path / "clips").make("en") == 0
    (message,) = caplog.messages
    assert told in message
    assert list((tmp_path / "clips").glob("*")) == []


def test_a_program_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing waits for ever, and nothing is left running."""
    program = Path(install(tmp_path, f"echo $$ >{tmp_path}/pid; exec sleep 60")) / "espeak-ng"
    monkeypatch.setattr(espeak, "TIMEOUT_S", 0.5)
    with pytest.raises(VoiceError, match=r"has not finished within 0\.5 s"):
        espeak.speak(str(program), "en", "hello")
    assert not Path("/proc", (tmp_path / "pid").read_text().strip()).exists()


def test_a_sound_server_that_hangs_is_not_waited_for(sound_server: SoundServer) -> None:
    """Nothing is to be heard yet, so nobody who makes sound is asked."""
    program = espeak.find()
    assert program is not None
    sound_server.freeze(True)
    began = time.monotonic()
    assert espeak.speak(program, "en", "hello")
    assert time.monotonic() - began < 3


def test_a_program_that_cannot_be_run_is_told_of(tmp_path: Path) -> None:
    """It may have been removed a moment ago."""
    with pytest.raises(VoiceError, match="cannot be run: No such file or directory"):
        espeak.speak(str(tmp_path / "espeak-ng"), "en", "hello")


def test_a_folder_that_cannot_be_made_is_told_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A state directory may be missing or read-only."""
    (tmp_path / "file").touch()
    clips = Clips(tmp_path / "file" / "clips")
    assert clips.make("de") == 0
    assert caplog.messages == [
        f"no sentences can be kept in {tmp_path}/file/clips: Not a directory"
    ]
    assert clips.get("key", "de") is None


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "device.announcements.clips", *map(str, arguments)]


def test_a_full_disk_costs_a_line_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    """The kernel's limit on the size of files is as good as a disk without room."""
    unlimited = install(tmp_path, f'ulimit -S -f unlimited; exec {espeak.find()} "$@"')
    limited = 'ulimit -S -f 16; exec "$@"'
    done = subprocess.run(
        ["bash", "-c", limited, "bash", *command(tmp_path / "clips", "de")],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{unlimited}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == f"{tmp_path}/clips: 0 sentences made, {2 * len(KINDS)} missing\n"
    assert done.stderr == f"no sentences can be kept in {tmp_path}/clips: File too large\n"
    assert list((tmp_path / "clips").iterdir()) == []


# --- where they lie, and how they are made beforehand --------------------------------------------


def test_they_are_made_by_a_command_for_the_installer(tmp_path: Path) -> None:
    """One line, and an exit status that says whether all are there; again, it makes nothing."""
    clips = Clips(tmp_path)
    for made in (3 * len(KINDS), 0):
        done = subprocess.run(
            command(tmp_path, "de", "pt-BR"),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"{tmp_path}: {made} sentences made, 0 missing\n"
    for language in ("de", "pt-BR", "en"):
        assert sentence("key", language) not in clips.missing(language)
        assert clips.missing(language) == []


def test_the_command_makes_english_when_no_language_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The configuration may name none."""
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{tmp_path}: {len(KINDS)} sentences made, 0 missing\n"


def test_any_text_is_spoken_by_the_voice_of_the_language() -> None:
    """As loud as a clip; what an owner calls a timer is nobody's to know beforehand."""
    english, german = speak("take out the bins", "en-US"), speak("Müll rausbringen", "de")
    assert english is not None
    assert german is not None
    for pcm in (english, german):
        samples = np.frombuffer(pcm, "<i2").astype(np.float32) / 32_768
        assert 0.5 < len(samples) / 24_000 < 3
        assert np.sqrt(np.mean(samples**2)) == pytest.approx(0.1, abs=0.03)
    assert speak("take out the bins", "en-GB") != english


@pytest.mark.parametrize("path", ["", "broken"])
def test_what_cannot_be_spoken_costs_the_words_and_is_told(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Not the words themselves: they were said to the speaker, and are for no journal."""
    if path:
        program = tmp_path / "espeak-ng"
        program.write_text("#!/bin/sh\nexit 3\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert speak("take out the bins", None) is None
    assert "an alarm says no words" in caplog.text
    assert "bins" not in caplog.text
