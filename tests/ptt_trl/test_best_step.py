"""The report names the best step of a training metric, and a rule stops when it has fallen."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import TrainerCallback

from post_training_toolkit import DiagnosticsCallback
from post_training_toolkit.engine.door import Row, admit
from post_training_toolkit.ptt_trl.best_step import best_steps
from post_training_toolkit.rules.catalogue import catalogued_trainers, known_metrics
from post_training_toolkit.rules.profile import load_profile

PAGE = Path(__file__).parents[2] / "docs" / "early_stopping.md"
FORGETS_AT = 20


def rows(metric: str, values: list[float]) -> list[tuple[int, Row]]:
    return [(step, admit({metric: value})) for step, value in enumerate(values, start=1)]


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


def test_one_lucky_row_is_no_best_step() -> None:
    values = [0.1 * step for step in range(10)] + [0.5] * 20
    values[15] = 1.2
    [best] = best_steps(rows("reward", values), {"reward": "up"}, checkpoints=[])
    assert (best.step, best.logs, best.checkpoint) == (10, 5, None)
    assert best.value == pytest.approx(0.7)
    assert best.lost == pytest.approx(0.2)


def test_lower_is_better_where_the_profile_says_so() -> None:
    [best] = best_steps(rows("loss", [3.0, 1.0, 2.0]), {"loss": "down"}, checkpoints=[1, 3])
    assert (best.step, best.value, best.last) == (2, 1.0, 2.0)
    # Of two equally near checkpoints the earlier one.
    assert best.checkpoint == 1


def test_evaluations_come_first_and_are_taken_as_they_are() -> None:
    logged = rows("loss", [2.0] * 20 + [1.0] * 20) + rows("eval_loss", [2.0, 1.5, 1.6, 1.7] * 5)
    first, second = best_steps(logged, {"loss": "down"}, checkpoints=[])
    assert (first.metric, first.step, first.logs) == ("eval_loss", 2, 1)
    assert (second.metric, second.step, second.logs) == ("loss", 25, 5)


def test_what_never_changed_has_no_best_step() -> None:
    assert best_steps(rows("reward", [1.0] * 30), {"reward": "up"}, checkpoints=[]) == []
    assert best_steps(rows("reward", [1.0]), {"reward": "up"}, checkpoints=[]) == []
    assert best_steps([], {"reward": "up"}, checkpoints=[]) == []


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
    assert FORGETS_AT - 2 <= int(cells[3]) <= FORGETS_AT + 2
    assert float(cells[2]) > 2 * float(cells[4])
    assert cells[-1] == "checkpoint-20"
