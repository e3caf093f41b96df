"""Small rules and runs for the tests of the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import pytest
import yaml

from post_training_toolkit.engine.compile import Compiler
from post_training_toolkit.engine.coverage import NotRun
from post_training_toolkit.engine.detector import Detector
from post_training_toolkit.engine.detectors import Detectors
from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.event import (
    Event,
    InsightClosed,
    InsightEscalated,
    InsightFired,
    InsightFolded,
)
from post_training_toolkit.engine.insights_file import insight_line
from post_training_toolkit.engine.metrics_file import (
    LoggedRow,
    MetricsEntry,
    Milestone,
    metrics_line,
)
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.ptt_trl.run_directory import claim_run_directory
from post_training_toolkit.rules.bundle import load_bundle
from post_training_toolkit.rules.model import Rule, Source
from post_training_toolkit.rules.sources import default_sources

_REST = {
    "title": "A title",
    "severity": "high",
    "message": "a message",
    "remediation": ["do this"],
    "citation": [],
    "threshold_origin": "empirical",
    "detects": ["loss_spike"],
}


def _rules(*texts: str) -> tuple[Rule, ...]:
    entries = [
        {"id": letter, **_REST, **yaml.safe_load(text)}
        for letter, text in zip(ascii_lowercase, texts, strict=False)
    ]
    document = yaml.safe_dump({"version": 1, "rules": entries})
    return load_bundle([Source("my.yaml", document.encode())]).rules


def _tell(event: Event) -> str:
    match event:
        case InsightFired():
            what = "fires" if event.caused_by is None else f"fires because of {event.caused_by}"
        case InsightEscalated():
            what = f"escalates to {event.severity}"
        case InsightFolded():
            what = f"is folded under {event.caused_by}"
        case InsightClosed():
            what = "resolves" if event.resolved else "still fires"
    return f"{event.step}: {event.insight} {what}"


@pytest.fixture(scope="session", name="load_rules")
def _load_rules() -> Callable[..., tuple[Rule, ...]]:
    """Load rules written as YAML mappings, each completed by what every rule needs.

    Their ids are a, b, c, ... where none is given.
    """
    return _rules


@dataclass(frozen=True)
class CompiledRules:
    """What became of rules in a run: detectors, statistics by metric, rules that cannot run."""

    detectors: tuple[Detector, ...]
    statistics: Mapping[str, list[Any]]
    not_run: tuple[NotRun, ...]


@pytest.fixture(scope="session", name="compiled")
def _compiled() -> Callable[..., CompiledRules]:
    """Compile rules for a run."""

    def compiled(*texts: str, run: RunDescription | None = None) -> CompiledRules:
        compiler = Compiler(run or RunDescription())
        detectors = Detectors(_rules(*texts), compiler)
        fed = {
            metric: [update.__self__ for update in feed.updates]  # type: ignore[attr-defined]
            for metric, feed in compiler.statistics.feeds.items()
        }
        return CompiledRules(tuple(detectors.active), fed, tuple(detectors.not_run))

    return compiled


@pytest.fixture(scope="session", name="tell")
def _tell_events() -> Callable[[Iterable[Event]], list[str]]:
    """Say what events happened, such as "3: a#1 fires"."""
    return lambda events: [_tell(event) for event in events]


@pytest.fixture(scope="session", name="story")
def _story() -> Callable[..., list[str]]:
    """Run rules over rows, one a step from step 1, and say what happened."""

    def story(
        *texts: str, rows: Iterable[Mapping[str, Any]], run: RunDescription | None = None
    ) -> list[str]:
        engine = Engine(_rules(*texts), run or RunDescription())
        return [
            _tell(event)
            for step, row in enumerate(rows, start=1)
            for event in engine.observe(step, admit(row))
        ]

    return story


@pytest.fixture(name="write_run")
def _write_run(tmp_path: Path) -> Callable[..., Path]:
    """Write the files of a run, one row a step, as the callback does; return the folder."""

    def write_run(
        run: RunDescription, rows: Sequence[Mapping[str, Any]], own_rules: bytes | None = None
    ) -> Path:
        sources = list(default_sources())
        if own_rules is not None:
            sources.append(Source(str(tmp_path / "own.yaml"), own_rules, str(tmp_path)))
        bundle = load_bundle(sources)
        directory = claim_run_directory(tmp_path / "run")
        directory.write_rules(bundle)
        directory.write_metadata_start(asdict(run))
        engine = Engine(bundle.rules, run)
        entries: list[MetricsEntry] = [
            Milestone("train_begin", 0, run.max_steps),
            *(LoggedRow(step, None, admit(row)) for step, row in enumerate(rows, start=1)),
            Milestone("train_end", len(rows)),
        ]
        for entry in entries:
            directory.append_metrics(metrics_line(entry))
            if isinstance(entry, LoggedRow):
                events = engine.observe(entry.step, entry.row)
            else:
                events = engine.finish(entry.step) if entry.event == "train_end" else ()
            for event in events:
                directory.append_insight(insight_line(event))
        return directory.path

    return write_run
