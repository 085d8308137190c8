# SPDX-License-Identifier: Apache-2.0
"""The pytest plugin: options --hil-*, fixtures `board`, `model`, `golden` and `device`.

    from tinyhil.verdict import assert_golden

    def test_the_board_computes_what_my_desk_does(device, golden):
        assert_golden(device, golden)

    pytest --hil-board mps2_an386 --hil-model kws.tflite

Several boards or models parametrize every test that uses them. A test that needs a board or a model where none is
given is skipped, with the reason shown; `--hil-require board,model` makes it fail. A suite with a model of its own
overrides the fixture `model` (return tinyhil.model.load_model(path)).

pytest loads this module in every run of an environment that has tinyhil, so it imports nothing heavy by itself.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tinyhil.board import Board
    from tinyhil.device import Device
    from tinyhil.golden import GoldenSet
    from tinyhil.model import Model

PACKAGE = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("hil", "tinyhil: models on microcontrollers")
    several: dict[str, Any] = {"action": "append", "default": []}
    group.addoption("--hil-board", metavar="NAMES", help="boards to test on, with commas (tinyhil boards)", **several)
    group.addoption("--hil-target", metavar="NAME", help="qemu, native, serial, ... [each board's first]")
    group.addoption("--hil-firmware", metavar="NAME", help="bare_metal or zephyr [each board's first]")
    group.addoption("--hil-engine", metavar="NAME", default="", help="builtin or tflm [builtin]")
    group.addoption("--hil-kernels", metavar="NAME", default="", help="reference or cmsis_nn [reference]")
    group.addoption("--hil-model", metavar="FILE", help="a .tflite model, repeatable", **several)
    group.addoption("--hil-extra-source", metavar="FILE.cc", help="C++ with custom operators, repeatable", **several)
    group.addoption(
        "--hil-golden", metavar="FILE", help="a golden set, instead of the model's own; repeatable", **several
    )
    from tinyhil.attachment import HELP, OPTIONS

    for name, option in OPTIONS.items():
        group.addoption(
            f"--hil-{option}", metavar=option.upper(), dest=f"hil_{name}", help=f"target serial: {HELP[name]}"
        )
    group.addoption(
        "--hil-require", metavar="NAMES", help="what may not be missing: fail where a test would skip", **several
    )


class Bench:
    """What one pytest session tests on: the options, and at most one running device, kept for the next test."""

    def __init__(self, config: pytest.Config) -> None:
        from tinyhil.attachment import OPTIONS

        option = config.getoption
        here = config.invocation_params.dir
        self.boards = _split(option("--hil-board"))
        self.target: str | None = option("--hil-target")
        self.firmware: str | None = option("--hil-firmware")
        self.engine: str = option("--hil-engine")
        self.kernels: str = option("--hil-kernels")
        self.models = [here / name for name in option("--hil-model")]
        self.extra_sources = [here / name for name in option("--hil-extra-source")]
        self._take_project(config.rootpath)
        self.engine = self.engine or "builtin"
        self.kernels = self.kernels or "reference"
        self.golden_files = [here / name for name in option("--hil-golden")]
        self._options = {name: option(f"hil_{name}") for name in OPTIONS}
        self.required = _split(option("--hil-require"))
        self._goldens: dict[str, GoldenSet] = {}
        self._key: tuple[str, str, str] | None = None
        self._device: Device | None = None
        self.last_user: pytest.Item | None = None
        """The last test of the session that uses the device."""

    def _take_project(self, folder: Path) -> None:
        """What tinyhil.yaml says and no option does. Raises UsageError."""
        from tinyhil.project import NAME, project_here

        if not (folder / NAME).is_file():
            return
        from tinyhil.errors import TinyhilError

        try:
            project = project_here(folder)
        except TinyhilError as error:
            raise pytest.UsageError(f"{error.message}\n{error.next_step}") from error
        assert project is not None
        if not self.boards:  # what the file says of its boards need not hold for another
            self.boards = project.boards
            self.target = self.target or project.values.get("target")
            self.firmware = self.firmware or next(iter(project.values.get("firmware", [])), None)
        self.engine = self.engine or next(iter(project.values.get("engines", [])), "")
        self.kernels = self.kernels or next(iter(project.values.get("kernels", [])), "")
        self.models = self.models or project.model_files()
        self.extra_sources = self.extra_sources or project.extra_sources

    def check(self) -> None:
        """Refuses options that name something that is not there, before any test runs. Raises UsageError."""
        from tinyhil import requirements

        known = {"board", "model", *requirements.LOOKS}
        if unknown := [name for name in self.required if name not in known]:
            raise pytest.UsageError(f"--hil-require: {', '.join(unknown)}: there is only {', '.join(sorted(known))}")
        from tinyhil.record import ENGINES, FIRMWARES, KERNELS

        for option, value, names in (
            ("--hil-firmware", self.firmware, FIRMWARES),
            ("--hil-engine", self.engine, ENGINES),
            ("--hil-kernels", self.kernels, KERNELS),
        ):
            if value is not None and value not in names:
                raise pytest.UsageError(f"{option}: {value}: there is only {', '.join(names)}")
        for path in (*self.models, *self.extra_sources, *self.golden_files):
            if not path.is_file():
                raise pytest.UsageError(f"{path}: no such file")
        if self.boards:
            from tinyhil.board import load_board
            from tinyhil.errors import TinyhilError

            for name in self.boards:
                try:
                    self.target_of(load_board(name))
                except TinyhilError as error:
                    raise pytest.UsageError(f"{error.message}\n{error.next_step}") from error

    def target_of(self, board: Board) -> str:
        """The target to use for the board. Raises UnknownBoard where it has no such target."""
        from tinyhil.runner import check_target, default_target

        target = self.target or default_target(board)
        check_target(board, target, self.firmware_of(board))
        return target

    def firmware_of(self, board: Board) -> str:
        """The firmware to use for the board."""
        from tinyhil.runner import default_firmware

        return self.firmware or default_firmware(board)

    def lacks(self, name: str, reason: str) -> None:
        """Skips the test, or fails it where `name` is required."""
        if name in self.required:
            pytest.fail(f"{reason} (required by --hil-require {name})", pytrace=False)
        pytest.skip(reason)

    def golden(self, model: Model) -> GoldenSet:
        """The set for this model: of --hil-golden by the model's hash, else stored beside it, else made on the spot."""
        from tinyhil import golden

        if model.sha256 not in self._goldens:
            given = [golden.load(path) for path in self.golden_files]
            matching = [found for found in given if found.model_sha256 == model.sha256]
            if matching:
                matching[0].check(model)
            elif len(given) == 1:
                given[0].check(model, source=str(self.golden_files[0]))
            self._goldens[model.sha256] = matching[0] if matching else golden.golden_for(model)
        return self._goldens[model.sha256]

    def device(self, board: Board, model: Model) -> Device:
        """A device with the model freshly loaded. The one of the test before is used again where it still answers."""
        from tinyhil.attachment import Attachment
        from tinyhil.build import build_image
        from tinyhil.device import Device
        from tinyhil.errors import MissingTool, TargetError
        from tinyhil.target import expect

        key = (board.name, self.target_of(board), model.sha256)
        if self._device is not None and self._key == key:
            try:
                self._device.load(model)
                return self._device
            except TargetError:
                pass
        self.close()
        expect(key[1], board.running(self.firmware_of(board)))
        try:
            image = build_image(
                board,
                engine=self.engine,
                kernels=self.kernels,
                firmware=self.firmware_of(board),
                extra_sources=self.extra_sources,
            )
        except MissingTool as error:
            if error.requirement:
                self.lacks(error.requirement, f"{error.message} {error.next_step}")
            raise
        device = Device.open(board, key[1], image, model, attachment=Attachment.of(self._options))
        try:
            device.load(model)
        except BaseException:
            device.close()
            raise
        self._device, self._key = device, key
        return device

    def close(self) -> None:
        """Ends the running device, so that the next test gets a new one."""
        device, self._device = self._device, None
        if device is not None:
            device.close()


