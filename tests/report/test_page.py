# SPDX-License-Identifier: Apache-2.0
"""The page of a matrix, in a real browser: from a file, without a network, by mouse and by keyboard."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from tests.records import not_passed, passed

from tinyhil.history import History, Run
from tinyhil.record import (
    Alone,
    ArenaTensor,
    Cause,
    Diagnosis,
    Difference,
    ErrorInfo,
    OperatorDifference,
    OutputDifference,
    Record,
    TensorDifference,
)
from tinyhil.report.html import html_page

NASTY = "<script>document.title='broken'</script>"


def failed() -> Record:
    record = passed("vww")
    first = OutputDifference(0, 17, (0, 3, 2), -5, -4, 12, 96, 1)
    alone: Alone = "wrong"
    record.verdict = "fail"
    record.difference = Difference(
        4,
        "uniform",
        OutputDifference(0, 1, (0, 1), 3, 4, 1, 2, 1),
        OperatorDifference(1, "DEPTHWISE_CONV_2D", "wrote", 1, 2),
    )
    record.diagnosis = Diagnosis(
        1,
        "DEPTHWISE_CONV_2D",
        "wrote",
        TensorDifference(6, "block/dw", "int8", (1, 8, 12), (0.5,), (-3,), first, ((1.0, 8), (-1.0, 4))),
        alone,
        Cause("rounding", "off by one at most: rounding"),
    )
    return record


def records() -> list[Record]:
    kws = passed("kws")
    kws.arena = [
        ArenaTensor(0, "in", 0, 490, -1, 0),
        ArenaTensor(3, "conv", 512, 8000, 0, 1),
        ArenaTensor(9, "out", 0, 12, 2, 3),
    ]
    error = ErrorInfo("TargetDied", 32, f"it died {NASTY}", "Look at it.", f"last words {NASTY}")
    return [
        kws,
        failed(),
        not_passed(passed("kws", "nrf52840dk"), "error", error=error),
        not_passed(passed("vww", "nrf52840dk"), "skip", skip_reason="no oracle"),
    ]


@pytest.fixture
def page(tmp_path) -> Path:
    with History(tmp_path / "h.sqlite", create=True) as history:
        for night in range(5):
            old = [passed("kws", night=night, scale=1.0 + night / 10)]
            history.add(Run.of(old, branch="main", commit_id=f"{night:040x}"), old)
        path = tmp_path / "a page.html"
        path.write_text(html_page(records(), branch="main", commit="abc", history=history), encoding="utf-8")
    return path


def test_the_page_holds_all_that_it_needs(page):
    text = page.read_text(encoding="utf-8")
    assert not re.findall(r"""(?:src|href)=["'](?!#)""", text)
    assert "@import" not in text and "url(" not in text and "http" not in text.replace("http-equiv", "")


def test_what_records_say_is_text_and_no_markup(page):
    assert NASTY not in page.read_text(encoding="utf-8")


def test_a_matrix_in_which_nothing_ran_is_a_page_too():
    assert "nothing ran" in html_page([])


@pytest.fixture(scope="module")
def browser():
    from tinyhil import requirements

    if requirements.missing("browser"):
        yield None
        return
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.add_argument("--host-resolver-rules=MAP * ~NOTFOUND")  # no network
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    yield driver
    driver.quit()


@pytest.fixture
def opened(browser, page):
    browser.set_window_size(1200, 900)
    browser.get("about:blank")
    browser.get(page.as_uri())
    yield browser
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


in_browser = pytest.mark.needs("browser")


def find(driver, css):
    return driver.find_elements("css selector", css)


def visible(driver, css):
    return [element for element in find(driver, css) if element.is_displayed()]


@in_browser
def test_the_matrix_is_shown_with_a_cell_each(opened):
    assert opened.title == "tinyhil: 1 PASS, 1 FAIL, 1 ERROR, 1 SKIP"
    assert [link.text for link in find(opened, ".matrix a")] == ["PASS 752k", "FAIL", "ERROR", "SKIP"]


