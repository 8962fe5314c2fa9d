"""The board report of `parley devices` says what was found, why, and what is made of it.

Tested in tests/cli/test_devices.py.
"""

from __future__ import annotations

from typing import Any

from rich.markup import escape
from rich.table import Table

from device.audio.devices import Device, choose_channel
from device.board.detection import Finding
from device.board.profiles import LedDriver, MuteSwitch, Profile
from device.config import Config
from device.errors import AudioDeviceError

BoardReport = dict[str, Any]


def board_report(
    found: Finding, config: Config, microphone: Device | None, loudspeaker: Device | None
) -> BoardReport:
    """Put all of it into a record for a script; `board_table` shows the same to a person.

    ``microphone`` and ``loudspeaker``: the devices that would be taken, None where there is none.
    """
    board, card = found.board, found.card
    channels, problem = _channels(found, config, microphone)
    advice = [
        *found.advice,
        *([problem] if problem else []),
        *_about_loudspeaker(board, loudspeaker),
    ]
    return {
        "name": board.name,
        "label": board.label,
        "why": found.why,
        "card": None
        if card is None
        else {
            "number": card.number,
            "id": card.id,
            "name": card.name,
            "codec": card.codec,
            "streams": [f"{stream.direction}: {stream}" for stream in card.streams],
        },
        "channels": channels,
        "rates_hz": list(board.rates_hz),
        "formats": list(board.sample_formats),
        "lights": _lights(board, config),
        "button": _button(board, config),
        "echo": _echo(board, config),
        "mixer": _mixer(found, microphone),
        "caution": board.caution,
        "hints": list(board.hints),
        "advice": advice,
        "others": [
            {"name": one.profile.name, "why": "; ".join(one.reasons)}
            for one in found.candidates
            if one.card != card
        ],
    }


def _channels(
    found: Finding, config: Config, microphone: Device | None
) -> tuple[list[dict[str, object]], str]:
    """Each input channel with its role, and which one is listened to; or why none can be."""
    if microphone is None and found.card is None:
        return [], ""
    count = _channel_count(found, microphone)
    try:
        chosen = choose_channel(config.audio.input.channel, found.board.channel_of(count), count)
    except AudioDeviceError as error:
        chosen, problem = -1, str(error)
    else:
        problem = ""
    roles = found.board.channel_map(count) or ()
    listed: list[dict[str, object]] = [
        {"channel": place, "role": role.value, "chosen": place == chosen}
        for place, role in enumerate(roles)
    ]
    return listed or [{"channel": chosen, "role": "not known", "chosen": True}], problem


def _channel_count(found: Finding, microphone: Device | None) -> int:
    if microphone is not None and microphone.is_hardware:
        return microphone.input_channels
    if found.card is not None and found.card.capture_channels is not None:
        return found.card.capture_channels
    if found.board.channel_maps:
        return len(found.board.channel_maps[0])
    return microphone.input_channels if microphone is not None else 1


def _mixer(found: Finding, microphone: Device | None) -> list[dict[str, object]]:
    """The levels that this firmware needs."""
    count = _channel_count(found, microphone)
    return [
        {"control": level.control, "value": level.value}
        for level in found.board.mixer
        if level.is_for(count)
    ]


def _lights(board: Profile, config: Config) -> dict[str, object]:
    driver = board.led_driver.value if config.lights.driver == "auto" else config.lights.driver
    told: dict[str, object] = {"driver": driver}
    match driver:
        case LedDriver.APA102:
            told["count"] = board.led_count
            told["spi"] = f"spidev{board.spi_port}.{board.spi_device}"
            told["power_pin"] = board.led_power_pin
        case LedDriver.XVF3000 | LedDriver.XVF3800:
            told["count"] = 12
        case "gpio":
            told["count"] = 1
            told["pins"] = list(config.lights.pins)
    return told


def _button(board: Profile, config: Config) -> dict[str, object]:
    pin = board.button_pin if config.button.pin == "auto" else config.button.pin
    return {"pin": None if pin == "none" else pin, "own_mute_switch": board.mute_switch.value}


def _echo(board: Profile, config: Config) -> str:
    match config.audio.echo_cancellation:
        case "off":
            return "not cancelled: audio.echo_cancellation is off"
        case "hardware" | "software" as who:
            return f"cancelled in {who}: audio.echo_cancellation says so"
    if board.echo_cancellation:
        return "cancelled by the board, which hears what is played through its own output"
    return "cancelled in software"


def _about_loudspeaker(board: Profile, loudspeaker: Device | None) -> list[str]:
    if board.output_channels == 0 and loudspeaker is None:
        return ["the board has no output: connect a loudspeaker to another sound card"]
    return []


def board_table(report: BoardReport) -> Table:
    """Show the report to a person."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    table.add_row("board", escape(f"{report['name']}: {report['label']}"))
    table.add_row("because", escape(report["why"]))
    if (card := report["card"]) is not None:
        streams = "; ".join(card["streams"]) or _as_known(report)
        table.add_row("card", escape(f"{card['number']} ({card['id']}) {streams}".strip()))
    for channel in report["channels"]:
        taken = " <- listened to" if channel["chosen"] else ""
        table.add_row("", f"channel {channel['channel']}: {channel['role']}{taken}")
    table.add_row("lights", escape(_lights_line(report["lights"])))
    table.add_row("button", _button_line(report["button"]))
    table.add_row("echo", escape(report["echo"]))
    if report["mixer"]:
        levels = (f"{level['control']} {level['value']}" for level in report["mixer"])
        table.add_row("mixer", escape("; ".join(levels)))
    if report["caution"]:
        table.add_row("[yellow]caution[/]", escape(report["caution"]))
    for hint in report["hints"]:
        table.add_row("note", escape(hint))
    for other in report["others"]:
        table.add_row("also here", escape(f"{other['name']}: {other['why']}"))
    for advice in report["advice"]:
        table.add_row("[yellow]to do[/]", escape(advice))
    return table


def _as_known(report: BoardReport) -> str:
    rates = "/".join(str(rate) for rate in report["rates_hz"])
    known = (f"{rates} Hz" if rates else "", "/".join(report["formats"]))
    return ", ".join(part for part in known if part)


def _lights_line(lights: dict[str, Any]) -> str:
    match lights["driver"]:
        case "none":
            return "none that Parley can set"
        case LedDriver.APA102:
            power = lights["power_pin"]
            current = "" if power is None else f", current from GPIO{power}"
            return f"{lights['count']} APA102 on {lights['spi']}{current}"
        case "gpio":
            return "one on " + ", ".join(f"GPIO{pin}" for pin in lights["pins"])
        case "terminal":
            return "drawn in the terminal"
        case driver:
            return f"{lights['count']} on a ring, set over USB ({driver})"


def _button_line(button: dict[str, Any]) -> str:
    line = "none" if button["pin"] is None else f"GPIO{button['pin']}"
    match button["own_mute_switch"]:
        case MuteSwitch.READABLE:
            return f"{line}; the board's own mute button can be read"
        case MuteSwitch.HIDDEN:
            return f"{line}; the board's own mute button works by itself"
    return line
