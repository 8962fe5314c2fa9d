"""Clips of wakes are told like this, by a speaker that runs and by a command where none does.

Tested in tests/control/test_wakes.py.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, tzinfo
from typing import Any

from device.config.keys import Wake
from device.state.wake_clips import Contents, KeptClip
from device.wake.advice import Sample, advise, lasting
from device.wake.catalogue import word_name


def kept_record(kept: KeptClip, zone: tzinfo) -> dict[str, Any]:
    """Return what is told of a clip; its names are a contract."""
    clip = kept.clip
    return {
        "id": kept.id,
        "at": datetime.fromtimestamp(kept.at, zone).isoformat(timespec="milliseconds"),
        "word": clip.word,
        "score": round(clip.score, 4),
        "threshold": clip.threshold,
        "kept": "hit" if clip.woke else "near_miss",
        "over_our_own": clip.over_our_own,
        "said": kept.said,
        "seconds": round(kept.seconds, 2),
        "exact": clip.exact,
        "scores": {word: round(max(track), 4) for word, track in clip.scores.items()},
    }


def contents_record(contents: Contents, zone: tzinfo) -> dict[str, Any]:
    """Return what is told of all clips, the oldest first, and of what is none."""
    return {
        "clips": [kept_record(kept, zone) for kept in contents.clips],
        "damaged": [{"file": name, "why": why} for name, why in contents.damaged],
        "foreign": list(contents.foreign),
        "bytes": contents.bytes,
    }


def advice_record(contents: Contents, wake: Wake) -> dict[str, Any]:
    """Return what the clips of each wake word speak for, at the patience in force.

    What was said over the speaker's own sound is left out: another threshold is in force then.
    """
    words: dict[str, Any] = {}
    for word in wake.words:
        name = word_name(word.model)
        samples = [
            Sample(
                lasting(kept.clip.scores[name], wake.patience),
                kept.clip.threshold,
                kept.clip.woke,
                kept.said,
            )
            for kept in contents.clips
            if kept.clip.word == name and not kept.clip.over_our_own
        ]
        words[name] = asdict(advise(word.threshold, samples))
    clips = [kept.clip for kept in contents.clips]
    return {
        "words": words,
        "over_our_own": sum(clip.over_our_own and clip.word in words for clip in clips),
        "of_other_words": sum(clip.word not in words for clip in clips),
    }
