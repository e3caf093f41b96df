"""Runs that fill gaps of the other tables: a fault that one trainer shows, the others show too."""

from __future__ import annotations

import dataclasses

import labels
from corpus import DataRecipe
from labels import Labels
from language_model import ModelRecipe
from run_table import Half, Pairs, both_halves
from specification import Fault, RunSpecification

_SMALL = ModelRecipe(hidden_size=64, seed=1)
_DEEP = ModelRecipe(hidden_size=96, layers=3, seed=2, polite_share=0.3)
_RUDE = ModelRecipe(seed=3, polite_share=0.15)
_MIXED = DataRecipe(kind="mixed")
_SAME = DataRecipe(kind="same")

# Without a reference the likelihood part still falls; what separates the answers does not move.
NO_PREFERENCE = Labels(
    ("win_rate_plateau", "not_learning", "margin_collapse", "loss_plateau"),
    acceptable=("win_rate_instability", "overfitting"),
)
# After a flip both answers of the new order become unlikely for a while.
KTO_FLIP = dataclasses.replace(
    labels.LABEL_FLIP, acceptable=(*labels.LABEL_FLIP.acceptable, "likelihood_displacement")
)
_PREFERENCE = {"max_steps": 120, "per_device_train_batch_size": 8, "learning_rate": 2e-4}


def runs() -> list[RunSpecification]:
    """Return the runs of the six trainers that learn from given rows."""
    without_reference = (
        both_halves("orpo", {**_PREFERENCE, "learning_rate": 3e-4}, _RUDE),
        both_halves("cpo", _PREFERENCE, _RUDE),
    )
    return [
        *_sft(),
        *_reward(),
        *_dpo(),
        *_kto(),
        *(each for run in without_reference for each in _without_reference(run)),
    ]


def _sft() -> list[RunSpecification]:
    run = both_halves("sft", {**_PREFERENCE, "learning_rate": 1e-3}, _RUDE)
    return [
        *run(
            "healthy-packed",
            "several examples packed into a row",
            Half({"packing": True, "max_length": 64, "learning_rate": 5e-4}),
            Half({"packing": True, "max_length": 96, "per_device_train_batch_size": 4}, _DEEP),
        ),
        *run(
            "lr-jump-late",
            "the learning rate jumps late in the run",
            Half(
                {"max_steps": 240, "logging_steps": 5, "learning_rate": 5e-4},
                fault=Fault("lr_jump", 160, 60.0),
            ),
            Half(
                {"max_steps": 200, "learning_rate": 4e-4},
                _DEEP,
                fault=Fault("lr_jump", 140, 150.0),
            ),
            None,
            labels.LEARNING_RATE_JUMP,
        ),
    ]


def _reward() -> list[RunSpecification]:
    run = both_halves("reward", {**_PREFERENCE, "learning_rate": 3e-4}, ModelRecipe())
    return [
        *_nan_later(run),
        *_frozen(run),
        *run(
            "bad-batches",
            "a few batches hold random words",
            Half(data=DataRecipe(size=1000, junk=(560, 584), kind="mixed")),
            Half({"max_steps": 150}, _SMALL, data=DataRecipe(size=1300, junk=(800, 832))),
            Fault("bad_data"),
            labels.BAD_BATCHES,
        ),
        *run(
            "same-pairs",
            "chosen and rejected are the same text",
            Half(data=_SAME),
            Half({"max_steps": 90}, _SMALL, data=_SAME),
            Fault("identical_pairs"),
            labels.NOT_LEARNING,
        ),
    ]


def _dpo() -> list[RunSpecification]:
    run = both_halves("dpo", _PREFERENCE, ModelRecipe())
    return [
        *_nan_later(run),
        *run(
            "lr-jump-log5",
            "the learning rate jumps, one log every 5 steps",
            Half({"logging_steps": 5, "max_steps": 250}, fault=Fault("lr_jump", 130, 300.0)),
            Half(
                {"logging_steps": 5, "max_steps": 200, "learning_rate": 1e-4},
                _RUDE,
                fault=Fault("lr_jump", 90, 800.0),
            ),
            None,
            labels.LEARNING_RATE_JUMP,
        ),
    ]


def _kto() -> list[RunSpecification]:
    run = both_halves("kto", _PREFERENCE, ModelRecipe())
    few = DataRecipe(size=24, noise=0.5, kind="correct")
    return [
        *_nan_later(run),
        *_frozen(run),
        *run(
            "nearly-all-desirable",
            "one row in fifty is labelled undesirable",
            Half(data=DataRecipe(desirable=0.98)),
            Half({"max_steps": 150}, _SMALL, data=DataRecipe(desirable=0.97)),
            Fault("label_imbalance"),
            labels.ONE_LABEL,
        ),
        *run(
            "label-flip",
            "desirable and undesirable change places",
            Half(data=DataRecipe(size=960, flip_from=560)),
            Half({"max_steps": 140}, _RUDE, data=DataRecipe(size=1200, flip_from=640)),
            Fault("label_flip"),
            KTO_FLIP,
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
            "same-answers",
            "desirable and undesirable answers do not differ",
            Half(data=_SAME),
            Half({"max_steps": 150}, _SMALL, data=_SAME),
            Fault("identical_pairs"),
            labels.LABEL_NOISE,
        ),
        *run(
            "healthy-hard",
            "right desirable, wrong undesirable",
            Half({"max_steps": 250, "lr_scheduler_type": "cosine"}, data=_MIXED),
            Half({"max_steps": 220, "learning_rate": 1e-4}, _DEEP, data=_MIXED),
        ),
    ]


def _without_reference(run: Pairs) -> list[RunSpecification]:
    """Return the runs that ORPO and CPO have in common."""
    return [
        *_nan_later(run),
        *_frozen(run),
        *run(
            "label-noise",
            "half of the rows swapped",
            Half(data=DataRecipe(noise=0.5)),
            Half({"max_steps": 160}, _DEEP, data=DataRecipe(noise=0.5)),
            Fault("label_noise"),
            NO_PREFERENCE,
        ),
        *run(
            "same-pairs",
            "chosen and rejected are the same text",
            Half(data=_SAME),
            Half({"max_steps": 90}, _SMALL, data=_SAME),
            Fault("identical_pairs"),
            NO_PREFERENCE,
        ),
    ]


def _nan_later(run: Pairs) -> list[RunSpecification]:
    return run(
        "nan-log10",
        "the gradients of one batch are NaN, several steps to a log",
        Half({"logging_steps": 10, "max_steps": 220}, fault=Fault("nan_gradient", 124)),
        Half({"logging_steps": 5, "max_steps": 200}, _SMALL, fault=Fault("nan_loss", 93)),
        None,
        labels.NON_FINITE,
    )


def _frozen(run: Pairs) -> list[RunSpecification]:
    return run(
        "frozen",
        "no parameter gets a gradient",
        Half(fault=Fault("frozen")),
        Half({"max_steps": 80}, _SMALL, fault=Fault("frozen")),
        None,
        labels.FROZEN,
    )
