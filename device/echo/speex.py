"""`Speex` binds the echo canceller of libspeexdsp by ctypes; nothing else knows the library.

libspeexdsp is Debian's ``libspeexdsp1``. Its echo canceller is an adaptive linear filter
(multidelay block frequency domain, with a learning rate that looks after itself in double talk:
J.-M. Valin, "On Adjusting the Learning Rate in Frequency Domain Echo Cancellation With
Double-Talk", 2007); its preprocessor takes off some of what the filter leaves. Being linear, it
leaves the person who talks over the reply nearly untouched, which cancellers that end in a residual
suppressor do not.

Not thread-safe: one thread at a time uses an object.
"""

from __future__ import annotations

import ctypes
import functools
from ctypes import POINTER, byref, c_int, c_int16, c_int32, c_void_p
from typing import Any

import numpy as np
import numpy.typing as npt

from device.errors import EchoCancellerError
from device.frames import MICROPHONE_RATE_HZ

Samples = npt.NDArray[np.int16]

LIBRARY = "libspeexdsp.so.1"

# speex_echo.h
_ECHO_SET_SAMPLING_RATE = 24
_ECHO_GET_IMPULSE_RESPONSE_SIZE = 27
_ECHO_GET_IMPULSE_RESPONSE = 29
# speex_preprocess.h
_PREPROCESS_SET_DENOISE = 0
_PREPROCESS_SET_NOISE_SUPPRESS = 18
_PREPROCESS_SET_ECHO_STATE = 24

_INT16 = POINTER(c_int16)


@functools.cache
def _library() -> Any:
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError as error:
        raise EchoCancellerError(
            f"{LIBRARY} cannot be loaded ({error}); install Debian's package libspeexdsp1"
        ) from error
    for name, result, arguments in (
        ("speex_echo_state_init", c_void_p, (c_int, c_int)),
        ("speex_echo_state_destroy", None, (c_void_p,)),
        ("speex_echo_state_reset", None, (c_void_p,)),
        ("speex_echo_cancellation", None, (c_void_p, _INT16, _INT16, _INT16)),
        ("speex_echo_ctl", c_int, (c_void_p, c_int, c_void_p)),
        ("speex_preprocess_state_init", c_void_p, (c_int, c_int)),
        ("speex_preprocess_state_destroy", None, (c_void_p,)),
        ("speex_preprocess_run", c_int, (c_void_p, _INT16)),
        ("speex_preprocess_ctl", c_int, (c_void_p, c_int, c_void_p)),
    ):
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    return library


class SpeexEcho:
    """One echo path: takes microphone and far end, gives the microphone without the echo."""

    def __init__(self, frame_samples: int, filter_samples: int, suppress_db: int = 15) -> None:
        """``filter_samples``: how long after the far end's sample its echo may last.

        ``suppress_db``: how much noise `suppress` takes away at most. Raises EchoCancellerError
        when the library is not there.
        """
        self.frame_samples = frame_samples
        self._speex = _library()
        self._echo = c_void_p(self._speex.speex_echo_state_init(frame_samples, filter_samples))
        self._preprocess = c_void_p(
            self._speex.speex_preprocess_state_init(frame_samples, MICROPHONE_RATE_HZ)
        )
        rate = c_int32(MICROPHONE_RATE_HZ)
        self._speex.speex_echo_ctl(self._echo, _ECHO_SET_SAMPLING_RATE, byref(rate))
        on, quieter = c_int32(1), c_int32(-suppress_db)
        self._speex.speex_preprocess_ctl(self._preprocess, _PREPROCESS_SET_DENOISE, byref(on))
        self._speex.speex_preprocess_ctl(
            self._preprocess, _PREPROCESS_SET_NOISE_SUPPRESS, byref(quieter)
        )
        self._speex.speex_preprocess_ctl(self._preprocess, _PREPROCESS_SET_ECHO_STATE, self._echo)

    def __del__(self) -> None:
        if hasattr(self, "_preprocess"):
            self._speex.speex_preprocess_state_destroy(self._preprocess)
        if hasattr(self, "_echo"):
            self._speex.speex_echo_state_destroy(self._echo)

    def cancel(self, microphone: Samples, far_end: Samples) -> Samples:
        """Give a frame of the microphone less the echo that the filter predicts from the far end.

        Both int16, ``frame_samples`` long and in step: what arrives in the microphone now was in
        the far end now or up to ``filter_samples`` before.
        """
        cleaned = np.empty(self.frame_samples, np.int16)
        self._speex.speex_echo_cancellation(
            self._echo, _pointer(microphone), _pointer(far_end), _pointer(cleaned)
        )
        return cleaned

    def suppress(self, cleaned: Samples) -> Samples:
        """Give the last frame of `cancel` with what is left of echo and noise made quieter.

        It comes out one frame later than it went in.
        """
        quieter = cleaned.copy()
        self._speex.speex_preprocess_run(self._preprocess, _pointer(quieter))
        return quieter

    def reset(self) -> None:
        """Forget the echo path: the delay changed, or the microphone."""
        self._speex.speex_echo_state_reset(self._echo)

    @property
    def impulse_response(self) -> npt.NDArray[np.float32]:
        """What the filter has learned: the echo path, beginning at the far end's sample."""
        size = c_int32(0)
        self._speex.speex_echo_ctl(self._echo, _ECHO_GET_IMPULSE_RESPONSE_SIZE, byref(size))
        taps = np.zeros(size.value, np.int32)
        self._speex.speex_echo_ctl(
            self._echo, _ECHO_GET_IMPULSE_RESPONSE, taps.ctypes.data_as(c_void_p)
        )
        # The library's inverse transform over two frames does not divide by its length.
        whole = np.float32(32_768 * 2 * self.frame_samples)
        response: npt.NDArray[np.float32] = taps.astype(np.float32) / whole
        return response


def _pointer(samples: Samples) -> Any:
    return samples.ctypes.data_as(_INT16)
