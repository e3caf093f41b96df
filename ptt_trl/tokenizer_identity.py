"""Which tokenizer a run has."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sized
from typing import Any

_TOKENS_LOOKED_AT = 256


def tokenizer_identity(processing_class: object) -> dict[str, Any] | None:
    """Return class, name, revision, size and fingerprint of a tokenizer or processor.

    The fingerprint is of the size, 256 tokens spread over the vocabulary, the special tokens and
    the chat template; None for what has no vocabulary.
    """
    if processing_class is None:
        return None
    # A processor of images and text keeps its tokenizer inside.
    tokenizer = getattr(processing_class, "tokenizer", processing_class)
    arguments = getattr(tokenizer, "init_kwargs", {})
    return {
        "class": type(processing_class).__name__,
        "name": getattr(tokenizer, "name_or_path", None) or None,
        "revision": arguments.get("_commit_hash"),
        "vocabulary": len(tokenizer) if isinstance(tokenizer, Sized) else None,
        "fingerprint": _fingerprint(tokenizer),
    }


def _fingerprint(tokenizer: Any) -> str | None:
    tokens: Callable[[list[int]], list[str]] | None
    tokens = getattr(tokenizer, "convert_ids_to_tokens", None)
    if tokens is None or not isinstance(tokenizer, Sized):
        return None
    size = len(tokenizer)
    looked_at = tokens(list(range(0, size, max(size // _TOKENS_LOOKED_AT, 1))))
    special = sorted(getattr(tokenizer, "special_tokens_map", {}).items())
    template = getattr(tokenizer, "chat_template", None)
    return hashlib.sha256(repr((size, looked_at, special, template)).encode()).hexdigest()
