"""Kinds are the values that keys can take; each says what it wants of one that does not fit.

A validator raises ValueError in an owner's words; `device.config.mistakes` adds the place.

Tested in tests/config/test_load.py.
"""

from __future__ import annotations

import ipaddress
import re
from datetime import time
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field, WrapValidator

from device.config.device_names import flaw
from device.config.live_names import language, voice
from device.config.yaml import shortened

DEFAULT_PERSONA: Final = "default"
"""What stands for no persona where one is named: `live` and `tools` as they are."""
TAKEN_NAMES: Final = (
    *(DEFAULT_PERSONA, "none", "null", "true", "false", "yes", "no", "on", "off", "all", "auto"),
)
"""What cannot name a persona: it means something else, or YAML takes it for something else."""


class Night(NamedTuple):
    """From when to when it is night; `ends` is day again."""

    begins: time
    ends: time

    def covers(self, now: time) -> bool:
        """Tell whether it is night; one that ends before it begins goes over midnight."""
        if self.begins <= self.ends:
            return self.begins <= now < self.ends
        return now >= self.begins or now < self.ends


def night_of(text: str) -> Night:
    """Return the night that HH:MM-HH:MM means; ValueError says what it should look like."""
    begins, _, ends = text.partition("-")
    try:
        night = Night(_time(begins), _time(ends))
    except ValueError:
        raise ValueError(
            "is not a night: write its hours as HH:MM-HH:MM, e.g. 22:00-07:00"
        ) from None
    if night.begins == night.ends:
        raise ValueError("begins when it ends: write its hours as HH:MM-HH:MM, e.g. 22:00-07:00")
    return night


def _time(text: str) -> time:
    hours, colon, minutes = text.strip().partition(":")
    if not (colon and hours.isdecimal() and len(minutes) == 2 and minutes.isdecimal()):
        raise ValueError(text)
    return time(int(hours), int(minutes))


def shape(pattern: str, advice: str) -> AfterValidator:
    """Text that must match as a whole; ``advice`` says what it should look like."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"{shortened(text)} {advice}")
        return text

    return AfterValidator(check)


def _on_off(value: object) -> object:
    """Take the words that YAML 1.1 took for booleans, since owners write them."""
    words = {"on": True, "yes": True, "off": False, "no": False}
    return words.get(value.lower(), value) if isinstance(value, str) else value


def _off(value: object) -> object:
    """Take what a YAML 1.1 writer makes of ``off``; ``on`` does not say who cancels."""
    switched = _on_off(value)
    switched = {"true": True, "false": False}.get(str(switched).lower(), switched)
    if switched is True:
        raise ValueError(
            f"{shortened(value)} does not say who cancels the echo: choose auto, hardware, "
            "software or off"
        )
    return "off" if switched is False else value


def auto_or_number(
    words: tuple[str, ...], highest: int, what: str, lowest: int = 0
) -> BeforeValidator:
    """One of the words, or a whole number in ``lowest..highest``, which is called ``what``."""

    def check(value: object) -> object:
        if value in words:
            return value
        if isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest:
            return value
        raise ValueError(f"{shortened(value)} is not {' or '.join(words)} or {what}")

    return BeforeValidator(check)


def _device_name(value: object) -> object:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(value, str) or is_number:
        trouble = flaw(value)  # type: ignore[arg-type]  # one of the three
        if trouble is not None:
            raise ValueError(trouble)
    return value


def _endpoint(text: str) -> str:
    match = re.fullmatch(r"https://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?", text)
    if match is None:
        raise ValueError(
            f"{shortened(text)} is not an endpoint: write https://host or https://host:port, "
            "without a path or a slash at the end"
        )
    host, port = match.groups()
    if not is_host(host):
        raise ValueError(f"{shortened(host)} is not a host: write a name or an address of one")
    if port is not None and not 1 <= int(port) <= 65_535:
        raise ValueError(f"port {port} is not in 1..65535: choose e.g. 8443, or leave it out")
    return text


def is_host(host: str) -> bool:
    """Tell whether this can be a host: a name, an IPv4 address, or an IPv6 one in brackets."""
    try:
        if host.startswith("["):
            return bool(ipaddress.IPv6Address(host[1:-1]))
        if re.fullmatch(r"[0-9.]+", host):
            return bool(ipaddress.IPv4Address(host))
    except ValueError:
        return False
    # RFC 1123: what a label may be; a dot at the end says that the name is whole.
    labels = host.removesuffix(".").split(".")
    label = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    return len(host) <= 253 and all(re.fullmatch(label, one) for one in labels)


def wake_model(text: str) -> str:
    """A bundled word, or the absolute path of a network of the owner's."""
    if re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", text) or re.fullmatch(r"/.+\.onnx", text):
        return text
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    hint = "" if "/" in text or "." in text or not name else f": did you mean {name}?"
    raise ValueError(
        f"{shortened(text)} is neither a bundled word (such as hey_jarvis) nor the absolute path "
        f"of an .onnx file{hint}"
    )