_BENCH = pytest.StashKey[Bench]()


def _split(values: list[str]) -> list[str]:
    return [name.strip() for value in values for name in value.split(",") if name.strip()]


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    config.stash[_BENCH] = bench = Bench(config)
    bench.check()


def pytest_unconfigure(config: pytest.Config) -> None:
    if _BENCH in config.stash:
        config.stash[_BENCH].close()


def pytest_report_header(config: pytest.Config) -> str | None:
    from tinyhil import __version__

    bench = config.stash[_BENCH]
    if not bench.boards:
        return None
    on = f" on {bench.target}" if bench.target else ""
    return f"tinyhil {__version__}: {', '.join(bench.boards)}{on}" + (f", {bench.firmware}" if bench.firmware else "")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    bench = metafunc.config.stash[_BENCH]
    # A test may parametrize a name itself: that wins.
    own = [name for mark in metafunc.definition.iter_markers("parametrize") for name in _argnames(mark)]
    if bench.boards and "board" in metafunc.fixturenames and "board" not in own:
        metafunc.parametrize("board", bench.boards, indirect=True, scope="session")
    if bench.models and "model" in metafunc.fixturenames and "model" not in own:
        ids = [path.stem for path in bench.models]
        metafunc.parametrize("model", bench.models, indirect=True, scope="session", ids=ids)


