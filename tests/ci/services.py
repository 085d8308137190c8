# SPDX-License-Identifier: Apache-2.0
"""Runs recipes here as their services would: each step in the shell it gets there, in a fresh checkout.

What the services bring themselves (checkout, caches, artifacts, pages) is done with folders; installing is left out, as
all that is installed is here. Only what the recipes use is known; anything else is an error.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tinyhil import assets

_STUB = '#!/bin/sh\necho "$(basename "$0") $*" >> "$TOOL_CALLS"\n'
_TINYHIL = _STUB + '[ "$1" = install-renode ] || exec {tinyhil} "$@"\n'
_PYTHON = _STUB + 'if [ "$2" = venv ]; then mkdir -p "$3/bin"; : > "$3/bin/activate"; else exec {python} "$@"; fi\n'


class Tools:
    """A folder for PATH in which installing does nothing, and tinyhil is the one under test."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self.calls = folder / "calls"
        self.calls.touch()
        tinyhil = _TINYHIL.format(tinyhil=Path(sys.executable).with_name("tinyhil"))
        scripts = {"tinyhil": tinyhil, "python3": _PYTHON.format(python=sys.executable)}
        for name in ("sudo", "apt-get", "pip"):
            scripts[name] = _STUB
        for name, text in scripts.items():
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)

    def environment(self, **more: str) -> dict[str, str]:
        unwanted = re.compile("CI|CI_|GITHUB_|GITLAB_|TINYHIL_(?!CACHE|FIRMWARE)")
        kept = {name: value for name, value in os.environ.items() if not unwanted.match(name)}
        return {**kept, "PATH": f"{self._folder}:{kept['PATH']}", "TOOL_CALLS": str(self.calls), "CI": "true", **more}


