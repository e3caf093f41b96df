"""Lint of rules beside other rules: duplicate-rule and shadowed-rule."""

from __future__ import annotations

import textwrap

import pytest

from post_training_toolkit.rules.bundle import load_bundle
from post_training_toolkit.rules.lint import lint_bundle
from post_training_toolkit.rules.model import Source

_REST = """\
title: A title
message: a message
remediation: [do this]
citation: []
threshold_origin: empirical
detects: [loss_spike]
"""
MEAN = "metric: loss\nstatistic: mean\nwindow: 10\n"


def _found(*parts: str) -> list[tuple[str | None, str]]:
    """Lint rules a, b, ... and return which has which finding."""
    text = "version: 1\nrules:\n"
    for name, part in zip("abcdef", parts, strict=False):
        severity = "" if "\nseverity:" in part else "severity: high\n"
        body = textwrap.indent(f"{part.rstrip()}\n{severity}{_REST}", "    ")
        text += f"  - id: {name}\n{body}"
    bundle = load_bundle([Source("my.yaml", text.encode())])
    return [(finding.rule, finding.code) for finding in lint_bundle(bundle, ["my.yaml"])]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (MEAN + "threshold: {above: 2}", MEAN + "threshold: {above: 2.0}"),
        (MEAN + "threshold: {above: 2}", MEAN + "threshold: {above: 1 + 1}"),
        (
            "not: {metric: loss, threshold: {above: 2}}",
            "not: {metric: loss, threshold: {above: 2}, label: x}",
        ),
        (
            MEAN + "threshold: {above: 2}\nwhere: {fp16: [true, null]}",
            MEAN + "threshold: {above: 2}\nwhere: {fp16: [null, true]}",
        ),
        (
            "all:\n"
            "  - {metric: loss, threshold: {above: 1}}\n"
            "  - {metric: entropy, threshold: {below: 1}}",
            "all:\n"
            "  - {metric: entropy, threshold: {below: 1}, label: e}\n"
            "  - {metric: loss, threshold: {above: 1.0}}",
        ),
        (MEAN + "threshold: {above: beta}", MEAN + "threshold: {above: beta}"),
        (
            "metric: loss\nstatistic: {name: page_hinkley, delta: 1, direction: up}\nwindow: 20\n"
            "threshold: {above: 1}",
            "metric: loss\nstatistic: {name: page_hinkley, direction: up, delta: 1}\nwindow: 20\n"
            "threshold: {above: 1}",
        ),
        (
            "metric: loss\nstatistic: {name: fraction, above: 2}\nwindow: 20\n"
            "threshold: {above: 0.5}",
            "metric: loss\nstatistic: {name: fraction, above: 2.0}\nwindow: 20\n"
            "threshold: {above: 0.5}",
        ),
    ],
)
def test_the_later_of_two_rules_with_one_condition_and_gate_is_a_duplicate(
    first: str, second: str
) -> None:
    assert _found(first, second) == [("b", "duplicate-rule")]


@pytest.mark.parametrize(
    "change",
    [
        "threshold: {above: 2}\nwindow: 11\nmetric: loss\nstatistic: mean",
        "threshold: {above: 2}\nwindow: 10\nmetric: entropy\nstatistic: mean",
        "threshold: {above: 2}\nwindow: 10\nmetric: loss\nstatistic: median",
        "threshold: {below: 2}\nwindow: 10\nmetric: loss\nstatistic: mean",
        "threshold: {above: beta}\nwindow: 10\nmetric: loss\nstatistic: mean",
        "threshold: {above: 2, relative_to: baseline}\nwindow: 10\nmetric: loss\nstatistic: mean",
    ],
)
def test_rules_that_differ_in_what_they_look_at_are_no_duplicates(change: str) -> None:
    assert _found(MEAN + "threshold: {above: 2}", change) == []


@pytest.mark.parametrize(
    "gate",
    [
        "trainers: [sft]",
        "where: {fp16: [true]}",
        "learning_rate_phase: [decay]",
        "after: {steps: 2}",
        'trl: ">=1"',
    ],
)
def test_rules_of_different_runs_are_no_duplicates(gate: str) -> None:
    part = MEAN + "threshold: {above: 2}\n"
    other = {
        "trainers: [sft]": "trainers: [dpo]",
        "where: {fp16: [true]}": "where: {fp16: [false]}",
    }
    assert ("b", "duplicate-rule") not in _found(part + gate, part + other.get(gate, ""))


