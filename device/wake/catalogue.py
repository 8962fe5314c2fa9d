"""`locate` finds the file of a wake word network, by a bundled name or the owner's path.

The bundled networks lie in openWakeWord's package, which is located and never imported: its Python
code pulls in scipy and scikit-learn.
"""

from __future__ import annotations

import difflib
import functools
import importlib.util
from pathlib import Path

from device.errors import WakeModelError

_VERSION = "_v0.1"
_NOT_WORDS = {"melspectrogram", "embedding_model", "silero_vad", "timer"}
"""Bundled networks that score no wake word; ``timer`` tells six commands apart."""


def bundled_words() -> list[str]:
    """The names of the wake words that come with Parley, sorted."""
    stems = (path.stem.removesuffix(_VERSION) for path in bundle_folder().glob("*.onnx"))
    return sorted(stem for stem in stems if stem not in _NOT_WORDS)


def bundled_network(name: str) -> Path:
    """The file of a bundled network, wake word or not.

    Raises WakeModelError when there is none, naming the wake words there are.
    """
    folder = bundle_folder()
    for file in (folder / f"{name}.onnx", folder / f"{name}{_VERSION}.onnx"):
        if file.is_file():
            return file
    raise WakeModelError(f"no wake word is called {name!r}{_suggestion(name)}; {choices()}")


def locate(model: str) -> Path:
    """The file that a bundled name or an absolute path stands for.

    Raises WakeModelError when there is no such name or file, or the path is not absolute.
    """
    if "/" not in model and not model.endswith(".onnx"):
        return bundled_network(model)
    path = Path(model)
    if not path.is_absolute():
        raise WakeModelError(f"{model}: not an absolute path; {choices()}")
    try:
        if path.is_dir():
            raise WakeModelError(f"{model}: a folder, not an .onnx file; {choices()}")
        if not path.is_file():
            raise WakeModelError(f"{model}: no such file; {choices()}")
        with path.open("rb"):
            return path
    except OSError as error:
        # The service sees no home directories: what lies there cannot be read by it.
        where = "put it where the user parley may read it, such as /etc/parley"
        raise WakeModelError(f"{model}: cannot be read: {error.strerror}; {where}") from error


def word_name(model: str) -> str:
    """Return a wake word's name in events: the bundled one, or the file's without ``.onnx``."""
    return Path(model).name.removesuffix(".onnx").removesuffix(_VERSION)


def choices() -> str:
    """Return what can be given as a model, as the end of an error message."""
    return f"give one of {', '.join(bundled_words())}, or the absolute path of an .onnx file"


def _suggestion(name: str) -> str:
    wanted = name.lower().replace(" ", "_").replace("-", "_")
    close = difflib.get_close_matches(wanted, bundled_words(), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


@functools.cache
def bundle_folder(package: str = "openwakeword") -> Path:
    """Return where the networks of the installed package lie.

    Raises WakeModelError when it is not installed, or is a release that carries none.
    """
    spec = importlib.util.find_spec(package)
    places = (spec.submodule_search_locations or []) if spec else []
    folders = [Path(place) / "resources" / "models" for place in places]
    for folder in folders:
        if (folder / "embedding_model.onnx").is_file():
            return folder
    searched = f"no networks in {folders[0]}" if folders else "it is not installed"
    raise WakeModelError(f"{package}: {searched}; install openwakeword==0.5.1")
