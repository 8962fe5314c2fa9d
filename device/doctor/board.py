"""These checks look at kernel, overlay and sound card, and at what the speaker may use."""

from __future__ import annotations

import grp
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from device.board.advice import SPI_ON
from device.board.detection import Finding
from device.board.kernel import read_evidence
from device.board.profiles import NONE, SEEED, LedDriver, Profile
from device.doctor.result import Cure, Result, Verdict, broken, fine, judged
from device.doctor.scene import Scene
from device.errors import BoardError


def finding(scene: Scene) -> Finding:
    """Report which board is in force, and why. Raises BoardError."""
    return scene.boards.finding(scene.config, scene.microphone)


def kernel(scene: Scene) -> Iterator[Result]:
    """Report what runs here, on what, and which boards it was told of."""
    evidence = read_evidence(scene.root)
    release = scene.text("proc/sys/kernel/osrelease") or os.uname().release
    overlays = list(evidence.boot.overlays) if evidence.boot else []
    parts = [
        evidence.model or f"no Raspberry Pi ({os.uname().machine})",
        f"kernel {release}",
        f"overlays: {', '.join(overlays)}" if overlays else "",
        f"HAT: {evidence.hat}" if evidence.hat else "",
    ]
    figure = ", ".join(part for part in parts if part)
    yield fine("kernel", figure, release=release, model=evidence.model, overlays=overlays)


def board(scene: Scene) -> Iterator[Result]:
    """The board, its card, and what keeps it from being all it can be."""
    try:
        found = finding(scene)
    except BoardError as error:
        yield broken("board", f"board: {scene.config.board}", str(error))
        return
    name = found.board.name
    advice = "; ".join(found.advice)
    missing = found.board is not NONE and found.card is None
    figures = {"board": name, "card": found.card.name if found.card else None}
    verdict = Verdict.HINT if found.advice else Verdict.FINE
    if missing and found.board.channel_maps and scene.status is None:
        verdict = Verdict.BROKEN
        advice = advice or "its sound card is not there: check cable or overlay; see: dmesg"
    yield judged(
        "board", verdict, f"{found.board.label}: {found.why}", advice, _spi(scene, found), **figures
    )


def _spi(scene: Scene, found: Finding) -> Cure | None:
    """SPI can be switched on by itself."""
    if not any(SPI_ON in advice for advice in found.advice):
        return None
    words = SPI_ON.split()[1:]
    return Cure("SPI is switched on; it takes a reboot: sudo reboot", lambda: scene.must(words))


def nodes(scene: Scene) -> Iterator[Result]:
    """The device files, and whether the speaker's user may open them."""
    devices = scene.root / "dev"
    kinds = {
        "capture": sorted(devices.glob("snd/pcmC*c")),
        "playback": sorted(devices.glob("snd/pcmC*p")),
        "gpio": sorted(devices.glob("gpiochip*")),
        "spi": sorted(devices.glob("spidev*")),
        "usb_array": _array_nodes(scene),
    }
    counts = {kind: len(paths) for kind, paths in kinds.items()}
    figure = ", ".join(
        f"{count} {kind.replace('_', ' ')}" for kind, count in counts.items() if count
    )
    closed = [path for kind in kinds for path in kinds[kind] if not _may_use(scene, path)]
    missing = sorted({_group_of(path) for path in closed})
    if not closed:
        yield fine(
            "devices", f"{figure or 'no device files'}, open to {scene.account.name}", **counts
        )
        return
    shown = ", ".join(f"/{path.relative_to(scene.root)}" for path in closed[:3])
    more = f" and {len(closed) - 3} more" if len(closed) > 3 else ""
    groups = ",".join(group for group in missing if group not in {"", "root"})
    words = ["usermod", "-aG", groups, scene.account.name]
    advice = f"sudo {' '.join(words)}, then sudo systemctl restart parley"
    if not groups:
        advice = "the installer's udev rules are missing: sudo ./install.sh"
    cure = Cure(f"{scene.account.name} is in {groups} now", lambda: scene.must(words))
    what = f"{scene.account.name} may not use {shown}{more}"
    wanted = [path for path in closed if path not in kinds["gpio"] + kinds["spi"]]
    verdict = Verdict.BROKEN if wanted or _needs_pins(scene) else Verdict.HINT
    yield judged(
        "devices", verdict, what, advice, cure if groups else None, missing_groups=missing, **counts
    )


def _needs_pins(scene: Scene) -> bool:
    try:
        profile: Profile = finding(scene).board
    except BoardError:
        return False
    return profile.led_driver is LedDriver.APA102 or profile.button_pin is not None


def _array_nodes(scene: Scene) -> list[Path]:
    """The USB device files of ReSpeaker arrays that have lights or a switch to talk to."""
    found = []
    for vendor in sorted((scene.root / "sys/bus/usb/devices").glob("*/idVendor")):
        text = {
            name: scene.text(str((vendor.parent / name).relative_to(scene.root))) or ""
            for name in ("idVendor", "idProduct", "busnum", "devnum")
        }
        if text["idVendor"] == f"{SEEED:04x}" and text["busnum"].isdecimal():
            node = f"dev/bus/usb/{int(text['busnum']):03}/{int(text['devnum']):03}"
            if (scene.root / node).exists():
                found.append(scene.root / node)
    return found


def _may_use(scene: Scene, path: Path) -> bool:
    try:
        about = path.stat()
    except OSError:
        return False
    account = scene.account
    if account.uid == 0:
        return True
    if about.st_uid == account.uid:
        return bool(about.st_mode & stat.S_IWUSR)
    bit = stat.S_IWGRP if about.st_gid in account.gids else stat.S_IWOTH
    return bool(about.st_mode & bit)


def _group_of(path: Path) -> str:
    try:
        about = path.stat()
        return grp.getgrgid(about.st_gid).gr_name if about.st_mode & stat.S_IWGRP else ""
    except (OSError, KeyError):
        return ""
