"""The runs of group relative policy optimisation (GRPO) that something is wrong with."""

from __future__ import annotations

import reinforcement_labels as labels
from language_model import ModelRecipe
from reinforcement_table import RewardedPairs
from run_table import Half
from specification import Fault, RunSpecification

_RUDE = ModelRecipe(polite_share=0.15)
_SMALL = ModelRecipe(hidden_size=64, seed=1)
_DEEP = ModelRecipe(hidden_size=96, layers=3, seed=2, polite_share=0.3)
_TALKATIVE = ModelRecipe(seed=3, polite_share=0.8)


def faulty_runs(run: RewardedPairs) -> list[RunSpecification]:
    """Return the runs; ``run`` makes a pair of them with the settings that are usual here."""
    return [*_reward_faults(run), *_lengths(run), *_entropy_and_kl(run), *_learning_rate(run)]


def _reward_faults(run: RewardedPairs) -> list[RunSpecification]:
    return [
        *run(
            "constant-reward",
            "every completion gets the same reward",
            Half(fault=Fault("constant_reward")),
            Half(
                {"beta": 0.04, "logging_steps": 5, "max_steps": 150}, fault=Fault("constant_reward")
            ),
            "constant",
            labels.CONSTANT_REWARD,
        ),
        *run(
            "reward-zero",
            "the reward function returns 0 from a step on",
            Half({"learning_rate": 1e-4}, fault=Fault("reward_zero", 50)),
            Half({"learning_rate": 1e-4, "beta": 0.02}, _SMALL, fault=Fault("reward_zero", 35)),
            labels=labels.REWARD_ZERO,
        ),
        *run(
            "reward-sign",
            "the sign of the reward turns at a step",
            Half({"max_steps": 100, "beta": 0.02}, fault=Fault("reward_sign", 50)),
            Half({"max_steps": 110, "learning_rate": 1e-4}, _DEEP, fault=Fault("reward_sign", 65)),
            labels=labels.REWARD_SIGN,
        ),
        *run(
            "reward-scale",
            "the reward is multiplied from a step on",
            Half({"max_steps": 90, "beta": 0.02}, fault=Fault("reward_scale", 50, 20.0)),
            Half({"max_steps": 100, "beta": 0.03}, _SMALL, fault=Fault("reward_scale", 60, 50.0)),
            labels=labels.REWARD_SCALE,
        ),
        *run(
            "reward-noise",
            "noise far larger than the reward is added from a step on",
            Half({"max_steps": 100, "beta": 0.02}, fault=Fault("reward_noise", 60, 3.0)),
            Half({"max_steps": 90, "beta": 0.04}, _DEEP, fault=Fault("reward_noise", 45, 5.0)),
            labels=labels.REWARD_NOISE,
        ),
        *run(
            "reward-nan",
            "the reward of every completion is NaN from a step on",
            Half({"max_steps": 60}, fault=Fault("reward_nan", 35)),
            Half({"max_steps": 120, "logging_steps": 5}, _SMALL, fault=Fault("reward_nan", 70)),
            labels=labels.REWARD_MISSING,
        ),
        *run(
            "reward-none",
            "the reward function gives up and returns None from a step on",
            Half({"max_steps": 70, "beta": 0.02}, _RUDE, fault=Fault("reward_none", 40)),
            Half({"max_steps": 80, "learning_rate": 1e-4}, fault=Fault("reward_none", 30)),
            labels=labels.REWARD_MISSING,
        ),
        *run(
            "reward-exception",
            "the reward function raises",
            Half(fault=Fault("reward_exception", 45)),
            Half({"beta": 0.04, "learning_rate": 1e-4}, _DEEP, fault=Fault("reward_exception", 62)),
            labels=labels.CRASH,
        ),
    ]


def _lengths(run: RewardedPairs) -> list[RunSpecification]:
    return [
        *run(
            "length",
            "the reward grows with the length",
            Half(
                {"max_completion_length": 32, "learning_rate": 4e-4}, fault=Fault("length_reward")
            ),
            Half(
                {"max_completion_length": 40, "max_steps": 90, "beta": 0.005},
                _SMALL,
                fault=Fault("length_reward"),
            ),
            "length",
            labels.LENGTH,
        ),
        *run(
            "brevity",
            "the reward falls with the length",
            Half({"learning_rate": 5e-4}, _TALKATIVE, fault=Fault("brevity_reward")),
            Half(
                {"learning_rate": 3e-4, "max_steps": 100}, _TALKATIVE, fault=Fault("brevity_reward")
            ),
            "brevity",
            labels.BREVITY,
        ),
        *run(
            "length-limit",
            "max_completion_length is below the length of most answers",
            Half(
                {"max_completion_length": 5, "learning_rate": 1e-4},
                _TALKATIVE,
                fault=Fault("length_limit"),
            ),
            Half(
                {"max_completion_length": 6, "learning_rate": 5e-5, "beta": 0.04, "max_steps": 100},
                _TALKATIVE,
                fault=Fault("length_limit"),
            ),
            labels=labels.LENGTH_LIMIT,
        ),
    ]


