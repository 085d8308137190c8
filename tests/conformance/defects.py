# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: E501 - a defect a line reads best
"""make defects: plants a defect at a time in a copy of the kernels, and looks whether the cases notice.

Each is one that a person could write: a rounding, a zero point, padding, a stride, a bound, a width, an order. Ends
with 1 where one survives, or does not apply any more because the sources changed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from host_engine import HERE, HostEngine, with_headers

from conformance.runner import Conformance
from tinyhil import assets

FLAGS = ["-std=c++17", "-O0", "-fno-exceptions", "-fno-rtti", "-ffp-contract=off", "-w"]


@dataclass(frozen=True)
class Defect:
    kind: str
    operator: str  # whose cases are to notice it
    file: str  # of kernels/reference
    right: str  # once in it
    wrong: str

    def __str__(self) -> str:
        return f"{self.kind} in {self.file}: {self.wrong.strip() or 'nothing'} for {self.right.strip()}"


DEFECTS = [
    Defect("rounding", "AVERAGE_POOL_2D", "average_pool.cc", "sum + count / 2 : sum - count / 2", "sum : sum"),
    Defect("rounding", "LOGISTIC", "logistic.cc", "RoundingShiftRight(kFunction(x), 31 - kFraction)",
           "(kFunction(x) >> (31 - kFraction))"),
    Defect("rounding", "HARD_SWISH", "hard_swish.cc", "gate * unshifted / (1 << 15)", "((gate * unshifted) >> 15)"),
    Defect("rounding", "HARD_SWISH", "hard_swish.cc", "(product + (product >= 0 ? 1 << 14 : 1 - (1 << 14)))", "product"),
    Defect("rounding", "RESIZE_BILINEAR", "resize_bilinear.cc", "(sum > 0 ? 1 << 19 : -(1 << 19))", "(1 << 19)"),
    Defect("rounding", "ELU", "elu.cc", "RoundToInt(y * inverse)", "static_cast<int32_t>(y * inverse)"),
    Defect("rounding", "CONV_2D", "prepare_common.cc", "int64_t{output.zero_point} + RoundToInt(scaled_high)",
           "int64_t{output.zero_point} + static_cast<int32_t>(scaled_high)"),
    Defect("rounding", "EQUAL", "comparison.cc", "kHeadroom = 8", "kHeadroom = 5"),
    Defect("zero point", "CONV_2D", "conv.cc", "out[2] = static_cast<int16_t>(b - zero_point)",
           "out[2] = static_cast<int16_t>(b)"),
    Defect("zero point", "ADD", "add.h", "b - d.zero_point[1]", "b - d.zero_point[0]"),
    Defect("zero point", "MUL", "mul.cc", "(b - d.zero_point[1])", "b"),
    Defect("zero point", "RELU", "relu.cc", "x - d.input_zero_point", "x"),
    Defect("zero point", "PRELU", "prelu.cc", "alpha - d.alpha_zero_point", "alpha"),
    Defect("zero point", "DEQUANTIZE", "dequantize.cc", "value - d.zero_point", "value"),
    Defect("zero point", "BATCH_MATMUL", "batch_matmul.cc", "static_cast<uint32_t>(d.left.zero_point) * column_sum", "0"),
    Defect("zero point", "SVDF", "svdf.cc", "*state++ - d.state_zero_point", "*state++"),
    Defect("padding", "CONV_2D", "conv.cc", "ox * d.x.stride - d.x.pad", "ox * d.x.stride"),
    Defect("padding", "MAX_POOL_2D", "prepare_common.cc", "total > 0 ? total / 2 : 0", "total > 0 ? (total + 1) / 2 : 0"),
    Defect("padding", "DEPTHWISE_CONV_2D", "depthwise_conv.cc", "oy * d.y.stride - d.y.pad", "oy * d.y.stride"),
    Defect("stride", "CONV_2D", "conv.cc", "oy * d.y.stride - d.y.pad", "oy - d.y.pad"),
    Defect("stride", "CONV_2D", "conv.cc", "y0 + ky * d.y.dilation", "y0 + ky"),
    Defect("stride", "MAX_POOL_2D", "pool_common.h", "ox * d.x.stride - d.x.pad", "ox * d.y.stride - d.x.pad"),
    Defect("stride", "SPACE_TO_BATCH_ND", "space_to_batch_nd.cc", "x += d.block_w", "x += d.block_h"),
    Defect("stride", "ADD", "broadcast.cc", "step[k] == out->step[k][rank - 1]", "step[0] == out->step[0][rank - 1]"),
    Defect("bounds", "CONV_2D", "conv.cc", "if (y < 0 || y >= d.y.input)", "if (y < 0 || y > d.y.input)"),
    Defect("bounds", "SOFTMAX", "softmax.cc", "for (int32_t i = 1; i < d.depth; ++i) highest",
           "for (int32_t i = 1; i + 1 < d.depth; ++i) highest"),
    Defect("bounds", "FULLY_CONNECTED", "fully_connected.cc", "for (; i < d.outputs; ++i, weights += size)",
           "for (; i + 1 < d.outputs; ++i, weights += size)"),
    Defect("bounds", "REDUCE_MAX", "reduce.cc", "int8_t{-128}", "int8_t{0}"),
    Defect("bounds", "MAX_POOL_2D", "pool_common.h", "y + d.y.filter < d.y.input ? y + d.y.filter : d.y.input",
           "y + d.y.filter < d.y.input ? y + d.y.filter : d.y.input - 1"),
    Defect("bounds", "CONCATENATION", "concatenation.cc", "for (uint32_t k = 0; k < pieces.outer; ++k)",
           "for (uint32_t k = 0; k == 0 || k + 1 < pieces.outer; ++k)"),
    Defect("width", "ADD", "add.h", "AddQuantized<kSubtract, 15, int16_t>", "AddQuantized<kSubtract, 14, int16_t>"),
    Defect("width", "QUANTIZE", "quantize.cc", "kLow, kLow + 255", "kLow, kLow + 254"),
    Defect("width", "HARD_SWISH", "hard_swish.cc", "Saturate16(gate * 2)",
           "gate * 2"),
    Defect("width", "SVDF", "svdf.cc", "state[d.memory - 1] = static_cast<T>(Clamp(x, -kHighest - 1, kHighest)",
           "state[d.memory - 1] = static_cast<T>(Clamp(x, -128, 127)"),
    Defect("width", "LEAKY_RELU", "leaky_relu.cc", "(1 << (8 * sizeof(T) - 1)) - 1", "127"),
    Defect("width", "TANH", "logistic.cc", "ExpOfNegative<kInputBits + 1>", "ExpOfNegative<kInputBits>"),
    Defect("order", "SUB", "add.h", "kSubtract ? u - v : u + v", "kSubtract ? v - u : u + v"),
    Defect("order", "ARG_MAX", "arg_extreme.cc", "*value > best", "*value >= best"),
    Defect("order", "LESS", "comparison.cc", "a < b ? kIsLess", "a <= b ? kIsLess"),
    Defect("order", "MINIMUM", "maximum_minimum.cc", "kMaximum ? a > b : a < b", "kMaximum ? a > b : a > b"),
    Defect("order", "BATCH_MATMUL", "batch_matmul.cc", "Finish(d, four.s[2], sums[1])", "Finish(d, four.s[1], sums[1])"),
    Defect("order", "CONV_2D", "conv.cc", "const int8_t* from = in + group * d.group_channels", "const int8_t* from = in"),
    Defect("order", "MEAN", "reduce.cc", "sum / count : sum", "sum * (1.0f / count) : sum"),
]  # fmt: skip


class Kernels:
    """The host firmware's objects, and programs with one file of the kernels changed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._firmware = assets.firmware_dir()
        kernels = sorted(self._firmware.glob("kernels/reference/*.cc"))
        engine = [HERE / "host_engine.cc", *sorted(self._firmware.glob("interpreter/*.cc"))]
        self._sources = [*engine, *kernels, self._firmware / "engine" / "builtin.cc"]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            self._objects = dict(zip(self._sources, pool.map(self._compile, self._sources), strict=True))

    def with_defect(self, defect: Defect) -> Path:
        overlay = self._folder / "overlay"
        changed = overlay / "kernels" / "reference" / defect.file
        changed.parent.mkdir(parents=True, exist_ok=True)
        original = self._firmware / "kernels" / "reference" / defect.file
        changed.write_text(plant(defect, original.read_text(encoding="utf-8")), encoding="utf-8")
        objects = dict(self._objects)
        for source in self._sources:
            if original in with_headers(source, self._firmware):
                objects[source] = self._compile(changed if source == original else source, overlay)
        program = self._folder / "defective"
        subprocess.run(["g++", *FLAGS, *map(str, objects.values()), "-o", str(program)], check=True)
        changed.unlink()
        return program

    def _compile(self, source: Path, overlay: Path | None = None) -> Path:
        folder = self._folder / ("defective-objects" if overlay else "objects")
        folder.mkdir(exist_ok=True)
        target = folder / f"{source.parent.name}-{source.stem}.o"
        includes = [f"-I{path}" for path in (overlay, self._firmware) if path]
        subprocess.run(["g++", *FLAGS, *includes, "-c", str(source), "-o", str(target)], check=True)
        return target


