# SPDX-License-Identifier: Apache-2.0
"""Golden sets: what a model computes, vector by vector, as an oracle on the host computed it, and where that came from.

A set is one .npz file: plain arrays that numpy.load reads, and its provenance as JSON. The same set is always the same
bytes. A set beside the model (`<stem>.golden.npz`) is enough to test a device where no oracle can be installed.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import struct
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinyhil import __version__, vectors
from tinyhil.errors import BadInput, GoldenError, StaleGolden
from tinyhil.model import Model

if TYPE_CHECKING:
    from tinyhil.oracle import Oracle

FORMAT = "tinyhil.golden/1"
SUFFIX = ".golden.npz"
USER = "user"
"""The oracle of a set whose outputs are the user's own."""


@dataclass(frozen=True)
class GoldenSet:
    """n vectors through one model.

    kinds, numbers: for each vector how it was made (tinyhil.vectors.KINDS) and which of its kind it is.
    inputs, outputs: for each model input or output an array (n, *shape) of its type.
    labels: int64 (n,), the right class of a vector, -1 where there is none; None if no vector has one.
    op_reads, op_writes: uint32 (n, number of operators), CRC-32 chained from 0 over the bytes of the non-constant
        tensors that the operator reads (in the order of its inputs) and of those it writes; variables are left out.
    keeps_state: the vectors are one sequence: the model's variables pass from each to the next. Otherwise every vector
        finds them as they are after loading.
    tolerance: by how much an output's elements may differ, in the tensor's own numbers; 0: not by a bit. The reason
        for it is shown wherever the verdict is.
    """

    model_name: str
    model_sha256: str
    oracle: str
    oracle_version: str
    seed: int
    generator: str
    tinyhil_version: str
    kinds: list[str]
    numbers: list[int]
    inputs: list[NDArray[Any]]
    outputs: list[NDArray[Any]]
    labels: NDArray[np.int64] | None
    op_names: list[str]
    op_reads: NDArray[np.uint32]
    op_writes: NDArray[np.uint32]
    keeps_state: bool = False
    tolerance: float = 0.0
    tolerance_reason: str = ""

    def __len__(self) -> int:
        return len(self.kinds)

    @property
    def has_checksums(self) -> bool:
        """Whether it knows what each operator reads and writes: a user's own outputs do not tell."""
        return self.oracle != USER

    def subset(self, indices: Iterable[int]) -> GoldenSet:
        """The same set with these vectors alone, in this order."""
        chosen = list(indices)
        return replace(
            self,
            kinds=[self.kinds[i] for i in chosen],
            numbers=[self.numbers[i] for i in chosen],
            inputs=[array[chosen] for array in self.inputs],
            outputs=[array[chosen] for array in self.outputs],
            labels=None if self.labels is None else self.labels[chosen],
            op_reads=self.op_reads[chosen],
            op_writes=self.op_writes[chosen],
        )

    def accuracy(self) -> float | None:
        """The share of labelled vectors whose first output is largest at the label, 0 to 1; None if there are none."""
        if self.labels is None or not (self.labels >= 0).any():
            return None
        labelled = self.labels >= 0
        scores = self.outputs[0][labelled].reshape(int(labelled.sum()), -1)
        return float((scores.argmax(axis=1) == self.labels[labelled]).mean())

    def check(self, model: Model, *, source: str = "") -> None:
        """Refuses a set that is not this model's; `source` names the set in messages.

        Raises:
            StaleGolden: it was made from another model file.
            GoldenError: its arrays do not have the model's shapes and types.
        """
        source = source or f"the golden set of {self.model_name}"
        if self.model_sha256 != model.sha256:
            raise StaleGolden(
                f"{source}: made from another model: its model's SHA-256 is {self.model_sha256[:16]}..., "
                f"{model.path} has {model.sha256[:16]}...",
                next_step=f"If the model is the right one, make the set again: tinyhil golden make {model.path}",
            )
        for what, arrays, tensors in (
            ("input", self.inputs, model.input_tensors),
            ("output", self.outputs, model.output_tensors),
        ):
            if len(arrays) != len(tensors):
                raise _damaged(source, f"{len(arrays)} {what}s, the model has {len(tensors)}")
            for i, (array, tensor) in enumerate(zip(arrays, tensors, strict=True)):
                if array.dtype != tensor.dtype or array.shape[1:] != tensor.shape:
                    raise _damaged(
                        source,
                        f"{what} {i} is {array.dtype}{list(array.shape[1:])}, "
                        f"the model has {tensor.type}{list(tensor.shape)}",
                    )
        if self.op_names != [op.name for op in model.operators]:
            raise _damaged(source, "its operators are not the model's")

    def contradiction(self, model: Model, vector: int) -> str:
        """The first input or output of a vector whose checksum is not the one that its operator's is; "" if none."""
        if not self.has_checksums:
            return ""
        for op in model.operators:
            for what, tensors, arrays, ends, checksums in (
                ("input", model.reads(op), self.inputs, model.inputs, self.op_reads),
                ("output", model.writes(op), self.outputs, model.outputs, self.op_writes),
            ):
                if len(tensors) != 1 or tensors[0].index not in ends:
                    continue
                number = ends.index(tensors[0].index)
                if zlib.crc32(arrays[number][vector].tobytes()) != checksums[vector, op.index]:
                    verb = "read" if what == "input" else "wrote"
                    return (
                        f"the golden set contradicts itself: {what} {number} of vector {vector} is not what operator "
                        f"{op.index} {op.name} {verb} in the oracle. Make it again: tinyhil golden make {model.path}"
                    )
        return ""

    def save(self, path: str | Path) -> None:
        """Writes the set. An equal set gives equal bytes; the file appears whole or not at all. Raises OutputUnwritable
        where it cannot be written."""
        from tinyhil.record import write_atomic

        provenance = {"format": FORMAT} | {name: getattr(self, name) for name in _PROVENANCE}
        if self.keeps_state:
            provenance["keeps_state"] = True
        if self.tolerance:
            provenance |= {"tolerance": self.tolerance, "tolerance_reason": self.tolerance_reason}
        arrays: dict[str, NDArray[Any]] = {"provenance": np.array(json.dumps(provenance, sort_keys=True))}
        arrays |= {f"input_{i}": array for i, array in enumerate(self.inputs)}
        arrays |= {f"output_{i}": array for i, array in enumerate(self.outputs)}
        if self.labels is not None:
            arrays["labels"] = self.labels
        arrays |= {"op_reads": self.op_reads, "op_writes": self.op_writes}
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
            for name, array in arrays.items():
                _write_array(archive, name, array)
        write_atomic(Path(path), stream.getvalue())


