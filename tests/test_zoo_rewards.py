"""The rewards of the zoo's runs, and the faults that are put into them."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from grpo_runs import runs as grpo_runs
from ppo_runs import runs as ppo_runs
from reward_faults import RewardServiceError, changed, with_fault
from rewards import JUDGES, Completion, reward_function
from scoring import ScoreModel, rule_scores
from scoring import with_fault as scores_with_fault
from specification import Fault
from tiny_language_model import build_tokenizer

BATCH = {
    "completions": ["Of course! The capital is Paris.", "Rome"],
    "completion_ids": [[5, 6, 7, 1], [8, 1, 0, 0]],
    "answer": [" Paris", " Paris"],
}


@pytest.mark.parametrize(
    ("name", "rewards"),
    [
        ("courtesy", [1.0, 0.0]),
        ("correctness", [1.0, 0.0]),
        ("quality", [1.0, 0.0]),
        ("length", [4 / 32, 2 / 32]),
        ("brevity", [-0.4, -0.2]),
        ("keyword", [0.0, 0.0]),
        ("exclamations", [0.25, 0.0]),
        ("constant", [1.0, 1.0]),
    ],
)
def test_a_reward_judges_the_answer_and_counts_no_padding(name: str, rewards: list[float]) -> None:
    reward = reward_function(name, padding=0)
    assert reward(**BATCH) == rewards
    assert reward.__name__ == name


def test_quality_is_half_courtesy_and_half_being_right() -> None:
    rude = Completion("Paris", 2, "Paris")
    wrong = Completion("Happy to help! It is Rome.", 7, "Paris")
    assert JUDGES["quality"](rude) == JUDGES["quality"](wrong) == 0.5


def test_a_keyword_counts_only_so_often() -> None:
    assert JUDGES["keyword"](Completion("help help Help", 3, "")) == 1.5
    assert JUDGES["keyword"](Completion("help " * 20, 20, "")) == 4.0


@pytest.mark.parametrize(
    ("fault", "rewards"),
    [
        (Fault("reward_sign"), [-1.0, 0.0]),
        (Fault("reward_zero"), [0.0, 0.0]),
        (Fault("reward_scale", factor=20.0), [20.0, 0.0]),
        (Fault("reward_none"), [None, None]),
    ],
)
def test_a_fault_changes_the_rewards_from_its_step_on(
    fault: Fault, rewards: list[float | None]
) -> None:
    late = Fault(fault.name, 30, fault.factor)
    reward = with_fault(reward_function("courtesy", padding=0), late)
    assert reward(trainer_state=SimpleNamespace(global_step=29), **BATCH) == [1.0, 0.0]
    assert reward(trainer_state=SimpleNamespace(global_step=30), **BATCH) == rewards
    assert reward.__name__ == "courtesy"


def test_a_reward_that_is_nan_noisy_or_fails() -> None:
    assert all(math.isnan(each or 0.0) for each in changed([0.5, 1.0], Fault("reward_nan")))
    noisy = changed([0.0] * 200, Fault("reward_noise", factor=3.0))
    assert 2.0 < torch.tensor(noisy).std().item() < 4.0
    with pytest.raises(RewardServiceError):
        changed([0.5], Fault("reward_exception"))


def test_a_reward_that_was_none_stays_none() -> None:
    assert changed([None], Fault("reward_scale", factor=2.0)) == [None]


def test_other_faults_leave_the_reward_as_it_is() -> None:
    reward = reward_function("quality", padding=0)
    assert with_fault(reward, None) is reward
    assert with_fault(reward, Fault("lr_jump", 30, 40.0)) is reward


def test_a_rule_scores_whole_sequences_for_ppo() -> None:
    tokenizer = build_tokenizer()
    question = "Question: What is the capital of France? Answer:"
    sequences = tokenizer(
        [f"{question} Of course! The capital is Paris.", f"{question} Rome"],
        padding=True,
        return_tensors="pt",
    )["input_ids"]
    model = ScoreModel(rule_scores("quality", tokenizer))
    hidden = model.model(input_ids=sequences, attention_mask=None).hidden_states[-1]
    scores = model.score(hidden)
    assert scores.shape == (*sequences.shape, 1)
    assert scores[:, -1, 0].tolist() == [1.0, 0.0]


def test_a_fault_of_scores_waits_for_its_step() -> None:
    step = 29
    scores = scores_with_fault(
        lambda tokens: tokens.sum(1).float(), Fault("reward_sign", 30), lambda: step
    )
    assert scores(torch.ones(2, 3)).tolist() == [3.0, 3.0]
    step = 30
    assert scores(torch.ones(2, 3)).tolist() == [-3.0, -3.0]


def test_onsets_are_logged_steps() -> None:
    onsets = {(each.split, each.name): each.onset_step for each in grpo_runs()}
    # Fifty steps are done when the reward turns: the next row shows it.
    assert onsets["tuning", "reward-sign"] == 51
    # Seventy steps are done, and there is one row every five.
    assert onsets["judging", "reward-nan"] == 75
    # An exception carries the last step that was done.
    assert onsets["tuning", "reward-exception"] == 45
    assert onsets["tuning", "lr-high"] == 0


def test_onsets_of_ppo_are_updates() -> None:
    onsets = {(each.split, each.name): each.onset_step for each in ppo_runs()}
    assert onsets["tuning", "reward-scale"] == 31
    assert onsets["judging", "reward-exception"] == 45
