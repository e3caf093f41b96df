"""The runs of proximal policy optimisation (PPO)."""

from __future__ import annotations

import reinforcement_labels as labels
from language_model import ModelRecipe
from reinforcement_table import rewarded_halves
from run_table import Half
from specification import Fault, RunSpecification

_RUDE = ModelRecipe(polite_share=0.15)
_SMALL = ModelRecipe(hidden_size=64, seed=1)
_DEEP = ModelRecipe(hidden_size=96, layers=3, seed=2, polite_share=0.3)
_TALKATIVE = ModelRecipe(seed=3, polite_share=0.8)
_RUN = rewarded_halves(
    "ppo",
    {
        "total_episodes": 960,
        "per_device_train_batch_size": 8,
        "gradient_accumulation_steps": 2,
        "num_mini_batches": 1,
        "num_ppo_epochs": 2,
        "response_length": 24,
        "learning_rate": 1e-4,
        "kl_coef": 0.05,
        "missing_eos_penalty": 1.0,
        "temperature": 0.9,
    },
    _RUDE,
)


def runs() -> list[RunSpecification]:
    """Return the runs of the trainer."""
    return [*_healthy(), *_reward_faults(), *_policy_faults(), *_value_faults()]


def _healthy() -> list[RunSpecification]:
    return [
        *_RUN(
            "healthy-a",
            "a reward model that prefers polite answers",
            Half({"total_episodes": 1280}),
            Half({"total_episodes": 1120, "learning_rate": 1.5e-4, "kl_coef": 0.1}, _SMALL),
            reward=None,
        ),
        *_RUN(
            "healthy-epochs",
            "four passes over each batch, a strong KL term",
            Half(
                {
                    "total_episodes": 1120,
                    "learning_rate": 1.5e-4,
                    "kl_coef": 0.2,
                    "num_ppo_epochs": 4,
                },
                _DEEP,
            ),
            Half(
                {
                    "total_episodes": 960,
                    "kl_coef": 0.15,
                    "num_ppo_epochs": 4,
                    "kl_estimator": "k3",
                }
            ),
            reward=None,
        ),
        *_RUN(
            "healthy-schedule",
            "warm-up and a schedule, rewards whitened",
            Half(
                {
                    "total_episodes": 1600,
                    "learning_rate": 3e-4,
                    "lr_scheduler_type": "linear",
                    "warmup_steps": 10,
                    "whiten_rewards": True,
                    "per_device_train_batch_size": 16,
                    "gradient_accumulation_steps": 1,
                }
            ),
            Half(
                {
                    "total_episodes": 1440,
                    "learning_rate": 2e-4,
                    "lr_scheduler_type": "cosine",
                    "warmup_steps": 15,
                    "vf_coef": 0.2,
                },
                _DEEP,
            ),
            reward=None,
        ),
        *_RUN(
            "healthy-rule",
            "scores from a rule in the place of a reward model, two minibatches",
            Half({"total_episodes": 1280, "num_mini_batches": 2, "learning_rate": 2e-4}),
            Half({"total_episodes": 1600, "learning_rate": 2e-4, "kl_coef": 0.03}, _SMALL),
        ),
        *_RUN(
            "long",
            "several hundred updates",
            Half({"total_episodes": 5600, "kl_coef": 0.1, "learning_rate": 7e-5}),
            Half({"total_episodes": 4800, "kl_coef": 0.15}, _SMALL),
            reward=None,
        ),
    ]


def _reward_faults() -> list[RunSpecification]:
    return [
        *_RUN(
            "constant-reward",
            "every completion gets the same score",
            Half(fault=Fault("constant_reward")),
            Half({"kl_coef": 0.1, "learning_rate": 2e-4}, _SMALL, fault=Fault("constant_reward")),
            "constant",
            labels.CONSTANT_REWARD,
        ),
        *_RUN(
            "reward-zero",
            "the reward model gives 0 from an update on",
            Half(fault=Fault("reward_zero", 35)),
            Half({"learning_rate": 2e-4}, _SMALL, fault=Fault("reward_zero", 30)),
            None,
            labels.REWARD_ZERO,
        ),
        *_RUN(
            "reward-sign",
            "the sign of the score turns at an update",
            Half(fault=Fault("reward_sign", 35)),
            Half({"learning_rate": 2e-4}, _SMALL, fault=Fault("reward_sign", 30)),
            None,
            labels.REWARD_SIGN,
        ),
        *_RUN(
            "reward-scale",
            "the score is multiplied from an update on",
            Half(fault=Fault("reward_scale", 30, 20.0)),
            Half({"learning_rate": 1.5e-4}, _DEEP, fault=Fault("reward_scale", 40, 50.0)),
            None,
            labels.REWARD_SCALE,
        ),
        *_RUN(
            "reward-noise",
            "noise far larger than the score is added from an update on",
            Half(fault=Fault("reward_noise", 35, 6.0)),
            Half({"learning_rate": 2e-4}, _SMALL, fault=Fault("reward_noise", 30, 10.0)),
            None,
            labels.REWARD_NOISE,
        ),
        *_RUN(
            "reward-nan",
            "the score is NaN from an update on, and so are all weights after it",
            Half(fault=Fault("reward_nan", 25)),
            Half({"learning_rate": 2e-4}, _SMALL, fault=Fault("reward_nan", 40)),
            None,
            labels.NAN_WEIGHTS,
        ),
        *_RUN(
            "reward-exception",
            "the reward model raises",
            Half(fault=Fault("reward_exception", 28)),
            Half({}, _DEEP, fault=Fault("reward_exception", 45)),
            None,
            labels.CRASH,
        ),
    ]


