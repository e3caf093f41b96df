"""The checkpoint to keep is named with its reason, and never with more than the runs show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.metrics_file import LoggedRow, MetricsEntry
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.ptt_trl.comparison.advice_words import advice_sentences
from post_training_toolkit.ptt_trl.comparison.checkpoint_choice import CheckpointAdvice, Lead
from post_training_toolkit.ptt_trl.comparison.run_comparison import compare_runs
from post_training_toolkit.ptt_trl.report.reading import read_run
from tests.ptt_trl.recorded_run import diverging, rows, write_run


def described(trainer: str = "dpo", **configuration: Any) -> RunDescription:
    given = {"beta": 0.1, "logging_steps": 1, "loss_type": ["sigmoid"], **configuration}
    return RunDescription(trainer, given, max_steps=60, logging_steps=1)


def evaluated(rates: list[float], every: int = 10) -> list[MetricsEntry]:
    """Return a run that was evaluated now and then."""
    return [
        LoggedRow(every * place, None, admit({"eval_rewards/accuracies": rate}))
        for place, rate in enumerate(rates, start=1)
    ]


def steady(low: float, high: float, noise: float = 0.0, seed: int = 0) -> list[MetricsEntry]:
    """Return 60 steps whose win rate goes from one value to another."""
    drawn = np.random.default_rng(seed).normal(0, noise, 60) if noise else np.zeros(60)
    values = np.linspace(low, high, 60) + drawn
    return rows({"rewards/accuracies": values.tolist()})


def write(
    folder: Path,
    entries: list[MetricsEntry],
    checkpoints: list[int],
    run: RunDescription | None = None,
) -> Path:
    return write_run(folder, entries, run=run or described(), final={"checkpoints": checkpoints})


def advice_on(*folders: Path) -> CheckpointAdvice:
    return compare_runs([read_run(each) for each in folders]).checkpoints


def said(advice: CheckpointAdvice) -> str:
    return " ".join(advice_sentences(advice))


def test_the_best_evaluated_checkpoint_of_all_runs_is_named_with_its_runner_up(
    tmp_path: Path,
) -> None:
    a = write(tmp_path / "a", evaluated([0.5, 0.55, 0.6, 0.65]), [10, 20, 30, 40])
    b = write(tmp_path / "b", evaluated([0.6, 0.7, 0.8, 0.7]), [20, 30, 40])
    advice = advice_on(a, b)
    [choice] = advice.choices
    assert choice.best is not None
    assert (choice.metric, choice.best.run, choice.best.step) == ("eval_win_rate", "b", 30)
    assert "Keep checkpoint-30 of b: it has the highest eval_win_rate, 0.8 in the" in said(advice)
    assert "Runner-up: checkpoint-" in said(advice)


def test_a_training_metric_is_judged_by_its_median_and_a_clear_lead_is_called_one(
    tmp_path: Path,
) -> None:
    a = write(tmp_path / "a", steady(0.5, 0.6, 0.01, seed=1), [60])
    b = write(tmp_path / "b", steady(0.5, 0.9, 0.01, seed=2), [60])
    [choice] = advice_on(a, b).choices
    assert choice.best is not None
    assert (choice.best.run, choice.best.level.logs, choice.lead) == ("b", 6, Lead.CLEAR)


def test_a_difference_within_the_noise_is_said_to_be_none(tmp_path: Path) -> None:
    a = write(tmp_path / "a", steady(0.7, 0.7, 0.1, seed=1), [30, 60])
    b = write(tmp_path / "b", steady(0.7, 0.7, 0.1, seed=2), [60])
    advice = advice_on(a, b)
    [choice] = advice.choices
    assert (choice.lead, choice.as_good) == (Lead.NOISE, 2)
    assert "no difference that counts" in said(advice)
    assert "the same holds for 1 more" in said(advice)


def test_two_evaluations_are_too_few_to_tell_noise(tmp_path: Path) -> None:
    a = write(tmp_path / "a", evaluated([0.5, 0.6]), [20])
    b = write(tmp_path / "b", evaluated([0.5, 0.7]), [20])
    advice = advice_on(a, b)
    assert advice.choices[0].lead is Lead.UNKNOWN
    assert "too little was logged" in said(advice)


def test_checkpoints_from_a_trouble_that_stayed_are_left_out(tmp_path: Path) -> None:
    healthy = write(tmp_path / "healthy", steady(0.5, 0.6), [20, 40])
    broken = write(tmp_path / "broken", diverging(), [20, 40, 60])
    advice = advice_on(healthy, broken)
    [left_out] = [each for each in advice.left_out if each.run == "broken"]
    assert left_out.steps == (40, 60)
    assert "held from step 31 and never went away" in left_out.why
    assert "Left out of broken: checkpoint-40, checkpoint-60, since" in said(advice)


def test_no_checkpoint_of_another_loss_type_is_ranked(tmp_path: Path) -> None:
    a = write(tmp_path / "a", steady(0.5, 0.6), [20, 40])
    b = write(tmp_path / "b", steady(0.5, 0.9), [20], described(loss_type=["ipo"]))
    advice = advice_on(a, b)
    assert [choice.runs for choice in advice.choices] == [("a",), ("b",)]
    assert advice.not_across == ("their loss_type differs (a: sigmoid, b: ipo)",)
    assert "The checkpoints of different runs cannot be ranked" in said(advice)
    assert "Keep checkpoint-20 of b, the only one to choose from" in said(advice)


def test_no_checkpoint_of_another_trainer_is_ranked(tmp_path: Path) -> None:
    a = write(tmp_path / "a", steady(0.5, 0.6), [20])
    b = write(tmp_path / "b", rows({"loss": [0.5] * 20}), [20], described("sft"))
    [reason] = advice_on(a, b).not_across
    assert reason == "their trainers are not known to be the same (a: dpo, b: sft)"


def test_no_checkpoint_of_another_reward_is_ranked(tmp_path: Path) -> None:
    for name, function in {"a": "correct", "b": "long"}.items():
        entries = rows({"reward": [0.5] * 20, f"rewards/{function}/mean": [0.5] * 20})
        write(tmp_path / name, entries, [20], described("grpo"))
    [reason] = advice_on(tmp_path / "a", tmp_path / "b").not_across
    assert reason == "their reward functions differ (a: correct, b: long)"


def test_another_beta_leaves_the_metrics_that_do_not_depend_on_it(tmp_path: Path) -> None:
    def entries(rate: float) -> list[MetricsEntry]:
        margins = {"rewards/margins": [rate] * 20, "loss": [rate] * 20}
        return rows({**margins, "rewards/accuracies": [rate] * 20})

    a = write(tmp_path / "a", entries(0.6), [20])
    b = write(tmp_path / "b", entries(0.7), [20], described(beta=0.5))
    assert advice_on(a, b).choices[0].metric == "win_rate"
    c = write(tmp_path / "c", rows({"loss": [0.5] * 20}), [20])
    d = write(tmp_path / "d", rows({"loss": [0.4] * 20}), [20], described(beta=0.5))
    advice = advice_on(c, d)
    assert [choice.runs for choice in advice.choices] == [("c",), ("d",)]
    assert "loss: beta, on which its scale depends, differs" in said(advice)


def test_without_any_checkpoint_nothing_is_chosen(tmp_path: Path) -> None:
    a = write(tmp_path / "a", steady(0.5, 0.6), [])
    b = write(tmp_path / "b", steady(0.5, 0.6), [])
    advice = advice_on(a, b)
    assert advice.choices == ()
    assert "No run is known to have kept a checkpoint" in said(advice)


def test_a_checkpoint_before_the_first_evaluation_is_left_out(tmp_path: Path) -> None:
    a = write(tmp_path / "a", evaluated([0.5, 0.6]), [5, 10])
    b = write(tmp_path / "b", evaluated([0.5, 0.6]), [20])
    [left_out] = advice_on(a, b).left_out
    assert (left_out.run, left_out.steps) == ("a", (5,))
