"""``parley wakes test`` scores the owner's own recordings; the rest is `device.cli.wake_clips`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from device.cli import wake_clips
from device.errors import RecordingError
from device.text import printable

if TYPE_CHECKING:
    from device.audio.wav_file import WavSound
    from device.config import Config
    from device.wake.recording import Heard
    from device.wake.worker import Word

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

QUIET_DBFS = -40.0
"""A peak below this is no voice near a microphone."""
CUT_OFF_DBFS = -0.1
SHORT_S = 0.5
SILENCE_MS = 700
"""Of the end of speech, which nothing asks for here."""


def add_parser(subparsers: Subparsers) -> None:
    """Add ``wakes`` and what can be done with recordings and with clips that were kept."""
    about = "clips of wakes and near misses, and how sure the networks are of recordings"
    group = subparsers.add_parser(
        "wakes", help=about, description=f"{about}; without a COMMAND the clips are listed"
    )
    commands = group.add_subparsers(metavar="COMMAND")
    wake_clips.add_commands(group, commands)
    about = "score your own recordings (WAV, any rate and number of channels) as it would hear them"
    test_parser = commands.add_parser("test", help=about, description=about)
    test_parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a WAV file")
    test_parser.add_argument(
        "--word",
        action="append",
        metavar="NAME|PATH",
        help="a bundled wake word or an .onnx file (default: those of the configuration)",
    )
    test_parser.add_argument(
        "--channel",
        type=int,
        metavar="N",
        help="which channel, from 0 (default: audio.input.channel, or the first)",
    )
    test_parser.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="the figures, for a script"
    )
    test_parser.add_argument("--config", type=Path, metavar="PATH", help="the configuration file")
    test_parser.set_defaults(run=test)


@dataclass(frozen=True, slots=True)
class Scored:
    """A file and what was heard in it, or why nothing could be."""

    file: Path
    sound: WavSound | None = None
    heard: Heard | None = None
    error: str = ""


def test(args: argparse.Namespace) -> int:
    """Score each file and print what was heard; 1 where a file could not be.

    Raises ConfigError or WakeModelError when there is nothing to score with.
    """
    from device.build import checked_config  # noqa: PLC0415 - heavy, as the networks are
    from device.wake.recording import QUIET_S, Recordings  # noqa: PLC0415
    from device.wake.worker import Hearing  # noqa: PLC0415

    config = checked_config.load(args.config)
    words = _words(config, args.word)
    wake = config.wake
    # What lies before is another recording, and no word that was said just now.
    refractory_s = min(wake.refractory_s, QUIET_S)
    hearing = Hearing(words, wake.patience, refractory_s, SILENCE_MS)
    channel = _channel(config, args.channel)
    recordings = Recordings(hearing)
    scored = [_scored(file, channel, recordings) for file in args.files]
    thresholds = {word.name: word.threshold for word in words}
    if args.json:
        asked = set(hearing.asks)
        print(json.dumps(_record(scored, thresholds, asked), ensure_ascii=False, indent=2))
    else:
        if hearing.alone_because:
            print(f"openWakeWord judges alone: {printable(hearing.alone_because)}", file=sys.stderr)
        for line in _lines(scored, thresholds):
            print(line, flush=True)
    for each in scored:
        if each.error:
            print(f"parley: {printable(each.error)}", file=sys.stderr)
    return int(any(each.error for each in scored))


def _words(config: Config, wanted: Sequence[str] | None) -> list[Word]:
    """The words to score: those that were named, or those of the configuration."""
    from device.wake.worker import Word  # noqa: PLC0415 - heavy

    known = {word.model: word.threshold for word in config.wake.words}
    if not wanted:
        return [Word(model, threshold) for model, threshold in known.items()]
    models = [str(Path(w).absolute()) if w.endswith(".onnx") or "/" in w else w for w in wanted]
    default = Word("").threshold
    return [Word(model, known.get(model, default)) for model in dict.fromkeys(models)]


def _channel(config: Config, asked: int | None) -> int:
    if asked is not None:
        return asked
    configured = config.audio.input.channel
    return configured if isinstance(configured, int) else 0


def _scored(file: Path, channel: int, recordings: Any) -> Scored:
    from device.audio import wav_file  # noqa: PLC0415 - heavy

    try:
        sound = wav_file.read(file, channel)
    except RecordingError as error:
        return Scored(file, error=str(error))
    return Scored(file, sound, recordings.hear(sound.pcm))


def _record(
    scored: Sequence[Scored], thresholds: dict[str, float], asked: set[str]
) -> dict[str, Any]:
    """Everything, for a script; names are a contract."""
    words = {
        word: {"threshold": threshold, "networks": 2 if word in asked else 1}
        for word, threshold in thresholds.items()
    }
    return {"words": words, "files": [_file_record(each) for each in scored]}


def _file_record(each: Scored) -> dict[str, Any]:
    if each.sound is None or each.heard is None:
        return {"file": str(each.file), "error": each.error}
    woke = {word for word, _ in each.heard.woke}
    return {
        "file": str(each.file),
        "error": None,
        "seconds": round(each.sound.seconds, 2),
        "rate_hz": each.sound.rate_hz,
        "channels": each.sound.channels,
        "channel": each.sound.channel,
        "peak_dbfs": round(each.sound.peak_dbfs, 1),
        "words": {
            word: {
                "score": round(best.score, 4),
                "at_s": round(best.at_s, 2),
                "wakes": word in woke,
            }
            for word, best in each.heard.best.items()
        },
    }


def _lines(scored: Sequence[Scored], thresholds: dict[str, float]) -> Iterator[str]:
    wide = max(len(word) for word in thresholds)
    for each in scored:
        if each.sound is None or each.heard is None:
            continue
        yield f"{printable(str(each.file))}: {_about(each.sound)}"
        woke = {word for word, _ in each.heard.woke}
        for word, threshold in thresholds.items():
            best = each.heard.best[word]
            verdict = "wakes it" if word in woke else _why_not(best.score, threshold)
            yield (
                f"  {word:{wide}}  {best.score:.2f} at {best.at_s:4.1f} s   "
                f"threshold {threshold:.2f}   {verdict}"
            )
    heard = [each.heard for each in scored if each.heard is not None]
    if len(heard) > 1:
        for word in thresholds:
            count = sum(any(name == word for name, _ in each.woke) for each in heard)
            yield f"{word}: wakes it in {count} of {len(heard)} recordings"


def _why_not(score: float, threshold: float) -> str:
    if score < threshold:
        return "does not wake it"
    return "does not wake it: too soon after another, or not for long enough (wake.patience)"


def _about(sound: WavSound) -> str:
    which = f", channel {sound.channel} of {sound.channels}" if sound.channels > 1 else ""
    said = f"{sound.seconds:.1f} s at {sound.rate_hz} Hz{which}, peak {sound.peak_dbfs:.0f} dBFS"
    if sound.seconds < SHORT_S:
        said += " (too short for a wake word)"
    if sound.peak_dbfs < QUIET_DBFS:
        said += " (hardly anything is in it: come nearer, or raise the microphone's level)"
    elif sound.peak_dbfs > CUT_OFF_DBFS:
        said += " (too loud: it is cut off)"
    return said
