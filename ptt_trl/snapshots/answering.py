"""Has a model answer prompts: in batches, greedily, and by samples from a fixed seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any
from zlib import crc32

import torch
from transformers import GenerationConfig, PreTrainedTokenizerBase

from post_training_toolkit.ptt_trl.preflight.tokens import end_tokens
from post_training_toolkit.ptt_trl.snapshots.prompt import Prompt
from post_training_toolkit.ptt_trl.snapshots.snapshot import Generation, Refusal, Reply

Advance = Callable[[int], object]


class NoTokenizerError(TypeError):
    """A run whose processing class is no tokenizer and has none."""


def find_tokenizer(processing_class: object) -> PreTrainedTokenizerBase:
    """Return the tokenizer, or that of a processor; raises ``NoTokenizerError``."""
    found = getattr(processing_class, "tokenizer", processing_class)
    if not isinstance(found, PreTrainedTokenizerBase):
        raise NoTokenizerError(f"{type(processing_class).__name__} is no tokenizer")
    return found


def answer(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Prompt],
    generation: Generation,
    advance: Advance,
) -> list[Reply]:
    """Return the replies, those of each prompt together, the greedy one first; none is judged yet.

    ``model`` must be in evaluation. The same prompts give the same replies whatever else is asked
    of the model: each sampled prompt is drawn for by itself, from a seed of its own. ``advance`` is
    called with the number of prompts that are done.
    """
    writer = _Writer(model, tokenizer, generation)
    replies = []
    for first in range(0, len(prompts), generation.batch_size):
        batch = prompts[first : first + generation.batch_size]
        for prompt, greedy in zip(batch, writer.greedy(batch), strict=True):
            replies.append(greedy)
            if prompt.sampled and generation.samples:
                replies += writer.drawn(prompt)
        advance(len(batch))
    return replies


class _Writer:
    """Turns prompts into tokens, and what the model makes of them into replies."""

    def __init__(
        self, model: Any, tokenizer: PreTrainedTokenizerBase, generation: Generation
    ) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._generation = generation
        self._ends = end_tokens(model, tokenizer)
        padding = tokenizer.pad_token_id
        self._padding = padding if padding is not None else min(self._ends, default=0)

    def greedy(self, prompts: Sequence[Prompt]) -> Iterator[Reply]:
        rows = self._generate([self._tokens(each) for each in prompts], do_sample=False)
        for prompt, row in zip(prompts, rows, strict=True):
            yield self._reply(prompt, 0, row)

    def drawn(self, prompt: Prompt) -> Iterator[Reply]:
        # Python's own hash of a text is another one in every process.
        torch.manual_seed(self._generation.seed + crc32(prompt.id.encode()))
        rows = self._generate(
            [self._tokens(prompt)] * self._generation.samples,
            do_sample=True,
            temperature=self._generation.temperature,
            top_k=0,
            top_p=1.0,
        )
        for sample, row in enumerate(rows, start=1):
            yield self._reply(prompt, sample, row)

    def _generate(self, rows: Sequence[Sequence[int]], **given: Any) -> list[list[int]]:
        width = max(map(len, rows))
        device = next(self._model.parameters()).device
        # On the left, so that every reply follows its prompt.
        padded = [[self._padding] * (width - len(row)) + list(row) for row in rows]
        attended = [[0] * (width - len(row)) + [1] * len(row) for row in rows]
        output = self._model.generate(
            input_ids=torch.tensor(padded, device=device),
            attention_mask=torch.tensor(attended, device=device),
            generation_config=GenerationConfig(  # type: ignore[no-untyped-call]
                max_new_tokens=self._generation.max_new_tokens,
                pad_token_id=self._padding,
                eos_token_id=sorted(self._ends) or None,
                use_cache=True,
                **given,
            ),
        )
        found: list[list[int]] = output[:, width:].tolist()
        return found

    def _reply(self, prompt: Prompt, sample: int, row: list[int]) -> Reply:
        end = next((at for at, token in enumerate(row) if token in self._ends), None)
        own = row[:end]
        text = self._tokenizer.decode(own, skip_special_tokens=True)
        return Reply(prompt.id, sample, str(text), len(own), end is None, Refusal.NONE)

    def _tokens(self, prompt: Prompt) -> list[int]:
        """Return the prompt as the model is trained to see it, its end if it is too long."""
        tokens = prompt_tokens(self._tokenizer, prompt)
        positions = getattr(self._model.config, "max_position_embeddings", None)
        if positions is None:
            return tokens
        room = max(positions - self._generation.max_new_tokens, 1)
        return tokens[-room:]


def prompt_tokens(tokenizer: PreTrainedTokenizerBase, prompt: Prompt) -> list[int]:
    """Return the tokens of a prompt, by the chat template where there is one and it has messages.

    Without a template messages are read as plain text.
    """
    if prompt.messages and tokenizer.chat_template:
        messages = [{"role": each.role, "content": each.content} for each in prompt.messages]
        text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        # The template brings the special tokens along.
        found = tokenizer(str(text), add_special_tokens=False)
    else:
        found = tokenizer(prompt.shown)
    tokens: list[int] = found["input_ids"]
    return tokens
