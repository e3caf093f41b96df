"""The runs of the trainers that learn from preferences: DPO, KTO, ORPO and CPO."""

from __future__ import annotations

import labels
from corpus import DataRecipe
from language_model import ModelRecipe
from run_table import Half, Pairs, both_halves
from specification import Fault, RunSpecification

_SMALL = ModelRecipe(hidden_size=64, seed=1)
_DEEP = ModelRecipe(hidden_size=96, layers=3, seed=2, polite_share=0.3)
_RUDE = ModelRecipe(seed=3, polite_share=0.15)
_MIXED = DataRecipe(kind="mixed")


def runs() -> list[RunSpecification]:
    """Return the runs of the four trainers."""
    return [*_dpo(), *_dpo_faults(), *_kto(), *_orpo(), *_cpo()]


_DPO = {"max_steps": 120, "per_device_train_batch_size": 8, "learning_rate": 2e-4}


def _dpo() -> list[RunSpecification]:
    run = both_halves("dpo", _DPO, ModelRecipe())
    return [
        *run(
            "healthy-a",
            "polite preferred over terse",
            Half({"lr_scheduler_type": "linear"}),
            Half({"learning_rate": 1e-4, "max_steps": 160}, _DEEP),
        ),
        *run(
            "healthy-hard",
            "right preferred over wrong, or polite over terse",
            Half(
                {
                    "max_steps": 200,
                    "learning_rate": 1.5e-4,
                    "lr_scheduler_type": "cosine",
                    "warmup_steps": 20,
                },
                data=_MIXED,
            ),
            Half({"max_steps": 220, "beta": 0.3, "learning_rate": 1e-4}, _SMALL, data=_MIXED),
        ),
        *run(
            "healthy-log5",
            "one log every 5 steps, gradient accumulation",
            Half(
                {
                    "logging_steps": 5,
                    "max_steps": 200,
                    "gradient_accumulation_steps": 2,
                    "per_device_train_batch_size": 4,
                }
            ),
            Half(
                {"logging_steps": 5, "max_steps": 250, "beta": 0.05, "learning_rate": 1e-4}, _RUDE
            ),
        ),
        *run(
            "healthy-log10",
            "one log every 10 steps",
            Half(
                {
                    "logging_steps": 10,
                    "max_steps": 300,
                    "learning_rate": 1e-4,
                    "lr_scheduler_type": "linear",
                }
            ),
            Half(
                {
                    "logging_steps": 10,
                    "max_steps": 250,
                    "learning_rate": 1e-4,
                    "per_device_train_batch_size": 4,
                },
                _DEEP,
                data=_MIXED,
            ),
        ),
        *run(
            "healthy-ipo",
            "loss_type ipo",
            Half({"loss_type": ["ipo"], "learning_rate": 1e-4}),
            Half(
                {"loss_type": ["ipo"], "beta": 0.2, "learning_rate": 5e-5, "max_steps": 150}, _SMALL
            ),
        ),
        *run(
            "healthy-hinge",
            "loss_type hinge",
            Half({"loss_type": ["hinge"], "learning_rate": 1e-4}),
            Half({"loss_type": ["apo_zero"], "learning_rate": 1e-4}, _DEEP),
        ),
        *run(
            "healthy-robust",
            "loss_type robust, some labels wrong",
            Half(
                {"loss_type": ["robust"], "label_smoothing": 0.1, "max_steps": 150},
                data=DataRecipe(noise=0.1),
            ),
            Half({"label_smoothing": 0.1, "max_steps": 170}, _RUDE, data=DataRecipe(noise=0.1)),
        ),
        *run(
            "healthy-sft-term",
            "sigmoid and sft together",
            Half({"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, 1.0]}),
            Half(
                {
                    "loss_type": ["sigmoid", "sft"],
                    "loss_weights": [1.0, 0.3],
                    "learning_rate": 1e-4,
                },
                _DEEP,
            ),
        ),
        *run(
            "healthy-eval",
            "evaluation on the way",
            Half({"eval_strategy": "steps", "eval_steps": 20, "learning_rate": 1e-4}),
            Half(
                {
                    "eval_strategy": "steps",
                    "eval_steps": 25,
                    "learning_rate": 1e-4,
                    "max_steps": 150,
                },
                _SMALL,
            ),
        ),
        *run(
            "healthy-small-batch",
            "two pairs a step",
            Half({"per_device_train_batch_size": 2, "max_steps": 250, "learning_rate": 1e-4}),
            Half(
                {
                    "per_device_train_batch_size": 1,
                    "gradient_accumulation_steps": 2,
                    "max_steps": 220,
                    "learning_rate": 1e-4,
                },
                _RUDE,
            ),
        ),
        *run(
            "long",
            "many logs",
            Half({"max_steps": 600, "learning_rate": 5e-5}, data=_MIXED),
            Half(
                {
                    "max_steps": 700,
                    "learning_rate": 3e-5,
                    "warmup_steps": 50,
                    "lr_scheduler_type": "cosine",
                },
                _DEEP,
                data=_MIXED,
            ),
        ),
    ]


def _dpo_faults() -> list[RunSpecification]:
    run = both_halves("dpo", _DPO, ModelRecipe())
    few = DataRecipe(size=24, noise=0.5, kind="correct")
    return [
        *run(
            "lr-zero",
            "learning rate 0",
            Half({"learning_rate": 0.0}),
            Half({"learning_rate": 0.0, "max_steps": 80}, _SMALL),
            Fault("lr_zero"),
            labels.DPO_RANDOM,
        ),
        *run(
            "lr-tiny",
            "learning rate 1e-9",
            Half({"learning_rate": 1e-9}),
            Half({"learning_rate": 5e-9, "loss_type": ["ipo"]}, _DEEP),
            Fault("lr_too_low"),
            labels.DPO_RANDOM,
        ),
        *run(
            "lr-tiny-log5",
            "learning rate 1e-9, one log every 5 steps",
            Half({"learning_rate": 1e-9, "logging_steps": 5, "max_steps": 250}),
            Half({"learning_rate": 1e-9, "logging_steps": 10, "max_steps": 300}),
            Fault("lr_too_low"),
            labels.DPO_RANDOM,
        ),
        *run(
            "lr-high",
            "learning rate far too high, no clipping",
            Half({"learning_rate": 0.05, "max_grad_norm": 0.0}),
            Half({"learning_rate": 0.1, "max_grad_norm": 0.0, "max_steps": 140}, _DEEP),
            Fault("lr_too_high"),
            labels.LEARNING_RATE_HIGH,
        ),
        *run(
            "lr-high-clipped",
            "learning rate far too high",
            Half({"learning_rate": 0.03, "lr_scheduler_type": "linear"}),
            Half({"learning_rate": 0.05}, _SMALL),
            Fault("lr_too_high"),
            labels.LEARNING_RATE_HIGH,
        ),
        *run(
            "lr-jump",
            "the learning rate jumps",
            Half(fault=Fault("lr_jump", 60, 500.0)),
            Half(
                {"learning_rate": 1e-4, "max_steps": 150},
                _DEEP,
                data=_MIXED,
                fault=Fault("lr_jump", 90, 300.0),
            ),
            None,
            labels.LEARNING_RATE_JUMP,
        ),
        *run(
            "same-pairs",
            "chosen and rejected are the same text",
            Half(data=DataRecipe(kind="same")),
            Half({"beta": 0.3, "max_steps": 90}, _SMALL, data=DataRecipe(kind="same")),
            Fault("identical_pairs"),
            labels.DPO_RANDOM,
        ),
        *run(
            "label-noise",
            "half of the rows swapped",
            Half(data=DataRecipe(noise=0.5)),
            Half({"max_steps": 160, "learning_rate": 1e-4}, _DEEP, data=DataRecipe(noise=0.5)),
            Fault("label_noise"),
            labels.DPO_RANDOM,
        ),
        *run(
            "label-flip",
            "chosen and rejected change places",
            Half(data=DataRecipe(size=960, flip_from=560)),
            Half(
                {"max_steps": 140, "learning_rate": 1e-4},
                _RUDE,
                data=DataRecipe(size=1200, flip_from=640),
            ),
            Fault("label_flip"),
            labels.LABEL_FLIP,
        ),
        *run(
            "beta-tiny",
            "beta 0.001 and a high learning rate",
            Half({"beta": 0.001, "learning_rate": 3e-3, "max_steps": 140}, data=_MIXED),
            Half({"beta": 0.002, "learning_rate": 4e-3, "max_steps": 160}, _SMALL, data=_MIXED),
            Fault("over_optimisation"),
            labels.DISPLACEMENT,
        ),
        *run(
            "memorise",
            "24 rows with random labels",
            Half({"eval_strategy": "steps", "eval_steps": 20, "learning_rate": 1e-3}, data=few),
            Half(
                {
                    "eval_strategy": "steps",
                    "eval_steps": 10,
                    "learning_rate": 7e-4,
                    "max_steps": 150,
                },
                _DEEP,
                data=few,
            ),
            Fault("overfit"),
            labels.OVERFITTING,
        ),
        *run(
            "nan-loss",
            "the loss of one batch is NaN",
            Half(fault=Fault("nan_loss", 50)),
            Half({"max_steps": 100, "beta": 0.05}, _SMALL, fault=Fault("nan_loss", 21)),
            None,
            labels.NON_FINITE,
        ),
        *run(
            "nan-gradient",
            "the gradients of one batch are NaN",
            Half(fault=Fault("nan_gradient", 35)),
            Half({"logging_steps": 10, "max_steps": 250}, fault=Fault("nan_gradient", 126)),
            None,
            labels.NON_FINITE,
        ),
        *run(
            "frozen",
            "no parameter gets a gradient",
            Half(fault=Fault("frozen")),
            Half({"max_steps": 80}, _RUDE, fault=Fault("frozen")),
            None,
            labels.FROZEN,
        ),
        *run(
            "crash",
            "a broken example",
            Half(fault=Fault("crash", 40)),
            Half(fault=Fault("crash", 73)),
            None,
            labels.CRASH,
        ),
    ]


def _kto() -> list[RunSpecification]:
    run = both_halves(
        "kto",
        {"max_steps": 120, "per_device_train_batch_size": 8, "learning_rate": 2e-4},
        ModelRecipe(),
    )
    return [
        *run(
            "healthy-a",
            "polite desirable, terse undesirable",
            Half({"lr_scheduler_type": "linear"}),
            Half({"learning_rate": 1e-4, "max_steps": 160}, _DEEP),
        ),
        *run(
            "healthy-uneven",
            "three desirable for one undesirable",
            Half({"max_steps": 160, "undesirable_weight": 3.0}, data=DataRecipe(desirable=0.75)),
            Half({"max_steps": 200, "learning_rate": 1e-4}, _RUDE, data=DataRecipe(desirable=0.3)),
        ),
        *run(
            "healthy-log5",
            "one log every 5 steps",
            Half({"logging_steps": 5, "max_steps": 250, "warmup_steps": 20}),
            Half(
                {"logging_steps": 10, "max_steps": 300, "learning_rate": 1e-4}, _SMALL, data=_MIXED
            ),
        ),
        *run(
            "long",
            "many logs",
            Half({"max_steps": 500, "learning_rate": 5e-5}, data=_MIXED),
            Half({"max_steps": 600, "learning_rate": 5e-5, "lr_scheduler_type": "cosine"}, _DEEP),
        ),
        *run(
            "all-desirable",
            "every row is labelled desirable",
            Half(data=DataRecipe(desirable=1.0)),
            Half({"max_steps": 90}, _SMALL, data=DataRecipe(desirable=0.0)),
            Fault("label_imbalance"),
            labels.ONE_LABEL,
        ),
        *run(
            "lr-zero",
            "learning rate 0",
            Half({"learning_rate": 0.0}),
            Half({"learning_rate": 0.0, "max_steps": 80}, _DEEP),
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
            Half({"learning_rate": 0.03}),
            Half({"learning_rate": 0.06, "max_grad_norm": 0.0}, _SMALL),
            Fault("lr_too_high"),
            labels.RUINED,
        ),
        *run(
            "label-noise",
            "half of the labels wrong",
            Half(data=DataRecipe(noise=0.5)),
            Half({"max_steps": 150}, _DEEP, data=DataRecipe(noise=0.5)),
            Fault("label_noise"),
            labels.LABEL_NOISE,
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
            "lr-jump",
            "the learning rate jumps",
            Half(fault=Fault("lr_jump", 60, 300.0)),
            Half({"max_steps": 150}, _SMALL, fault=Fault("lr_jump", 80, 200.0)),
            None,
            labels.RUINED,
        ),
    ]


def _orpo() -> list[RunSpecification]:
    run = both_halves(
        "orpo", {"max_steps": 120, "per_device_train_batch_size": 8, "learning_rate": 3e-4}, _RUDE
    )
    return [
        *_without_reference(run),
        *run(
            "beta-high",
            "beta 1",
            Half({"beta": 1.0, "learning_rate": 1e-4}),
            Half({"beta": 0.5, "learning_rate": 2e-4, "max_steps": 150}, _DEEP),
        ),
    ]


def _cpo() -> list[RunSpecification]:
    run = both_halves(
        "cpo", {"max_steps": 120, "per_device_train_batch_size": 8, "learning_rate": 2e-4}, _RUDE
    )
    simpo = {"loss_type": "simpo", "cpo_alpha": 0.0, "beta": 2.0, "simpo_gamma": 0.5}
    return [
        *_without_reference(run),
        *run(
            "healthy-simpo",
            "SimPO",
            Half({**simpo, "learning_rate": 5e-5}),
            Half({**simpo, "learning_rate": 3e-5, "beta": 2.5, "max_steps": 160}, _DEEP),
        ),
    ]


def _without_reference(run: Pairs) -> list[RunSpecification]:
    """Return the runs that ORPO and CPO have in common."""
    return [
        *run(
            "healthy-a",
            "polite preferred over terse",
            Half({"lr_scheduler_type": "linear"}),
            Half({"learning_rate": 1e-4, "max_steps": 160}, _DEEP),
        ),
        *run(
            "healthy-hard",
            "right preferred over wrong, or polite over terse",
            Half({"max_steps": 200, "warmup_steps": 20}, data=_MIXED),
            Half({"max_steps": 180, "lr_scheduler_type": "cosine"}, _SMALL, data=_MIXED),
        ),
        *run(
            "healthy-log5",
            "one log every 5 steps",
            Half({"logging_steps": 5, "max_steps": 250, "learning_rate": 1e-4}),
            Half({"logging_steps": 10, "max_steps": 300, "learning_rate": 1e-4}, _DEEP),
        ),
        *run(
            "long",
            "many logs",
            Half({"max_steps": 500, "learning_rate": 5e-5}, data=_MIXED),
            Half({"max_steps": 600, "learning_rate": 5e-5}, _SMALL, data=_MIXED),
        ),
        *run(
            "lr-zero",
            "learning rate 0",
            Half({"learning_rate": 0.0}),
            Half({"learning_rate": 0.0, "max_steps": 90, "per_device_train_batch_size": 4}, _SMALL),
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
            "learning rate far too high, no clipping",
            Half({"learning_rate": 0.1, "max_grad_norm": 0.0}),
            Half({"learning_rate": 0.07, "max_grad_norm": 0.0, "max_steps": 150}, _DEEP),
            Fault("lr_too_high"),
            labels.LEARNING_RATE_HIGH,
        ),
        *run(
            "lr-high-clipped",
            "learning rate far too high",
            Half({"learning_rate": 0.1, "lr_scheduler_type": "linear"}),
            Half({"learning_rate": 0.05}, _SMALL),
            Fault("lr_too_high"),
            labels.LEARNING_RATE_HIGH,
        ),
        *run(
            "lr-jump",
            "the learning rate jumps",
            Half(fault=Fault("lr_jump", 60, 300.0)),
            Half({"max_steps": 150}, _SMALL, fault=Fault("lr_jump", 90, 200.0)),
            None,
            labels.LEARNING_RATE_JUMP,
        ),
        *run(
            "label-flip",
            "chosen and rejected change places",
            Half(data=DataRecipe(size=960, flip_from=560)),
            Half({"max_steps": 140}, _DEEP, data=DataRecipe(size=1200, flip_from=640)),
            Fault("label_flip"),
            labels.LABEL_FLIP,
        ),
        *run(
            "overfit",
            "24 rows with random labels",
            Half(
                {"eval_strategy": "steps", "eval_steps": 20, "learning_rate": 1e-3},
                data=DataRecipe(size=24, noise=0.5),
            ),
            Half(
                {
                    "eval_strategy": "steps",
                    "eval_steps": 10,
                    "learning_rate": 7e-4,
                    "max_steps": 150,
                },
                _DEEP,
                data=DataRecipe(size=32, noise=0.5),
            ),
            Fault("overfit"),
            labels.OVERFITTING,
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
            "bad-batches",
            "a few batches hold random words",
            Half(data=DataRecipe(size=1000, junk=(560, 584))),
            Half({"max_steps": 150}, _SMALL, data=DataRecipe(size=1300, junk=(800, 824))),
            Fault("bad_data"),
            labels.BAD_BATCHES,
        ),
    ]
