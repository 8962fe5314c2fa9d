"""The clocks of this computer, and what the kernel wakes up for."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import time
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from device.timers.clocks import BOOT_ID, KernelClocks, local_zone
from device.timers.schedule import Look

NEVER = Path("/nowhere")


@pytest.fixture
def kernel() -> Iterator[KernelClocks]:
    found = KernelClocks(earliest_s=0.0, synchronised=NEVER)
    yield found
    found.close()


async def woken(kernel: KernelClocks, within_s: float) -> bool:
    """Whether it wakes up within that time."""
    try:
        await asyncio.wait_for(kernel.wait(), within_s)
    except TimeoutError:
        return False
    return True


def test_it_reads_the_clocks_of_the_kernel(kernel: KernelClocks) -> None:
    """Both, and which start of the computer this is."""
    now = kernel.read(UTC)
    assert now.boot_id == BOOT_ID.read_text().strip()
    assert 0 <= time.clock_gettime(time.CLOCK_BOOTTIME) - now.boot_s < 5
    assert 0 <= time.time() - now.wall_s < 5
    assert now.zone is UTC
    assert now.plausible


def test_a_time_that_cannot_be_is_not_plausible() -> None:
    """Earlier than the code that asks."""
    early = KernelClocks(earliest_s=time.time() + 1_000)
    assert not early.read(UTC).plausible
    early.close()


class Libc:
    """The C library, but for what the kernel says of its clock."""

    def __init__(self, told: int = 0, refused: str = "") -> None:
        self._told = told
        self._refused = refused
        self._real = ctypes.CDLL(None, use_errno=True)

    def adjtimex(self, timex: ctypes.Array[ctypes.c_char]) -> int:
        assert len(timex) >= 208
        assert set(timex.raw) == {0}, "nothing is set"
        return self._told

    def __getattr__(self, name: str) -> object:
        return self._refuse if name == self._refused else getattr(self._real, name)

    def _refuse(self, *_: object) -> int:
        ctypes.set_errno(errno.ENOSYS)
        return -1


@pytest.mark.parametrize(
    ("told", "synchronised"),
    [(0, True), (1, True), (4, True), (5, False), (-1, False)],
    ids=["fine", "leap second", "wait", "error", "refused"],
)
def test_the_kernel_knows_whether_a_time_server_answers(told: int, synchronised: bool) -> None:
    """In the unit it may not be asked: then nobody knows."""
    kernel = KernelClocks(earliest_s=0.0, synchronised=NEVER, libc=Libc(told))
    assert kernel.read(UTC).synchronised is synchronised
    kernel.close()


def test_the_file_of_timesyncd_is_a_witness_too(tmp_path: Path) -> None:
    """From the moment it is there."""
    file = tmp_path / "synchronized"
    kernel = KernelClocks(earliest_s=0.0, synchronised=file, libc=Libc(-1))
    assert not kernel.read(UTC).synchronised
    file.touch()
    assert kernel.read(UTC).synchronised
    kernel.close()


def test_a_clock_that_somebody_sets_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """By more than a second, and for good."""
    kernel = KernelClocks(earliest_s=0.0, synchronised=NEVER, libc=Libc(-1))
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 0.5)
    assert not kernel.read(UTC).synchronised
    monkeypatch.setattr(time, "time", lambda: real() + 86_400)
    assert kernel.read(UTC).synchronised
    monkeypatch.undo()
    assert kernel.read(UTC).synchronised
    kernel.close()


@pytest.mark.parametrize("clock", ["boot", "wall"])
async def test_it_wakes_up_in_time_and_never_early(kernel: KernelClocks, clock: str) -> None:
    """By either clock; and sleeps on until it is armed again."""
    now = kernel.read(UTC)
    kernel.arm(Look(now.boot_s + 0.05, None) if clock == "boot" else Look(None, now.wall_s + 0.05))
    assert await woken(kernel, 30)
    then = kernel.read(UTC)
    assert (then.boot_s - now.boot_s if clock == "boot" else then.wall_s - now.wall_s) >= 0.05
    assert not await woken(kernel, 0.05)


async def test_what_is_past_wakes_at_once_and_what_is_disarmed_never(kernel: KernelClocks) -> None:
    """Also a time of 0, which the kernel takes for none."""
    for look in (Look(0.0, None), Look(None, 0.0), Look(-5.0, -5.0)):
        kernel.arm(look)
        assert await woken(kernel, 30)
    kernel.arm(Look(0.0, 0.0))
    kernel.arm(Look(None, None))
    assert not await woken(kernel, 0.05)


async def test_it_is_armed_again_while_somebody_waits(kernel: KernelClocks) -> None:
    """What was set later may come earlier."""
    kernel.arm(Look(kernel.read(UTC).boot_s + 1_000, None))
    waiting = asyncio.create_task(woken(kernel, 30))
    await asyncio.sleep(0)
    kernel.arm(Look(kernel.read(UTC).boot_s + 0.02, None))
    assert await waiting


def set_the_clock_to_what_it_is() -> None:
    """Off by some microseconds; it is a setting all the same, and told to whoever waits for one."""
    try:
        time.clock_settime(time.CLOCK_REALTIME, time.clock_gettime(time.CLOCK_REALTIME))
    except PermissionError:
        pytest.skip("this process may not set the clock")


async def test_a_clock_that_is_set_wakes_it(kernel: KernelClocks) -> None:
    """Whatever it is armed for, be it nothing."""
    for look in (Look(None, None), Look(None, time.time() + 1_000)):
        kernel.arm(look)
        waiting = asyncio.create_task(woken(kernel, 30))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        set_the_clock_to_what_it_is()
        assert await waiting
        assert not await woken(kernel, 0.05)


async def test_a_clock_that_is_set_while_nobody_waits_wakes_who_comes(
    kernel: KernelClocks,
) -> None:
    """Also where it was armed anew in between, which swallows what the kernel has to tell."""
    set_the_clock_to_what_it_is()
    assert await woken(kernel, 30)
    set_the_clock_to_what_it_is()
    kernel.arm(Look(None, None))
    assert await woken(kernel, 30)
    assert not await woken(kernel, 0.05)


async def test_another_zone_wakes_it(tmp_path: Path) -> None:
    """As timedatectl puts it there: a link that is renamed."""
    place = tmp_path / "localtime"
    place.symlink_to("/usr/share/zoneinfo/Europe/Berlin")
    kernel = KernelClocks(earliest_s=0.0, localtime=place)
    assert not await woken(kernel, 0.05)
    (tmp_path / "fresh").symlink_to("/usr/share/zoneinfo/America/New_York")
    (tmp_path / "fresh").rename(place)
    assert await woken(kernel, 30)
    assert local_zone(place) == ZoneInfo("America/New_York")
    kernel.close()


@pytest.mark.parametrize("call", ["inotify_init1", "inotify_add_watch"])
async def test_without_notice_of_the_zone_it_wakes_up_all_the_same(
    call: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A kernel gives a user so many watches and no more."""
    kernel = KernelClocks(earliest_s=0.0, libc=Libc(refused=call))
    (told,) = caplog.messages
    assert call in told
    kernel.arm(Look(0.0, None))
    assert await woken(kernel, 30)
    kernel.close()


