"""Clips of wakes wait for a quiet moment, and no trouble with them reaches a talk."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from device.assistant.wake_clips import BATCH_S, WakeClips
from device.conversation.states import State
from device.errors import WakeClipError
from device.events import EventName
from device.news import KeepWakes, Mute, Stop, WakeClip
from device.state.wake_clips import MOST_CLIPS, ClipFolder, KeptClip
from tests.rig.fakes import Hub, until
from tests.state.clips import LONG_AGO, fill, kept, wake_clip


class Slow(ClipFolder):
    """A folder on a disk that does nothing until it is let go on."""

    def __init__(self, state: Path) -> None:
        super().__init__(state)
        self.goes_on = threading.Event()
        self.writes: list[list[str]] = []
        self.broken: OSError | None = None

    def add(self, clips: object, oldest: float, clearings: int) -> list[KeptClip]:
        assert isinstance(clips, list)
        self.writes.append([each.id for each in clips])
        assert self.goes_on.wait(30)
        if self.broken is not None:
            raise self.broken
        return super().add(clips, oldest, clearings)


class House:
    """A hub, its clips on a slow disk, and a clock that is moved by hand."""

    def __init__(self, state: Path) -> None:
        self.hub = Hub("wake: {keep: all}")
        self.folder = Slow(state)
        self.now = 1000.0
        hub = self.hub.assistant
        self.clips = WakeClips(
            self.folder, hub.settings, hub.talk, hub.records, hub.faults, lambda: self.now
        )

    def hear(self, clip: WakeClip | None = None) -> None:
        self.clips.note(clip or wake_clip(time=self.now))

    @property
    def waiting(self) -> int:
        found: int = self.clips.as_dict()["waiting"]
        return found


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path)
    async with house.hub.running():
        yield house
        house.folder.goes_on.set()
        await until(lambda: house.clips._writing is None)


async def test_clips_are_written_ten_minutes_after_the_first(house: House) -> None:
    """All at once, and not again before another ten minutes have passed."""
    house.folder.goes_on.set()
    house.hear()
    house.now += BATCH_S - 1
    house.hear()
    house.clips.beat()
    assert house.folder.writes == []
    house.now += 1
    house.clips.beat()
    await until(lambda: not house.waiting)
    house.hear()
    house.clips.beat()
    assert [len(batch) for batch in house.folder.writes] == [2]
    house.now += BATCH_S
    house.clips.beat()
    await until(lambda: not house.waiting)
    assert [len(batch) for batch in house.folder.writes] == [2, 1]
    assert len((await house.clips.contents()).clips) == 3
    assert house.clips.counters == {"taken": 3, "dropped": 0}


async def test_nothing_is_written_in_a_talk(house: House) -> None:
    """But as soon as it is over."""
    house.folder.goes_on.set()
    house.hear()
    await house.hub.wake()
    assert house.hub.state == "listening"
    house.now += 3 * BATCH_S
    house.clips.beat()
    assert house.folder.writes == []
    house.hub.assistant.post(Stop())
    await until(lambda: house.hub.state == "idle")
    house.clips.beat()
    assert len(house.folder.writes) == 1


async def test_the_goodbye_writes_what_waits(house: House) -> None:
    """Also what came while an earlier batch was on its way."""
    house.hear()
    house.now += BATCH_S
    house.clips.beat()
    house.hear()
    goodbye = asyncio.ensure_future(house.clips.kept())
    house.folder.goes_on.set()
    await goodbye
    assert house.waiting == 0
    assert [len(batch) for batch in house.folder.writes] == [1, 1]
    assert len(house.folder.contents().clips) == 2


async def test_a_disk_that_hangs_holds_no_goodbye_up(
    house: House, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is lost is told."""
    monkeypatch.setattr("device.assistant.wake_clips.GOODBYE_S", 0.05)
    house.hear()
    await house.clips.kept()
    assert "the disk takes nothing: clips of wakes are lost, 1 of them" in caplog.text


async def test_a_goodbye_with_nothing_to_write_leaves_the_disk_alone(house: House) -> None:
    """At once."""
    await house.clips.kept()
    assert house.folder.writes == []


async def test_muted_nothing_is_kept(house: House) -> None:
    """What was on its way from the networks neither; what was heard before stays."""
    house.hear()
    house.hub.assistant.post(Mute())
    await until(lambda: house.hub.assistant.talk.now.rest is State.MUTED)
    house.hear()
    assert house.waiting == 1


