# SPDX-License-Identifier: Apache-2.0
"""A verdict is bit-for-bit equality, and a difference says exactly where."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from tinyhil.errors import GoldenError, OutputMismatch
from tinyhil.golden import GoldenSet
from tinyhil.verdict import assert_golden, compare, compare_outputs, run_golden

OPERATORS = ["CONV_2D", "RESHAPE", "SOFTMAX"]


def golden_set(vectors: int = 3, labels: Any = None) -> GoldenSet:
    outputs = np.arange(vectors * 12, dtype=np.int8).reshape(vectors, 3, 4)
    checksums = np.arange(vectors * len(OPERATORS), dtype="<u4").reshape(vectors, len(OPERATORS))
    return GoldenSet(
        model_name="m",
        model_sha256="0" * 64,
        oracle="tflm",
        oracle_version="1",
        seed=0,
        generator="g",
        tinyhil_version="0",
        kinds=["uniform"] * vectors,
        numbers=list(range(vectors)),
        inputs=[np.arange(vectors, dtype=np.int8).reshape(vectors, 1)],
        outputs=[outputs],
        labels=labels,
        op_names=OPERATORS,
        op_reads=checksums,
        op_writes=checksums + 100,
    )


@dataclass
class Result:
    outputs: list[np.ndarray]
    units: int | None = None
    op_reads: list[int] | None = None
    op_writes: list[int] | None = None
    op_units: list[int] | None = None


def right(golden: GoldenSet, vector: int, *, checksums: bool) -> Result:
    return Result(
        [output[vector].copy() for output in golden.outputs],
        None if checksums else 1000,
        list(map(int, golden.op_reads[vector])) if checksums else None,
        list(map(int, golden.op_writes[vector])) if checksums else None,
    )


@dataclass
class Device:
    """Answers with the golden set, changed by `spoil(vector, checksums, result)`."""

    golden: GoldenSet
    spoil: Any = lambda vector, checksums, result: None
    runs: list[tuple[int, bool]] = field(default_factory=list)

    def run(
        self,
        inputs: list[np.ndarray],
        *,
        checksums: bool = False,
        profile: bool = False,
        keep_state: bool = False,
    ) -> Result:
        vector = int(inputs[0][0])
        self.runs.append((vector, checksums))
        result = right(self.golden, vector, checksums=checksums)
        if profile:
            result.op_units = [300, 20, 680]
        self.spoil(vector, checksums, result)
        return result


def test_equal_outputs_and_checksums_are_no_difference():
    golden = golden_set()
    assert compare(golden, 1, right(golden, 1, checksums=True)) is None


def test_the_first_differing_element_is_named_with_what_was_got_and_wanted():
    golden = golden_set()
    result = right(golden, 1, checksums=False)
    result.outputs[0][1, 2] = -100
    result.outputs[0][2, 0] += 1
    difference = compare(golden, 1, result)
    assert difference.output.index == 6
    assert difference.output.coordinates == (1, 2)
    assert (difference.output.got, difference.output.want) == (-100, 18)
    assert (difference.output.differing, difference.output.total) == (2, 12)
    assert difference.output.largest == 118
    assert difference.headline() == "output 0[1, 2]: got -100, want 18 (2 of 12 differ, vector 1 uniform)"


def test_the_second_output_is_looked_at_where_the_first_agrees():
    want = [np.zeros(2, np.int8), np.zeros(3, np.int8)]
    assert compare_outputs(want, [want[0], np.array([0, 0, 1], np.int8)]).output == 1


def test_the_first_operator_that_wrote_something_else_is_named():
    golden = golden_set()
    result = right(golden, 0, checksums=True)
    result.op_writes[1] = 7
    result.op_reads[2] = 8
    operator = compare(golden, 0, result).operator
    assert (operator.index, operator.name, operator.access, operator.got, operator.want) == (
        1,
        "RESHAPE",
        "wrote",
        7,
        101,
    )


def test_an_input_destroyed_between_two_operators_shows_as_memory_overlap():
    golden = golden_set()
    result = right(golden, 0, checksums=True)
    result.op_reads[2] = 8
    assert "memory overlap" in compare(golden, 0, result).operator_line()


def test_an_input_that_never_arrived_is_told_from_an_overlap():
    golden = golden_set()
    result = right(golden, 0, checksums=True)
    result.op_reads[0] = 8
    assert "the input did not arrive" in compare(golden, 0, result).operator_line()


def test_operators_that_differ_though_the_outputs_agree_are_a_difference():
    golden = golden_set()
    result = right(golden, 0, checksums=True)
    result.op_writes[2] = 7
    difference = compare(golden, 0, result)
    assert difference.output is None
    assert "SOFTMAX wrote other values though the outputs agree" in difference.headline()


@pytest.mark.parametrize(
    ("want", "got", "shown"),
    [
        (0.0, -0.0, -0.0),
        (1.0, np.nextafter(np.float32(1), np.float32(2)), 1.0000001),
        (1.0, np.nan, "nan"),
        (2, np.inf, "inf"),
    ],
)
def test_floats_are_compared_by_their_bits_and_shown_as_json_can_hold_them(want, got, shown):
    difference = compare_outputs([np.array([want], np.float32)], [np.array([got], np.float32)])
    assert difference.got == shown


def test_equal_nans_are_equal():
    array = np.array([np.nan], np.float32)
    assert compare_outputs([array], [array.copy()]) is None


@pytest.mark.parametrize(
    "outputs", [[], [np.zeros(12, np.int8)], [np.zeros((3, 4), np.uint8)], [np.zeros((3, 4), np.int8)] * 2]
)
def test_outputs_of_another_number_shape_or_type_cannot_be_compared(outputs):
    with pytest.raises(GoldenError):
        compare(golden_set(), 0, Result(outputs))


def test_a_device_with_other_operators_cannot_be_compared():
    golden = golden_set()
    result = right(golden, 0, checksums=True)
    result.op_reads.pop()
    with pytest.raises(GoldenError, match="3 operators, the device ran 2"):
        compare(golden, 0, result)


def test_every_vector_runs_with_checksums_and_the_first_once_plain_for_its_cost():
    device = Device(golden_set())
    tally = run_golden(device, device.golden)
    assert device.runs == [(0, False), (0, True), (1, True), (2, True)]
    assert (tally.difference, tally.units, tally.op_units) == (None, 1000, [300, 20, 680])


def test_all_vectors_run_on_after_a_difference_and_those_that_differ_are_counted():
    def spoil(vector: int, checksums: bool, result: Result) -> None:
        if vector:
            result.outputs[0][0, 0] ^= 1

    device = Device(golden_set(), spoil)
    tally = run_golden(device, device.golden)
    assert (tally.difference.vector, tally.difference.vectors_differing) == (1, 2)
    assert tally.mismatch.outputs[0][0, 0] != device.golden.outputs[0][1, 0, 0]


def test_a_wrong_output_of_the_plain_run_alone_fails_too():
    def spoil(vector: int, checksums: bool, result: Result) -> None:
        if not checksums:
            result.outputs[0][0, 0] ^= 1

    device = Device(golden_set(), spoil)
    tally = run_golden(device, device.golden)
    assert (tally.difference.vector, tally.difference.vectors_differing, tally.difference.operator) == (0, 1, None)


def test_accuracy_counts_labelled_vectors_only_as_the_device_computed_them():
    golden = golden_set(labels=np.array([11, 3, -1], "<i8"))
    tally = run_golden(Device(golden), golden)
    assert (tally.correct, tally.labelled) == (1, 2)


def test_the_assertion_helper_fails_with_the_fact_first():
    def spoil(vector: int, checksums: bool, result: Result) -> None:
        result.outputs[0][0, 0] = -5
        if checksums:
            result.op_writes[0] = 9

    with pytest.raises(OutputMismatch) as failure:
        assert_golden(Device(golden_set(), spoil), golden_set())
    assert failure.value.message.startswith("output 0[0, 0]: got -5, want 0")
    assert "3 of 3 vectors differ" in failure.value.details
    assert "CONV_2D" in failure.value.details
