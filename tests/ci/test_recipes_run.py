# SPDX-License-Identifier: Apache-2.0
"""The recipes run, step by step, in a repository that `tinyhil init` made: what they show, keep, refuse and publish."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ci.services import GitHub, GitLab, Tools, check_out, shell
from tinyhil.golden import load
from tinyhil.history import History, read_matrix

pytestmark = pytest.mark.needs("git", "arm-gcc", "qemu", "oracle")

TINYHIL = Path(sys.executable).with_name("tinyhil")


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@localhost"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, timeout=60)


def commit(folder: Path, branch: str, **files: str) -> None:
    """The files on a branch; names have _ for their dot."""
    git(
        folder,
        "checkout",
        "--quiet",
        *([] if (folder / ".git" / "refs" / "heads" / branch).exists() else ["-b"]),
        branch,
    )
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "--quiet", "-m", branch)


@pytest.fixture
def repository(tmp_path: Path) -> Callable[..., Path]:
    """Makes a user's repository with tinyhil in it, on its branch main."""

    def make(*arguments: str) -> Path:
        folder = tmp_path / "mine"
        folder.mkdir()
        git(folder, "init", "--quiet", "--initial-branch", "main")
        subprocess.run([TINYHIL, "init", *arguments], cwd=folder, check=True, capture_output=True, timeout=60)
        golden = folder / "models" / "digits.golden.npz"
        load(golden).subset(list(range(8))).save(golden)
        git(folder, "add", "-A")
        git(folder, "commit", "--quiet", "-m", "tinyhil")
        return folder

    return make


def make_faster(history: Path) -> None:
    """The baseline's instructions, 2 % fewer than they were: what runs next is slower."""
    lines = history.with_name("lines.jsonl")
    subprocess.run([TINYHIL, "history", "export", "--history", history, "-o", lines], check=True, capture_output=True)
    rows = [json.loads(line) for line in lines.read_text().splitlines()]
    for row in rows:
        record = row["record"]
        record["figures"]["inference"]["value"] = record["figures"]["inference"]["value"] * 98 // 100
        for operator in record["operators"]:
            operator["units"] = operator["units"] * 98 // 100
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows))
    history.unlink()
    subprocess.run([TINYHIL, "history", "import", lines, "--history", history], check=True, capture_output=True)
    lines.unlink()


def test_github_on_a_push(repository, tmp_path):
    mine = repository()
    github = GitHub(mine, tmp_path / "github")

    main = github.run("tinyhil.yml", "main", target="qemu")
    (job,) = main.jobs
    assert job.ok, job.log
    assert "Gate against the main branch" not in job.ran
    assert "digits" in job.summary
    (record,) = read_matrix(main.artifact("tinyhil-qemu") / "matrix.json")
    assert record.verdict == "pass"
    assert (main.artifact("tinyhil-qemu") / "matrix.xml").exists()
    (saved,) = github.cache("tinyhil-history-qemu-")
    with History(saved / "history.sqlite") as history:
        assert history.branches() == ["main"]

    commit(mine, "same", README_md="nothing that counts")
    (job,) = github.run("tinyhil.yml", "same", target="qemu").jobs
    assert job.ok, job.log
    assert "gate against main: 1 same" in job.ran["Gate against the main branch"]
    assert github.cache("tinyhil-history-qemu-") == [saved], "another branch is no baseline"

    make_faster(saved / "history.sqlite")
    slower = github.run("tinyhil.yml", "same", target="qemu")
    (job,) = slower.jobs
    assert not job.ok
    assert "CONV_2D" in job.ran["Gate against the main branch"]
    assert "digits" in job.summary
    assert (slower.artifact("tinyhil-qemu") / "matrix.json").exists()

    calls = github.tools.calls.read_text()
    assert "sudo apt-get install" in calls
    assert "pip install tinyhil[oracle]" in calls


