# SPDX-License-Identifier: Apache-2.0
"""Representative data and labels: read from what people have, and refused where they cannot be what the model takes."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyhil.errors import BadInput, MissingTool
from tinyhil.vectors import NPY_DAMAGE, load_array

_IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".pgm", ".ppm")
_KINDS = ".npy, .npz, .csv or a folder"
_TO_NHWC, _TO_NCHW = (0, 2, 3, 1), (0, 3, 1, 2)


def load(text: str | Path) -> list[NDArray[Any]]:
    """The arrays of one file or folder, samples along the first axis.

    .npy: its array. .npz: all of its arrays in the file's order, or the one that FILE.npz:KEY names. .csv: a line a
    sample, its numbers in C order. A folder: its .npy and image files by name, a sample each.

    Raises BadInput where it cannot be read, and MissingTool for images without Pillow.
    """
    archive, _, key = str(text).partition(".npz:")
    if key:
        return [_of_npz(Path(f"{archive}.npz"), key)[key]]
    path = Path(text)
    if path.is_dir():
        return [_of_folder(path)]
    if not path.exists():
        raise BadInput(f"{path}: no such file or folder", next_step=f"Give {_KINDS} of samples.")
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return list(_of_npz(path).values())
    if suffix not in (".npy", ".csv"):
        raise BadInput(f"{path}: neither {_KINDS}", next_step="Save the samples with numpy.save(path, array).")
    return [load_array(path) if suffix == ".npy" else _of_csv(path)]


def load_labels(text: str | Path) -> NDArray[np.int64]:
    """The samples' right classes as (n,); one-hot rows give their class. Raises BadInput for anything else."""
    arrays = load(text)
    if len(arrays) != 1:
        raise BadInput(f"{text}: holds {len(arrays)} arrays", next_step="Name the labels: FILE.npz:KEY.")
    found = arrays[0].squeeze() if arrays[0].ndim > 1 else arrays[0]
    if found.ndim == 2 and ((found != 0).sum(axis=1) == 1).all():
        found = found.argmax(axis=1)
    found = np.atleast_1d(found)
    if found.ndim != 1 or found.dtype.kind not in "iuf" or not np.array_equal(found, np.rint(found)):
        raise BadInput(
            f"{text}: labels are {arrays[0].dtype}{list(arrays[0].shape)}",
            next_step="Give one whole number a sample, its class, or one-hot rows.",
        )
    labels = found.astype(np.int64)
    if (labels < 0).any():
        raise BadInput(f"{text}: labels go down to {labels.min()}", next_step="Classes are counted from 0.")
    return labels


def check_labels(labels: NDArray[np.int64], samples: int, classes: int) -> None:
    """Raises BadInput unless there is one label a sample, each of them a class of the model."""
    if len(labels) != samples:
        raise BadInput(
            f"labels: there are {len(labels)}, but {samples} samples",
            next_step="Give one label for each sample of the representative data, in its order.",
        )
    if classes < 2:
        raise BadInput(
            f"labels: the model's first output has {classes} element: no classes",
            next_step="Leave --labels out: accuracy is the share of samples whose largest output is the label.",
        )
    if (labels >= classes).any():
        raise BadInput(
            f"labels: go up to {labels.max()}, but the model tells {classes} classes apart (0 to {classes - 1})",
            next_step="Give labels of this model.",
        )


def fit(arrays: Sequence[NDArray[Any]], inputs: Sequence[tuple[str, tuple[int, ...], str]]) -> list[NDArray[Any]]:
    """The samples of each of a model's inputs (name, shape, type), as (n, *shape without the batch of 1).

    Axes of length 1 may be left out. Numbers become those of the model's type; for "int8", a quantized input, they stay
    what they are. Raises BadInput for another number of arrays, another shape, an unequal number of samples, none, NaN
    or infinity, and for numbers that the type does not have.
    """
    if len(arrays) != len(inputs):
        raise BadInput(
            f"representative data: {len(arrays)} arrays, but the model has {len(inputs)} inputs",
            next_step="Give one array an input, in the model's order: " + "; ".join(map(_described, inputs)),
        )
    fitted = [_fit_one(array, entry) for array, entry in zip(arrays, inputs, strict=True)]
    counts = {len(array) for array in fitted}
    if len(counts) > 1:
        raise BadInput(
            f"representative data: the inputs have {', '.join(map(str, sorted(counts)))} samples",
            next_step="Give as many samples for every input.",
        )
    return fitted


def check_values(array: NDArray[Any], name: str) -> None:
    """Raises BadInput, with `name` in its message, unless there are samples, of finite numbers."""
    if array.ndim == 0 or array.shape[0] == 0 or array.size == 0:
        raise BadInput(
            f"{name}: there is no sample in it (shape {list(array.shape)})",
            next_step="Give a hundred samples or more, as they come in use.",
        )
    if array.dtype.kind not in "biuf":
        raise BadInput(f"{name}: values are {array.dtype}", next_step="Give numbers, float32 as a rule.")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        bad = np.flatnonzero((~np.isfinite(array)).reshape(len(array), -1).any(axis=1))
        raise BadInput(
            f"{name}: NaN or infinity in {len(bad)} of {len(array)} samples, first in {bad[0]}",
            next_step="Leave those samples out: one NaN makes every range that follows meaningless.",
        )


