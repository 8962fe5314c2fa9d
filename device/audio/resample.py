"""`Resampler` changes the sampling rate of a stream of s16le mono sound. Pure."""

from __future__ import annotations

from typing import Any

import numpy as np
import soxr

SAMPLE_BYTES = 2


class Resampler:
    """A streaming resampler: the pieces that come out, joined, are the whole resampled at once.

    ``process()`` takes pieces of any size that hold whole samples. soxr's HQ filter: linear phase,
    pass band to 0.91 of the lower half rate; it holds some milliseconds back, which ``finish()``
    brings out. Equal rates pass bit for bit. One thread at a time.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        self.from_hz = from_hz
        self.to_hz = to_hz
        self._stream: Any = None
        if from_hz != to_hz:
            # soxr dithers when it is asked for int16, which would turn silence into noise.
            self._stream = soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32", quality="HQ")

    def process(self, pcm: bytes) -> bytes:
        """Take the next piece; gives what is ready, which may be nothing."""
        if self._stream is None:
            return pcm
        return self._run(pcm, last=False)

    def finish(self) -> bytes:
        """Give what was held back; the next ``process()`` begins a new stream."""
        if self._stream is None:
            return b""
        rest = self._run(b"", last=True)
        self.reset()
        return rest

    def reset(self) -> None:
        """Forget what was held back; the next ``process()`` begins a new stream."""
        if self._stream is not None:
            self._stream.clear()

    def _run(self, pcm: bytes, *, last: bool) -> bytes:
        samples = np.frombuffer(pcm, "<i2").astype(np.float32)
        resampled = self._stream.resample_chunk(samples, last=last)
        whole: bytes = np.clip(np.rint(resampled), -32768, 32767).astype("<i2").tobytes()
        return whole
