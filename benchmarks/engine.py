"""What the rule engine costs, as ratios to things that everybody knows.

Every figure is a ratio of medians of CPU time, measured in turns in one process, so that a busy
machine changes both sides alike. Run with ``make bench``; the table is kept in docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from river import stats, utils

from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.metrics_file import LoggedRow, metrics_line, read_metrics
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.rules.bundle import load_bundle
from post_training_toolkit.rules.model import Rule, Source

METRICS = tuple(f"metric_{index}" for index in range(30))
# In turn: what each rule looks at. Two rules for every metric make 60.
KINDS = ("last", "mean", "std", "ewmean", "median", "min", "max", "slope")
WINDOWS = (20, 100)
ROUNDS = 15
Row = dict[str, float]


@dataclass(frozen=True)
class Figure:
    """One line of the table: what was measured, against what, the ratio and the aim."""

    what: str
    against: str
    ratio: float
    target: float | None
    microseconds: float


def make_rules() -> tuple[Rule, ...]:
    """Return 60 mixed rules on 30 metrics that hardly ever fire."""
    entries = []
    for index in range(60):
        kind = KINDS[index % len(KINDS)]
        entry: dict[str, Any] = {
            "id": f"rule_{index}",
            "title": "A rule",
            "metric": METRICS[index % 30],
            "threshold": {"above": 1e3},
            "for": 5,
            "severity": "low",
            "message": "{value}",
            "remediation": ["Nothing."],
            "citation": [],
            "threshold_origin": "empirical",
            "detects": ["loss_spike"],
        }
        if kind != "last":
            entry |= {"statistic": kind, "window": WINDOWS[index // 30]}
        entries.append(entry)
    text = yaml.safe_dump({"version": 1, "rules": entries})
    return load_bundle([Source("benchmark.yaml", text.encode())]).rules


def make_rows(count: int) -> list[Row]:
    """Return logged rows of noise, as a trainer hands them over."""
    draw = random.Random(0).gauss
    return [{metric: draw(1.0, 0.3) for metric in METRICS} for _ in range(count)]


class RollingRule:
    """A rule as one would write it with river: one statistic, a count, and a threshold."""

    def __init__(self, metric: str, kind: str, window: int) -> None:
        self.metric = metric
        self.statistic = _river(kind, window)
        self.enough = 1 if kind == "last" else window
        self.seen = 0
        self.held = 0

    def observe(self, logs: Row) -> bool:
        """Take a row in; return whether the rule fires."""
        value = logs.get(self.metric)
        if value is None or not math.isfinite(value):
            return False
        self.statistic.update(value)
        self.seen += 1
        if self.seen < self.enough:
            return False
        self.held = self.held + 1 if self.statistic.get() > 1e3 else 0
        return self.held == 5


class RollingRules:
    """The obvious engine: a list of rules, each with its own river object."""

    def __init__(self) -> None:
        self._rules = [
            RollingRule(METRICS[index % 30], KINDS[index % len(KINDS)], WINDOWS[index // 30])
            for index in range(60)
        ]

    def observe(self, step: int, logs: Row) -> list[tuple[int, RollingRule]]:
        """Take a row in; return the rules that fire."""
        return [(step, rule) for rule in self._rules if rule.observe(logs)]


class _RollingStd:
    """The standard deviation over a window: the root of river's variance."""

    def __init__(self, window: int) -> None:
        self._variance = utils.Rolling(stats.Var, window_size=window)

    def update(self, x: float) -> None:
        self._variance.update(x)

    def get(self) -> float:
        return math.sqrt(max(self._variance.get(), 0.0))


class _RollingSlope:
    """The slope over a window: covariance with the step over the variance of the step."""

    def __init__(self, window: int) -> None:
        self._covariance = utils.Rolling(stats.Cov, window_size=window)
        self._variance = utils.Rolling(stats.Var, window_size=window)
        self._step = 0

    def update(self, x: float) -> None:
        self._step += 1
        self._covariance.update(self._step, x)
        self._variance.update(self._step)

    def get(self) -> float:
        variance = self._variance.get()
        return float(self._covariance.get() / variance) if variance else 0.0


def _river(kind: str, window: int) -> Any:
    """Return what river has for a kind of rule."""
    match kind:
        case "last":
            return stats.Shift(0)
        case "mean":
            return utils.Rolling(stats.Mean, window_size=window)
        case "std":
            return _RollingStd(window)
        case "ewmean":
            return stats.EWMean(2 / (window + 1))
        case "median":
            return stats.RollingQuantile(0.5, window)
        case "min":
            return stats.RollingMin(window)
        case "max":
            return stats.RollingMax(window)
        case _:
            return _RollingSlope(window)


def median_times(actions: Sequence[Callable[[], object]], rounds: int = ROUNDS) -> list[float]:
    """Return the median CPU seconds of each action, run in turns."""
    times: list[list[float]] = [[] for _ in actions]
    for _ in range(rounds):
        for action, spent in zip(actions, times, strict=True):
            start = time.process_time()
            action()
            spent.append(time.process_time() - start)
    return [statistics.median(spent) for spent in times]


