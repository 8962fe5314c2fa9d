"""The ladder of what the lights show: a table of situations, and what holds for every one."""

from __future__ import annotations

import itertools
import math

import pytest

from device.conversation.states import PATTERNS, RESTING, State
from device.lights.choice import LADDER, Situation, shown
from device.lights.patterns import MOTIONS, Pattern
from device.signals import (
    ACCOUNT,
    ATTENDED,
    CONFIG,
    DEVICE,
    NETWORK,
    PRESUMED_S,
    PROMETHEUS,
    RECORDS,
    SERVICE,
    SIGNALS,
    SPENDING,
    SPENDING_NEAR,
    WAKE_CLIPS,
    newest,
    presumed_s,
)

TALKING = [state for state in State if state not in RESTING]
HINTS = ("button", "lights", "model_replaced")
RESTS = [State.STARTING, State.IDLE, State.MUTED, State.FAULT]


@pytest.mark.parametrize(
    ("now", "pattern"),
    [
        (Situation(State.STARTING, State.STARTING), Pattern.CONNECTING),
        (Situation(State.IDLE, State.IDLE), Pattern.IDLE),
        (Situation(State.CONNECTING_HEARD, State.IDLE), Pattern.CONNECTING),
        (Situation(State.LISTENING, State.IDLE), Pattern.LISTENING),
        (Situation(State.ONE_SHOT_THINKING, State.IDLE), Pattern.THINKING),
        (Situation(State.CUT_OFF, State.IDLE), Pattern.SPEAKING),
        (Situation(State.MUTED, State.MUTED), Pattern.MUTED),
        # A typed question while muted: the microphone is closed all the same.
        (Situation(State.ONE_SHOT_SPEAKING, State.MUTED), Pattern.MUTED),
        # A fault is met, and then it stands.
        (Situation(State.FAULT, State.IDLE, ("quota",), alarming=True), Pattern.FAULT_ACCOUNT),
        (Situation(State.FAULT, State.IDLE, ("quota",)), Pattern.STANDING_ACCOUNT),
        (Situation(State.IDLE, State.IDLE, ("quota",)), Pattern.STANDING_ACCOUNT),
        (Situation(State.FAULT, State.MUTED, ("dns",), alarming=True), Pattern.FAULT_NETWORK),
        (Situation(State.MUTED, State.MUTED, ("dns",)), Pattern.MUTED),
        (Situation(State.FAULT, State.FAULT, ("microphone",), alarming=True), Pattern.FAULT),
        (Situation(State.FAULT, State.FAULT, ("microphone",)), Pattern.STANDING),
        (Situation(State.FAULT, State.FAULT), Pattern.STANDING),
        # Whoever speaks to it is shown that it heard, and whether it works this time.
        (Situation(State.CONNECTING, State.IDLE, ("dns",)), Pattern.CONNECTING),
        # An answer that nobody can hear is a fault at once.
        (Situation(State.LISTENING, State.IDLE, ("speaker",)), Pattern.FAULT),
        (Situation(State.IDLE, State.IDLE, ("speaker",)), Pattern.STANDING),
        # What the owner wrote is not in force, which hinders nobody.
        (Situation(State.IDLE, State.IDLE, ("config",)), Pattern.MISTAKE),
        (Situation(State.IDLE, State.IDLE, ("records",)), Pattern.MISTAKE),
        (Situation(State.SPEAKING, State.IDLE, ("records",)), Pattern.SPEAKING),
        (Situation(State.IDLE, State.IDLE, ("records", "dns")), Pattern.STANDING_NETWORK),
        # Nor does what cannot be kept.
        (Situation(State.IDLE, State.IDLE, ("wake_clips",)), Pattern.MISTAKE),
        (Situation(State.SPEAKING, State.IDLE, ("wake_clips",)), Pattern.SPEAKING),
        (Situation(State.IDLE, State.IDLE, ("wake_clips", "dns")), Pattern.STANDING_NETWORK),
        # A limit that is near hinders nobody; one that is reached does, whoever's it is.
        (Situation(State.IDLE, State.IDLE, (SPENDING_NEAR,)), Pattern.MISTAKE),
        (Situation(State.SPEAKING, State.IDLE, (SPENDING_NEAR,)), Pattern.SPEAKING),
        (Situation(State.IDLE, State.IDLE, (SPENDING, SPENDING_NEAR)), Pattern.STANDING_ACCOUNT),
        (Situation(State.FAULT, State.IDLE, (SPENDING,), alarming=True), Pattern.FAULT_ACCOUNT),
        (Situation(State.FAULT, State.IDLE, ("cap",), alarming=True), Pattern.FAULT_ACCOUNT),
        (Situation(State.IDLE, State.IDLE, ("cap",)), Pattern.STANDING_ACCOUNT),
        (Situation(State.IDLE, State.IDLE, ("dns", "config")), Pattern.STANDING_NETWORK),
        (Situation(State.LISTENING, State.IDLE, ("config",)), Pattern.LISTENING),
        (Situation(State.MUTED, State.MUTED, ("config",)), Pattern.MUTED),
        # The newest fault is told.
        (Situation(State.IDLE, State.IDLE, ("speaker", "server")), Pattern.STANDING_SERVICE),
        # What rings is seen by whoever does not hear it, muted or not.
        (Situation(State.IDLE, State.IDLE, ringing=True), Pattern.RINGING),
        (Situation(State.SPEAKING, State.IDLE, ringing=True, volume=True), Pattern.RINGING),
        (Situation(State.MUTED, State.MUTED, ringing=True), Pattern.RINGING),
        (Situation(State.LISTENING, State.IDLE, ("speaker",), ringing=True), Pattern.FAULT),
        # A picture is over the volume, since it is what somebody may mind.
        (Situation(State.THINKING, State.IDLE, picture=True, volume=True), Pattern.PICTURE),
        (Situation(State.LISTENING, State.IDLE, ("dns",), picture=True), Pattern.PICTURE),
        (Situation(State.THINKING, State.IDLE, ("speaker",), picture=True), Pattern.FAULT),
        (Situation(State.THINKING, State.MUTED, picture=True), Pattern.MUTED),
        # The volume is over the conversation, and under mute and alarm.
        (Situation(State.SPEAKING, State.IDLE, volume=True), Pattern.VOLUME),
        (Situation(State.IDLE, State.IDLE, ("dns",), volume=True), Pattern.VOLUME),
        (Situation(State.MUTED, State.MUTED, volume=True), Pattern.MUTED),
        (
            Situation(State.FAULT, State.IDLE, ("dns",), alarming=True, volume=True),
            Pattern.FAULT_NETWORK,
        ),
    ],
)
def test_what_is_shown(now: Situation, pattern: Pattern) -> None:
    """Each of these, and why, is written in the module."""
    assert shown(now) is pattern


