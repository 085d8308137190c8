# SPDX-License-Identifier: Apache-2.0
"""A firmware with one deliberate defect is told apart from a right one, and the defect is found where it is."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.tiny_firmware import REAL_FIRMWARE, REAL_PLATFORMS, use_tree

from tinyhil.board import load_board
from tinyhil.build import build_image
from tinyhil.cli import cli
from tinyhil.device import Device
from tinyhil.diagnose import diagnose
from tinyhil.errors import OutputMismatch
from tinyhil.golden import golden_for
from tinyhil.matrix import own_model
from tinyhil.model import load_model
from tinyhil.record import Diagnosis
from tinyhil.verdict import assert_golden, run_golden

pytestmark = pytest.mark.needs("native", "oracle")

DEPTHWISE = "kernels/reference/depthwise_conv.cc"
PLANNER = "interpreter/planner.cc"


@dataclass(frozen=True)
class Defect:
    """`old` becomes `new` in a file of the firmware. The digits then go wrong at operator `op`, for reason `cause`."""

    file: str
    old: str
    new: str
    op: int
    cause: str
    access: str = "wrote"


LAST = "  out[channel + 3] = stage.Finish(channel + 3, s3);"
SUM = "  out[channel] = stage.Finish(channel, s0);"
ROUNDED_OTHERWISE = """
  {
    const int64_t sum = static_cast<int32_t>(s0) + stage.bias[channel];
    const int32_t shift = 31 - stage.shifts[channel];
    const int64_t scaled = (sum * stage.multipliers[channel] + (int64_t{1} << (shift - 2))) >> shift;
    int32_t y = static_cast<int32_t>(scaled) + stage.zero_point;
    y = y < stage.low ? stage.low : y > stage.high ? stage.high : y;
    out[channel] = static_cast<int8_t>(y);
  }
