"""The runs of online DPO: two completions a prompt, the better one preferred."""

from __future__ import annotations

import reinforcement_labels as labels
from language_model import ModelRecipe
from reinforcement_table import rewarded_halves
from run_table import Half
from specification import Fault, RunSpecification

_RUDE = ModelRecipe(polite_share=0.15)
_SMALL = ModelRecipe(hidden_size=64, seed=1)
_DEEP = ModelRecipe(hidden_size=96, layers=3, seed=2, polite_share=0.3)
_RUN = rewarded_halves(
    "online_dpo",
    {
        "max_steps": 80,
        "per_device_train_batch_size": 12,
        "max_new_tokens": 20,
        "max_length": 64,
        "learning_rate": 1e-4,
        "beta": 0.1,
    },
    ModelRecipe(),
)


def runs() -> list[RunSpecification]:
    """Return the runs of the trainer."""
    return [*_healthy(), *_reward_faults(), *_learning_rate()]


def _healthy() -> list[RunSpecification]:
    return [
        *_RUN(
            "healthy-a",
            "rewarded for courtesy",
            Half({"max_steps": 100}, _RUDE),
            Half({"max_steps": 120, "learning_rate": 7e-5, "beta": 0.2}, _SMALL),
            "courtesy",
        ),
        *_RUN(
            "healthy-warmup",
            "warm-up, then a linear or cosine schedule",
            Half(
                {
                    "max_steps": 100,
                    "learning_rate": 1.5e-4,
                    "warmup_steps": 10,
                    "lr_scheduler_type": "linear",
                    "missing_eos_penalty": 1.0,
                },
                _DEEP,
            ),
            Half({"max_steps": 120, "warmup_steps": 20, "lr_scheduler_type": "cosine"}, _RUDE),
            "courtesy",
        ),
        *_RUN(
            "healthy-log5",
            "one log every 5 steps",
            Half({"max_steps": 200, "logging_steps": 5, "learning_rate": 7e-5}, _RUDE),
            Half(
                {
                    "max_steps": 180,
                    "logging_steps": 5,
                    "gradient_accumulation_steps": 2,
                    "per_device_train_batch_size": 8,
                },
                _DEEP,
            ),
        ),
        *_RUN(
            "healthy-log10",
            "one log every 10 steps",
            Half({"max_steps": 250, "logging_steps": 10, "learning_rate": 5e-5}, _SMALL),
            Half(
                {"max_steps": 220, "logging_steps": 10, "learning_rate": 7e-5, "beta": 0.3}, _RUDE
            ),
            "courtesy",
        ),
    ]


def _reward_faults() -> list[RunSpecification]:
    return [
        *_RUN(
            "constant-reward",
            "every completion gets the same reward",
            Half(fault=Fault("constant_reward")),
            Half({"max_steps": 100, "learning_rate": 5e-5}, _SMALL, fault=Fault("constant_reward")),
            "constant",
            labels.CONSTANT_REWARD,
        ),
        *_RUN(
            "reward-zero",
            "the reward function returns 0 from a step on",
            Half(fault=Fault("reward_zero", 45)),
            Half({"max_steps": 90}, _SMALL, fault=Fault("reward_zero", 50)),
            "courtesy",
            labels.REWARD_ZERO,
        ),
        *_RUN(
            "reward-sign",
            "the sign of the reward turns at a step",
            Half({"max_steps": 100, "learning_rate": 2e-4}, fault=Fault("reward_sign", 50)),
            Half({"max_steps": 120}, _RUDE, fault=Fault("reward_sign", 65)),
            "courtesy",
            labels.REWARD_SIGN,
        ),
        *_RUN(
            "reward-scale",
            "the reward is multiplied from a step on",
            Half({"max_steps": 80}, fault=Fault("reward_scale", 45, 20.0)),
            Half({"max_steps": 90}, _SMALL, fault=Fault("reward_scale", 50, 50.0)),
            labels=labels.REWARD_SCALE,
        ),
        *_RUN(
            "reward-exception",
            "the reward function raises",
            Half(fault=Fault("reward_exception", 30)),
            Half(fault=Fault("reward_exception", 48)),
            labels=labels.CRASH,
        ),
    ]


def _learning_rate() -> list[RunSpecification]:
    return [
        *_RUN(
            "lr-zero",
            "learning rate 0",
            Half({"learning_rate": 0.0}, _RUDE, fault=Fault("lr_zero")),
            Half({"learning_rate": 0.0, "max_steps": 100}, _SMALL, fault=Fault("lr_zero")),
            "courtesy",
            labels.NOT_LEARNING,
        ),
        *_RUN(
            "lr-tiny",
            "learning rate 1e-9",
            Half({"learning_rate": 1e-9, "max_steps": 100}, _DEEP, fault=Fault("lr_tiny")),
            Half(
                {"learning_rate": 1e-9, "max_steps": 150, "logging_steps": 5},
                _RUDE,
                fault=Fault("lr_tiny"),
            ),
            labels=labels.NOT_LEARNING,
        ),
        *_RUN(
            "lr-high",
            "learning rate a hundred times too high",
            Half({"learning_rate": 1e-2}, fault=Fault("lr_too_high")),
            Half({"learning_rate": 5e-3, "max_grad_norm": 0.0}, _SMALL, fault=Fault("lr_too_high")),
            "courtesy",
            labels.RUINED,
        ),
        *_RUN(
            "lr-jump",
            "the learning rate is multiplied in the middle of the run",
            Half({"max_steps": 90}, fault=Fault("lr_jump", 45, 50.0)),
            Half({"max_steps": 100}, _DEEP, fault=Fault("lr_jump", 60, 100.0)),
            "courtesy",
            labels.RUINED,
        ),
        *_RUN(
            "kl",
            "high learning rate and next to no weight on the reference",
            Half({"learning_rate": 2e-3, "beta": 0.001}, fault=Fault("kl_explosion")),
            Half({"learning_rate": 3e-3, "beta": 0.002}, _SMALL, fault=Fault("kl_explosion")),
            "courtesy",
            labels.KL_EXPLOSION,
        ),
        *_RUN(
            "frozen",
            "no gradient reaches the weights",
            Half({"max_steps": 60}, fault=Fault("frozen")),
            Half({"max_steps": 80}, _RUDE, fault=Fault("frozen")),
            "courtesy",
            labels.FROZEN,
        ),
    ]
