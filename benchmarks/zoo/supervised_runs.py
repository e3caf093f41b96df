"""The runs of supervised fine-tuning (SFT) and of reward models."""

from __future__ import annotations

import labels
from corpus import DataRecipe
from language_model import ModelRecipe
from run_table import Half, both_halves
from specification import Fault, RunSpecification

# Has never seen a polite answer.
_RUDE = ModelRecipe(polite_share=0.0)
# Where the loss begins low, what a learning rate does to it is plain to see.
_POLITE = ModelRecipe(polite_share=0.1)
_SMALL = ModelRecipe(hidden_size=64, seed=1, polite_share=0.2)
_DEEP = ModelRecipe(hidden_size=96, layers=3, seed=2, polite_share=0.3)


def runs() -> list[RunSpecification]:
    """Return the runs of both trainers."""
    return [*_sft(), *_reward()]


def _sft() -> list[RunSpecification]:
    run = both_halves(
        "sft", {"max_steps": 120, "per_device_train_batch_size": 8, "learning_rate": 1e-3}, _RUDE
    )
    nan = labels.NON_FINITE
    return [
        *run(
            "healthy-a",
            "new answer style, reasonable settings",
            Half({"lr_scheduler_type": "linear"}),
            Half({"learning_rate": 6e-4, "max_steps": 170}, _DEEP),
        ),
        *run(
            "healthy-eval",
            "evaluation every 20 steps",
            Half({"eval_strategy": "steps", "eval_steps": 20}),
            Half(
                {
                    "eval_strategy": "steps",
                    "eval_steps": 15,
                    "learning_rate": 5e-4,
                    "lr_scheduler_type": "cosine",
                },
                _SMALL,
            ),
        ),
        *run(
            "healthy-warmup",
            "warm-up, then a cosine schedule",
            Half(
                {
                    "warmup_steps": 15,
                    "lr_scheduler_type": "cosine",
                    "per_device_train_batch_size": 4,
                },
                _SMALL,
            ),
            Half({"warmup_steps": 30, "lr_scheduler_type": "linear", "max_steps": 200}),
        ),
        *run(
            "healthy-log5",
            "one log every 5 steps, gradient accumulation",
            Half(
                {
                    "logging_steps": 5,
                    "max_steps": 250,
                    "gradient_accumulation_steps": 2,
                    "per_device_train_batch_size": 4,
                }
            ),
            Half(
                {
                    "logging_steps": 5,
                    "max_steps": 300,
                    "gradient_accumulation_steps": 2,
                    "learning_rate": 5e-4,
                },
                _DEEP,
            ),
        ),
        *run(
            "healthy-log10",
            "one log every 10 steps",
            Half({"logging_steps": 10, "max_steps": 300, "lr_scheduler_type": "linear"}, _DEEP),
            Half({"logging_steps": 10, "max_steps": 250, "learning_rate": 7e-4}),
        ),
        *run(
            "healthy-small-batch",
            "two examples a step",
            Half({"per_device_train_batch_size": 2, "max_steps": 250, "learning_rate": 4e-4}),
            Half(
                {
                    "per_device_train_batch_size": 1,
                    "gradient_accumulation_steps": 2,
                    "max_steps": 220,
                    "learning_rate": 3e-4,
                },
                _SMALL,
            ),
        ),
        *run(
            "long",
            "a thousand logs",
            Half({"max_steps": 1000, "learning_rate": 5e-4, "lr_scheduler_type": "linear"}),
            Half(
                {
                    "max_steps": 900,
                    "learning_rate": 3e-4,
                    "warmup_steps": 50,
                    "lr_scheduler_type": "cosine",
                },
                _DEEP,
            ),
        ),
        *run(
            "lr-zero",
            "learning rate 0",
            Half({"learning_rate": 0.0}),
            Half({"learning_rate": 0.0, "max_steps": 80, "per_device_train_batch_size": 4}, _SMALL),
            Fault("lr_zero"),
            labels.NOT_LEARNING,
        ),
        *run(
            "lr-tiny",
            "learning rate 1e-9",
            Half({"learning_rate": 1e-9}),
            Half({"learning_rate": 3e-9, "logging_steps": 5, "max_steps": 250}),
            Fault("lr_too_low"),
            labels.NOT_LEARNING,
        ),
        *run(
            "lr-high",
            "learning rate far too high, no clipping",
            Half({"learning_rate": 0.1, "max_grad_norm": 0.0}, _POLITE),
            Half(
                {"learning_rate": 0.06, "max_grad_norm": 0.0, "lr_scheduler_type": "linear"}, _DEEP
            ),
            Fault("lr_too_high"),
            labels.LEARNING_RATE_HIGH,
        ),
        *run(
            "lr-high-clipped",
            "learning rate far too high, with clipping",
            Half({"learning_rate": 0.1}, _POLITE),
            Half({"learning_rate": 0.15, "max_steps": 150}, _SMALL),
            Fault("lr_too_high"),
            labels.LEARNING_RATE_HIGH,
        ),
        *run(
            "lr-jump",
            "the learning rate jumps",
            Half(fault=Fault("lr_jump", 60, 100.0)),
            Half(
                {"max_steps": 150, "max_grad_norm": 0.0, "learning_rate": 8e-4},
                _DEEP,
                fault=Fault("lr_jump", 95, 60.0),
            ),
            None,
            labels.LEARNING_RATE_JUMP,
        ),
        *run(
            "nan-loss",
            "the loss of one batch is NaN",
            Half(fault=Fault("nan_loss", 45)),
            Half({"max_steps": 90}, _SMALL, fault=Fault("nan_loss", 30)),
            None,
            nan,
        ),
        *run(
            "nan-gradient",
            "the gradients of one batch are NaN",
            Half(fault=Fault("nan_gradient", 70)),
            Half({"learning_rate": 5e-4}, fault=Fault("nan_gradient", 20)),
            None,
            nan,
        ),
        *run(
            "nan-log10",
            "the gradients of one batch are NaN, one log every 10 steps",
            Half({"logging_steps": 10, "max_steps": 220}, fault=Fault("nan_gradient", 124)),
            Half({"logging_steps": 5, "max_steps": 200}, _DEEP, fault=Fault("nan_loss", 93)),
            None,
            nan,
        ),
        *run(
            "bad-batches",
            "a few batches hold random words, in the order of the data",
            Half(data=DataRecipe(size=1000, junk=(560, 592))),
            Half({"max_steps": 150}, _SMALL, data=DataRecipe(size=1300, junk=(800, 816))),
            Fault("bad_data"),
            labels.BAD_BATCHES,
        ),
        *run(
            "overfit",
            "24 rows by heart, evaluation on fresh rows",
            Half(
                {
                    "eval_strategy": "steps",
                    "eval_steps": 10,
                    "learning_rate": 2e-3,
                    "max_steps": 150,
                },
                data=DataRecipe(size=24),
            ),
            Half(
                {
                    "eval_strategy": "steps",
                    "eval_steps": 20,
                    "learning_rate": 1.5e-3,
                    "max_steps": 200,
                },
                _DEEP,
                data=DataRecipe(size=32),
            ),
            Fault("overfit"),
            labels.OVERFITTING,
        ),
        *run(
            "frozen",
            "no parameter gets a gradient",
            Half(fault=Fault("frozen")),
            Half({"max_steps": 80}, _SMALL, fault=Fault("frozen")),
            None,
            labels.FROZEN,
        ),
        *run(
            "crash",
            "a broken example",
            Half(fault=Fault("crash", 50)),
            Half(fault=Fault("crash", 33)),
            None,
            labels.CRASH,
        ),
    ]


