# SPDX-License-Identifier: Apache-2.0
"""scripts/setup.sh installs what is missing, nothing twice, and where it may not install it says exactly what it lacks.

It runs here in a folder of its own, on a PATH of fakes: apt-get "installs" a fake tool, python3 "makes" a fake venv.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MISSING = 22
REAL_TOOLS = (
    "bash",
    "cat",
    "chmod",
    "cp",
    "dirname",
    "env",
    "flock",
    "grep",
    "head",
    "mkdir",
    "mktemp",
    "mv",
    "rm",
    "sha256sum",
    "touch",
)
ALL_PACKAGES = [
    "gcc-arm-none-eabi",
    "libnewlib-arm-none-eabi",
    "libstdc++-arm-none-eabi-newlib",
    "qemu-system-arm",
    "g++",
]
FAKES = {
    "arm-none-eabi-g++": "",
    "arm-none-eabi-gcc": 'for lib in libc.a libstdc++.a; do [ "$1" = "-print-file-name=$lib" ] || continue\n'
    '[ -e "$STATE/no-$lib" ] && echo $lib || echo /lib/$lib; done',
    "qemu-system-arm": "",
    "g++": "",
    "chromedriver": "",
    "cmake": "",
    "ninja": "",
    "dtc": "",
    "id": "echo ${FAKE_UID:-0}",
    "apt-get": """
echo "apt-get $*" >>"$LOG"
if [ "$1" = update ]; then touch "$STATE/updated"; exit 0; fi
if [ -e "$STATE/no-lists" ] && [ ! -e "$STATE/updated" ]; then exit 100; fi
if [ -e "$STATE/apt-broken" ]; then echo "E: held broken packages" >&2; exit 100; fi
for package in "$@"; do
  case $package in
    gcc-arm-none-eabi) cp "$STATE"/spare/arm-none-eabi-* "$BIN";;
    qemu-system-arm|g++) cp "$STATE/spare/$package" "$BIN";;
    libnewlib-arm-none-eabi) rm -f "$STATE/no-libc.a";;
    libstdc++-arm-none-eabi-newlib) rm -f "$STATE/no-libstdc++.a";;
    python3-venv) rm -f "$STATE/no-venv";;
  esac
done""",
    "python3": """
echo "python $*" >>"$LOG"
case "$1 $2" in
  "-c import sys; sys.exit"*) [ ! -e "$STATE/old-python" ];;
  "-c import ensurepip, venv") [ ! -e "$STATE/no-venv" ];;
  "-c import sys; print"*) echo "/usr (3, 11)";;
  "-m venv") mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; echo "#!$3/bin/python" >"$3/bin/pip";;
  "-m pip") if [ -e "$STATE/pip-killed" ]; then kill -9 $PPID; fi; [ ! -e "$STATE/pip-fails" ];;
  "--version "*) echo "Python 3.11.7";;
