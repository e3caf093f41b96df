"""Real runs set side by side, in a terminal, as JSON and on a page that a browser shows."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner, Result

from post_training_toolkit import DiagnosticsCallback, Generation, SnapshotSettings
from post_training_toolkit.engine.metrics_file import Milestone
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.ptt_trl.cli.compare import compare
from post_training_toolkit.ptt_trl.comparison.page import render_page
from post_training_toolkit.ptt_trl.comparison.run_comparison import compare_runs
from post_training_toolkit.ptt_trl.report.reading import read_run
from post_training_toolkit.schemas import load_schema
from tests.ptt_trl.conftest import RunTrainer
from tests.ptt_trl.recorded_run import diverging, rows, write_run

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
HOSTILE = "</script><script>document.title='owned'</script>\x1b[31m"


def ptt_compare(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(compare, list(map(str, arguments)))
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


@pytest.fixture(scope="module", name="runs")
def _runs(run_dpo: RunTrainer, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three DPO runs: a usual one, one of another beta, and one that a learning rate ruins."""
    folder = tmp_path_factory.mktemp("runs")
    prompts = folder / "prompts.txt"
    prompts.write_text("Question: What is 2 plus 3? Answer:\nQuestion: Hello! Answer:\n")
    snapshots = SnapshotSettings(
        every=12, prompts=prompts, built_in=False, generation=Generation(8, samples=0)
    )
    different: dict[str, dict[str, Any]] = {
        "usual": {},
        "beta": {"beta": 0.5},
        "ruined": {"learning_rate": 5e-2, "max_grad_norm": 0.0},
    }
    for name, given in different.items():
        callback = DiagnosticsCallback(snapshots=snapshots)
        saved = {"save_strategy": "steps", "save_steps": 12, "max_steps": 36}
        run_dpo(folder / name, callback, **saved, **given)
    return [folder / name / "ptt" for name in different]


def test_text_says_what_differs_and_what_to_keep(runs: list[Path]) -> None:
    result = ptt_compare(*runs)
    assert (result.exit_code, result.stderr) == (0, "")
    text = result.stdout
    assert re.search(r"^ +usual +beta +ruined$", text, re.MULTILINE)
    assert re.search(r"^beta +0\.1 +0\.5 +0\.1$", text, re.MULTILINE)
    assert re.search(r"^learning_rate +0\.0002 +0\.0002 +0\.05$", text, re.MULTILINE)
    assert "Only places and names: output_dir." in text
    assert re.search(r"Keep checkpoint-\d+ of (usual|beta): it has the\s+highest win_rate", text)
    assert "Left out of ruined: checkpoint-12, checkpoint-24, checkpoint-36, since" in text
    assert f"All replies: ptt diff {runs[0]}@36 {runs[1]}@36" in text


def test_json_follows_its_schema_and_is_the_same_twice(runs: list[Path]) -> None:
    first, again = (ptt_compare(*runs, "--format", "json") for _ in range(2))
    assert first.stdout == again.stdout
    content = json.loads(first.stdout)
    jsonschema.validate(content, load_schema("run_comparison"))
    assert [run["name"] for run in content["runs"]] == ["usual", "beta", "ruined"]


def test_insights_of_one_run_only_stand_in_its_column(runs: list[Path]) -> None:
    insights = json.loads(ptt_compare(*runs, "--format", "json").stdout)["insights"]
    assert insights
    assert all(list(each["runs"]) == ["ruined"] for each in insights)
    assert insights[0]["consequences"]


def test_behaviour_is_compared_at_the_common_snapshot_nearest_to_a_step(runs: list[Path]) -> None:
    content = json.loads(ptt_compare(*runs, "--format", "json", "--at", "20").stdout)
    found = content["behaviour"]["differences"]
    assert [(each["first_step"], each["other_step"]) for each in found] == [(24, 24)] * 2
    assert found[1]["unchanged"] < found[1]["prompts"] == 2


def test_an_argument_that_a_run_lacks_is_not_one_that_is_none(tmp_path: Path) -> None:
    for name, given in {"a": {"f_divergence": None}, "b": {}}.items():
        described = RunDescription("dpo", {"beta": 0.1, **given}, max_steps=20, logging_steps=1)
        write_run(tmp_path / name, rows({"loss": [0.5] * 20}), run=described, final={})
    result = ptt_compare(tmp_path / "a", tmp_path / "b")
    assert re.search(r"^f_divergence  null  \(not an argument\)$", result.stdout, re.MULTILINE)
    assert "There are no snapshots of a, b; train with" in result.stdout