def plant(defect: Defect, text: str) -> str:
    """The source with the defect in it. Raises ValueError where what it replaces is not there once."""
    if text.count(defect.right) != 1:
        raise ValueError(f"{defect.file} has {text.count(defect.right)} times: {defect.right}")
    return text.replace(defect.right, defect.wrong)


def is_caught(program: Path, defect: Defect, cases: int) -> bool:
    suite = Conformance(partial(HostEngine, program))
    try:
        return bool(suite.run(defect.operator, range(cases), keep=1).failures)
    finally:
        suite.close(check=False)


def survivors(defects: list[Defect], cases: int) -> list[Defect]:
    """Those that no case notices."""
    survived = []
    with tempfile.TemporaryDirectory(prefix="tinyhil-defects-") as name:
        kernels = Kernels(Path(name))
        for defect in defects:
            caught = is_caught(kernels.with_defect(defect), defect, cases)
            print(f"{'caught' if caught else 'SURVIVED':9} {defect}", flush=True)
            if not caught:
                survived.append(defect)
    return survived


def main() -> int:
    parser = argparse.ArgumentParser(prog="make defects", description=__doc__)
    parser.add_argument("--count", "-n", type=int, default=500, help="cases of an operator (500)")
    options = parser.parse_args()
    survived = survivors(DEFECTS, options.count)
    print(f"{len(DEFECTS) - len(survived)} of {len(DEFECTS)} defects caught")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