_PROVENANCE = {
    "model_name": str,
    "model_sha256": str,
    "oracle": str,
    "oracle_version": str,
    "seed": int,
    "generator": str,
    "tinyhil_version": str,
    "kinds": list,
    "numbers": list,
    "op_names": list,
}


def stored_path(model: Model) -> Path:
    """Where the set that belongs to a model is kept: beside it."""
    return model.path.with_name(model.path.stem + SUFFIX)


def make_golden(
    model: Model,
    *,
    seed: int = 0,
    uniform: int = vectors.DEFAULT_UNIFORM,
    random_walk: int = vectors.DEFAULT_RANDOM_WALK,
    samples: Sequence[NDArray[Any]] | None = None,
    labels: NDArray[Any] | None = None,
    inputs: Sequence[NDArray[Any]] | None = None,
    keep_state: bool = False,
    oracle: Oracle | None = None,
) -> GoldenSet:
    """A set made now by an oracle (the normative one unless told).

    It holds the synthetic vectors of `seed` and then the `samples`; with `inputs`, those vectors alone. Both are one
    array per model input, as tinyhil.vectors.check_inputs takes them; `labels` (n,) are the samples' right classes.
    With `keep_state` the vectors are one sequence.

    Raises:
        BadInput: samples, inputs or labels of a wrong shape or type.
        OracleMissing: the oracle is not installed here.
        OracleFailed: the oracle refused the model.
    """
    from tinyhil.oracle import TflmOracle

    oracle = oracle or TflmOracle()
    version = oracle.version()
    kinds = [] if inputs is not None else vectors.synthetic_kinds(uniform, random_walk)
    parts = [vectors.make_vectors(model, kinds, vectors.number_kinds(kinds), seed=seed)] if kinds else []
    given = inputs if inputs is not None else samples
    if given is not None:
        parts.append(vectors.check_inputs(model, given))
    sample_count = len(parts[-1][0]) if given is not None else 0
    all_labels = None
    if labels is not None:
        all_labels = np.concatenate([np.full(len(kinds), -1), _check_labels(labels, sample_count)]).astype("<i8")
    kinds = kinds + ["sample"] * sample_count
    arrays = [np.concatenate(of_one_input) for of_one_input in zip(*parts, strict=True)]
    trace = oracle.trace(model, arrays, keep_state=keep_state)
    return GoldenSet(
        model_name=model.name,
        model_sha256=model.sha256,
        oracle=oracle.name,
        oracle_version=version,
        seed=seed,
        generator=vectors.GENERATOR,
        tinyhil_version=__version__,
        kinds=kinds,
        numbers=vectors.number_kinds(kinds),
        inputs=arrays,
        outputs=trace.outputs,
        labels=all_labels,
        op_names=[op.name for op in model.operators],
        op_reads=trace.op_reads,
        op_writes=trace.op_writes,
        keeps_state=keep_state,
    )


