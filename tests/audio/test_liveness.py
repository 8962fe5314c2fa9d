"""A dead microphone is told from a quiet room."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import numpy as np
import pytest

from device.audio.liveness import (
    DEAD_S,
    FELL_SILENT_S,
    GATED_S,
    MUTED_SOURCE_S,
    REPEATED_SOURCE_S,
    SILENT_STEPS,
    Liveness,
    Symptom,
)

BLOCK_S = 0.02
SAMPLES = 320
ZEROS = bytes(2 * SAMPLES)


def noise(seed: int = 1, channels: int = 1) -> Iterator[bytes]:
    """Blocks of the last bit of a converter."""
    random = np.random.default_rng(seed)
    while True:
        yield random.integers(-1, 2, SAMPLES * channels).astype("<i2").tobytes()


def dies_after(liveness: Liveness, blocks: Iterable[bytes]) -> tuple[Symptom, float] | None:
    """What it dies of, and after how many seconds of these blocks, to the hundredth."""
    for number, block in enumerate(blocks, 1):
        if symptom := liveness.add(block):
            return symptom, round(number * BLOCK_S, 2)
    return None


def blocks(seconds: float, source: Iterator[bytes]) -> Iterator[bytes]:
    return itertools.islice(source, round(seconds / BLOCK_S))


@pytest.mark.parametrize("is_card", [False, True])
def test_a_quiet_room_is_alive(is_card: bool) -> None:
    """The last bit is enough, for as long as it takes."""
    liveness = Liveness(BLOCK_S, 2, is_card=is_card)
    assert dies_after(liveness, blocks(2 * MUTED_SOURCE_S, noise())) is None
    assert liveness.alive


def test_a_card_that_was_silent_from_the_start_is_dead_soon() -> None:
    """As an array is that came out of a restart of its host without a microphone."""
    liveness = Liveness(BLOCK_S, 2, is_card=True)
    assert dies_after(liveness, itertools.repeat(ZEROS)) == (Symptom.ZEROS, DEAD_S)
    assert not liveness.alive


@pytest.mark.parametrize(
    ("is_card", "gates", "patience_s"),
    [(True, False, FELL_SILENT_S), (True, True, GATED_S), (False, True, GATED_S)],
)
def test_a_card_that_has_lived_may_be_silent_for_longer(
    is_card: bool, gates: bool, patience_s: float
) -> None:
    """Its noise gate may be shut while nobody speaks; a sound starts the time anew."""
    liveness = Liveness(BLOCK_S, 2, is_card=is_card, gates=gates)
    silent = [*blocks(1.0, noise()), *[ZEROS] * round((patience_s - 1) / BLOCK_S)]
    assert dies_after(liveness, silent * 3) is None
    assert dies_after(liveness, blocks(1.0, noise(2))) is None
    assert dies_after(liveness, itertools.repeat(ZEROS)) == (Symptom.ZEROS, patience_s)


@pytest.mark.parametrize("lived", [False, True])
def test_a_sound_server_may_be_silent_for_minutes(lived: bool) -> None:
    """Its source may have nothing to say."""
    liveness = Liveness(BLOCK_S, 2, is_card=False)
    assert dies_after(liveness, blocks(lived, noise())) is None
    died = dies_after(liveness, itertools.repeat(ZEROS))
    assert died == (Symptom.ZEROS, MUTED_SOURCE_S)


def test_a_sound_server_that_was_found_dead_has_no_minutes_more() -> None:
    """Nothing of it is given out before it lives, so nobody may take it for one that hears."""
    liveness = Liveness(BLOCK_S, 2, is_card=False, doubted=True)
    assert dies_after(liveness, itertools.repeat(ZEROS)) == (Symptom.ZEROS, DEAD_S)
    assert dies_after(liveness, blocks(1.0, noise())) is None
    died = dies_after(liveness, itertools.repeat(ZEROS))
    assert died == (Symptom.ZEROS, MUTED_SOURCE_S)


@pytest.mark.parametrize("is_card", [False, True])
@pytest.mark.parametrize("values", [(7,), (-32768,), (0, 5), (1, 2, 3, 4, 5, 6)])
def test_one_value_is_dead(is_card: bool, values: tuple[int, ...]) -> None:
    """Of each channel its own."""
    block = np.tile(np.array(values, "<i2"), SAMPLES).tobytes()
    liveness = Liveness(BLOCK_S, 2 * len(values), is_card=is_card)
    died = dies_after(liveness, itertools.chain(blocks(30, noise()), itertools.repeat(block)))
    assert died == (Symptom.CONSTANT, 30 + DEAD_S)


@pytest.mark.parametrize("sample_bytes", [2, 4])
@pytest.mark.parametrize("value", [-1, 1, -SILENT_STEPS])
def test_silence_that_is_rounded_down_is_silence(sample_bytes: int, value: int) -> None:
    """A microphone whose mute switch is on, or whose gate is shut, may give -1 for nothing."""
    scaled = value << 8 * (sample_bytes - 2)
    block = np.full(2 * SAMPLES, scaled, f"<i{sample_bytes}").tobytes()
    frame_bytes = 2 * sample_bytes
    gated = Liveness(BLOCK_S, frame_bytes, sample_bytes=sample_bytes, is_card=True, gates=True)
    for living in blocks(1.0, noise(channels=sample_bytes)):
        gated.add(living)
    assert dies_after(gated, itertools.repeat(block, round(GATED_S / BLOCK_S) - 1)) is None
    silent = Liveness(BLOCK_S, frame_bytes, sample_bytes=sample_bytes, is_card=True)
    assert dies_after(silent, itertools.repeat(block)) == (Symptom.ZEROS, DEAD_S)


def test_a_tone_that_a_program_plays_is_no_dead_driver_for_a_minute() -> None:
    """A sound server's source may be anything; a card's is a converter."""
    tone = np.rint(9000 * np.sin(2 * np.pi * np.arange(SAMPLES) / 16)).astype("<i2").tobytes()
    source = Liveness(BLOCK_S, 2, is_card=False)
    died = dies_after(source, itertools.repeat(tone))
    assert died is not None
    assert died[0] is Symptom.FROZEN
    assert died[1] == pytest.approx(REPEATED_SOURCE_S, abs=0.1)
    card = dies_after(Liveness(BLOCK_S, 2, is_card=True), itertools.repeat(tone))
    assert card is not None
    assert card[1] == pytest.approx(DEAD_S, abs=0.1)


def test_a_value_that_wanders_slowly_is_dead_too() -> None:
    """No block is like another, and none is sound."""
    steps = (
        np.full(SAMPLES, value, "<i2").tobytes() for value in itertools.count(SILENT_STEPS + 1)
    )
    died = dies_after(Liveness(BLOCK_S, 2, is_card=True), steps)
    assert died == (Symptom.CONSTANT, DEAD_S)


@pytest.mark.parametrize("samples", [320, 1024, 640, 80])
def test_a_buffer_that_is_played_round_and_round_is_dead(samples: int) -> None:
    """Whether or not its length is one of ours."""
    buffer = np.random.default_rng(3).integers(-9000, 9000, samples).astype("<i2")
    sound = np.tile(buffer, 320)
    frozen = (sound[at : at + SAMPLES].tobytes() for at in range(0, sound.size, SAMPLES))
    died = dies_after(Liveness(BLOCK_S, 2, is_card=True), itertools.cycle(frozen))
    assert died is not None
    assert died[0] is Symptom.FROZEN
    assert died[1] < DEAD_S + 1.0


def test_a_step_from_one_value_to_another_is_no_life() -> None:
    """One block in which it changes is like no other."""
    liveness = Liveness(BLOCK_S, 2, is_card=True)
    half = ZEROS[:SAMPLES] + bytes([7]) * SAMPLES
    for block in (ZEROS, ZEROS, half, bytes([7]) * 2 * SAMPLES):
        liveness.add(block)
        assert not liveness.alive
    alive = []
    for block in itertools.islice(noise(), 4):
        liveness.add(block)
        alive.append(liveness.alive)
    assert alive == [False, False, True, True]


def test_one_dead_channel_among_others_is_no_death() -> None:
    """The card lives; which channel is dead, the owner is told when he asks for it."""
    six = np.random.default_rng(1).integers(-9, 9, (3000, SAMPLES, 6)).astype("<i2")
    six[:, :, 0] = 0
    liveness = Liveness(BLOCK_S, 12, is_card=True)
    assert dies_after(liveness, (block.tobytes() for block in six)) is None
