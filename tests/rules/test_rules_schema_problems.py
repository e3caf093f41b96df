"""Files that break the schema: every mistake is told in words, where it is."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        # The file as a whole.
        ("hello", ["my.yaml:1:1: a rule file must be a mapping of keys to values, not 'hello'"]),
        ("- a", ["my.yaml:1:1: a rule file must be a mapping of keys to values, not a list"]),
        ("rules: []", ["my.yaml:1:1: key 'version' is missing: Version of the rule language."]),
        ("version: 2", ["my.yaml:1:10: 'version' must be 1"]),
        ("version: '1'", ["my.yaml:1:10: 'version' must be 1"]),
        ("version: true", ["my.yaml:1:10: 'version' must be 1"]),
        ("version: 1\nrule: []", ["my.yaml:2:1: unknown key 'rule'; did you mean 'rules'?"]),
        (
            "version: 1\n? ''\n: 2",
            [
                "my.yaml:2:3: unknown key ''; "
                "there are extends, ignore, overrides, rules, select, version"
            ],
        ),
        (
            "version: 1\n7: 2",
            [
                "my.yaml:2:1: unknown key '7'; "
                "there are extends, ignore, overrides, rules, select, version"
            ],
        ),
        ("version: 1\nrules:", ["my.yaml:2:7: 'rules' must be a list, not empty"]),
        (
            "version: 1\nrules: {a: b}\noverrides: 3\nextends: pack:default",
            [
                "my.yaml:2:8: 'rules' must be a list, not a mapping of keys to values",
                "my.yaml:3:12: 'overrides' must be a list, not 3",
                "my.yaml:4:10: 'extends' must be a list, not 'pack:default'",
            ],
        ),
        (
            "version: 1\nextends: [1, '', {a: b}]",
            [
                "my.yaml:2:11: an item of 'extends' must be text, not 1",
                "my.yaml:2:14: an item of 'extends': '' should be non-empty",
                "my.yaml:2:18: an item of 'extends' must be text, not a mapping of keys to values",
            ],
        ),
        (
            "version: 1\nrules: [null, 1, []]",
            [
                "my.yaml:2:9: an item of 'rules' must be a mapping of keys to values, not empty",
                "my.yaml:2:15: an item of 'rules' must be a mapping of keys to values, not 1",
                "my.yaml:2:18: an item of 'rules' must be a mapping of keys to values, not a list",
            ],
        ),
        (
            "version: 1\noverrides:\n  - {id: a, reason: b, disable: no, severty: low}",
            [
                "my.yaml:3:33: rule 'a': 'disable' must be True",
                "my.yaml:3:37: rule 'a': unknown key 'severty'; did you mean 'severity'?",
            ],
        ),
    ],
)
def test_a_file_that_is_no_rule_file(
    problems_in: Callable[[str], list[str]], text: str, problems: list[str]
) -> None:
    assert problems_in(text) == problems


def test_every_missing_key_of_a_rule_is_told_at_once(
    problems_in: Callable[[str], list[str]],
) -> None:
    found = problems_in("version: 1\nrules:\n  - metric: loss\n    threshold: {above: 1}")
    # After the colon stands what the schema says of the key.
    assert [line.partition(" is missing")[0] for line in found] == [
        "my.yaml:3:5: key 'id'",
        "my.yaml:3:5: key 'title'",
        "my.yaml:3:5: key 'severity'",
        "my.yaml:3:5: key 'message'",
        "my.yaml:3:5: key 'remediation'",
        "my.yaml:3:5: key 'threshold_origin'",
        "my.yaml:3:5: key 'citation'",
        "my.yaml:3:5: key 'detects'",
    ]
    assert found[5].endswith(" is missing: Where the number comes from.")


@pytest.mark.parametrize(
    ("part", "problem"),
    [
        (
            "treshold: {above: 1}",
            "4:5: rule 'a': unknown key 'treshold'; did you mean 'threshold'?",
        ),
        ("Severity: low", "4:5: rule 'a': unknown key 'Severity'; did you mean 'severity'?"),
        (
            "threshold: {abov: 1, above: 1}\nmetric: loss",
            "4:17: rule 'a': unknown key 'abov'; did you mean 'above'?",
        ),
        ("severity: hgh", "4:15: rule 'a': 'severity' cannot be 'hgh'; did you mean 'high'?"),
        (
            "severity: urgent",
            "4:15: rule 'a': 'severity' cannot be 'urgent'; there are critical, high, low, medium",
        ),
        (
            "status: beta",
            "4:13: rule 'a': 'status' cannot be 'beta'; there are deprecated, experimental, stable",
        ),
        (
            "threshold_origin: papre",
            "4:23: rule 'a': 'threshold_origin' cannot be 'papre'; did you mean 'paper'?",
        ),
        (
            "trainers: [sft, dpoo]",
            "4:21: rule 'a': an item of 'trainers' cannot be 'dpoo'; did you mean 'dpo'?",
        ),
        (
            "statistic: meen\nwindow: 5\nmetric: x\nthreshold: {above: 1}",
            "4:16: rule 'a': 'statistic' cannot be 'meen'; did you mean 'mean'?",
        ),
        (
            "metric: x\nthreshold: {above: 1, relative_to: bseline}",
            "5:40: rule 'a': 'relative_to' cannot be 'bseline'; did you mean 'baseline'?",
        ),
        (
            "metric: x\nthreshold: {above: 1, relative_to: {window: 3}}",
            "5:40: rule 'a': key 'statistic' is missing",
        ),
        (
            "metric: x\nthreshold: {non_finite: false}",
            "5:29: rule 'a': 'non_finite' must be True",
        ),
        (
            "metric: x\nthreshold: '> 5'",
            "5:16: rule 'a': 'threshold' must be a mapping of keys to values, not '> 5'",
        ),
        (
            "metric: x\nthreshold: {above: [1]}",
            "5:24: rule 'a': 'above' must be a number or text, not a list",
        ),
        (
            "metric: x\nthreshold: {above: true}",
            "5:24: rule 'a': 'above' must be a number or text, not True",
        ),
        ("metric: x\nthreshold: {}", "5:16: rule 'a': 'threshold': {} should be non-empty"),
        (
            "metric: x\nthreshold: {between: [1]}",
            "5:26: rule 'a': 'between': [1] is too short",
        ),
        ("title:", "4:11: rule 'a': 'title' must be text, not empty"),
        ("title: [x]", "4:12: rule 'a': 'title' must be text, not a list"),
        ("title: ''", "4:12: rule 'a': 'title': '' should be non-empty"),
        ("remediation: x", "4:18: rule 'a': 'remediation' must be a list, not 'x'"),
        ("remediation: []", "4:18: rule 'a': 'remediation': [] should be non-empty"),
        ("remediation: [a, 1]", "4:22: rule 'a': an item of 'remediation' must be text, not 1"),
        ("for: 0", "4:10: rule 'a': 'for': 0 is less than the minimum of 1"),
        ("for: '3'", "4:10: rule 'a': 'for' must be a whole number, not '3'"),
        ("for: 3.0", "4:10: rule 'a': 'for' must be a whole number, not 3.0"),
        (
            "statistic: mean\nwindow: 20.0\nmetric: x\nthreshold: {above: 1}",
            "5:13: rule 'a': 'window' must be a whole number or a mapping of keys to values "
            "or text, not 20.0",
        ),
        (
            "statistic: mean\nwindow: {fraction: 0.1, at_least: 5}\nmetric: x\n"
            "threshold: {above: 1}",
            "5:13: rule 'a': key 'at_most' is missing: Size in long runs.",
        ),
        ("where: {beta: 0.1}", "4:19: rule 'a': 'beta' must be a list, not 0.1"),
        (
            "after: {fraction: 1}",
            "4:23: rule 'a': 'fraction': 1 is greater than or equal to the maximum of 1",
        ),
        (
            "detects: [Loss spike]",
            "4:15: rule 'a': an item of 'detects' cannot be 'Loss spike'; "
            "it must match ^[a-z][a-z0-9_]*$(?!\\n)",
        ),
        (
            "citation:\n  - title: x\n    supports: mecanism",
            "6:19: rule 'a': 'supports' cannot be 'mecanism'; did you mean 'mechanism'?",
        ),
        (
            "citation: [{title: x, supports: remedy, arxiv: 2305.1829}]",
            "4:52: rule 'a': 'arxiv' must be text, not 2305.1829",
        ),
        (
            "citation: [{title: x, supports: remedy, url: example.com}]",
            "4:50: rule 'a': 'url' cannot be 'example.com'; it must match ^https?://",
        ),
        (
            "not: {metrc: x}",
            "4:11: rule 'a': unknown key 'metrc'; did you mean 'metric'?",
        ),
    ],
)
def test_a_rule_that_breaks_the_schema(
    rule_file: Callable[[str], str],
    problems_in: Callable[[str], list[str]],
    part: str,
    problem: str,
) -> None:
    assert problems_in(rule_file(part)) == [f"my.yaml:{problem}"]


@pytest.mark.parametrize("identifier", ["Loss", "1st", "a-b", "a b", "_a", "ä"])
def test_an_id_is_lower_case_words_joined_by_underscores(
    rule_file: Callable[[str], str], problems_in: Callable[[str], list[str]], identifier: str
) -> None:
    text = rule_file("").replace("id: a", f"id: {identifier}")
    assert problems_in(text) == [
        f"my.yaml:3:9: rule '{identifier}': 'id' cannot be '{identifier}'; "
        "it must match ^[a-z][a-z0-9_]*$(?!\\n)"
    ]


def test_a_complete_rule_has_no_problem(
    rule_file: Callable[[str], str], problems_in: Callable[[str], list[str]]
) -> None:
    assert problems_in(rule_file("")) == []
