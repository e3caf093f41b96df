"""The Markdown report says everything, and text of users stays text in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.metrics_file import LoggedRow, Milestone
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.ptt_trl.report.content import compose
from post_training_toolkit.ptt_trl.report.markdown import (
    as_block,
    as_code,
    as_text,
    render_markdown,
)
from post_training_toolkit.ptt_trl.report.reading import read_run
from tests.ptt_trl.recorded_run import POSTMORTEM, diverging, rows, write_run

GITHUB = MarkdownIt("gfm-like", {"linkify": False})
HOSTILE = "a|b `c` <img src=x onerror=alert(1)> **d** _e_ [f](g) ~~h~~ &amp; ``i`` \\ j"


def markdown_of(folder: Path) -> str:
    return render_markdown(compose(read_run(folder)))


def shown(html: str) -> str:
    """The text that a reader sees."""
    text = re.sub(r"<[^>]*>", "", html)
    for name, letter in {"lt": "<", "gt": ">", "quot": '"', "amp": "&"}.items():
        text = text.replace(f"&{name};", letter)
    return text.strip()


@pytest.fixture(scope="module", name="report")
def _report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The report of a DPO run that fell apart and was killed."""
    entries = [*diverging(), Milestone("exception", 60)]
    final = {"status": "crashed", "failures": [{"part": "a", "error": "b", "count": 2}]}
    folder = tmp_path_factory.mktemp("run")
    return markdown_of(write_run(folder, entries, final=final, postmortem=POSTMORTEM))


def test_the_sections_come_in_the_order_in_which_they_are_needed(report: str) -> None:
    assert re.findall(r"^#+ .*", report, re.M) == [
        "# Run Diagnostic Report",
        "## Key Insights",
        "## Recommended Actions",
        "## Post-Mortem",
        "## Best Steps",
        "## Metrics",
        "## Coverage",
        "## What Failed Inside the Toolkit",
        "## Run",
    ]
    status = "**Trainer:** DPO | **Status:** Crashed (OOM killed, SIGKILL) | **Steps:** 61 of 100"
    assert status in report


def test_an_insight_has_evidence_source_and_its_consequences_below_it(report: str) -> None:
    first = report[report.index("1. **[HIGH]**") : report.index("\n2. ")]
    lines = first.splitlines()
    assert lines[1] == "   - from step 32 to the end; rule `margin_collapse`, fired at step 33"
    threshold = "   - threshold: reward_margin_nats below 0.3 times its best so far (empirical)"
    assert lines[2] == threshold
    assert lines[3].startswith("   - value: -9.72 when it fired, against a reference of 5.4")
    assert "   - window: what was logged from step 28 to 33" in lines
    assert "   - win_rate: 0.73 at step 24, 0.2 at step 33" in lines
    assert any(line.startswith("   - *Ref: Rafailov et al. (2023)") for line in lines)
    assert "   - consequence, from step 31 to the end: **[HIGH]** The loss is at" in first


def test_severities_fall_from_one_insight_to_the_next(report: str) -> None:
    order = ["CRITICAL", "HIGH", "MEDIUM", "LOW"]
    told = [order.index(each) for each in re.findall(r"^\d+\. \*\*\[(\w+)\]", report, re.M)]
    assert told == sorted(told)
    assert len(told) > 1


def test_each_action_says_which_insight_it_is_for(report: str) -> None:
    section = report.partition("## Recommended Actions")[2].partition("\n## ")[0]
    actions = [line for line in section.splitlines() if line]
    assert actions[0].startswith("- Shuffle the data")
    assert all(re.search(r"\*\(for insights? [\d, ]+: `", line) for line in actions)


def test_a_traceback_with_fences_of_its_own_stays_one_block(report: str) -> None:
    blocks = [each for each in GITHUB.parse(report) if each.type == "fence"]
    assert [each.content for each in blocks] == [f"{POSTMORTEM['traceback']}\n"]


def test_a_run_without_findings_says_how_many_rules_looked(tmp_path: Path) -> None:
    healthy = rows({"loss": [0.69 - 0.001 * step for step in range(40)]})
    entries = [*healthy, Milestone("train_end", 40)]
    report = markdown_of(write_run(tmp_path, entries, final={"rules_judged": 1}))
    assert "None: 1 rule judged this run and found nothing wrong." in report
    assert "## Recommended Actions" not in report


def test_names_of_metrics_break_neither_table_nor_page(tmp_path: Path) -> None:
    entries = [LoggedRow(step, None, admit({HOSTILE: step})) for step in (1, 2)]
    report = markdown_of(write_run(tmp_path, entries, run=RunDescription()))
    html = GITHUB.render(report)
    assert "<img" not in html
    [row] = [each for each in re.findall(r"<tr>.*?</tr>", html, re.S) if "onerror" in each]
    cells = [shown(cell) for cell in re.findall(r"<td>(.*?)</td>", row, re.S)]
    assert cells == [HOSTILE, "1", "2", "1", "2", "2"]


@given(st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=30))
def test_any_text_reads_as_it_was(text: str) -> None:
    # Between words, since what stands at the beginning of a line can be a list or a heading.
    assert shown(GITHUB.render(f"a {as_text(text)} b")) == f"a {text} b"


@given(st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=30))
def test_any_code_reads_as_it_was_in_a_table_too(text: str) -> None:
    html = GITHUB.render(f"| a | b |\n|---|---|\n| {as_code(text)} | c |\n")
    cells = [shown(cell) for cell in re.findall(r"<td>(.*?)</td>", html, re.S)]
    assert cells == [text, "c"]


@given(st.text("`~x\n ", max_size=40))
def test_any_text_of_several_lines_stays_one_block(text: str) -> None:
    tokens = GITHUB.parse(as_block(text))
    assert [token.type for token in tokens] == ["fence"]
    assert tokens[0].content.splitlines() == text.splitlines()