@in_browser
def test_a_click_opens_the_cell_with_all_there_is(opened):
    find(opened, ".matrix a")[1].click()
    (cell,) = find(opened, "details[open]")
    for text in ("vww on mps2_an386", "block/dw", "off by one at most", "+1 x 8, -1 x 4", "tinyhil run vww.tflite"):
        assert text in cell.text
    assert len(find(cell, "tbody tr")) == 3


@in_browser
def test_profile_arena_and_trends_are_drawn(opened):
    find(opened, ".matrix a")[0].click()
    (arena,) = visible(opened, "details[open] svg.arena")
    assert len(find(arena, "rect")) == 4 and arena.size["width"] > 300
    assert len(visible(opened, "details[open] svg.trend")) == 3
    bars = [bar.size["width"] for bar in find(opened, "details[open] .bar span")]
    assert bars[0] > bars[1] > bars[2]


@in_browser
def test_filters_leave_what_was_asked_for(opened):
    from selenium.webdriver.support.ui import Select

    Select(find(opened, "select[data-filter=verdict]")[0]).select_by_visible_text("FAIL")
    assert [link.text for link in visible(opened, ".matrix a")] == ["FAIL"]
    assert len(visible(opened, "details.cell")) == 1
    assert find(opened, "#shown")[0].text == "1 of 4 cells"
    find(opened, "button[type=reset]")[0].click()
    find(opened, "[data-find]")[0].send_keys("nrf kws")
    assert [link.text for link in visible(opened, ".matrix a")] == ["ERROR"]


@in_browser
def test_everything_is_reached_by_keyboard(opened):
    from selenium.webdriver.common.keys import Keys

    body = find(opened, "body")[0]
    for _ in range(20):
        body.send_keys(Keys.TAB)
        active = opened.switch_to.active_element
        if active.get_attribute("data-cell") == "cell-1":
            break
        body = active
    active.send_keys(Keys.ENTER)
    assert find(opened, "details[open]")[0].get_attribute("id") == "cell-1"
    summary = opened.switch_to.active_element
    assert summary.tag_name == "summary"
    summary.send_keys(Keys.ENTER)
    assert find(opened, "details[open]") == []


@in_browser
def test_a_link_to_a_cell_opens_it(browser, page):
    browser.get("about:blank")
    browser.get(page.as_uri() + "#cell-2")
    (cell,) = find(browser, "details[open]")
    assert "last words" in cell.text and "next step: Look at it." in cell.text


@in_browser
def test_a_narrow_screen_scrolls_tables_and_not_the_page(opened):
    opened.set_window_size(500, 800)
    for link in find(opened, ".matrix a"):
        link.click()
    width, whole = opened.execute_script(
        "return [document.documentElement.clientWidth, document.documentElement.scrollWidth]"
    )
    assert whole <= width


def luminance(colour: str) -> float:
    def linear(value: float) -> float:
        value /= 255
        return value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(float(number)) for number in re.findall(r"[\d.]+", colour)[:3])
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@in_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_light_and_dark(opened, scheme):
    opened.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    page = opened.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (luminance(page) > 0.5) == (scheme == "light")
    for element in (*find(opened, ".matrix a"), *find(opened, ".muted"), *find(opened, "h1"), *find(opened, ".badge")):
        text, back = opened.execute_script(
            "let s = getComputedStyle(arguments[0]); let back = arguments[0];"
            "while (back && getComputedStyle(back).backgroundColor === 'rgba(0, 0, 0, 0)') back = back.parentElement;"
            "return [s.color, getComputedStyle(back).backgroundColor];",
            element,
        )
        bright, dim = sorted((luminance(text), luminance(back)), reverse=True)
        assert (bright + 0.05) / (dim + 0.05) >= 4.5, (element.text, text, back)
