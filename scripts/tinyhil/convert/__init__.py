# SPDX-License-Identifier: Apache-2.0
"""From a float model to a fully int8 .tflite, by the framework's own converter, and then checked.

    made = convert("model.keras", representative=["train.npy"], labels="classes.npy")
    made.int8.data; made.report["accuracy"]; made.findings

A front end is one module (keras, saved_model, onnx, torch, tflite), run in a process of its own (worker). The checks
need no converter: `data` reads samples, `layers` compares two .tflite files, `checks` finds what people get wrong.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tinyhil
from tinyhil import errors
from tinyhil.board import Board
from tinyhil.convert import activations, checks, data, layers
from tinyhil.convert.checks import Finding, Lacking
from tinyhil.convert.layers import Comparison
from tinyhil.convert.source import check_installed, kind_of
from tinyhil.errors import BadInput, ConversionFailed, OracleFailed, OracleMissing, TinyhilError
from tinyhil.model import Model, load_model, parse_model
from tinyhil.model.support import is_float_model
from tinyhil.oracle import TflmOracle

SCHEMA = "tinyhil.convert/1"
# Findings after which the samples are nothing to try mistakes on.
_WRONG_SAMPLES = frozenset(
    {"constant_data", "constant_output", "float_cast", "narrow_range", "out_of_range", "zero_point_ignored"}
)
_TIME_LIMIT_S = 4 * 3600
_LAST_LINES = 12
_QUIET = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "GLOG_minloglevel": "3",
}


@dataclass(frozen=True)
class Converted:
    """What came out. `report` is plain data (schema tinyhil.convert/1); `samples` are real values, or whole numbers of
    the int8 input's type, in the layout of the .tflite: (n, ...) an input."""

    int8: Model
    reference: Model | None
    samples: list[NDArray[Any]]
    labels: NDArray[np.int64] | None
    comparison: Comparison | None
    findings: list[Finding]
    report: dict[str, Any]

    @property
    def errors(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.severity == "error"]


def convert(
    place: str,
    *,
    representative: Sequence[str | Path],
    labels: str | Path | None = None,
    float_io: bool = False,
    input_shapes: Sequence[Sequence[int]] = (),
    reference: Path | None = None,
    engine: str = "builtin",
    board: Board | None = None,
) -> Converted:
    """Converts a model to int8 and checks what came out. A .tflite that is int8 already is checked alone.

    Args:
        place: a model file or folder, or module:function (tinyhil.convert.source.KINDS).
        representative: samples, one file an input, or one .npz with an array an input.
        labels: the samples' right classes.
        reference: the float .tflite to hold an int8 `place` against.
        engine, board: what it is to run on: operators that are lacking there are findings.

    Raises:
        BadInput: no such model, or samples or labels that cannot be this model's.
        MissingTool: the front end's packages are not installed; names the extra.
        ConversionFailed: the framework cannot load or convert it; with its last words.
        MalformedModel, NotTflite: of a .tflite that is given.
    """
    if not representative:
        raise BadInput("there are no representative data", next_step="Give samples with --representative.")
    kind = kind_of(place)
    arrays = [array for entry in representative for array in data.load(entry)]
    if not arrays:
        raise BadInput(f"{', '.join(map(str, representative))}: holds no array", next_step="Give samples.")
    for array in arrays:
        data.check_values(array, ", ".join(map(str, representative)))
    classes = None if labels is None else data.load_labels(labels)
    if classes is not None and len(arrays[0]) != len(classes):
        data.check_labels(classes, len(arrays[0]), 2)
    given = parse_model(Path(place).read_bytes(), place) if kind == "tflite" else None
    if given is not None and not is_float_model(given):
        fitted = data.fit(arrays, [(t.name, t.shape, "int8" if t.scales else t.type) for t in given.input_tensors])
        float_model = None if reference is None else _reference(reference, given)
        return _checked(place, given, float_model, fitted, classes, {}, None, float_io, engine, board)
    if reference is not None:
        raise BadInput(
            f"--float belongs to a model that is int8 already, and {place} is not",
            next_step="Leave it out: the float model comes from the conversion.",
        )
    answer, files = _work(kind, place, arrays, input_shapes, float_io=float_io)
    name = Path(place.split(":")[-1]).stem
    int8 = parse_model(files["int8.tflite"], f"{name}_int8.tflite")
    float_model = parse_model(files["float.tflite"], f"{name}_float.tflite")
    numbers = answer["arrays"]
    samples = [numbers[f"sample_{i}"] for i in range(len(int8.inputs))]
    own = numbers.get("output_0") if len(int8.outputs) == 1 else None  # converters order several as they please
    return _checked(place, int8, float_model, samples, classes, answer, own, float_io, engine, board)


