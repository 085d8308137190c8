# SPDX-License-Identifier: Apache-2.0
"""The least arena that a model needs: below what engines take, and told with what is missing."""

from __future__ import annotations

import pytest

from tinyhil.errors import ArenaOverflow
from tinyhil.matrix import own_model
from tinyhil.model import load_model
from tinyhil.model.arena import check_arena, least_arena_bytes
from tinyhil.model.graph import Model


@pytest.fixture
def digits() -> Model:
    return load_model(own_model("digits"))


def test_it_is_what_is_alive_at_one_time_and_not_all_there_is(digits: Model) -> None:
    activations = [t.bytes for t in digits.tensors if not t.is_constant]
    least = least_arena_bytes(digits, "tflm")
    widest = max(sum(digits.tensors[i].bytes for i in {*op.inputs, *op.outputs} if i >= 0) for op in digits.operators)
    # The residual connection keeps its input through the operators beside it.
    assert 3 * 8 * 8 * 16 <= least < sum(activations)
    channels = sum(len(digits.tensors[op.inputs[1]].scales) for op in digits.operators if "CONV_2D" in op.name)
    assert least < widest + 8 * 8 * 16 + 4 * channels


def test_the_builtin_engine_keeps_a_pointer_a_tensor_and_sixteen_bytes_an_operator(digits: Model) -> None:
    kept = 4 * len(digits.tensors) + 16 * len(digits.operators)
    assert least_arena_bytes(digits, "builtin") == least_arena_bytes(digits, "tflm") + kept


def test_an_arena_of_just_that_is_not_refused_and_a_byte_less_is(digits: Model) -> None:
    least = least_arena_bytes(digits, "builtin")
    check_arena(digits, "builtin", least, "here")
    with pytest.raises(ArenaOverflow, match="at least 1 bytes are missing") as caught:
        check_arena(digits, "builtin", least - 1, "here")
    assert caught.value.missing_bytes == 1
