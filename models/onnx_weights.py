"""The weights inside an ONNX file, read by onnxruntime itself: each is asked for as one more output of the network.

An ONNX file is a protobuf message, and two messages one after the other are one with the fields of both (Protocol
Buffers, "Encoding", on merging). So a few bytes behind the file name further outputs of its graph, and neither the
``onnx`` package nor a parser of our own is needed.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError

Floats = NDArray[np.float32]

GRAPH, OUTPUT, NAME = 7, 12, 1
"""Numbers of the fields ModelProto.graph, GraphProto.output and ValueInfoProto.name in onnx.proto."""


def values(
    network: bytes, weights: Sequence[str], outputs: Sequence[str], inputs: Mapping[str, Floats]
) -> dict[str, Floats]:
    """Weights by their names, and the network's own outputs for these inputs. network: an ONNX file.

    Raises ModelError when onnxruntime cannot read the file, or when it has nothing of one of the names.
    """
    import onnxruntime  # type: ignore[import-untyped,unused-ignore]

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4  # a file that cannot be read is told once, by our own error
    further = b"".join(_field(OUTPUT, _field(NAME, name.encode())) for name in weights)
    names = [*weights, *outputs]
    try:
        session = onnxruntime.InferenceSession(
            network + _field(GRAPH, further), options, providers=["CPUExecutionProvider"]
        )
        found = session.run(names, dict(inputs))
    except Exception as error:  # onnxruntime has no common base class for its errors
        raise ModelError("it cannot be read, or has other weights, inputs or outputs") from error
    return dict(zip(names, found, strict=True))


def _field(number: int, content: bytes) -> bytes:
    """One length-delimited field of a protobuf message."""
    length, size = bytearray(), len(content)
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([number << 3 | 2, *length, size]) + content
