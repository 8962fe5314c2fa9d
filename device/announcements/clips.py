"""Clips are the speaker's own sentences as sound, ready to be played when nothing else works.

They are spoken once, by espeak-ng, and kept as WAV files. A file's name holds a fingerprint of all
that it was made from, so a changed sentence is spoken anew. Whatever goes wrong here is logged and
costs the sentence, never the speaker.

``python -m device.announcements.clips FOLDER [LANGUAGE ...]`` makes them ahead of the first start.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import itertools
import logging
import sys
import wave
from collections.abc import Sequence
from pathlib import Path

from device.announcements import espeak, loudness
from device.announcements.sentences import ENGLISH, Sentence, sentence, sentences, voice
from device.errors import DamagedFileError, VoiceError
from device.frames import REPLY_RATE_HZ, SAMPLE_BYTES
from device.state.store import DurableFile, reason

log = logging.getLogger(__name__)

WAV_HEADER_BYTES = 44
MAX_BYTES = 8_000_000
"""Nearly three minutes; a sentence takes seconds."""

RECIPE = f"1 {espeak.WORDS_PER_MINUTE} {loudness.RMS} {loudness.KNEE} {loudness.CEILING}"
"""What a clip is made with; its first number counts the changes that no other figure shows."""


class Clips:
    """A folder of clips. ``get`` may be called from any thread, ``make`` from one at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, kind: str, language: str | None) -> bytes | None:
        """Return what is said of a trouble: s16le mono 24 kHz, in a language or else in English.

        None when nothing is said of it, or it was not made. ``language`` as BCP-47.
        """
        for each in dict.fromkeys((sentence(kind, language), sentence(kind, ENGLISH))):
            pcm = self._read(each) if each is not None else None
            if pcm is not None:
                return pcm
        return None

    def missing(self, language: str | None) -> list[Sentence]:
        """Return what ``make`` would make: of a language, and of English behind it."""
        own = list(sentences(language))
        # Who has one English voice needs no other.
        behind = [] if own[0].language == ENGLISH else sentences(ENGLISH)
        return [each for each in (*own, *behind) if self._read(each) is None]

    def make(self, language: str | None) -> int:
        """Make what is missing, and say how many that were. Takes seconds; raises nothing."""
        missing = self.missing(language)
        program = espeak.find()
        if not missing:
            return 0
        if program is None:
            log.warning("no sentences are spoken: espeak-ng is missing; install it with apt")
            return 0
        made = 0
        for by, group in itertools.groupby(missing, lambda each: each.voice):
            try:
                for each in group:
                    self._write(each, _spoken(program, by, each.text))
                    made += 1
            except VoiceError as error:
                log.warning("no sentences are spoken by the voice '%s': %s", by, error)
            except OSError as error:
                log.warning("no sentences can be kept in %s: %s", self._folder, reason(error))
                break
        return made

    def _file(self, wanted: Sentence) -> DurableFile:
        origin = f"{wanted.voice}\n{wanted.text}\n{RECIPE}"
        fingerprint = hashlib.sha256(origin.encode()).hexdigest()[:12]
        name = f"{wanted.voice}-{wanted.kind}-{fingerprint}.wav"
        return DurableFile(self._folder, name, max_bytes=MAX_BYTES)

    def _read(self, wanted: Sentence) -> bytes | None:
        file = self._file(wanted)
        try:
            content = file.read()
        except NotADirectoryError:
            return None
        except (OSError, DamagedFileError) as error:
            log.warning("%s is ignored: %s", file.path, reason(error))
            return None
        if content is None:
            return None
        pcm = content[WAV_HEADER_BYTES:]
        # Only what was written here is played: a reader of any WAV stumbles over damaged ones. None
        # is set aside, since nothing is lost with it: it is spoken anew.
        if not pcm or content != _wav(pcm):
            log.warning("%s is ignored: it is damaged", file.path)
            return None
        return pcm

    def _write(self, wanted: Sentence, pcm: bytes) -> None:
        file = self._file(wanted)
        file.write(_wav(pcm))
        for old in self._folder.glob(f"{wanted.voice}-{wanted.kind}-*.wav"):
            if old != file.path:
                old.unlink(missing_ok=True)


def speak(text: str, language: str | None) -> bytes | None:
    """Speak any text: s16le mono 24 kHz, as loud as a clip. Takes a while; any thread.

    None where there is no voice, which is told in the journal.
    """
    program = espeak.find()
    if program is None:
        log.warning("an alarm says no words: espeak-ng is missing; install it with apt")
        return None
    try:
        return _spoken(program, voice(language), text)
    except VoiceError as error:
        log.warning("an alarm says no words: %s", error)
        return None


def _spoken(program: str, by: str, text: str) -> bytes:
    pcm = loudness.prepared(espeak.speak(program, by, text), REPLY_RATE_HZ)
    if not pcm:
        raise VoiceError(f"{program} said nothing")
    return pcm


def _wav(pcm: bytes) -> bytes:
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(SAMPLE_BYTES)
        file.setframerate(REPLY_RATE_HZ)
        file.writeframes(pcm)
    return content.getvalue()


def main(arguments: Sequence[str]) -> int:
    """Make the clips of some languages; 1 when any is missing after that."""
    parser = argparse.ArgumentParser(
        prog="python -m device.announcements.clips", description=main.__doc__
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("languages", nargs="*", metavar="LANGUAGE", help="English in any case")
    wanted = parser.parse_args(arguments)
    clips = Clips(wanted.folder)
    languages = wanted.languages or [ENGLISH]
    made = sum(clips.make(language) for language in languages)
    missing = {each for language in languages for each in clips.missing(language)}
    sys.stdout.write(f"{wanted.folder}: {made} sentences made, {len(missing)} missing\n")
    return 1 if missing else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
