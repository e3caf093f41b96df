"""The report names the best step of a training metric, and a rule stops when it has fallen."""

from __future__ import annotations

import copy
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import TrainerCallback

from post_training_toolkit import DiagnosticsCallback
from post_training_toolkit.ptt_trl.report.best_step import best_steps
from post_training_toolkit.ptt_trl.report.series import Series
from post_training_toolkit.rules.catalogue import catalogued_trainers, known_metrics
from post_training_toolkit.rules.profile import load_profile

PAGE = Path(__file__).parents[2] / "docs" / "early_stopping.md"
FORGETS_AT = 20


def rows(metric: str, values: list[float], every: int = 1) -> dict[str, Series]:
    steps = np.arange(1, len(values) + 1) * every
    return {metric: Series(metric, metric, steps, np.array(values))}


class ForgetAll(TrainerCallback):
    """Puts the first weights back after a step, as if nothing had been learned."""

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Remember the weights."""
        self.weights = copy.deepcopy(kwargs["model"].state_dict())

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Put them back, from then on."""
        if state.global_step >= FORGETS_AT:
            with torch.no_grad():
                kwargs["model"].load_state_dict(self.weights)


@pytest.mark.parametrize("lucky", [1.2, 900.0])
def test_one_lucky_row_is_no_best_step(lucky: float) -> None:
    values = [0.1 * step for step in range(20)] + [0.5] * 10
    values[3] = lucky
    [best] = best_steps(rows("reward", values), {"reward": "up"}, checkpoints=[])
    assert (best.step, best.logs, best.checkpoint) == (20, 5, None)
    assert best.value == pytest.approx(1.7)


def test_too_few_logs_have_no_best_step() -> None:
    logged = rows("reward", [0.1, 0.2, 0.9, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5])
    assert best_steps(logged, {"reward": "up"}, checkpoints=[]) == []


def test_lower_is_better_where_the_profile_says_so() -> None:
    values = [0.1 * abs(step - 20) for step in range(40)]
    [best] = best_steps(rows("loss", values), {"loss": "down"}, checkpoints=[])
    assert best.step in (20, 21, 22)
    assert best.last == pytest.approx(1.7)
    assert best.lost == pytest.approx(1.6)


def test_noise_is_no_loss() -> None:
    values = [0.5 + 0.1 * math.sin(7 * step) for step in range(60)]
    [best] = best_steps(rows("reward", values), {"reward": "up"}, checkpoints=[])
    assert best.value > best.last
    assert best.lost == 0


def test_a_fall_in_the_last_rows_moves_neither_the_best_step_nor_its_checkpoint_into_it() -> None:
    values = [0.05 * step for step in range(20)] + [-1.0, -1.0]
    [best] = best_steps(rows("reward", values), {"reward": "up"}, checkpoints=[10, 20, 22])
    # The row of step 20 shows the weights of step 19; the fall may have begun in checkpoint-20.
    assert (best.step, best.checkpoint) == (20, 10)


def test_a_long_run_that_was_stopped_soon_after_a_fall_tells_what_it_lost() -> None:
    values = [0.001 * step for step in range(500)] + [-1.0] * 5
    [best] = best_steps(rows("reward", values), {"reward": "up"}, checkpoints=[])
    assert (best.logs, best.last) == (50, -1)
    assert best.lost > 1


def test_a_metric_that_rose_to_the_end_has_the_last_checkpoint() -> None:
    logged = rows("reward", [0.05 * step for step in range(30)])
    [best] = best_steps(logged, {"reward": "up"}, checkpoints=[10, 20, 30])
    assert (best.step, best.lost, best.checkpoint) == (30, 0, 30)


def test_of_equal_levels_the_last_counts() -> None:
    logged = rows("win_rate", [0.5] * 5 + [1.0] * 20 + [0.2] * 10)
    [best] = best_steps(logged, {"win_rate": "up"}, checkpoints=[10, 20, 30])
    assert (best.step, best.checkpoint) == (25, 20)


def test_the_zero_that_stands_for_a_loss_of_nan_is_no_best_loss() -> None:
    logged = rows("loss", [3 - 0.1 * step for step in range(1, 15)] + [0.0] * 10)
    logged |= rows("grad_norm", [1.0] * 14 + [math.nan] * 10)
    [best] = best_steps(logged, {"loss": "down"}, checkpoints=[])
    assert best.step == 14
    assert best.value == pytest.approx(1.8)
    assert math.isnan(best.last)
    assert math.isnan(best.lost)


def test_evaluations_come_first_and_are_taken_as_they_are() -> None:
    logged = rows("loss", [2.0] * 20 + [1.0] * 20) | rows("eval_loss", [2.0, 1.5, 1.6, 1.7] * 5)
    first, second = best_steps(logged, {"loss": "down"}, checkpoints=[])
    assert (first.metric, first.step, first.logs) == ("eval_loss", 18, 1)
    assert first.lost == pytest.approx(0.2)
    assert (second.metric, second.step, second.logs) == ("loss", 40, 5)


def test_an_evaluation_speaks_for_the_checkpoint_of_its_step() -> None:
    evaluations = rows("eval_loss", [2.0, 1.5, 1.6], every=10)
    [best] = best_steps(evaluations, {"loss": "down"}, checkpoints=[10, 20, 30])
    assert (best.step, best.checkpoint) == (20, 20)


def test_what_never_changed_has_no_best_step() -> None:
    assert best_steps(rows("reward", [1.0] * 30), {"reward": "up"}, checkpoints=[]) == []
    assert best_steps(rows("reward", [1.0]), {"reward": "up"}, checkpoints=[]) == []
    assert best_steps({}, {"reward": "up"}, checkpoints=[]) == []


@pytest.mark.parametrize("trainer", sorted(catalogued_trainers()))
def test_every_trainer_has_a_direction_for_something_that_it_logs(trainer: str) -> None:
    directions = load_profile(trainer).directions
    assert directions
    assert set(directions) <= known_metrics(trainer)
    # Around zero by construction, whatever is learned.
    assert "policy_loss" not in directions


def test_a_rule_on_a_training_metric_stops_and_the_report_names_the_best_step(
    run_dpo: Any, tmp_path: Path
) -> None:
    own = tmp_path / "early_stopping.yaml"
    own.write_text(re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text(), re.M | re.S)[0])
    callback = DiagnosticsCallback(rules=own, stop_on=["margin_falls_from_its_best"])
    save = {"save_strategy": "steps", "save_steps": 10}
    trainer = run_dpo(tmp_path, callback, ForgetAll(), max_steps=60, learning_rate=5e-4, **save)
    assert FORGETS_AT < trainer.state.global_step < FORGETS_AT + 10
    final = json.loads((tmp_path / "ptt" / "run_metadata_final.json").read_text())
    assert final["stop"]["rule"] == "margin_falls_from_its_best"
    report = (tmp_path / "ptt" / "reports" / "run_report.md").read_text()
    [row] = re.findall(r"^\| reward_margin \| up \|.*$", report, re.M)
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert int(cells[3]) == FORGETS_AT
    assert float(cells[2]) > 2 * float(cells[4])
    # All is forgotten in checkpoint-20, although the row of step 20 is the best.
    assert (tmp_path / f"checkpoint-{FORGETS_AT}").is_dir()
    assert cells[-1] == "checkpoint-10"
