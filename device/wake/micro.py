"""`MicroNetwork` is one wake word's network of microWakeWord; only this module knows its library.

pymicro-wakeword 2.5.0 brings four networks of Kevin Ahrendt's microWakeWord (Apache-2.0) and the
library that runs them. They were trained with other voices and look at other features than
openWakeWord's, so the two are seldom wrong about the same sound.

Measured on a PC: 0.16 ms for 80 ms of sound, where openWakeWord takes 0.42; 0.15 ms for a reset,
5 ms to hear two seconds from the ring. The library and two networks of a word, one for the
microphone and one for our own sound, take 4 MB and 6 ms to load; each further word 0.2 MB and 1 ms.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.errors import SecondOpinionError

DOUBTS: Mapping[str, float] = MappingProxyType({"hey_jarvis": 0.05})
"""The least that the network of a word says: how little its denial is worth.

That of hey_jarvis was taught an American r: of 46 calls by a British voice of espeak-ng it knew
none (0.01 at most), of 46 by a Scottish one 41, where openWakeWord knew 45 and 43. With this,
openWakeWord is enough where it is as sure as 0.95, and 49 % of 1280 calls by espeak-ng's voices are
heard instead of 39 % (by openWakeWord alone 48 %); no false wake came with that in five hours.
"""


class MicroNetwork:
    """How probable a wake word is, as microWakeWord hears it. Not thread-safe."""

    def __init__(self, word: str) -> None:
        """Load the network of one of the library's words: a millisecond, but for the first.

        Raises SecondOpinionError when the library or the network cannot be loaded.
        """
        self._least = DOUBTS.get(word, 0.0)
        library = _library()
        folder = Path(library.__file__).parent
        try:
            self._network = library.MicroWakeWord(
                word,
                wake_word=word,
                tflite_model=_file(folder / "models" / f"{word}.tflite"),
                probability_cutoff=1.0,
                # Its own mean over 150 ms comes 25 to 30 ms later, and misses more than it spares
                # false wakes: the mean with another network is steady enough.
                sliding_window_size=1,
                trained_languages=[],
                libtensorflowlite_c_path=_file(folder / "lib" / "libtensorflowlite_c.so"),
            )
            self._features = library.MicroWakeWordFeatures()
        except (AttributeError, OSError, TypeError, ValueError) as error:
            raise SecondOpinionError(f"pymicro-wakeword: {word}: {error}") from error

    def reset(self) -> None:
        """Forget all that was heard."""
        self._features.reset()
        self._network.reset()

    def hear(self, samples: NDArray[np.int16]) -> float:
        """Take the next samples, however many; return the best probability (0..1) within them.

        There is one every 30 ms; without any in these samples it is the least that there is.
        """
        heard = self._features.process_streaming(samples.astype("<i2").tobytes())
        results = [self._network.process_streaming_prob(each) or 0.0 for each in heard]
        return max([self._least, *results])


def micro_networks(wanted: Iterable[str]) -> dict[str, MicroNetwork]:
    """Load the networks of those of the wanted words (bundled names) that have one, by word.

    Raises SecondOpinionError.
    """
    known = {model.value for model in _library().Model}
    return {word: MicroNetwork(word) for word in wanted if word in known}


def _file(path: Path) -> Path:
    """``path``, which the library would take for granted: it ends the process without it."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no {path}; install pymicro-wakeword==2.5.0 again")
    return path


@functools.cache
def _library() -> Any:
    try:
        import pymicro_wakeword  # noqa: PLC0415 - heavy, and not on every machine
    except (ImportError, OSError) as error:
        raise SecondOpinionError(f"pymicro-wakeword does not load: {error}") from error
    return pymicro_wakeword
