"""ptt-rules explain: a rule in words."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from post_training_toolkit.engine.cli.main import main
from post_training_toolkit.engine.rule_words import comparison_words, gate_items
from post_training_toolkit.rules import figures
from post_training_toolkit.rules.bundle import load_bundle
from post_training_toolkit.rules.condition import metric_conditions
from post_training_toolkit.rules.model import Rule, Source
from post_training_toolkit.rules.sources import shipped_sources

RULES = load_bundle(shipped_sources()).rules

OWN = """\
version: 1
rules:
  - id: mine
    title: Mine
    description: The loss is worse than it was.
    trainers: [sft]
    where: {fp16: [false, null]}
    trl: ">=1.12"
    after: {fraction: 0.1, at_most_steps: 500}
    until: {steps: 9000}
    metric: loss
    statistic: mean
    window: 10
    threshold: {above: 3, relative_to: baseline}
    for: 3
    keep_firing_for: 7
    cool_down: 20
    severity: medium
    escalation: {severity: high, threshold: {above: 9, relative_to: baseline}, for: 2}
    inhibits: [loss_spike]
    tags: [stability]
    renamed_from: [ours]
    detects: [loss_divergence]
    message: "loss {value:.2f}"
    remediation: [Lower learning_rate.]
    citation:
      - {title: A Source, authors: Ann Author, year: 2024, locator: Eq. 7, supports: mechanism}
    threshold_origin: empirical
    false_alarms: [A new data mixture.]
"""
TESTS = """\
version: 1
tests:
  - name: a loss that triples is told
    trainer: sft
    series: {loss: 1x20 3.5x20}
    rules: [mine]
    expect: [{rule: mine, step: 33}]
  - name: a flat loss is none
    trainer: sft
    series: {loss: 1x40}
    rules: [mine]
    expect: []
"""


EXPLAINED = """\
mine: Mine

The loss is worse than it was.

Says
  loss {value:.2f}

Holds when
  - the mean of `loss` over the last 10 observations, divided by its level early in the run, is
    above `3`

Is judged
  - in runs of sft
  - where `fp16` is False or not known
  - with TRL >=1.12
  - after 10 % of the planned steps, from step 500 on at the latest
  - until step 9000

Fires, and for how long
  - fires as medium when it has held for 3 observations in a row
  - rises to high when this holds for 2 observations in a row:
    - the mean of `loss` over the last 10 observations, divided by its level early in the run, is
      above `9`
  - is resolved after 7 observations in a row without trouble
  - does not begin anew within 20 observations after that

Why
  Where the number comes from: it was chosen on runs, and nobody printed it. Sources:
  - for why: Ann Author (2024), "A Source", Eq. 7

What to do
  - Lower learning_rate.

Known false alarms
  - A new data mixture.

Causes and consequences
  - it folds the insights of `loss_spike`

Unit tests
  - a loss that triples is told (fires at step 33)
  - a flat loss is none (stays silent)

Measured
  Not measured yet.

Belongs to
  - detects `loss_divergence`
  - tags `stability`
  - was called `ours` before