@pytest.mark.parametrize(
    ("keep", "taken"), [("none", []), ("near", [False]), ("all", [False, True])]
)
async def test_only_what_the_owner_wants_is_kept(
    tmp_path: Path, keep: KeepWakes, taken: list[bool]
) -> None:
    """By what is in force when it comes, whatever the networks still post."""
    hub = Hub(f"wake: {{keep: {keep}}}", state=tmp_path)
    async with hub.running():
        assert hub.detector.keeps == keep
        hub.assistant.post(wake_clip(woke=False))
        hub.assistant.post(wake_clip(woke=True))
        found = await hub.assistant.wake_clips.contents()
        assert sorted(each.clip.woke for each in found.clips) == taken
    assert len(ClipFolder(tmp_path).contents().clips) == len(taken), "written at the goodbye"


async def test_the_journal_says_at_the_start_that_clips_are_kept(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """And nothing where none are."""
    caplog.set_level(logging.INFO)
    async with Hub("wake: {keep: near}").running():
        pass
    told = "clips of near misses are kept on this device, the newest 50 (wake.keep: near)"
    assert told in caplog.text
    caplog.clear()
    async with Hub().running():
        pass
    assert "wake.keep" not in caplog.text


async def test_a_disk_that_takes_nothing_is_a_fault_and_is_tried_again(house: House) -> None:
    """The talk goes on, what waits is kept; ten minutes later it is written, and the fault over."""
    house.folder.goes_on.set()
    house.folder.broken = OSError(28, "No space left on device", "/var/lib/parley/wakes/a.wav")
    house.hear()
    house.now += BATCH_S
    house.clips.beat()
    faults = house.hub.assistant.faults
    await until(lambda: faults.in_force("wake_clips"))
    (told,) = house.hub.told(EventName.FAULT, kind="wake_clips")
    assert "wakes/a.wav: No space left on device" in told.fields["message"]
    assert "see that the disk has room" in told.fields["message"]
    assert not told.fields["fatal"]
    assert house.hub.assistant.panel.shows.value == "mistake"
    assert house.waiting == 1
    await house.hub.wake()
    assert house.hub.state == "listening"
    house.hub.assistant.post(Stop())
    await until(lambda: house.hub.state == "idle")
    house.folder.broken = None
    house.now += BATCH_S
    house.clips.beat()
    await until(lambda: not house.waiting)
    assert not faults.in_force("wake_clips")
    assert house.hub.told(EventName.FAULT, kind="wake_clips", cleared=True)


async def test_an_error_that_nobody_expects_ends_the_speaker(house: House) -> None:
    """As everywhere: systemd starts another."""
    house.folder.goes_on.set()
    house.folder.broken = ValueError("a mistake of ours")  # type: ignore[assignment]
    broken: list[object] = []
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _loop, context: broken.append(context["exception"]))
    try:
        house.hear()
        house.now += BATCH_S
        house.clips.beat()
        await until(lambda: broken)
    finally:
        loop.set_exception_handler(before)
    assert broken == [house.folder.broken]


async def test_while_the_disk_takes_nothing_the_oldest_make_room(house: House) -> None:
    """Not those that their owner has labelled; it is counted."""
    for number in range(MOST_CLIPS):
        house.now += 1
        house.hear(wake_clip(time=house.now, score=0.3 + number / 1000))
    first = (await house.clips.contents()).clips[0]
    await house.clips.label(first.id, said=True)
    house.now += BATCH_S
    house.hear()
    found = (await house.clips.contents()).clips
    assert len(found) == house.waiting == MOST_CLIPS
    assert found[0].id == first.id
    assert round(found[1].clip.score, 3) == 0.302
    assert house.clips.counters == {"taken": MOST_CLIPS + 1, "dropped": 1}


async def test_however_much_resembles_the_word_the_disk_is_spared(house: House) -> None:
    """Fifty at once, then one in ten minutes."""
    for _ in range(MOST_CLIPS + 20):
        house.hear()
    assert house.clips.counters == {"taken": MOST_CLIPS, "dropped": 20}
    taken = 0
    for _ in range(24 * 60):
        house.now += 60
        before = house.clips.counters["taken"]
        house.hear()
        taken += house.clips.counters["taken"] - before
    assert 143 <= taken <= 144


