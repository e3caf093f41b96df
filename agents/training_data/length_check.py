"""Checks how many rows of a data set fit into the ``max_length`` of a trainer."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import numpy as np

from post_training_toolkit.agents.message import JsonObject
from post_training_toolkit.agents.training_data.chat_rows import conversations_in

if TYPE_CHECKING:
    import datasets
    from transformers import PreTrainedTokenizerBase

_LEARNED = ("messages", "chosen", "completion")
# The default of DPOConfig, KTOConfig and SFTConfig in TRL 1.16.
_DEFAULT_MAX_LENGTH = 1024


@dataclass(frozen=True, slots=True)
class LengthCheck:
    """What a trainer makes of the rows at ``max_length`` tokens, which it cuts off at the end.

    ``dropped`` rows have a prompt that leaves no room, and TRL drops them without a word; of
    conversations it does so with ``assistant_only_loss=True``, which masks the prompt (counted
    exactly but for a line end of the template). ``cut`` ones lose the end of a completion.
    ``alike`` pairs differ only behind the cut, and teach nothing. ``fits_95`` and ``fits_all`` are
    lengths at which 95 % and all of the rows are whole.
    """

    rows: int
    max_length: int
    dropped: int
    cut: int
    alike: int
    fits_95: int
    fits_all: int

    @property
    def fits(self) -> bool:
        """Whether every row is whole."""
        return not self.dropped and not self.cut

    def __str__(self) -> str:
        if self.fits:
            return f"all {self.rows} rows fit into max_length={self.max_length}"
        alike = f", {self.alike} pairs differ only behind the cut" if self.alike else ""
        return (
            f"at max_length={self.max_length}, {self.dropped} of {self.rows} rows are dropped and "
            f"{self.cut} are cut{alike}; max_length={self.fits_95} keeps 95 % of them whole, "
            f"{self.fits_all} all"
        )


def check_lengths(
    tokenizer: PreTrainedTokenizerBase,
    dataset: datasets.Dataset,
    max_length: int = _DEFAULT_MAX_LENGTH,
) -> LengthCheck:
    """Return how many rows a trainer would drop or cut at ``max_length`` tokens.

    Pairs, labelled completions and conversations are measured as TRL 1.16 tokenizes them. Raises
    ``ValueError`` for an empty data set, and for prompts alone, which GRPO takes at any length.
    """
    if not len(dataset):
        raise ValueError("the data set has no rows")
    if set(_LEARNED).isdisjoint(dataset.column_names):
        raise ValueError("the data set has no completions; GRPOTrainer takes prompts of any length")
    dropped = cut = alike = 0
    lengths = []
    for row in dataset:
        sides = [_tokens(tokenizer, row, each) for each in conversations_in(row)]
        longest = max(map(len, sides))
        lengths.append(longest)
        if _prompt_length(tokenizer, row, sides) >= max_length:
            dropped += 1
        elif longest > max_length:
            cut += 1
            alike += len(sides) == 2 and sides[0][:max_length] == sides[1][:max_length]
    fits_95 = int(np.quantile(lengths, 0.95, method="higher"))
    return LengthCheck(len(dataset), max_length, dropped, cut, alike, fits_95, max(lengths))


def _prompt_length(
    tokenizer: PreTrainedTokenizerBase, row: JsonObject, sides: list[list[int]]
) -> int:
    """Return how many tokens of the prompt all sides begin with: TRL cuts it back to these."""
    prompt = row.get("prompt") or list(
        takewhile(lambda message: message["role"] != "assistant", row["messages"])
    )
    places = zip(_tokens(tokenizer, row, prompt, prompt=True), *sides, strict=False)
    return sum(1 for _ in takewhile(lambda tokens: len(set(tokens)) == 1, places))


def _tokens(
    tokenizer: PreTrainedTokenizerBase,
    row: JsonObject,
    messages: list[JsonObject],
    *,
    prompt: bool = False,
) -> list[int]:
    encoded: Any = tokenizer.apply_chat_template(
        messages,
        tools=row.get("tools"),
        add_generation_prompt=prompt,
        tokenize=True,
        return_dict=True,
    )
    return list(encoded["input_ids"])
