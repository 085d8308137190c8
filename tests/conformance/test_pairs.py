# SPDX-License-Identifier: Apache-2.0
"""A sample of every operator's cases on a Cortex-M4F with the other pairs of engine and kernels, bit for bit.

builtin with reference: test_on_device.py. TFLite Micro also stops in the middle of an inference, and aborts, where the
oracle refuses the model: that is its way to refuse. TINYHIL_TEST_DEVICE_CASES says how many of each (6),
TINYHIL_TEST_PAIRS_BOARD and TINYHIL_TEST_PAIRS_FIRMWARE (bare_metal, zephyr) where.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import pytest
from host_engine import Ran, Refused

from conformance.device_engine import DeviceEngine
from conformance.operators import OPERATORS, Operator
from conformance.runner import Conformance, draw_case
from conformance.test_on_device import CASES, sample
from conformance.upstream_differences import DIFFERENCES, Difference
from tinyhil.board import load_board
from tinyhil.build import build_image
from tinyhil.device import Device
from tinyhil.errors import DeviceFault, ModelError, TinyhilError, UnsupportedOperator
from tinyhil.link.protocol import Status
from tinyhil.model import parse_model, supported_operators

BOARD = os.environ.get("TINYHIL_TEST_PAIRS_BOARD", "mps2_an386")
FIRMWARE = os.environ.get("TINYHIL_TEST_PAIRS_FIRMWARE", "bare_metal")
PAIRS = [
    pytest.param(("builtin", "cmsis_nn"), marks=pytest.mark.needs("cmsis_nn"), id="builtin/cmsis_nn"),
    pytest.param(("tflm", "reference"), marks=pytest.mark.needs("tflm"), id="tflm/reference"),
    pytest.param(("tflm", "cmsis_nn"), marks=pytest.mark.needs("tflm", "cmsis_nn"), id="tflm/cmsis_nn"),
]


pytestmark = pytest.mark.needs("arm-gcc", "qemu", "oracle", *(["zephyr"] if FIRMWARE == "zephyr" else []))
Pair = tuple[str, str]


class Upstream:
    """A device with TFLite Micro: what it refuses in the middle, or aborts on, it refuses."""

    def __init__(self, start: Callable[[], DeviceEngine]) -> None:
        self._start = start
        self._engine = start()

    def run(self, *arguments: object, **options: object) -> Ran | Refused:
        try:
            return self._engine.run(*arguments, **options)  # type: ignore[arg-type]
        except AssertionError as error:
            why = error.__cause__
            aborted = isinstance(why, DeviceFault) and " in abort" in str(why)
            if not aborted and not isinstance(why, UnsupportedOperator):
                raise
            assert isinstance(why, TinyhilError)
            if aborted:
                self._engine.close()
                self._engine = self._start()
            return Refused(Status.MODEL_UNSUPPORTED, why.message, 0, 0)

    def close(self, check: bool = True) -> None:
        self._engine.close(check)


@pytest.fixture(scope="module", params=PAIRS)
def pair(request: pytest.FixtureRequest) -> Pair:
    found: Pair = request.param
    return found


@pytest.fixture(scope="module")
def suite(pair: Pair) -> Iterator[Conformance]:
    engine, kernels = pair
    board = load_board(BOARD)
    image = build_image(board, engine=engine, kernels=kernels, firmware=FIRMWARE)

    def start() -> DeviceEngine:
        return DeviceEngine(partial(Device.open, board, "qemu", image))

    def operator(found: Operator) -> Operator:
        return found if engine == "builtin" else replace(found, refuses={}, runs={})

    operators = {name: operator(found) for name, found in OPERATORS.items()}
    made = Conformance((lambda: Upstream(start)) if engine == "tflm" else start, operators)
    yield made
    made.close()


def is_of(difference: Difference, pair: Pair) -> bool:
    engine, kernels = pair
    return engine == "tflm" and kernels in difference.kernels and difference.core in ("", load_board(BOARD).core)


def applies(difference: Difference, model: bytes) -> bool:
    try:
        return difference.applies(parse_model(model, "case.tflite"))
    except ModelError:
        return False  # it is refused, by both


@pytest.mark.parametrize("name", sorted(OPERATORS))
def test_a_sample_of_an_operators_cases_is_exact_with_every_pair(name: str, suite: Conformance, pair: Pair) -> None:
    engine, _ = pair
    if name not in supported_operators(engine):
        pytest.skip(f"the engine {engine} does not register {name}")
    known = [each for each in DIFFERENCES if is_of(each, pair) and each.operator == name]
    models = {number: draw_case(OPERATORS[name], number)[1].model for number in sample(name, CASES)}
    numbers = [number for number, model in models.items() if not any(applies(each, model) for each in known)]
    tally = suite.run(name, numbers)
    assert not tally.failures, tally.failures[0]
    assert tally.cases == len(numbers)
    assert tally.equal > 0 or known


@pytest.mark.parametrize(
    "difference",
    [each for each in DIFFERENCES if each.case is not None],
    ids=lambda each: f"{each.operator}-{each.case}",
)
def test_what_upstream_computes_otherwise_it_still_does(difference: Difference, suite: Conformance, pair: Pair) -> None:
    if not is_of(difference, pair):
        pytest.skip("another pair's, or another core's")
    assert difference.case is not None
    assert applies(difference, draw_case(OPERATORS[difference.operator], difference.case)[1].model)
    assert suite.run(difference.operator, [difference.case]).failures, "it is exact now: take it out of DIFFERENCES"