"""


@pytest.fixture(name="own")
def _own(tmp_path: Path) -> str:
    (tmp_path / "mine.yaml").write_text(OWN)
    (tmp_path / "mine.test.yaml").write_text(TESTS)
    return str(tmp_path)


def _explain(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["explain", *arguments])


def test_everything_that_the_file_says_is_said_in_words(own: str) -> None:
    done = _explain("mine", own)
    assert (done.exit_code, done.stderr) == (0, "")
    shown = done.stdout.rpartition("  - written in")[0]
    assert shown == EXPLAINED


def test_a_consequence_names_its_cause(own: str) -> None:
    lines = _explain("loss_spike", own).stdout.splitlines()
    start = next(k for k, line in enumerate(lines) if "its insights are folded under those" in line)
    folded = " ".join(lines[start : start + 4])
    assert "`mine`" in folded
    assert "`loss_divergence`" in folded


def test_an_id_of_before_leads_to_the_rule(own: str) -> None:
    assert _explain("ours", own).stdout == _explain("mine", own).stdout


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_shipped_rule_is_explained_in_full(rule: Rule) -> None:
    done = _explain(rule.id)
    assert (done.exit_code, done.stderr) == (0, "")
    flat = " ".join(done.stdout.split())
    parts = [rule.title, rule.description, rule.message.text, *rule.remediation, *rule.false_alarms]
    parts += [str(citation) for citation in rule.citations]
    for part in parts:
        assert " ".join(part.split()) in flat
    assert rule.description
    for heading in ("Why", "What to do", "Known false alarms", "Unit tests", "Measured"):
        assert f"\n\n{heading}\n  " in done.stdout
    assert "(fires at step" in flat
    assert all(len(line) <= 100 or " " not in line.strip(" -") for line in done.stdout.splitlines())


@pytest.mark.parametrize("mistake", ["trainer: sft\n    trainer: sft", "trianer: sft"])
def test_a_test_file_with_a_mistake_promises_nothing(own: str, mistake: str) -> None:
    path = Path(own) / "mine.test.yaml"
    path.write_text(TESTS.replace("trainer: sft", mistake))
    assert "Unit tests\n  None was found." in _explain("mine", own).stdout


def test_an_unknown_id_is_wrong_usage_with_a_guess() -> None:
    done = _explain("los_spike")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "there is no rule 'los_spike'; did you mean 'loss_spike'?" in done.stderr
    done = _explain("qqqqqq")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "there is no rule 'qqqqqq'; see ptt-rules list" in done.stderr


def test_measured_figures_are_shown_where_they_ship(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = figures.RuleFigures(2, 3, 0, 1200, 7.5)
    silent = figures.RuleFigures(0, 0, 2, 900, None)
    measured = (
        figures.Measurement("57 runs", {"loss_spike": found}),
        figures.Measurement("9 others", {"loss_spike": silent}),
    )
    (tmp_path / "figures.json").write_text(figures.figures_text(measured))
    monkeypatch.setattr(figures, "files", lambda _: tmp_path)
    figures.load_figures.cache_clear()
    try:
        assert figures.load_figures() == measured
        assert FIGURES in _explain("loss_spike").stdout
        # Of a rule that was not among them nothing is claimed.
        assert "Measured\n  Not measured yet." in _explain("grad_norm_zero").stdout
    finally:
        figures.load_figures.cache_clear()


FIGURES = """\
Measured
  As shipped, on labelled runs of its trainers:
  - 57 runs: right in 2 of 3 runs that show what it detects, 7.5 logged steps after the onset
    (median); no false alarm, 1,200 healthy logged steps seen
  - 9 others: no run shows what it detects; 2 false alarms, 900 healthy logged steps seen
