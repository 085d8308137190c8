# SPDX-License-Identifier: Apache-2.0
"""Where a model first goes wrong on a device, in which element of which tensor, and what that looks like.

The checksums of a run name the first operator that read or wrote something else than in the oracle. One more inference
stops at that operator: what it read and wrote is fetched from the device and held against the oracle's tensors. A
second one stops there again, puts the oracle's inputs in, and so tells whether the operator is wrong by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinyhil.diagnose.cause import guess
from tinyhil.errors import TinyhilError
from tinyhil.record import Alone, Cause, Diagnosis, Difference, TensorDifference
from tinyhil.verdict import compare_outputs

if TYPE_CHECKING:
    from tinyhil.device import Device, StoppedRun
    from tinyhil.golden import GoldenSet
    from tinyhil.model import Model
    from tinyhil.model.graph import Operator, Tensor
    from tinyhil.oracle import Oracle

Arrays = Sequence[NDArray[Any]]

_HISTOGRAM_ROWS = 12


def diagnose(
    device: Device, model: Model, golden: GoldenSet, difference: Difference, *, oracle: Oracle | None = None
) -> Diagnosis:
    """What is wrong, where the device computed `difference`; it takes at most two inferences.

    The device holds the model. Where the golden set contradicts itself, or no operator differs because the device does
    not compute the same each time, there is nothing to look into: a diagnosis without an operator says so.

    Raises what Oracle.tensors and Device.run raise.
    """
    from tinyhil.oracle import TflmOracle

    contradiction = golden.contradiction(model, difference.vector)
    if contradiction:
        return Diagnosis(None, cause=Cause("golden", contradiction))
    if difference.operator is None:
        text = "every operator agrees in the run that took checksums: not the same each time"
        return Diagnosis(None, cause=Cause("unsteady", text))
    oracle = oracle or TflmOracle()
    inputs = [array[difference.vector] for array in golden.inputs]
    return _Search(device, model, inputs, difference.operator.index, oracle).run()


def attempt(device: object, model: Model, golden: GoldenSet, difference: Difference) -> Diagnosis | None:
    """`diagnose` for whoever has a verdict already: what hinders it is said in the diagnosis, and raised by nobody.

    None where `device` is no Device: what stands for one cannot be stopped.
    """
    from tinyhil.device import Device

    if not isinstance(device, Device):
        return None
    try:
        return diagnose(device, model, golden, difference)
    except TinyhilError as error:
        return Diagnosis(None, cause=Cause("unknown", f"not looked into: {error.message}"))


@dataclass(frozen=True)
class _Seen:
    """Of one operator: what it read and wrote."""

    reads: list[NDArray[Any]]
    writes: list[NDArray[Any]]
    shared: list[tuple[int, int]] = field(default_factory=list)  # tensors of it that overlap: read, written


class _Search:
    def __init__(self, device: Device, model: Model, inputs: Arrays, op: int, oracle: Oracle) -> None:
        self.device = device
        self.model = model
        self.inputs = inputs
        self.op: Operator = model.operators[op]
        self.read_tensors = model.reads(self.op)
        self.written_tensors = model.writes(self.op)
        wanted = sorted({tensor.index for tensor in (*self.read_tensors, *self.written_tensors)})
        known = oracle.tensors(model, inputs, wanted)
        self.want = _Seen(
            [known[tensor.index] for tensor in self.read_tensors],
            [known[tensor.index] for tensor in self.written_tensors],
        )

    def run(self) -> Diagnosis:
        got = self._look()
        spoilt = _first_difference(self.read_tensors, self.want.reads, got.reads)
        wrong = _first_difference(self.written_tensors, self.want.writes, got.writes)
        if spoilt is None and wrong is None:
            return Diagnosis(
                self.op.index,
                self.op.name,
                cause=Cause("unsteady", "it read and wrote the right values this time: not the same each time"),
            )
        if spoilt is not None:
            return self._spoilt(spoilt, got)
        assert wrong is not None
        k, tensor = wrong
        alone, _ = self._alone()
        cause = guess(self.op, self._window(), self.want.writes[k], got.writes[k])
        over = next((i for i, j in got.shared if j == k), None)
        if over is not None:
            own = self.read_tensors[over]
            text = f"it writes over what it still reads: tensor {own.index} {own.name!r} lies in the same memory"
            cause = Cause("overlap", text, self.op.index, self.op.name)
        if alone == "right":
            cause = Cause("unsteady", "with the same inputs it wrote the right values when it ran again")
        return self._diagnosis("wrote", tensor, self.want.writes[k], got.writes[k], alone, cause)

    def _window(self) -> tuple[int, ...]:
        """Height and width of the operator's window, on its input; () where it has none."""
        options = self.op.options
        size = [options.get("filter_height"), options.get("filter_width")]  # of a pooling
        if self.op.name in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            size = list(self.model.tensors[self.op.inputs[1]].shape[1:3])
        dilations = (options.get("dilation_h_factor", 1), options.get("dilation_w_factor", 1))
        if not all(isinstance(length, int) for length in (*size, *dilations)):
            return ()
        return tuple((int(str(n)) - 1) * int(str(d)) + 1 for n, d in zip(size, dilations, strict=True))

    def _look(self) -> _Seen:
        """An inference as it is."""
        with self.device.run_until(self.inputs, self.op.index) as run:
            reads = run.reads(self.op.index)
            run.go_on(self.op.index, after=True)
            return _Seen(reads, run.writes(self.op.index), run.shared(self.op.index))

    def _alone(self, watched: int | None = None, since: int = 0) -> tuple[Alone | None, int | None]:
        """The operator with the oracle's inputs. `watched`: one of its inputs, right after the operators up to
        `since`: the operator that then spoilt it is returned too. None where its inputs lie in the same memory."""
        culprit = None
        first = self.op.index if watched is None else since
        with self.device.run_until(self.inputs, first) as run:
            if watched is not None:
                culprit = self._watch(run, watched, since)
                run.go_on(self.op.index)
            run.replace(self.op.index, self.want.reads)
            held = _first_difference(self.read_tensors, self.want.reads, run.reads(self.op.index)) is None
            run.go_on(self.op.index, after=True)
            writes = run.writes(self.op.index)
        right = _first_difference(self.written_tensors, self.want.writes, writes) is None
        if not held:
            return None, culprit
        return ("right" if right else "wrong"), culprit

    def _watch(self, run: StoppedRun, k: int, since: int) -> int | None:
        """Steps from operator `since` to this one; the first after which its k-th input is not what it was meant to be.

        None where it was not right to begin with, or still is.
        """
        want = self.want.reads[k].tobytes()
        if run.read(self.op.index, k).tobytes() != want:
            return None
        for op in range(since, self.op.index):
            run.go_on(op, after=True)
            if run.read(self.op.index, k).tobytes() != want:
                return op
        return None

    def _spoilt(self, spoilt: tuple[int, Tensor], got: _Seen) -> Diagnosis:
        """It read other values than the oracle, though each operator before it wrote what the oracle wrote."""
        k, tensor = spoilt
        writers = [op.index for op in self.model.operators[: self.op.index] if tensor.index in op.outputs]
        since = writers[-1] + 1 if writers else 0
        alone, culprit = self._alone(k, since)
        want, have = self.want.reads[k], got.reads[k]
        if culprit is not None:
            name = self.model.operators[culprit].name
            source = f"operator {writers[-1]} wrote it" if writers else "it is an input of the model"
            cause = Cause(
                "overlap", f"{source}, and operator {culprit} {name} overwrote it: they share memory", culprit, name
            )
        elif not writers:
            constant = " (all its elements are the same)" if have.size > 1 and len(np.unique(have)) == 1 else ""
            cause = Cause("input", f"the model's input did not arrive{constant}")
        else:
            cause = Cause("overlap", f"operator {writers[-1]} wrote it right, and it changed before it was read")
        return self._diagnosis("read", tensor, want, have, alone, cause)

    def _diagnosis(
        self, access: str, tensor: Tensor, want: NDArray[Any], got: NDArray[Any], alone: Alone | None, cause: Cause
    ) -> Diagnosis:
        first = compare_outputs([want], [got])
        assert first is not None
        return Diagnosis(
            self.op.index,
            self.op.name,
            "read" if access == "read" else "wrote",
            TensorDifference(
                tensor=tensor.index,
                name=tensor.name,
                type=tensor.type,
                shape=tensor.shape,
                scales=tensor.scales[:1] if len(set(tensor.scales)) == 1 else tensor.scales,
                zero_points=tensor.zero_points[:1] if len(set(tensor.zero_points)) == 1 else tensor.zero_points,
                first=first,
                histogram=histogram(want, got),
            ),
            alone,
            cause,
        )


def _first_difference(tensors: Sequence[Tensor], want: Arrays, got: Arrays) -> tuple[int, Tensor] | None:
    for k, (tensor, expected, actual) in enumerate(zip(tensors, want, got, strict=True)):
        if expected.tobytes() != actual.tobytes():
            return k, tensor
    return None


def histogram(want: NDArray[Any], got: NDArray[Any]) -> tuple[tuple[float, int], ...]:
    """How far off the elements that differ are, and how many of each: (got - want, count), the most frequent first."""
    with np.errstate(all="ignore"):
        distance = got.astype(np.float64) - want.astype(np.float64)
    values, counts = np.unique(distance[np.isfinite(distance) & (distance != 0)], return_counts=True)
    order = np.argsort(-counts, kind="stable")[:_HISTOGRAM_ROWS]
    return tuple((float(values[i]), int(counts[i])) for i in order)
