"""Run directories made by hand, as the callback leaves them, for the tests of reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from post_training_toolkit.engine.coverage import NotRun
from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.event import Episode, episodes
from post_training_toolkit.engine.insights_file import insight_line
from post_training_toolkit.engine.metrics_file import (
    LoggedRow,
    MetricsEntry,
    Milestone,
    metrics_line,
)
from post_training_toolkit.engine.replay import replay
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.rules.bundle import load_bundle
from post_training_toolkit.rules.sources import default_sources

RUN = RunDescription("dpo", {"beta": 0.1, "logging_steps": 1}, max_steps=100, logging_steps=1)


def rows(values: Mapping[str, Iterable[float]], first: int = 1) -> list[MetricsEntry]:
    """Return one row a step with the values of each metric."""
    return [
        LoggedRow(step, None, admit(dict(zip(values, row, strict=True))))
        for step, row in enumerate(zip(*values.values(), strict=True), start=first)
    ]


def start_metadata(run: RunDescription = RUN) -> dict[str, Any]:
    """Return the least that a start has."""
    return {
        "version": 1,
        "trainer": run.trainer,
        "configuration": dict(run.configuration),
        "max_steps": run.max_steps,
        "logging_steps": run.logging_steps,
        "started_at": "2026-11-23T12:00:00+00:00",
        "rules": ["pack:default"],
        "rules_sha256": "ab" * 32,
        "packages": {"trl": "1.16.0"},
    }


def final_metadata(
    found: Iterable[Episode] = (), not_run: Iterable[NotRun] = (), **given: Any
) -> dict[str, Any]:
    """Return how a run ended."""
    return {
        "version": 1,
        "status": "completed",
        "last_step": 60,
        "max_steps": 100,
        "logged_rows": 60,
        "ended_at": "2026-11-23T13:00:00+00:00",
        "stop": None,
        "checkpoints": [20, 40],
        "insights": [
            {
                "insight": each.fired.insight,
                "severity": each.severity,
                "caused_by": each.caused_by,
                "ongoing": each.ongoing,
            }
            for each in found
        ],
        "rules_judged": 12,
        "not_run": [{"rule": each.rule, "reason": each.reason} for each in not_run],
        "failures": [],
        "diagnostics_seconds": 1.5,
        "run_seconds": 300.0,
        **given,
    }


def write_run(
    folder: Path,
    entries: Iterable[MetricsEntry],
    *,
    final: Mapping[str, Any] | None = None,
    postmortem: Mapping[str, Any] | None = None,
    run: RunDescription = RUN,
) -> Path:
    """Write a run directory; its insights are those of the shipped rules."""
    entries = list(entries)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rules").mkdir(exist_ok=True)
    for source in default_sources():
        (folder / "rules" / f"{source.name.rpartition(':')[2]}.yaml").write_bytes(source.text)
    engine = Engine(load_bundle(default_sources()).rules, run)
    events = list(replay(entries, engine))
    (folder / "metrics.jsonl").write_bytes(b"".join(map(metrics_line, entries)))
    (folder / "insights.jsonl").write_bytes(b"".join(map(insight_line, events)))
    (folder / "run_metadata_start.json").write_bytes(orjson.dumps(start_metadata(run)))
    if final is not None:
        told = {**final_metadata(episodes(events), engine.coverage()), **final}
        (folder / "run_metadata_final.json").write_bytes(orjson.dumps(told))
    if postmortem is not None:
        (folder / "postmortem.json").write_bytes(orjson.dumps(dict(postmortem)))
    return folder


def diverging(steps: int = 60) -> list[MetricsEntry]:
    """Return a DPO run that falls apart, as the shipped rules see it."""
    good = [0.69 - 0.005 * step for step in range(30)]
    bad = [3.0 + 0.2 * step for step in range(steps - 30)]
    values = {
        "loss": [*good, *bad],
        "grad_norm": [1.0] * 30 + [float(20 + step) for step in range(steps - 30)],
        "rewards/chosen": [0.01 * step for step in range(30)] + [-9.0] * (steps - 30),
        "rewards/margins": [0.02 * step for step in range(30)] + [-2.0] * (steps - 30),
        "rewards/accuracies": [0.5 + 0.01 * step for step in range(30)] + [0.2] * (steps - 30),
        "logps/chosen": [-50.0] * 30 + [-140.0] * (steps - 30),
    }
    return [Milestone("train_begin", 0, 100), *rows(values)]


POSTMORTEM: dict[str, Any] = {
    "version": 1,
    "exit_reason": "oom_killed",
    "caught_by": "watcher",
    "signal": "SIGKILL",
    "exit_code": None,
    "timestamp": "2026-11-23T16:00:00Z",
    "rank": 0,
    "process_id": 123,
    "last_step": 61,
    "last_good_step": 29,
    "last_checkpoint": {
        "path": "out/checkpoint-40",
        "step": 40,
        "complete": False,
        "problem": "model.safetensors is cut off",
    },
    "error": "the kernel killed it for want of memory",
    "traceback": "Traceback (most recent call last):\n  ```\nMemoryError: <script>",
    "final_metrics": {"step": 60, "dpo_loss": 9.0, "win_rate": 0.2},
    "insights": [],
    "memory": {
        "process_gib": 12.5,
        "process_peak_gib": 14.0,
        "available_gib": None,
        "limit_gib": 16.0,
    },
    "first_failing_rank": None,
    "seconds_since_last_step": 4.2,
    "run_seconds": 100.0,
}
