"""The runs of REINFORCE leave-one-out (RLOO)."""

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
    "rloo",
    {
        "max_steps": 80,
        "per_device_train_batch_size": 16,
        "num_generations": 8,
        "max_completion_length": 24,
        "learning_rate": 2e-4,
        "beta": 0.05,
    },
    ModelRecipe(),
)


def runs() -> list[RunSpecification]:
    """Return the runs of the trainer."""
    return [*_healthy(), *_reward_faults(), *_ruined(), *_learning_rate()]


def _healthy() -> list[RunSpecification]:
    return [
        *_RUN(
            "healthy-a",
            "rewarded for courtesy and for being right",
            Half({"max_steps": 120}, _SMALL),
            # Its name gives the seed of a run in the other half.
            Half({"max_steps": 140, "beta": 0.03, "learning_rate": 1e-4, "seed": 17}, _DEEP),
        ),
        *_RUN(
            "healthy-warmup",
            "warm-up, then a linear or cosine schedule; the KL term off or strong",
            Half(
                {
                    "max_steps": 100,
                    "learning_rate": 1e-4,
                    "warmup_steps": 10,
                    "lr_scheduler_type": "linear",
                    "beta": 0.0,
                },
                _RUDE,
            ),
            Half(
                {
                    "max_steps": 120,
                    "warmup_steps": 15,
                    "lr_scheduler_type": "cosine",
                    "beta": 0.1,
                    "num_generations": 4,
                },
                _RUDE,
            ),
            reward="courtesy",
        ),
        *_RUN(
            "healthy-log5",
            "one log every 5 steps, gradient accumulation",
            Half(
                {
                    "max_steps": 200,
                    "logging_steps": 5,
                    "gradient_accumulation_steps": 2,
                    "per_device_train_batch_size": 8,
                },
                _DEEP,
            ),
            Half({"max_steps": 220, "logging_steps": 5, "learning_rate": 1e-4}, _RUDE),
        ),
        *_RUN(
            "healthy-log10",
            "one log every 10 steps, completions used twice, or advantages normalised",
            Half(
                {
                    "max_steps": 260,
                    "logging_steps": 10,
                    "num_iterations": 2,
                    "learning_rate": 1e-4,
                }
            ),
            Half(
                {
                    "max_steps": 250,
                    "logging_steps": 10,
                    "normalize_advantages": True,
                    "learning_rate": 6e-5,
                },
                _SMALL,
            ),
        ),
        *_RUN(
            "long",
            "several hundred steps",
            Half({"max_steps": 600, "learning_rate": 1e-4}, _RUDE),
            Half({"max_steps": 650, "learning_rate": 7e-5, "beta": 0.08}, _SMALL),
        ),
    ]


def _reward_faults() -> list[RunSpecification]:
    return [
        *_RUN(
            "constant-reward",
            "every completion gets the same reward",
            Half({"beta": 0.0}, fault=Fault("constant_reward")),
            Half({"max_steps": 100}, _SMALL, fault=Fault("constant_reward")),
            "constant",
            labels.CONSTANT_REWARD,
        ),
        *_RUN(
            "reward-zero",
            "the reward function returns 0 from a step on",
            Half(fault=Fault("reward_zero", 45)),
            Half({"learning_rate": 1e-4, "beta": 0.02}, _SMALL, fault=Fault("reward_zero", 35)),
            labels=labels.REWARD_ZERO,
        ),
        *_RUN(
            "reward-sign",
            "the sign of the reward turns at a step",
            Half({"max_steps": 100}, fault=Fault("reward_sign", 50)),
            Half({"max_steps": 110, "learning_rate": 1e-4}, _DEEP, fault=Fault("reward_sign", 65)),
            labels=labels.REWARD_SIGN,
        ),
        *_RUN(
            "reward-scale",
            "the reward is multiplied from a step on",
            Half({"max_steps": 90}, fault=Fault("reward_scale", 50, 20.0)),
            Half({"max_steps": 100}, _SMALL, fault=Fault("reward_scale", 60, 50.0)),
            labels=labels.REWARD_SCALE,
        ),
        *_RUN(
            "reward-noise",
            "noise far larger than the reward is added from a step on",
            Half({"max_steps": 90}, fault=Fault("reward_noise", 50, 3.0)),
            Half({"max_steps": 100}, _DEEP, fault=Fault("reward_noise", 55, 5.0)),
            labels=labels.REWARD_NOISE,
        ),
        *_RUN(
            "reward-nan",
            "the reward of every completion is NaN from a step on",
            Half({"max_steps": 60}, fault=Fault("reward_nan", 35)),
            Half({"max_steps": 120, "logging_steps": 5}, _SMALL, fault=Fault("reward_nan", 70)),
            labels=labels.REWARD_MISSING,
        ),
        *_RUN(
            "reward-exception",
            "the reward function raises",
            Half(fault=Fault("reward_exception", 38)),
            Half({"learning_rate": 1e-4}, _DEEP, fault=Fault("reward_exception", 55)),
            labels=labels.CRASH,
        ),
    ]


