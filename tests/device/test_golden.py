# SPDX-License-Identifier: Apache-2.0
"""What the device computes is what the oracle computed, on every board and target alike."""

from __future__ import annotations

import numpy as np

from tinyhil.verdict import assert_golden


def test_every_output_and_every_operator_is_the_oracles(device, golden):
    assert_golden(device, golden)


def test_the_device_names_the_operators_of_the_model(device, model):
    assert device.load(model).op_names == [operator.name for operator in model.operators]


def test_an_inference_leaves_nothing_behind_that_changes_another(device, golden):
    first = [array[0] for array in golden.inputs]
    last = [array[-1] for array in golden.inputs]
    device.run(last)
    for inputs, vector in ((first, 0), (last, -1), (first, 0)):
        for got, want in zip(device.run(inputs).outputs, golden.outputs, strict=True):
            np.testing.assert_array_equal(got, want[vector])


def test_the_checksum_hook_does_not_change_an_output(device, golden):
    inputs = [array[0] for array in golden.inputs]
    plain, hooked = device.run(inputs), device.run(inputs, checksums=True)
    for got, want in zip(hooked.outputs, plain.outputs, strict=True):
        np.testing.assert_array_equal(got, want)
