"""`ClipFolder` keeps clips of wake words: the newest few, on this device only, for its owner.

Theory of operation. One clip is one file, ``wakes/ID.wav`` in the state directory: a WAV file as
any player takes it, with a chunk of its own before the sound that says what the networks made of
it. So a clip is there as a whole or not at all, however the process that wrote it ended, and a
label cannot be parted from what it belongs to. The folder is for its owner only (0700, 0600).

What is not ours is told, never followed, read or removed: other names, links, pipes, folders. What
has a clip's name and makes no sense is told as damaged, and goes with the rest. Everything blocks
for the disk; any thread, one at a time.
"""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import stat
import struct
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from device.errors import WakeClipError
from device.frames import HOP_SAMPLES, MICROPHONE_RATE_HZ, SAMPLE_BYTES
from device.news import WakeClip
from device.state.store import DurableFile, as_json, make_folder

FOLDER: Final = "wakes"
MOST_CLIPS: Final = 50
MOST_BYTES: Final = 8_000_000
"""Fifty clips of five seconds, which none is where the networks look back as far as most."""
MOST_FILE_BYTES: Final = 400_000
DAY_S: Final = 86_400.0

_LETTERS: Final = "23456789abcdefghjkmnpqrstuvwxyz"
"""Nothing that is taken for something else."""
_ID_LENGTH: Final = 5
_NAME: Final = re.compile(f"[{_LETTERS}]{{{_ID_LENGTH}}}\\.wav")
_LEFT: Final = re.compile(f"[{_LETTERS}]{{{_ID_LENGTH}}}\\.wav\\.[0-9a-f]{{8}}\\.new")
"""What a write that was cut short has left: it is sound as well."""
_MOST_SCORES: Final = 500
_MOST_WORDS: Final = 100
_WORD_CHARACTERS: Final = 255
_LATEST_S: Final = 253_370_764_800.0
"""The year 9999: later than that is no date."""
_CHUNK: Final = b"wake"
_FORMAT: Final = struct.pack(
    "<HHIIHH", 1, 1, MICROPHONE_RATE_HZ, MICROPHONE_RATE_HZ * SAMPLE_BYTES, SAMPLE_BYTES, 16
)


