"""Ports are what has a real and a simulated implementation, one Protocol each, and its facts.

Tested in tests/test_ports.py.
"""

from __future__ import annotations

from device.ports.camera import Camera, Picture
from device.ports.functions import PICTURE, Declaration, Functions
from device.ports.lights import Colour, Lights, Pointing
from device.ports.session import PushToTalk, Session
from device.ports.sound import Block, Microphone, OpenDevice, Played, SoundDevice, Speaker, Tap
from device.ports.wake import WakeDetector, WakeScores

__all__ = [
    "PICTURE",
    "Block",
    "Camera",
    "Colour",
    "Declaration",
    "Functions",
    "Lights",
    "Microphone",
    "OpenDevice",
    "Picture",
    "Played",
    "Pointing",
    "PushToTalk",
    "Session",
    "SoundDevice",
    "Speaker",
    "Tap",
    "WakeDetector",
    "WakeScores",
]