def situations() -> list[Situation]:
    kinds: list[tuple[str, ...]] = [
        (),
        HINTS,
        ("config",),
        ("dns",),
        ("speaker",),
        ("microphone", "key"),
    ]
    flags = list(itertools.product((False, True), repeat=2))
    return [
        Situation(state, rest, faults, alarming=alarming, volume=volume)
        for state in State
        for rest in RESTS
        for faults in kinds
        for alarming, volume in flags
    ]


def test_only_a_fault_and_what_rings_outrank_muted() -> None:
    """Whatever else is so while the microphone is closed."""
    muted = [now for now in situations() if now.rest is State.MUTED]
    for now in muted:
        pattern = shown(now)
        assert pattern is Pattern.MUTED or pattern.value.startswith("fault")
        if pattern is not Pattern.MUTED:
            assert now.state is State.FAULT or "speaker" in now.faults or "microphone" in now.faults


def test_hints_are_never_shown() -> None:
    """A button that is missing, a model that was replaced: the conversation is shown, or rest."""
    for now in situations():
        if now.faults == HINTS and now.state is not State.FAULT:
            without = Situation(now.state, now.rest, alarming=now.alarming, volume=now.volume)
            assert shown(now) is shown(without)


def test_a_fault_that_hinders_is_shown_at_rest() -> None:
    """Not only while somebody is let down by it; each in its family's code."""
    for kind, signal in SIGNALS.items():
        assert shown(Situation(State.IDLE, State.IDLE, (*HINTS, kind))) == signal.standing
        assert shown(Situation(State.IDLE, State.IDLE, (kind, *HINTS))) == signal.standing


