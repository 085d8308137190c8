# SPDX-License-Identifier: Apache-2.0
"""A run can be stopped at any operator: what it reads and writes there is what the oracle has, on every engine."""

from __future__ import annotations

import numpy as np

from tinyhil.oracle.base import checksum


def test_a_stopped_run_shows_what_each_operator_reads_and_writes(device, golden):
    inputs = [array[0] for array in golden.inputs]
    last = len(golden.op_names) - 1
    for op in sorted({0, last // 2, last}):
        with device.run_until(inputs, op) as run:
            assert checksum(run.reads(op)) == golden.op_reads[0, op]
            run.go_on(op, after=True)
            assert checksum(run.writes(op)) == golden.op_writes[0, op]


def test_an_operator_computes_with_what_it_is_given(device, golden):
    """Vector 1 up to its last operator, and there what the operator reads in vector 0: the output is vector 0's."""
    first, second = ([array[vector] for array in golden.inputs] for vector in (0, 1))
    last = len(golden.op_names) - 1
    with device.run_until(first, last) as run:
        wanted = run.reads(last)
    with device.run_until(second, last) as run:
        run.replace(last, wanted)
        run.go_on(last, after=True)
        assert checksum(run.writes(last)) == golden.op_writes[0, last]


def test_the_device_is_none_the_worse_for_it(device, golden):
    inputs = [array[0] for array in golden.inputs]
    with device.run_until(inputs, 0):
        pass
    result = device.run(inputs)
    assert all(np.array_equal(got, want[0]) for got, want in zip(result.outputs, golden.outputs, strict=True))


def test_no_two_tensors_that_are_needed_at_the_same_time_share_memory(device):
    tensors = device.arena_map()
    assert max(tensor.offset + tensor.bytes for tensor in tensors) <= device.memory().arena_used
    for i, a in enumerate(tensors):
        for b in tensors[:i]:
            at_once = a.first <= b.last and b.first <= a.last
            in_turn = a.last == b.first or b.last == a.first  # written over what it reads, where an operator may
            apart = a.offset + a.bytes <= b.offset or b.offset + b.bytes <= a.offset
            assert apart or not at_once or in_turn, (a, b)
