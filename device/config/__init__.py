"""What does the owner want? One YAML file in, one frozen tree of settings out, or every mistake.

This is the room's door: everything that other rooms need of it is imported from here. Inside,
`load` reads and checks a file, `keys` holds every key with its type, range and meaning, `kinds` the
kinds of value (names of devices, voices and languages in `device_names` and `live_names`), `mcp`
those of MCP servers, `characters` finds what nobody sees, `across` what must fit together,
`personas` what is in force in a persona's talk, `yaml` reads YAML and remembers places, `mistakes`
words the errors, `view` shows and compares, `file` and `last_good` are the file of a running
speaker and what is in force while it has a mistake, `credentials` finds the key and other secrets.
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
    McpServer,
    Output,
    Persona,
    Privacy,
    Spending,
    Wake,
    Word,
)
from device.config.kinds import DEFAULT_PERSONA
from device.config.load import DEFAULT_PATH, MAX_BYTES, load, parse, schema
from device.config.personas import as_persona, key_for, may_use, model_key, personas_in_use
from device.config.view import changes, describe, differences

__all__ = [
    "DEFAULT_PATH",
    "DEFAULT_PERSONA",
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
    "McpServer",
    "Output",
    "Persona",
    "Privacy",
    "Spending",
    "Wake",
    "Word",
    "as_persona",
    "changes",
    "describe",
    "differences",
    "key_for",
    "load",
    "may_use",
    "model_key",
    "parse",
    "personas_in_use",
    "schema",
]
