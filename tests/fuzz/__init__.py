# SPDX-License-Identifier: Apache-2.0
"""Fuzzing of the firmware on the host: see README.md."""