def test_a_duplicate_of_a_rule_of_another_file_names_its_place() -> None:
    part = textwrap.indent(f"{MEAN}threshold: {{above: 2}}\nseverity: high\n{_REST}", "    ")
    sources = [
        Source(f"{name}.yaml", f"version: 1\nrules:\n  - id: {name}\n{part}".encode())
        for name in ("one", "two")
    ]
    [finding] = lint_bundle(load_bundle(sources), ["two.yaml"])
    assert str(finding) == (
        "two.yaml:3:5: rule 'two': has the condition and the gate of rule 'one' at one.yaml:3; "
        "keep one"
    )


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ("threshold: {above: 2}", "threshold: {above: 3}"),
        ("threshold: {below: 3}", "threshold: {below: 2}"),
        ("threshold: {between: [1, 5]}", "threshold: {between: [2, 5]}"),
        ("threshold: {outside: [2, 3]}", "threshold: {outside: [1, 3]}"),
        ("threshold: {above: 2}", "threshold: {between: [2.5, 5]}"),
        ("threshold: {above: 2}", "threshold: {equals: 3, tolerance: 0.5}"),
        (
            "threshold: {above: 2, relative_to: baseline}",
            "threshold: {above: 3, relative_to: baseline}",
        ),
        (
            "threshold: {below: 0.5, relative_to: running_best, reference_at_least: 1}",
            "threshold: {below: 0.5, relative_to: running_best, reference_at_least: 2}",
        ),
        ("threshold: {above: 2}\nfor: 2", "threshold: {above: 2}\nfor: 3"),
        ("threshold: {above: 2}", "threshold: {above: 3}\ntrainers: [dpo]"),
        (
            "threshold: {above: 2}\ntrainers: [dpo, sft]",
            "threshold: {above: 3}\ntrainers: [dpo]",
        ),
        (
            "threshold: {above: 2}\nwhere: {fp16: [true, false]}",
            "threshold: {above: 3}\nwhere: {fp16: [true], bf16: [false]}",
        ),
        ("threshold: {above: 2}\nafter: {steps: 5}", "threshold: {above: 3}\nafter: {steps: 6}"),
        (
            "threshold: {above: 2}\nafter: {fraction: 0.1, at_most_steps: 50}",
            "threshold: {above: 3}\nafter: {fraction: 0.2, at_most_steps: 60}",
        ),
        ("threshold: {above: 2}", "threshold: {above: 3}\nuntil: {steps: 60}"),
        (
            "threshold: {above: 2}\nlearning_rate_phase: [decay, warmup]",
            "threshold: {above: 3}\nlearning_rate_phase: [decay]",
        ),
        ("threshold: {above: 2}", 'threshold: {above: 3}\ntrl: ">=1"'),
        ("threshold: {above: 2}", "threshold: {above: 3}\nseverity: medium"),
    ],
)
def test_a_rule_whose_threshold_another_crosses_earlier_is_shadowed_but_not_the_other(
    wide: str, narrow: str
) -> None:
    assert _found(MEAN + wide, MEAN + narrow) == [("b", "shadowed-rule")]
    assert _found(MEAN + narrow, MEAN + wide) == [("a", "shadowed-rule")]


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        # Milder, so that it warns before the other.
        ("threshold: {above: 2}\nseverity: medium", "threshold: {above: 3}"),
        (
            "threshold: {above: 2}",
            "threshold: {above: 3}\nescalation: {severity: critical, threshold: {above: 4}}",
        ),
        # Asks for longer.
        ("threshold: {above: 2}\nfor: 4", "threshold: {above: 3}\nfor: 3"),
        ("threshold: {above: 2}\ncool_down: 9", "threshold: {above: 3}"),
        # Applies in fewer runs, or at fewer steps.
        ("threshold: {above: 2}\ntrainers: [dpo]", "threshold: {above: 3}"),
        ("threshold: {above: 2}\ntrainers: [dpo]", "threshold: {above: 3}\ntrainers: [sft, dpo]"),
        ("threshold: {above: 2}\nwhere: {fp16: [true]}", "threshold: {above: 3}"),
        (
            "threshold: {above: 2}\nwhere: {fp16: [true]}",
            "threshold: {above: 3}\nwhere: {fp16: [true, false]}",
        ),
        ("threshold: {above: 2}\nafter: {steps: 5}", "threshold: {above: 3}"),
        ("threshold: {above: 2}\nafter: {observations: 5}", "threshold: {above: 3}"),
        (
            "threshold: {above: 2}\nafter: {fraction: 0.1}",
            "threshold: {above: 3}\nafter: {fraction: 0.2, at_most_steps: 60}",
        ),
        ("threshold: {above: 2}\nuntil: {steps: 60}", "threshold: {above: 3}"),
        (
            "threshold: {above: 2}\nuntil: {fraction: 0.5}",
            "threshold: {above: 3}\nuntil: {fraction: 0.6}",
        ),
        ("threshold: {above: 2}\nlearning_rate_phase: [decay]", "threshold: {above: 3}"),
        ('threshold: {above: 2}\ntrl: ">=2"', 'threshold: {above: 3}\ntrl: ">=1"'),
        ("threshold: {above: 2}\nstatus: experimental", "threshold: {above: 3}"),
        # Not implied.
        ("threshold: {above: 2}", "threshold: {above: 1 + beta}"),
        ("threshold: {above: 2}", "threshold: {above: 3, relative_to: baseline}"),
        ("threshold: {above: 2}", "threshold: {below: 1}"),
        ("threshold: {above: 2.6}", "threshold: {equals: 3, tolerance: 0.5}"),
        (
            "threshold: {above: 1.2, relative_to: running_best}",
            "threshold: {below: 0.8, relative_to: running_best}",
        ),
        ("threshold: {above: 2}", "threshold: {between: [2, 5]}"),
        ("threshold: {between: [1, 3]}", "threshold: {between: [2, 4]}"),
        (
            "threshold: {below: 0.5, relative_to: running_best, reference_at_least: 2}",
            "threshold: {below: 0.4, relative_to: running_best, reference_at_least: 1}",
        ),
    ],
)
def test_a_rule_that_can_say_something_first_or_alone_is_not_shadowed(
    wide: str, narrow: str
) -> None:
    assert _found(MEAN + wide, MEAN + narrow) == []


