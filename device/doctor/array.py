"""One check reads what an XVF3800 sends to the computer, and whether its amplifier is on.

Both are lost by control commands that somebody has sent (Seeed's xvf_host), and nothing of a sound
card shows it: it records silence, or what is played. The check reads only; the cure sends what
Seeed documents, and nothing is saved on the array.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from device.board.profiles import MuteSwitch, Profile
from device.board.routing import ROUTES, Route, Use
from device.board.usb_control import FLEX_ARRAY, XVF3800_ARRAY, UsbArray, connect
from device.board.xvf3800 import Xvf3800
from device.doctor.board import finding
from device.doctor.result import Cure, Result, Verdict, hint, judged, skipped
from device.doctor.scene import Scene
from device.errors import BoardError

ARRAYS = {"xvf3800": XVF3800_ARRAY, "flex": FLEX_ARRAY}
"""By the names of their profiles."""

_AGAIN = (
    "control commands (xvf_host) or a saved configuration have done that: plug it out and in, or"
    " 'sudo parley doctor --fix' routes it until it loses power; if it is always so again, Seeed's"
    " 'xvf_host clear_configuration 1' or flashing its firmware anew mends it"
)
_AMPLIFIER = (
    "its amplifier is off, and a loudspeaker at its connector stays silent: plug it out and in, or"
    " 'sudo parley doctor --fix' switches it on"
)


def array(scene: Scene) -> Iterator[Result]:
    """Read the routes of both channels, and judge the one that is listened to."""
    try:
        found = finding(scene)
    except BoardError:
        return
    board = found.board
    kind = ARRAYS.get(board.name)
    if kind is None or found.card is None:
        yield skipped("array", f"the {board.label} has no routes that can be read")
        return
    channel = _channel(scene, board, found.card.capture_channels or 2)
    try:
        with closing(connect(kind, scene.usb)) as control:
            chip = Xvf3800(control)
            version = ".".join(map(str, chip.version()))
            routes = chip.routes()
            amplified = chip.amplified() if board.mute_switch is MuteSwitch.READABLE else None
    except BoardError as error:
        yield hint("array", "it does not tell what it sends", str(error))
        return
    yield _judged(scene, kind, channel, routes, amplified=amplified, version=version)


def _channel(scene: Scene, board: Profile, count: int) -> int:
    """Return which of its channels is listened to, or would be."""
    used = scene.microphone
    if used is not None and used.channel is not None:
        return used.channel
    wanted = scene.config.audio.input.channel
    return wanted if isinstance(wanted, int) else board.channel_of(count)


def _judged(
    scene: Scene,
    kind: UsbArray,
    channel: int,
    routes: tuple[Route, ...],
    *,
    amplified: bool | None,
    version: str,
) -> Result:
    listened = routes[channel] if channel < len(routes) else None
    told = ", ".join(
        f"channel {place}{'*' if place == channel else ''} {route}"
        for place, route in enumerate(routes)
    )
    advice: list[str] = []
    verdict = Verdict.FINE
    if listened is not None and listened.use is not Use.VOICE:
        deaf = listened.use is Use.NONE
        verdict = Verdict.BROKEN if deaf else Verdict.HINT
        what = "nobody is heard on it" if deaf else "it is faint, with the echo in it"
        advice.append(f"channel {channel} is listened to, and {what}; {_AGAIN}")
    if amplified is False:
        verdict = max(verdict, Verdict.HINT, key=[*Verdict].index)
        advice.append(_AMPLIFIER)
    figures = {
        "firmware": version,
        "channel": channel,
        "routes": [list(route) for route in routes],
        "amplified": amplified,
    }
    mended = f"the {kind} sends what it should, until it loses power"
    cure = Cure(mended, lambda: _mend(scene, kind, channel))
    figure = f"firmware {version}: {told}{'; amplifier off' if amplified is False else ''}"
    return judged("array", verdict, figure, "; ".join(advice), cure, **figures)


def _mend(scene: Scene, kind: UsbArray, channel: int) -> None:
    """Route the channel that is listened to, and switch the amplifier on, where that is wrong."""
    with closing(connect(kind, scene.usb)) as control:
        chip = Xvf3800(control)
        routes = chip.routes()
        if channel < len(routes) and routes[channel].use is not Use.VOICE:
            chip.route(channel, ROUTES[channel])
        if kind is XVF3800_ARRAY and chip.amplified() is False:
            chip.amplify()
