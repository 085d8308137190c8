# SPDX-License-Identifier: Apache-2.0
"""Everything that can be wrong is refused by name, with a next step and an exit status of its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tinyhil import errors
from tinyhil.assets import platforms_dir
from tinyhil.golden import load
from tinyhil.model import load_model

BOARD = "mps2_an386"
pytestmark = pytest.mark.needs("native")


def refused(done, error: type[errors.TinyhilError], *words: str) -> None:
    """The process ended with this error's status, said these words and what to do, and showed no traceback."""
    assert done.returncode == error.exit_status, done.stdout + done.stderr
    for word in words:
        assert word in done.stderr
    assert "next step: " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def board_folder(tmp_path):
    """A copy of a board under another name, with its file's text replaced; returns what TINYHIL_PLATFORMS is to be."""

    def make(name: str, *replacements: tuple[str, str]) -> str:
        folder = tmp_path / "platforms" / name
        shutil.copytree(platforms_dir() / BOARD, folder)
        path = folder / "board.yaml"
        text = path.read_text().replace(f"name: {BOARD}", f"name: {name}")
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        path.write_text(text)
        return str(tmp_path / "platforms")

    return make


# The model -----------------------------------------------------------------------------------------------------------
def test_a_file_that_is_no_tflite(tinyhil):
    refused(tinyhil("run", __file__, "--board", "native"), errors.NotTflite, "test_refusals.py", "TFL3")


def test_a_truncated_model(tinyhil, digits, tmp_path):
    (tmp_path / "half.tflite").write_bytes(digits.read_bytes()[: digits.stat().st_size // 2])
    refused(tinyhil("run", "half.tflite", "--board", "native"), errors.MalformedModel, "half.tflite")


@pytest.mark.needs("oracle")
def test_a_model_with_an_operator_that_the_engine_lacks(tinyhil, tmp_path, write_model):
    write_model(tmp_path / "cos.tflite", "COS")
    refused(tinyhil("run", "cos.tflite", "--board", "native"), errors.UnsupportedOperator, "COS")


def test_a_model_that_was_never_quantized(tinyhil, tmp_path, write_model):
    write_model(tmp_path / "float.tflite", "ADD", type="float32")
    refused(tinyhil("run", "float.tflite", "--board", "native"), errors.FloatModel, "float")


@pytest.fixture
def write_model():
    """Writes a model of one operator over a vector of 8: COS of it, or ADD of it to itself."""
    pytest.importorskip("flatbuffers")
    from tinyhil.model.writer import ModelWriter

    def write(path: Path, operator: str, *, type: str = "int8") -> None:
        writer = ModelWriter()
        quantization = {"scale": 1 / 128} if type == "int8" else {}
        x = writer.tensor((1, 8), type, **quantization)
        y = writer.tensor((1, 8), type, **quantization)
        writer.operator(operator, [x] if operator == "COS" else [x, x], [y])
        path.write_bytes(writer.finish(inputs=[x], outputs=[y]))

    return write


# Inputs --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda shape, dtype: np.zeros((3, *shape, 2), dtype), "shape is"),
        (lambda shape, dtype: np.zeros((3, *shape), np.float64), "values are float64"),
        (lambda shape, dtype: np.zeros((0, *shape), dtype), "there is no vector in it"),
    ],
)
@pytest.mark.needs("oracle")
def test_an_input_of_another_shape_or_type(tinyhil, digits, tmp_path, change, words):
    tensor = load_model(digits).input_tensors[0]
    np.save(tmp_path / "x.npy", change(tensor.shape, tensor.dtype))
    refused(tinyhil("run", digits, "--board", "native", "--input", "x.npy"), errors.BadInput, "x.npy", words)


@pytest.mark.needs("oracle")
def test_an_input_file_that_is_no_npy_and_too_many_of_them(tinyhil, digits):
    refused(tinyhil("run", digits, "--board", "native", "--input", __file__), errors.BadInput, ".npy")
    two = ["--input", __file__, "--input", __file__]
    refused(tinyhil("run", digits, "--board", "native", *two), errors.BadInput, "2 files")