def expected_golden(
    model: Model,
    inputs: Sequence[NDArray[Any]],
    outputs: Sequence[NDArray[Any]],
    *,
    labels: NDArray[Any] | None = None,
    keep_state: bool = False,
    tolerance: float = 0.0,
    tolerance_reason: str = "",
) -> GoldenSet:
    """A set of the user's own inputs and expected outputs (one array per output, (n, *shape)); it knows nothing of the
    operators inside. The only one there can be for a model with custom operators.

    Raises BadInput for arrays of a wrong number, shape or type, and for a tolerance without a reason.
    """
    check_tolerance(tolerance, tolerance_reason)
    given = vectors.check_inputs(model, inputs)
    count = len(given[0])
    kinds = ["sample"] * count
    none = np.zeros((count, len(model.operators)), "<u4")
    return GoldenSet(
        model_name=model.name,
        model_sha256=model.sha256,
        oracle=USER,
        oracle_version="",
        seed=0,
        generator=vectors.GENERATOR,
        tinyhil_version=__version__,
        kinds=kinds,
        numbers=vectors.number_kinds(kinds),
        inputs=given,
        outputs=vectors.check_outputs(model, outputs, count),
        labels=None if labels is None else _check_labels(labels, count).astype("<i8"),
        op_names=[op.name for op in model.operators],
        op_reads=none,
        op_writes=none,
        keeps_state=keep_state,
        tolerance=tolerance,
        tolerance_reason=tolerance_reason,
    )


def check_tolerance(tolerance: float, reason: str) -> None:
    """Raises BadInput unless a tolerance is a finite number, and has a reason where it is not 0."""
    if not 0 <= tolerance < math.inf:
        raise BadInput(f"a tolerance of {tolerance}", next_step="Give a number from 0 on.")
    if tolerance and not reason.strip():
        raise BadInput(
            f"a tolerance of {tolerance:g} without a reason",
            next_step="Say with --tolerance-reason why outputs may differ: it is shown in every report.",
        )


def _check_labels(labels: NDArray[Any], count: int) -> NDArray[Any]:
    if labels.shape != (count,) or labels.dtype.kind not in "iu":
        raise BadInput(
            f"labels are {labels.dtype}{list(labels.shape)}, must be {count} whole numbers, one per sample",
            next_step="Give one integer per sample, -1 where it has no label.",
        )
    return labels