def _fit_one(array: NDArray[Any], entry: tuple[str, tuple[int, ...], str]) -> NDArray[Any]:
    name, shape, wanted = entry
    check_values(array, f"representative data for {name}")
    sample = shape[1:] if shape[:1] == (1,) else shape
    given = array.shape[1:]
    if _squeezed(given) != _squeezed(sample):
        raise _wrong_shape(name, array.shape, sample)
    fitted = array.reshape(len(array), *sample)
    if wanted != "int8":  # real values for an int8 input are quantized where they are fed
        if np.dtype(wanted).kind in "iub" and not np.array_equal(fitted, fitted.astype(wanted)):
            raise BadInput(
                f"representative data for {name}: holds numbers that are no {wanted}",
                next_step=f"The model takes {wanted}: give whole numbers in its range.",
            )
        fitted = fitted.astype(wanted)
    return np.ascontiguousarray(fitted)


def _wrong_shape(name: str, given: tuple[int, ...], sample: tuple[int, ...]) -> BadInput:
    step = f"Give an array of shape [n, {', '.join(map(str, sample))}]."
    if len(given) == 4 and len(sample) == 3:
        for order, what in ((_TO_NHWC, "NCHW (channels first)"), (_TO_NCHW, "NHWC (channels last)")):
            if tuple(given[axis] for axis in order[1:]) == sample:
                step = f"It looks like {what}, and the model takes the other layout: numpy.transpose(data, {order})."
    if _squeezed(given) == _squeezed(sample):
        step = f"It looks like a single sample: data[numpy.newaxis] has the shape [1, {', '.join(map(str, sample))}]."
    return BadInput(
        f"representative data for {name}: shape is {list(given)}, must be [n, {', '.join(map(str, sample))}]",
        next_step=step,
    )


def _squeezed(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(length for length in shape if length != 1)


def _described(entry: tuple[str, tuple[int, ...], str]) -> str:
    return f"{entry[0]} {entry[2]}{list(entry[1])}"


# Files ----------------------------------------------------------------------------------------------------------------
def _of_npz(path: Path, key: str = "") -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            keys = archive.files
            if key and key not in keys:
                raise BadInput(f"{path}: has no array {key!r}", next_step=f"It has {', '.join(keys)}.")
            return {name: archive[name] for name in ([key] if key else keys)}
    except (*NPY_DAMAGE, AttributeError, KeyError) as error:
        raise BadInput(
            f"{path}: cannot be read as a .npz file: {error}", next_step="Write it with numpy.savez(path, x=array)."
        ) from error


def _of_csv(path: Path) -> NDArray[Any]:
    rows: list[list[float]] = []
    try:
        for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1):
            words = line.replace(",", " ").replace(";", " ").split()
            if not words or words[0].startswith("#"):
                continue
            try:
                rows.append([float(word) for word in words])
            except ValueError:
                if rows or number > 1:  # the first line may be a head
                    raise ValueError(f"line {number} is not a line of numbers: {line[:40]!r}") from None
                continue
            if len(rows[-1]) != len(rows[0]):
                raise ValueError(f"line {number} has {len(rows[-1])} numbers, the first has {len(rows[0])}")
    except (OSError, ValueError) as error:
        raise BadInput(
            f"{path}: cannot be read as CSV: {error}", next_step="Write a line of numbers for each sample."
        ) from error
    return np.array(rows, np.float64)


def _of_folder(folder: Path) -> NDArray[Any]:
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".npy", *_IMAGES))
    if not files:
        raise BadInput(
            f"{folder}: no .npy file and no image in it", next_step="Put a file a sample into it, as .npy or .png."
        )
    samples = [load_array(path) if path.suffix.lower() == ".npy" else _image(path) for path in files]
    for path, sample in zip(files, samples, strict=True):
        if sample.shape != samples[0].shape:
            raise BadInput(
                f"{path}: shape is {list(sample.shape)}, {files[0].name} has {list(samples[0].shape)}",
                next_step="Give samples of one shape: those of the model's input.",
            )
    return np.stack(samples)


def _image(path: Path) -> NDArray[Any]:
    """The pixels as they are stored, 0 to 255."""
    try:
        pillow: Any = importlib.import_module("PIL.Image")
    except ImportError as error:
        raise MissingTool(
            f"{path}: the Python package Pillow is not installed: images cannot be read",
            next_step="pip install pillow, or save the samples as .npy.",
        ) from error
    try:
        with pillow.open(path) as image:
            return np.asarray(image)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read as an image: {error}", next_step="Leave it out.") from error
