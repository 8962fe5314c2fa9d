"""What is in force in the talk of a persona, and the mistakes that can be made with one."""

from __future__ import annotations

import pytest

from device.config import (
    Config,
    as_persona,
    describe,
    key_for,
    may_use,
    model_key,
    parse,
    personas_in_use,
)
from device.config.personas import sources
from device.errors import ConfigError

HOME = "{name: home, url: 'http://ha.local:8123/api/mcp'}"
MUSIC = "{name: music, url: 'http://music.local/mcp'}"
TWO = f"""
live: {{voice: Kore, language: en-GB, thinking_level: low, google_search: off, repeat_s: 3}}
tools: {{timers: true, device: true, camera: on_request, mcp: [{HOME}, {MUSIC}]}}
wake: {{words: [{{model: hey_jarvis}}, {{model: alexa, persona: puck}}]}}
personas:
  puck:
    voice: Puck
    language: de-DE
    system_instruction: Fasse dich kurz.
    model: gemini-3.8-live
    thinking_level: high
    google_search: auto
    tools: [timers, home]
    hue: 30
  eve: {{}}
  mute: {{system_instruction: "", tools: []}}
"""


def config() -> Config:
    return parse(TWO, "test.yaml")


def wrong(text: str) -> list[str]:
    """The mistakes of a text, each with its key."""
    with pytest.raises(ConfigError) as caught:
        parse(text, "test.yaml")
    return [f"{mistake.where}: {mistake.message}" for mistake in caught.value.mistakes]


def test_what_a_persona_says_stands_in_for_live() -> None:
    """All else is as it is."""
    plain, puck = config().live, as_persona(config(), "puck").live
    assert (puck.voice, puck.language, puck.model) == ("Puck", "de-DE", "gemini-3.8-live")
    assert (puck.system_instruction, puck.thinking_level) == ("Fasse dich kurz.", "high")
    assert puck.google_search == "auto"
    own = ("voice", "language", "system_instruction", "model", "thinking_level", "google_search")
    assert puck.model_copy(update={key: getattr(plain, key) for key in own}) == plain
    assert as_persona(config(), "puck").conversation == config().conversation


def test_what_is_left_out_is_as_in_live_and_tools() -> None:
    """Nobody in particular is the configuration itself."""
    assert as_persona(config(), "eve") == config()
    assert as_persona(config(), "") == config()


def test_an_empty_instruction_is_one() -> None:
    """Null is not: it leaves it to live."""
    assert as_persona(parse("live: {system_instruction: x}\npersonas: {a: }", "t"), "a").live == (
        parse("live: {system_instruction: x}", "t").live
    )
    assert as_persona(config(), "mute").live.system_instruction == ""


@pytest.mark.parametrize(
    ("name", "timers", "device", "servers"),
    [
        ("", True, True, ["home", "music"]),
        ("eve", True, True, ["home", "music"]),
        ("puck", True, False, ["home"]),
        ("mute", False, False, []),
        ("gone", False, False, []),
    ],
)
def test_a_persona_may_use_what_its_list_names(
    name: str, timers: bool, device: bool, servers: list[str]
) -> None:
    """Null is all, [] none; one that there is not (any more) may do nothing."""
    tools = as_persona(config(), name).tools
    assert (tools.timers, tools.device) == (timers, device)
    assert [server.name for server in tools.mcp] == servers
    allowed = {
        source for source in (*sources(), "home", "music") if may_use(config(), name, source)
    }
    switched = {source for source in sources() if getattr(tools, source) not in (False, "off")}
    assert allowed == {*switched, *servers}


def test_what_is_off_is_not_switched_on_by_being_allowed() -> None:
    """The list only leaves out."""
    off = parse("tools: {timers: off}\npersonas: {a: {tools: [timers, device]}}", "test.yaml")
    tools = as_persona(off, "a").tools
    assert (tools.timers, tools.device) == (False, True)


