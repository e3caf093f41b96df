"""Keeps what the agent did not write out of the loss of DPO and KTO.

TRL 1.16 trains both on everything behind the prompt, answers of tools included. SFT has
``assistant_only_loss=True`` for this. The only module of agents that imports torch and TRL.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import torch
from trl import DPOConfig
from trl.chat_template_utils import get_training_chat_template
from trl.trainer.dpo_trainer import DataCollatorForPreference
from trl.trainer.kto_trainer import DataCollatorForUnpairedPreference

from post_training_toolkit.agents.message import JsonObject

if TYPE_CHECKING:
    import datasets
    from transformers import PreTrainedTokenizerBase
    from trl import KTOConfig

_MASK = "{side}_assistant_mask"
_LOGGER = logging.getLogger(__name__)


def mask_tool_results(
    dataset: datasets.Dataset, tokenizer: PreTrainedTokenizerBase
) -> datasets.Dataset:
    """Return the data set with a column per side that says which tokens the agent wrote.

    Works on preference pairs and on labelled completions. Sets ``tokenizer.chat_template`` to TRL's
    training template of the same model, which marks what the assistant says: train with this
    tokenizer, with ``masking_collator``, and with ``remove_unused_columns=False``.

    Raises ``ValueError`` for other data sets, and for a template that TRL has no training template
    for and that does not mark the assistant's part itself with ``{% generation %}``.
    """
    sides = [side for side in ("chosen", "rejected", "completion") if side in dataset.column_names]
    if "prompt" not in dataset.column_names or not sides:
        raise ValueError(
            "masking is for preference pairs and labelled completions; this data set has "
            f"{', '.join(dataset.column_names)}. SFT has assistant_only_loss=True"
        )
    template = get_training_chat_template(tokenizer)
    if template is not None:
        _LOGGER.info("tokenizer.chat_template is now TRL's training template of this model")
        tokenizer.chat_template = template

    def masks(row: JsonObject) -> JsonObject:
        return {_MASK.format(side=side): _assistant_mask(row, side, tokenizer) for side in sides}

    return dataset.map(masks, desc="Marking what the agent wrote")


def _assistant_mask(row: JsonObject, side: str, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Return 1 for each token of prompt and completion that the assistant wrote, 0 for the rest."""
    encoded: Any = tokenizer.apply_chat_template(
        [*row["prompt"], *row[side]],
        tools=row.get("tools"),
        tokenize=True,
        return_dict=True,
        return_assistant_tokens_mask=True,
    )
    return list(encoded["assistant_masks"])


def masking_collator(
    dataset: datasets.Dataset, tokenizer: PreTrainedTokenizerBase, args: DPOConfig | KTOConfig
) -> DataCollatorForPreference | DataCollatorForUnpairedPreference:
    """Return the collator for a data set of ``mask_tool_results``.

    It does what TRL's own does, and takes what the assistant did not write out of
    ``completion_mask``. In KTO the mismatched completions of the KL estimate, which has no
    gradient, keep the answers of tools. Raises ``ValueError`` where ``args`` would throw the masks
    away.
    """
    if args.remove_unused_columns:
        raise ValueError(
            "the trainer would throw the masks away: set remove_unused_columns=False in "
            f"{type(args).__name__}"
        )
    # What a trainer does before it makes a collator of its own.
    chosen_pad = args.pad_token if isinstance(args, DPOConfig) else None
    tokenizer.pad_token = chosen_pad or tokenizer.pad_token or tokenizer.eos_token
    shape: dict[str, Any] = {
        "pad_token_id": tokenizer.pad_token_id,
        "max_length": args.max_length,
        "pad_to_multiple_of": args.pad_to_multiple_of,
    }
    if _MASK.format(side="chosen") in dataset.column_names:
        mode = args.truncation_mode if isinstance(args, DPOConfig) else "keep_start"
        return _PreferenceCollator(**shape, truncation_mode=mode)
    if _MASK.format(side="completion") in dataset.column_names:
        return _UnpairedCollator(**shape)
    raise ValueError("the data set has no masks; call mask_tool_results first")


class _PreferenceCollator(DataCollatorForPreference):
    def torch_call(self, examples: list[JsonObject]) -> dict[str, Any]:
        batch: dict[str, Any] = super().torch_call(examples)
        masks = [
            _truncated(_mask_of(example, side), self.max_length, self.truncation_mode)
            for side in ("chosen", "rejected")
            for example in examples
        ]
        batch["completion_mask"] *= _padded(masks, batch["completion_mask"])
        return batch


class _UnpairedCollator(DataCollatorForUnpairedPreference):
    def torch_call(self, examples: list[JsonObject]) -> dict[str, Any]:
        batch: dict[str, Any] = super().torch_call(examples)
        masks = [
            _truncated(_mask_of(example, "completion"), self.max_length, "keep_start")
            for example in examples
        ]
        batch["completion_mask"] *= _padded(masks, batch["completion_mask"])
        return batch


def _mask_of(example: JsonObject, side: str) -> list[int]:
    mask: list[int] = example[_MASK.format(side=side)]
    tokens = len(example["prompt_ids"]) + len(example[f"{side}_ids"])
    if len(mask) != tokens:
        raise ValueError(
            f"the mask is for {len(mask)} tokens and the trainer has made {tokens}: train with the "
            "tokenizer that was given to mask_tool_results, and its template as it is"
        )
    return mask


def _truncated(mask: list[int], max_length: int | None, mode: str) -> list[int]:
    if max_length is None:
        return mask
    return mask[:max_length] if mode == "keep_start" else mask[-max_length:]


def _padded(masks: list[list[int]], like: torch.Tensor) -> torch.Tensor:
    padded = torch.zeros_like(like)
    for row, mask in zip(padded, masks, strict=True):
        row[: len(mask)] = torch.tensor(mask, dtype=like.dtype)
    return padded
