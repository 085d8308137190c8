# SPDX-License-Identifier: Apache-2.0
"""tinyhil: hardware-in-the-loop tests for machine-learning models on microcontrollers."""

__version__ = "0.1.0"