@pytest.mark.needs("renode")
def test_github_on_a_push_with_renode(repository, tmp_path):
    github = GitHub(repository("--boards", "nrf52840dk"), tmp_path / "github")
    run = github.run("tinyhil.yml", "main", target="renode")
    (job,) = run.jobs
    assert job.ok, job.log
    assert "tinyhil install-renode" in github.tools.calls.read_text()
    (record,) = read_matrix(run.artifact("tinyhil-renode") / "matrix.json")
    assert (record.cell.board, record.cell.target, record.verdict) == ("nrf52840dk", "renode", "pass")


def test_github_at_night(repository, tmp_path):
    mine = repository("--boards", "mps2_an386,mps2_an385,mps2_an500")
    github = GitHub(mine, tmp_path / "github")

    first = github.run("tinyhil-nightly.yml", "main", target="qemu")
    assert [job.ok for job in first.jobs] == [True, True, True], first.jobs[-1].log
    assert {record.cell.board for record in read_matrix(first.artifact("tinyhil-nightly") / "out" / "matrix.json")} == {
        *("mps2_an385", "mps2_an386", "mps2_an500")
    }
    assert "digits" in (first.page / "index.html").read_text()
    assert "digits" in first.jobs[-1].summary
    assert len(github.cache("tinyhil-nightly-")) == 1

    second = github.run("tinyhil-nightly.yml", "main", target="qemu")
    assert second.jobs[-1].ok, second.jobs[-1].log
    assert "gate against main: 3 same" in second.jobs[-1].ran["Is it worse than last night?"]
    assert len(github.cache("tinyhil-nightly-")) == 2

    budget = "budgets: [{model: digits, board: mps2_an500, instructions: 1000}]\n"
    commit(mine, "main", budgets_yaml=budget)
    third = github.run("tinyhil-nightly.yml", "main", target="qemu")
    assert not third.jobs[-1].ok
    assert "The verdict" in third.jobs[-1].ran
    assert "1,000" in (third.page / "index.html").read_text(), "the page is published, and says what is wrong"


def test_github_at_night_with_fewer_cells_than_shards(repository, tmp_path):
    github = GitHub(repository(), tmp_path / "github")
    night = github.run("tinyhil-nightly.yml", "main", target="qemu")
    assert night.jobs[-1].ok, night.jobs[-1].log
    assert len(read_matrix(night.artifact("tinyhil-nightly") / "out" / "matrix.json")) == 1


def test_gitlab(repository, tmp_path):
    mine = repository("--ci", "gitlab")
    gitlab = GitLab(mine, tmp_path / "gitlab", "tinyhil.gitlab-ci.yml")
    status, log, artifacts = gitlab.run("tinyhil-qemu", "main")
    assert status == 0, log
    assert read_matrix(artifacts / "out" / "matrix.json")[0].verdict == "pass"
    assert "testsuite" in (artifacts / "out" / "matrix.xml").read_text()

    for said in ("no cell could be compared with main", "gate against main: 1 same"):
        status, log, artifacts = gitlab.run("pages", "main")
        assert status == 0, log
        assert said in log
        assert "digits" in (artifacts / "public" / "index.html").read_text()

    commit(mine, "main", budgets_yaml="budgets: [{model: digits, instructions: 1000}]\n")
    status, log, artifacts = gitlab.run("pages", "main")
    assert status != 0
    assert "1,000" in (artifacts / "public" / "index.html").read_text()


def test_jenkins(repository, tmp_path):
    mine = repository("--ci", "jenkins")
    steps = re.findall(r"^ *sh '(.+)'$", (mine / "Jenkinsfile").read_text(), re.MULTILINE)
    assert len(steps) == 2
    tools = Tools(tmp_path / "tools")
    workspace = tmp_path / "workspace"
    check_out(mine, "main", workspace)
    matrix, gate = steps
    for branch, script in [("main", matrix), ("feature", matrix), ("feature", gate)]:
        status, log = shell(script, workspace, tools.environment(BRANCH_NAME=branch, JENKINS_URL="http://localhost"))
        assert status == 0, log
    assert "gate against main: 1 same" in log
    assert (workspace / "out" / "matrix.xml").exists()