def _argnames(mark: pytest.Mark) -> list[str]:
    names = mark.args[0] if mark.args else mark.kwargs.get("argnames", ())
    return [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)


@pytest.fixture(scope="session")
def board(request: pytest.FixtureRequest) -> Board:
    """The board under test: tinyhil.board.Board, of --hil-board."""
    from tinyhil.board import load_board

    if not hasattr(request, "param"):
        request.config.stash[_BENCH].lacks(
            "board", "no board given: pytest --hil-board NAME (tinyhil boards lists them)"
        )
    return load_board(request.param)


@pytest.fixture(scope="session")
def model(request: pytest.FixtureRequest) -> Model:
    """The model under test: tinyhil.model.Model, of --hil-model."""
    from tinyhil.model import load_model

    if not hasattr(request, "param"):
        request.config.stash[_BENCH].lacks("model", "no model given: pytest --hil-model FILE.tflite")
    return load_model(request.param)


@pytest.fixture
def golden(request: pytest.FixtureRequest, model: Model) -> GoldenSet:
    """The model's golden set: tinyhil.golden.GoldenSet."""
    from tinyhil.errors import OracleMissing

    bench = request.config.stash[_BENCH]
    try:
        return bench.golden(model)
    except OracleMissing as error:
        bench.lacks("oracle", f"{error.message}. {error.next_step}")
        raise


@pytest.fixture
def device(request: pytest.FixtureRequest, board: Board, model: Model) -> Iterator[Device]:
    """The board running with the model loaded: tinyhil.device.Device. Each test finds the model freshly loaded."""
    bench = request.config.stash[_BENCH]
    yield bench.device(board, model)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, None]:
    """A device that a failed test opened itself is closed: the traceback would keep its port and its board's lock."""
    opened = getattr(sys.modules.get("tinyhil.device"), "OPEN_DEVICES", ())
    before = set(opened)
    outcome = yield
    if outcome.excinfo is not None:
        for device in set(getattr(sys.modules.get("tinyhil.device"), "OPEN_DEVICES", ())) - before:
            device.close()


def pytest_collection_finish(session: pytest.Session) -> None:
    for item in session.items:
        if isinstance(item, pytest.Function):
            used = item._fixtureinfo.name2fixturedefs.get("device", ())
            if used and used[-1].func.__module__ == __name__:
                session.config.stash[_BENCH].last_user = item


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, Any, None]:
    """The device is kept from test to test, and no longer: an emulator that waits may take a core."""
    yield
    bench = item.config.stash[_BENCH]
    if item is bench.last_user:
        bench.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, None]:
    """A failure of tinyhil's shows the test's own lines, the fact, and what to do; not the library's inside."""
    from tinyhil.errors import TargetError, TinyhilError

    report: pytest.TestReport = (yield).get_result()
    error = call.excinfo.value if call.excinfo is not None else None
    if isinstance(error, TargetError):
        item.config.stash[_BENCH].close()
    if isinstance(error, TinyhilError) and report.failed and call.excinfo is not None:
        report.longrepr = call.excinfo.getrepr(
            style="short", tbfilter=lambda excinfo: _of_the_suite(excinfo, item.config.rootpath), chain=False
        )
        if error.details:
            report.sections.append(("tinyhil: details", error.details))
        if error.next_step:
            report.sections.append(("tinyhil: next step", error.next_step))


def _of_the_suite(excinfo: pytest.ExceptionInfo[BaseException], root: Path) -> Any:
    """The traceback's entries in the user's own suite; the last entry where there is none."""
    kept = excinfo.traceback.filter(
        lambda entry: root in Path(entry.path).parents and PACKAGE not in Path(entry.path).parents
    )
    return kept if len(kept) else type(kept)(list(excinfo.traceback)[-1:])
