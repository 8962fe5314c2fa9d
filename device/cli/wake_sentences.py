"""These sentences and tables tell a person of clips of wakes, and what they speak for.

What is told comes from a speaker or its folder, as `device.control.wake_records` has it, and is
printable by now.

Tested in tests/cli/test_wake_clips.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.table import Table
from rich.text import Text

Told = dict[str, Any]

KEPT = {"hit": "woke it", "near_miss": "near miss"}
SAID = {True: "yes", False: "no", None: "-"}
OVER = " *"
"""Marks what was said over the speaker's own sound."""
RAISING = {"raise": "raising", "lower": "lowering"}
WIDE = 72
"""Columns for the year, the threshold and the length as well."""


def head(told: Told) -> list[str]:
    """Return what stands before the list."""
    lines = []
    if told["keep"] is None:
        lines.append("No speaker runs here: this is what it has kept.")
    elif told["keep"] == "none":
        lines.append("No clips are kept now (wake.keep: none).")
        if told["clips"]:
            lines.append("These are from before; parley wakes clear deletes them.")
    else:
        what = "near misses" if told["keep"] == "near" else "wakes and near misses"
        lines.append(f"Clips of {what} are kept on this device (wake.keep: {told['keep']}).")
    if not told["clips"]:
        lines.append("There are none.")
    return lines


def table(clips: Sequence[Told], columns: int) -> Table:
    """Return every clip, a row each; narrower where a terminal is."""
    wide = columns >= WIDE
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    titles = ("id", "when", "word", "score", *(("of", "long") if wide else ()), "kept for", "said")
    for title in titles:
        right = title in {"score", "of", "long"}
        folds = title in {"word", "kept for"}
        grid.add_column(
            title, justify="right" if right else "left", overflow="fold", no_wrap=not folds
        )
    for each in clips:
        then = datetime.fromisoformat(each["at"])
        over = OVER if each["over_our_own"] else ""
        more = (f"{each['threshold']:.2f}", f"{each['seconds']:.1f} s") if wide else ()
        cells = (
            each["id"],
            f"{then:%Y-%m-%d %H:%M}" if wide else f"{then:%m-%d %H:%M}",
            each["word"],
            f"{each['score']:.2f}",
            *more,
            KEPT[each["kept"]] + over,
            SAID[each["said"]],
        )
        grid.add_row(*map(Text, cells))
    return grid


def strange(told: Told) -> list[str]:
    """Return what a mark means, what is in the folder beside clips, and what is left to do."""
    lines = []
    if any(each["over_our_own"] for each in told["clips"]):
        lines.append("* Over the speaker's own sound, where playback_threshold is in force.")
    lines += [
        f"{each['file']} is damaged: {each['why']} "
        f"(parley wakes clear {each['file'].removesuffix('.wav')} deletes it)"
        for each in told["damaged"]
    ]
    if told["foreign"]:
        names = ", ".join(told["foreign"][:5])
        more = f" and {len(told['foreign']) - 5} more" if len(told["foreign"]) > 5 else ""
        lines.append(f"In the folder and not the speaker's: {names}{more}; left alone.")
    unlabelled = sum(each["said"] is None for each in told["clips"])
    if unlabelled:
        lines.append(
            f"{unlabelled} without a label: parley wakes play ID, then parley wakes label ID "
            "yes|no."
        )
    return lines


def clip(told: Told) -> str:
    """Return one clip in a few words."""
    return f"{told['id']}: {told['word']}, {told['score']:.2f}, {told['seconds']:.1f} s"


def labelled(told: Told) -> str:
    """Return what was written down."""
    said = "was said" if told["said"] else "was not said"
    return f"{told['id']}: {told['word']} {said} (score {told['score']:.2f})"


def cleared(count: int) -> str:
    """Return what was deleted."""
    return f"{_clips(count)} deleted"


# --- advice --------------------------------------------------------------------------------------


def advice_head(word: str, advice: Told) -> str:
    """Return what is known of a word."""
    counts = f"said in {advice['said']}, not said in {advice['not_said']}"
    rest = f", {advice['unlabelled']} without a label" if advice["unlabelled"] else ""
    return f"{word}, threshold {advice['threshold']:g}: {counts}{rest}"


def outcomes(advice: Told) -> Table:
    """Return what would have been missed and what would have woken it, for each threshold."""
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 2), header_style="bold")
    for title in ("threshold", "said, missed", "not said, woken", ""):
        grid.add_column(title, justify="right" if title else "left")
    for each in advice["outcomes"]:
        marks = []
        if each["threshold"] == advice["threshold"]:
            marks.append("in force")
        if each["threshold"] == advice["best"]:
            marks.append("best")
        cells = (f"{each['threshold']:g}", str(each["missed"]), str(each["woken"]))
        grid.add_row(*map(Text, (*cells, ", ".join(marks))))
    return grid


def verdict(word: str, advice: Told) -> list[str]:
    """Return what to do, or why nothing is advised."""
    lines = []
    match advice["verdict"]:
        case "too_few":
            lines.append(
                "  Too few labels to advise anything: label 5 clips in which it was said and 5 in "
                "which it was not."
            )
        case "keep":
            lines.append("  No threshold does better than the one in force.")
        case which:
            lines.append(
                f"  The clips speak for {RAISING[which]} it to {advice['best']:g}: set "
                f"wake.words[].threshold of {word}, then parley reload."
            )
    if advice["said"] + advice["not_said"] + advice["unlabelled"]:
        lines.append(f"  Nothing is known below {advice['lowest']:g}, where no clips are kept.")
        if not advice["hits_kept"]:
            lines.append(
                "  No clip woke it (wake.keep: all keeps those too), so nobody knows what a higher "
                "threshold would miss."
            )
    return lines


def left_out(told: Told) -> list[str]:
    """Return which clips the advice says nothing of."""
    lines = []
    if told["over_our_own"]:
        lines.append(
            f"{_clips(told['over_our_own'])} left out: said over the speaker's own sound, where "
            "playback_threshold is in force."
        )
    if told["of_other_words"]:
        lines.append(
            f"{_clips(told['of_other_words'])} left out: of words that it listens for no more."
        )
    return lines


def _clips(count: int) -> str:
    return "1 clip" if count == 1 else f"{count} clips"