def test_the_key_of_a_model_is_where_it_is_written() -> None:
    """A fault that names it must be mended there."""
    keys = [model_key(config(), name) for name in ("", "eve", "puck", "gone")]
    assert keys == ["live.model", "live.model", "personas.puck.model", "live.model"]
    elsewhere = [key_for(config(), "puck", key) for key in ("live.vad", "the functions", "voice")]
    assert elsewhere == ["live.vad", "the functions", "voice"]


def test_who_can_talk() -> None:
    """A persona that no word names can be asked by name."""
    assert list(personas_in_use(config())) == ["", "puck", "eve", "mute"]
    only = "wake: {words: [{model: alexa, persona: a}]}\npersonas: {a: }"
    assert list(personas_in_use(parse(only, "test.yaml"))) == ["a"]


def test_personas_are_shown_and_read_back() -> None:
    """As every setting."""
    assert parse(describe(config()), "shown.yaml") == config()
    assert "hue: 30" in describe(config())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "wake: {words: [{model: alexa, persona: puk}]}\npersonas: {puck: }",
            "wake.words[0].persona: there is no persona 'puk': did you mean puck?",
        ),
        (
            "wake: {words: [{model: alexa, persona: puck}]}",
            "wake.words[0].persona: there is no persona 'puck': there are none",
        ),
        (
            "personas: {a: {tools: [timer]}}",
            "personas.a.tools[0]: 'timer' is no source of functions: did you mean timers?",
        ),
        (
            "personas: {a: {tools: [home]}}",
            "personas.a.tools[0]: 'home' is no source of functions: there are "
            + ", ".join(sources()),
        ),
        (
            "personas: {a: {tools: [timers, timers]}}",
            "personas.a.tools[1]: 'timers' is there twice: delete one of them",
        ),
        ("personas: {a: {tools: [7]}}", "personas.a.tools[0]: 7 is not text: write a text"),
        (
            "personas: {default: }",
            "personas.default: 'default' cannot be a persona's name: choose another",
        ),
        (
            "personas: {Gute Fee: }",
            "personas.'Gute Fee': 'Gute Fee' is not a persona's name: write 1 to 32 small letters",
        ),
        (
            "personas: {'[key]': 3}",
            "personas.'[key]': '[key]' is not a persona's name",
        ),
        ("personas: 3", "personas: 3 is not a section: write names, each with keys of its own"),
        ("personas: {a: 3}", "personas.a: 3 is not a section: it has keys of its own (voice,"),
        ("personas: {a: {voise: x}}", "personas.a.voise: unknown key: did you mean voice?"),
        ("personas: {a: {hue: 360}}", "personas.a.hue: 360 is not in 0..359: choose e.g. 120"),
        (
            "personas: {a: {thinking_level: hi}}",
            "personas.a.thinking_level: 'hi' is not one of minimal, low, medium, high: did you",
        ),
        (
            "personas: {a: , b: , c: , d: , e: , f: , g: , h: , i: }",
            "personas: has more than 8 names: shorten it",
        ),
    ],
)
def test_a_mistake_is_told_with_what_to_write(text: str, said: str) -> None:
    """At its place, and in an owner's words."""
    assert any(mistake.startswith(said) for mistake in wrong(text)), wrong(text)


def test_a_wrong_name_is_told_where_the_name_is() -> None:
    """Line and column of the name, not of what it holds."""
    with pytest.raises(ConfigError) as caught:
        parse("personas:\n  Puck:\n    voice: Puck\n", "test.yaml")
    [mistake] = caught.value.mistakes
    assert (mistake.where, mistake.line, mistake.column) == ("personas.Puck", 2, 3)


@pytest.mark.parametrize(
    "text", ["personas:", "personas: {}", "personas: {a: }", "personas:\n  a:"]
)
def test_what_is_commented_out_is_left_out(text: str) -> None:
    """A name alone is a persona as live has it."""
    personas = parse(text, "test.yaml").personas
    assert set(personas) <= {"a"}
    assert all(persona == type(persona)() for persona in personas.values())
