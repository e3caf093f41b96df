"""The page shows its charts in a real browser, on every screen, and without a network."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.metrics_file import LoggedRow, MetricsEntry, Milestone
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.ptt_trl.report.content import compose
from post_training_toolkit.ptt_trl.report.page import render_page
from post_training_toolkit.ptt_trl.report.reading import read_run
from tests.ptt_trl.browsing import visit
from tests.ptt_trl.recorded_run import POSTMORTEM, diverging, rows, write_run

HOSTILE = "</script><script>document.title='owned'</script><b onclick=x>'\"&lt;"


def page_of(folder: Path) -> str:
    return render_page(compose(read_run(folder)))


def write_page(folder: Path, entries: list[MetricsEntry], **given: Any) -> Path:
    path = folder / "page.html"
    path.write_text(page_of(write_run(folder / "run", entries, **given)))
    return path


@pytest.fixture(scope="module", name="died")
def _died(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a DPO run that fell apart and was killed."""
    entries = [*diverging(), Milestone("exception", 60)]
    entries[10] = LoggedRow(10, None, admit({"loss": math.nan, "rewards/margins": 0.1}))
    folder = tmp_path_factory.mktemp("died")
    return write_page(folder, entries, final={"status": "crashed"}, postmortem=POSTMORTEM)


def ask(browser: Any, expression: str) -> Any:
    return browser.execute_script(f"return {expression}")


def drag(browser: Any, chart: str, begin: float, end: float) -> None:
    """Drag over a chart between two shares of its width."""
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.by import By

    plot = browser.find_element(By.CSS_SELECTOR, f"#{chart} .plot")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", plot)
    wide, high = plot.size["width"], plot.size["height"]
    actions = ActionChains(browser, duration=20)
    actions.move_to_element_with_offset(plot, int((begin - 0.5) * wide), int(high * 0.2))
    actions.click_and_hold()
    actions.move_by_offset(int((end - begin) * wide), 0).release().perform()


def test_nothing_is_loaded_from_anywhere(browser: Any, died: Path) -> None:
    visit(browser, died)
    sent = [json.loads(each["message"])["message"] for each in browser.get_log("performance")]
    requests = [
        each["params"]["request"]["url"]
        for each in sent
        if each["method"] == "Network.requestWillBeSent"
    ]
    assert requests == [died.as_uri()]
    assert not re.search(r"""(src|href)=["'](?!#|plots/)""", died.read_text())


def test_a_usual_page_is_small(tmp_path: Path) -> None:
    names = ["loss", "grad_norm", "learning_rate", "rewards/margins", "rewards/accuracies"]
    names += ["rewards/chosen", "rewards/rejected", "logps/chosen", "logps/rejected", "entropy"]
    values = {name: [math.sin(step * 0.7) + step / 3e3 for step in range(3000)] for name in names}
    assert len(page_of(write_run(tmp_path, rows(values)))) < 300_000


def test_every_chart_is_drawn_with_its_insights_shaded(browser: Any, died: Path) -> None:
    visit(browser, died)
    charts = ask(browser, "document.querySelectorAll('.chart').length")
    assert charts >= 7
    assert ask(browser, "document.querySelectorAll('.chart svg path.line').length") >= charts
    spans = "[...document.querySelectorAll('#chart-loss .span')]"
    assert ask(browser, f"{spans}.map(e => e.getAttribute('aria-label'))") == [
        "critical: nan_hidden_by_filter, at step 10",
        "high: loss_divergence, from step 31 to the end",
    ]
    # The death, the checkpoints, the best step and the value that is not finite are marked.
    for mark in ("end", "saved", "best", "lost"):
        assert ask(browser, f"document.querySelectorAll('#chart-loss .{mark}').length"), mark


def test_a_line_has_a_gap_where_a_value_is_not_finite(browser: Any, died: Path) -> None:
    visit(browser, died)
    path = ask(browser, "document.querySelector('#chart-loss path.line').getAttribute('d')")
    assert path.count("M") == 2


def test_a_span_leads_to_its_insight_and_back(browser: Any, died: Path) -> None:
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.by import By

    visit(browser, died)
    span = browser.find_element(By.CSS_SELECTOR, "#chart-loss .span.high")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", span)
    ActionChains(browser).move_to_element(span).click().perform()
    browser.execute_async_script("setTimeout(arguments[0], 50)")
    # A consequence that is folded away under its root cause is unfolded.
    assert ask(browser, "document.activeElement.id") == "insight-2-1"
    assert ask(browser, "document.activeElement.closest('details').open") is True
    link = browser.find_element(By.CSS_SELECTOR, "#insight-2-1 a[href='#chart-loss']")
    link.click()
    browser.execute_async_script("setTimeout(arguments[0], 50)")
    assert ask(browser, "document.activeElement.id") == "chart-loss"


def test_the_pointer_reads_step_and_value(browser: Any, died: Path) -> None:
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.by import By

    visit(browser, died)
    plot = browser.find_element(By.CSS_SELECTOR, "#chart-loss .plot")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", plot)
    ActionChains(browser).move_to_element(plot).perform()
    read = ask(browser, "document.querySelector('#chart-loss .readout').textContent")
    assert re.fullmatch(r"step (2|3)\d: loss \d\.\d+", read)


