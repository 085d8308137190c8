# SPDX-License-Identifier: Apache-2.0
"""Reports. Every one of them is drawn from records alone."""
