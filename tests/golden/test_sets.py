# SPDX-License-Identifier: Apache-2.0
"""Golden sets: made, stored, found, refused."""

from __future__ import annotations

import json
import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import small_models
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyhil import golden as sets
from tinyhil.errors import BadInput, GoldenError, OracleFailed, OracleMissing, StaleGolden
from tinyhil.model import Model, load_model
from tinyhil.oracle import TflmOracle

SYNTHETIC = ["uniform"] * 3 + ["random_walk"] * 2 + ["minimum", "maximum", "zero_point"]


@pytest.fixture(scope="session")
def stored(digits: Model) -> sets.GoldenSet:
    return sets.load(sets.stored_path(digits))


def saved(golden_set: sets.GoldenSet, path: Path) -> bytes:
    golden_set.save(path)
    return path.read_bytes()


def crc(*tensors: np.ndarray) -> int:
    return zlib.crc32(b"".join(tensor.tobytes() for tensor in tensors))


def test_the_stored_set_of_digits_has_its_provenance(digits: Model, stored: sets.GoldenSet):
    stored.check(digits)
    assert stored.kinds == SYNTHETIC + ["sample"] * 360
    assert (stored.oracle, stored.seed, stored.generator) == ("tflm", 0, "tinyhil-vectors/1")
    assert stored.oracle_version
    assert stored.tinyhil_version
    assert stored.op_names == [op.name for op in digits.operators]


def test_its_samples_are_labelled_and_nearly_all_right(stored: sets.GoldenSet):
    assert stored.labels is not None
    assert list(stored.labels[:8]) == [-1] * 8
    assert set(stored.labels[8:]) == set(range(10))
    assert stored.accuracy() >= 0.96


def test_checksums_tie_each_operator_to_what_it_read_and_wrote(digits: Model, stored: sets.GoldenSet):
    first, last = digits.operators[0], digits.operators[-1]
    assert digits.reads(first) == digits.input_tensors
    assert digits.writes(last) == digits.output_tensors
    for i in range(0, len(stored), 50):
        assert stored.op_reads[i, 0] == crc(stored.inputs[0][i])
        assert stored.op_writes[i, -1] == crc(stored.outputs[0][i])
        for op in digits.operators[1:]:
            if len(digits.reads(op)) == 1:
                (writer,) = (other.index for other in digits.operators if other.outputs == op.inputs[:1])
                assert stored.op_reads[i, op.index] == stored.op_writes[i, writer]


def test_a_set_that_is_loaded_and_saved_is_the_same_bytes(digits: Model, stored: sets.GoldenSet, tmp_path: Path):
    assert saved(stored, tmp_path / "again.npz") == sets.stored_path(digits).read_bytes()


def test_a_set_is_plain_arrays_to_numpy(digits: Model):
    with np.load(sets.stored_path(digits), allow_pickle=False) as arrays:
        assert arrays["input_0"].shape == (368, 1, 8, 8, 1)
        assert arrays["output_0"].dtype == np.int8
        assert json.loads(str(arrays["provenance"]))["model_sha256"] == digits.sha256


def test_a_subset_keeps_rows_together(stored: sets.GoldenSet, tmp_path: Path):
    part = stored.subset([10, 3])
    assert (part.kinds, part.numbers) == (["sample", "random_walk"], [2, 0])
    np.testing.assert_array_equal(part.inputs[0][1], stored.inputs[0][3])
    np.testing.assert_array_equal(part.op_writes[0], stored.op_writes[10])
    assert part.labels is not None
    assert part.labels[0] == stored.labels[10]
    part.save(tmp_path / "part.npz")
    assert sets.load(tmp_path / "part.npz").kinds == part.kinds


# Finding a set -------------------------------------------------------------------------------------------------------
def test_a_stored_set_is_enough_where_there_is_no_oracle(digits: Model, no_oracle: None):
    assert len(sets.golden_for(digits)) == 368


def test_without_set_and_oracle_the_error_says_where_to_make_one(write_model, no_oracle: None):
    model = write_model(small_models.convolution())
    with pytest.raises(OracleMissing, match="tflite-micro is not installed") as raised:
        sets.golden_for(model)
    assert "tinyhil golden make" in raised.value.next_step


