# SPDX-License-Identifier: Apache-2.0
"""What the training scripts of this folder share. Not part of the package tinyhil: nothing of it is needed to test."""