def _reward() -> list[RunSpecification]:
    run = both_halves(
        "reward",
        {"max_steps": 120, "per_device_train_batch_size": 8, "learning_rate": 3e-4},
        ModelRecipe(),
    )
    hard = DataRecipe(kind="mixed")
    return [
        *run(
            "healthy-a",
            "polite preferred over terse",
            Half({"lr_scheduler_type": "linear"}),
            Half({"learning_rate": 1e-4, "max_steps": 150}, _DEEP),
        ),
        *run(
            "healthy-hard",
            "right preferred over wrong, or polite over terse",
            Half({"max_steps": 250}, data=hard),
            Half(
                {"max_steps": 300, "learning_rate": 2e-4, "lr_scheduler_type": "cosine"},
                _SMALL,
                data=hard,
            ),
        ),
        *run(
            "healthy-log5",
            "one log every 5 steps",
            Half({"logging_steps": 5, "max_steps": 250, "warmup_steps": 20, "learning_rate": 1e-4}),
            Half({"logging_steps": 10, "max_steps": 300, "learning_rate": 1e-4}, data=hard),
        ),
        *run(
            "healthy-eval",
            "evaluation on the way",
            Half({"eval_strategy": "steps", "eval_steps": 20, "learning_rate": 1e-4}),
            Half(
                {
                    "eval_strategy": "steps",
                    "eval_steps": 25,
                    "learning_rate": 2e-4,
                    "center_rewards_coefficient": 0.01,
                },
                _DEEP,
            ),
        ),
        *run(
            "long",
            "many logs",
            Half({"max_steps": 600, "learning_rate": 5e-5}, data=hard),
            Half(
                {"max_steps": 700, "learning_rate": 8e-5, "lr_scheduler_type": "linear"}, data=hard
            ),
        ),
        *run(
            "random-labels",
            "half of the rows swapped",
            Half({"max_steps": 150}, data=DataRecipe(noise=0.5)),
            Half(
                {"max_steps": 120, "learning_rate": 2e-4, "per_device_train_batch_size": 16},
                _SMALL,
                data=DataRecipe(noise=0.5, kind="mixed", size=2400),
            ),
            Fault("label_noise"),
            labels.LABEL_NOISE,
        ),
        *run(
            "lr-zero",
            "learning rate 0",
            Half({"learning_rate": 0.0}),
            Half({"learning_rate": 0.0, "max_steps": 90}, _SMALL),
            Fault("lr_zero"),
            labels.NOT_LEARNING,
        ),
        *run(
            "lr-tiny",
            "learning rate 1e-9",
            Half({"learning_rate": 1e-9}),
            Half({"learning_rate": 1e-9, "logging_steps": 5, "max_steps": 250}),
            Fault("lr_too_low"),
            labels.NOT_LEARNING,
        ),
        *run(
            "lr-high",
            "learning rate far too high",
            Half({"learning_rate": 0.5, "max_grad_norm": 0.0}, data=hard),
            Half({"learning_rate": 0.4, "max_steps": 150}, _DEEP, data=hard),
            Fault("lr_too_high"),
            labels.LEARNING_RATE_HIGH,
        ),
        *run(
            "lr-jump",
            "the learning rate jumps",
            Half(fault=Fault("lr_jump", 50, 300.0)),
            Half(
                {"max_steps": 150, "learning_rate": 2e-4},
                fault=Fault("lr_jump", 80, 400.0),
                data=hard,
            ),
            None,
            labels.LEARNING_RATE_JUMP,
        ),
        *run(
            "nan-loss",
            "the loss of one batch is NaN",
            Half(fault=Fault("nan_loss", 40)),
            Half({"max_steps": 90}, fault=Fault("nan_gradient", 55)),
            None,
            labels.NON_FINITE,
        ),
        *run(
            "overfit",
            "24 rows with random labels",
            Half(
                {"eval_strategy": "steps", "eval_steps": 20, "learning_rate": 1e-3},
                data=DataRecipe(size=24, noise=0.5, kind="correct"),
            ),
            Half(
                {
                    "eval_strategy": "steps",
                    "eval_steps": 10,
                    "learning_rate": 5e-4,
                    "max_steps": 150,
                },
                _DEEP,
                data=DataRecipe(size=32, noise=0.5, kind="correct"),
            ),
            Fault("overfit"),
            labels.OVERFITTING,
        ),
        *run(
            "label-flip",
            "chosen and rejected change places",
            Half(data=DataRecipe(size=960, flip_from=560)),
            Half(
                {"max_steps": 140, "learning_rate": 2e-4},
                _SMALL,
                data=DataRecipe(size=1200, flip_from=720),
            ),
            Fault("label_flip"),
            labels.LABEL_FLIP,
        ),
    ]
