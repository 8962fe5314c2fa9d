"""`stream_embedding` rewrites the embedding network so a hop computes only what is new. Pure.

The network (Google's speech_embedding, as openWakeWord carries it) turns 76 mel frames into one
embedding and is asked for one every 8 frames: nine tenths of its work is done again and again.
It is a chain of convolutions that pad nothing along time, with pools between them that divide time
by 8 in all. So what a convolution saw in the last hop can be kept: each one that looks back over
time gets a state, the last rows of its input, and the next hop joins it to what is new. Fed like
that, the rewritten network gives for 8 new frames the embedding that the original gives for the
last 76, with about a seventh of the arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from device.errors import WakeModelError
from device.wake import onnx_file as onnx
from device.wake.onnx_file import BYTES, Field, Message

MEL_INPUT = "mel"
_TIME_AXIS = 2
_TO_THE_END = 2**63 - 1


@dataclass(frozen=True, slots=True)
class State:
    """What one convolution remembers between hops."""

    name: str
    """Of the input; the output that the next hop needs is ``next_name``."""
    shape: tuple[int, ...]
    """1, channels, rows of time, bins."""

    @property
    def next_name(self) -> str:
        """Name of the output that holds this state after the hop."""
        return f"{self.name}_next"


@dataclass(frozen=True, slots=True)
class StreamingNetwork:
    """An ONNX model that takes ``MEL_INPUT`` (1, 1, frames of a hop, bins) and every state."""

    model: bytes
    states: tuple[State, ...]
    output: str
    """Name of the output that holds the embedding; the other outputs are the next states."""


def stream_embedding(original: bytes, hop_frames: int, bins: int) -> StreamingNetwork:
    """Rewrite the embedding network to take only the ``hop_frames`` new mel frames of a hop.

    Raises WakeModelError when the file is not a chain of convolutions for which that is right.
    """
    try:
        model = onnx.unpack(original)
        (graph,) = onnx.nested(model, onnx.MODEL_GRAPH)
        chain = _Chain(graph, hop_frames, bins)
    except ValueError as error:
        message = f"the embedding network is not that of openWakeWord 0.5.1: {error}"
        raise WakeModelError(f"{message}; install openwakeword==0.5.1 again") from error
    rewritten = Field(onnx.MODEL_GRAPH, BYTES, onnx.pack(chain.graph))
    kept = [f for f in model if f.number != onnx.MODEL_GRAPH]
    return StreamingNetwork(onnx.pack([*kept, rewritten]), tuple(chain.states), chain.tail)


@dataclass
class _Chain:
    """Walks from the input to the embedding; ``rows`` and ``bins`` are the shape at ``tail``."""

    original: Message
    rows: int
    bins: int
    tail: str = ""
    states: list[State] = field(default_factory=list)
    graph: Message = field(default_factory=list)

    def __post_init__(self) -> None:
        self.graph.append(onnx.port(onnx.GRAPH_INPUT, MEL_INPUT, (1, 1, self.rows, self.bins)))
        weights = onnx.nested(self.original, onnx.GRAPH_CONSTANT)
        self._channels = {
            name: onnx.integers(w, onnx.TENSOR_DIMS)[1:2]
            for w in weights
            for name in onnx.texts(w, onnx.TENSOR_NAME)
        }
        nodes = onnx.nested(self.original, onnx.GRAPH_NODE)
        operations = [_operation(n) for n in nodes]
        if operations[:1] != ["Reshape"] or operations[-1:] != ["Reshape"]:
            raise ValueError("it does not begin and end with a Reshape")
        # The Reshapes only swap the order of axes of length 1.
        (self.tail,) = onnx.texts(nodes[0], onnx.NODE_OUTPUT)
        self._source = MEL_INPUT
        for node in nodes[1:-1]:
            self._take_over(node)
        self._close()

    def _take_over(self, node: Message) -> None:
        """Append one node of the original, with a state before it if it looks back over time."""
        operation = _operation(node)
        first, *rest = onnx.texts(node, onnx.NODE_INPUT)
        if first != self.tail:
            raise ValueError(f"a {operation} does not follow the node before it")
        if operation == "Conv":
            self._remember(node, rest[0])
        elif operation == "MaxPool":
            self._shrink(onnx.attribute(node, "strides"))
        elif operation not in {"LeakyRelu", "Max"}:
            raise ValueError(f"a {operation} is not expected")
        inputs = [Field(onnx.NODE_INPUT, BYTES, n.encode()) for n in (self._source, *rest)]
        others = [f for f in node if f.number != onnx.NODE_INPUT]
        self.graph.append(Field(onnx.GRAPH_NODE, BYTES, onnx.pack([*inputs, *others])))
        (self.tail,) = onnx.texts(node, onnx.NODE_OUTPUT)
        self._source = self.tail

    def _remember(self, conv: Message, weights: str) -> None:
        if any(onnx.attribute(conv, "pads")[0::2]) or onnx.attribute(conv, "strides") != (1, 1):
            raise ValueError("a Conv pads or strides over time")
        look_back = onnx.attribute(conv, "kernel_shape")[0] - 1
        if not look_back:
            return
        shape = (1, *self._channels[weights], look_back, self.bins)
        state = State(f"state_{len(self.states)}", shape)
        self.states.append(state)
        joined = f"{state.name}_joined"
        start, end, axis = f"{state.name}_start", "to_the_end", "time_axis"
        self.graph += [
            onnx.port(onnx.GRAPH_INPUT, state.name, shape),
            onnx.port(onnx.GRAPH_OUTPUT, state.next_name, shape),
            onnx.constant(start, -look_back),
            onnx.node("Concat", [state.name, self._source], joined, axis=_TIME_AXIS),
            onnx.node("Slice", [joined, start, end, axis], state.next_name),
        ]
        self._source = joined

    def _shrink(self, strides: tuple[int, ...]) -> None:
        over_time, over_bins = strides
        if self.rows % over_time:
            raise ValueError(f"a MaxPool takes {over_time} rows and a hop brings {self.rows}")
        self.rows //= over_time
        self.bins //= over_bins

    def _close(self) -> None:
        """Declare the output, and add what the whole graph shares."""
        if (self.rows, self.bins) != (1, 1):
            raise ValueError(f"a hop would give {self.rows} x {self.bins} embeddings")
        replaced = {onnx.GRAPH_NODE, onnx.GRAPH_INPUT, onnx.GRAPH_OUTPUT}
        self.graph += [f for f in self.original if f.number not in replaced]
        self.graph += [
            onnx.constant("to_the_end", _TO_THE_END),
            onnx.constant("time_axis", _TIME_AXIS),
            onnx.port(onnx.GRAPH_OUTPUT, self.tail, (1, 96, 1, 1)),
        ]


def _operation(node: Message) -> str:
    return "".join(onnx.texts(node, onnx.NODE_OPERATION))
