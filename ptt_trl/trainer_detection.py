"""Finds out which kind of TRL trainer is running."""

from __future__ import annotations

from post_training_toolkit.rules.profile import config_classes

_CONFIG = "Config"
_TRAINER = "Trainer"


def detect_trainer(arguments: object, trainer: object = None) -> str | None:
    """Return the trainer that its class, or its arguments' class, or the nearest base belongs to.

    The classes' own bases are walked, so that subclasses and patched wrappers of a TRL trainer are
    recognised. None for a plain ``Trainer`` with plain ``TrainingArguments``.
    """
    known = config_classes()
    for base in type(trainer).__mro__:
        # TRL names DPOTrainer and DPOConfig alike.
        config = base.__name__.removesuffix(_TRAINER) + _CONFIG
        if base.__name__.endswith(_TRAINER) and config in known:
            return known[config]
    for base in type(arguments).__mro__:
        if base.__name__ in known:
            return known[base.__name__]
    return None