def _reference(path: Path, int8: Model) -> Model:
    """The float model of an int8 one. Raises BadInput where it cannot be that, and what `load_model` raises."""
    model = load_model(path)
    wanted, found = ([t.shape for t in m.input_tensors] for m in (int8, model))
    if wanted != found:
        raise BadInput(
            f"{path}: takes {', '.join(map(str, map(list, found)))}, but {int8.path} takes "
            f"{', '.join(map(str, map(list, wanted)))}",
            next_step="Give the float model that the int8 one was made of: --keep-float writes it.",
        )
    if not is_float_model(model):
        raise BadInput(f"{path}: is no float model", next_step="Give the float .tflite of the same model.")
    return model


@dataclass(frozen=True)
class OperatorCheck:
    """What stands between a model and an engine. int8: judged on the int8 model that it gives; else on the float one,
    since `reason` kept it from being quantized."""

    lacking: list[Lacking]
    operators: tuple[str, ...]
    int8: bool
    reason: str


def check_operators(
    place: str,
    *,
    engine: str = "builtin",
    board: Board | None = None,
    input_shapes: Sequence[Sequence[int]] = (),
) -> OperatorCheck:
    """Which operators of a model, trained or not, an engine does not have. Needs no data: random values stand in.

    Raises what `convert` raises but for data.
    """
    kind = kind_of(place)
    if kind == "tflite":
        model = parse_model(Path(place).read_bytes(), place)
        lacking = checks.lacking_operators(model, engine, board)
        return OperatorCheck(lacking, model.operator_names, not is_float_model(model), "")
    answer, files = _work(kind, place, None, input_shapes, any_operator=True)
    failed = answer.get("int8_failed")
    model = parse_model(files["float.tflite" if failed else "int8.tflite"], place)
    lacking = checks.lacking_operators(model, engine, board)
    lacking += [
        Lacking(f.text.split()[2], (f.layer,), "has no int8 form in the converter")
        for f in ([] if failed else checks.not_integer(model))
        if f.kind == "float_operator" and not any(f.layer in item.layers for item in lacking)
    ]
    return OperatorCheck(lacking, model.operator_names, not failed, failed[0] if failed else "")


