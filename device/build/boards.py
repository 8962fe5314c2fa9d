"""`Boards` finds the board of this machine for the parts, as the owner corrects it."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from device.audio.devices import CardFacts, Device, Facts, name_of_card
from device.board.detection import Finding, detect
from device.board.evidence import Card, Evidence
from device.board.kernel import read_evidence
from device.board.profiles import LedDriver, MuteSwitch, Profile
from device.config import Config
from device.lights.drivers import STRIP_LEDS
from device.ports import SoundDevice

log = logging.getLogger(__name__)


class Boards:
    """Looks at the machine anew at every question, since what is on USB comes and goes.

    ``root`` is where the kernel's files are. Each question takes a few milliseconds; any thread.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._told = ""
        self._cautioned: set[str] = set()

    def finding(self, config: Config, microphone: SoundDevice | None) -> Finding:
        """Find the board, the owner's corrections included. Raises BoardError.

        ``microphone``: the one that is open or would be taken; None while none was open.
        """
        evidence = read_evidence(self._root)
        found = detect(evidence, config.board, microphone)
        board = corrected(found.board, config)
        if board.echo_cancellation and plays_elsewhere(config, evidence, found.card):
            board = replace(board, echo_cancellation=False)
        return replace(found, board=board)

    def profile(self, config: Config, microphone: SoundDevice | None) -> Profile:
        """Give the board alone, and tell the journal when it is another one than before."""
        found = self.finding(config, microphone)
        board = found.board
        if board.name != self._told:
            self._told = board.name
            log.info("board %s (%s): %s", board.name, board.label, found.why)
        if board.caution and board.name not in self._cautioned:
            self._cautioned.add(board.name)
            log.warning("%s: %s", board.label, board.caution)
        return board

    def is_respeaker(self, device: Device) -> bool:
        """Tell whether a sound device is a board's own card, whatever it calls itself."""
        # Of a board that is another card nothing but lights and button are told.
        return bool(detect(read_evidence(self._root), "auto", device).board.channel_maps)

    def input_facts(self, config: Config) -> Facts:
        """Return what is known of a microphone's card."""

        def facts(device: Device) -> CardFacts:
            board = self.finding(config, device).board
            return CardFacts(
                respeaker=self.is_respeaker(device),
                channel=board.channel_of(device.input_channels) if board.channel_maps else None,
                rates_hz=board.rates_hz,
                capture_first=board.capture_first,
                gates=board.gates(device.input_channels),
                mutes=board.mute_switch is not MuteSwitch.NONE,
            )

        return facts

    def output_facts(self, config: Config) -> Facts:
        """Return what is known of a loudspeaker's card, which need not be the board."""
        automatic = config.model_copy(update={"board": "auto"})

        def facts(device: Device) -> CardFacts:
            board = self.finding(automatic, device).board
            return CardFacts(
                respeaker=self.is_respeaker(device),
                output_channels=board.output_channels,
                capture_first=board.capture_first,
            )

        return facts


def plays_elsewhere(config: Config, evidence: Evidence, card: Card | None) -> bool:
    """Tell whether the configured loudspeaker is another card than the board's: it cannot hear it.

    A name that is no card's, such as a sound server's, may be anything: then it is not.
    """
    wanted = config.audio.output.device.casefold()
    if wanted == "auto" or card is None or _is_called(card, wanted):
        return False
    return any(_is_called(other, wanted) for other in evidence.cards)


def _is_called(card: Card, wanted: str) -> bool:
    return wanted in name_of_card(card.number, card.name, card.codec).casefold()


def corrected(board: Profile, config: Config) -> Profile:
    """Put in the place of a board's facts what the configuration says instead."""
    lights, audio = config.lights, config.audio
    if lights.driver == "apa102" and board.led_driver is not LedDriver.APA102:
        board = replace(board, led_driver=LedDriver.APA102, led_count=STRIP_LEDS)
    if lights.count != "auto":
        board = replace(board, led_count=lights.count)
    if lights.spi != "auto":
        port, device = map(int, lights.spi.removeprefix("spidev").split("."))
        board = replace(board, spi_port=port, spi_device=device)
    if lights.power_pin != "auto":
        pin = None if lights.power_pin == "none" else lights.power_pin
        board = replace(board, led_power_pin=pin)
    if audio.input.rate_hz != "auto":
        board = replace(board, rates_hz=(audio.input.rate_hz,))
    if audio.output.channels != "auto":
        board = replace(board, output_channels=audio.output.channels)
    return board
