# SPDX-License-Identifier: Apache-2.0
"""A workspace is found where it is named, and what is wrong with one is said."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from fake_zephyr import commit, make_workspace

from tinyhil.errors import MissingTool
from tinyhil.zephyr import find_workspace
from tinyhil.zephyr.workspace import _revision


@pytest.fixture(autouse=True)
def nowhere(tmp_path, monkeypatch):
    """No workspace is named, and none is around."""
    for name in ("TINYHIL_WEST_WORKSPACE", "ZEPHYR_BASE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def refused() -> MissingTool:
    with pytest.raises(MissingTool) as caught:
        find_workspace()
    assert caught.value.next_step
    return caught.value


def test_without_one_the_refusal_says_how_to_get_one():
    assert "west init -l --mf zephyr_app/west.yml" in refused().next_step


def test_the_variable_names_it(tmp_path, monkeypatch):
    topdir = make_workspace(tmp_path / "mine", "3.3.0-rc3")
    monkeypatch.setenv("TINYHIL_WEST_WORKSPACE", str(topdir))
    found = find_workspace()
    assert (found.topdir, found.zephyr_base) == (topdir, topdir / "zephyr")
    assert (found.version, found.version_text, found.tried) == ((3, 3, 0), "3.3.0-rc3", True)


def test_zephyr_base_names_it(tmp_path, monkeypatch):
    topdir = make_workspace(tmp_path / "mine")
    monkeypatch.setenv("ZEPHYR_BASE", str(topdir / "zephyr"))
    assert find_workspace().topdir == topdir


def test_a_current_folder_inside_it_is_enough(tmp_path, monkeypatch):
    topdir = make_workspace(tmp_path / "mine")
    (topdir / ".west").mkdir()
    (topdir / "app" / "src").mkdir(parents=True)
    monkeypatch.chdir(topdir / "app" / "src")
    assert find_workspace().topdir == topdir


def test_wests_configuration_says_where_zephyr_is(tmp_path, monkeypatch):
    topdir = make_workspace(tmp_path / "mine")
    (topdir / "zephyr").rename(topdir / "rtos")
    (topdir / ".west").mkdir()
    (topdir / ".west" / "config").write_text("[manifest]\npath = tinyhil\n\n[zephyr]\nbase = rtos\n")
    monkeypatch.setenv("TINYHIL_WEST_WORKSPACE", str(topdir))
    assert find_workspace().zephyr_base == topdir / "rtos"


def test_our_variable_goes_before_zephyrs(tmp_path, monkeypatch):
    monkeypatch.setenv("ZEPHYR_BASE", str(make_workspace(tmp_path / "theirs") / "zephyr"))
    monkeypatch.setenv("TINYHIL_WEST_WORKSPACE", str(make_workspace(tmp_path / "ours")))
    assert find_workspace().topdir == tmp_path / "ours"


def test_a_named_folder_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYHIL_WEST_WORKSPACE", str(tmp_path / "gone"))
    assert "no such folder" in refused().message
    assert str(tmp_path / "gone") in refused().message


def test_zephyr_itself_named_for_the_workspace(tmp_path, monkeypatch):
    topdir = make_workspace(tmp_path / "mine")
    monkeypatch.setenv("TINYHIL_WEST_WORKSPACE", str(topdir / "zephyr"))
    assert "Zephyr itself" in refused().message
    assert str(topdir) in refused().next_step


def test_a_workspace_that_was_never_updated(tmp_path, monkeypatch):
    (tmp_path / "mine" / ".west").mkdir(parents=True)
    monkeypatch.setenv("TINYHIL_WEST_WORKSPACE", str(tmp_path / "mine"))
    assert "no Kconfig.zephyr" in refused().message
    assert "west update" in refused().next_step


@pytest.mark.parametrize("text", ["", "VERSION_MAJOR = three\n", "VERSION_MAJOR = 3\nVERSION_MINOR = 4\n"])
def test_a_version_that_cannot_be_read(tmp_path, monkeypatch, text):
    topdir = make_workspace(tmp_path / "mine")
    (topdir / "zephyr" / "VERSION").write_text(text)
    monkeypatch.setenv("TINYHIL_WEST_WORKSPACE", str(topdir))
    assert "version cannot be told" in refused().message


@pytest.mark.parametrize("version", ["2.7.6", "3.2.0"])
def test_an_unsupported_zephyr_is_refused_with_what_is_supported(tmp_path, monkeypatch, version):
    monkeypatch.setenv("TINYHIL_WEST_WORKSPACE", str(make_workspace(tmp_path / "mine", version)))
    assert f"Zephyr {version}" in refused().message
    assert "3.3 is the oldest" in refused().message


@pytest.mark.parametrize(
    ("version", "tried"), [("3.3.0", True), ("3.4.1", True), ("3.7.0", False), ("4.2.0", False), ("5.0.0", False)]
)
def test_a_version_that_was_never_run_is_told_apart(tmp_path, monkeypatch, version, tried):
    monkeypatch.setenv("TINYHIL_WEST_WORKSPACE", str(make_workspace(tmp_path / "mine", version)))
    assert find_workspace().tried == tried


# Modules -------------------------------------------------------------------------------------------------------------
@pytest.fixture
def mine(tmp_path, monkeypatch) -> Path:
    topdir = make_workspace(tmp_path / "mine", modules=("cmsis", "hal_nordic"))
    monkeypatch.setenv("TINYHIL_WEST_WORKSPACE", str(topdir))
    return topdir


def test_a_module_is_found_at_its_usual_place(mine):
    assert find_workspace().module("hal_nordic") == mine / "modules" / "hal" / "nordic"


def test_an_optional_module_may_lie_with_the_optional_ones(mine):
    place = mine / "optional" / "modules" / "lib" / "tflite-micro"
    place.mkdir(parents=True)
    assert find_workspace().module("tflite-micro") == place


def test_a_missing_module_is_named_with_the_command_that_fetches_it(mine):
    with pytest.raises(MissingTool, match="'hal_stm32'") as caught:
        find_workspace().module("hal_stm32")
    assert "west update hal_stm32" in caught.value.next_step


def test_several_missing_modules_are_named_at_once(mine):
    with pytest.raises(MissingTool, match="'hal_stm32', 'cmsis-nn'") as caught:
        find_workspace().modules(["cmsis", "hal_stm32", "cmsis-nn"])
    assert "west update hal_stm32 cmsis-nn" in caught.value.next_step


def test_a_missing_optional_module_says_how_its_group_is_chosen(mine):
    with pytest.raises(MissingTool) as caught:
        find_workspace().module("tflite-micro")
    assert "+optional" in caught.value.next_step


@pytest.mark.parametrize(("version", "name"), [("4.0.0", "cmsis"), ("4.1.0", "cmsis_6")])
def test_the_module_of_cmsis_is_the_versions(tmp_path, monkeypatch, version, name):
    monkeypatch.setenv("TINYHIL_WEST_WORKSPACE", str(make_workspace(tmp_path / "mine", version)))
    assert find_workspace().cmsis_modules() == [name]


@pytest.mark.needs("git")
def test_a_revision_is_the_commit_and_what_was_changed_since(mine):
    for folder in (mine / "zephyr", mine / "modules" / "hal" / "cmsis"):
        commit(folder)
    _revision.cache_clear()
    before = find_workspace().revision(["cmsis"])
    assert before.startswith("Zephyr 3.4.0 ")
    assert ", cmsis " in before and "+" not in before
    (mine / "zephyr" / "Kconfig.zephyr").write_text("# mine\n")
    _revision.cache_clear()
    changed = find_workspace().revision(["cmsis"])
    assert changed != before and "+" in changed


@pytest.mark.needs("git")
def test_a_workspace_inside_another_repository_has_no_commit_of_its_own(mine):
    commit(mine)
    _revision.cache_clear()
    assert find_workspace().revision(["cmsis"]) == "Zephyr 3.4.0, cmsis"


def test_without_git_the_version_is_the_revision(mine, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    _revision.cache_clear()
    assert shutil.which("git") is None
    assert find_workspace().revision() == "Zephyr 3.4.0"