@dataclass(frozen=True, slots=True)
class KeptClip:
    """A clip with its name."""

    id: str
    at: float
    """When it was heard, Unix seconds."""
    clip: WakeClip
    said: bool | None = None
    """What its owner says of it: whether the word was said; None: nothing yet."""

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.clip.pcm) / SAMPLE_BYTES / MICROPHONE_RATE_HZ


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in the folder."""

    clips: Sequence[KeptClip] = ()
    """The oldest first."""
    damaged: Sequence[tuple[str, str]] = ()
    """Names of files that should be clips, and why they are none."""
    foreign: Sequence[str] = ()
    """Names of what is not ours."""
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class _Found:
    """A file that is a clip by its name."""

    path: Path
    at: float
    size: int
    kept: KeptClip | None
    why: str = ""

    @property
    def is_labelled(self) -> bool:
        return self.kept is not None and self.kept.said is not None


@dataclass(slots=True)
class _Look:
    found: list[_Found] = field(default_factory=list)
    left: list[Path] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)


def fresh_id() -> str:
    """Return a name for a clip: one of 28 million."""
    return "".join(secrets.choice(_LETTERS) for _ in range(_ID_LENGTH))


class ClipFolder:
    """The clips of one speaker. Without a state directory nothing is kept."""

    def __init__(self, state: Path | None) -> None:
        """Nothing is made before there is a clip."""
        self.path = state / FOLDER if state is not None else None
        self._lock = threading.Lock()
        self._clearings = 0

    @property
    def clearings(self) -> int:
        """How often anything was removed by hand."""
        return self._clearings

    def contents(self) -> Contents:
        """Return what there is; nothing where there is no folder. Raises OSError."""
        with self._lock:
            look = self._look()
        clips = [each.kept for each in look.found if each.kept is not None]
        damaged = [(each.path.name, each.why) for each in look.found if each.kept is None]
        total = sum(each.size for each in look.found)
        return Contents(clips, damaged, sorted(look.foreign), total)

    def add(self, clips: Sequence[KeptClip], oldest: float, clearings: int) -> list[KeptClip]:
        """Keep these and remove what is too much or was heard before `oldest` (Unix seconds).

        Returns those that need to wait no longer, since they are on the disk, or there are 50 that
        are worth more: none of them where anything was removed by hand since there were so many
        `clearings`. Raises OSError where the disk takes no more; what was written until then is
        complete.
        """
        with self._lock:
            if self.path is None or clearings != self._clearings:
                return []
            _make(self.path)
            for each in self._remove_too_much(oldest, clips):
                self._write(each)
            return list(clips)

    def tidy(self, oldest: float) -> None:
        """Remove what was heard before `oldest`, is too much, or was left. Raises OSError."""
        with self._lock:
            self._remove_too_much(oldest)

    def label(self, name: str, *, said: bool) -> KeptClip:
        """Write down whether the word was said in a clip. Raises WakeClipError, OSError."""
        with self._lock:
            kept = replace(self._kept(name), said=said)
            self._write(kept)
            return kept

    def clip(self, name: str) -> KeptClip:
        """Return a clip. Raises WakeClipError, OSError."""
        with self._lock:
            return self._kept(name)

    def remove(self, name: str) -> bool:
        """Remove one clip, damaged or not; tell whether there was one. Raises OSError."""
        with self._lock:
            self._clearings += 1
            path = self._path(name)
            if path is not None:
                path.unlink(missing_ok=True)
            return path is not None

    def clear(self) -> int:
        """Remove every clip, damaged ones too; return how many. Raises OSError."""
        with self._lock:
            self._clearings += 1
            look = self._look()
            for path in (*look.left, *(each.path for each in look.found)):
                path.unlink(missing_ok=True)
            return len(look.found)

    # --- with the lock held ---

    def _look(self) -> _Look:
        look = _Look()
        if self.path is None or not _is_folder(self.path):
            return look
        for path in sorted(self.path.iterdir()):
            is_file = stat.S_ISREG(path.lstat().st_mode)
            if is_file and _NAME.fullmatch(path.name):
                look.found.append(_found(path))
            elif is_file and _LEFT.fullmatch(path.name):
                look.left.append(path)
            else:
                look.foreign.append(path.name)
        look.found.sort(key=lambda each: (each.at, each.path.name))
        return look

    def _path(self, name: str) -> Path | None:
        if self.path is None or not _NAME.fullmatch(f"{name}.wav") or not _is_folder(self.path):
            return None
        path = self.path / f"{name}.wav"
        try:
            return path if stat.S_ISREG(path.lstat().st_mode) else None
        except FileNotFoundError:
            return None

    def _kept(self, name: str) -> KeptClip:
        path = self._path(name)
        if path is None:
            raise unknown_clip(name)
        found = _found(path)
        if found.kept is None:
            raise WakeClipError(
                f"the clip {name} is damaged ({found.why}): parley wakes clear {name} deletes it"
            )
        return found.kept

    def _write(self, kept: KeptClip) -> None:
        DurableFile(self.path, f"{kept.id}.wav", mode=0o600).write(as_wav(kept))

    def _remove_too_much(
        self, oldest: float, coming: Sequence[KeptClip] = ()
    ) -> Sequence[KeptClip]:
        """Make room for what is coming; return what of that is worth a place."""
        if self.path is None:
            return []
        look = self._look()
        for path in look.left:
            path.unlink(missing_ok=True)
        new = [_Found(self.path / f"{c.id}.wav", c.at, len(as_wav(c)), c) for c in coming]
        paths = {each.path for each in new}
        there = [*(each for each in look.found if each.path not in paths), *new]
        there = sorted((each for each in there if each.at >= oldest), key=lambda each: each.at)
        # What its owner has listened to is worth more than what nobody has; but the newest always
        # finds room: whoever tries the word now wants to hear that.
        newest = new[-1:]
        there.sort(key=lambda each: (each in newest, each.is_labelled))
        while len(there) > MOST_CLIPS or sum(each.size for each in there) > MOST_BYTES:
            there.pop(0)
        stays = {each.path.stem for each in there}
        for each in look.found:
            if each.path.stem not in stays:
                each.path.unlink(missing_ok=True)
        return [each for each in coming if each.id in stays]


def unknown_clip(name: str) -> WakeClipError:
    """Return the error of who names a clip that is not there."""
    return WakeClipError(f"there is no clip {name!r:.40}: parley wakes lists those there are")


# --- a file --------------------------------------------------------------------------------------


def as_wav(kept: KeptClip) -> bytes:
    """Return a clip as its file's content."""
    clip = kept.clip
    about = as_json(
        {
            "at": kept.at,
            "word": clip.word,
            "score": clip.score,
            "threshold": clip.threshold,
            "woke": clip.woke,
            "over_our_own": clip.over_our_own,
            "offset_samples": clip.offset_samples,
            "from_the_start": clip.from_the_start,
            "exact": clip.exact,
            "scores": {word: list(scores) for word, scores in clip.scores.items()},
            "said": kept.said,
        }
    )
    chunks = b"".join(
        name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)
        for name, content in ((b"fmt ", _FORMAT), (_CHUNK, about), (b"data", clip.pcm))
    )
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def from_wav(name: str, content: bytes) -> KeptClip:
    """Return what a clip's file holds. Raises ValueError, which says what is wrong with it."""
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise ValueError("it is no WAV file")
    chunks, place = dict[bytes, bytes](), 12
    while place + 8 <= len(content):
        kind, size = struct.unpack_from("<4sI", content, place)
        if place + 8 + size > len(content):
            raise ValueError("it was cut off")
        chunks[kind] = content[place + 8 : place + 8 + size]
        place += 8 + size + size % 2
    if chunks.get(b"fmt ") != _FORMAT or _CHUNK not in chunks or not chunks.get(b"data"):
        raise ValueError("it is no clip of a wake word")
    try:
        record = json.loads(chunks[_CHUNK])
    except (ValueError, RecursionError):
        raise ValueError("what it says of its sound is no JSON") from None
    return _kept_of(name, record, chunks[b"data"])


