# SPDX-License-Identifier: Apache-2.0
"""The model fits the memory there is, and what does not fit is refused with the number that is missing."""

from __future__ import annotations

import pytest

from tinyhil.errors import ArenaOverflow
from tinyhil.verdict import assert_golden


def test_arena_and_stack_stay_within_what_is_reserved(device, golden):
    device.run([array[0] for array in golden.inputs], checksums=True)
    memory = device.memory()
    assert 0 < memory.arena_used <= memory.arena_bytes
    if memory.stack_bytes:
        assert 0 < memory.stack_peak < memory.stack_bytes


def test_an_arena_of_just_the_size_used_is_enough(device, model, golden):
    used = device.load(model).arena_used
    assert device.load(model, arena_bytes=used).arena_used == used
    assert_golden(device, golden.subset([0]))


def test_a_smaller_arena_is_refused_with_the_bytes_that_are_missing(device, model, golden):
    used = device.load(model).arena_used
    with pytest.raises(ArenaOverflow) as refused:
        device.load(model, arena_bytes=used - 16)
    assert refused.value.missing_bytes > 0
    assert str(refused.value.needed_bytes) in refused.value.message.replace(",", "")
    device.load(model)
    assert_golden(device, golden.subset([0]))
