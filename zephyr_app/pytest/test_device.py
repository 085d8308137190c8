# SPDX-License-Identifier: Apache-2.0
"""The device tests of tests/device, unchanged, but those of counts: an emulator's under twister are not exact."""

from test_bad_input import *  # noqa: F403
from test_golden import *  # noqa: F403
from test_memory import *  # noqa: F403
