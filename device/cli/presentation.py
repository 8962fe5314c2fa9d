"""A terminal shows a person a speaker's status and events like this."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from device.cli import timer_sentences as sentences
from device.cli import tool_sentences
from device.cli.spending_sentences import summary as spending_summary
from device.echo import outlook
from device.text import printable_record

STATE_STYLES = {
    "idle": "green",
    "connecting": "cyan",
    "listening": "bold blue",
    "thinking": "magenta",
    "speaking": "bold green",
    "muted": "red",
    "fault": "bold red",
}

GESTURES = {
    "press": "pressed",
    "tap": "tapped",
    "double_tap": "tapped twice",
    "hold": "held",
    "long_hold": "held for long, in silence",
    "release": "let go",
}

_LEAST_COLUMNS: Final = 20


def status(answer: dict[str, Any], console: Console) -> None:
    """Print the status as a small table, faults first; whatever is in it only shows."""
    answer = printable_record(answer)
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    state = answer["state"]
    table.add_row(
        "state", f"[{STATE_STYLES.get(state, 'white')}]{escape(state)}[/]{_muted(answer)}"
    )
    for fault in answer["faults"]:
        table.add_row("fault", f"[bold red]{escape(fault['kind'])}[/]: {escape(fault['message'])}")
    if answer["config"]["in_force"] == "last good":
        told = f"the last good ones: {answer['config']['file']} is refused"
        table.add_row("settings", f"[yellow]{escape(told)}[/]")
    table.add_row("microphone", "closed" if answer["muted"] else escape(answer["microphone"]))
    table.add_row("loudspeaker", f"{escape(answer['speaker'])}, volume {answer['volume']}")
    table.add_row("board", escape(f"{answer['board']}, {answer['lights']} lights{_lights(answer)}"))
    table.add_row("wake word", escape(" or ".join(_words(answer))))
    duplex = answer["duplex"]
    table.add_row("over a reply", escape(f"{duplex['mode']} duplex: {duplex['why']}"))
    echo = _echo(answer["echo"])
    if echo:
        table.add_row("echo", echo)
    room = outlook.outlook(answer["echo"], duplex)
    if room is not None:
        table.add_row("outlook", escape(outlook.sentence(room, duplex["mode"])))
    table.add_row("session", escape(_session(answer["session"])))
    if "timers" in answer:
        kept = "" if answer["timers"]["kept"] else f"; [yellow]{sentences.NOT_KEPT}[/]"
        table.add_row("timers", escape(sentences.summary(answer["timers"])) + kept)
    for standing in answer.get("mcp_servers", ()):
        if standing["state"] != "ready":
            told = escape(tool_sentences.not_ready(standing))
            table.add_row("mcp server", f"[yellow]{told}[/]")
    if answer.get("camera"):
        table.add_row("camera", escape(_camera(answer["camera"])))
    if answer.get("wake_clips", {}).get("keep", "none") != "none":
        table.add_row("wake clips", escape(_wake_clips(answer["wake_clips"])))
    if spent := spending_summary(answer["spending"]) if "spending" in answer else "":
        table.add_row("spending", escape(f"{spent} (an estimate)"))
    latency = _latency(answer.get("latency_ms", {}))
    if latency:
        table.add_row("latency", latency)
    table.add_row("up for", _duration(answer["uptime_s"]))
    last = answer["last_fault"]
    if last and not answer["faults"]:
        ago = f"({_duration(last['age_s'])} ago)"
        table.add_row("last fault", f"{escape(last['message'])} {ago}")
    print_table(table, console)


def print_lines(lines: Iterable[str], console: Console) -> None:
    """Print sentences: a person's terminal breaks them between words, grep finds them whole."""
    for line in lines:
        shown = line
        if console.is_terminal:
            indent = " " * (len(line) - len(line.lstrip()))
            shown = textwrap.fill(
                line.strip(),
                max(console.width, _LEAST_COLUMNS),
                initial_indent=indent,
                subsequent_indent=indent,
                break_long_words=False,
                break_on_hyphens=False,
            )
        console.file.write(f"{shown}\n")


