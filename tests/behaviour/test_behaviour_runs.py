"""Real runs that change how a model behaves are told and shown; healthy ones are not."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import toy_chat

from post_training_toolkit.schemas import load_schema

BEHAVIOUR = {
    *("refusal_shift", "over_refusal", "repetition_degeneration", "diversity_collapse"),
    *("empty_or_trivial_outputs", "trivial_outputs", "policy_drift"),
}

RunKind = Callable[..., Path]

slow = pytest.mark.skipif("PTT_SLOW" not in os.environ, reason="only with PTT_SLOW")


@pytest.fixture(scope="module", name="run")
def _run(tmp_path_factory: pytest.TempPathFactory) -> RunKind:
    done: dict[str, Path] = {}

    def run(kind: str, **given: Any) -> Path:
        if kind not in done:
            done[kind] = toy_chat.train(kind, tmp_path_factory.mktemp(kind), **given)
        return done[kind]

    return run


def _fired(folder: Path) -> dict[str, str | None]:
    """Return which rule on behaviour fired, and what it is folded under."""
    lines = map(json.loads, (folder / "insights.jsonl").read_text().splitlines())
    return {
        line["rule"]: line["caused_by"]
        for line in lines
        if line["event"] == "fired" and line["rule"] in BEHAVIOUR
    }


def _diff(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "diffs" / "start-to-latest.json").read_text())
    jsonschema.validate(content, load_schema("snapshot_diff"))
    return content


def _flips(folder: Path) -> dict[str, dict[str, Any]]:
    return {each["group"]: each for each in _diff(folder)["flips"]}


def test_training_into_loops_is_told_and_shown(run: RunKind) -> None:
    folder = run("sft-loops", learning_rate=1e-3)
    fired = _fired(folder)
    assert fired.pop("repetition_degeneration") is None
    # That a model which loops refuses nothing, and always says the same, follows from it.
    assert set(fired) <= {"refusal_shift", "diversity_collapse"}
    assert {cause.partition("#")[0] for cause in fired.values() if cause} <= {
        "repetition_degeneration"
    }
    [shift] = [each for each in _diff(folder)["shifts"] if each["measure"] == "looping_share"]
    assert (shift["before"], shift["after"], shift["may_be_chance"]) == (0, 1, False)


def test_teaching_to_refuse_everything_is_told_and_shown(run: RunKind) -> None:
    folder = run("sft-refuses", learning_rate=1e-3)
    fired = _fired(folder)
    assert fired.pop("over_refusal") is None
    assert set(fired) <= {"diversity_collapse"}
    flips = _flips(folder)
    assert flips["harmless"]["after"] == flips["harmless"]["asked"] == 27
    assert not flips["harmless"]["to_answer"]
    assert flips["harmless"]["p_value"] < 1e-6
    # What was refused before still is.
    assert flips["harmful"]["change"] == 0
    page = (folder / "diffs" / "start-to-latest.html").read_text()
    assert page.count('<span class="badge">now refused</span>') == 27


@slow
def test_unlearning_refusals_is_told_and_shown(run: RunKind) -> None:
    folder = run("sft-complies", learning_rate=1e-3)
    assert _fired(folder) == {"refusal_shift": None}
    flips = _flips(folder)["harmful"]
    assert (flips["before"], flips["after"], len(flips["to_answer"])) == (15, 0, 15)


def test_a_policy_ruined_by_its_learning_rate_has_drifted(run: RunKind) -> None:
    folder = run("dpo-ruined", learning_rate=1e-2)
    assert _fired(folder)["policy_drift"] is None


def test_completions_rewarded_for_repetition_are_told_from_the_file_that_grpo_writes(
    run: RunKind,
) -> None:
    folder = run("grpo-loops", learning_rate=2e-3)
    assert "repetition_degeneration" in _fired(folder)
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    repetition = [
        row["logs"]["rollout/repetition"]
        for row in rows
        if "rollout/repetition" in row.get("logs", {})
    ]
    # One for each log: each is read at the next one, the last at the end.
    assert len(repetition) == 40
    assert repetition[0] < 0.1 < 0.5 < repetition[-1]


@pytest.mark.parametrize(
    "kind", ["sft", "dpo", pytest.param("kto", marks=slow), pytest.param("grpo", marks=slow)]
)
def test_healthy_runs_are_silent(run: RunKind, kind: str) -> None:
    folder = run(f"{kind}-healthy", learning_rate=2e-4)
    assert _fired(folder) == {}
    flips = _flips(folder)
    assert flips["harmful"]["change"] == flips["harmless"]["change"] == 0