LOSS = "{metric: loss, threshold: {above: 2}}"
HIGHER = "{metric: loss, threshold: {above: 3}}"
ENTROPY = "{metric: entropy, threshold: {below: 1}}"


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        (f"any: [{LOSS}]", f"all: [{HIGHER}, {ENTROPY}]"),
        (f"any: [{LOSS}, {ENTROPY}]", f"any: [{HIGHER}, {ENTROPY}]"),
        (f"all: [{LOSS}, {ENTROPY}]", f"all: [{HIGHER}, {ENTROPY}]"),
        (f"any: [{LOSS}, {ENTROPY}]", "metric: loss\nthreshold: {above: 3}"),
        (
            f"all:\n  - {LOSS}\n  - not: {ENTROPY}",
            f"all:\n  - {HIGHER}\n  - not: {ENTROPY}",
        ),
    ],
)
def test_joined_conditions_are_compared_part_by_part(wide: str, narrow: str) -> None:
    assert _found(wide, narrow) == [("b", "shadowed-rule")]
    assert ("a", "shadowed-rule") not in _found(wide, narrow)


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        (f"all: [{LOSS}, {ENTROPY}]", "metric: loss\nthreshold: {above: 3}"),
        (
            f"all: [{LOSS}, {ENTROPY}]",
            f"all: [{{metric: loss, statistic: change, threshold: {{above: 3}}}}, {ENTROPY}]",
        ),
        (f"any: [{LOSS}]", f"any: [{HIGHER}, {ENTROPY}]"),
        (f"not: {HIGHER}", f"not: {LOSS}"),
        # With a second metric the narrow rule has more observations, and reaches its 'for' sooner.
        (f"all: [{LOSS}]\nfor: 3", f"all: [{HIGHER}, {ENTROPY}]\nfor: 3"),
    ],
)
def test_joined_conditions_that_do_not_imply_each_other_shadow_nothing(
    wide: str, narrow: str
) -> None:
    assert _found(wide, narrow) == []


def test_a_shadowed_rule_is_told_which_rule_shadows_it() -> None:
    parts = [MEAN + "threshold: {above: 2}", MEAN + "threshold: {above: 3}"]
    text = "version: 1\nrules:\n" + "".join(
        f"  - id: {name}\n" + textwrap.indent(f"{part}\nseverity: high\n{_REST}", "    ")
        for name, part in zip("ab", parts, strict=True)
    )
    bundle = load_bundle([Source("my.yaml", text.encode())])
    [finding] = lint_bundle(bundle, ["my.yaml"])
    assert str(finding) == (
        "my.yaml:15:5: rule 'b': never says more than rule 'a' (high, my.yaml:3), which holds "
        "wherever this one does; raise its severity, narrow the other, or drop it"
    )


def test_of_two_that_imply_each_other_the_later_is_told() -> None:
    alone, joined = "metric: loss\nthreshold: {above: 2}", f"any: [{LOSS}]"
    assert _found(alone, joined) == [("b", "shadowed-rule")]
    assert _found(joined, alone) == [("b", "shadowed-rule")]


def test_of_three_equal_in_turn_only_the_first_is_left_alone() -> None:
    part = MEAN + "threshold: {above: 2}"
    assert _found(part, part, part) == [("b", "duplicate-rule"), ("c", "duplicate-rule")]
