# SPDX-License-Identifier: Apache-2.0
"""What an accelerometer on the bearing of a machine sees: a physical model of rotation, bearing faults and noise.

Everything about a machine and about each window of its vibration depends on names alone (training.exact.uniform).
Frequencies are in Hz, times in s; accelerations in units of the machine's own broadband noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from training.exact import Array, normal, uniform

SAMPLE_RATE = 16000
WINDOW = 4096
CONDITIONS = ("healthy", "outer race", "inner race")


@dataclass(frozen=True)
class Machine:
    """balls, ratio, angle: of the bearing: number of balls, ball diameter to pitch diameter, contact angle in radians.
    resonances: (frequency, damping ratio) of the bearing's housing and of the frame. harmonics: acceleration at 1, 2
    and 3 times the rotation, at 30 turns a second and full load."""

    name: str
    balls: int
    ratio: float
    angle: float
    resonances: tuple[tuple[float, float], tuple[float, float]]
    harmonics: tuple[float, float, float]

    def outer_race_hz(self, rotation_hz: float) -> float:
        """How often a ball passes a point of the outer race, BPFO: n / 2 * f * (1 - d / D * cos(angle))."""
        return self.balls / 2 * rotation_hz * (1 - self.ratio * float(np.cos(self.angle)))

    def inner_race_hz(self, rotation_hz: float) -> float:
        """The same for the inner race, BPFI: n / 2 * f * (1 + d / D * cos(angle))."""
        return self.balls / 2 * rotation_hz * (1 + self.ratio * float(np.cos(self.angle)))


def machine(name: str) -> Machine:
    """The machine of this name: a deep-groove ball bearing in a housing on a frame."""
    u = uniform(f"vibration machine {name}", 10)
    return Machine(
        name,
        balls=7 + int(u[0] * 6),
        ratio=0.18 + 0.10 * u[1],
        angle=0.3 * u[2],
        resonances=((2500 + 2500 * u[3], 0.02 + 0.04 * u[4]), (700 + 900 * u[5], 0.03 + 0.05 * u[6])),
        harmonics=(0.5 + 2 * u[7], 0.2 + 1 * u[8], 0.1 + 0.5 * u[9]),
    )


def vibration(of: Machine, condition: str, rotation_hz: float, name: str) -> Array:
    """One window, 4096 samples. `name` draws the load, the noise, all phases, and how bad a fault is.

    The speed swings by up to 1 %. A fault is a small hollow in a race: each ball that passes strikes the housing, which
    rings at its resonance. Passages come up to 1 % too early or late, for balls slip. A hollow in the inner race turns
    through the loaded zone, so its strikes grow and fade with the rotation.
    """
    u = uniform(f"vibration {of.name} {name}", 12)
    load = 0.3 + 0.7 * u[0]
    seconds = np.arange(WINDOW) / SAMPLE_RATE
    turns = rotation_hz * (seconds + 0.01 / 6 * np.sin(2 * np.pi * (3 * seconds + u[1])) / np.pi)
    signal = np.zeros(WINDOW)
    for number, amplitude in enumerate(of.harmonics, 1):
        # Unbalance grows with the square of the speed, what else rotates with the load.
        grows = (rotation_hz / 30) ** 2 if number == 1 else load
        signal += amplitude * grows * np.sin(2 * np.pi * (number * turns + u[1 + number]))
    # Friction excites housing and frame; it rises and falls a little with the rotation.
    noise = normal(f"vibration {of.name} {name} noise", WINDOW)
    friction = noise * (0.5 + 0.5 * load) * (1 + 0.15 * u[5] * np.sin(2 * np.pi * (turns + u[6])))
    signal += friction
    for weight, (frequency, damping) in zip((0.8, 0.4), of.resonances, strict=True):
        ringing = _ring(friction, frequency, damping)
        signal += weight * ringing / np.sqrt(np.mean(ringing**2))
    if condition != "healthy":
        signal += 10 ** (-0.4 + 0.8 * u[7]) * _strikes(of, condition, rotation_hz, turns, name, u[8:])
    return signal


def _ring(excitation: Array, frequency: float, damping: float) -> Array:
    """What a resonance makes of an excitation: its impulse response is exp(-damping w t) sin(w t), w = 2 pi f."""
    omega = 2 * np.pi * frequency / SAMPLE_RATE
    decay = np.exp(-damping * omega)
    result: Array = lfilter([0.0, decay * np.sin(omega)], [1.0, -2 * decay * np.cos(omega), decay**2], excitation)
    return result


def _strikes(of: Machine, condition: str, rotation_hz: float, turns: Array, name: str, u: Array) -> Array:
    """The housing's answer to the strikes of a fault; its mean square is 1."""
    rate = of.outer_race_hz(rotation_hz) if condition == "outer race" else of.inner_race_hz(rotation_hz)
    passages = turns * (rate / rotation_hz) + u[0]
    first, last = int(np.ceil(passages[0])), int(np.floor(passages[-1]))
    slip = uniform(f"vibration {of.name} {name} slip", max(last - first + 1, 1)) - 0.5
    places = np.searchsorted(passages, np.arange(first, last + 1) + 0.02 * slip[: last - first + 1])
    places = np.minimum(places, WINDOW - 1)
    excitation = np.zeros(WINDOW)
    excitation[places] = 1.0
    if condition == "inner race":
        excitation *= 0.55 + 0.45 * np.cos(2 * np.pi * (turns + u[1]))
    ringing = _ring(excitation, *of.resonances[0])
    return ringing / np.sqrt(np.mean(ringing**2))