def shell(script: str, folder: Path, environment: Mapping[str, str], *, pipefail: bool = False) -> tuple[int, str]:
    """The status and all output of a script in bash, ended by the first command that fails."""
    command = ["bash", "-e", *(["-o", "pipefail"] if pipefail else []), "-c", script]
    done = subprocess.run(
        command,
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    return done.returncode, done.stdout


def check_out(repository: Path, branch: str, folder: Path) -> None:
    git = ["git", "clone", "--quiet", "--branch", branch, str(repository), str(folder)]
    subprocess.run(git, check=True, capture_output=True, timeout=60)


@dataclass
class Job:
    """What became of a job. ran: the steps that ran, by name or first line, with their output."""

    name: str
    ok: bool = True
    ran: dict[str, str] = field(default_factory=dict)
    summary: str = ""

    @property
    def log(self) -> str:
        return "\n".join(f"--- {name}\n{output}" for name, output in self.ran.items())


class GitHub:
    """Workflows of a repository; caches last from run to run."""

    def __init__(self, repository: Path, folder: Path) -> None:
        self._repository = repository
        self._folder = folder
        self._caches = folder / "caches"
        self._caches.mkdir(parents=True)
        self.tools = Tools(folder / "tools")
        self._runs = itertools.count(1)

    def run(self, name: str, branch: str, **only: str) -> Run:
        """Runs a workflow's jobs in the order of their needs. only: values of the matrix to run, and no others."""
        path = self._repository / ".github" / "workflows" / name
        workflow = yaml.safe_load(path.read_text())
        number = next(self._runs)
        run = Run(self, number, branch, self._folder / f"run{number}", self._repository)
        for key, job in workflow["jobs"].items():
            for matrix in _combinations(job.get("strategy", {}).get("matrix", {}), only):
                run.jobs.append(_Job(run, key, job, matrix, workflow.get("env", {})).run())
        return run

    def restore(self, key: str, prefixes: list[str], target: Path) -> bool:
        """The cache of that key, or the newest with one of these prefixes."""
        saved = sorted(self._caches.iterdir(), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        found = [path for path in saved if path.name == key]
        found += [path for prefix in prefixes for path in saved if path.name.startswith(prefix)]
        if found:
            shutil.copytree(found[0], target, dirs_exist_ok=True)
        return bool(found) and found[0].name == key

    def save(self, key: str, source: Path) -> None:
        if source.exists() and not (self._caches / key).exists():
            shutil.copytree(source, self._caches / key)

    def cache(self, prefix: str) -> list[Path]:
        return sorted(path for path in self._caches.iterdir() if path.name.startswith(prefix))


@dataclass
class Run:
    """One run of a workflow: its jobs, artifacts and published page."""

    service: GitHub
    number: int
    branch: str
    folder: Path
    repository: Path
    jobs: list[Job] = field(default_factory=list)

    def artifact(self, name: str) -> Path:
        return self.folder / "artifacts" / name

    @property
    def page(self) -> Path:
        return self.folder / "page"


class _Job:
    def __init__(self, run: Run, name: str, job: dict[str, Any], matrix: dict[str, str], env: dict[str, str]) -> None:
        self._run = run
        self._job = job
        self._steps: dict[str, dict[str, str]] = {}
        self._matrix = matrix
        self._result = Job(" ".join([name, *matrix.values()]))
        self._home = run.folder / re.sub(r"\W+", "-", self._result.name)
        self._workspace = self._home / "work"
        self._workspace.mkdir(parents=True)
        self._env = {**env, **job.get("env", {})}

    def run(self) -> Job:
        after = []
        for step in self._job["steps"]:
            condition = str(step.get("if", "success()"))
            if "always()" not in condition:
                condition = f"success() && ({condition})"
            if not self._evaluate(condition):
                continue
            if "run" in step:
                name, (status, output) = step.get("name") or step["run"].splitlines()[0], self._shell(step)
            else:
                name, (status, output) = step["uses"], self._action(step)
                if step["uses"] == "actions/cache@v4":
                    after.append(step)
            self._result.ran[name] = output
            self._result.ok = self._result.ok and status == 0
        for step in after if self._result.ok else []:
            inputs = self._inputs(step)
            self._run.service.save(inputs["key"], self._path(inputs["path"]))
        return self._result

    def _shell(self, step: dict[str, Any]) -> tuple[int, str]:
        files = {name: self._home / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        for path in files.values():
            path.write_text("")
        environment = self._run.service.tools.environment(
            GITHUB_ACTIONS="true",
            GITHUB_REF_NAME=self._run.branch,
            GITHUB_SHA=_head(self._workspace),
            **{name: str(path) for name, path in files.items()},
            **{name: self._expand(str(value)) for name, value in self._env.items()},
        )
        answer = shell(self._expand(step["run"]), self._workspace, environment)
        self._result.summary += files["GITHUB_STEP_SUMMARY"].read_text()
        lines = files["GITHUB_OUTPUT"].read_text().splitlines()
        self._steps[step.get("id", "")] = dict(line.split("=", 1) for line in lines)
        return answer

    def _action(self, step: dict[str, Any]) -> tuple[int, str]:
        inputs, service = self._inputs(step), self._run.service
        match step["uses"].split("@")[0]:
            case "actions/checkout":
                check_out(self._run.repository, self._run.branch, self._workspace)
            case "actions/setup-python":
                pass
            case "actions/cache" | "actions/cache/restore":
                prefixes = inputs.get("restore-keys", "").split()
                service.restore(inputs["key"], prefixes, self._path(inputs["path"]))
            case "actions/cache/save":
                service.save(inputs["key"], self._path(inputs["path"]))
            case "actions/upload-artifact":
                paths = [self._path(line) for line in inputs["path"].split()]
                for path in filter(Path.exists, paths):
                    inner = path.name if len(paths) > 1 else ""
                    shutil.copytree(path, self._run.artifact(inputs["name"]) / inner, dirs_exist_ok=True)
            case "actions/download-artifact":
                assert inputs["merge-multiple"] == "True"
                for path in self._run.artifact("").glob(inputs["pattern"]):
                    shutil.copytree(path, self._path(inputs["path"]), dirs_exist_ok=True)
            case "actions/upload-pages-artifact":
                shutil.copytree(self._path(inputs["path"]), self._run.artifact("github-pages"))
            case "actions/deploy-pages":
                shutil.copytree(self._run.artifact("github-pages"), self._run.page)
            case other:
                raise AssertionError(f"{other}: not an action that is known here")
        return 0, ""

    def _inputs(self, step: dict[str, Any]) -> dict[str, str]:
        return {name: self._expand(str(value)) for name, value in step.get("with", {}).items()}

    def _path(self, text: str) -> Path:
        return self._home / text[2:] if text.startswith("~/") else self._workspace / text

    def _expand(self, text: str) -> str:
        return re.sub(r"\$\{\{(.*?)\}\}", lambda found: str(self._evaluate(found[1])), text)

    def _evaluate(self, expression: str) -> Any:
        """An expression of a workflow, as Python: names looked up, operators replaced."""
        words = {"&&": " and ", "||": " or ", "!": " not "}
        names: dict[str, Any] = {
            "always": lambda: True,
            "success": lambda: self._result.ok,
            "hashFiles": lambda pattern: "1" if any(self._workspace.glob(pattern)) else "",
        }
        values: list[Any] = []

        def python(found: re.Match[str]) -> str:
            text = found[0]
            if text.startswith("'") or text in ("!=", "=="):
                return text
            if text in words:
                return words[text]
            values.append(self._look_up(text))
            return f"values[{len(values) - 1}]"

        code = re.sub(r"'[^']*'|!=|==|&&|\|\||!|[a-z_]+(?:\.[A-Za-z_-]+)+", python, expression).strip()
        return eval(code, {"__builtins__": {}, "values": values, **names})

    def _look_up(self, name: str) -> str:
        first, *rest = name.split(".")
        if first == "matrix":
            return self._matrix[rest[0]]
        if first == "steps":
            return self._steps.get(rest[0], {}).get(rest[2], "")
        return {
            "github.ref_name": self._run.branch,
            "github.sha": _head(self._run.repository),
            "github.run_id": str(self._run.number),
            "github.event.repository.default_branch": "main",
        }[name]


def _combinations(matrix: dict[str, list[str]], only: Mapping[str, str]) -> Iterator[dict[str, str]]:
    for values in itertools.product(*matrix.values()):
        combination = dict(zip(matrix, values, strict=True))
        if all(only.get(name, value) == value for name, value in combination.items()):
            yield combination


def _head(folder: Path) -> str:
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout.strip()


class GitLab:
    """Jobs of a .gitlab-ci.yml, one at a time; a job's cache lasts from run to run."""

    def __init__(self, repository: Path, folder: Path, file: str) -> None:
        self._repository = repository
        self._folder = folder
        self._jobs = yaml.safe_load((repository / file).read_text())
        folder.mkdir()
        self.tools = Tools(folder / "tools")
        self._runs = itertools.count(1)

    def run(self, name: str, branch: str) -> tuple[int, str, Path]:
        """A job's status and log, and the folder of its artifacts."""
        job = self._job(name)
        number = next(self._runs)
        project, kept = self._folder / f"project{number}", self._folder / f"kept-{name}"
        check_out(self._repository, branch, project)
        for path in job["cache"]["paths"]:
            if (kept / path).exists():
                shutil.copytree(kept / path, project / path)
        given = {
            "CI_PROJECT_DIR": str(project),
            "CI_COMMIT_REF_NAME": branch,
            "CI_COMMIT_SHA": _head(project),
            "CI_JOB_NAME_SLUG": name,
            "GITLAB_CI": "true",
        }
        variables = {
            key: re.sub(r"\$(\w+)", lambda found: given[found[1]], value) for key, value in job["variables"].items()
        }
        variables["TINYHIL_CACHE"] = str(assets.cache_dir())  # has the images that are built already
        script = "\n".join([*job["before_script"], *job["script"]])
        status, log = shell(script, project, self.tools.environment(**given, **variables), pipefail=True)
        for path in job["cache"]["paths"]:
            if (project / path).exists():
                shutil.copytree(project / path, kept / path, dirs_exist_ok=True)
        artifacts = self._folder / f"artifacts{number}"
        for path in [*job["artifacts"]["paths"], job["artifacts"]["reports"]["junit"]]:
            source, target = project / path, artifacts / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target)
            elif source.exists():
                shutil.copy(source, target)
        return status, log, artifacts

    def _job(self, name: str) -> dict[str, Any]:
        job = self._jobs[name]
        base = self._job(job["extends"]) if "extends" in job else {}
        variables = {**base.get("variables", {}), **job.get("variables", {})}
        return {**base, **job, "variables": variables}
