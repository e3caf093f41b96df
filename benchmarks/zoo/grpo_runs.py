"""The runs of group relative policy optimisation (GRPO)."""

from __future__ import annotations

from grpo_faulty_runs import faulty_runs
from language_model import ModelRecipe
from reinforcement_table import rewarded_halves
from run_table import Half
from specification import RunSpecification

_RUDE = ModelRecipe(polite_share=0.15)
_SMALL = ModelRecipe(hidden_size=64, seed=1)
_DEEP = ModelRecipe(hidden_size=96, layers=3, seed=2, polite_share=0.3)
_RUN = rewarded_halves(
    "grpo",
    {
        "max_steps": 80,
        "per_device_train_batch_size": 16,
        "num_generations": 8,
        "max_completion_length": 24,
        "learning_rate": 2e-4,
        "beta": 0.0,
    },
    ModelRecipe(),
)


def runs() -> list[RunSpecification]:
    """Return the runs of the trainer."""
    return [*_healthy(), *faulty_runs(_RUN)]


def _healthy() -> list[RunSpecification]:
    return [
        *_RUN(
            "healthy-a",
            "rewarded for courtesy and for being right, with a KL term",
            Half({"max_steps": 120, "beta": 0.04, "learning_rate": 1e-4}, _SMALL),
            Half({"max_steps": 150, "beta": 0.02, "learning_rate": 7e-5}, _DEEP),
        ),
        *_RUN(
            "healthy-warmup",
            "warm-up, then a linear or cosine schedule, no KL term",
            Half(
                {
                    "max_steps": 100,
                    "learning_rate": 1e-4,
                    "warmup_steps": 10,
                    "lr_scheduler_type": "linear",
                },
                _RUDE,
            ),
            Half(
                {
                    "max_steps": 120,
                    "learning_rate": 1.2e-4,
                    "warmup_steps": 20,
                    "lr_scheduler_type": "cosine",
                    "num_generations": 4,
                }
            ),
            reward="courtesy",
        ),
        *_RUN(
            "healthy-reuse",
            "four steps, or two passes, for each batch of completions",
            Half(
                {
                    "max_steps": 160,
                    "steps_per_generation": 4,
                    "beta": 0.02,
                    "learning_rate": 1e-4,
                },
                _DEEP,
            ),
            Half({"max_steps": 160, "num_iterations": 2, "learning_rate": 6e-5, "beta": 0.01}),
        ),
        *_RUN(
            "healthy-log5",
            "one log every 5 steps",
            Half(
                {
                    "max_steps": 200,
                    "logging_steps": 5,
                    "lr_scheduler_type": "cosine",
                    "beta": 0.02,
                    "learning_rate": 1.5e-4,
                },
                _DEEP,
            ),
            Half({"max_steps": 240, "logging_steps": 5, "beta": 0.05}, _RUDE),
        ),
        *_RUN(
            "healthy-log10",
            "one log every 10 steps",
            Half(
                {
                    "max_steps": 300,
                    "logging_steps": 10,
                    "num_iterations": 2,
                    "learning_rate": 5e-5,
                    "beta": 0.01,
                }
            ),
            Half(
                {"max_steps": 260, "logging_steps": 10, "beta": 0.03, "learning_rate": 8e-5}, _SMALL
            ),
        ),
        *_RUN(
            "healthy-batch-scale",
            "another loss, rewards scaled by the batch, gradient accumulation",
            Half(
                {
                    "max_steps": 120,
                    "loss_type": "dr_grpo",
                    "scale_rewards": "batch",
                    "gradient_accumulation_steps": 2,
                    "per_device_train_batch_size": 8,
                    "num_generations": 4,
                    "learning_rate": 1e-4,
                },
                _RUDE,
            ),
            Half(
                {
                    "max_steps": 100,
                    "loss_type": "bnpo",
                    "scale_rewards": "none",
                    "gradient_accumulation_steps": 2,
                    "per_device_train_batch_size": 8,
                    "learning_rate": 1e-4,
                    "beta": 0.02,
                },
                _SMALL,
            ),
        ),
        *_RUN(
            "long",
            "several hundred steps",
            Half({"max_steps": 700, "beta": 0.05, "learning_rate": 5e-5}, _RUDE),
            Half({"max_steps": 600, "beta": 0.08, "learning_rate": 7e-5}, _SMALL),
        ),
    ]
