"""A real loudspeaker plays along with the simulated one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from device.audio.loudspeaker import Loudspeaker
from device.errors import AudioDeviceError, DeviceTrouble
from device.news import FirstSound, News
from device.ports import OpenDevice, Speaker
from device.simulator.sound_card import SimulatedCard
from device.simulator.tee import Tee

TOLD = {
    "play": (b"\0\0", 1),
    "end_turn": (1,),
    "chime": ("wake",),
    "announce": (b"\0\0",),
    "hush": (),
    "set_volume": (5,),
    "pause": (),
    "go_on": (),
    "clear": (),
}
"""All that a loudspeaker is told, and with what."""


class RealSpeaker:
    """Notes what is asked of it, and has its own idea of everything."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[object, ...]]] = []
        self.lost = asyncio.Event()
        self.description = "a real card"
        self.device = OpenDevice("card (hw:1,0)", 1, None, 2, 48_000)

    def __getattr__(self, name: str) -> Callable[..., object]:
        def note(*arguments: object) -> int:
            self.asked.append((name, arguments))
            return 77

        return note

    async def open(self, post: Callable[[News], None]) -> None:
        self.asked.append(("open", ()))
        post(FirstSound(1, 0.0))

    async def close(self) -> None:
        self.asked.append(("close", ()))

    async def wait_lost(self) -> None:
        await self.lost.wait()
        raise AudioDeviceError(DeviceTrouble.LOST, "the real card is gone")


async def test_the_real_one_plays_the_same() -> None:
    """It is told all that the other is told, in the same order; what it answers is of no matter."""
    real = RealSpeaker()
    news: list[News] = []
    speaker: Speaker = Tee(Loudspeaker(SimulatedCard()), real)  # type: ignore[arg-type]
    await speaker.open(news.append)
    answers = {name: getattr(speaker, name)(*arguments) for name, arguments in TOLD.items()}
    assert speaker.take_played() == []
    await speaker.close()
    assert real.asked == [("open", ()), *TOLD.items(), ("close", ())]
    told = {name: answer for name, answer in answers.items() if answer is not None}
    assert told == {"clear": 0, "pause": 0, "go_on": 0}
    assert news == []


async def test_news_and_figures_are_those_of_the_simulated_one() -> None:
    """What comes of a real card late, or not at all, changes nothing of what is shown."""
    card = SimulatedCard()
    simulated = Loudspeaker(card)
    news: asyncio.Queue[News] = asyncio.Queue()
    speaker: Speaker = Tee(simulated, RealSpeaker())  # type: ignore[arg-type]
    await speaker.open(news.put_nowait)
    speaker.play(b"\x00\x10" * 24_000, 1)
    assert isinstance(await asyncio.wait_for(news.get(), 10), FirstSound)
    assert (speaker.audible, speaker.level) == (True, simulated.level)
    assert speaker.counters == simulated.counters
    assert len(speaker.take_played()) > 0
    await speaker.close()


async def test_the_loss_of_the_real_one_is_a_loss_and_its_name_is_shown() -> None:
    """It is what can be heard."""
    real = RealSpeaker()
    speaker: Speaker = Tee(Loudspeaker(SimulatedCard()), real)  # type: ignore[arg-type]
    assert (speaker.description, speaker.device) == ("a real card", real.device)
    losing = asyncio.create_task(speaker.wait_lost())
    real.lost.set()
    with pytest.raises(AudioDeviceError, match="the real card is gone"):
        await losing
