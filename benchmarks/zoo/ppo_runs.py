"""The runs of the PPO trainer."""

from __future__ import annotations
from typing import Any
from language_model import ModelRecipe
from specification import Fault, RunSpecification, Split

_RUDE = ModelRecipe(polite_share=0.15)
_SMALL = ModelRecipe(hidden_size=80, seed=1)
_DEEP = ModelRecipe(hidden_size=112, layers=3, seed=2, polite_share=0.25)


def _run(name: str, split: Split, description: str, *, model: ModelRecipe = ModelRecipe(), reward: str | None = None,
    fault: Fault | None = None, onset_step: int = 0, expected: tuple[str, ...] = (), match: Any = "all",
    acceptable: tuple[str, ...] = (), updates: int = 60, **arguments: Any) -> RunSpecification:
    defaults = {
        "total_episodes": updates*16, "per_device_train_batch_size": 8, "gradient_accumulation_steps": 2, "num_mini_batches": 1,
        "num_ppo_epochs": 2, "response_length": 24, "learning_rate": 1e-4, "kl_coef": 0.05, "missing_eos_penalty": 1.0, "temperature": 0.9,
    }
    return RunSpecification(
        name=name, trainer="ppo", split=split, description=description,
        arguments=defaults | arguments, model=model, reward=reward, fault=fault,
        onset_step=onset_step, expected=expected, match=match, acceptable=acceptable,
    )


RUNS = (
    _run("healthy-a", "tuning", "reward: courteous and right", model=_RUDE, seed=1, updates=80),
    _run("healthy-b", "tuning", "x", model=_DEEP, seed=2, updates=70, learning_rate=1.5e-4, kl_coef=0.2, num_ppo_epochs=4),
    _run("healthy-minibatches", "tuning", "x", model=_RUDE, seed=3, updates=70, num_mini_batches=2, reward="quality", learning_rate=2e-4),
    _run("healthy-linear", "tuning", "x", model=_RUDE, seed=4, updates=100, learning_rate=3e-4, lr_scheduler_type="linear", warmup_steps=10, whiten_rewards=True, num_mini_batches=1, per_device_train_batch_size=16, gradient_accumulation_steps=1),
    _run("constant-reward", "tuning", "x", reward="constant", seed=8, fault=Fault("constant_reward")),
    _run("reward-zero", "tuning", "x", seed=9, fault=Fault("reward_zero", 30), model=_RUDE),
    _run("reward-sign", "tuning", "x", seed=10, fault=Fault("reward_sign", 30), model=_RUDE),
    _run("reward-scale", "tuning", "x", seed=11, fault=Fault("reward_scale", 30, 20.0), model=_RUDE),
    _run("reward-noise", "tuning", "x", seed=12, fault=Fault("reward_noise", 30, 6.0), model=_RUDE),
    _run("reward-nan", "tuning", "x", seed=13, fault=Fault("reward_nan", 25), model=_RUDE),
    _run("reward-exception", "tuning", "x", seed=13, fault=Fault("reward_exception", 25), model=_RUDE),
    _run("length", "tuning", "x", seed=14, reward="length", learning_rate=3e-4, missing_eos_penalty=None),
    _run("brevity", "tuning", "x", seed=15, reward="brevity", model=ModelRecipe(polite_share=0.8), learning_rate=5e-4),
    _run("kl", "tuning", "x", seed=16, learning_rate=1e-3, kl_coef=0.0),
    _run("lr-high", "tuning", "x", seed=17, learning_rate=5e-3, vf_coef=1.0),
    _run("lr-zero", "tuning", "x", seed=18, learning_rate=0.0, model=_RUDE),
    _run("value-gamma", "tuning", "x", seed=19, gamma=1.3, vf_coef=1.0, cliprange_value=1e6),
    _run("value-lr", "tuning", "x", seed=20, vf_coef=100.0, learning_rate=2e-3, cliprange_value=1e6),
    _run("clip", "tuning", "x", seed=21, num_ppo_epochs=12, learning_rate=2e-3, cliprange=0.1, num_mini_batches=2),
    _run("lr-jump", "tuning", "x", seed=22, learning_rate=1e-4, fault=Fault("lr_jump",30,30.), model=_RUDE),
)
