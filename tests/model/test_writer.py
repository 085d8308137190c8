# SPDX-License-Identifier: Apache-2.0
"""Models that the writer makes are well-formed, repeatable, and refuse what the schema does not have."""

from __future__ import annotations

import numpy as np
import pytest
import small_models

from tinyhil.model import parse_model
from tinyhil.model.writer import ModelWriter


def test_equal_calls_give_equal_bytes():
    assert small_models.convolution() == small_models.convolution()


def test_constants_start_on_the_alignment_that_the_schema_demands():
    model = parse_model(small_models.convolution(), "x.tflite")
    offsets = [tensor.data_offset for tensor in model.tensors if tensor.is_constant]
    assert offsets
    assert all(offset % 16 == 0 for offset in offsets)


def test_constants_come_back_as_they_were_given():
    values = np.array([[-128, 127, 0], [1, -1, 5]])
    writer = ModelWriter()
    x = writer.tensor((2, 3), scale=0.1)
    constant = writer.tensor((2, 3), scale=0.1, data=values)
    y = writer.tensor((2, 3), scale=0.1)
    writer.operator("ADD", [x, constant], [y])
    model = parse_model(writer.finish([x], [y]), "x.tflite")
    np.testing.assert_array_equal(model.constant(model.tensors[constant]), values)


def test_operators_of_one_kind_share_a_code_and_custom_ones_have_their_own():
    model = parse_model(small_models.unsupported(), "x.tflite")
    assert [op.name for op in model.operators] == ["ADD", "COS", "COS", "my_filter"]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("NO_SUCH_OPERATOR", {}, "the schema has no operator NO_SUCH_OPERATOR"),
        ("CONV_2D", {"stride": 2}, "CONV_2D has no option stride"),
        ("COS", {"padding": "SAME"}, "COS has no option padding"),
    ],
)
def test_what_the_schema_does_not_have_is_refused(name: str, options: dict[str, object], message: str):
    writer = ModelWriter()
    x = writer.tensor((1, 4), scale=0.1)
    with pytest.raises(ValueError, match=message):
        writer.operator(name, [x], [x], **options)


def test_data_that_the_tensor_cannot_hold_is_refused():
    writer = ModelWriter()
    with pytest.raises(ValueError, match="int8 does not hold"):
        writer.tensor((2,), scale=0.1, data=np.array([1, 128]))
    with pytest.raises(ValueError, match=r"\[3\] for a tensor of shape \[2\]"):
        writer.tensor((2,), scale=0.1, data=np.array([1, 2, 3]))
