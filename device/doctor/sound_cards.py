"""One check tells which cards hear and speak, and where that is a guess of ours.

Where a speaker runs, it is asked: the cards that it has open show themselves to nobody else.
"""

from __future__ import annotations

from collections.abc import Iterator

from device.audio.devices import Device, choose_or_none, is_a_screen
from device.audio.portaudio import list_devices
from device.board.kernel import read_evidence
from device.doctor.result import Result, fine, hint, skipped
from device.doctor.scene import Scene
from device.errors import AudioDeviceError, BoardError
from device.ports import SoundDevice

NAME = "cards"
WHICH = "write a part of its name as {key}; see: parley devices"


def sound_cards(scene: Scene) -> Iterator[Result]:
    """Report which microphone and which loudspeaker belong to each other, and which are guessed."""
    if scene.unreachable:
        yield skipped(NAME, "the speaker that has them cannot be asked", scene.silence)
        return
    if scene.owns_hardware and "sound" in scene.notes:
        yield skipped(NAME, scene.notes["sound"])
        return
    try:
        microphone, loudspeaker, why = _in_use(scene) if scene.status else _to_be_used(scene)
        if microphone is None or loudspeaker is None:
            what = "there are no two devices, or they were never open"
            yield skipped(NAME, what, "parley devices")
        else:
            yield _judged(scene, microphone, loudspeaker, why)
    except (AudioDeviceError, BoardError) as error:
        yield skipped(NAME, str(error))


def _in_use(scene: Scene) -> tuple[SoundDevice | None, SoundDevice | None, str]:
    return scene.microphone, scene.loudspeaker, ""


def _to_be_used(scene: Scene) -> tuple[Device | None, Device | None, str]:
    found, audio = list_devices(), scene.config.audio
    heard = choose_or_none(
        found, audio.input.device, "input", scene.boards.input_facts(scene.config)
    )
    facts = scene.boards.output_facts(scene.config)
    spoken = choose_or_none(found, audio.output.device, "output", facts, audio.input.device)
    if heard is None or spoken is None:
        return None, None, ""
    return heard.device, spoken.device, f" ({spoken.why})"


def _judged(scene: Scene, microphone: SoundDevice, loudspeaker: SoundDevice, why: str) -> Result:
    guessed = _guesses(scene, microphone, loudspeaker)
    figures = {"microphone": microphone.name, "loudspeaker": loudspeaker.name}
    if microphone.name == loudspeaker.name:
        figure = f"'{microphone.name}' hears and speaks"
    else:
        figure = f"'{microphone.name}' hears, '{loudspeaker.name}' speaks{why}"
    if guessed:
        return hint(NAME, figure, "; ".join(guessed), None, guesses=guessed, **figures)
    return fine(NAME, figure, guesses=[], **figures)


def _guesses(scene: Scene, microphone: SoundDevice, loudspeaker: SoundDevice) -> list[str]:
    """Say what was taken though nobody asked for it, and may be wrong."""
    audio, found = scene.config.audio, []
    rivals = _rivals(scene, microphone) if audio.input.device == "auto" else []
    if rivals:
        others = ", ".join(f"'{name}'" for name in rivals)
        found.append(
            f"{others} could hear too, and which comes first may change with the next start: "
            + WHICH.format(key="audio.input.device")
        )
    if audio.output.device != "auto":
        return found
    which = WHICH.format(key="audio.output.device")
    if is_a_screen(loudspeaker):
        found.append(
            f"the loudspeaker is a screen's, and nothing is heard where none is connected: {which}"
        )
    elif microphone.card is not None and microphone.card != loudspeaker.card:
        found.append(
            f"the microphone's card has no loudspeaker; if you hear nothing from this one: {which}"
        )
    return found


def _rivals(scene: Scene, microphone: SoundDevice) -> list[str]:
    """Return other cards on USB that record, where the one in use is no ReSpeaker."""
    board = scene.boards.finding(scene.config, microphone).board
    if microphone.card is None or board.channel_maps:
        return []
    return [
        card.name
        for card in read_evidence(scene.root).cards
        if card.number != microphone.card and card.usb_id is not None and card.capture_channels
    ]
