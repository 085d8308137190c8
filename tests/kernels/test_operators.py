# SPDX-License-Identifier: Apache-2.0
"""Every operator, on random single-operator models: bit for bit what the oracle computes."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from host_engine import HostEngine, Ran
from operator_cases import OPERATORS

from tinyhil.model import Model, parse_model, supported_operators

HERE = Path(__file__).parent
CASES = int(os.environ.get("TINYHIL_TEST_CASES", "150"))

pytestmark = pytest.mark.needs("native", "oracle")


def vectors_for(model: Model, rng: np.random.Generator) -> list[list[np.ndarray]]:
    """Two random vectors, and both ends of the range."""

    def array(tensor, kind: int) -> np.ndarray:
        if tensor.type == "float32":
            values = rng.normal(0, 30, tensor.shape) if kind < 2 else np.full(tensor.shape, (-1e6, 1e6)[kind - 2])
            halves = rng.integers(-300, 300, tensor.shape) / 2 * model.output_tensors[0].scales[0]
            return np.where(rng.integers(2, size=tensor.shape) == 0, values, halves).astype(np.float32)
        limits = np.iinfo(tensor.type)
        if kind < 2:
            return rng.integers(limits.min, limits.max + 1, tensor.shape).astype(tensor.type)
        return np.full(tensor.shape, (limits.min, limits.max)[kind - 2], tensor.type)

    return [[array(tensor, kind) for tensor in model.input_tensors] for kind in range(4)]


def run_oracle(batch: list[tuple[bytes, list[list[np.ndarray]]]], folder: Path) -> list[list[bytes]]:
    request, answer = folder / "request", folder / "answer"
    request.write_bytes(pickle.dumps(batch))
    done = subprocess.run(
        [sys.executable, str(HERE / "oracle_batch.py"), str(request), str(answer)], capture_output=True, check=False
    )
    answers = pickle.loads(answer.read_bytes()) if answer.exists() else []
    assert done.returncode == 0, f"the oracle stopped at case {len(answers)}:\n{done.stderr.decode()[-2000:]}"
    return answers


def test_every_supported_operator_has_cases() -> None:
    assert set(OPERATORS) == supported_operators("builtin")


@pytest.mark.parametrize("name", sorted(OPERATORS))
def test_operator_equals_the_oracle_bit_for_bit(name: str, engine: HostEngine, tmp_path: Path) -> None:
    batch = []
    for case in range(CASES):
        rng = np.random.default_rng([case, sum(name.encode())])
        data = OPERATORS[name](rng)
        batch.append((data, vectors_for(parse_model(data, f"{name}-{case}.tflite"), rng)))
    for case, ((data, vectors), expected) in enumerate(zip(batch, run_oracle(batch, tmp_path), strict=True)):
        inputs = [b"".join(array.tobytes() for array in arrays) for arrays in vectors]
        result = engine.run(data, inputs, len(expected[0]))
        assert isinstance(result, Ran), f"{name} case {case}: {result}"
        for i, (got, want) in enumerate(zip(result.outputs, expected, strict=True)):
            different = [k for k, (g, w) in enumerate(zip(got, want, strict=True)) if g != w]
            first = different[0] if different else 0
            assert not different, (
                f"{name} case {case} vector {i}: {len(different)} of {len(want)} bytes differ, "
                f"the first at {first}: got {got[first]}, want {want[first]}"
            )
