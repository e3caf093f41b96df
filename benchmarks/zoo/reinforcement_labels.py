"""Labels of the runs that sample their own completions, one for each kind of fault."""

from __future__ import annotations

from labels import Labels

# What a policy does once it has left the texts it was trained on.
_RUINED = (
    "truncation_high",
    "length_explosion",
    "length_collapse",
    "reward_no_signal",
    "reward_collapse",
    "reward_plateau",
    "reward_hacking",
    "entropy_collapse",
    "entropy_explosion",
    "kl_explosion",
    "policy_drift",
)
# What the optimiser, the value model and the pairs of online DPO show of it.
_THROWN = (
    "gradient_explosion",
    "gradient_instability",
    "gradient_vanishing",
    "loss_spike",
    "loss_divergence",
    "loss_plateau",
    "not_learning",
    "value_divergence",
    "clip_fraction_high",
    "likelihood_displacement",
    "margin_collapse",
    "win_rate_plateau",
    "win_rate_drop",
    "win_rate_instability",
    "dpo_loss_random",
    "reward_variance_spike",
)
_STANDSTILL = (
    "loss_plateau",
    "gradient_vanishing",
    "not_learning",
    "reward_plateau",
    "win_rate_plateau",
    "dpo_loss_random",
    "margin_collapse",
)

CONSTANT_REWARD = Labels(("reward_no_signal",), "all", acceptable=(*_STANDSTILL, "reward_collapse"))
REWARD_ZERO = Labels(
    ("reward_collapse", "reward_no_signal"),
    acceptable=(*_STANDSTILL, "loss_spike", "value_divergence", "reward_variance_spike"),
)
REWARD_SIGN = Labels(("reward_collapse",), "all", acceptable=(*_RUINED, *_THROWN))
REWARD_SCALE = Labels(
    ("reward_jump", "reward_variance_spike", "value_divergence"),
    acceptable=(*_RUINED, *_THROWN),
)
REWARD_NOISE = Labels(
    ("reward_variance_spike", "value_divergence"),
    acceptable=(*_THROWN, "reward_collapse", "reward_jump", "kl_explosion", "policy_drift"),
)
# Rewards that are None or NaN: the trainer logs null and goes on without a gradient.
REWARD_MISSING = Labels(
    ("nonfinite_values", "reward_no_signal"),
    acceptable=(*_STANDSTILL, "reward_collapse", "crash"),
)
LENGTH = Labels(
    ("length_explosion",),
    "all",
    acceptable=(
        "truncation_high",
        "reward_hacking",
        "reward_no_signal",
        "reward_plateau",
        "entropy_collapse",
        "entropy_explosion",
        "gradient_explosion",
        "gradient_instability",
        "gradient_vanishing",
        "policy_drift",
        "kl_explosion",
        "likelihood_displacement",
    ),
)
# PPO logs no length: only the end tokens go missing, and the KL sum grows with the tokens.
UNSEEN_LENGTH = Labels(
    ("length_explosion", "truncation_high", "kl_explosion", "reward_hacking"), acceptable=_RUINED
)
BREVITY = Labels(
    ("length_collapse",),
    "all",
    acceptable=(
        "reward_hacking",
        "reward_no_signal",
        "reward_plateau",
        "entropy_collapse",
        "entropy_explosion",
        "gradient_explosion",
        "gradient_instability",
        "gradient_vanishing",
        "kl_explosion",
        "policy_drift",
    ),
)
LENGTH_LIMIT = Labels(
    ("truncation_high",),
    "all",
    acceptable=(
        "reward_no_signal",
        "reward_plateau",
        "gradient_vanishing",
        "entropy_collapse",
        "length_explosion",
    ),
)
ENTROPY_COLLAPSE = Labels(
    ("entropy_collapse",),
    "all",
    acceptable=(*_RUINED, "gradient_vanishing", "gradient_explosion", "gradient_instability"),
)
ENTROPY_EXPLOSION = Labels(("entropy_explosion",), "all", acceptable=(*_RUINED, *_THROWN))
KL_EXPLOSION = Labels(("kl_explosion",), "all", acceptable=(*_RUINED, *_THROWN))
# Without a KL term in the log the ruin shows elsewhere, and not always in the same place.
RUINED = Labels(_RUINED, acceptable=_THROWN)
NOT_LEARNING = Labels(
    ("reward_plateau", "not_learning", "dpo_loss_random"),
    acceptable=(
        "loss_plateau",
        "win_rate_plateau",
        "margin_collapse",
        "gradient_vanishing",
    ),
)
FROZEN = Labels(
    ("gradient_vanishing", "reward_plateau", "not_learning"),
    acceptable=("loss_plateau", "win_rate_plateau", "margin_collapse", "dpo_loss_random"),
)
CRASH = Labels(("crash",), "all")
# The next batch of completions cannot be sampled with weights that are not a number.
NAN_WEIGHTS = Labels(("nonfinite_values", "crash"), acceptable=("gradient_explosion",))
VALUE_DIVERGENCE = Labels(
    ("value_divergence",), "all", acceptable=(*_RUINED, *_THROWN, "reward_jump")
)
CLIPPING = Labels(("clip_fraction_high",), "all", acceptable=(*_RUINED, *_THROWN))
# Settings that are not right, in a stream that does not clearly say so.
UNCLEAR = Labels(acceptable=(*_RUINED, *_THROWN))