@pytest.mark.parametrize("state", TALKING)
def test_a_conversation_is_shown_whatever_else_stands(state: State) -> None:
    """As long as it is of use."""
    for faults in ((), HINTS, ("dns", "key", "server")):
        assert shown(Situation(state, State.IDLE, faults)) == PATTERNS[state]


def test_every_pattern_but_off_is_on_the_ladder() -> None:
    """And off is what the owner makes of some."""
    reached = {shown(now) for now in situations()}
    reached |= {shown(Situation(State.FAULT, State.IDLE, (k,), alarming=True)) for k in SIGNALS}
    reached |= {shown(Situation(State.IDLE, State.IDLE, (k,))) for k in SIGNALS}
    reached.add(shown(Situation(State.IDLE, State.IDLE, ringing=True)))
    reached.add(shown(Situation(State.THINKING, State.IDLE, picture=True)))
    assert reached == set(Pattern) - {Pattern.OFF}
    assert len(LADDER) == 9


def test_the_light_for_the_owner_names_whatever_it_may_be_shown_for() -> None:
    """Whoever looks it up in `parley lights` finds the thing, and the command that tells more."""
    words = {
        CONFIG: "configuration",
        RECORDS: "records",
        WAKE_CLIPS: "clips of wakes",
        PROMETHEUS: "Prometheus",
        SPENDING_NEAR: "a limit of spending is near: parley spending",
    }
    assert set(words) == ATTENDED
    for kind, told in words.items():
        assert told in MOTIONS[Pattern.MISTAKE].means, kind
        assert shown(Situation(State.IDLE, State.IDLE, (kind,))) is Pattern.MISTAKE


def test_what_the_owner_wants_dark_is_dark_and_nothing_else() -> None:
    """By the state's public name; what stands higher still shows."""
    off = frozenset({"idle", "listening"})
    assert shown(Situation(State.IDLE, State.IDLE, off=off)) is Pattern.OFF
    assert shown(Situation(State.LISTENING, State.IDLE, off=off)) is Pattern.OFF
    assert shown(Situation(State.LISTENING, State.IDLE, volume=True, off=off)) is Pattern.VOLUME
    dark = frozenset({"idle", "connecting", "listening", "thinking", "speaking"})
    assert shown(Situation(State.THINKING, State.IDLE, picture=True, off=dark)) is Pattern.PICTURE
    assert shown(Situation(State.IDLE, State.IDLE, ("dns",), off=off)) is Pattern.STANDING_NETWORK
    assert shown(Situation(State.SPEAKING, State.IDLE, off=off)) is Pattern.SPEAKING


def test_each_family_has_its_own_patterns_and_chime() -> None:
    """And every name of a pattern is one."""
    families = (DEVICE, NETWORK, ACCOUNT, SERVICE)
    names = [name for family in families for name in (family.pattern, family.standing)]
    assert len(set(names)) == 8
    assert set(names) <= set(Pattern)
    assert len({family.chime for family in families}) == 4
    assert set(SIGNALS.values()) == set(families)


@pytest.mark.parametrize(
    ("kind", "fatal", "seconds"),
    [
        ("key", True, math.inf),
        ("model", True, math.inf),
        ("microphone", False, math.inf),
        ("offline", False, math.inf),
        ("cap", True, math.inf),
        (SPENDING, False, math.inf),
        (SPENDING_NEAR, False, math.inf),
        ("network", False, PRESUMED_S),
        ("server", False, PRESUMED_S),
    ],
)
def test_how_long_a_fault_may_be_presumed(kind: str, seconds: float, *, fatal: bool) -> None:
    """As long as its end would be seen, or only the owner can bring it about."""
    assert presumed_s(kind, fatal=fatal) == seconds


def test_the_newest_that_has_a_signal() -> None:
    """Later hints do not hide it."""
    assert newest(()) is None
    assert newest(HINTS) is None
    assert newest(("dns", "key", "config")) == "key"
