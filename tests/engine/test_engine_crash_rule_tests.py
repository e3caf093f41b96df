"""Crash rules in unit tests of rules, in the mutation check and on the pages about them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from post_training_toolkit.engine.cli.main import main
from post_training_toolkit.engine.death import Death
from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.event import InsightFired
from post_training_toolkit.engine.mutation import Kind, mutants_of
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.rules.bundle import load_bundle
from post_training_toolkit.rules.model import Source
from post_training_toolkit.rules.sources import default_sources
from post_training_toolkit.schemas import load_schema

RULES = """\
version: 1
rules:
  - id: service_gone
    title: The service is gone
    crash: {text: ["ServiceError: .{0,80}refused", "no service"], exit_code: [3]}
    severity: high
    detects: [crash]
    message: "No answer after step {step}: {error}"
    remediation: [Start it.]
    citation: []
    threshold_origin: empirical
"""

RunTests = Callable[[str], tuple[int, str]]


@pytest.fixture(name="run_tests")
def _run_tests(tmp_path: Path) -> RunTests:
    (tmp_path / "rules.yaml").write_text(RULES)

    def run(tests: str) -> tuple[int, str]:
        path = tmp_path / "tests.yaml"
        head = "version: 1\nrule_files: [rules.yaml]\ntests:\n"
        path.write_text(head + "".join(f"  - {line}\n" for line in tests.splitlines()))
        done = CliRunner().invoke(main, ["test", str(path)])
        return done.exit_code, done.output

    return run


GONE = '{exit_reason: exited, exit_code: 3, text: "a\\nServiceError: refused"}'


@pytest.mark.parametrize(
    "test",
    [
        f"{{name: t, trainer: dpo, series: {{loss: 1x7}}, died: {GONE}, rules: [service_gone], "
        "expect: [{rule: service_gone, step: 7, severity: high, message: 'refused'}]}",
        f"{{name: t, trainer: dpo, died: {GONE}, rules: [service_gone], "
        "expect: [{rule: service_gone, step: 1}]}",
        "{name: t, trainer: dpo, died: {exit_reason: exited, text: no service}, "
        "silent: [service_gone]}",
    ],
)
def test_a_test_says_how_the_run_dies_after_its_last_row(run_tests: RunTests, test: str) -> None:
    code, output = run_tests(test)
    assert code == 0, output


@pytest.mark.parametrize(
    ("test", "what"),
    [
        (
            "{name: t, trainer: dpo, series: {loss: 1x7}, silent: [service_gone]}",
            "service_gone is silent, but could not judge: the run does not die; give 'died'",
        ),
        (
            f"{{name: t, trainer: dpo, died: {GONE}, silent: [service_gone]}}",
            "service_gone fires, and must be silent",
        ),
        ("{name: t, trainer: dpo, expect: []}", "needs a 'series', an 'eval_series' or 'died'"),
        (
            "{name: t, trainer: dpo, died: {exit_reason: exitd}, expect: []}",
            "'exit_reason' cannot be 'exitd'; did you mean 'exited'?",
        ),
        ("{name: t, trainer: dpo, died: {text: x}, expect: []}", "key 'exit_reason' is missing"),
    ],
)
def test_a_test_that_fails_or_is_wrong_says_why(run_tests: RunTests, test: str, what: str) -> None:
    code, output = run_tests(test)
    assert code != 0
    assert what in output


def test_every_fact_and_every_value_of_a_crash_rule_is_taken_away_once() -> None:
    (rule,) = yaml.safe_load(RULES)["rules"]
    mutants = {each.change: each for each in mutants_of(rule) if each.kind is Kind.DELETION}
    first, second = rule["crash"]["text"]
    assert list(mutants) == [
        "crash always holds",
        "crash never holds",
        "crash/text deleted",
        f"crash/text: {first!r} deleted",
        f"crash/text: {second!r} deleted",
        "crash/exit_code deleted",
    ]
    assert mutants["crash/text deleted"].data["crash"] == {"exit_code": [3]}
    for mutant in mutants.values():
        text = yaml.safe_dump({"version": 1, "rules": [mutant.data]})
        load_bundle([Source("my.yaml", text.encode())])


def test_a_crash_rule_is_explained_in_words(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    page = CliRunner().invoke(main, ["explain", "service_gone", str(path)]).output
    for words in (
        "- the run dies, and every fact given here holds of it:",
        "    - what it said last matches one of these patterns:",
        "      - `ServiceError: .{0,80}refused`\n      - `no service`",
        "    - the exit code is `3`",
        "- fires as high when the run dies, and stays open",
        "Not on labelled runs: they do not record how they died.",
        "Recognised by what libraries and the system say, and by no number.",
    ):
        assert words in page, page


def test_the_example_on_the_page_of_the_language_is_a_rule_file(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["docs", "--output", str(tmp_path)])
    assert done.exit_code == 0, done.output
    page = (tmp_path / "language.md").read_text()
    (example,) = re.findall(r"```yaml\n(version: 1\n.*?)```", page, re.DOTALL)
    assert "scoring_service_gone" in {
        rule.id for rule in load_bundle([Source("my.yaml", example.encode())]).rules
    }


WORDLESS = [
    *((reason, None) for reason in load_schema("rules")["$defs"]["exit_reason"]["enum"]),
    *(("crashed", f"SIG{name}") for name in ("SEGV", "ABRT", "BUS", "FPE", "ILL")),
]


@pytest.mark.parametrize(("reason", "signal"), WORDLESS)
def test_a_run_that_dies_without_a_word_is_told_by_the_way_of_its_end(
    reason: str, signal: str | None
) -> None:
    """Only an exception without a text, and an end of which nothing is known, say no more."""
    rules = load_bundle(default_sources()).rules
    events = Engine(rules, RunDescription("sft", {}, 10, 1)).die(3, Death(reason, signal))
    known = [each for each in events if isinstance(each, InsightFired) and not each.caused_by]
    says_nothing = reason in ("exception", "unknown") or (reason == "crashed" and not signal)
    assert [each.rule == "training_died" for each in known] == [says_nothing]