# What does not fit ---------------------------------------------------------------------------------------------------
def test_a_model_that_does_not_fit_the_arena_with_the_bytes_that_are_missing(tinyhil, digits):
    done = tinyhil("run", digits, "--board", "native", "--arena", "64")
    refused(done, errors.ArenaOverflow, "64")
    assert any(character.isdigit() for character in done.stderr.replace("64", ""))


@pytest.mark.needs("arm-gcc", "qemu")
def test_a_model_that_does_not_fit_the_slot_with_the_bytes_that_are_missing(tinyhil, digits, board_folder):
    platforms = board_folder("small_slot", ("offset: 1M, bytes: 3M", "offset: 1M, bytes: 1K"))
    done = tinyhil("run", digits, "--board", "small_slot", TINYHIL_PLATFORMS=platforms)
    refused(done, errors.SlotOverflow, "bytes")


@pytest.mark.needs("arm-gcc")
def test_an_image_that_does_not_fit_flash_with_the_bytes_that_are_missing(tinyhil, digits, board_folder):
    platforms = board_folder("small_flash", ("bytes: 4M}  #", "bytes: 9K}  #"), ("1M, bytes: 3M", "8K, bytes: 1K"))
    done = tinyhil("run", digits, "--board", "small_flash", TINYHIL_PLATFORMS=platforms)
    refused(done, errors.FlashOverflow, "bytes")


# Boards --------------------------------------------------------------------------------------------------------------
def test_an_unknown_board_with_close_names(tinyhil, digits):
    refused(tinyhil("run", digits, "--board", "mps2_an38"), errors.UnknownBoard, "mps2_an38", "Did you mean")


def test_a_target_that_the_board_does_not_have(tinyhil, digits):
    refused(tinyhil("run", digits, "--board", "native", "--target", "qemu"), errors.UnknownBoard, "'qemu'", "native")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("core: Cortex-M4F\n", "", ("core", "missing key")),
        ("machine: ", "machien: ", ("targets.qemu.machien", "did you mean 'machine'")),
    ],
)
def test_a_board_file_with_a_missing_or_misspelt_key(tinyhil, digits, board_folder, old, new, words):
    platforms = board_folder("broken", (old, new))
    done = tinyhil("run", digits, "--board", "broken", TINYHIL_PLATFORMS=platforms)
    refused(done, errors.BoardFileError, "broken/board.yaml", *words)


# Tools ---------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("board", "tool"), [("native", "g++"), (BOARD, "arm-none-eabi-g++")])
def test_a_missing_compiler_with_the_command_that_installs_it(tinyhil, digits, tmp_path, board, tool):
    done = tinyhil("run", digits, "--board", board, PATH=str(tmp_path))
    refused(done, errors.MissingTool, tool, "apt-get install")


@pytest.mark.needs("arm-gcc", "qemu")
def test_a_missing_emulator_with_the_command_that_installs_it(tinyhil, digits, tmp_path):
    for tool in ("arm-none-eabi-g++", "arm-none-eabi-gcc"):
        (tmp_path / tool).symlink_to(shutil.which(tool))
    done = tinyhil("run", digits, "--board", BOARD, PATH=str(tmp_path))
    refused(done, errors.MissingTool, "qemu-system-arm", "apt-get install")


@pytest.mark.needs("arm-gcc", "qemu")
def test_an_emulator_that_cannot_start_in_its_own_words(tinyhil, digits, fake_tool):
    path = fake_tool(
        "qemu-system-arm",
        'case "$*" in *--version*) echo "QEMU emulator version 9.0.2";; *) echo "no luck" >&2; exit 1;; esac',
    )
    done = tinyhil("run", digits, "--board", BOARD, PATH=path)
    assert done.returncode in (errors.TargetStartFailed.exit_status, errors.TargetDied.exit_status)
    assert "no luck" in done.stderr