def _work(
    kind: str,
    place: str,
    arrays: Sequence[NDArray[Any]] | None,
    input_shapes: Sequence[Sequence[int]],
    *,
    float_io: bool = False,
    any_operator: bool = False,
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Has the front end do it, in a process of its own: its answer with the arrays of answer.npz, and the files."""
    check_installed(kind)
    with tempfile.TemporaryDirectory(prefix="tinyhil-convert-") as name:
        folder = Path(name)
        request = {
            "kind": kind,
            "place": place if kind == "factory" else str(Path(place).absolute()),
            "input_shapes": [list(shape) for shape in input_shapes],
            "float_io": float_io,
            "any_operator": any_operator,
        }
        (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
        if arrays is not None:
            named: dict[str, Any] = {f"{i:03}": array for i, array in enumerate(arrays)}
            np.savez(folder / "samples.npz", **named)
        how, said = _run_worker(folder)
        try:
            answer: dict[str, Any] = json.loads((folder / "answer.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise ConversionFailed(
                f"{place}: the converter {how}{_suspects(folder / 'float.tflite', place)}",
                next_step="Its last words are above. `tinyhil convert --check-operators` lists operators that have no "
                "int8 form here; or is there too little memory?",
                details=said,
            ) from None
        if "error" in answer:
            raise _error(answer["error"], place)
        files = {p.name: p.read_bytes() for p in (folder / "float.tflite", folder / "int8.tflite") if p.exists()}
        with np.load(folder / "answer.npz", allow_pickle=False) as archive:
            answer["arrays"] = dict(archive)
        return answer, files


def _suspects(path: Path, place: str) -> str:
    """Where a converter made the float model and died of the int8 one: what not even TFLite Micro has of it."""
    if not path.exists():
        return ""
    lacking = checks.lacking_operators(parse_model(path.read_bytes(), place), "tflm")
    names = [f"{item.operator} ({', '.join(item.layers[:2])})" for item in lacking]
    return " while it quantized" + (f"; no engine has {'; '.join(names)}" if names else "")


def _run_worker(folder: Path) -> tuple[str, str]:
    """How it ended, and its last lines."""
    package_parent = str(Path(tinyhil.__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, [package_parent, os.environ.get("PYTHONPATH")]))
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tinyhil.convert.worker", str(folder)],
            env={**_QUIET, **os.environ, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_TIME_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ConversionFailed(f"the converter did not finish within {_TIME_LIMIT_S // 3600} hours") from error
    how = f"ended with status {done.returncode}"
    if done.returncode < 0:
        how = f"died of {signal.Signals(-done.returncode).name}"
    return how, "\n".join(done.stdout.decode("utf-8", "replace").splitlines()[-_LAST_LINES:])


def _error(told: dict[str, str], place: str) -> TinyhilError:
    """The worker's error, here."""
    message = told["message"] if place in told["message"] else f"{place}: {told['message']}"
    if told["class"] == "MissingTool":
        return errors.MissingTool(
            message, requirement=told["requirement"], next_step=told["next_step"], details=told["details"]
        )
    kind: type[TinyhilError] = getattr(errors, told["class"], ConversionFailed)
    return kind(message, next_step=told["next_step"], details=told["details"])


def _checked(
    place: str,
    int8: Model,
    reference: Model | None,
    samples: list[NDArray[Any]],
    labels: NDArray[np.int64] | None,
    answer: dict[str, Any],
    own: NDArray[Any] | None,
    float_io: bool,
    engine: str,
    board: Board | None,
) -> Converted:
    """Everything that is looked at once there is an int8 model. own: what the source itself gave for the samples."""
    converted_now = bool(answer)
    findings = checks.not_integer(int8, float_io=float_io)
    findings += [
        Finding("unsupported", "error", f"{item.operator} {item.why}", "Replace the layer.", ", ".join(item.layers[:3]))
        for item in checks.lacking_operators(int8, engine, board)
    ]
    findings += checks.weights(int8)
    if converted_now and reference is not None:
        findings += checks.samples(reference, samples)
    else:
        findings += checks.samples(int8, samples, quantized=True)
    accuracy: dict[str, float] = {}
    comparison, mistaken, reason = None, {}, ""
    try:
        outputs, _ = activations.run(int8, activations.feed(int8, samples))
        findings += checks.constant_output(int8, outputs)
        if not {finding.kind for finding in findings} & _WRONG_SAMPLES:
            mistaken = checks.mistakes(int8, samples)
        if labels is not None:
            data.check_labels(labels, len(samples[0]), int8.output_tensors[0].elements)
            accuracy["after"] = checks.share_right(outputs[0], labels)
        if reference is not None:
            comparison = layers.compare(reference, int8, samples)
            findings += checks.layers(comparison)
            findings += _before(reference, int8, samples, labels, own, accuracy)
    except (OracleFailed, OracleMissing) as error:
        reason = error.message
    if accuracy.get("before", 0) - accuracy.get("after", 0) > 0.02:
        drop = 100 * (accuracy["before"] - accuracy["after"])
        text = f"int8 is right {drop:.1f} points less often than float"
        step = (
            "Begin with the first layer of the table whose SQNR falls; more varied data; or train quantization-aware."
        )
        findings.append(Finding("accuracy_drop", "warning", text, step))
    report = _report(place, int8, reference, samples, labels, answer, accuracy, comparison, mistaken, findings, reason)
    return Converted(int8, reference, samples, labels, comparison, findings, report)


def _before(
    reference: Model,
    int8: Model,
    samples: list[NDArray[Any]],
    labels: NDArray[np.int64] | None,
    own: NDArray[Any] | None,
    accuracy: dict[str, float],
) -> list[Finding]:
    """The float model on the same samples; adds its accuracy."""
    real = [
        given if given.dtype.kind == "f" or converted.type == tensor.type else activations.dequantize(given, converted)
        for given, tensor, converted in zip(samples, reference.input_tensors, int8.input_tensors, strict=True)
    ]
    outputs, _ = activations.run(reference, activations.feed(reference, real))
    findings = []
    if labels is not None:
        accuracy["before"] = checks.share_right(outputs[0] if own is None else own, labels)
        findings += checks.wrong_range(reference, real, labels)
    if own is not None and own.size == outputs[0].size:
        apart = float(np.abs(own.reshape(len(own), -1) - outputs[0].reshape(len(own), -1)).max())
        largest = float(np.abs(own).max()) or 1.0
        if apart > 0.01 * largest:
            text = (
                f"the float .tflite differs from the model itself by up to {apart:.3g} (largest output {largest:.3g})"
            )
            step = "That is the converter's doing, before any quantization: compare the two layer by layer."
            findings.append(Finding("conversion_differs", "warning", text, step))
    return findings


def _report(
    place: str,
    int8: Model,
    reference: Model | None,
    samples: Sequence[NDArray[Any]],
    labels: NDArray[np.int64] | None,
    answer: dict[str, Any],
    accuracy: dict[str, float],
    comparison: Comparison | None,
    mistaken: dict[str, float],
    findings: Sequence[Finding],
    reason: str,
) -> dict[str, Any]:
    try:
        oracle = TflmOracle().version()
    except OracleMissing:
        oracle = ""
    return {
        "schema": SCHEMA,
        "tinyhil": tinyhil.__version__,
        "source": place,
        "framework": answer.get("framework", ""),
        "source_inputs": answer.get("inputs", []),
        "channels_last": answer.get("channels_last", []),
        "int8": {"sha256": int8.sha256, "bytes": len(int8.data), "operators": list(int8.operator_names)},
        "float": None if reference is None else {"sha256": reference.sha256, "bytes": len(reference.data)},
        "inputs": [_tensor(t) for t in int8.input_tensors],
        "outputs": [_tensor(t) for t in int8.output_tensors],
        "samples": len(samples[0]),
        "labelled": 0 if labels is None else len(labels),
        "accuracy": accuracy,
        "layers": None if comparison is None else [_finite(asdict(entry)) for entry in comparison.layers],
        "compared_samples": 0 if comparison is None else comparison.samples,
        "unmatched_layers": [] if comparison is None else list(comparison.unmatched),
        "mistakes": mistaken,
        "findings": [asdict(finding) for finding in findings],
        "oracle": oracle,
        "not_run": reason,
    }


def _finite(entry: dict[str, Any]) -> dict[str, Any]:
    """JSON has no infinity: null stands for no error at all."""
    return {key: None if isinstance(value, float) and not np.isfinite(value) else value for key, value in entry.items()}


def _tensor(tensor: Any) -> dict[str, Any]:
    return {
        "name": tensor.name,
        "type": tensor.type,
        "shape": list(tensor.shape),
        "scale": tensor.scales[0] if len(tensor.scales) == 1 else None,
        "zero_point": tensor.zero_points[0] if len(tensor.scales) == 1 else None,
    }
