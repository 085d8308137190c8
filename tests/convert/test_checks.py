# SPDX-License-Identifier: Apache-2.0
"""What people get wrong on the way to int8 is found, in the layer where it is, and not found where all is well."""

from __future__ import annotations

import numpy as np
import pairs
import pytest
import small_models

from tinyhil.board import load_board
from tinyhil.convert import checks, layers
from tinyhil.model import parse_model
from tinyhil.model.writer import ModelWriter


def kinds(findings) -> list[str]:
    return [finding.kind for finding in findings]


@pytest.fixture
def pair(tmp_path) -> pairs.Pair:
    return pairs.make(tmp_path)


# Layer by layer -------------------------------------------------------------------------------------------------------
@pytest.mark.needs("oracle")
def test_each_layer_is_held_against_its_float_counterpart(pair):
    found = layers.compare(pair.reference, pair.int8, [pair.samples])
    assert [entry.layer for entry in found.layers] == ["first/Relu", "second/MatMul", "output 0"]
    assert found.samples == 64 and not found.unmatched
    for entry in found.layers:
        assert 25 < entry.sqnr_db < 60 and entry.clipped == 0 and entry.max_abs < 8 * entry.scale
        assert 0 < entry.mean_abs <= entry.max_abs
    assert checks.layers(found) == []


@pytest.mark.needs("oracle")
def test_the_error_is_what_numpy_says_it_is(pair):
    first = layers.compare(pair.reference, pair.int8, [pair.samples]).layers[0]
    w = pair.reference.constant(next(t for t in pair.reference.tensors if t.name == "first/weights"))
    exact = np.maximum(pair.samples.astype(np.float64) @ w.T.astype(np.float64), 0)
    from tinyhil.convert import activations

    tensor = pair.int8.tensors[pair.int8.operators[first.operator].outputs[0]]
    fed = activations.feed(pair.int8, [pair.samples])
    stored = activations.run(pair.int8, fed, [tensor.index])[1][tensor.index]
    error = activations.dequantize(stored, tensor)[:, 0] - exact
    assert first.sqnr_db == pytest.approx(10 * np.log10((exact**2).mean() / (error**2).mean()), abs=0.01)
    assert first.max_abs == pytest.approx(np.abs(error).max(), rel=1e-4)


@pytest.mark.needs("oracle")
def test_a_range_that_is_too_narrow_is_saturation_in_that_layer(tmp_path):
    clipped = pairs.make(tmp_path, hidden_scale=0.3)
    found = layers.compare(clipped.reference, clipped.int8, [clipped.samples])
    saturated = [finding for finding in checks.layers(found) if finding.kind == "saturation"]
    assert [finding.layer for finding in saturated] == ["first/Relu"]
    assert found.layers[0].sqnr_db < 15
    assert "first/Relu" in [entry.layer for entry in found.worst(2)]


@pytest.mark.needs("oracle")
def test_a_channel_that_never_varies_is_dead_and_one_that_int8_levels_is_told_apart(tmp_path):
    weights = np.ones((pairs.HIDDEN, pairs.FEATURES), np.float32)
    weights[1] = 0
    weights[4] = 1e-3  # less than one step of the layer's scale
    found = pairs.make(tmp_path, hidden_weights=weights, per_channel=True)
    first = layers.compare(found.reference, found.int8, [found.samples]).layers[0]
    assert first.dead == (1,) and first.flattened == (4,)
    assert {"dead_channels", "flattened_channels"} <= set(kinds(checks.layers(layers.Comparison((first,), 64, ()))))


def test_layers_are_matched_past_what_only_one_model_has(pair):
    writer = ModelWriter()
    tensors = [writer.tensor((1, 4), "float32", name=f"net/{i}") for i in range(4)]
    writer.operator("ADD", [tensors[0], tensors[0]], [tensors[1]])
    writer.operator("NEG", [tensors[1]], [tensors[2]])
    writer.operator("SOFTMAX", [tensors[2]], [tensors[3]])
    other = parse_model(writer.finish([tensors[0]], [tensors[3]]), "other.tflite")
    assert [(op, t.index) for op, t, _ in layers.match(other, pair.int8)] == [(2, pair.int8.outputs[0])]