def test_a_rule_that_could_not_judge_is_not_told_as_silent(tmp_path: Path) -> None:
    write_run(tmp_path / "a", [*diverging(), Milestone("train_end", 60)], final={})
    write_run(tmp_path / "b", rows({"grad_norm": [1.0] * 60}), final={})
    text = ptt_compare(tmp_path / "a", tmp_path / "b").stdout
    assert re.search(r"loss_divergence +high.* could not judge$", text, re.MULTILINE)
    assert re.search(r"^gradient_unsteady +low.* -$", text, re.MULTILINE)


def test_what_another_tool_recorded_is_compared_too(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text(
            "step,loss\n" + "".join(f"{step},{1 / step}\n" for step in range(1, 30))
        )
    result = ptt_compare(tmp_path / "a.csv", tmp_path / "b.csv", "--trainer", "sft")
    assert result.exit_code == 0
    assert "The arguments of fewer than two runs are known" in result.stdout


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_runs_are_wrong_usage(runs: list[Path], count: int) -> None:
    result = ptt_compare(*runs[:count])
    assert result.exit_code == 2
    assert "expected two runs or more; ptt report RUN says what happened" in result.stderr


def test_the_same_run_twice_is_wrong_usage(runs: list[Path]) -> None:
    result = ptt_compare(runs[0], runs[0] / ".." / "ptt")
    assert result.exit_code == 2
    assert "was given twice; give each run once" in result.stderr


def test_what_is_invalid_ends_in_one_line(tmp_path: Path, runs: list[Path]) -> None:
    (tmp_path / "empty").mkdir()
    result = ptt_compare(runs[0], tmp_path / "empty")
    assert (result.exit_code, result.stdout) == (3, "")
    assert len(result.stderr.splitlines()) == 1
    write_run(tmp_path / "short", rows({"loss": [1.0] * 20}), final={})
    result = ptt_compare(runs[0], tmp_path / "short", "--align", "tokens")
    assert result.exit_code == 3
    assert result.stderr.endswith("did not log num_tokens; align by step or fraction instead\n")


def test_a_file_is_written_and_its_path_told(runs: list[Path], tmp_path: Path) -> None:
    page = tmp_path / "comparison.html"
    result = ptt_compare(*runs, "--format", "html", "--output", page)
    assert result.stdout == f"{page}\n"
    assert page.read_text().startswith("<!doctype html>")


def test_text_of_users_commands_no_terminal_and_is_no_markup(tmp_path: Path) -> None:
    paths = []
    for name in ("a", "b"):
        given = {"chat_template": f"{name}{HOSTILE}"}
        described = RunDescription("dpo", given, max_steps=9, logging_steps=1)
        entries = rows({HOSTILE: [1.0] * 9})
        paths.append(write_run(tmp_path / name, entries, run=described, final={}))
    assert "\x1b" not in ptt_compare(*paths).stdout
    assert "<script>document.title" not in ptt_compare(*paths, "--format", "html").stdout


@pytest.fixture(scope="module", name="browser")
def _browser() -> Iterator[Any]:
    """Chromium without a window."""
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("no Chromium is installed")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_shows_one_line_for_each_run_on_every_screen(
    browser: Any, runs: list[Path], tmp_path: Path, width: int, dark: bool
) -> None:
    page = tmp_path / "page.html"
    page.write_text(render_page(compare_runs([read_run(each) for each in runs])))
    screen = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    browser.get(page.as_uri())
    browser.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    assert browser.get_log("browser") == []

    def ask(expression: str) -> Any:
        return browser.execute_script(f"return {expression}")

    assert ask("document.documentElement.scrollWidth") <= width
    charts = ask("document.querySelectorAll('.chart').length")
    assert charts > 5
    lines = "[...document.querySelector('.chart').querySelectorAll('path.line')]"
    assert ask(f"new Set({lines}.map(e => e.getAttribute('stroke'))).size") == 3
    assert ask("[...document.querySelectorAll('.chart:first-child .legend span')].length") == 3
    ground = ask("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") is not dark