def _kept_of(name: str, record: object, pcm: bytes) -> KeptClip:
    match record:
        case {
            "at": int() | float() as at,
            "word": str(word),
            "score": int() | float() as score,
            "threshold": int() | float() as threshold,
            "woke": bool(woke),
            "over_our_own": bool(over_our_own),
            "offset_samples": int(offset_samples),
            "from_the_start": bool(from_the_start),
            "exact": bool(exact),
            "scores": dict(scores),
            "said": None | True | False as said,
        } if (
            len(pcm) % SAMPLE_BYTES == 0
            and 0 <= offset_samples < HOP_SAMPLES
            and 0 <= at < _LATEST_S
            and 0 <= score <= 1
            and 0 < threshold <= 1
            and word in scores
            and len(scores) <= _MOST_WORDS
        ):
            tracks = {_word(each): _track(track) for each, track in scores.items()}
            if len({len(track) for track in tracks.values()}) == 1:
                clip = WakeClip(
                    word=word,
                    score=score,
                    threshold=threshold,
                    woke=woke,
                    over_our_own=over_our_own,
                    pcm=pcm,
                    offset_samples=offset_samples,
                    from_the_start=from_the_start,
                    exact=exact,
                    scores=tracks,
                    time=0.0,
                )
                return KeptClip(name, float(at), clip, said)
    raise ValueError("what it says of its sound makes no sense")


def _word(word: str) -> str:
    if not 0 < len(word) <= _WORD_CHARACTERS:
        raise ValueError("it names a word that is none")
    return word


def _track(track: Any) -> tuple[float, ...]:
    if not isinstance(track, list) or not 0 < len(track) <= _MOST_SCORES:
        raise ValueError("its scores are none")
    if not all(type(each) in {int, float} and 0 <= each <= 1 for each in track):
        raise ValueError("its scores are not between 0 and 1")
    return tuple(track)


def _found(path: Path) -> _Found:
    """Look at a file that is a clip by its name. Raises OSError where it is gone by now."""
    found = path.lstat()
    try:
        kept = from_wav(path.stem, _content(path))
    except OSError as error:
        return _Found(path, found.st_mtime, found.st_size, None, error.strerror or str(error))
    except ValueError as error:
        return _Found(path, found.st_mtime, found.st_size, None, str(error))
    return _Found(path, kept.at, found.st_size, kept)


def _content(path: Path) -> bytes:
    number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(number, "rb") as file:  # noqa: PTH123 - a descriptor, of what is no link
        content = file.read(MOST_FILE_BYTES + 1)
    if len(content) > MOST_FILE_BYTES:
        raise ValueError(f"it is longer than {MOST_FILE_BYTES} bytes")
    return content


# --- the folder ----------------------------------------------------------------------------------


def _is_folder(path: Path) -> bool:
    """Tell whether the folder is there. Raises OSError where something else has its name."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return False
    if not stat.S_ISDIR(mode):
        raise OSError(errno.ENOTDIR, "it is no folder", str(path))
    return True


def _make(path: Path) -> None:
    """Make the folder, durably and for its owner only. Raises OSError."""
    if not _is_folder(path):
        make_folder(path, 0o700)
    if stat.S_IMODE(path.lstat().st_mode) & 0o077:
        path.chmod(0o700)
