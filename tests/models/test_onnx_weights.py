import numpy as np
import pytest

from models.errors import ModelError
from models.onnx_weights import Floats, values
from models.silero import bundled

BASIS = "encoder.feature_extractor.forward_basis_buffer"


def inputs() -> dict[str, Floats]:
    empty = np.zeros((1, 1, 128), np.float32)
    return {"input": np.zeros((1, 576), np.float32), "h": empty, "c": empty}


def test_reads_weights_beside_the_networks_own_outputs() -> None:
    found = values(bundled().read_bytes(), [BASIS], ["speech_probs", "hn"], inputs())
    assert list(found) == [BASIS, "speech_probs", "hn"]
    assert found[BASIS].shape == (258, 1, 256)
    assert found["hn"].shape == (1, 1, 128)
    angle = 2 * np.pi * np.outer(np.arange(129), np.arange(256)) / 256
    np.testing.assert_allclose(found[BASIS][:129, 0], np.hanning(257)[:-1] * np.cos(angle), atol=1e-6)


@pytest.mark.parametrize("file", [b"", b"no network", bundled().read_bytes()[:-1000]])
def test_refuses_what_is_no_network(file: bytes) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        values(file, [BASIS], ["speech_probs"], inputs())


def test_refuses_a_name_that_the_network_does_not_have() -> None:
    with pytest.raises(ModelError, match="other weights"):
        values(bundled().read_bytes(), ["absent"], ["speech_probs"], inputs())
