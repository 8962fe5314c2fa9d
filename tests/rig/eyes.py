"""What colours look like to eyes that miss one kind of cone, and how alike two rhythms are.

Matrices: Machado, Oliveira, Fernandes 2009, "A physiologically-based model for simulation of color
vision deficiency", severity 1.0, on linear RGB.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from device.board.colour import GAMMA
from device.ports import Colour

Signal = NDArray[np.float64]

EYES = {
    "all cones": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}


def luminance(colour: Colour, eyes: str = "all cones") -> float:
    """How bright a colour looks, 0..255, whatever its hue (Rec. 709)."""
    linear = (np.array(colour) / 255) ** GAMMA
    light = float(EYES[eyes] @ linear @ (0.2126, 0.7152, 0.0722))
    return float(255 * max(0.0, light) ** (1 / GAMMA))


def likeness(one: Signal, other: Signal) -> float:
    """How alike two signals of a row of LEDs move: their highest correlation over all shifts.

    Arrays of (LEDs, time). 1 when they are one rhythm; how bright they are does not matter, nor
    what stands still.
    """
    one = one - one.mean(axis=1, keepdims=True)
    other = other - other.mean(axis=1, keepdims=True)
    norm = np.sqrt((one**2).sum() * (other**2).sum())
    if norm == 0:
        return 0.0
    spectrum = np.fft.rfft(one, axis=1) * np.conj(np.fft.rfft(other, axis=1))
    return float(np.fft.irfft(spectrum.sum(axis=0), n=one.shape[1]).max() / norm)
