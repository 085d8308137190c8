# SPDX-License-Identifier: Apache-2.0
"""The cost of an inference is a figure that can be relied on."""

from __future__ import annotations

import pytest


def test_the_same_inference_costs_the_same_20_times(device, golden):
    if device.unit != "instructions":
        pytest.skip(f"this target counts {device.unit or 'nothing'}: only emulated instructions are deterministic")
    inputs = [array[0] for array in golden.inputs]
    counts = {device.run(inputs).units for _ in range(20)}
    assert len(counts) == 1
    assert counts.pop() > 0


def test_the_set_up_costs_the_same_each_time(device, model):
    if device.unit != "instructions":
        pytest.skip(f"this target counts {device.unit or 'nothing'}")
    counts = set()
    for _ in range(3):
        device.load(model)
        counts.add(device.set_up_units())
    assert len(counts) == 1
    assert counts.pop() > 1000


def test_the_operators_costs_add_up_to_about_the_inference(device, golden):
    if device.unit != "instructions":
        pytest.skip(f"this target counts {device.unit or 'nothing'}")
    inputs = [array[0] for array in golden.inputs]
    whole = device.run(inputs).units
    parts = device.run(inputs, profile=True).op_units
    assert all(part > 0 for part in parts)
    assert sum(parts) <= whole * 1.01
