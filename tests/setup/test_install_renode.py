# SPDX-License-Identifier: Apache-2.0
"""scripts/install_renode.sh installs what has the wanted checksum, once, and otherwise leaves everything as it was.

The archives come from a server of the test's own, on the loopback interface.
"""

from __future__ import annotations

import hashlib
import io
import os
import signal
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tinyhil.target.renode import find_renode

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "install_renode.sh"
MISSING = 22


def portable(says: str, program: str = "renode") -> bytes:
    """An archive with one folder in it, as Renode's portable builds are, and a program that says which it is."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in ((program, f"#!/bin/sh\necho {says}\n"), ("platforms/a.repl", "")):
            entry = tarfile.TarInfo(f"renode_portable/{name}")
            entry.mode, entry.size = 0o755, len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


@dataclass
class Site:
    """What the server serves, by path. stops_after: it falls silent after so many bytes; cuts: and hangs up."""

    port: int
    files: dict[str, bytes] = field(default_factory=dict)
    stops_after: int | None = None
    cuts: bool = False
    asked: list[str] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/{name}"


@pytest.fixture
def site() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(self.path)
            data = found.files.get(self.path[1:])
            if data is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: found.stops_after])
            self.wfile.flush()
            if found.stops_after is not None:
                found.stopped.set()
                if not found.cuts:
                    found.over.wait(60)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Site(server.server_address[1])
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield found
    found.over.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """With a cache of its own, and without the computer's Renode and proxies."""
    for name in [name for name in os.environ if name.startswith("TINYHIL_RENODE") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("RENODE", raising=False)
    monkeypatch.setenv("TINYHIL_CACHE", str(tmp_path / "cache"))
    return dict(os.environ)


def run(environment: dict[str, str], *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", str(SCRIPT), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**environment, **more},
        timeout=60,
    )


def wanted(site: Site, name: str, data: bytes) -> dict[str, str]:
    """The variables that name an archive with this content."""
    return {"TINYHIL_RENODE_URL": site.url(name), "TINYHIL_RENODE_SHA256": hashlib.sha256(data).hexdigest()}


def everything(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_what_is_installed_runs_and_is_found_and_is_not_fetched_again(site, environment, tmp_path, monkeypatch):
    data = site.files["a.tar.gz"] = portable("one")
    done = run(environment, **wanted(site, "a.tar.gz", data))
    program = tmp_path / "cache" / "renode" / "renode"
    assert (done.returncode, done.stdout) == (0, f"{program}\n"), done.stderr
    assert subprocess.run([program], capture_output=True, text=True, check=True).stdout == "one\n"
    assert everything(tmp_path / "cache") == [
        "renode",
        "renode/.tinyhil-sha256",
        "renode/platforms",
        "renode/platforms/a.repl",
        "renode/renode",
    ]
    monkeypatch.setenv("PATH", "/nowhere")
    assert find_renode() == program
    monkeypatch.undo()

    before = program.stat()
    again = run(environment, **wanted(site, "a.tar.gz", data))
    assert (again.returncode, again.stdout, again.stderr) == (0, f"{program}\n", "")
    assert program.stat() == before
    assert site.asked == ["/a.tar.gz"]


def test_another_archive_takes_the_place_of_the_one_that_is_there(site, environment, tmp_path):
    for name in ("one", "other"):
        data = site.files[name] = portable(name)
        assert run(environment, **wanted(site, name, data)).returncode == 0
    program = tmp_path / "cache" / "renode" / "renode"
    assert subprocess.run([program], capture_output=True, text=True, check=True).stdout == "other\n"


def test_the_command_line_installs_it_too(site, environment, tmp_path):
    data = site.files["a.tar.gz"] = portable("one")
    command = [sys.executable, "-m", "tinyhil", "install-renode"]
    variables = {**environment, **wanted(site, "a.tar.gz", data)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=variables, timeout=60)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "cache" / "renode" / "renode").exists()


def test_a_file_that_was_brought_here_is_installed_without_a_network(site, environment, tmp_path):
    data = portable("one")
    archive = tmp_path / "brought.tar.gz"
    archive.write_bytes(data)
    done = run(environment, str(archive), TINYHIL_RENODE_SHA256=hashlib.sha256(data).hexdigest())
    assert done.returncode == 0, done.stderr
    assert site.asked == []


@pytest.mark.parametrize(
    ("served", "of", "words"),
    [
        (portable("one"), portable("other"), "and {sha256} is wanted. Nothing was installed."),
        (None, b"", "it could not be fetched"),
        (b"no archive", b"no archive", "cannot be unpacked. Nothing was installed."),
        (portable("one", "elsewhere"), portable("one", "elsewhere"), "no program named renode. Nothing was installed."),
    ],
    ids=["another checksum", "not there", "no archive", "no program"],
)
def test_what_will_not_do_is_refused_and_changes_nothing(site, environment, tmp_path, served, of, words):
    first = site.files["first"] = portable("first")
    assert run(environment, **wanted(site, "first", first)).returncode == 0
    before = everything(tmp_path / "cache")
    if served is not None:
        site.files["a.tar.gz"] = served
    variables = wanted(site, "a.tar.gz", of)
    done = run(environment, **variables)
    assert done.returncode == MISSING
    assert words.format(sha256=variables["TINYHIL_RENODE_SHA256"]) in done.stderr
    assert everything(tmp_path / "cache") == before


def test_a_download_that_breaks_off_leaves_nothing_behind(site, environment, tmp_path):
    data = site.files["a.tar.gz"] = portable("one")
    site.stops_after, site.cuts = len(data) // 2, True
    done = run(environment, **wanted(site, "a.tar.gz", data))
    assert done.returncode == MISSING
    assert "bytes too early" in done.stderr
    assert everything(tmp_path / "cache") == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_download_that_is_interrupted_leaves_nothing_behind(site, environment, tmp_path, number):
    data = site.files["a.tar.gz"] = portable("one")
    site.stops_after = len(data) // 2
    variables = {**environment, **wanted(site, "a.tar.gz", data)}
    # As a terminal does it: the signal goes to the script and to all that it has begun.
    with subprocess.Popen(
        ["bash", str(SCRIPT)],
        env=variables,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # noqa: PLW1509: a shell's background jobs ignore some
    ) as running:
        assert site.stopped.wait(60)
        os.killpg(running.pid, number)
        assert running.wait(60) != 0
    assert everything(tmp_path / "cache") == []


@pytest.mark.parametrize("name", ["TINYHIL_RENODE_URL", "TINYHIL_RENODE_SHA256"])
def test_an_address_without_a_checksum_and_the_other_way_round_are_refused(site, environment, name):
    done = run(environment, **{name: wanted(site, "a.tar.gz", b"")[name]})
    assert done.returncode == MISSING
    assert "TINYHIL_RENODE_SHA256" in done.stderr
    assert site.asked == []
