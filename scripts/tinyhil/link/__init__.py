# SPDX-License-Identifier: Apache-2.0
"""The host's end of the wire. firmware/link/README.md describes the protocol."""
