"""Finds out which kind of TRL trainer is running."""

from __future__ import annotations

from post_training_toolkit.rules.profile import config_classes


def detect_trainer(arguments: object) -> str | None:
    """Return the trainer that the arguments' class, or the nearest of its bases, belongs to.

    Callbacks are given the arguments, not the trainer. The class's own bases are walked, so that
    subclasses and patched wrappers of a TRL config are recognised. None for a plain
    ``TrainingArguments``.
    """
    known = config_classes()
    for base in type(arguments).__mro__:
        if base.__name__ in known:
            return known[base.__name__]
    return None
