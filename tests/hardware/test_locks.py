# SPDX-License-Identifier: Apache-2.0
"""One holder a board, whoever asks; what a dead one held is free at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tinyhil.errors import BoardInUse
from tinyhil.lock import BoardLock

HOLD = """
import sys, time
from tinyhil.lock import BoardLock
lock = BoardLock("board 683000001")
lock.acquire(60)
print("held", flush=True)
time.sleep(3600)
"""
CONTEND = """
import os, sys, time
from pathlib import Path
from tinyhil.lock import BoardLock
marker, served = Path(sys.argv[1]), Path(sys.argv[2])
lock = BoardLock("board 683000001")
for turn in range(2):
    lock.acquire(240)
    with open(marker, "x") as file:  # fails where another holds the board
        file.write(str(os.getpid()))
    time.sleep(0.005)
    marker.unlink()
    lock.release()
(served / str(os.getpid())).touch()
"""


def start(code: str, *arguments: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, text=True)


@pytest.fixture
def holder() -> Iterator[subprocess.Popen[str]]:
    process = start(HOLD)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_fifty_processes_contend_there_are_never_two_holders_and_all_are_served(tmp_path: Path) -> None:
    served = tmp_path / "served"
    served.mkdir()
    processes = [start(CONTEND, tmp_path / "marker", served) for _ in range(50)]
    statuses = [process.wait(timeout=280) for process in processes]
    assert statuses == [0] * 50
    assert len(list(served.iterdir())) == 50


def test_a_held_board_is_refused_with_the_name_of_its_holder(holder: subprocess.Popen[str]) -> None:
    with pytest.raises(BoardInUse, match=f"board 683000001 is in use by process {holder.pid} of user") as caught:
        BoardLock("board 683000001").acquire()
    assert "--hil-wait" in caught.value.next_step
    BoardLock("board 683000002").acquire()


def test_waiting_ends_after_its_time(holder: subprocess.Popen[str]) -> None:
    with pytest.raises(BoardInUse, match=r"and was so for 0\.3 s"):
        BoardLock("board 683000001").acquire(0.3)


def test_a_holder_that_was_killed_frees_the_board(holder: subprocess.Popen[str]) -> None:
    threading.Timer(0.5, os.kill, (holder.pid, signal.SIGKILL)).start()
    lock = BoardLock("board 683000001")
    lock.acquire(10)
    assert lock.held


def test_a_childs_child_of_a_dead_holder_does_not_keep_the_board(tmp_path: Path) -> None:
    children = 'subprocess.Popen(["sleep", "30"])\nif os.fork() == 0: time.sleep(30)\n'
    process = start("import os, subprocess\n" + HOLD.replace("print(", children + "print("))
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    process.kill()
    process.wait()
    BoardLock("board 683000001").acquire(10)


def test_two_threads_of_one_process_are_two(tmp_path: Path) -> None:
    first, second = BoardLock("board"), BoardLock("board")
    first.acquire()
    with pytest.raises(BoardInUse):
        second.acquire()
    first.release()
    second.acquire()
    first.release()  # it has none any more
    assert second.held


def test_words_that_a_dead_holder_left_are_no_lock(tmp_path: Path) -> None:
    lock = BoardLock("board")
    lock.path.write_text('{"pid": 1, "user": "nobody", "since": "1970", "command": "pytest"}')
    lock.acquire()
    assert f"process {os.getpid()} of" in lock.holder()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: acts as two users")
def test_the_lock_is_one_for_all_users(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        monkeypatch.setenv("TINYHIL_LOCKS", f"{folder}/locks")
        one_lock_for_two_users()


def one_lock_for_two_users() -> None:
    mine = BoardLock("board")
    mine.acquire()
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        said = b"error"
        try:
            os.setgid(65534)
            os.setuid(65534)
            theirs = BoardLock("board")
            try:
                theirs.acquire()
            except BoardInUse:
                os.write(writes, b"in use\n")
            theirs.acquire(20)
            said = b"served\n"
        finally:
            os.write(writes, said)
            os._exit(0)
    os.close(writes)
    with os.fdopen(reads, "rb") as heard:
        assert heard.readline() == b"in use\n"
        mine.release()
        assert heard.readline() == b"served\n"
    os.waitpid(child, 0)
    mine.acquire(5)


def test_the_folder_of_locks_is_everybodys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINYHIL_LOCKS", str(tmp_path / "new"))
    before = os.umask(0o077)
    try:
        lock = BoardLock("x")
        lock.acquire()
    finally:
        os.umask(before)
    assert lock.path.stat().st_mode & 0o777 == 0o666
    assert lock.path.parent.stat().st_mode & 0o7777 == 0o1777
