# SPDX-License-Identifier: Apache-2.0
"""Synthetic vectors are the same for ever, and the user's own are refused where they do not fit."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import small_models

from tinyhil import vectors
from tinyhil.errors import BadInput
from tinyhil.model import Model, parse_model
from tinyhil.model.writer import ModelWriter

KINDS = vectors.synthetic_kinds()


def model_of(type_name: str, shape: tuple[int, ...] = (1, 64), **quantization: object) -> Model:
    writer = ModelWriter()
    x = writer.tensor(shape, type_name, **quantization)
    y = writer.tensor(shape, type_name, **quantization)
    writer.operator("RESHAPE", [x], [y])
    return parse_model(writer.finish([x], [y]), "x.tflite")


def make(model: Model, seed: int = 0, kinds: list[str] = KINDS) -> list[np.ndarray]:
    return vectors.make_vectors(model, kinds, vectors.number_kinds(kinds), seed=seed)


def test_the_vectors_of_a_seed_never_change():
    """Whatever changes them must change vectors.GENERATOR, and then these hashes."""
    assert vectors.GENERATOR == "tinyhil-vectors/1"
    hashes = {
        name: hashlib.sha256(make(model_of(name, scale=0.1))[0].tobytes()).hexdigest()[:16]
        for name in ("int8", "uint8", "int16", "float32")
    }
    assert hashes == {
        "int8": "83dc4fb26a065f60",
        "uint8": "8da3172af8c9159d",
        "int16": "a2dc7e0fa7607033",
        "float32": "30660137b7168fbf",
    }


def test_another_seed_gives_other_random_vectors_and_the_same_constant_ones():
    model = model_of("int8", scale=0.1)
    (first,), (second,) = make(model, seed=0), make(model, seed=1)
    for i, kind in enumerate(KINDS):
        assert np.array_equal(first[i], second[i]) == (kind in ("minimum", "maximum", "zero_point"))


def test_a_vector_does_not_depend_on_how_many_are_made():
    model = model_of("int8", scale=0.1)
    (few,), (many,) = make(model, kinds=["uniform"]), make(model, kinds=["uniform"] * 5)
    np.testing.assert_array_equal(few[0], many[0])
    assert len({vector.tobytes() for vector in many}) == 5


def test_inputs_of_one_model_differ():
    first, second = make(parse_model(small_models.sum_of_two(), "x.tflite"))
    assert not np.array_equal(first[0], second[0])
    zero = KINDS.index("zero_point")
    assert (int(first[zero].flat[0]), int(second[zero].flat[0])) == (-7, 11)


@pytest.mark.parametrize(
    ("type_name", "lowest", "highest"), [("int8", -128, 127), ("uint8", 0, 255), ("int16", -32768, 32767)]
)
def test_integers_reach_both_ends_of_their_type(type_name: str, lowest: int, highest: int):
    (values,) = make(model_of(type_name, (1, 5000), scale=0.1, zero_point=3))
    assert set(values[KINDS.index("minimum")].flat) == {lowest}
    assert set(values[KINDS.index("maximum")].flat) == {highest}
    assert set(values[KINDS.index("zero_point")].flat) == {3}
    uniform = values[KINDS.index("uniform")].astype(int)
    spread = highest - lowest
    assert uniform.min() < lowest + spread / 50
    assert uniform.max() > highest - spread / 50
    assert abs(uniform.mean() - (lowest + highest) / 2) < spread / 20


def test_a_random_walk_goes_in_small_steps_and_stays_in_range():
    (values,) = make(model_of("int8", (1, 5000), scale=0.1))
    walk = values[KINDS.index("random_walk")].astype(int).ravel()
    assert np.abs(np.diff(walk)).max() <= 256 / 16 + 1
    assert walk.max() - walk.min() > 200


def test_float_inputs_span_what_their_quantize_operator_tells_apart_and_beyond():
    model = parse_model(small_models.convolution(), "x.tflite")
    quantized = model.tensors[model.operators[0].outputs[0]]
    (values,) = make(model)
    assert values.dtype == np.float32
    lowest, highest = (quantized.scales[0] * (q - quantized.zero_points[0]) for q in (-128, 127))
    assert values[KINDS.index("minimum")].max() < lowest
    assert values[KINDS.index("maximum")].min() > highest
    assert set(values[KINDS.index("zero_point")].flat) == {0.0}


def test_an_input_type_without_vectors_is_refused():
    with pytest.raises(BadInput, match="is int4: no vectors can be made"):
        make(model_of("int4", scale=0.1))


def test_the_users_vectors_may_leave_out_a_batch_of_one():
    model = model_of("int8", (1, 4), scale=0.1)
    for shape in [(3, 1, 4), (3, 4)]:
        (checked,) = vectors.check_inputs(model, [np.zeros(shape, np.int8)])
        assert checked.shape == (3, 1, 4)
    batched = model_of("int8", (2, 4), scale=0.1)
    assert vectors.check_inputs(batched, [np.zeros((2, 4), np.int8)])[0].shape == (1, 2, 4)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((3, 1, 5), np.int8), r"shape is \[3, 1, 5\], must be \[n, 1, 4\]"),
        (np.zeros((3, 4, 1), np.int8), r"shape is \[3, 4, 1\]"),
        (np.zeros(4, np.int8), r"shape is \[4\]"),
        (np.int8(0).reshape(()), r"shape is \[\]"),
        (np.zeros((0, 1, 4), np.int8), "there is no vector in it"),
        (np.zeros((3, 1, 4), np.uint8), "values are uint8, must be int8"),
        (np.zeros((3, 1, 4), np.int64), "values are int64, must be int8"),
    ],
)
def test_vectors_of_another_shape_or_type_are_refused(array: np.ndarray, message: str):
    with pytest.raises(BadInput, match=message) as raised:
        vectors.check_inputs(model_of("int8", (1, 4), scale=0.1), [array], names=["mine.npy"])
    assert str(raised.value).startswith("mine.npy: ")
    assert raised.value.next_step


def test_float_samples_for_an_int8_input_are_refused_with_the_formula():
    with pytest.raises(BadInput) as raised:
        vectors.check_inputs(model_of("int8", (1, 4), scale=0.5, zero_point=-3), [np.zeros((1, 1, 4))])
    assert "numpy.round(x / 0.5) + -3" in raised.value.next_step


def test_not_a_number_is_refused():
    with pytest.raises(BadInput, match="NaN"):
        vectors.check_inputs(model_of("float32", (1, 4)), [np.full((1, 4), np.nan, np.float32)])


def test_every_input_needs_a_file_and_as_many_vectors(tmp_path: Path):
    model = parse_model(small_models.sum_of_two(), "two.tflite")
    a, b = tmp_path / "a.npy", tmp_path / "b.npy"
    np.save(a, np.zeros((3, 1, 2, 3), np.int8))
    np.save(b, np.zeros((2, 1, 2, 3), np.int8))
    with pytest.raises(BadInput, match=r"has 2 inputs, but there are 1 files"):
        vectors.load_inputs(model, [a])
    with pytest.raises(BadInput, match=r"b.npy: 2 vectors, but the first input has 3"):
        vectors.load_inputs(model, [a, b])
    assert [array.shape for array in vectors.load_inputs(model, [a, a])] == [(3, 1, 2, 3)] * 2


@pytest.mark.parametrize("content", [b"", b"no array", b"\x93NUMPY\x01\x00\xff\xff", b"\x93NUMPY\x01\x00\x04\x00{1:2"])
def test_a_file_that_is_no_array_is_refused(tmp_path: Path, content: bytes):
    path = tmp_path / "x.npy"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=r"x.npy: cannot be read as a .npy file"):
        vectors.load_array(path)


def test_an_array_of_python_objects_is_not_unpickled(tmp_path: Path):
    path = tmp_path / "x.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(BadInput, match=r"cannot be read"):
        vectors.load_array(path)