def test_the_keyboard_reads_values_and_zooms(browser: Any, died: Path) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    visit(browser, died)
    plot = browser.find_element(By.CSS_SELECTOR, "#chart-loss .plot")
    plot.send_keys(Keys.HOME, Keys.ARROW_RIGHT)
    read = "document.querySelector('#chart-loss .readout').textContent"
    assert ask(browser, read) == "step 2: loss 0.685"
    plot.send_keys("+")
    assert ask(browser, "document.getElementById('zoomed').textContent").startswith("steps 1 to")
    plot.send_keys(Keys.ESCAPE)
    assert ask(browser, "document.getElementById('zoomed').textContent") == ""


def test_a_drag_zooms_all_charts_and_the_button_resets_them(browser: Any, died: Path) -> None:
    from selenium.webdriver.common.by import By

    visit(browser, died)
    path = "document.querySelector('#chart-grad_norm path.line').getAttribute('d')"
    whole = ask(browser, path)
    drag(browser, "chart-loss", 0.4, 0.7)
    assert re.fullmatch(
        r"steps 2\d to 4\d", ask(browser, "document.getElementById('zoomed').textContent")
    )
    assert ask(browser, path) != whole
    # The drag began on a span, but is no click on it.
    assert ask(browser, "location.hash") == ""
    browser.find_element(By.ID, "reset").click()
    assert ask(browser, path) == whole


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 1280])
def test_no_screen_scrolls_sideways(browser: Any, died: Path, width: int, dark: bool) -> None:
    visit(browser, died, width, dark=dark)
    assert ask(browser, "document.documentElement.scrollWidth") <= width
    ground = ask(browser, "getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") is not dark


def test_text_has_enough_contrast_on_both_grounds(browser: Any, died: Path) -> None:
    def luminance(colour: str) -> float:
        parts = [int(each) / 255 for each in re.findall(r"\d+", colour)[:3]]
        linear = [x / 12.92 if x <= 0.03928 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for dark in (False, True):
        visit(browser, died, dark=dark)
        ground = luminance(
            ask(browser, "getComputedStyle(document.querySelector('.finding')).backgroundColor")
        )
        for element in (".message", ".faint", ".source", ".badge", "summary", "a"):
            found = f".finding {element}"
            ink = luminance(
                ask(browser, f"getComputedStyle(document.querySelector('{found}')).color")
            )
            low, high = sorted((ground, ink))
            assert (high + 0.05) / (low + 0.05) >= 4.5, (element, dark)


def test_without_a_script_the_text_is_there_and_the_plots_are_named(
    browser: Any, died: Path
) -> None:
    from selenium.webdriver.common.by import By

    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    browser.get(died.as_uri())
    text = browser.find_element(By.TAG_NAME, "body").text
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert "The charts need JavaScript" in text
    assert "plots/loss.png" in text
    assert "The reward margin has fallen to" in text
    assert "Zoom in" not in text


def test_printing_unfolds_everything(browser: Any, died: Path) -> None:
    visit(browser, died)
    browser.execute_script("window.dispatchEvent(new Event('beforeprint'))")
    assert ask(browser, "document.querySelectorAll('details:not([open])').length") == 0


def test_text_of_users_is_no_markup(browser: Any, tmp_path: Path) -> None:
    entries: list[MetricsEntry] = [
        LoggedRow(step, None, admit({HOSTILE: float(step), "loss": 1.0})) for step in range(1, 9)
    ]
    page = write_page(tmp_path, entries, postmortem={**POSTMORTEM, "error": HOSTILE})
    visit(browser, page)
    assert "owned" not in ask(browser, "document.title")
    assert ask(browser, "document.querySelectorAll('b').length") == 0
    assert HOSTILE in ask(browser, "[...document.querySelectorAll('h3')].map(e => e.textContent)")


DEGENERATE = {
    "no rows": [],
    "one row": [{"loss": 0.7, "grad_norm": 1.0}],
    "all NaN": [{"loss": math.nan}] * 20,
    "constant": [{"loss": 1.0}] * 20,
    "zero": [{"loss": 0.0}] * 20,
    "infinities in turn": [
        {"loss": [1.0, math.inf, -math.inf, math.nan][n % 4]} for n in range(40)
    ],
    "every size": [
        {"loss": 10.0 ** (6 * n - 300), "entropy": (-1) ** n * 1.7e308} for n in range(101)
    ],
    "a word": [{"loss": "high"}] * 3,
    "three thousand metrics": [{f"reward {n}": float(n) for n in range(3000)}] * 3,
}


@pytest.mark.parametrize("name", DEGENERATE)
def test_a_degenerate_run_gives_a_readable_page(browser: Any, tmp_path: Path, name: str) -> None:
    entries: list[MetricsEntry] = [
        LoggedRow(step, None, admit(row)) for step, row in enumerate(DEGENERATE[name], start=1)
    ]
    page = write_page(tmp_path, entries, run=RunDescription("dpo"))
    visit(browser, page, 360)
    assert ask(browser, "document.documentElement.scrollWidth") <= 360
    drawn = ask(browser, "[...document.querySelectorAll('svg *')].map(e => e.outerHTML).join('')")
    assert "NaN" not in re.sub(r"<title>.*?</title>", "", drawn)
    assert "Infinity" not in re.sub(r"<title>.*?</title>", "", drawn)
    assert "undefined" not in drawn
