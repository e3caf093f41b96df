"""Labels that runs of one kind of fault share: what should be said of them, and what may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# What a policy or a loss that is thrown far away may show besides.
_THROWN = (
    "gradient_explosion", "gradient_instability", "gradient_vanishing", "loss_spike",
    "loss_plateau", "perplexity_spike", "win_rate_instability", "win_rate_drop",
    "win_rate_plateau", "margin_collapse", "likelihood_displacement", "policy_drift",
    "entropy_explosion", "entropy_collapse", "kl_explosion", "loss_divergence", "not_learning",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Labels:
    """The failure modes that should be raised, and those that may be."""

    expected: tuple[str, ...] = ()
    match: Literal["all", "any"] = "any"
    acceptable: tuple[str, ...] = ()


HEALTHY = Labels()
NOT_LEARNING = Labels(
    ("not_learning", "loss_plateau"),
    acceptable=("win_rate_plateau", "margin_collapse", "gradient_vanishing"),
)
DPO_RANDOM = Labels(
    ("dpo_loss_random", "not_learning"),
    acceptable=(
        "loss_plateau", "win_rate_plateau", "win_rate_instability", "margin_collapse",
        "gradient_vanishing",
    ),
)  # fmt: skip
# The loss cannot fall, but the policy still moves: it learns the noise of each batch.
LABEL_NOISE = Labels(
    ("not_learning", "loss_plateau", "dpo_loss_random"),
    acceptable=("win_rate_plateau", "win_rate_instability", "margin_collapse", "overfitting"),
)
FROZEN = Labels(
    ("gradient_vanishing", "not_learning", "loss_plateau", "dpo_loss_random"),
    acceptable=("win_rate_plateau", "margin_collapse"),
)
LEARNING_RATE_HIGH = Labels(
    (
        "loss_divergence",
        "loss_spike",
        "gradient_explosion",
        "policy_drift",
        "likelihood_displacement",
    ),
    acceptable=_THROWN,
)
LEARNING_RATE_JUMP = Labels(("loss_divergence",), "all", acceptable=_THROWN)
# KTO's loss is bounded: of a ruined policy it shows little.
RUINED = Labels(
    (
        "policy_drift",
        "likelihood_displacement",
        "margin_collapse",
        "entropy_collapse",
        "gradient_vanishing",
        "loss_divergence",
        "kl_explosion",
    ),
    acceptable=_THROWN,
)
NON_FINITE = Labels(
    ("nonfinite_values",),
    "all",
    acceptable=(
        "gradient_explosion", "loss_divergence", "entropy_collapse", "crash", "win_rate_drop",
        "margin_collapse",
    ),
)  # fmt: skip
BAD_BATCHES = Labels(
    ("loss_spike",),
    "all",
    acceptable=(
        "gradient_explosion", "gradient_instability", "perplexity_spike", "loss_divergence",
    ),
)  # fmt: skip
OVERFITTING = Labels(
    ("overfitting", "eval_loss_rising"),
    acceptable=(
        "gradient_vanishing", "entropy_collapse", "likelihood_displacement", "policy_drift",
    ),
)  # fmt: skip
LABEL_FLIP = Labels(
    ("win_rate_drop", "margin_collapse", "loss_divergence", "loss_spike"),
    acceptable=("gradient_explosion", "gradient_instability", "win_rate_instability"),
)
DISPLACEMENT = Labels(
    ("likelihood_displacement", "policy_drift"),
    acceptable=(*_THROWN, "overfitting", "dpo_loss_random"),
)
ONE_LABEL = Labels(
    ("label_imbalance",),
    "all",
    acceptable=("not_learning", "loss_plateau", "kl_explosion", "policy_drift"),
)
CRASH = Labels(("crash",), "all")