def golden_for(model: Model, *, seed: int = 0) -> GoldenSet:
    """The set to hold a device against: the one stored beside the model (whatever its seed); else the one of `seed`
    from the cache, which is made on the first call.

    Raises:
        StaleGolden, GoldenError: the stored set is not this model's, or unreadable.
        OracleMissing, OracleFailed: there is none, and none can be made.
    """
    stored = stored_path(model)
    if stored.exists():
        found = load(stored)
        found.check(model, source=str(stored))
        return found
    from tinyhil.assets import cache_dir
    from tinyhil.oracle import TflmOracle

    oracle = TflmOracle()
    recipe = (FORMAT, vectors.GENERATOR, model.sha256, oracle.name, oracle.version(), seed, vectors.synthetic_kinds())
    key = hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:32]
    cached = cache_dir() / "golden" / f"{key}.npz"
    found_in_cache = _load_cached(cached, model)
    if found_in_cache is not None:
        return found_in_cache
    from filelock import FileLock

    cached.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(cached.with_suffix(".lock")):
        found_in_cache = _load_cached(cached, model)
        if found_in_cache is not None:
            return found_in_cache
        made = make_golden(model, seed=seed, oracle=oracle)
        made.save(cached)
        return made


def _load_cached(path: Path, model: Model) -> GoldenSet | None:
    """The cached set; None if there is none or it is damaged: it is then made anew."""
    if not path.exists():
        return None
    try:
        found = load(path)
        found.check(model)
    except GoldenError:
        return None
    return replace(found, model_name=model.name)


def verify(model: Model, golden: GoldenSet, *, oracle: Oracle | None = None) -> list[str]:
    """Makes the set again, from its seed and with its oracle, and says what differs: one line a fact, empty if all is
    the same. Raises what GoldenSet.check and Oracle.trace raise."""
    golden.check(model)
    if not golden.has_checksums:
        return []  # nothing here could make the user's outputs again
    oracle = oracle or _oracle_named(golden.oracle)
    differences = []
    synthetic = [i for i, kind in enumerate(golden.kinds) if kind != "sample"]
    if synthetic and golden.generator != vectors.GENERATOR:
        differences.append(f"its vectors are of generator {golden.generator}, this is {vectors.GENERATOR}")
    elif synthetic:
        part = golden.subset(synthetic)
        again = vectors.make_vectors(model, part.kinds, part.numbers, seed=golden.seed)
        for n, i in enumerate(synthetic):
            for k, (stored, made) in enumerate(zip(part.inputs, again, strict=True)):
                if stored[n].tobytes() != made[n].tobytes():
                    differences.append(f"{_vector_name(golden, i)}: input {k} is not what seed {golden.seed} gives")
    trace = oracle.trace(model, golden.inputs, keep_state=golden.keeps_state)
    for i in range(len(golden)):
        for k, (stored, made) in enumerate(zip(golden.outputs, trace.outputs, strict=True)):
            if stored[i].tobytes() != made[i].tobytes():
                differences.append(f"{_vector_name(golden, i)}: output {k}: {_first_difference(stored[i], made[i])}")
        for what, had, has in (("read", golden.op_reads, trace.op_reads), ("wrote", golden.op_writes, trace.op_writes)):
            changed = np.flatnonzero(had[i] != has[i])
            if len(changed):
                op = int(changed[0])
                differences.append(
                    f"{_vector_name(golden, i)}: {len(changed)} of {len(golden.op_names)} operators {what} other "
                    f"values, the first is operator {op} {golden.op_names[op]}"
                )
    return differences


def _oracle_named(name: str) -> Oracle:
    from tinyhil.oracle import TflmOracle

    if name != TflmOracle.name:
        raise GoldenError(
            f"no oracle is called {name!r}", next_step=f"Sets of oracle {TflmOracle.name} can be verified."
        )
    return TflmOracle()


def _vector_name(golden: GoldenSet, i: int) -> str:
    return f"vector {i} ({golden.kinds[i]})"


def _first_difference(stored: NDArray[Any], made: NDArray[Any]) -> str:
    if stored.shape != made.shape or stored.dtype != made.dtype:
        return f"stored {stored.dtype}{list(stored.shape)}, the oracle gives {made.dtype}{list(made.shape)}"
    bits = np.dtype(f"u{stored.dtype.itemsize}")
    differs = np.flatnonzero(stored.ravel().view(bits) != made.ravel().view(bits))
    first = int(differs[0])
    return (
        f"{len(differs)} of {stored.size} values differ, the first at index {first}: "
        f"stored {stored.ravel()[first]}, the oracle gives {made.ravel()[first]}"
    )