# The script becomes the emulator: were it the emulator's parent, killing it would leave the emulator behind.
RUN_THEN = """
case "$*" in *--version*) exec {qemu} "$@";; esac
(sleep 1.5; kill -{signal} $$) &
exec {qemu} "$@"
"""


@pytest.mark.needs("arm-gcc", "qemu")
@pytest.mark.parametrize(("signal", "error"), [("KILL", errors.TargetDied), ("STOP", errors.TargetHung)])
def test_an_emulator_that_dies_or_hangs_in_the_middle(tinyhil, lasting, fake_tool, signal, error):
    path = fake_tool("qemu-system-arm", RUN_THEN.format(qemu=shutil.which("qemu-system-arm"), signal=signal))
    done = tinyhil("run", lasting, "--board", BOARD, PATH=path)
    refused(done, error)


# Golden sets ---------------------------------------------------------------------------------------------------------
def test_a_golden_set_of_another_model(tinyhil, digits, tmp_path):
    model = tmp_path / "digits.tflite"
    model.write_bytes(digits.read_bytes() + bytes(16))
    shutil.copy(digits.with_name("digits.golden.npz"), tmp_path)
    refused(tinyhil("run", model, "--board", "native"), errors.StaleGolden, "digits.golden.npz")


def test_a_golden_set_that_is_damaged(tinyhil, digits, tmp_path):
    damaged = tmp_path / "damaged.npz"
    damaged.write_bytes(digits.with_name("digits.golden.npz").read_bytes()[:-300])
    refused(tinyhil("run", digits, "--board", "native", "--golden", damaged), errors.GoldenError, "damaged.npz")


def test_without_an_oracle_only_a_model_without_a_stored_set_is_refused(tinyhil, digits, tmp_path):
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "sitecustomize.py").write_text("import sys\nsys.modules['tflite_micro'] = None\n")
    alone = tmp_path / "alone.tflite"
    shutil.copy(digits, alone)
    environment = {"PYTHONPATH": str(tmp_path / "hidden"), "TINYHIL_CACHE": str(tmp_path / "cache")}
    refused(tinyhil("run", alone, "--board", "native", **environment), errors.OracleMissing, "tflite-micro")
    assert tinyhil("run", digits, "--board", "native", **environment).returncode == 0


# A wrong output ------------------------------------------------------------------------------------------------------
@pytest.fixture
def spoilt(digits, tmp_path) -> Path:
    """The stored set with one number of vector 2 changed."""
    golden = load(digits.with_name("digits.golden.npz")).subset(range(5))
    golden.outputs[0][2].reshape(-1)[1] ^= 0x10
    path = tmp_path / "spoilt.npz"
    golden.save(path)
    return path


def test_a_wrong_output_is_status_1_and_shows_where(tinyhil, digits, spoilt):
    done = tinyhil("run", digits, "--board", "native", "--golden", spoilt)
    assert done.returncode == errors.OutputMismatch.exit_status
    assert done.stdout.startswith("FAIL  digits on native (native): output 0[0, 1]: got ")
    assert "1 of 10 differ, vector 2" in done.stdout
    assert "1 of 5 vectors differ" in done.stdout


def test_the_record_of_a_wrong_output_has_the_difference(tinyhil, digits, spoilt):
    done = tinyhil("run", digits, "--board", "native", "--golden", spoilt, "--json")
    record = json.loads(done.stdout)
    assert record["verdict"] == "fail"
    output = record["difference"]["output"]
    assert (output["output"], output["index"], output["differing"]) == (0, 1, 1)
    assert abs(output["got"] - output["want"]) == 16


@pytest.mark.parametrize("arguments", [["--board", "mps2_an38"], ["--board", "native", "--arena", "64"]])
def test_an_error_is_json_where_json_is_asked_for(tinyhil, digits, arguments):
    done = tinyhil("run", digits, *arguments, "--json")
    error = json.loads(done.stdout)["error"]
    assert error["exit_status"] == done.returncode
    assert error["next_step"]