# Operators ------------------------------------------------------------------------------------------------------------
def test_what_is_left_in_float_is_named(pair, tmp_path):
    assert checks.not_integer(pair.int8) == []
    left = checks.not_integer(pair.reference)
    assert kinds(left) == ["float_operator"] * 3 + ["float_boundary"] * 2
    assert left[0].layer == "first/Relu" and "operator 0 FULLY_CONNECTED" in left[0].text


def test_float_at_the_boundary_is_an_error_unless_it_was_asked_for():
    model = parse_model(small_models.convolution(), "conv.tflite")
    assert kinds(checks.not_integer(model)) == ["float_operator"] * 2 + ["float_boundary"] * 2
    assert checks.not_integer(model, float_io=True) == []


def test_lacking_operators_are_named_with_their_layers_in_a_float_model_too():
    writer = ModelWriter()
    names = ("x", "net/wave/Cos", "net/wave_2/Cos", "net/mine", "net/ok/Relu", "net/loop")
    tensors = [writer.tensor((1, 4), "float32", name=name) for name in names]
    for i, (name, custom) in enumerate([("COS", False), ("COS", False), ("my_filter", True), ("RELU", False)]):
        writer.operator(name, [tensors[i]], [tensors[i + 1]], custom=custom)
    writer.operator("WHILE", [tensors[4]], [tensors[5]])
    model = parse_model(writer.finish([tensors[0]], [tensors[5]]), "m.tflite")
    found = {item.operator: item for item in checks.lacking_operators(model, "builtin")}
    assert set(found) == {"COS", "my_filter", "WHILE"}
    assert found["COS"].layers == ("wave/Cos", "wave_2/Cos")
    assert "custom operator" in found["my_filter"].why and "control flow" in found["WHILE"].why
    assert {item.operator for item in checks.lacking_operators(model, "tflm")} == {"my_filter", "WHILE"}


def test_a_float_model_is_judged_by_what_it_will_be(pair):
    assert checks.lacking_operators(pair.reference, "builtin") == []


def test_a_board_with_few_operators_is_asked_too(pair):
    board = load_board("stm32f072b_disco")
    writer = ModelWriter()
    tensors = [writer.tensor((1, 4), scale=0.1, name=name) for name in ("x", "y")]
    writer.operator("TANH", [tensors[0]], [tensors[1]])
    model = parse_model(writer.finish([tensors[0]], [tensors[1]]), "m.tflite")
    assert checks.lacking_operators(model, "builtin") == []
    (lacking,) = checks.lacking_operators(model, "builtin", board)
    assert lacking.operator == "TANH" and "stm32f072b_disco" in lacking.why


# Weights --------------------------------------------------------------------------------------------------------------
def dense(weights: np.ndarray, scale, bias: np.ndarray | None = None) -> bytes:
    writer = ModelWriter()
    x = writer.tensor((1, weights.shape[1]), scale=0.1, name="x")
    w = writer.tensor(weights.shape, scale=scale, data=weights)
    b = -1 if bias is None else writer.tensor(bias.shape, "int32", scale=scale, data=bias)
    y = writer.tensor((1, weights.shape[0]), scale=0.1, name="net/dense")
    writer.operator("FULLY_CONNECTED", [x, w, b], [y])
    return writer.finish([x], [y])


FULL = np.full((4, 3), 100, np.int8)


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (dense(FULL * [[1], [0], [1], [0]], 0.1), "dead_channels", "2 of 4 channels have no weight but 0 (1, 3)"),
        (dense(np.array([[127], [3], [90], [100]]), 0.1), "coarse_channels", "at most 3 steps of 127 (1)"),
        (dense(FULL, [0.1, 1e-6, 0.1, 0.1]), "scale_spread", "a factor of 100,000 apart"),
        (dense(FULL, 0.1, np.array([1, 2, 2**31 - 1, 4])), "bias_overflow", "1 biases are beyond half"),
    ],
)
def test_weights_that_will_not_do_are_found(data, kind, words):
    (finding,) = checks.weights(parse_model(data, "m.tflite"))
    assert finding.kind == kind and words in finding.text and finding.layer.endswith("dense")