def cost_of_a_row(rules: tuple[Rule, ...]) -> Iterable[Figure]:
    """Compare a row through the door and 60 rules with JSON and with plain river objects."""
    rows = make_rows(400)
    engine = Engine(rules, RunDescription("sft", {}, 10**9, 1))
    plain = RollingRules()
    steps = {"engine": 0, "river": 0}

    def ours() -> None:
        for row in rows:
            steps["engine"] += 1
            engine.observe(steps["engine"], admit(row))

    def river() -> None:
        for row in rows:
            steps["river"] += 1
            plain.observe(steps["river"], row)

    def through_json() -> None:
        for row in rows:
            json.loads(json.dumps(row))

    ours(), river()
    spent = median_times([ours, through_json, river])
    each = spent[0] / len(rows) * 1e6
    name = "60 rules on 30 metrics, one row"
    yield Figure(name, "json.dumps + json.loads of it", spent[0] / spent[1], 1.5, each)
    yield Figure(name, "the same rules on river's Rolling", spent[0] / spent[2], 0.4, each)


def cost_at_a_late_step(rules: tuple[Rule, ...], late: int) -> Figure:
    """Compare a row at a late step with one at step 1,000."""
    rows = make_rows(500)
    engines = [Engine(rules, RunDescription("sft", {}, 10**9, 1)) for _ in range(2)]
    steps = [0, 0]

    def run(which: int, count: int) -> None:
        observe = engines[which].observe
        for index in range(count):
            steps[which] += 1
            observe(steps[which], admit(rows[index % len(rows)]))

    run(0, 1000)
    run(1, late)
    spent = median_times([lambda: run(1, 250), lambda: run(0, 250)])
    return Figure(
        f"a row at step {late:,}", "a row at step 1,000", spent[0] / spent[1], 1.2, spent[0] * 4e3
    )


def cost_of_a_replay(steps: int) -> Figure:
    """Compare ``ptt-rules replay`` of a long file with reading that file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "metrics.jsonl"
        keys = ("loss", "grad_norm", "learning_rate", "rewards/margins", "rewards/accuracies")
        draw = random.Random(0).gauss
        with path.open("wb") as file:
            for step in range(1, steps + 1):
                row = {key: abs(draw(0.7, 0.05)) for key in keys}
                file.write(metrics_line(LoggedRow(step, None, admit(row))))

        def replay() -> None:
            _command("replay", str(path), "--trainer", "dpo", "--format", "json")

        def read() -> None:
            for _ in read_metrics(path):
                pass

        before = _children()
        replay()
        spent = _children() - before
        [parsing] = median_times([read], rounds=3)
    return Figure(
        f"ptt-rules replay of {steps:,} rows, shipped rules",
        "reading the file",
        spent / parsing,
        None,
        spent / steps * 1e6,
    )


def cost_of_a_start() -> Figure:
    """Compare the start of ``ptt-rules validate`` with that of Python and click."""
    samples: list[list[float]] = [[], []]
    for _ in range(7):
        for spent, action in zip(
            samples,
            (lambda: _command("validate"), lambda: _python("-c", "import click")),
            strict=True,
        ):
            before = _children()
            action()
            spent.append(_children() - before)
    ours, python = (statistics.median(spent) for spent in samples)
    what = "ptt-rules validate, the shipped packs"
    return Figure(what, "python -c 'import click'", ours / python, None, ours * 1e6)


def _command(*arguments: str) -> None:
    _python("-c", "from post_training_toolkit.engine.cli.main import main; main()", *arguments)


def _python(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)


def _children() -> float:
    spent = os.times()
    return spent.children_user + spent.children_system


def table(figures: Iterable[Figure]) -> str:
    """Return the figures as a Markdown table."""
    lines = [
        "| what | against | ratio | target | cost here |",
        "|---|---|---|---|---|",
    ]
    for each in figures:
        target = f"at most {each.target:g}" if each.target is not None else ""
        cost = f"{each.microseconds:,.0f} us"
        lines.append(f"| {each.what} | {each.against} | {each.ratio:.2f} | {target} | {cost} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, print the table, and exit 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--late-step", type=int, default=10**6, help="default: one million")
    parser.add_argument("--replay-steps", type=int, default=10**5)
    arguments = parser.parse_args()
    rules = make_rules()
    figures = [
        *cost_of_a_row(rules),
        cost_at_a_late_step(rules, arguments.late_step),
        cost_of_a_replay(arguments.replay_steps),
        cost_of_a_start(),
    ]
    print(table(figures))
    missed = [each for each in figures if each.target is not None and each.ratio > each.target]
    for each in missed:
        print(f"missed: {each.what} is {each.ratio:.2f} of {each.against}", file=sys.stderr)
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