def _policy_faults() -> list[RunSpecification]:
    return [
        *_RUN(
            "length",
            "the score grows with the length and nothing holds it back",
            Half(
                {
                    "learning_rate": 4e-4,
                    "missing_eos_penalty": None,
                    "kl_coef": 0.0,
                    "response_length": 32,
                },
                fault=Fault("length_reward"),
            ),
            Half(
                {
                    "learning_rate": 3e-4,
                    "missing_eos_penalty": None,
                    "kl_coef": 0.002,
                    "total_episodes": 1120,
                },
                _SMALL,
                fault=Fault("length_reward"),
            ),
            "length",
            labels.UNSEEN_LENGTH,
        ),
        *_RUN(
            "kl",
            "kl_coef 0 and a high learning rate",
            Half({"learning_rate": 1e-3, "kl_coef": 0.0}, fault=Fault("kl_explosion")),
            Half({"learning_rate": 2e-3, "kl_coef": 0.0}, _SMALL, fault=Fault("kl_explosion")),
            None,
            labels.KL_EXPLOSION,
        ),
        *_RUN(
            "lr-high",
            "learning rate far too high",
            Half({"learning_rate": 5e-3}, fault=Fault("lr_too_high")),
            Half({"learning_rate": 8e-3, "vf_coef": 1.0}, _DEEP, fault=Fault("lr_too_high")),
            None,
            labels.RUINED,
        ),
        *_RUN(
            "lr-zero",
            "learning rate 0",
            Half({"learning_rate": 0.0}, fault=Fault("lr_zero")),
            Half({"learning_rate": 0.0, "total_episodes": 1280}, _DEEP, fault=Fault("lr_zero")),
            None,
            labels.NOT_LEARNING,
        ),
        *_RUN(
            "lr-jump",
            "the learning rate is multiplied in the middle of the run",
            Half(fault=Fault("lr_jump", 30, 60.0)),
            Half({"learning_rate": 2e-4}, _SMALL, fault=Fault("lr_jump", 40, 40.0)),
            None,
            labels.RUINED,
        ),
        *_RUN(
            "clipping",
            "many passes over each batch, a high learning rate and a narrow clip range",
            Half(
                {"num_ppo_epochs": 10, "learning_rate": 6e-4, "cliprange": 0.1},
                fault=Fault("clip_fraction_high"),
            ),
            Half(
                {"num_ppo_epochs": 12, "learning_rate": 5e-4, "cliprange": 0.05},
                _SMALL,
                fault=Fault("clip_fraction_high"),
            ),
            None,
            labels.CLIPPING,
        ),
    ]


def _value_faults() -> list[RunSpecification]:
    return [
        *_RUN(
            "value-discount",
            "the discount gamma is above 1",
            Half(
                {"gamma": 1.3, "vf_coef": 1.0, "cliprange_value": 1e6},
                fault=Fault("value_divergence"),
            ),
            Half({"gamma": 1.25, "vf_coef": 0.5}, _SMALL, fault=Fault("value_divergence")),
            None,
            labels.VALUE_DIVERGENCE,
        ),
        *_RUN(
            "value-weight",
            "a value loss that is weighted far too high and not clipped, at a high learning rate",
            Half(
                {"vf_coef": 100.0, "learning_rate": 3e-3, "cliprange_value": 1e6},
                fault=Fault("value_weight"),
            ),
            Half(
                {"vf_coef": 50.0, "learning_rate": 2.5e-3, "cliprange_value": 1e6},
                _DEEP,
                fault=Fault("value_weight"),
            ),
            None,
            labels.RUINED,
        ),
    ]
