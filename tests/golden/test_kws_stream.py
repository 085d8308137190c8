# SPDX-License-Identifier: Apache-2.0
"""The keyword spotter that listens frame by frame says at the end of a second what the one that hears it whole says."""

from __future__ import annotations

import numpy as np
import pytest

from tinyhil.golden import load, make_golden, stored_path
from tinyhil.matrix import own_model
from tinyhil.model import load_model

STEPS = 26  # of two frames: one of zeros, the 49 of a second, two of zeros
WHOLE, STREAM = load_model(own_model("kws")), load_model(own_model("kws_stream"))


def test_its_last_output_is_the_whole_models_for_every_sound_of_its_golden_set():
    whole, stream = load(stored_path(WHOLE)), load(stored_path(STREAM))
    assert stream.keeps_state
    assert stream.labels is not None and whole.labels is not None
    sounds = stream.inputs[0].reshape(-1, 2 * STEPS, 10)
    assert len(sounds) * STEPS == len(stream) and len(sounds) >= 3
    for number, frames in enumerate(sounds):
        assert not frames[[0, -2, -1]].any()
        (same,) = np.flatnonzero((whole.inputs[0].reshape(-1, 49, 10) == frames[1:-2]).all(axis=(1, 2)))
        end = (number + 1) * STEPS - 1
        assert (stream.outputs[0][end] == whole.outputs[0][same]).all()
        assert stream.labels[end] == whole.labels[same] >= 0
        assert (stream.labels[end - STEPS + 1 : end] == -1).all()


def test_a_step_costs_a_fraction_of_the_whole():
    assert STREAM.is_stateful
    assert STREAM.macs < WHOLE.macs * 0.6


@pytest.mark.needs("oracle")
def test_without_its_state_it_says_something_else():
    stream = load(stored_path(STREAM))
    forgetful = make_golden(STREAM, inputs=[stream.inputs[0][:STEPS]])
    assert (forgetful.outputs[0] != stream.outputs[0][:STEPS]).any()