def print_table(table: Table, console: Console) -> None:
    """Print a table whose lines end where they have no more to say."""
    with console.capture() as capture:
        console.print(table)
    # A grid fills its lines up with spaces.
    lines = [line.rstrip() for line in capture.get().splitlines()]
    console.file.write("\n".join(lines) + "\n")


def _words(answer: dict[str, Any]) -> list[str]:
    personas = answer.get("wake_personas", {})
    return [
        f"{word} ({who})" if (who := personas.get(word)) else word for word in answer["wake_words"]
    ]


def _lights(answer: dict[str, Any]) -> str:
    shown = answer.get("lights_show") if answer["lights"] else None
    return f", which show {shown} (parley lights --state {shown})" if shown else ""


def _muted(answer: dict[str, Any]) -> str:
    by = {"owner": " (parley unmute)", "switch": " (by the microphone's own switch)"}
    return by.get(answer.get("muted_by", ""), "")


def _echo(figures: dict[str, Any]) -> str:
    units = {
        "return_loss_db": "{} dB below what is played",
        "erle_db": "{} dB cancelled",
        "residue_db": "{} dB left over the noise",
        "noise_dbfs": "noise {} dBFS",
        "delay_ms": "delay {} ms",
        "drift_ppm": "drift {} ppm",
    }
    if figures["erle_db"] is None:
        return ""
    known = [(text, figures[name]) for name, text in units.items() if figures[name] is not None]
    return ", ".join(text.format(value) for text, value in known)


def event(record: dict[str, Any]) -> str:
    """One event as one line: seconds, name, what it says. Whatever is in it only shows."""
    record = printable_record(record)
    if record["event"] == "button":
        said = GESTURES.get(record["gesture"], record["gesture"])
        return f"{record['time']:12.3f}  {'button':<10}  {said}"
    if record["event"] == "timer":
        return f"{record['time']:12.3f}  {'timer':<10}  {sentences.happened(record)}"
    hidden = {"time", "event"}
    said = " ".join(
        f"{name}={value}"
        for name, value in record.items()
        if name not in hidden and value is not None
    )
    return f"{record['time']:12.3f}  {record['event']:<10}  {said}"


def _camera(about: dict[str, Any]) -> str:
    pictures = sum(about["sent"].values())
    sent = f"{pictures} picture{'s' * (pictures != 1)} sent"
    if "camera" not in about:
        return f"off; {sent}"
    trouble = f"; {about['trouble']}" if about["trouble"] else ""
    return f"{about['camera']}, {sent}{trouble}"


def _wake_clips(about: dict[str, Any]) -> str:
    what = "near misses" if about["keep"] == "near" else "wakes and near misses"
    return f"of {what}, kept on this device (parley wakes)"


def _session(about: dict[str, Any]) -> str:
    refused = ", ".join(about.get("refused_settings", ()))
    without = f"; the model refuses {refused}" if refused else ""
    unheard = about.get("unheard") or {}
    whys = ", ".join(f"{count} {why.replace('_', ' ')}" for why, count in unheard.items())
    return _talk(about) + without + (f"; no answer to be heard: {whys}" if whys else "")


def _talk(about: dict[str, Any]) -> str:
    persona = about.get("persona")
    if about["open_s"] is not None:
        connections = about.get("connections", 1)
        over = f" over {connections} connections" if connections > 1 else ""
        whose = f"{persona}: " if persona else ""
        return f"{whose}{about['model']}, open for {_duration(about['open_s'])}{over}"
    if about.get("resumable_s") is not None:
        ago = _duration(about["resumable_s"])
        word = f"wake word of {persona}" if persona else "wake word"
        return f"none; the next {word} continues the talk of {ago} ago"
    return "none"


def _latency(kinds: dict[str, dict[str, Any]]) -> str:
    """What has been measured, each kind by its name."""
    return ", ".join(
        f"{kind.replace('_', ' ')} {figures['p50']:.0f} ms (p95 {figures['p95']:.0f})"
        for kind, figures in kinds.items()
        if figures["count"]
    )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
