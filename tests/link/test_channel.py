# SPDX-License-Identifier: Apache-2.0
"""Channels that let the rest of a frame arrive where only its start has."""

from __future__ import annotations

import os
import pty
import socket
import time
import tty
from collections.abc import Callable

import pytest

from tinyhil.link.channel import Channel, SocketChannel, TtyChannel

GATHER_S = 0.001

Made = tuple[Channel, Callable[[bytes], object]]


def over_socket() -> Made:
    ours, theirs = socket.socketpair()
    return SocketChannel(ours, gather_s=GATHER_S), theirs.send


def over_tty() -> Made:
    master, slave = pty.openpty()
    tty.setraw(slave)
    return TtyChannel(slave, gather_s=GATHER_S), lambda data: os.write(master, data)


@pytest.fixture(params=[over_socket, over_tty])
def made(request):
    channel, send = request.param()
    yield channel, send
    channel.close()


def test_the_rest_of_a_frame_comes_in_the_same_read(made, monkeypatch):
    channel, send = made
    send(b"\0star")
    monkeypatch.setattr(time, "sleep", lambda _: send(b"t and end\0"))
    assert channel.read(10) == b"\0start and end\0"


def test_a_whole_frame_is_not_waited_for(made, monkeypatch):
    channel, send = made
    send(b"\0whole\0")
    monkeypatch.setattr(time, "sleep", pytest.fail)
    assert channel.read(10) == b"\0whole\0"


def test_what_never_ends_is_given_as_it_came(made):
    channel, send = made
    send(b"text")
    assert channel.read(10) == b"text"