@pytest.mark.parametrize("call", ["timerfd_create", "timerfd_settime"])
def test_a_kernel_without_such_timers_is_told(call: str) -> None:
    """By the call that it refused; nothing stays open."""
    before = open_files()
    with pytest.raises(OSError, match=f"{call}: Function not implemented"):
        KernelClocks(earliest_s=0.0, libc=Libc(refused=call))
    assert open_files() == before


def open_files() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def test_what_is_closed_is_given_back_and_arms_nothing() -> None:
    """Another file may have its number by then."""
    before = open_files()
    kernel = KernelClocks(earliest_s=0.0)
    kernel.close()
    kernel.close()
    kernel.arm(Look(0.0, 0.0))
    assert open_files() == before
    assert kernel.read(UTC).wall_s > 0


def test_the_zone_is_found_as_the_c_library_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By TZ, by the name that the link has, by what is in the file; UTC where nobody tells."""
    monkeypatch.delenv("TZ", raising=False)
    assert local_zone(tmp_path / "none") is UTC
    link = tmp_path / "link"
    link.symlink_to("/usr/share/zoneinfo/Asia/Tokyo")
    assert local_zone(link) == ZoneInfo("Asia/Tokyo")
    copy = tmp_path / "copy"
    copy.write_bytes(Path("/usr/share/zoneinfo/Asia/Tokyo").read_bytes())
    offset = local_zone(copy).utcoffset(None) or ZoneInfo("Asia/Tokyo").utcoffset(None)
    assert local_zone(copy) is not UTC
    assert offset == ZoneInfo("Asia/Tokyo").utcoffset(None)
    (tmp_path / "text").write_text("no zone")
    assert local_zone(tmp_path / "text") is UTC
    monkeypatch.setenv("TZ", ":America/New_York")
    assert local_zone(link) == ZoneInfo("America/New_York")
    monkeypatch.setenv("TZ", "Nowhere/At_All")
    assert local_zone(link) == ZoneInfo("Asia/Tokyo")
    monkeypatch.setenv("TZ", "../../etc/passwd")
    assert local_zone(link) == ZoneInfo("Asia/Tokyo")
