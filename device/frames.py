"""Frames are the units of sound that everything in Parley counts in.

Tested in tests/audio/test_frame_cutter.py.
"""

from __future__ import annotations

from dataclasses import dataclass

MICROPHONE_RATE_HZ = 16_000
"""What the Live API takes natively and the wake word networks need."""

REPLY_RATE_HZ = 24_000
"""What the Live API answers in. Live API: "Audio out: raw PCM s16le mono 24 kHz"."""

SAMPLE_BYTES = 2
FRAME_MS = 20
FRAME_SAMPLES = MICROPHONE_RATE_HZ * FRAME_MS // 1000
FRAME_BYTES = FRAME_SAMPLES * SAMPLE_BYTES

HOP_MS = 80
HOP_SAMPLES = MICROPHONE_RATE_HZ * HOP_MS // 1000
"""What the wake word networks look at anew, four frames. openWakeWord: what they are trained on."""

SILENT_FRAME = bytes(FRAME_BYTES)


@dataclass(frozen=True, slots=True)
class Frame:
    """20 ms of microphone: 320 samples, s16le, mono, 16 kHz."""

    pcm: bytes
    first_sample: int
    """Place of the first sample in the microphone's stream, in samples since it was first opened.

    Counts on by 320 from frame to frame while the stream is whole; it jumps forward by the time
    that was lost when the device was closed, muted or gone in between. A consumer that keeps
    history tells a gap by that jump.
    """
    captured_at: float
    """CLOCK_MONOTONIC seconds at which the card had the block with the last sample."""
    quiet: bool = False
    """Whether nothing in it rises above the noise of the room. Nobody looks but at rest."""

    @property
    def end_sample(self) -> int:
        """Place of the first sample after this frame."""
        return self.first_sample + FRAME_SAMPLES