"""

DEFECTS = {
    # One channel in four rounds up from a quarter on.
    "rounding": Defect(DEPTHWISE, SUM, ROUNDED_OTHERWISE, 1, "rounding"),
    "padding": Defect(
        DEPTHWISE,
        "taps.first = (-origin + w.dilation - 1) / w.dilation;",
        "taps.first = (-origin + w.dilation - 1) / w.dilation + 1;",
        1,
        "padding",
    ),
    "stride": Defect(
        DEPTHWISE, "const int32_t x = ox * d.x.stride - d.x.pad;", "const int32_t x = ox - d.x.pad;", 5, "stride"
    ),
    "zero point of the output": Defect(
        DEPTHWISE,
        "  const OutputStage stage = d.stage;\n",
        "  OutputStage stage = d.stage;\n  stage.zero_point += 2;\n  stage.low += 2;\n",
        1,
        "zero_point",
    ),
    "zero point of the input": Defect(
        DEPTHWISE,
        "const int32_t zero_point = d.input_zero_point;",
        "const int32_t zero_point = d.input_zero_point + 1;",
        1,
        "",
    ),
    "accumulator width": Defect(
        DEPTHWISE,
        SUM,
        "  out[channel] = stage.Finish(channel, static_cast<uint32_t>(static_cast<int16_t>(s0 << 2) >> 2));",
        1,
        "accumulator",
    ),
    "activation bounds": Defect(
        DEPTHWISE,
        "  const OutputStage stage = d.stage;\n",
        "  OutputStage stage = d.stage;\n  stage.high = -20;\n",
        1,
        "activation_bounds",
    ),
    "one channel's scale": Defect(
        DEPTHWISE, SUM, SUM + "\n  if (channel == 8) out[8] = stage.Finish(9, s0);", 1, "channel"
    ),
    "nothing computed": Defect(
        DEPTHWISE, LAST, LAST + "\n  for (int k = 0; k < 4; ++k) out[channel + k] = 7;", 1, "constant"
    ),
    # A tensor that two operators read is given up after the first of them.
    "planner overlap": Defect(
        PLANNER,
        "return a.first <= b.last && b.first <= a.last;",
        "return a.first <= (b.last < b.first + 1 ? b.last : b.first + 1) &&\n"
        "         b.first <= (a.last < a.first + 1 ? a.last : a.first + 1);",
        3,
        "overlap",
        "read",
    ),
    # What an operator reads is given up when it starts.
    "planner overlap in place": Defect(
        PLANNER,
        "return a.first <= b.last && b.first <= a.last;",
        "return a.first < b.last && b.first < a.last;",
        0,
        "overlap",
    ),
}


@pytest.fixture(scope="module")
def digits():
    return load_model(own_model("digits"))


def plant(tmp_path: Path, monkeypatch, *defects: Defect) -> None:
    """A firmware with these defects, in the place of the right one."""
    firmware = tmp_path / "firmware"
    shutil.copytree(REAL_FIRMWARE, firmware)
    (tmp_path / "platforms").symlink_to(REAL_PLATFORMS)
    for defect in defects:
        text = (firmware / defect.file).read_text()
        assert text.count(defect.old) == 1, f"{defect.file} has no such line any more: write the defect anew"
        (firmware / defect.file).write_text(text.replace(defect.old, defect.new))
    use_tree(tmp_path, monkeypatch)


def find(digits, tmp_path: Path, monkeypatch, *defects: Defect) -> tuple[Diagnosis, int]:
    """The diagnosis of the firmware with these defects, and how many inferences it took."""
    plant(tmp_path, monkeypatch, *defects)
    board = load_board("native")
    image = build_image(board)
    golden = golden_for(digits).subset(range(12))
    inferences = 0
    with Device.open(board, "native", image, digits) as device:
        device.load(digits)
        tally = run_golden(device, golden)
        if tally.difference is None:
            return Diagnosis(None), 0
        original = device.run_until

        def counted(*args, **kwargs):
            nonlocal inferences
            inferences += 1
            return original(*args, **kwargs)

        monkeypatch.setattr(device, "run_until", counted)
        found = diagnose(device, digits, golden, tally.difference)
        # The device is none the worse: a run after it finds the same.
        assert run_golden(device, golden).difference == tally.difference
    return found, inferences


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_found_where_it_is(name, digits, tmp_path, monkeypatch):
    defect = DEFECTS[name]
    found, inferences = find(digits, tmp_path, monkeypatch, defect)
    assert (found.operator, found.name, found.access) == (defect.op, digits.operators[defect.op].name, defect.access)
    assert found.tensor is not None and found.tensor.first.differing > 0
    assert found.alone == (None if defect.access == "read" else "wrong")  # read: two inputs in one place
    if defect.cause:
        assert found.cause.kind == defect.cause, found
    assert inferences <= 2


def test_the_operator_that_overwrote_a_tensor_is_named(digits, tmp_path, monkeypatch):
    found, _ = find(digits, tmp_path, monkeypatch, DEFECTS["planner overlap"])
    assert (found.cause.operator, found.cause.operator_name) == (2, "CONV_2D")
    assert found.tensor is not None and found.tensor.name == "stem"


def test_the_same_firmware_without_a_defect_passes(digits, tmp_path, monkeypatch):
    found, inferences = find(digits, tmp_path, monkeypatch)
    assert (found.operator, inferences) == (None, 0)


def test_the_command_lists_the_operators_and_says_what_is_wrong(digits, tmp_path, monkeypatch):
    plant(tmp_path, monkeypatch, DEFECTS["padding"])
    result = CliRunner(env={"COLUMNS": "160"}).invoke(cli, ["diagnose", str(digits.path), "--board", "native"])
    assert result.exit_code == 1, result.output
    rows = [line for line in result.output.splitlines() if "DEPTHWISE_CONV_2D" in line and "│" in line]
    assert [cell.strip() for cell in rows[0].split("│")[1:5]] == ["1", "DEPTHWISE_CONV_2D", "same", "differs"]
    assert "perhaps    only elements at the border differ" in result.output
    assert "alone      wrong by itself" in result.output


def test_the_assertion_of_a_test_suite_tells_the_diagnosis(digits, tmp_path, monkeypatch):
    plant(tmp_path, monkeypatch, DEFECTS["stride"])
    board = load_board("native")
    with Device.open(board, "native", build_image(board), digits) as device:
        device.load(digits)
        with pytest.raises(OutputMismatch) as caught:
            assert_golden(device, golden_for(digits).subset(range(4)))
    assert "tensor: 14 'down_depthwise'" in caught.value.details
    assert "perhaps: the first window's elements are right" in caught.value.details


@pytest.mark.parametrize("what", ["input", "output"])
def test_a_golden_set_that_contradicts_itself_is_not_blamed_on_the_device(digits, what):
    golden = golden_for(digits).subset(range(2))
    assert [golden.contradiction(digits, vector) for vector in range(2)] == ["", ""]
    arrays = [array.copy() for array in (golden.inputs if what == "input" else golden.outputs)]
    arrays[0][1].flat[0] ^= 1
    spoilt = replace(golden, **{f"{what}s": arrays})
    board = load_board("native")
    with Device.open(board, "native", build_image(board), digits) as device:
        device.load(digits)
        tally = run_golden(device, spoilt)
        assert tally.difference is not None
        found = diagnose(device, digits, spoilt, tally.difference)
    assert (found.operator, found.cause.kind) == (None, "golden")
    op = "operator 12 SOFTMAX wrote" if what == "output" else "operator 0 CONV_2D read"
    assert f"{what} 0 of vector 1 is not what {op}" in found.cause.text
