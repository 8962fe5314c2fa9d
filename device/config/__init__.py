"""What does the owner want? One YAML file in, one frozen tree of settings out, or every mistake.

This is the room's door: everything that other rooms need of it is imported from here. Inside,
`load` reads and checks a file, `keys` holds every key with its type, range and meaning, `kinds` the
kinds of value, `across` what must fit together, `yaml` reads YAML and remembers places, `mistakes`
words the errors, `view` shows and compares, `file` and `last_good` are the file of a running
speaker and what is in force while it has a mistake, `credentials` finds the key.
"""

from __future__ import annotations

from device.config.keys import (
    Audio,
    Button,
    ButtonGestures,
    Compression,
    Config,
    Conversation,
    Input,
    Lights,
    Live,
    Output,
    Privacy,
    Wake,
    Word,
)
from device.config.load import DEFAULT_PATH, MAX_BYTES, load, parse, schema
from device.config.view import changes, describe, differences

__all__ = [
    "DEFAULT_PATH",
    "MAX_BYTES",
    "Audio",
    "Button",
    "ButtonGestures",
    "Compression",
    "Config",
    "Conversation",
    "Input",
    "Lights",
    "Live",
    "Output",
    "Privacy",
    "Wake",
    "Word",
    "changes",
    "describe",
    "differences",
    "load",
    "parse",
    "schema",
]
