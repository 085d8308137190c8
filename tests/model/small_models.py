# SPDX-License-Identifier: Apache-2.0
"""Small models for tests of the host side, each with something that matters there."""

from __future__ import annotations

import numpy as np

from tinyhil.model.writer import ModelWriter


def convolution() -> bytes:
    """Float at the boundary, int8 inside, weights per channel, a residual: nine of the ten operators."""
    rng = np.random.default_rng(7)
    writer = ModelWriter("a small convolution")
    x = writer.tensor((1, 6, 6, 3), "float32", name="image")
    q = writer.tensor((1, 6, 6, 3), scale=0.02, zero_point=-5, name="quantized")
    writer.operator("QUANTIZE", [x], [q])
    weights = writer.tensor(
        (4, 3, 3, 3), scale=[0.01, 0.02, 0.015, 0.012], data=rng.integers(-127, 128, (4, 3, 3, 3)), name="conv/weights"
    )
    bias = writer.tensor((4,), "int32", scale=[2e-4, 4e-4, 3e-4, 2.4e-4], data=rng.integers(-999, 999, 4))
    c = writer.tensor((1, 3, 3, 4), scale=0.05, zero_point=-128)
    writer.operator(
        "CONV_2D", [q, weights, bias], [c], padding="SAME", stride_w=2, stride_h=2, fused_activation_function="RELU"
    )
    taps = writer.tensor(
        (1, 3, 3, 4), scale=[0.01] * 4, quantized_dimension=3, data=rng.integers(-127, 128, (1, 3, 3, 4))
    )
    d = writer.tensor((1, 3, 3, 4), scale=0.04, zero_point=3)
    writer.operator("DEPTHWISE_CONV_2D", [c, taps], [d], padding="SAME")
    a = writer.tensor((1, 3, 3, 4), scale=0.06, zero_point=-40)
    writer.operator("ADD", [c, d], [a])
    p = writer.tensor((1, 1, 1, 4), scale=0.06, zero_point=-40)
    writer.operator("AVERAGE_POOL_2D", [a], [p], padding="VALID", filter_width=3, filter_height=3)
    flat = writer.tensor((1, 4), scale=0.06, zero_point=-40)
    shape = writer.tensor((2,), "int32", data=np.array([1, 4]))
    writer.operator("RESHAPE", [p, shape], [flat], new_shape=(1, 4))
    dense = writer.tensor((5, 4), scale=0.02, data=rng.integers(-127, 128, (5, 4)))
    f = writer.tensor((1, 5), scale=0.1, zero_point=0)
    writer.operator("FULLY_CONNECTED", [flat, dense, -1], [f])
    s = writer.tensor((1, 5), scale=1 / 256, zero_point=-128)
    writer.operator("SOFTMAX", [f], [s])
    y = writer.tensor((1, 5), "float32", name="probabilities")
    writer.operator("DEQUANTIZE", [s], [y])
    return writer.finish([x], [y])


def sum_of_two() -> bytes:
    """Two int8 inputs of one shape; zero points that tell them apart."""
    writer = ModelWriter()
    a = writer.tensor((1, 2, 3), scale=0.5, zero_point=-7, name="a")
    b = writer.tensor((1, 2, 3), scale=0.25, zero_point=11, name="b")
    y = writer.tensor((1, 2, 3), scale=0.75, zero_point=1, name="sum")
    writer.operator("ADD", [a, b], [y])
    return writer.finish([a, b], [y])


def unsupported() -> bytes:
    """COS twice and a custom operator, between an ADD that is fine."""
    writer = ModelWriter()
    tensors = [writer.tensor((1, 4), scale=0.1, zero_point=0) for _ in range(5)]
    writer.operator("ADD", [tensors[0], tensors[0]], [tensors[1]])
    writer.operator("COS", [tensors[1]], [tensors[2]])
    writer.operator("COS", [tensors[2]], [tensors[3]])
    writer.operator("my_filter", [tensors[3]], [tensors[4]], custom=True, custom_options=b"\x01\x02\x03")
    return writer.finish([tensors[0]], [tensors[4]])


def never_quantized(weights: str = "float32") -> bytes:
    """A fully connected layer in float; with weights="int8" only they are quantized."""
    writer = ModelWriter()
    x = writer.tensor((1, 4), "float32")
    w = writer.tensor((2, 4), weights, scale=0.1 if weights == "int8" else None, data=np.ones((2, 4)))
    y = writer.tensor((1, 2), "float32")
    writer.operator("FULLY_CONNECTED", [x, w, -1], [y])
    return writer.finish([x], [y])


def that_kills_the_oracle() -> bytes:
    """A convolution whose filter has more channels than its input: a division by zero groups in TFLite Micro."""
    writer = ModelWriter()
    x = writer.tensor((1, 4, 4, 1), scale=0.1)
    weights = writer.tensor((1, 3, 3, 7), scale=[0.1], data=np.ones((1, 3, 3, 7)))
    bias = writer.tensor((1,), "int32", scale=0.01, data=np.ones(1))
    y = writer.tensor((1, 4, 4, 1), scale=0.1)
    writer.operator("CONV_2D", [x, weights, bias], [y], padding="SAME")
    return writer.finish([x], [y])