def test_a_stored_set_is_read_without_importing_an_oracle(digits: Model):
    program = (
        "import sys; from tinyhil import golden; from tinyhil.model import load_model;"
        f"golden.golden_for(load_model({str(digits.path)!r}));"
        "sys.exit(any(name.startswith(('tflite_micro', 'tinyhil.oracle', 'rich', 'filelock')) for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_set_of_another_model_is_refused(digits: Model, write_model, stored: sets.GoldenSet):
    model = write_model(small_models.convolution())
    stored.save(sets.stored_path(model))
    with pytest.raises(StaleGolden, match=r"model.golden.npz: made from another model") as raised:
        sets.golden_for(model)
    assert digits.sha256[:16] in str(raised.value)
    assert model.sha256[:16] in str(raised.value)
    assert str(model.path) in raised.value.next_step


def test_a_model_that_changed_by_one_bit_makes_its_set_stale(digits: Model, stored: sets.GoldenSet, tmp_path: Path):
    weights = next(t for t in digits.tensors if t.name == "mix/weights")
    data = bytearray(digits.data)
    data[weights.data_offset] ^= 1
    path = tmp_path / "digits.tflite"
    path.write_bytes(data)
    stored.save(tmp_path / "digits.golden.npz")
    with pytest.raises(StaleGolden):
        sets.golden_for(load_model(path))


def test_a_set_with_the_right_hash_and_wrong_arrays_is_refused(digits: Model, stored: sets.GoldenSet):
    wrong = [
        replace(stored, inputs=[stored.inputs[0].astype(np.uint8)]),
        replace(stored, outputs=[stored.outputs[0][:, :, :5]]),
        replace(stored, outputs=stored.outputs * 2),
        replace(stored, op_names=["ADD"] * len(stored.op_names)),
    ]
    for one in wrong:
        with pytest.raises(GoldenError, match="damaged"):
            one.check(digits)


@pytest.mark.needs("oracle")
def test_a_set_is_made_once_and_then_found_in_the_cache(write_model, monkeypatch: pytest.MonkeyPatch):
    model = write_model(small_models.convolution())
    made = sets.golden_for(model, seed=3)
    assert made.kinds == SYNTHETIC
    monkeypatch.setattr(TflmOracle, "trace", None)
    found = sets.golden_for(model, seed=3)
    np.testing.assert_array_equal(found.op_writes, made.op_writes)
    with pytest.raises(TypeError):
        sets.golden_for(model, seed=4)


@pytest.mark.needs("oracle")
def test_a_damaged_cache_entry_is_made_anew(write_model, empty_cache: Path):
    model = write_model(small_models.convolution())
    made = sets.golden_for(model)
    (entry,) = (empty_cache / "golden").glob("*.npz")
    whole = entry.read_bytes()
    entry.write_bytes(whole[: len(whole) // 2])
    np.testing.assert_array_equal(sets.golden_for(model).op_writes, made.op_writes)
    assert entry.read_bytes() == whole


# Damaged files -------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="session")
def small_set(stored: sets.GoldenSet, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return saved(stored.subset(range(6)), tmp_path_factory.mktemp("set") / "small.npz")


def load_bytes(data: bytes, path: Path) -> sets.GoldenSet:
    path.write_bytes(data)
    return sets.load(path)


@pytest.mark.parametrize("content", [b"", b"no set", b"PK\x03\x04", b"PK\x05\x06" + bytes(18)])
def test_a_file_that_is_no_set_is_refused(tmp_path: Path, content: bytes):
    with pytest.raises(GoldenError, match=r"x.npz: not a golden set, or damaged"):
        load_bytes(content, tmp_path / "x.npz")


def test_a_missing_set_is_an_error_of_its_own(tmp_path: Path):
    with pytest.raises(GoldenError, match="no such file"):
        sets.load(tmp_path / "absent.npz")


def test_a_truncated_set_is_refused_at_every_length(small_set: bytes, tmp_path: Path):
    for length in range(0, len(small_set), 7):
        with pytest.raises(GoldenError):
            load_bytes(small_set[:length], tmp_path / "x.npz")


def test_a_set_of_another_format_version_is_refused(stored: sets.GoldenSet, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(sets, "FORMAT", "tinyhil.golden/999")
    stored.save(tmp_path / "x.npz")
    monkeypatch.undo()
    with pytest.raises(GoldenError, match="of format 'tinyhil"):
        sets.load(tmp_path / "x.npz")


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_damaged_set_is_refused_or_unharmed(small_set: bytes, tmp_path_factory, data: st.DataObject):
    folder = tmp_path_factory.getbasetemp()
    damaged = bytearray(small_set)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        loaded = load_bytes(bytes(damaged), folder / "damaged.npz")
    except GoldenError:
        return
    assert saved(loaded, folder / "again.npz") == small_set


# The oracle ----------------------------------------------------------------------------------------------------------
@pytest.mark.needs("oracle")
def test_a_set_is_reproducible_byte_for_byte(write_model, tmp_path: Path):
    model = write_model(small_models.convolution())
    samples = [np.linspace(-3, 3, 2 * 108, dtype=np.float32).reshape(2, 1, 6, 6, 3)]
    labels = np.array([4, 0])
    first, second = (sets.make_golden(model, seed=5, samples=samples, labels=labels) for _ in range(2))
    assert saved(first, tmp_path / "a.npz") == saved(second, tmp_path / "b.npz")
    assert first.kinds == [*SYNTHETIC, "sample", "sample"]


@pytest.mark.needs("oracle")
def test_own_inputs_replace_the_synthetic_vectors(write_model):
    model = write_model(small_models.sum_of_two())
    inputs = [np.full((2, 1, 2, 3), value, np.int8) for value in (1, 2)]
    made = sets.make_golden(model, inputs=inputs)
    assert made.kinds == ["sample", "sample"]
    # 0.75 * (y - 1) = 0.5 * (1 + 7) + 0.25 * (2 - 11), rounded
    assert set(made.outputs[0].flat) == {round(1 + (0.5 * 8 - 0.25 * 9) / 0.75)}
    assert made.op_reads[0, 0] == crc(inputs[0][0], inputs[1][0])


@pytest.mark.needs("oracle")
def test_the_stored_set_of_digits_is_what_the_oracle_computes(digits: Model, stored: sets.GoldenSet):
    assert sets.verify(digits, stored) == []


@pytest.mark.needs("oracle")
def test_every_public_model_can_be_made_and_verified(public_models: Path):
    for path in sorted(public_models.glob("*.tflite")):
        model = load_model(path)
        made = sets.make_golden(model)
        made.check(model)
        assert made.op_reads.shape == (8, len(model.operators))
        assert all(
            made.op_writes[i, -1] == crc(made.outputs[0][i]) and made.op_reads[i, 0] == crc(made.inputs[0][i])
            for i in range(len(made))
        )
        assert sets.verify(model, made) == []


@pytest.mark.needs("oracle")
def test_verify_says_which_vector_differs_where(digits: Model, stored: sets.GoldenSet):
    part = stored.subset([0, 3, 9])
    outputs, inputs, writes = part.outputs[0].copy(), part.inputs[0].copy(), part.op_writes.copy()
    outputs[2, 0, 4] ^= 1
    assert sets.verify(digits, replace(part, outputs=[outputs])) == [
        f"vector 2 (sample): output 0: 1 of 10 values differ, the first at index 4: "
        f"stored {outputs[2, 0, 4]}, the oracle gives {outputs[2, 0, 4] ^ 1}"
    ]
    writes[1, 8] ^= 1
    (line,) = sets.verify(digits, replace(part, op_writes=writes))
    assert line == "vector 1 (random_walk): 1 of 13 operators wrote other values, the first is operator 8 CONV_2D"
    inputs[0, 0, 0, 0, 0] ^= 1
    lines = sets.verify(digits, replace(part, inputs=[inputs]))
    assert lines[0] == "vector 0 (uniform): input 0 is not what seed 0 gives"


def test_a_set_of_an_unknown_oracle_cannot_be_verified(digits: Model, stored: sets.GoldenSet):
    with pytest.raises(GoldenError, match="no oracle is called 'crystal ball'"):
        sets.verify(digits, replace(stored, oracle="crystal ball"))


@pytest.mark.needs("oracle")
def test_a_model_that_kills_the_oracle_is_an_error_and_not_the_end(write_model, capfd):
    model = write_model(small_models.that_kills_the_oracle())
    with pytest.raises(OracleFailed, match="died of SIG"):
        sets.make_golden(model)
    assert capfd.readouterr() == ("", "")


@pytest.mark.needs("oracle")
def test_what_the_oracle_says_of_a_model_it_refuses_is_in_the_details(write_model, capfd):
    model = write_model(small_models.unsupported())
    with pytest.raises(OracleFailed, match="refused the model") as raised:
        sets.make_golden(model)
    assert "Failed to get registration from op code CUSTOM" in raised.value.details
    assert "Traceback" not in raised.value.details
    assert capfd.readouterr() == ("", "")


@pytest.mark.needs("oracle")
@pytest.mark.parametrize(
    ("samples", "labels", "message"),
    [
        (np.zeros((2, 9, 8, 1), np.int8), None, "shape is"),
        (np.zeros((2, 8, 8, 1), np.float32), None, "values are float32, must be int8"),
        (np.zeros((2, 8, 8, 1), np.int8), np.array([1]), "must be 2 whole numbers"),
        (np.zeros((2, 8, 8, 1), np.int8), np.array([1.0, 2.0]), "must be 2 whole numbers"),
    ],
)
def test_samples_and_labels_that_do_not_fit_are_refused(digits: Model, samples, labels, message: str):
    with pytest.raises(BadInput, match=message):
        sets.make_golden(digits, samples=[samples], labels=labels)
