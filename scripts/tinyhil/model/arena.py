# SPDX-License-Identifier: Apache-2.0
"""What a model needs of an arena at least, told from its file alone.

The exact number is the device's: scratch and most of the engine's own data are known to the operators' code alone. But
no engine can do with less than what is alive at one time and a multiplier for each channel.
"""

from __future__ import annotations

from tinyhil.errors import ArenaOverflow
from tinyhil.model.graph import Model, Subgraph

_POINTER_BYTES = 4
_NODE_BYTES = 16  # what the builtin engine keeps of an operator
_CHANNEL_BYTES = 4  # the multiplier of an output channel that has a scale of its own; every engine keeps it
_BY_CHANNEL = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D"})

# An engine may let their output be their input.
_MAY_SHARE = frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS"})


def least_arena_bytes(model: Model, engine: str) -> int:
    """A lower bound of the arena that the engine needs for the model, in bytes, on a microcontroller."""
    graph = model.subgraphs[0]
    kept = len(graph.tensors) * _POINTER_BYTES + len(graph.operators) * _NODE_BYTES if engine == "builtin" else 0
    for op in graph.operators:
        scales = len(graph.tensors[op.inputs[1]].scales) if op.name in _BY_CHANNEL else 0
        kept += scales * _CHANNEL_BYTES if scales > 1 else 0
    return _most_alive_bytes(graph) + kept


def check_arena(model: Model, engine: str, available_bytes: int, where: str) -> None:
    """Raises ArenaOverflow, with the bytes that are missing, where the model cannot run in so much arena.

    where: whose arena it is, for the message.
    """
    needed = least_arena_bytes(model, engine)
    if needed > available_bytes:
        raise ArenaOverflow(
            f"{model.name} needs an arena of at least {needed:,} bytes, and {available_bytes:,} are there {where}: at "
            f"least {needed - available_bytes:,} bytes are missing.",
            needed_bytes=needed,
            available_bytes=available_bytes,
            next_step="Choose a board with more RAM, a larger arena, or a smaller model.",
        )


def _most_alive_bytes(graph: Subgraph) -> int:
    """The largest sum of activations that are alive during one operator."""
    end = len(graph.operators)
    first = dict.fromkeys(graph.inputs, 0)
    last = dict.fromkeys(graph.outputs, end)
    for at, op in enumerate(graph.operators):
        for index in op.outputs:
            first.setdefault(index, at)
            last.setdefault(index, at)
        for index in op.inputs:
            if index >= 0 and index in first:
                last[index] = max(last.get(index, at), at)
    alive = [0] * (end + 1)
    for index, begin in first.items():
        tensor = graph.tensors[index]
        if tensor.is_constant or tensor.is_variable:
            continue
        for at in range(begin, last.get(index, begin) + 1):
            alive[at] += tensor.bytes
    return max(
        (bytes_ for op, bytes_ in zip(graph.operators, alive, strict=False) if op.name not in _MAY_SHARE),
        default=0,
    )
