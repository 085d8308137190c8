# SPDX-License-Identifier: Apache-2.0
"""Every operator of the firmware against the oracle, bit for bit, on generated models of that operator alone."""
