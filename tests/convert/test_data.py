# SPDX-License-Identifier: Apache-2.0
"""Samples and labels are read from what people have; what cannot be the model's is refused in words."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tinyhil.convert import data
from tinyhil.errors import BadInput

IMAGE = [("image", (1, 6, 8, 3), "float32")]
VECTOR = [("x", (1, 4), "float32")]


def test_npy_npz_csv_and_folders_hold_the_same_samples(tmp_path):
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    np.save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "x.npz", x=x, y=np.arange(3))
    (tmp_path / "x.csv").write_text("a,b,c,d\n# a remark\n" + "\n".join(",".join(map(str, row)) for row in x))
    folder = tmp_path / "folder"
    folder.mkdir()
    for i, row in enumerate(x):
        np.save(folder / f"{i}.npy", row)
    for place in ("x.npy", "x.npz:x", "x.csv", "folder"):
        (array,) = data.load(tmp_path / place)
        assert np.array_equal(array, x), place
    assert len(data.load(tmp_path / "x.npz")) == 2


def test_images_of_a_folder_are_samples_as_they_are_stored(tmp_path):
    pillow = pytest.importorskip("PIL.Image", reason="needs Pillow")
    pixels = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
    pillow.fromarray(pixels).save(tmp_path / "a.png")
    (array,) = data.load(tmp_path)
    assert np.array_equal(array, pixels[None])


def test_axes_of_length_1_may_be_left_out_and_whole_numbers_become_float():
    (fitted,) = data.fit([np.ones((5, 28, 28), np.uint8)], [("x", (1, 28, 28, 1), "float32")])
    assert fitted.shape == (5, 28, 28, 1) and fitted.dtype == np.float32


@pytest.mark.parametrize(
    ("array", "inputs", "said"),
    [
        (np.zeros((0, 4)), VECTOR, "there is no sample in it"),
        (np.zeros((5, 0)), VECTOR, "there is no sample in it"),
        (np.float32(3), VECTOR, "there is no sample in it"),
        (np.array([[0, 1, 2, np.nan]]), VECTOR, "NaN or infinity in 1 of 1 samples, first in 0"),
        (np.array([[0, 0, 0, 0], [1, np.inf, 1, 1]]), VECTOR, "NaN or infinity in 1 of 2 samples, first in 1"),
        (np.array([["a", "b", "c", "d"]]), VECTOR, "values are <U1"),
        (np.full((5, 4), 0.5), [("ids", (1, 4), "int32")], "holds numbers that are no int32"),
        (np.zeros((5, 3)), VECTOR, "shape is [5, 3], must be [n, 4]"),
        (np.zeros((9, 3, 6, 8)), IMAGE, "It looks like NCHW (channels first)"),
        (np.zeros((9, 6, 8, 3)), [("image", (1, 3, 6, 8), "float32")], "It looks like NHWC (channels last)"),
        (np.zeros((6, 8, 3)), IMAGE, "It looks like a single sample: data[numpy.newaxis]"),
    ],
)
def test_samples_that_cannot_be_the_models_are_refused(array, inputs, said):
    with pytest.raises(BadInput) as caught:
        data.fit([array], inputs)
    assert said in f"{caught.value.message} {caught.value.next_step}"


def test_the_transposition_that_is_proposed_fits():
    given = np.zeros((9, 3, 6, 8))
    with pytest.raises(BadInput) as caught:
        data.fit([given], IMAGE)
    axes = tuple(int(digit) for digit in re.findall(r"\d", caught.value.next_step.split("data, ")[1]))
    assert data.fit([given.transpose(axes)], IMAGE)[0].shape == (9, 6, 8, 3)


def test_several_inputs_need_as_many_arrays_of_one_length():
    two = [*VECTOR, *VECTOR]
    with pytest.raises(BadInput, match="1 arrays, but the model has 2 inputs"):
        data.fit([np.zeros((3, 4))], two)
    with pytest.raises(BadInput, match="the inputs have 2, 3 samples"):
        data.fit([np.zeros((3, 4)), np.zeros((2, 4))], two)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.npy", b"\x93NUMPY damaged", "cannot be read as a .npy file"),
        ("x.npz", b"PK damaged", "cannot be read as a .npz file"),
        ("x.csv", b"1,2\n3,4,5\n", "line 2 has 3 numbers, the first has 2"),
        ("x.csv", b"1,2\n3,x\n", "line 2 is not a line of numbers"),
        ("x.txt", b"1", "neither .npy"),
    ],
)
def test_an_unreadable_file_is_named_with_what_is_wrong(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput) as caught:
        data.load(tmp_path / name)
    assert said in caught.value.message and name in caught.value.message


def test_what_is_not_there_is_said_to_be_not_there(tmp_path):
    for place, said in (("no.npy", "no such file"), (".", "no .npy file and no image")):
        with pytest.raises(BadInput, match=said):
            data.load(tmp_path / place)
    np.savez(tmp_path / "x.npz", a=np.zeros(1))
    with pytest.raises(BadInput, match="has no array 'b'"):
        data.load(tmp_path / "x.npz:b")


def test_labels_are_classes_or_one_hot_rows(tmp_path):
    classes = np.array([2, 0, 1])
    for form in (classes, classes[:, None], classes.astype(float), np.eye(3)[classes], classes.astype(np.uint8)):
        np.save(tmp_path / "y.npy", form)
        assert data.load_labels(tmp_path / "y.npy").tolist() == [2, 0, 1]


@pytest.mark.parametrize(
    ("labels", "said"), [([0.5, 1.0], "labels are float64"), ([-1, 2], "down to -1"), (np.zeros((2, 2)), "labels are")]
)
def test_other_labels_are_refused(tmp_path, labels, said):
    np.save(tmp_path / "y.npy", np.array(labels))
    with pytest.raises(BadInput, match=said):
        data.load_labels(tmp_path / "y.npy")


@pytest.mark.parametrize(
    ("labels", "classes", "said"),
    [([0, 1], 2, "there are 2, but 3 samples"), ([0, 1, 5], 4, "go up to 5"), ([0, 0, 0], 1, "no classes")],
)
def test_labels_of_another_length_or_model_are_refused(labels, classes, said):
    with pytest.raises(BadInput, match=said):
        data.check_labels(np.array(labels), 3, classes)
