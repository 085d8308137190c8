# SPDX-License-Identifier: Apache-2.0
"""Help is quick and complete, and wrong usage is status 2."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tinyhil.cli import COMMANDS


def test_help_lists_every_command(tinyhil):
    done = tinyhil("--help")
    assert done.returncode == 0
    for name, entry in COMMANDS.items():
        assert f"{name} " in done.stdout
        assert entry.help.split(",")[0] in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(tinyhil, name):
    done = tinyhil(name, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"Usage: tinyhil {name}")


def test_help_imports_no_subcommand():
    code = (
        "import sys; from tinyhil.cli import cli; cli(['--help'], standalone_mode=False);"
        "print([m for m in sys.modules if m.startswith(('numpy', 'yaml', 'rich', 'tinyhil.cli.'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "['tinyhil.cli.options']"


def test_version(tinyhil):
    from tinyhil import __version__

    assert tinyhil("--version").stdout == f"tinyhil, version {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["rnu"], "Did you mean 'run'?"),
        (["zzz"], "There are: run, diagnose, matrix"),
        (["run"], "Missing argument 'MODEL'"),
        (["run", "absent.tflite", "--board", "native"], "File 'absent.tflite' does not exist"),
        (["run", __file__], "Missing option '--board'"),
        (["run", __file__, "--board", "native", "--vectors", "0"], "0 is not in the range x>=1"),
        (["run", __file__, "--board", "native", "--golden", __file__, "--input", __file__], "exclude each other"),
        (["matrix", "--require", "orcale"], "there is only cmsis_nn, oracle"),
        (["matrix", "--engines", "tflm,tflmm"], "--engines: tflmm: there is only builtin, tflm"),
        (["run", __file__, "--board", "native", "--kernels", "cmsis"], "'cmsis' is not one of 'reference', 'cmsis_nn'"),
        (["matrix", "--models", "."], "no .tflite file under"),
    ],
)
def test_wrong_usage_is_status_2_and_named(tinyhil, arguments, words):
    done = tinyhil(*arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_wrong_usage_is_json_where_json_is_asked_for(tinyhil):
    done = tinyhil("run", "absent.tflite", "--board", "native", "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["exit_status"] == 2
