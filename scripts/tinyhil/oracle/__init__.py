# SPDX-License-Identifier: Apache-2.0
"""Reference interpreters on the host, which make golden vectors. The normative one is `tflm`."""

from tinyhil.oracle.base import Oracle, Trace
from tinyhil.oracle.tflm import TflmOracle

__all__ = ["Oracle", "TflmOracle", "Trace"]
