"""The tiny language model that every run starts from, pre-trained once and kept."""

from __future__ import annotations

import copy
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
from tiny_language_model import build_tokenizer, pretrain, supervised_dataset
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    PreTrainedTokenizerFast,
)

_PRETRAINING_ROWS = 6000


@dataclass(frozen=True, slots=True)
class ModelRecipe:
    """Size and seed of a model, and how far it is trained before the run.

    ``polite_share`` is the share of polite answers in the texts it was trained on.
    """

    hidden_size: int = 96
    layers: int = 2
    seed: int = 0
    steps: int = 500
    polite_share: float = 0.4

    @property
    def name(self) -> str:
        """The folder in which the weights are kept."""
        share = round(self.polite_share * 100)
        return f"{self.hidden_size}x{self.layers}-s{self.seed}-t{self.steps}-p{share}"


def load_model(
    recipe: ModelRecipe,
) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """Return a fresh copy of the model and its tokenizer; the first call trains it (20 seconds)."""
    tokenizer = build_tokenizer()
    folder = Path(tempfile.gettempdir()) / "ptt-zoo-models" / recipe.name
    if not (folder / "config.json").exists():
        model = _build(recipe, tokenizer)
        rows = supervised_dataset(
            _PRETRAINING_ROWS, seed=recipe.seed, polite_share=recipe.polite_share
        )
        pretrain(model, tokenizer, rows, seed=recipe.seed, steps=recipe.steps)
        # Two recordings may train the same model at once: the last one to finish wins whole.
        with tempfile.TemporaryDirectory(dir=_made(folder.parent)) as unfinished:
            model.save_pretrained(unfinished)
            _move(Path(unfinished), folder)
    model = LlamaForCausalLM.from_pretrained(folder)
    return model, tokenizer


def with_score_head(model: LlamaForCausalLM, seed: int) -> LlamaForSequenceClassification:
    """Return the model with a fresh head that gives one score, for reward models."""
    torch.manual_seed(seed)
    config = copy.deepcopy(model.config)
    config.num_labels = 1
    scorer = LlamaForSequenceClassification(config)  # type: ignore[no-untyped-call]
    scorer.model.load_state_dict(model.model.state_dict())
    return scorer


def _build(recipe: ModelRecipe, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    torch.manual_seed(recipe.seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=recipe.hidden_size,
            intermediate_size=3 * recipe.hidden_size,
            num_hidden_layers=recipe.layers,
            num_attention_heads=4,
            max_position_embeddings=256,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
        )
    )


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _move(unfinished: Path, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    # The configuration comes last: it says that the weights are there.
    for path in sorted(unfinished.iterdir(), key=lambda each: each.name == "config.json"):
        path.replace(folder / path.name)