"""


def _rule(part: str) -> Rule:
    text = OWN[: OWN.index("    trainers")] + textwrap.indent(part, "    ") + "\n"
    text += OWN[OWN.index("    for: 3") :].replace("    escalation:", "    # escalation:")
    bundle = load_bundle([*shipped_sources(), Source("my.yaml", text.encode())])
    return next(rule for rule in bundle.rules if rule.id == "mine")


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("metric: loss\nthreshold: {below: 1}", "the newest `loss` is below `1`"),
        (
            "metric: loss\nthreshold: {non_finite: true}",
            "`loss` is logged as NaN or infinite",
        ),
        ("metric: loss\nthreshold: {missing: true}", "`loss` is logged as null"),
        (
            "metric: loss\nstatistic: change\nthreshold: {outside: [-1, beta]}",
            "the change of `loss` from one observation to the next is outside `-1` and `beta`",
        ),
        (
            "metric: loss\nstatistic: age\nthreshold: {above: 50}",
            "the number of steps since `loss` was last logged is above `50`",
        ),
        (
            "metric: loss\nstatistic: {name: quantile, q: 0.9}\nwindow: run\n"
            "threshold: {between: [1, 2]}",
            "the 0.9 quantile of `loss` over the whole run is between `1` and `2`",
        ),
        (
            "metric: loss\nstatistic: {name: fraction, above: 3}\nwindow: 10\n"
            "threshold: {equals: 0.5, tolerance: 0.1}",
            "the share of the last 10 observations in which `loss` is above `3` "
            "equals `0.5` within `0.1`",
        ),
        (
            "metric: loss\nstatistic: {name: correlation, with: entropy}\nwindow: 10\n"
            "threshold: {below: -0.9}",
            "the correlation of the changes of `loss` and `entropy` over the last 10 observations "
            "is below `-0.9`",
        ),
        (
            "metric: loss\nstatistic: page_hinkley\nwindow: 20\nthreshold: {above: 3}",
            "the change of level (page_hinkley, up) of `loss` from the first 20 observations "
            "is above `3`",
        ),
        (
            "metric: loss\nstatistic: river.stats.Kurtosis\nwindow: run\nthreshold: {above: 3}",
            "`river.stats.Kurtosis` of `loss` over the whole run is above `3`",
        ),
        (
            "metric: loss\nstatistic: median\n"
            "window: {fraction: 0.05, at_least: 5, at_most: 20}\n"
            "threshold: {above: 3, difference_from: running_best, reference_at_least: 1}",
            "the median of `loss` over the last 5 % of the planned observations (5 to 20 of them), "
            "minus its best so far, is above `3` (not judged while that reference is below 1)",
        ),
        (
            "metric: loss\nthreshold: {above: 3, relative_to: {statistic: std, window: 9}}",
            "the newest `loss`, divided by the standard deviation of the same metric over the last "
            "9 observations before the newest, is above `3`",
        ),
        (
            "metric: loss\nthreshold: {above: 3, relative_to: {metric: entropy, statistic: last}}",
            "the newest `loss`, divided by the newest `entropy`, is above `3`",
        ),
    ],
)
def test_comparisons_in_words(part: str, words: str) -> None:
    [condition] = metric_conditions(_rule(part).condition)
    assert comparison_words(condition) == words


def test_joined_conditions_are_a_nested_list(tmp_path: Path) -> None:
    part = (
        "any:\n"
        "  - {metric: loss, threshold: {above: 1}}\n"
        "  - all:\n"
        "      - {metric: entropy, threshold: {below: 1}}\n"
        "      - not: {metric: loss, threshold: {below: 2}}\n"
    )
    text = OWN[: OWN.index("    metric:")] + textwrap.indent(part, "    ")
    text += OWN[OWN.index("    for: 3") :].replace("    escalation:", "    # escalation:")
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    shown = _explain("mine", str(path)).stdout
    assert (
        "\n".join(
            [
                "  - at least one of these holds:",
                "    - the newest `loss` is above `1`",
                "    - all of these hold:",
                "      - the newest `entropy` is below `1`",
                "      - this does not hold:",
                "        - the newest `loss` is below `2`",
            ]
        )
        in shown
    )


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("", "in runs of every trainer"),
        ("after: {observations: 10}", "from observation 10 of its metrics on"),
        ("after: {steps: 10}", "from step 10 on"),
        ("after: {fraction: 0.25}", "after 25 % of the planned steps"),
        ("until: {fraction: 0.025}", "until 2.5 % of the planned steps"),
        (
            "learning_rate_phase: [decay, warmup]",
            "while the learning rate is in its phase of decay or warmup",
        ),
        ("where: {loss_type: [ipo, hinge]}", "where `loss_type` is `ipo` or `hinge`"),
    ],
)
def test_gates_in_words(part: str, words: str) -> None:
    rule = _rule(f"{part}\nmetric: loss\nthreshold: {{above: 1}}")
    assert [item.text for item in gate_items(rule.gate)][-1] == words
