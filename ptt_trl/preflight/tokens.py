"""Which tokens end a completion."""

from __future__ import annotations


def end_tokens(model: object, processing_class: object) -> frozenset[int]:
    """Return the ids at which generation stops, by tokenizer and by generation configuration."""
    generation = getattr(model, "generation_config", None)
    given = (
        getattr(processing_class, "eos_token_id", None),
        getattr(generation, "eos_token_id", None),
    )
    found: set[int] = set()
    for each in given:
        found |= set(each) if isinstance(each, list) else {each} if each is not None else set()
    return frozenset(found)
