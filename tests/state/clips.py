"""Clips of wakes as a speaker would have kept them, made up."""

from __future__ import annotations

from pathlib import Path

from device.news import WakeClip
from device.state.wake_clips import ClipFolder, KeptClip

NOW = 1_790_000_000.0
LONG_AGO = 0.0
HOP_BYTES = 2560


def wake_clip(
    word: str = "hey_jarvis",
    score: float = 0.4,
    *,
    woke: bool = False,
    time: float = 0.0,
    hops: int = 40,
    over_our_own: bool = False,
    threshold: float = 0.5,
) -> WakeClip:
    return WakeClip(
        word=word,
        score=score,
        threshold=threshold,
        woke=woke,
        over_our_own=over_our_own,
        pcm=bytes(range(256)) * (hops * HOP_BYTES // 256),
        offset_samples=0,
        from_the_start=False,
        exact=True,
        scores={word: (0.1, score, 1 / 3 * score)},
        time=time,
    )


def kept(name: str, at: float = NOW, said: bool | None = None, **about: object) -> KeptClip:
    return KeptClip(name, at, wake_clip(**about), said)  # type: ignore[arg-type]


def fill(state: Path, *clips: KeptClip) -> ClipFolder:
    """A state directory with these clips in it."""
    folder = ClipFolder(state)
    folder.add(clips, LONG_AGO, folder.clearings)
    return folder


def name_of(number: int) -> str:
    """A name for the clip of this number: letters only, as all have."""
    letters = "abcdefghjk"
    return "z" + "".join(letters[int(digit)] for digit in f"{number:04}")