def _night_hours(text: str) -> str:
    try:
        night_of(text)
    except ValueError as error:
        raise ValueError(f"{shortened(text)} {error}") from None
    return text


def _persona_name(name: str) -> str:
    """A name that can be typed behind `--as` and is nothing else in YAML."""
    if name in TAKEN_NAMES:
        raise ValueError(f"'{name}' cannot be a persona's name: choose another, e.g. puck")
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,31}", name):
        near = re.sub(r"[^a-z0-9_-]+", "_", name.lower()).strip("_-0123456789")[:32]
        hint = near if near and near not in TAKEN_NAMES else "puck"
        raise ValueError(
            f"{shortened(name)} is not a persona's name: write 1 to 32 small letters, digits, - "
            f"and _, a letter first: e.g. {hint}"
        )
    return name


def three_pins(value: object) -> object:
    """A GPIO number for each colour; its range is the item's own."""
    if isinstance(value, tuple) and len(value) != 3:
        raise ValueError("needs three GPIO numbers, for red, green and blue: e.g. [17, 27, 22]")
    return value


def is_currency(text: str) -> bool:
    """Tell whether this can be a currency's code (ISO 4217)."""
    return re.fullmatch(r"[A-Z]{3}", text) is not None


def _currency(text: str) -> str:
    if is_currency(text):
        return text
    code = text.strip().upper()
    code = {"€": "EUR", "EURO": "EUR", "EUROS": "EUR", "$": "USD", "£": "GBP"}.get(code, code)
    example = code if is_currency(code) else "three capital letters such as USD or EUR"
    raise ValueError(f"{shortened(text)} is no currency: write {example}")


def _limit(value: object) -> object:
    if type(value) in {int, float} and value == 0:
        raise ValueError("0 leaves nothing to answer for: write 0.01 or more; null is no limit")
    return value


def _no_hold(value: object) -> object:
    if value == "push_to_talk":
        raise ValueError("push_to_talk lasts while the button is held: only hold can do it")
    return value


def _auto_or_on_off(value: object, _: object) -> object:
    switched = _on_off(value)
    if switched == "auto" or isinstance(switched, bool):
        return switched
    raise ValueError("is neither auto, true nor false")


Currency = Annotated[str, AfterValidator(_currency)]
Limit = Annotated[float | None, BeforeValidator(_limit)]
"""Of money; its range is the key's own."""
AutoOnOff = Annotated[
    bool | Literal["auto"],
    WrapValidator(
        _auto_or_on_off, json_schema_input_type=bool | Literal["auto", "on", "off", "yes", "no"]
    ),
]
OnOff = Annotated[
    bool,
    BeforeValidator(_on_off, json_schema_input_type=bool | Literal["on", "off", "yes", "no"]),
]
Gpio = Annotated[int, Field(ge=0, le=27)]
DeviceName = Annotated[str, Field(min_length=1), BeforeValidator(_device_name)]
LiveModel = Annotated[str, shape(r"[\w.:/-]+", "is not a model's name: write e.g. gemini-3.8-live")]
Endpoint = Annotated[str, AfterValidator(_endpoint)]
EchoCancellation = Annotated[
    Literal["auto", "hardware", "software", "off"],
    BeforeValidator(
        _off, json_schema_input_type=Literal["auto", "hardware", "software", "off", False]
    ),
]
ApiVersion = Annotated[str, shape(r"v[0-9]+[a-z0-9]*", "is not a version: write e.g. v1beta")]
Language = Annotated[str, AfterValidator(language)]
Voice = Annotated[str, Field(min_length=1), AfterValidator(voice)]
NightHours = Annotated[str, AfterValidator(_night_hours)]
PersonaName = Annotated[str, AfterValidator(_persona_name)]
PrometheusPath = Annotated[
    str,
    shape(
        r"/([^\x00-\x1f\x7f/]+/)+[^\x00-\x1f\x7f/]+\.prom",
        "is not the absolute path of a .prom file: write e.g. /run/parley/parley.prom",
    ),
]
"""node_exporter: its textfile collector reads files of that ending, and no others."""


ButtonAction = Annotated[
    Literal["talk", "stop", "mute", "volume_up", "volume_down", "none"], BeforeValidator(_no_hold)
]
HoldAction = Literal["push_to_talk", "talk", "stop", "mute", "volume_up", "volume_down", "none"]