# What the zip, JSON and .npy readers raise for damaged bytes, NotImplementedError being a RuntimeError.
_DAMAGE = (
    *vectors.NPY_DAMAGE,
    *(RuntimeError, struct.error, zipfile.BadZipFile, zlib.error),
)


# The file ------------------------------------------------------------------------------------------------------------
def load(path: str | Path) -> GoldenSet:
    """Reads a set. Raises GoldenError where the file is no golden set, of another version, or damaged."""
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = {name.removesuffix(".npy"): _read_array(archive.read(name)) for name in archive.namelist()}
        provenance = json.loads(str(arrays["provenance"]))
        version = provenance["format"]
        if version != FORMAT:
            raise GoldenError(
                f"{path}: is of format {version!r}, this tinyhil reads {FORMAT!r}",
                next_step="Make the set again with `tinyhil golden make`.",
            )
        for name, kind in _PROVENANCE.items():
            if type(provenance[name]) is not kind:
                raise ValueError(f"provenance: {name} is not of type {kind.__name__}")
        found = GoldenSet(
            **{name: provenance[name] for name in _PROVENANCE},
            inputs=_series(arrays, "input"),
            outputs=_series(arrays, "output"),
            labels=arrays.get("labels"),
            op_reads=arrays["op_reads"],
            op_writes=arrays["op_writes"],
            keeps_state=provenance.get("keeps_state", False) is True,
            tolerance=float(provenance.get("tolerance", 0.0)),
            tolerance_reason=str(provenance.get("tolerance_reason", "")),
        )
        _check_consistent(found)
    except FileNotFoundError as error:
        raise GoldenError(f"{path}: no such file", next_step="Make it with `tinyhil golden make`.") from error
    except KeyError as error:
        raise _damaged(str(path), f"it has no {error.args[0]}") from error
    except _DAMAGE as error:
        raise _damaged(str(path), str(error)) from error
    return found


def _damaged(source: str, reason: str) -> GoldenError:
    return GoldenError(
        f"{source}: not a golden set, or damaged: {reason}",
        next_step="Fetch it again, or make it again with `tinyhil golden make`.",
    )


def _series(arrays: dict[str, NDArray[Any]], name: str) -> list[NDArray[Any]]:
    found = [arrays[f"{name}_0"]]
    while f"{name}_{len(found)}" in arrays:
        found.append(arrays[f"{name}_{len(found)}"])
    return found


def _check_consistent(golden: GoldenSet) -> None:
    n, ops = len(golden.kinds), len(golden.op_names)
    if len(golden.numbers) != n or any(array.shape[:1] != (n,) for array in (*golden.inputs, *golden.outputs)):
        raise ValueError("its arrays do not have one row per vector")
    if n == 0:
        raise ValueError("it holds no vector")
    if golden.labels is not None and (golden.labels.shape != (n,) or golden.labels.dtype != np.dtype("<i8")):
        raise ValueError("labels is not one int64 per vector")
    for name in ("op_reads", "op_writes"):
        array = getattr(golden, name)
        if array.shape != (n, ops) or array.dtype != np.dtype("<u4"):
            raise ValueError(f"{name} is not one uint32 per vector and operator")


def _write_array(archive: zipfile.ZipFile, name: str, array: NDArray[Any]) -> None:
    """Stored, not deflated, and without a date: the bytes depend on no version of a compressor and on no clock."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asarray(array, order="C"), version=(1, 0), allow_pickle=False)
    entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
    entry.create_system = 3
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, stream.getvalue())


def _read_array(data: bytes) -> NDArray[Any]:
    """As numpy.load, but the size that a header claims is checked before memory is taken for it."""
    stream = io.BytesIO(data)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("array of another .npy version")
    shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(stream)
    if fortran_order or dtype.hasobject:
        raise ValueError("array in another order, or of Python objects")
    if any(length < 0 for length in shape) or len(data) - stream.tell() != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"array of {dtype}{list(shape)} in {len(data) - stream.tell()} bytes")
    return np.frombuffer(data, dtype, math.prod(shape), stream.tell()).reshape(shape)
