"""The networks of the wake room run here; no other module touches onnxruntime.

All of them run on one thread without spinning: more threads make these small networks slower, and
a spinning pool keeps every core of a Raspberry Pi busy between two hops.

Nothing here is thread-safe: whoever loads a network uses it from one thread at a time.
"""

from __future__ import annotations

import copy
import functools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.errors import WakeModelError
from device.frames import MICROPHONE_RATE_HZ
from device.wake.catalogue import bundled_network, choices, locate, word_name
from device.wake.embedding import MEL_INPUT, stream_embedding
from device.wake.network_file import look_at

Floats = NDArray[np.float32]

HISTORY_SAMPLES = 480
"""Three mel steps of samples before a hop, so that its 8 windows of 32 ms are whole."""
HOP_FRAMES = 8
MEL_BINS = 32
EMBEDDING_SIZE = 96
WINDOW_FRAMES = 76
"""Mel frames that go into one embedding."""

SPEECH_SAMPLES = 512
"""32 ms. Silero VAD: 512, 1024 or 1536 samples at 16 kHz."""

_ONLY_ERRORS = 3


@functools.cache
def _runtime() -> Any:
    """Import onnxruntime, its telemetry off: it is on by default and starts with the import."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime  # noqa: PLC0415 - heavy, and the line above must come first

    onnxruntime.disable_telemetry_events()
    onnxruntime.set_default_logger_severity(_ONLY_ERRORS)
    return onnxruntime


def _session(network: Path | bytes) -> Any:
    runtime = _runtime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = runtime.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = _ONLY_ERRORS
    # An arena only ever grows; these networks ask for the same few kilobytes every hop.
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    source = network if isinstance(network, bytes) else str(network)
    return runtime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


class Melspectrogram:
    """Turns the samples of a hop into mel frames, as openWakeWord scales them."""

    def __init__(self) -> None:
        self._session = _session(bundled_network("melspectrogram"))

    def frames(self, samples: Floats) -> Floats:
        """Mel frames (8, 32) of a hop and its history: (1, 480 + 1280), in int16 steps."""
        (decibels,) = self._session.run(None, {"input": samples})
        # openWakeWord: utils.py, melspec_transform; its embedding network is used to that scale.
        scaled: Floats = decibels.reshape(-1, MEL_BINS) * np.float32(0.1) + np.float32(2.0)
        return scaled


class _Recurrent:
    """A network that takes back its own states, without one allocation or copy of them per run.

    Two sets of state buffers swap roles from run to run: one is read while the other is written.
    """

    def __init__(
        self,
        session: Any,
        source: tuple[str, tuple[int, ...]],
        result: tuple[str, tuple[int, ...]],
        states: Mapping[tuple[str, str], tuple[int, ...]],
        constants: Mapping[str, NDArray[Any]] | None = None,
    ) -> None:
        """``states`` maps the names (as input, as output) of each state to its shape."""
        self._session = session
        self._source = _buffer(source[1])
        self._result = _buffer(result[1])
        self._sets = [[_buffer(shape) for shape in states.values()] for _ in range(2)]
        self._reads = 0
        self._bindings = []
        for old, new in (self._sets, self._sets[::-1]):
            binding = session.io_binding()
            binding.bind_ortvalue_input(source[0], self._source)
            binding.bind_ortvalue_output(result[0], self._result)
            for name, value in (constants or {}).items():
                binding.bind_cpu_input(name, value)
            for (before, after), read, written in zip(states, old, new, strict=True):
                binding.bind_ortvalue_input(before, read)
                binding.bind_ortvalue_output(after, written)
            self._bindings.append(binding)

    def run(self, values: Floats) -> Floats:
        """The result for ``values``, as a new array."""
        self._source.update_inplace(values)
        self._session.run_with_iobinding(self._bindings[self._reads])
        self._reads = 1 - self._reads
        result: Floats = self._result.numpy().copy()  # a view of what the next run overwrites
        return result

    def states(self) -> list[Floats]:
        """A copy of what the next run will take back."""
        return [buffer.numpy().copy() for buffer in self._sets[self._reads]]

    def restore(self, states: Sequence[Floats]) -> None:
        """Go on as if the last run had left ``states``."""
        for buffer, value in zip(self._sets[self._reads], states, strict=True):
            buffer.update_inplace(value)


def _buffer(shape: tuple[int, ...]) -> Any:
    return _runtime().OrtValue.ortvalue_from_numpy(np.zeros(shape, np.float32))


class Embedding:
    """Turns the mel frames of a hop into the embedding of the last 76 of them."""

    def __init__(self) -> None:
        original = bundled_network("embedding_model").read_bytes()
        network = stream_embedding(original, HOP_FRAMES, MEL_BINS)
        self._fresh = functools.partial(
            _Recurrent,
            _session(network.model),
            (MEL_INPUT, (1, 1, HOP_FRAMES, MEL_BINS)),
            (network.output, (1, EMBEDDING_SIZE, 1, 1)),
            {(s.name, s.next_name): s.shape for s in network.states},
        )
        self._network = self._fresh()

    def twin(self) -> Embedding:
        """The same loaded network with a memory of its own, which is still empty."""
        twin = copy.copy(self)
        twin._network = self._fresh()
        return twin

    def embed(self, frames: Floats) -> Floats:
        """The embedding (96) after these 8 new mel frames (8, 32)."""
        return self._network.run(frames.reshape(1, 1, HOP_FRAMES, MEL_BINS)).reshape(-1)

    def states(self) -> list[Floats]:
        """Return what the network remembers of the frames before; for ``restore``."""
        return self._network.states()

    def restore(self, states: Sequence[Floats]) -> None:
        """Go back to what ``states`` remembers."""
        self._network.restore(states)


class Classifier:
    """Scores one wake word over the last embeddings."""

    def __init__(self, model: str) -> None:
        """Load a bundled name or an absolute path. Raises WakeModelError."""
        self.name = word_name(model)
        path = locate(model)
        look_at(path)
        try:
            self._session = _session(path)
        except Exception as error:  # onnxruntime's errors have no base of their own
            reason = str(error).rpartition(":")[2].strip()
            size = path.stat().st_size
            raise WakeModelError(
                f"{path}: not an ONNX file ({reason}), or one that is cut off ({size} bytes are "
                f"there): copy it again; {choices()}"
            ) from error
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if not _takes_embeddings(inputs) or len(outputs) != 1:
            found = f"it takes {_described(inputs)} and gives {_described(outputs)}"
            expected = f"one takes [1, n, {EMBEDDING_SIZE}] and gives [1, 1]"
            raise WakeModelError(
                f"{path}: not a wake word network: {found}; {expected}{_cure(inputs)}; {choices()}"
            )
        self._input = inputs[0].name
        self.embeddings: int = inputs[0].shape[1]
        """How many embeddings, one per hop, it looks at."""
        self._check_one_score(path)

    def _check_one_score(self, path: Path) -> None:
        scores = self._run(np.zeros((1, self.embeddings, EMBEDDING_SIZE), np.float32))
        if scores.size != 1:
            raise WakeModelError(
                f"{path}: no wake word network: it gives {scores.size} scores and one is "
                f"needed (it tells commands apart); {choices()}"
            )

    def score(self, embeddings: Floats) -> float:
        """0..1 for (1, ``self.embeddings``, 96)."""
        return float(self._run(embeddings).item())

    def _run(self, embeddings: Floats) -> Floats:
        result: Floats = self._session.run(None, {self._input: embeddings})[0]
        return result


def _takes_embeddings(inputs: Sequence[Any]) -> bool:
    if len(inputs) != 1 or inputs[0].type != "tensor(float)":
        return False
    shape = inputs[0].shape
    return len(shape) == 3 and isinstance(shape[1], int) and shape[2] == EMBEDDING_SIZE


def _cure(inputs: Sequence[Any]) -> str:
    """What to do about a network that takes something else; empty where that is not known."""
    if len(inputs) != 1:
        return ""
    kind, shape = inputs[0].type, inputs[0].shape
    if len(shape) == 3 and shape[2] == EMBEDDING_SIZE:
        if not isinstance(shape[1], int):
            return "; export it with a fixed number of embeddings, such as [1, 16, 96]"
        return f"; it takes {kind}: export it in float32"
    return (
        "; it was trained for another front end: take one that was trained with openWakeWord, on "
        "Google's speech embedding"
    )


def _described(ports: Sequence[Any]) -> str:
    return ", ".join(f"{p.name} {p.shape}" for p in ports)


class SpeechNetwork:
    """How probable it is that someone speaks: Silero VAD, which remembers what it heard."""

    def __init__(self) -> None:
        state = (2, 1, 64)
        self._network = _Recurrent(
            _session(bundled_network("silero_vad")),
            ("input", (1, SPEECH_SAMPLES)),
            ("output", (1, 1)),
            {("h", "hn"): state, ("c", "cn"): state},
            {"sr": np.array(MICROPHONE_RATE_HZ, np.int64)},
        )

    def probability(self, samples: NDArray[np.int16]) -> float:
        """0..1 for the next 512 samples (32 ms)."""
        scaled = samples.reshape(1, SPEECH_SAMPLES).astype(np.float32) / np.float32(32768.0)
        return float(self._network.run(scaled).item())