async def test_when_it_was_heard_is_told_by_the_clock_of_the_records(house: House) -> None:
    """Not when the news came."""
    house.now += 100
    house.hear(wake_clip(time=house.now - 7))
    (found,) = (await house.clips.contents()).clips
    assert found.at == pytest.approx(house.hub.assistant.records.now() - 7, abs=5)


# --- what is asked -------------------------------------------------------------------------------


async def test_what_waits_is_listed_played_and_labelled_as_the_rest_is(house: House) -> None:
    """Nobody has to know where it is."""
    fill(house.folder.path.parent if house.folder.path else Path(), kept("aaaaa", LONG_AGO + 1))
    house.hear()
    old, new = (await house.clips.contents()).clips
    assert old.id == "aaaaa"
    for each in (old, new):
        assert (await house.clips.clip(each.id)).clip.pcm == each.clip.pcm
        assert (await house.clips.label(each.id, said=True)).said is True
        assert (await house.clips.clip(each.id)).said is True
    with pytest.raises(WakeClipError, match="there is no clip 'nnnnn'"):
        await house.clips.clip("nnnnn")


async def test_a_label_that_comes_while_the_clip_is_written_is_not_lost(house: House) -> None:
    """It is written again."""
    house.hear()
    house.now += BATCH_S
    house.clips.beat()
    await until(lambda: house.folder.writes)
    ((name,),) = house.folder.writes
    await house.clips.label(name, said=True)
    house.folder.goes_on.set()
    await until(lambda: house.clips._writing is None)
    assert house.waiting == 1
    house.now += BATCH_S
    house.clips.beat()
    await until(lambda: not house.waiting)
    assert house.folder.clip(name).said is True


async def test_what_was_labelled_is_written_soon(house: House) -> None:
    """Nobody listens to a clip twice since the power was cut."""
    house.folder.goes_on.set()
    house.hear()
    (clip,) = (await house.clips.contents()).clips
    house.clips.beat()
    assert house.folder.writes == []
    await house.clips.label(clip.id, said=False)
    house.clips.beat()
    await until(lambda: not house.waiting)
    assert house.folder.clip(clip.id).said is False


async def test_one_clip_is_removed_wherever_it_is(house: House) -> None:
    """Waiting, on its way to the disk, or there; the others stay."""
    house.hear()
    house.now += BATCH_S
    house.hear()
    house.clips.beat()
    await until(lambda: house.folder.writes)
    ((first, second),) = house.folder.writes
    removing = asyncio.create_task(house.clips.remove(first))
    house.folder.goes_on.set()
    await removing
    await until(lambda: house.clips._writing is None)
    house.hear()
    (third,) = {each.id for each in (await house.clips.contents()).clips} - {second}
    await house.clips.remove(third)
    with pytest.raises(WakeClipError, match=f"there is no clip '{third}'"):
        await house.clips.remove(third)
    assert [each.id for each in (await house.clips.contents()).clips] == [second]
    await house.clips.kept()
    assert [each.id for each in house.folder.contents().clips] == [second]


async def test_cleared_is_what_waits_and_what_is_on_its_way_too(house: House) -> None:
    """Nothing comes back."""
    house.hear()
    house.now += BATCH_S
    house.clips.beat()
    await until(lambda: house.folder.writes)
    house.hear()
    assert await house.clips.clear() == 2
    house.folder.goes_on.set()
    await until(lambda: house.clips._writing is None)
    assert (await house.clips.contents()).clips == []
    assert house.waiting == 0


async def test_a_folder_that_cannot_be_used_is_told_to_who_asks(tmp_path: Path) -> None:
    """With its name and what to do."""
    (tmp_path / "wakes").symlink_to(tmp_path)
    hub = Hub("wake: {keep: near}", state=tmp_path)
    async with hub.running():
        with pytest.raises(WakeClipError, match=r"wakes: it is no folder\): see that"):
            await hub.assistant.wake_clips.contents()
        hub.assistant.post(wake_clip())
        assert hub.state == "idle"


async def test_old_clips_go_once_a_day_without_new_ones(house: House) -> None:
    """At rest, though nothing is kept any more."""
    assert house.folder.path is not None
    fill(house.folder.path.parent, kept("aaaaa", LONG_AGO + 1))
    house.now += BATCH_S
    house.clips.beat()
    await until(lambda: house.clips._writing is None)
    assert house.folder.contents().clips == []
    assert house.folder.writes == []