esac""",
}


@dataclass
class Sandbox:
    folder: Path

    @property
    def clone(self) -> Path:
        return self.folder / "clone"

    @property
    def bin(self) -> Path:
        return self.folder / "bin"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def log(self) -> list[str]:
        path = self.folder / "log"
        return path.read_text().splitlines() if path.exists() else []

    def pip_runs(self) -> list[str]:
        return [line for line in self.log if line.startswith("python -m pip install")]

    def venvs_made(self) -> int:
        return sum(line.startswith("python -m venv") for line in self.log)

    def apt_runs(self) -> list[str]:
        return [line for line in self.log if line.startswith("apt-get")]

    def set(self, flag: str) -> None:
        (self.state / flag).touch()

    def clear(self, flag: str) -> None:
        (self.state / flag).unlink()

    def remove(self, tool: str) -> None:
        (self.bin / tool).unlink()

    def fake(self, name: str, body: str) -> None:
        path = self.bin / name
        path.write_text(f"#!/bin/bash\n{body}\n")
        path.chmod(0o755)

    def command(self, profile: str) -> list[str]:
        return [str(self.clone / "scripts" / "setup.sh"), profile]

    def environment(self, **more: str) -> dict[str, str]:
        variables = {"LOG": self.folder / "log", "STATE": self.state, "BIN": self.bin, "PATH": self.bin}
        return {**{name: str(value) for name, value in variables.items()}, **more}

    def run(self, profile: str = "run", **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(profile),
            env=self.environment(**environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def sandbox(tmp_path):
    box = Sandbox(tmp_path)
    for folder in (box.clone / "scripts", box.bin, box.state / "spare"):
        folder.mkdir(parents=True)
    shutil.copy(ROOT / "scripts" / "setup.sh", box.clone / "scripts")
    shutil.copy(ROOT / "pyproject.toml", box.clone)
    for tool in REAL_TOOLS:
        (box.bin / tool).symlink_to(shutil.which(tool))
    for name, body in FAKES.items():
        box.fake(name, body)
        shutil.copy(box.bin / name, box.state / "spare")
    return box


def test_with_all_packages_there_it_makes_the_environment_and_asks_apt_for_nothing(sandbox):
    assert sandbox.run("test").returncode == 0
    assert sandbox.apt_runs() == []
    (pip,) = sandbox.pip_runs()
    assert pip.endswith(f"--editable {sandbox.clone}[oracle,models,robot,zephyr,test]")


def test_a_second_run_does_nothing_and_starts_no_python(sandbox):
    sandbox.run()
    before = sandbox.log
    again = sandbox.run()
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert sandbox.log == before


def test_what_is_missing_is_installed_and_nothing_else(sandbox):
    sandbox.remove("qemu-system-arm")
    sandbox.set("no-libc.a")
    assert sandbox.run().returncode == 0
    (apt,) = sandbox.apt_runs()
    assert apt.startswith("apt-get install -y --no-install-recommends libnewlib-arm-none-eabi qemu-system-arm -qq")


def test_on_a_bare_machine_everything_is_installed(sandbox):
    for tool in ("arm-none-eabi-gcc", "arm-none-eabi-g++", "qemu-system-arm", "g++"):
        sandbox.remove(tool)
    sandbox.set("no-venv")
    assert sandbox.run().returncode == 0
    (apt,) = sandbox.apt_runs()
    assert [word for word in apt.split() if word in [*ALL_PACKAGES, "python3-venv"]] == [*ALL_PACKAGES, "python3-venv"]


def test_package_lists_that_are_absent_are_fetched(sandbox):
    sandbox.remove("g++")
    sandbox.set("no-lists")
    assert sandbox.run().returncode == 0
    assert [line.split()[1] for line in sandbox.apt_runs()] == ["install", "update", "install"]


def test_an_apt_that_fails_is_shown_with_the_command_to_try(sandbox):
    sandbox.remove("g++")
    sandbox.set("apt-broken")
    failed = sandbox.run()
    assert failed.returncode == MISSING
    assert "held broken packages" in failed.stderr
    assert "apt-get install -y --no-install-recommends g++" in failed.stderr
    assert sandbox.pip_runs() == []


def test_a_user_who_is_not_root_goes_through_sudo(sandbox):
    sandbox.remove("g++")
    sandbox.fake("sudo", 'echo "sudo $*" >>"$LOG"; [ "$1" = -n ] && shift; "$@"')
    sandbox.fake("true", "")
    assert sandbox.run(FAKE_UID="1000").returncode == 0
    assert any(line.startswith("sudo env DEBIAN_FRONTEND=noninteractive apt-get install") for line in sandbox.log)


@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        (lambda box: None, "this user is not root and there is no sudo"),
        (lambda box: box.fake("sudo", "exit 1"), "sudo wants a password and there is nobody to ask"),
        (lambda box: box.remove("apt-get"), "this machine has no apt-get"),
    ],
)
def test_where_it_may_not_install_it_names_each_package_and_stops(sandbox, prepare, reason):
    sandbox.remove("qemu-system-arm")
    sandbox.set("no-libstdc++.a")
    prepare(sandbox)
    stopped = sandbox.run(FAKE_UID="1000")
    assert stopped.returncode == MISSING
    assert reason in stopped.stderr
    for package in ("libstdc++-arm-none-eabi-newlib", "qemu-system-arm"):
        assert package in stopped.stderr
    assert "gcc-arm-none-eabi" not in stopped.stderr
    assert sandbox.pip_runs() == []
    if (sandbox.bin / "apt-get").exists():
        assert "sudo apt-get install libstdc++-arm-none-eabi-newlib qemu-system-arm" in stopped.stderr


def test_a_tool_that_disappears_later_is_installed_again_without_touching_the_environment(sandbox):
    sandbox.run()
    sandbox.remove("qemu-system-arm")
    assert sandbox.run().returncode == 0
    assert len(sandbox.apt_runs()) == 1
    assert len(sandbox.pip_runs()) == 1


def test_a_changed_pyproject_installs_the_packages_again_in_the_same_environment(sandbox):
    sandbox.run()
    with (sandbox.clone / "pyproject.toml").open("a") as file:
        file.write("\n# changed\n")
    assert sandbox.run().returncode == 0
    assert (len(sandbox.pip_runs()), sandbox.venvs_made()) == (2, 1)


def test_another_target_adds_its_packages_to_the_same_environment(sandbox):
    sandbox.run("run")
    assert sandbox.run("test").returncode == 0
    assert (len(sandbox.pip_runs()), sandbox.venvs_made()) == (2, 1)


@pytest.mark.parametrize("how", ["pip-fails", "pip-killed"])
def test_an_interrupted_set_up_is_finished_by_the_next_from_a_fresh_environment(sandbox, how):
    sandbox.set(how)
    assert sandbox.run().returncode != 0
    sandbox.clear(how)
    assert sandbox.run().returncode == 0
    assert sandbox.venvs_made() == 2
    before = sandbox.log
    assert sandbox.run().returncode == 0
    assert sandbox.log == before


def test_a_clone_that_was_moved_gets_a_new_environment(sandbox):
    sandbox.run()
    moved = sandbox.folder / "moved"
    sandbox.clone.rename(moved)
    done = subprocess.run(
        [str(moved / "scripts" / "setup.sh"), "run"], env=sandbox.environment(), check=False, timeout=60
    )
    assert done.returncode == 0
    assert sandbox.venvs_made() == 2


def test_a_broken_environment_is_made_again(sandbox):
    sandbox.run()
    (sandbox.clone / ".venv" / "bin" / "python").unlink()
    assert sandbox.run().returncode == 0
    assert sandbox.venvs_made() == 2


def test_tinyhil_python_chooses_the_interpreter(sandbox):
    (sandbox.bin / "python3").rename(sandbox.bin / "python3.12")
    sandbox.fake("python3", "exit 1")
    assert sandbox.run(TINYHIL_PYTHON="python3.12").returncode == 0
    assert sandbox.venvs_made() == 1


@pytest.mark.parametrize(
    ("environment", "flag", "words"),
    [
        ({"TINYHIL_PYTHON": "python9"}, "", "TINYHIL_PYTHON is python9, and there is no such program"),
        ({"TINYHIL_PYTHON": "python3"}, "old-python", "needs Python 3.10 or newer"),
        ({}, "old-python", "needs Python 3.10 or newer"),
    ],
)
def test_a_python_that_will_not_do_is_named(sandbox, environment, flag, words):
    if flag:
        sandbox.set(flag)
    stopped = sandbox.run(**environment)
    assert stopped.returncode == MISSING
    assert words in stopped.stderr


def test_a_newer_python_beside_an_old_one_is_found(sandbox):
    (sandbox.bin / "python3").rename(sandbox.bin / "python3.13")
    sandbox.fake("python3", "exit 1")
    assert sandbox.run().returncode == 0


def test_two_set_ups_at_once_make_one_environment(sandbox):
    both = [
        subprocess.Popen(sandbox.command("run"), env=sandbox.environment(), stderr=subprocess.DEVNULL) for _ in range(2)
    ]
    assert [process.wait(timeout=60) for process in both] == [0, 0]
    assert (len(sandbox.pip_runs()), sandbox.venvs_made()) == (1, 1)


def test_lint_needs_clang_format_and_the_others_do_not(sandbox):
    stopped = sandbox.run("lint", FAKE_UID="1000")
    assert stopped.returncode == MISSING
    assert "clang-format" in stopped.stderr


def test_the_models_need_the_voices_that_they_learn_from_and_the_others_do_not(sandbox):
    stopped = sandbox.run("models", FAKE_UID="1000")
    assert stopped.returncode == MISSING
    assert "espeak-ng" in stopped.stderr
    sandbox.fake("espeak-ng", "")
    assert sandbox.run("models").returncode == 0
    assert sandbox.pip_runs()[-1].endswith(f"--editable {sandbox.clone}[oracle,models]")


@pytest.mark.parametrize("arguments", [[], ["everything"]])
def test_an_unknown_profile_is_wrong_usage(sandbox, arguments):
    done = subprocess.run(
        [str(sandbox.clone / "scripts" / "setup.sh"), *arguments],
        env=sandbox.environment(),
        stderr=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 2


def test_continuous_integration_runs_exactly_make_test(tmp_path):
    (tmp_path / "make").write_text('#!/bin/bash\necho "make $* in $PWD"\n')
    (tmp_path / "make").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", str(ROOT / ".ci" / "run")], env=environment, capture_output=True, text=True, cwd="/", check=True
    )
    assert done.stdout == f"make test in {ROOT}\n"
