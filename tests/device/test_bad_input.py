# SPDX-License-Identifier: Apache-2.0
"""An input that is not the model's is refused by name, and the device works on."""

from __future__ import annotations

import numpy as np
import pytest

from tinyhil.errors import BadInput
from tinyhil.verdict import assert_golden


@pytest.fixture
def inputs(golden):
    return [array[0] for array in golden.inputs]


def test_another_shape_is_refused(device, golden, inputs):
    longer = np.concatenate([inputs[0].ravel(), inputs[0].ravel()[:1]])
    with pytest.raises(BadInput, match="shape"):
        device.run([longer, *inputs[1:]])
    assert_golden(device, golden.subset([0]))


def test_another_type_is_refused(device, golden, inputs):
    other = np.float64 if inputs[0].dtype != np.float64 else np.int8
    with pytest.raises(BadInput, match="float64"):
        device.run([inputs[0].astype(other), *inputs[1:]])
    assert_golden(device, golden.subset([0]))


def test_another_number_of_inputs_is_refused(device, golden, inputs):
    with pytest.raises(BadInput, match=f"{len(inputs)}"):
        device.run([*inputs, inputs[0]])
    assert_golden(device, golden.subset([0]))