def _ruined() -> list[RunSpecification]:
    return [
        *_RUN(
            "length",
            "the reward grows with the length",
            Half(
                {"max_completion_length": 32, "learning_rate": 4e-4, "beta": 0.005},
                fault=Fault("length_reward"),
            ),
            Half(
                {
                    "max_completion_length": 40,
                    "max_steps": 90,
                    "beta": 0.0,
                    "learning_rate": 3e-4,
                },
                _SMALL,
                fault=Fault("length_reward"),
            ),
            "length",
            labels.LENGTH,
        ),
        *_RUN(
            "brevity",
            "the reward falls with the length",
            Half(
                {"learning_rate": 5e-4, "beta": 0.01},
                _TALKATIVE,
                fault=Fault("brevity_reward"),
            ),
            Half(
                {"learning_rate": 3e-4, "beta": 0.0, "max_steps": 90},
                _TALKATIVE,
                fault=Fault("brevity_reward"),
            ),
            "brevity",
            labels.BREVITY,
        ),
        *_RUN(
            "kl",
            "high learning rate and next to no KL term, a reward for one repeatable word",
            Half({"learning_rate": 3e-3, "beta": 0.001}, fault=Fault("kl_explosion")),
            Half(
                {"learning_rate": 2e-3, "beta": 0.0005, "max_steps": 70},
                _SMALL,
                fault=Fault("kl_explosion"),
            ),
            "keyword",
            labels.KL_EXPLOSION,
        ),
        *_RUN(
            "entropy-collapse",
            "high learning rate, no KL term, a reward for one repeatable mark",
            Half({"learning_rate": 2e-3, "beta": 0.0}, fault=Fault("entropy_collapse")),
            Half(
                {"learning_rate": 3e-3, "beta": 0.0, "max_completion_length": 28},
                _SMALL,
                fault=Fault("entropy_collapse"),
            ),
            "exclamations",
            labels.ENTROPY_COLLAPSE,
        ),
    ]


def _learning_rate() -> list[RunSpecification]:
    return [
        *_RUN(
            "lr-zero",
            "learning rate 0",
            Half({"learning_rate": 0.0}, fault=Fault("lr_zero")),
            Half(
                {"learning_rate": 0.0, "max_steps": 120, "beta": 0.0}, _RUDE, fault=Fault("lr_zero")
            ),
            labels=labels.NOT_LEARNING,
        ),
        *_RUN(
            "lr-high",
            "learning rate far too high",
            Half({"learning_rate": 5e-3, "beta": 0.0}, fault=Fault("lr_too_high")),
            Half(
                {"learning_rate": 1e-2, "max_grad_norm": 0.0, "max_steps": 70},
                _DEEP,
                fault=Fault("lr_too_high"),
            ),
            labels=labels.RUINED,
        ),
        *_RUN(
            "lr-jump",
            "the learning rate is multiplied in the middle of the run",
            Half({"max_steps": 100, "learning_rate": 1e-4}, fault=Fault("lr_jump", 50, 60.0)),
            Half(
                {"max_steps": 120, "learning_rate": 7e-5, "beta": 0.02},
                _SMALL,
                fault=Fault("lr_jump", 70, 100.0),
            ),
            labels=labels.RUINED,
        ),
        *_RUN(
            "nan-gradient",
            "one gradient is NaN, and so are all weights after it",
            Half(fault=Fault("nan_gradient", 40)),
            Half({"learning_rate": 1e-4}, _SMALL, fault=Fault("nan_gradient", 57)),
            labels=labels.NAN_WEIGHTS,
        ),
    ]
