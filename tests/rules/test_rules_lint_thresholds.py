"""Lint of one rule: thresholds that never or always hold, gates that close too early, sources."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from post_training_toolkit.rules.bundle import load_bundle
from post_training_toolkit.rules.lint import lint_bundle
from post_training_toolkit.rules.model import Source

Lint = Callable[[str], list[tuple[str, str, str]]]


@pytest.fixture(name="lint")
def _lint(rule_file: Callable[[str], str]) -> Lint:
    """Lint the rule that a part completes to; code, line:column and message of each finding."""

    def lint(part: str) -> list[tuple[str, str, str]]:
        bundle = load_bundle([Source("my.yaml", rule_file(part).encode())])
        return [
            (each.code, f"{each.line}:{each.column}", each.message)
            for each in lint_bundle(bundle, ["my.yaml"])
        ]

    return lint


def _part(metric: str, statistic: str, threshold: str) -> str:
    windowless = statistic in ("last", "change", "age")
    window = "" if windowless else "window: 10\n"
    head = f"trainers: [dpo]\nmetric: {metric}\nstatistic: {statistic}\n"
    return f"{head}{window}threshold: {threshold}"


@pytest.mark.parametrize(
    ("metric", "statistic", "threshold"),
    [
        ("loss", "std", "{below: 0}"),
        ("loss", "iqr", "{below: -1}"),
        ("loss", "range", "{between: [-2, -1]}"),
        ("loss", "age", "{below: 0}"),
        ("loss", "{name: fraction, above: 3}", "{above: 1}"),
        ("loss", "{name: fraction, above: 3}", "{equals: 1.5, tolerance: 0.4}"),
        ("loss", "{name: correlation, with: entropy}", "{above: 1}"),
        ("loss", "{name: correlation, with: entropy}", "{below: -1}"),
        ("loss", "{name: page_hinkley}", "{below: 0}"),
        ("loss", "{name: adwin, direction: down}", "{above: 0}"),
        ("win_rate", "last", "{above: 1}"),
        ("win_rate", "mean", "{above: 60}"),
        ("eval_win_rate", "{name: quantile, q: 0.9}", "{below: 0}"),
        ("rewards/accuracies", "max", "{outside: [0, 1]}"),
        ("win_rate", "change", "{above: 1}"),
        ("win_rate", "std", "{above: 0.6}"),
        ("win_rate", "range", "{above: 1}"),
        ("grad_norm", "ewmean", "{below: 0}"),
        ("grad_norm", "mean", "{below: 0, relative_to: baseline}"),
        ("win_rate", "mean", "{above: 1, difference_from: baseline}"),
    ],
)
def test_a_threshold_outside_of_what_the_statistic_can_be_never_holds(
    lint: Lint, metric: str, statistic: str, threshold: str
) -> None:
    [(code, place, message)] = lint(_part(metric, statistic, threshold))
    assert code == "threshold-never"
    assert "can never hold: " in message
    # At the bound, which stands behind '    threshold: {above: '.
    line = 8 if "window" in _part(metric, statistic, threshold) else 7
    assert place == f"{line}:{len('    threshold: ') + threshold.index(':') + 3}"


@pytest.mark.parametrize(
    ("metric", "statistic", "threshold"),
    [
        ("loss", "std", "{above: -1}"),
        ("loss", "{name: fraction, above: 3}", "{between: [0, 1]}"),
        ("loss", "{name: page_hinkley, direction: down}", "{below: 1}"),
        ("win_rate", "mean", "{below: 60}"),
        ("win_rate", "mean", "{outside: [45, 55]}"),
        ("win_rate", "mean", "{equals: 0.5, tolerance: 0.5}"),
        ("grad_norm", "mean", "{above: -0.1}"),
        ("loss", "mean", "{below: 1.1, relative_to: running_best}"),
        ("loss", "mean", "{above: 0.9, relative_to: running_best}"),
        ("loss", "mean", "{above: -0.1, difference_from: running_best}"),
        ("loss", "mean", "{below: 0.1, difference_from: running_best}"),
    ],
)
def test_a_threshold_around_all_that_the_statistic_can_be_always_holds(
    lint: Lint, metric: str, statistic: str, threshold: str
) -> None:
    [(code, _, message)] = lint(_part(metric, statistic, threshold))
    assert code == "threshold-always"
    assert " always holds: " in message


@pytest.mark.parametrize(
    ("metric", "statistic", "threshold"),
    [
        ("loss", "std", "{above: 0}"),
        ("loss", "mean", "{below: -5}"),
        ("loss", "age", "{above: 100}"),
        ("loss", "change", "{below: -5}"),
        ("loss", "zscore", "{above: 10}"),
        ("loss", "slope", "{below: 0}"),
        ("loss", "river.stats.Kurtosis", "{above: 10}"),
        ("loss", "{name: fraction, above: 3}", "{above: 0.99}"),
        ("loss", "{name: fraction, above: 3}", "{equals: 1}"),
        ("loss", "{name: correlation, with: entropy}", "{below: -0.9}"),
        ("loss", "{name: page_hinkley}", "{above: 0}"),
        ("loss", "{name: adwin, direction: down}", "{below: 0}"),
        ("win_rate", "last", "{equals: 1}"),
        ("win_rate", "last", "{outside: [0, 0.9]}"),
        ("win_rate", "mean", "{above: 2, relative_to: baseline}"),
        ("win_rate", "std", "{above: 0.5}"),
        ("win_rate", "mean", "{below: -0.9, difference_from: baseline}"),
        ("grad_norm", "mean", "{below: 0.1}"),
        ("loss", "mean", "{below: 0.9, relative_to: running_best}"),
        ("loss", "mean", "{above: 1.1, relative_to: running_best}"),
        ("loss", "mean", "{below: 0, relative_to: baseline}"),
        # What depends on the run is not judged.
        ("win_rate", "mean", "{above: 60 * beta}"),
    ],
)
def test_a_threshold_within_reach_is_no_finding(
    lint: Lint, metric: str, statistic: str, threshold: str
) -> None:
    assert lint(_part(metric, statistic, threshold)) == []


def test_what_a_fraction_counts_is_judged_too(lint: Lint) -> None:
    part = _part("win_rate", "{name: fraction, above: 60}", "{above: 0.5}")
    assert lint(part) == [
        (
            "threshold-never",
            "6:40",
            "'above 60' can never hold: win_rate is between 0 and 1",
        )
    ]


def test_the_second_level_is_judged_where_it_stands(lint: Lint) -> None:
    part = _part("win_rate", "mean", "{below: 0.4}")
    part += "\nescalation: {severity: critical, threshold: {below: 0}}"
    assert [finding[:2] for finding in lint(part)] == [("threshold-never", "9:57")]


def test_what_the_second_level_takes_over_from_the_first_is_told_once(lint: Lint) -> None:
    part = (
        "trainers: [dpo]\nall:\n"
        "  - {metric: win_rate, threshold: {above: 60}}\n"
        "  - {metric: loss, threshold: {above: 2}, label: level}\n"
        "escalation: {severity: critical, label: level, threshold: {above: 4}}"
    )
    assert [finding[:2] for finding in lint(part)] == [("threshold-never", "6:47")]


def test_a_metric_is_judged_by_the_widest_range_among_the_trainers(lint: Lint) -> None:
    part = _part("entropy", "mean", "{below: -1}")
    assert lint(part.replace("[dpo]", "[dpo, grpo]")) == []
    part = _part("win_rate", "mean", "{above: 60}").replace("[dpo]", "[dpo, reward]")
    assert [finding[0] for finding in lint(part)] == ["threshold-never"]


MEAN = "metric: loss\nstatistic: mean\nthreshold: {above: 5}\n"


@pytest.mark.parametrize(
    ("part", "needed", "allowed"),
    [
        ("window: 30\nuntil: {steps: 20}", 30, 20),
        ("window: 20\nfor: 2\nuntil: {steps: 20}", 21, 20),
        ("window: 5\nafter: {observations: 18}\nfor: 4\nuntil: {steps: 20}", 21, 20),
        ("window: {fraction: 0.1, at_least: 30, at_most: 50}\nuntil: {steps: 20}", 30, 20),
    ],
)
def test_a_gate_that_closes_before_the_window_can_fill_is_a_finding(
    lint: Lint, part: str, needed: int, allowed: int
) -> None:
    [(code, place, message)] = lint(MEAN + part)
    assert code == "warm-up-too-short"
    assert place == f"{7 + part[: part.index('until')].count(chr(10))}:12"
    assert f"'until' allows the first {allowed}, and the rule needs {needed};" in message


def test_a_share_of_the_run_is_too_long_only_if_it_is_in_every_run(lint: Lint) -> None:
    part = MEAN + "until: {fraction: 0.1}\nwindow: {fraction: 0.2, at_least: 5, at_most: "
    # A run of 7,000,000 rows fills a window of 100,000 within its first tenth.
    assert lint(part + "100000}") == []
    baseline = "after: {fraction: 0.0999}\nfor: 100000\n"
    assert [each[0] for each in lint(baseline + part + "9}")] == ["warm-up-too-short"]


@pytest.mark.parametrize(
    "part",
    [
        "window: 30",
        "window: 30\nafter: {observations: 5}",
        "window: 20\nuntil: {steps: 20}",
        "window: 18\nfor: 3\nuntil: {steps: 20}",
        # Too long for short runs, and of use in long ones.
        "window: 500\nuntil: {fraction: 0.1}",
        "window: {fraction: 0.1, at_least: 1, at_most: 100000}\nuntil: {fraction: 0.1}",
        "window: run\nuntil: {steps: 20}",
    ],
)
def test_a_long_window_alone_is_none(lint: Lint, part: str) -> None:
    assert lint(MEAN + part) == []


def test_a_reference_over_earlier_observations_needs_one_more(lint: Lint) -> None:
    part = (
        "metric: loss\nuntil: {steps: 20}\n"
        "threshold: {above: 2, relative_to: {statistic: median, window: 20}}"
    )
    assert [finding[0] for finding in lint(part)] == ["warm-up-too-short"]
    assert lint(part.replace("window: 20", "window: 19")) == []


@pytest.mark.parametrize(
    ("condition", "fires"),
    [
        ("any: [{short}, {long}]", True),
        ("all: [{short}, {long}]", False),
        ("not: {long}", False),
        ("not: {{all: [{short}, {long}]}}", True),
    ],
)
def test_joined_conditions_need_what_their_parts_need(
    lint: Lint, condition: str, fires: bool
) -> None:
    long = "{metric: loss, statistic: mean, window: 30, threshold: {above: 5}}"
    short = "{metric: entropy, threshold: {above: 5}}"
    part = f"until: {{steps: 20}}\n{condition.format(short=short, long=long)}"
    assert [finding[0] for finding in lint(part)] == ([] if fires else ["warm-up-too-short"])


def _citing(*entries: str) -> str:
    return "citation:\n" + "".join(f"  - {entry}\n" for entry in entries)


def test_sources_without_one_for_the_mechanism_are_a_finding(lint: Lint) -> None:
    part = _citing(
        "{title: T, locator: Eq. 1, supports: remedy}",
        "{title: U, locator: Eq. 1, supports: threshold}",
    )
    message = "cites sources for remedy and threshold only; add one that 'supports: mechanism'"
    assert lint(part) == [("citation-missing", "5:7", message)]
    assert lint(part + "  - {title: V, locator: Eq. 2, supports: mechanism}") == []


def test_a_number_that_nobody_printed_needs_no_source(lint: Lint) -> None:
    assert lint("citation: []\nthreshold_origin: empirical") == []
    assert lint("citation: []\nthreshold_origin: derivation") == []


@pytest.mark.parametrize(
    "where",
    [
        "arxiv: '2305.18290'",
        "doi: 10.1000/1",
        "url: https://huggingface.co/docs/trl",
        "year: 2024",
        "url: 'https://example.org/page#'",
    ],
)
def test_a_source_without_the_place_in_it_is_a_finding(lint: Lint, where: str) -> None:
    good = "{title: S, locator: Eq. 1, supports: mechanism}"
    message = "cites 'T' without 'locator'; name the section, equation, figure or function"
    found = lint(_citing(good, f"{{title: T, {where}, supports: remedy}}"))
    assert found == [("citation-without-locator", "6:9", message)]
    assert lint(_citing(good, f"{{title: T, {where}, locator: p. 2, supports: remedy}}")) == []


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/huggingface/trl/issues/1311",
        "https://github.com/huggingface/trl/pull/12#discussion_r1",
        "https://docs.example.org/trainer.html#arguments",
    ],
)
def test_an_address_that_leads_to_one_place_needs_no_other(lint: Lint, url: str) -> None:
    assert lint(_citing(f"{{title: T, url: '{url}', supports: mechanism}}")) == []
