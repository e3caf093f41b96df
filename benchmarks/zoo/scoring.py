"""Reward models for PPO: one that is trained on pairs, and ones that follow a rule of rewards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace

import torch
from corpus import DataRecipe, preference_rows
from language_model import ModelRecipe, load_model, with_score_head
from reward_faults import changed
from rewards import JUDGES, Completion
from specification import Fault
from tiny_language_model import all_examples
from transformers import LlamaForSequenceClassification, PreTrainedTokenizerFast

_STEPS = 120
_BATCH_SIZE = 16
_LEARNING_RATE = 5e-4
_SPREAD_PENALTY = 0.01
_PROMPT_END = "Answer :"


class ScoreModel(torch.nn.Module):
    """Looks like a classification model with one label and gives scores of our own making.

    PPOTrainer takes the last hidden states from the body ``model`` and gives them to ``score``.
    Here the body hands the tokens on as they are, and ``score`` judges them.
    """

    base_model_prefix = "model"

    def __init__(self, judge: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self._judge = judge

    def model(self, input_ids: torch.Tensor, **_: object) -> SimpleNamespace:
        """Return the tokens in the place of hidden states."""
        return SimpleNamespace(hidden_states=[input_ids])

    def score(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Return the score of each sequence, the same at each of its tokens."""
        scores = self._judge(input_ids)
        return scores[:, None, None].expand(-1, input_ids.shape[1], 1)


def rule_scores(
    reward: str, tokenizer: PreTrainedTokenizerFast
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return what judges sequences of prompt and answer by a rule."""
    judge = JUDGES[reward]
    answers = {_words(tokenizer, each.prompt): each.terse.strip() for each in all_examples()}

    def scores(input_ids: torch.Tensor) -> torch.Tensor:
        values = []
        for text in tokenizer.batch_decode(input_ids, skip_special_tokens=True):
            prompt, end, answer = text.partition(_PROMPT_END)
            tokens = len(tokenizer(answer)["input_ids"])
            values.append(judge(Completion(answer.strip(), tokens, answers[prompt + end])))
        return torch.tensor(values)

    return scores


def _words(tokenizer: PreTrainedTokenizerFast, text: str) -> str:
    """Return the text as the tokenizer gives it back, which sets spaces in its own way."""
    return str(tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True))


def learned_scores(
    recipe: ModelRecipe, tokenizer: PreTrainedTokenizerFast
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return a reward model that was trained to prefer polite answers to terse ones."""
    scorer = _trained_scorer(recipe, tokenizer)

    def scores(input_ids: torch.Tensor) -> torch.Tensor:
        mask = (input_ids != tokenizer.pad_token_id).long()
        result: torch.Tensor = scorer(input_ids=input_ids, attention_mask=mask).logits[:, 0]
        return result

    return scores


def with_fault(
    scores: Callable[[torch.Tensor], torch.Tensor], fault: Fault, step: Callable[[], int]
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return the scores with a fault of the reward in force from its step on."""

    def faulty(input_ids: torch.Tensor) -> torch.Tensor:
        values = scores(input_ids)
        if step() < fault.step:
            return values
        judged = changed(list(values.tolist()), fault)
        return torch.tensor([torch.nan if each is None else each for each in judged])

    return faulty


def _trained_scorer(
    recipe: ModelRecipe, tokenizer: PreTrainedTokenizerFast
) -> LlamaForSequenceClassification:
    """Train a score head and its body on pairs; the penalty on large scores keeps them near +-2."""
    model, _ = load_model(recipe)
    scorer = with_score_head(model, recipe.seed)
    optimizer = torch.optim.AdamW(scorer.parameters(), lr=_LEARNING_RATE)
    pairs = preference_rows(DataRecipe(size=_STEPS * _BATCH_SIZE), recipe.seed)
    for start in range(0, len(pairs), _BATCH_SIZE):
        batch: Mapping[str, list[str]] = pairs[start : start + _BATCH_SIZE]
        chosen, rejected = (
            _scores(scorer, tokenizer, batch, side) for side in ("chosen", "rejected")
        )
        loss = -torch.nn.functional.logsigmoid(chosen - rejected).mean()
        loss = loss + _SPREAD_PENALTY * (chosen.square() + rejected.square()).mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    scorer.train(mode=False)
    return scorer


def _scores(
    scorer: LlamaForSequenceClassification,
    tokenizer: PreTrainedTokenizerFast,
    batch: Mapping[str, list[str]],
    side: str,
) -> torch.Tensor:
    texts = [prompt + answer for prompt, answer in zip(batch["prompt"], batch[side], strict=True)]
    encoded = tokenizer(
        [text + tokenizer.eos_token for text in texts],
        padding=True,
        padding_side="right",
        return_tensors="pt",
    )
    logits: torch.Tensor = scorer(
        input_ids=encoded["input_ids"], attention_mask=encoded["attention_mask"]
    ).logits
    return logits[:, 0]