def _entropy_and_kl(run: RewardedPairs) -> list[RunSpecification]:
    return [
        *run(
            "entropy-collapse",
            "high learning rate, no KL term, a reward for one repeatable mark",
            Half({"learning_rate": 2e-3}, fault=Fault("entropy_collapse")),
            Half(
                {"learning_rate": 3e-3, "max_completion_length": 28, "max_steps": 70},
                _SMALL,
                fault=Fault("entropy_collapse"),
            ),
            "exclamations",
            labels.ENTROPY_COLLAPSE,
        ),
        *run(
            "entropy-bonus",
            "an entropy bonus that outweighs the reward",
            Half({"entropy_coef": 0.4}, fault=Fault("entropy_bonus")),
            Half(
                {"entropy_coef": 0.7, "learning_rate": 3e-4, "beta": 0.01},
                _SMALL,
                fault=Fault("entropy_bonus"),
            ),
            labels=labels.ENTROPY_EXPLOSION,
        ),
        *run(
            "hot",
            "sampled at temperature 2 from the beginning: nothing changes, most answers are wrong",
            Half({"temperature": 2.0}, fault=Fault("temperature_high")),
            Half({"temperature": 1.8, "beta": 0.02}, _SMALL, fault=Fault("temperature_high")),
            labels=labels.UNCLEAR,
        ),
        *run(
            "kl",
            "high learning rate and next to no KL term, a reward for one repeatable word",
            Half({"learning_rate": 2e-3, "beta": 0.001}, fault=Fault("kl_explosion")),
            Half(
                {"learning_rate": 1.5e-3, "beta": 0.0005, "max_steps": 100},
                _SMALL,
                fault=Fault("kl_explosion"),
            ),
            "keyword",
            labels.KL_EXPLOSION,
        ),
    ]


def _learning_rate(run: RewardedPairs) -> list[RunSpecification]:
    return [
        *run(
            "lr-zero",
            "learning rate 0",
            Half({"learning_rate": 0.0, "beta": 0.04}, fault=Fault("lr_zero")),
            Half({"learning_rate": 0.0, "max_steps": 120}, _RUDE, fault=Fault("lr_zero")),
            labels=labels.NOT_LEARNING,
        ),
        *run(
            "lr-tiny",
            "learning rate 1e-9",
            Half(
                {"learning_rate": 1e-9, "logging_steps": 5, "max_steps": 200},
                fault=Fault("lr_tiny"),
            ),
            Half(
                {"learning_rate": 1e-9, "beta": 0.02, "max_steps": 120},
                _DEEP,
                fault=Fault("lr_tiny"),
            ),
            labels=labels.NOT_LEARNING,
        ),
        *run(
            "lr-high",
            "learning rate a hundred times too high",
            Half({"learning_rate": 8e-3, "beta": 0.01}, fault=Fault("lr_too_high")),
            Half(
                {"learning_rate": 1.5e-2, "max_grad_norm": 0.0, "max_steps": 70},
                _DEEP,
                fault=Fault("lr_too_high"),
            ),
            labels=labels.RUINED,
        ),
        *run(
            "lr-jump",
            "the learning rate is multiplied in the middle of the run",
            Half(
                {"max_steps": 120, "learning_rate": 1e-4, "beta": 0.02},
                fault=Fault("lr_jump", 60, 40.0),
            ),
            Half(
                {"max_steps": 100, "learning_rate": 7e-5, "beta": 0.04},
                _SMALL,
                fault=Fault("lr_jump", 40, 100.0),
            ),
            labels=labels.RUINED,
        ),
        *run(
            "nan-gradient",
            "one gradient is NaN, and so are all weights after it",
            Half({"beta": 0.02}, fault=Fault("nan_gradient", 40)),
            Half({"learning_rate": 1e-4}, _SMALL, fault=Fault("nan_gradient", 57)),
            labels=labels.NAN_WEIGHTS,
        ),
        *run(
            "frozen",
            "no gradient reaches the weights",
            Half({"beta": 0.02}, fault=Fault("frozen")),
            Half({"max_steps": 100}, _DEEP, fault=Fault("frozen")),
            labels=labels.FROZEN,
        ),
    ]
