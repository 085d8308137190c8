# SPDX-License-Identifier: Apache-2.0
"""Is what the device computed what the golden set holds? Bit for bit: outputs, and every operator's checksums."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tinyhil.errors import GoldenError, OutputMismatch
from tinyhil.record import Diagnosis, Difference, OperatorDifference, OutputDifference

if TYPE_CHECKING:
    from tinyhil.device import RunResult
    from tinyhil.golden import GoldenSet


def compare(golden: GoldenSet, vector: int, result: RunResult) -> Difference | None:
    """The first difference between `result` and vector number `vector` of the set; None where there is none.

    Checksums are compared where the result has them. Raises GoldenError where the outputs' number, shape or type is
    not the set's: then nothing can be compared.
    """
    expected = [array[vector] for array in golden.outputs]
    output = compare_outputs(expected, result.outputs, tolerance=golden.tolerance)
    operator = None
    exact = golden.has_checksums and not golden.tolerance
    if exact and result.op_reads is not None and result.op_writes is not None:
        operator = _first_operator(
            golden.op_names, golden.op_reads[vector], golden.op_writes[vector], result.op_reads, result.op_writes
        )
    if output is None and operator is None:
        return None
    return Difference(vector, golden.kinds[vector], output, operator)


def compare_outputs(
    want: Sequence[NDArray[Any]], got: Sequence[NDArray[Any]], *, tolerance: float = 0.0
) -> OutputDifference | None:
    """The first output that is not bit-for-bit the wanted one; floats too are compared by their bits.

    With a tolerance: the first with an element that differs by more, or that is no number where a number is wanted.
    """
    if len(want) != len(got):
        raise GoldenError(
            f"the golden set has {len(want)} outputs, the device gave {len(got)}",
            next_step="Make the golden set again from this model: tinyhil golden make.",
        )
    for number, (expected, actual) in enumerate(zip(want, got, strict=True)):
        if expected.shape != actual.shape or expected.dtype != actual.dtype:
            raise GoldenError(
                f"output {number}: the golden set has {expected.dtype}{list(expected.shape)}, "
                f"the device gave {actual.dtype}{list(actual.shape)}",
                next_step="Make the golden set again from this model: tinyhil golden make.",
            )
        if expected.tobytes() == actual.tobytes():
            continue
        bits = np.dtype(f"u{expected.dtype.itemsize}")
        differs = np.ascontiguousarray(expected).view(bits).ravel() != np.ascontiguousarray(actual).view(bits).ravel()
        if tolerance:
            with np.errstate(all="ignore"):
                apart = np.abs(actual.astype(np.float64) - expected.astype(np.float64)).ravel()
            differs &= ~(apart <= tolerance)
            if not differs.any():
                continue
        index = int(np.argmax(differs))
        with np.errstate(all="ignore"):
            distance = np.abs(actual.astype(np.float64) - expected.astype(np.float64)).ravel()[differs]
        return OutputDifference(
            output=number,
            index=index,
            coordinates=tuple(int(i) for i in np.unravel_index(index, expected.shape)),
            got=_element(actual.ravel()[index]),
            want=_element(expected.ravel()[index]),
            differing=int(differs.sum()),
            total=expected.size,
            largest=_element(distance.max().astype(expected.dtype) if expected.dtype.kind == "f" else distance.max()),
        )
    return None


def _element(value: np.generic) -> int | float | str:
    """A number that JSON can hold, or its name."""
    number = value.item()
    if isinstance(number, float):
        if not np.isfinite(number):
            return str(number)
        if value.dtype == np.float32:
            return float(str(value))
        return int(number) if number.is_integer() else number
    return int(number)


def _first_operator(
    names: Sequence[str],
    want_reads: Iterable[int],
    want_writes: Iterable[int],
    got_reads: Sequence[int],
    got_writes: Sequence[int],
) -> OperatorDifference | None:
    if len(got_reads) != len(names):
        raise GoldenError(
            f"the golden set has {len(names)} operators, the device ran {len(got_reads)}",
            next_step="Make the golden set again from this model: tinyhil golden make.",
        )
    rows = zip(names, want_reads, want_writes, got_reads, got_writes, strict=True)
    for index, (name, want_read, want_write, got_read, got_write) in enumerate(rows):
        if got_read != want_read:
            return OperatorDifference(index, name, "read", int(got_read), int(want_read))
        if got_write != want_write:
            return OperatorDifference(index, name, "wrote", int(got_write), int(want_write))
    return None


class Stop(Protocol):
    """Called before every vector; raises to end the run early."""

    def __call__(self, done: int, total: int) -> None: ...


def _go_on(done: int, total: int) -> None:
    """Never stops."""


class Tally:
    """What a run over a whole golden set found."""

    def __init__(self) -> None:
        self.difference: Difference | None = None
        self.mismatch: RunResult | None = None  # what the device gave for the first vector that differs
        self.vectors_differing = 0
        self.units: int | None = None  # instructions or cycles of the plain inference of vector 0
        self.op_units: list[int] | None = None  # of each operator, in another inference of vector 0
        self.correct = 0
        self.labelled = 0


class Runs(Protocol):
    """What runs inferences of a model: a Device, or what stands for one."""

    def run(
        self,
        inputs: Sequence[NDArray[Any]],
        *,
        checksums: bool = False,
        profile: bool = False,
        keep_state: bool = False,
    ) -> RunResult: ...


def run_golden(device: Runs, golden: GoldenSet, *, step: Stop = _go_on) -> Tally:
    """Runs every vector of the set on the device, which holds the set's model, and compares all of them.

    Vector 0 runs once without a hook, for the cost of an inference, and is compared like the others; then every vector
    runs with the checksum of what each operator read and wrote, vector 0 also with what each operator costs. Where the
    set is one sequence, the state of a vector's inference is kept for the next.
    """
    tally = Tally()
    count = len(golden.kinds)
    step(0, count)
    plain = device.run([array[0] for array in golden.inputs])
    tally.units = plain.units
    different_in_plain = compare(golden, 0, plain)
    for vector in range(count):
        step(vector, count)
        result = device.run(
            [array[vector] for array in golden.inputs],
            checksums=True,
            profile=vector == 0,
            keep_state=golden.keeps_state and vector > 0,
        )
        if vector == 0:
            tally.op_units = result.op_units
        difference = compare(golden, vector, result)
        if vector == 0 and difference is None and different_in_plain is not None:
            difference, result = different_in_plain, plain
        if difference is not None:
            tally.vectors_differing += 1
            if tally.difference is None:
                tally.difference, tally.mismatch = difference, result
        if golden.labels is not None and golden.labels[vector] >= 0:
            tally.labelled += 1
            tally.correct += int(int(np.argmax(result.outputs[0])) == int(golden.labels[vector]))
    step(count, count)
    if tally.difference is not None:
        first = tally.difference
        tally.difference = Difference(first.vector, first.kind, first.output, first.operator, tally.vectors_differing)
    return tally


def assert_golden(device: Runs, golden: GoldenSet) -> Tally:
    """`run_golden` for a test: raises OutputMismatch, its first line the first difference, unless all agree."""
    __tracebackhide__ = True
    tally = run_golden(device, golden)
    if tally.difference is not None:
        from tinyhil.diagnose import attempt

        model = getattr(device, "model", None)
        diagnosis = attempt(device, model, golden, tally.difference) if model is not None else None
        raise mismatch(tally.difference, len(golden.kinds), diagnosis)
    return tally


def mismatch(difference: Difference, vectors: int, diagnosis: Diagnosis | None = None) -> OutputMismatch:
    """The difference as an error: the fact first, then where it comes from."""
    details = mismatch_details(difference, vectors, diagnosis)
    return OutputMismatch(difference.headline(), details="\n".join(details))


def mismatch_details(difference: Difference, vectors: int, diagnosis: Diagnosis | None = None) -> list[str]:
    """Where a difference comes from, a line a fact."""
    details = [f"{difference.vectors_differing} of {vectors} vectors differ, the first is {difference.vector}"]
    if difference.operator is not None:
        details.append(f"first operator that differs: {difference.operator_line()}")
    if diagnosis is not None:
        from tinyhil.report.terminal import diagnosis_rows

        details += [f"{name}: {text}" for name, text in diagnosis_rows(diagnosis)]
    return details
