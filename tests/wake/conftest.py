"""What the wake word tests share: clips with known words."""

from __future__ import annotations

import os

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.rig.speech import espeak, noise, silence

# The oracle imports onnxruntime by itself.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

Clip = NDArray[np.int16]


@pytest.fixture(scope="session")
def clips() -> dict[str, Clip]:
    """Several voices, noise and silence; each long enough to fill every buffer before its word."""

    def spoken(text: str, voice: str = "en-gb", wpm: int = 150) -> Clip:
        return np.concatenate([noise(4.0, 30.0), espeak(text, voice, wpm), silence(1.5)])

    return {
        "hey jarvis": spoken("hey jarvis. What time is it?"),
        "hey jarvis, a woman": spoken("hey jarvis", "en-us+f3", 140),
        "alexa": spoken("alexa"),
        "hey mycroft": spoken("hey mycroft, hey rhasspy", "en-us"),
        "german": spoken("Guten Tag, wie wird das Wetter morgen?", "de"),
        "noise": np.concatenate([noise(3.0, 3000.0), noise(3.0, 3.0)]),
        "silence": np.concatenate([noise(3.0, 100.0), silence(3.0)]),
    }