def test_ordinary_weights_are_not(pair):
    assert checks.weights(pair.int8) == []
    assert checks.weights(parse_model(dense(FULL, 0.1, np.arange(4)), "m.tflite")) == []


# Samples --------------------------------------------------------------------------------------------------------------
def test_good_samples_are_not_suspected(pair):
    assert checks.samples(pair.reference, [pair.samples]) == []
    assert checks.samples(pair.int8, [pair.samples], quantized=True) == []
    fed = np.clip(np.rint(pair.samples * 255) - 128, -128, 127).astype(np.int8)
    assert checks.samples(pair.int8, [fed], quantized=True) == []


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda x: np.rint(x * 255), "unscaled_data"),
        (lambda x: np.rint(x * 255) - 128, "already_quantized"),
        (lambda x: x * 0 + 0.5, "constant_data"),
        (lambda x: np.repeat(x[:1], 30, 0), "constant_data"),
        (lambda x: x[:5], "few_samples"),
    ],
)
def test_samples_for_a_float_model_that_look_wrong_are_told(pair, change, kind):
    assert kinds(checks.samples(pair.reference, [change(pair.samples).astype(np.float32)])) == [kind]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda x: x * 255, "out_of_range"),
        (lambda x: 2 * x - 1, "out_of_range"),
        (lambda x: x / 20, "narrow_range"),
        (lambda x: np.rint(x).astype(np.int8), "float_cast"),
        (lambda x: np.clip(np.rint(x * 255), -128, 127).astype(np.int8), "zero_point_ignored"),
    ],
)
def test_samples_for_an_int8_model_that_look_wrong_are_told(pair, change, kind):
    assert kinds(checks.samples(pair.int8, [change(pair.samples)], quantized=True)) == [kind]


@pytest.mark.needs("oracle")
def test_a_wrong_range_is_shown_by_the_labels(tmp_path):
    """Class 1 where the first feature is above a half: no other scale gives that."""
    writer = ModelWriter()
    x = writer.tensor((1, 2), "float32", name="x")
    w = writer.tensor((2, 2), "float32", data=np.array([[0, 0], [1, 0]], np.float32))
    b = writer.tensor((2,), "float32", data=np.array([0.5, 0], np.float32))
    y = writer.tensor((1, 2), "float32")
    writer.operator("FULLY_CONNECTED", [x, w, b], [y])
    model = parse_model(writer.finish([x], [y]), "half.tflite")
    samples = np.random.default_rng(0).uniform(0, 1, (80, 2)).astype(np.float32)
    labels = (samples[:, 0] > 0.5).astype(np.int64)
    assert checks.wrong_range(model, [samples], labels) == []
    (finding,) = checks.wrong_range(model, [samples * 255], labels)
    assert "x / 255" in finding.text and "100%" in finding.text


@pytest.mark.needs("oracle")
def test_mistakes_on_a_device_have_their_share_of_unchanged_classes(pair):
    shares = checks.mistakes(pair.int8, [pair.samples])
    assert set(shares) == {"float values cast to int8", "zero point left out", "uint8 bytes taken for int8"}
    assert all(0 <= share < 1 for share in shares.values())


def test_an_output_that_never_changes_is_told(pair):
    same = np.tile(np.array([[1, 9, 3, 4]], np.int8), (30, 1))
    assert "the very same output" in checks.constant_output(pair.int8, [same])[0].text
    same[:, 0] = np.arange(30) % 5
    assert "give class 1" in checks.constant_output(pair.int8, [same])[0].text
    assert checks.constant_output(pair.int8, [np.eye(4, dtype=np.int8)]) == []
