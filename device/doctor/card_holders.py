"""One check tells who holds the sound cards open: what one has taken no other can have.

On a desktop it is the sound server of whoever has logged in, which takes every card it finds; for
the speaker, a user without a session, they are busy then.
"""

from __future__ import annotations

import pwd
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from device.doctor.result import Result, fine, hint, skipped
from device.doctor.scene import Scene

STREAMS = "/dev/snd/pcm"
"""ALSA's device files that one records from and plays to; many may have the mixer open."""
SOUND_SERVERS = ("pipewire", "wireplumber", "pulseaudio")


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that has a card open."""

    process: int
    program: str
    user: str
    card: str
    """The device file."""

    def __str__(self) -> str:
        return f"{self.program} of user {self.user} (process {self.process}) holds {self.card}"


def card_holders(scene: Scene) -> Iterator[Result]:
    """Name whoever else has a sound card open."""
    try:
        found, unseen = _holders(scene)
    except OSError as error:
        yield skipped("cards held", f"the kernel does not tell: {error.strerror}")
        return
    if found:
        servers = any(each.program.startswith(SOUND_SERVERS) for each in found)
        advice = "end it, or choose another card: audio.input.device, audio.output.device"
        if servers:
            advice = (
                "a sound server of a desktop: start without one (sudo raspi-config nonint "
                "do_boot_behaviour B1, then reboot), or leave that card to it"
            )
        figures = {"holders": [str(each) for each in found]}
        yield hint("cards held", "; ".join(figures["holders"]), advice, None, **figures)
    elif unseen:
        yield skipped("cards held", "only root sees who holds a card", "sudo parley doctor")
    else:
        yield fine("cards held", "by nobody but the speaker", holders=[])


def _holders(scene: Scene) -> tuple[list[Holder], bool]:
    """Return who else holds cards, a process once; and whether some could not be looked at."""
    found, unseen = [], False
    for folder in (scene.root / "proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            uid = folder.stat().st_uid
            card = _card_of(folder)
        except PermissionError:
            unseen = True
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
        else:
            if card and uid != scene.account.uid:
                name = scene.text(f"proc/{folder.name}/comm") or "a program"
                found.append(Holder(int(folder.name), name, _name_of(uid), card))
    return sorted(found, key=lambda each: each.process), unseen


def _card_of(folder: Path) -> str:
    """Return the first card that a process has open, or nothing."""
    for descriptor in (folder / "fd").iterdir():
        try:
            target = str(descriptor.readlink())
        except FileNotFoundError:
            continue
        if target.startswith(STREAMS):
            return target
    return ""


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
