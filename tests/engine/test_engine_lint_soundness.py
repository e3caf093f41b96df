"""What lint says of rules is true of the engine, on random rules and random runs."""

from __future__ import annotations

import json
import random
from typing import Any

from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.event import Event, InsightClosed, InsightFired
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.rules.bundle import load_bundle
from post_training_toolkit.rules.lint import lint_bundle
from post_training_toolkit.rules.model import Rule, Source
from post_training_toolkit.rules.problem import Problem

STEPS = 60
STATISTICS = ("last", "mean", "std", "median", "range", "change", "max")
REST = {
    "title": "T",
    "message": "m",
    "remediation": ["x"],
    "citation": [],
    "threshold_origin": "empirical",
    "detects": ["x"],
    "trainers": ["dpo"],
}


def _threshold(chance: random.Random) -> dict[str, Any]:
    low = chance.choice([-1, -0.5, 0, 0.25, 0.5, 0.75, 1, 2])
    kind = chance.choice(["above", "below", "between", "outside", "equals"])
    threshold: dict[str, Any] = {kind: low}
    if kind in ("between", "outside"):
        threshold[kind] = [low, low + chance.choice([0.5, 1, 3])]
    elif kind == "equals":
        threshold["tolerance"] = chance.choice([0.25, 0.5, 2])
    if chance.random() < 0.3:
        relation = chance.choice(["relative_to", "difference_from"])
        threshold[relation] = "baseline"
        if kind in ("above", "below"):
            threshold[relation] = chance.choice(["baseline", "running_best"])
    return threshold


def _comparison(chance: random.Random) -> dict[str, Any]:
    statistic = chance.choice(STATISTICS)
    window = {} if statistic in ("last", "change") else {"window": chance.choice([2, 3])}
    return {
        "metric": chance.choice(["loss", "win_rate", "grad_norm"]),
        "statistic": statistic,
        **window,
        "threshold": _threshold(chance),
    }


def _condition(chance: random.Random) -> dict[str, Any]:
    kind = chance.choice(["metric", "metric", "all", "any"])
    if kind == "metric":
        return _comparison(chance)
    return {kind: [_comparison(chance) for _ in range(2)]}


def _rule(chance: random.Random, identifier: str) -> dict[str, Any]:
    rule = {"id": identifier, **REST, **_condition(chance)}
    rule["severity"] = chance.choice(["medium", "high"])
    for key, values in (
        ("for", [1, 2, 3]),
        ("after", [{"steps": 2}, {"fraction": 0.2}, {"observations": 4}]),
        ("until", [{"steps": 3}, {"steps": 40}, {"fraction": 0.5}]),
        ("cool_down", [10]),
    ):
        if chance.random() < 0.25:
            rule[key] = chance.choice(values)
    return rule


def _nearly(rule: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """Change one thing about a rule, so that it often has something to do with the original."""
    copy: dict[str, Any] = json.loads(json.dumps(rule))
    copy["id"] = f"{rule['id']}_other"
    part = copy["all"][0] if "all" in copy else copy["any"][0] if "any" in copy else copy
    change = chance.choice(["threshold", "for", "severity", "after", "until"])
    if change == "threshold":
        part["threshold"] = _threshold(chance)
    elif change == "for":
        copy["for"] = chance.choice([1, 2, 3])
    elif change == "severity":
        copy["severity"] = chance.choice(["medium", "high"])
    else:
        copy.pop(change, None)
    return copy


def _run(rules: tuple[Rule, ...], chance: random.Random) -> list[InsightFired | InsightClosed]:
    """Run the rules over a random walk whose metrics keep to the ranges of their units."""
    engine = Engine(rules, RunDescription("dpo", {"beta": 0.1}, STEPS, 1))
    loss = 0.5
    events: list[Event] = []
    for step in range(1, STEPS + 1):
        loss += chance.choice([-0.5, 0, 0.25, 0.5])
        row = {
            "loss": loss,
            "win_rate": chance.choice([0, 0.25, 0.5, 0.75, 1]),
            "grad_norm": chance.choice([0, 0.25, 1, 2]),
        }
        kept = {key: value for key, value in row.items() if chance.random() < 0.9}
        events += engine.observe(step, admit(kept))
    return [event for event in events if isinstance(event, InsightFired | InsightClosed)]


def _open_at(rule: str, step: int, events: list[InsightFired | InsightClosed]) -> bool:
    """Return whether an insight of the rule stood at a step or began there."""
    standing = False
    for event in events:
        if event.rule == rule and event.step <= step:
            standing = isinstance(event, InsightFired) or event.step == step
    return standing


def _load(rules: list[dict[str, Any]]) -> tuple[tuple[Rule, ...], list[Problem]]:
    text = json.dumps({"version": 1, "rules": rules}).encode()
    bundle = load_bundle([Source("my.yaml", text)])
    return bundle.rules, lint_bundle(bundle, ["my.yaml"])


def test_a_rule_is_shadowed_only_if_the_other_always_stands_when_it_fires() -> None:
    fired = 0
    for seed in range(40):
        chance = random.Random(seed)
        originals = [_rule(chance, f"rule_{index}") for index in range(10)]
        rules, findings = _load(originals + [_nearly(rule, chance) for rule in originals])
        events = _run(rules, chance)
        for finding in findings:
            if finding.code not in ("duplicate-rule", "shadowed-rule"):
                continue
            other = finding.message.split("'")[1]
            for event in events:
                if event.rule == finding.rule and isinstance(event, InsightFired):
                    fired += 1
                    assert _open_at(other, event.step, events), (seed, finding, event)
    # Without many of these nothing would have been shown.
    assert fired > 100


def test_a_rule_whose_gate_closes_too_early_never_fires() -> None:
    found = 0
    for seed in range(40):
        chance = random.Random(seed)
        rules, findings = _load([_rule(chance, f"rule_{index}") for index in range(20)])
        events = _run(rules, chance)
        early = {finding.rule for finding in findings if finding.code == "warm-up-too-short"}
        found += len(early)
        assert not early & {event.rule for event in events}
    assert found > 10


def test_a_threshold_never_or_always_holds_as_lint_says() -> None:
    """The opposite of a condition that always holds never fires."""
    found = {"threshold-never": 0, "threshold-always": 0}
    for seed in range(40):
        chance = random.Random(seed)
        rules: list[dict[str, Any]] = []
        for index in range(20):
            comparison = _comparison(chance)
            rules.append({"id": f"is_{index}", "severity": "low", **REST, **comparison})
            rules.append({"id": f"not_{index}", "severity": "low", **REST, "not": comparison})
        loaded, findings = _load(rules)
        fired = {event.rule for event in _run(loaded, chance)}
        for finding in findings:
            assert finding.rule is not None
            if finding.code in found and finding.rule.startswith("is_"):
                found[finding.code] += 1
                silent = finding.rule
                if finding.code == "threshold-always":
                    silent = silent.replace("is_", "not_")
                assert silent not in fired, (seed, finding)
    assert min(found.values()) > 20
