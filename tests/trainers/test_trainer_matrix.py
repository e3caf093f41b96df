"""In every trainer the callback runs, knows it, keeps its metrics, finds a fault, and stops it.

Run it with TRL 1.12.0 for PPO, with the current release for all others.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from trainers_page import row_of, write_row
from watched_runs import TRAINERS, TRL, WatchedRun, asked_run, broken_run, died_run, healthy_run

from post_training_toolkit.engine.insights_file import insight_line
from post_training_toolkit.engine.replay import replay_run_directory
from post_training_toolkit.rules.severity import Severity
from post_training_toolkit.schemas import load_schema

PREFERENCE = {"win_rate", "reward_margin"}
POLICY = {"logps_chosen", "logps_rejected", "rewards_chosen", "rewards_rejected"}
# What each trainer's rules and users look at, by its canonical name.
CANONICAL = {
    "sft": {"loss", "perplexity", "accuracy"},
    "dpo": {"loss", *PREFERENCE, *POLICY},
    "kto": {"kl", "logps_desirable", "logps_undesirable", "reward_margin"},
    "reward": PREFERENCE,
    "grpo": {"policy_loss", "kl", "reward", "reward_std"},
    "rloo": {"policy_loss", "kl", "reward", "reward_std"},
    "orpo": {"sft_loss", "odds_ratio_loss", "log_odds_ratio", *PREFERENCE},
    "cpo": {"sft_loss", *PREFERENCE, *POLICY},
    "online_dpo": {"kl", "reward", *PREFERENCE},
    "ppo": {"policy_loss", "value_loss", "entropy", "clip_fraction", "kl"},
}


@pytest.fixture(scope="module", name="name", params=TRAINERS)
def _name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", name="healthy")
def _healthy(name: str, tmp_path_factory: pytest.TempPathFactory) -> WatchedRun:
    return healthy_run(name, tmp_path_factory.mktemp(f"{name}-healthy"))


@pytest.fixture(scope="module", name="stopped")
def _stopped(name: str, tmp_path_factory: pytest.TempPathFactory) -> WatchedRun:
    return broken_run(name, tmp_path_factory.mktemp(f"{name}-stopped"), stop_on="high")


def metadata(run: WatchedRun, when: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run.run_dir / f"run_metadata_{when}.json").read_text())
    return found


def metrics_lines(run: WatchedRun) -> list[dict[str, Any]]:
    lines = (run.run_dir / "metrics.jsonl").read_text().splitlines()
    return [each for each in map(json.loads, lines) if "logs" in each]


def canonical_names(run: WatchedRun) -> set[str]:
    return {
        key for each in metrics_lines(run) for key in (*each["logs"], *each.get("canonical", ()))
    }


def logged_keys(run: WatchedRun) -> set[str]:
    return {key for row in run.trainer.state.log_history for key in row} - {"step", "epoch"}


def test_it_runs_to_the_end_without_a_word(healthy: WatchedRun) -> None:
    assert healthy.raised is None
    final = metadata(healthy, "final")
    assert (final["status"], final["failures"]) == ("completed", [])
    assert final["last_step"] == healthy.trainer.state.global_step == 16
    assert (healthy.run_dir / "insights.jsonl").read_bytes() == b""
    assert (healthy.run_dir / "reports" / "run_report.md").exists()


def test_the_trainer_is_detected_by_its_class(name: str, healthy: WatchedRun) -> None:
    start = metadata(healthy, "start")
    assert start["trainer"] == name
    assert start["trainer_class"] == type(healthy.trainer).__name__
    assert start["packages"]["trl"] == str(TRL)


def test_the_parts_of_the_run_are_found(name: str, healthy: WatchedRun) -> None:
    start = metadata(healthy, "start")
    assert start["model"]["parameters"] > 10_000
    assert start["tokenizer"]["class"] == type(healthy.trainer.processing_class).__name__
    assert start["dataset"]["rows"] > 0
    assert start["dataset"]["sample_sha256"] is not None
    # The others have none, or in their adapter only.
    with_reference = name in ("dpo", "kto", "grpo", "rloo", "online_dpo", "ppo")
    assert (start["reference_model"] is not None) == with_reference


def test_every_row_is_captured_as_it_was_logged(healthy: WatchedRun) -> None:
    # The toolkit's own rows stand between the trainer's.
    own = {"preflight/parameters", "memory/mean"}
    kept = [each["logs"] for each in metrics_lines(healthy) if not own & each["logs"].keys()]
    history = healthy.trainer.state.log_history
    assert len(kept) == len(history)
    for logs, row in zip(kept, history, strict=True):
        for key in row.keys() - {"step", "epoch"}:
            assert logs[key] == pytest.approx(row[key], nan_ok=True), key


def test_the_canonical_metrics_stand_beside_them(name: str, healthy: WatchedRun) -> None:
    assert canonical_names(healthy) >= CANONICAL[name]


def test_a_fault_stops_the_run_and_its_state_is_saved(name: str, stopped: WatchedRun) -> None:
    final = metadata(stopped, "final")
    assert (final["status"], final["failures"]) == ("stopped", [])
    stop = final["stop"]
    assert Severity(stop["severity"]).rank >= Severity("high").rank
    assert stop["fired_at_step"] == stop["ended_at_step"] == stopped.trainer.state.global_step < 40
    saved = Path(stop["saved_checkpoint"])
    assert (saved / "trainer_state.json").exists()
    # Only PPOTrainer ignores the flag.
    assert (stopped.raised is not None) == (name == "ppo")
    if stopped.raised is not None:
        assert str(saved) in str(stopped.raised)
    replayed = b"".join(insight_line(each) for each in replay_run_directory(stopped.run_dir))
    assert replayed == (stopped.run_dir / "insights.jsonl").read_bytes()


def test_a_death_is_explained(name: str, tmp_path: Path) -> None:
    run_dir = died_run(name, tmp_path)
    postmortem = json.loads((run_dir / "postmortem.json").read_text())
    jsonschema.validate(postmortem, load_schema("postmortem"))
    assert postmortem["exit_reason"] == "exception"
    assert postmortem["error"].endswith("DataError: row 7 is broken")
    assert postmortem["last_step"] == 2
    assert postmortem["final_metrics"]["step"] in (1, 2)
    final = json.loads((run_dir / "run_metadata_final.json").read_text())
    assert (final["status"], final["failures"]) == ("crashed", [])
    assert "DataError: row 7 is broken" in (run_dir / "reports" / "run_report.md").read_text()


def test_the_page_of_trainers_says_so(name: str, healthy: WatchedRun, stopped: WatchedRun) -> None:
    """With PTT_WRITE_PAGES set the page is written instead: `make trainers-page`."""
    stop = metadata(stopped, "final")["stop"]
    how = "by `TrainingStopped`" if stopped.raised is not None else "by the trainer's own flag"
    cells = [
        f"`{type(healthy.trainer).__name__}`",
        str(TRL),
        f"{metadata(healthy, 'final')['last_step']} steps, nothing to say",
        f"`{metadata(healthy, 'start')['trainer']}`",
        f"{len(logged_keys(healthy))}, among them "
        + ", ".join(f"`{each}`" for each in sorted(CANONICAL[name])),
        f"`{stop['rule']}` ({stop['severity']}) at step {stop['fired_at_step']}",
        f"at step {stop['ended_at_step']}, saved, {how}",
    ]
    row = f"| {' | '.join(cells)} |"
    if os.environ.get("PTT_WRITE_PAGES"):
        write_row(cells[0], row)
    assert row_of(cells[0]) == row, "make trainers-page writes the page anew"


def test_its_model_is_asked_before_during_and_after_unless_it_writes_no_text(
    name: str, tmp_path: Path
) -> None:
    run = asked_run(name, tmp_path)
    assert metadata(run, "final")["failures"] == []
    taken = sorted(path.name for path in (run.run_dir / "snapshots").glob("step-*.json"))
    steps = [] if name == "reward" else [0, 2, 4]
    assert taken == [f"step-{step:06}.json" for step in steps]
