"""A trainer's logs are read in canonical terms, and every key it names is catalogued."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import pytest

from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.rules.catalogue import catalogue, catalogued_trainers, known_metrics
from post_training_toolkit.rules.profile import config_classes, load_profile


@pytest.mark.parametrize(
    ("trainer", "key", "name"),
    [
        ("dpo", "rewards/accuracies", "win_rate"),
        ("dpo", "rewards/margins", "reward_margin"),
        ("dpo", "rewards/chosen", "rewards_chosen"),
        ("dpo", "logps/rejected", "logps_rejected"),
        ("dpo", "eval_rewards/margins", "eval_reward_margin"),
        ("dpo", "eval_loss", "eval_loss"),
        ("dpo", "my/own", "my/own"),
        ("sft", "mean_token_accuracy", "accuracy"),
        ("sft", "eval_mean_token_accuracy", "eval_accuracy"),
        ("sft", "rewards/margins", "rewards/margins"),
        ("dpo", "mean_token_accuracy", "mean_token_accuracy"),
        ("reward", "accuracy", "win_rate"),
        ("reward", "margin", "reward_margin"),
        ("kto", "logps/chosen", "logps_desirable"),
        ("kto", "logps/rejected", "logps_undesirable"),
        ("orpo", "nll_loss", "sft_loss"),
        ("grpo", "loss", "policy_loss"),
        ("ppo", "lr", "learning_rate"),
        ("ppo", "loss/value_avg", "value_loss"),
        ("ppo", "loss/policy_avg", "policy_loss"),
        ("ppo", "policy/entropy_avg", "entropy"),
        ("ppo", "policy/clipfrac_avg", "clip_fraction"),
        ("ppo", "objective/kl", "kl"),
        ("online_dpo", "objective/kl", "kl"),
        (None, "rewards/margins", "rewards/margins"),
        ("a_trainer_to_come", "eval_loss", "eval_loss"),
    ],
)
def test_raw_keys_have_canonical_names(trainer: str | None, key: str, name: str) -> None:
    assert load_profile(trainer).canonical_name(key) == name


@pytest.mark.parametrize("trainer", sorted(catalogued_trainers()))
def test_every_key_that_a_profile_renames_is_one_the_trainer_logs(trainer: str) -> None:
    assert set(load_profile(trainer).canonical) <= set(catalogue(trainer))


@pytest.mark.parametrize("trainer", sorted(catalogued_trainers()))
def test_canonical_names_are_distinct_and_shadow_no_raw_key(trainer: str) -> None:
    names = list(load_profile(trainer).canonical.values())
    assert len(set(names)) == len(names)
    # A producer that logs a canonical name itself only now and then is taken at its word then.
    always = {key for key, entry in catalogue(trainer).items() if entry.when is None}
    assert set(names).isdisjoint(always)


@pytest.mark.parametrize("trainer", sorted(catalogued_trainers()))
def test_derived_metrics_need_only_what_is_logged_or_configured(trainer: str) -> None:
    profile = load_profile(trainer)
    canonical = {profile.canonical_name(key) for key in catalogue(trainer)}
    for name, expression in profile.derived.items():
        assert name not in canonical
        assert expression.names & canonical, f"{name} needs no metric"
        assert expression.names <= canonical | {"beta", "num_generations"}


def derive(
    trainer: str, metrics: Mapping[str, float], configuration: Mapping[str, object]
) -> dict[str, float]:
    """Return the derived metrics that have a value for these metrics."""
    computed = {
        derivation.name: derivation.compute(metrics)
        for derivation in load_profile(trainer).derivations(metrics.keys(), configuration)
    }
    return {name: value for name, value in computed.items() if value is not None}


@pytest.mark.parametrize(
    ("metrics", "configuration", "derived"),
    [
        ({"reward_margin": 0.5}, {"beta": 0.1}, {"reward_margin_nats": 5.0}),
        ({"rewards_chosen": -3.0}, {"beta": 0.1}, {"rewards_chosen_nats": -30.0}),
        (
            {"rewards_chosen": -3.0, "logps_chosen": -60.0},
            {"beta": 0.1},
            # -60 nats now, -30 to the reference.
            {"rewards_chosen_nats": -30.0, "chosen_surprise_factor": 2.0},
        ),
        (
            {"eval_reward_margin": 0.5, "reward_margin": 0.25},
            {"beta": 0.5},
            {"eval_reward_margin_nats": 1.0, "reward_margin_nats": 0.5},
        ),
        ({"reward_margin": 0.5}, {"beta": 0}, {}),
        ({"reward_margin": 0.5}, {}, {}),
        ({"loss": 0.5}, {"beta": 0.1}, {}),
        ({}, {"beta": 0.1}, {}),
        # An argument is no metric, even under a metric's name.
        ({}, {"beta": 0.1, "reward_margin": 0.5}, {}),
    ],
)
def test_derived_metrics_of_dpo(
    metrics: Mapping[str, float], configuration: Mapping[str, object], derived: dict[str, float]
) -> None:
    assert derive("dpo", metrics, configuration) == pytest.approx(derived)


def test_perplexity_is_the_exponential_of_the_loss() -> None:
    derived = derive("sft", {"loss": 2.0, "eval_loss": 1.0}, {})
    assert derived == pytest.approx({"perplexity": math.exp(2.0), "eval_perplexity": math.e})
    assert derive("sft", {"loss": 1000.0}, {}) == {}


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def log_sigmoid(x: float) -> float:
    return math.log(sigmoid(x))


SMOOTHING = 0.1
# TRL's formulas where policy and reference agree, so that every log ratio is 0.
STARTING_LOSSES: dict[str, Callable[[float], float]] = {
    "sigmoid": lambda beta: -log_sigmoid(beta * 0),
    "sigmoid_norm": lambda beta: -log_sigmoid(beta * 0),
    "robust": lambda beta: (
        (-(1 - SMOOTHING) * log_sigmoid(beta * 0) + SMOOTHING * log_sigmoid(-beta * 0))
        / (1 - 2 * SMOOTHING)
    ),
    "aot": lambda beta: (
        -log_sigmoid(beta * 0) * (1 - SMOOTHING) - log_sigmoid(-beta * 0) * SMOOTHING
    ),
    "aot_unpaired": lambda beta: (
        -log_sigmoid(beta * 0) * (1 - SMOOTHING) - log_sigmoid(-beta * 0) * SMOOTHING
    ),
    "hinge": lambda beta: max(0, 1 - beta * 0),
    "ipo": lambda beta: (0 - 1 / (2 * beta)) ** 2,
    "bco_pair": lambda beta: -log_sigmoid(beta * 0) - log_sigmoid(-beta * 0),
    "nca_pair": lambda beta: (
        -log_sigmoid(beta * 0) - 0.5 * log_sigmoid(-beta * 0) - 0.5 * log_sigmoid(-beta * 0)
    ),
    "apo_zero": lambda beta: 1 - sigmoid(beta * 0) + sigmoid(beta * 0),
    "apo_down": lambda beta: sigmoid(beta * 0) + 1 - sigmoid(beta * 0),
    "sppo_hard": lambda beta: (0 - 0.5 / beta) ** 2 + (0 + 0.5 / beta) ** 2,
    "discopop": lambda beta: (
        -log_sigmoid(beta * 0) * (1 - sigmoid(beta * 0 / 0.05))
        + math.exp(-beta * 0) * sigmoid(beta * 0 / 0.05)
    ),
}


@pytest.mark.parametrize("beta", [0.01, 0.1, 0.5])
@pytest.mark.parametrize("loss_type", STARTING_LOSSES)
def test_the_initial_loss_of_each_loss_type(loss_type: str, beta: float) -> None:
    derived = load_profile("dpo").derive_configuration({"loss_type": [loss_type], "beta": beta})
    assert derived == {"initial_loss": pytest.approx(STARTING_LOSSES[loss_type](beta))}


def test_the_loss_of_dpo_starts_at_ln_2() -> None:
    derived = load_profile("dpo").derive_configuration({"loss_type": "sigmoid", "beta": 0.1})
    assert derived == {"initial_loss": pytest.approx(0.693147, abs=1e-6)}


@pytest.mark.parametrize(
    "configuration",
    [
        {"beta": 0.1},
        {"beta": 0.1, "loss_type": None},
        {"beta": 0.1, "loss_type": ["sigmoid", "sft"]},
        {"beta": 0.1, "loss_type": []},
        {"beta": 0.1, "loss_type": "a_loss_to_come"},
        {"beta": 0, "loss_type": "ipo"},
        {"loss_type": "ipo"},
    ],
)
def test_without_a_known_start_there_is_no_initial_loss(configuration: dict[str, object]) -> None:
    assert load_profile("dpo").derive_configuration(configuration) == {}


def test_an_sft_run_has_no_initial_loss() -> None:
    assert load_profile("sft").derive_configuration({"loss_type": "sigmoid", "beta": 0.1}) == {}


@pytest.mark.parametrize("trainer", ["sft", "grpo", "ppo", "a_trainer_to_come", None])
def test_every_trainer_knows_how_many_examples_a_log_stands_for(trainer: str | None) -> None:
    configuration = {
        "per_device_train_batch_size": 4,
        "gradient_accumulation_steps": 2,
        "world_size": 3,
        "logging_steps": 10,
    }
    derived = load_profile(trainer).derive_configuration(configuration)
    assert derived == {"examples_per_log": 240.0}
    assert load_profile(trainer).derive_configuration({**configuration, "world_size": None}) == {}


def test_config_classes_name_their_trainer() -> None:
    assert config_classes()["DPOConfig"] == "dpo"
    assert config_classes()["OnlineDPOConfig"] == "online_dpo"
    assert "TrainingArguments" not in config_classes()
    assert catalogued_trainers() == set(config_classes().values())


@pytest.mark.parametrize("trainer", sorted(catalogued_trainers()))
def test_the_catalogue_holds_the_keys_of_every_trainer(trainer: str) -> None:
    entries = catalogue(trainer)
    assert all(entry.unit and entry.meaning for entry in entries.values())
    if trainer == "ppo":
        assert {"epoch", "lr", "loss/value_avg"} <= set(entries)
        assert entries.keys().isdisjoint({"loss", "grad_norm", "learning_rate", "train_loss"})
        return
    assert {"loss", "grad_norm", "learning_rate", "epoch", "train_loss"} <= set(entries)
    assert entries["train_loss"].when == "final summary row"
    assert entries["loss"].when is None


def test_known_metrics_are_raw_canonical_and_derived_each_with_its_evaluation_twin() -> None:
    known = known_metrics("dpo")
    assert {"rewards/margins", "reward_margin", "reward_margin_nats"} <= known
    assert {"eval_rewards/margins", "eval_reward_margin", "eval_reward_margin_nats"} <= known
    assert "eval_runtime" in known
    assert "eval_eval_runtime" not in known
    assert "accuracy" not in known
    assert "perplexity" in known_metrics("sft")


@pytest.mark.parametrize(
    ("trainer", "metrics", "configuration", "derived"),
    [
        ("kto", {"rewards_chosen": -1.0, "kl": 2.0}, {"beta": 0.1}, {"kl_per_sequence": 2.0}),
        ("orpo", {"log_odds_ratio": -0.5}, {"beta": 0.2}, {"odds_ratio_loss": 0.1}),
        ("grpo", {"kl": 0.5, "completion_length": 20.0}, {}, {"kl_per_sequence": 10.0}),
        ("rloo", {"kl": 0.5}, {}, {"kl_per_token": 0.5}),
        ("ppo", {"kl": 8.0}, {}, {"kl_per_sequence": 8.0}),
        ("online_dpo", {"reward_margin": 0.5, "beta": 0.1}, {}, {"reward_margin_nats": 5.0}),
        ("grpo", {"reward": 0.5}, {"num_generations": 4}, {"bernoulli_zero_std": 0.125}),
    ],
)
def test_derived_metrics_of_the_other_trainers(
    trainer: str,
    metrics: Mapping[str, float],
    configuration: Mapping[str, object],
    derived: dict[str, float],
) -> None:
    assert derive(trainer, metrics, configuration).items() >= derived.items()


@pytest.mark.parametrize(
    ("trainer", "configuration", "initial_loss"),
    [
        ("kto", {"desirable_weight": 1.0, "undesirable_weight": 1.0}, 0.5),
        ("reward", {}, math.log(2)),
        ("online_dpo", {"loss_type": "ipo", "beta": 0.1}, 25.0),
    ],
)
def test_the_initial_loss_of_the_other_trainers(
    trainer: str, configuration: dict[str, object], initial_loss: float
) -> None:
    derived = load_profile(trainer).derive_configuration(configuration)
    assert derived["initial_loss"] == pytest.approx(initial_loss)


@pytest.mark.parametrize(("trainer", "planned"), [("ppo", 100), ("grpo", 10), (None, 10)])
def test_ppo_logs_every_step_whatever_its_arguments_say(trainer: str | None, planned: int) -> None:
    run = RunDescription(trainer, {"logging_steps": 10}, max_steps=100, logging_steps=10)
    assert run.planned_logs == planned


def test_how_often_a_batch_of_completions_is_used() -> None:
    used = {"num_iterations": 2, "steps_per_generation": 4, "gradient_accumulation_steps": 2}
    assert load_profile("grpo").derive_configuration(used) == {"updates_per_generation": 4.0}


def test_a_trainer_that_is_not_catalogued_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="a_trainer_to_come"):
        catalogue("a_trainer_to_come")
