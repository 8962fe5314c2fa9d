"""These checks look at the machine itself: clock, disk, memory, temperature and power."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from device.doctor.result import Result, Verdict, broken, fine, hint, judged, skipped
from device.doctor.scene import Scene
from device.live.network import RELEASED

MB = 1_000_000
LITTLE_DISK_BYTES, NO_DISK_BYTES = 500 * MB, 50 * MB
LITTLE_MEMORY_BYTES, NO_MEMORY_BYTES = 120 * MB, 40 * MB
"""A speaker takes about 150 MB; these are what is left beside it."""
SMALL_BYTES = 512 * MB
LARGE_CMA_BYTES = 100 * MB
"""Set aside for pictures (contiguous memory allocator): 256 MB as Raspberry Pi OS comes."""
CMA_ADVICE = (
    "no screen? give the memory for pictures back: dtoverlay=vc4-kms-v3d,cma-64 in "
    "/boot/firmware/config.txt, then reboot"
)
WARM_C, HOT_C = 75.0, 82.0
"""From 80 degrees on a Raspberry Pi slows down, at 85 it crawls."""

THROTTLED = {
    0: ("under-voltage now", Verdict.BROKEN),
    2: ("slowed down now", Verdict.HINT),
    3: ("at its temperature limit now", Verdict.HINT),
    16: ("under-voltage since the start", Verdict.HINT),
    18: ("was slowed down since the start", Verdict.HINT),
}
"""Bits of vcgencmd get_throttled (Raspberry Pi documentation) that matter to a speaker."""
POWER_ADVICE = (
    "use the Raspberry Pi's own power supply and a short cable: too low a voltage loses USB arrays "
    "and corrupts the card"
)


def clock(scene: Scene) -> Iterator[Result]:
    """The time of day: every certificate is judged by it."""
    now = time.time()
    told = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M UTC")
    synchronised = _synchronised(scene)
    figures: dict[str, Any] = {"utc": told, "synchronised": synchronised}
    advice = "sudo timedatectl set-ntp true; it takes a network"
    if now < RELEASED:
        yield broken("clock", f"{told}, which cannot be", advice, **figures)
    elif synchronised is False:
        yield hint("clock", f"{told}, not synchronised", advice, **figures)
    else:
        how = "synchronised" if synchronised else "plausible"
        yield fine("clock", f"{told}, {how}", **figures)


def _synchronised(scene: Scene) -> bool | None:
    if (scene.root / "run/systemd/timesync/synchronized").exists():
        return True
    told = scene.run(["timedatectl", "show", "--property=NTPSynchronized", "--value"])
    return {"yes": True, "no": False}.get(told.out.strip()) if told.worked else None


def disk(scene: Scene) -> Iterator[Result]:
    """Room where the speaker keeps what outlives it."""
    place = scene.state_folder or scene.root
    space = scene.space(place)
    figures: dict[str, Any] = {
        "path": str(place),
        "free_mb": space.free_bytes // MB,
        "total_mb": space.total_bytes // MB,
        "read_only": space.read_only,
    }
    figure = f"{space.free_bytes // MB} of {space.total_bytes // MB} MB free at {place}"
    if space.read_only:
        advice = "the system mounts a worn card so: check dmesg, replace the card"
        yield broken("disk", f"{place} is read-only", advice, **figures)
        return
    verdict = _below(space.free_bytes, LITTLE_DISK_BYTES, NO_DISK_BYTES)
    advice = "make room: sudo apt clean; sudo journalctl --vacuum-size=50M"
    yield judged("disk", verdict, figure, advice, None, **figures)


def memory(scene: Scene) -> Iterator[Result]:
    """Report what is left beside everything that runs."""
    known = dict(re.findall(r"(\w+):\s+(\d+) kB", scene.text("proc/meminfo") or ""))
    if "MemAvailable" not in known or "MemTotal" not in known:
        yield skipped("memory", "the kernel does not tell")
        return
    available, total = (int(known[name]) * 1024 for name in ("MemAvailable", "MemTotal"))
    cma = int(known.get("CmaTotal", 0)) * 1024
    verdict = _below(available, LITTLE_MEMORY_BYTES, NO_MEMORY_BYTES)
    advice = "end what else runs here, or use a model with 1 GB"
    if total < SMALL_BYTES and cma > LARGE_CMA_BYTES:
        advice = CMA_ADVICE if verdict is Verdict.FINE else f"{advice}; {CMA_ADVICE}"
        verdict = Verdict.HINT if verdict is Verdict.FINE else verdict
    yield judged(
        "memory",
        verdict,
        f"{available // MB} of {total // MB} MB available",
        advice,
        None,
        available_mb=available // MB,
        total_mb=total // MB,
        cma_mb=cma // MB,
    )


def _below(value: int, little: int, nothing: int) -> Verdict:
    if value < nothing:
        return Verdict.BROKEN
    return Verdict.HINT if value < little else Verdict.FINE


def temperature(scene: Scene) -> Iterator[Result]:
    """Of the hottest sensor of the processor."""
    found = []
    for zone in sorted((scene.root / "sys/class/thermal").glob("thermal_zone*/temp")):
        told = scene.text(str(zone.relative_to(scene.root))) or ""
        if told.lstrip("-").isdecimal():
            found.append(int(told) / 1000)
    if not found:
        yield skipped("temperature", "this machine has no sensor that the kernel knows")
        return
    hottest = max(found)
    hot = Verdict.BROKEN if hottest >= HOT_C else Verdict.HINT
    yield judged(
        "temperature",
        hot if hottest >= WARM_C else Verdict.FINE,
        f"{hottest:.0f} °C",
        "give it air or a heat sink: it slows down at 80 °C, and the sound stutters",
        None,
        celsius=round(hottest, 1),
    )


def power(scene: Scene) -> Iterator[Result]:
    """Under-voltage, the commonest trouble of a Raspberry Pi with a USB array."""
    told = scene.run(["vcgencmd", "get_throttled"])
    match = re.search(r"throttled=0x([0-9a-fA-F]+)", told.out) if told.worked else None
    if match:
        yield _throttled(int(match[1], 16))
        return
    for name in sorted((scene.root / "sys/class/hwmon").glob("hwmon*/name")):
        if scene.text(str(name.relative_to(scene.root))) == "rpi_volt":
            alarm = scene.text(str((name.parent / "in0_lcrit_alarm").relative_to(scene.root)))
            figure = "under-voltage" if alarm == "1" else "no under-voltage"
            verdict = Verdict.BROKEN if alarm == "1" else Verdict.FINE
            yield judged("power", verdict, figure, POWER_ADVICE, None, under_voltage=alarm == "1")
            return
    yield skipped("power", "no Raspberry Pi: nothing here measures the voltage")


def _throttled(bits: int) -> Result:
    told = [each for bit, each in THROTTLED.items() if bits >> bit & 1]
    verdicts = {verdict for _, verdict in told}
    verdict = Verdict.HINT if told else Verdict.FINE
    if Verdict.BROKEN in verdicts:
        verdict = Verdict.BROKEN
    figure = ", ".join(text for text, _ in told) or "never too low since the start"
    return judged("power", verdict, figure, POWER_ADVICE, None, throttled=f"{bits:#x}")
