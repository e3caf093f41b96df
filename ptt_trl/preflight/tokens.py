"""Which tokens end a completion."""

from __future__ import annotations

from post_training_toolkit.ptt_trl.training_parts import TrainingParts


def end_tokens(parts: TrainingParts) -> frozenset[int]:
    """Return the ids at which generation stops, by tokenizer and by generation configuration."""
    generation = getattr(parts.model, "generation_config", None)
    given = (
        getattr(parts.processing_class, "eos_token_id", None),
        getattr(generation, "eos_token_id", None),
    )
    found: set[int] = set()
    for each in given:
        found |= set(each) if isinstance(each, list) else {each} if each is not None else set()
    return frozenset(found)
