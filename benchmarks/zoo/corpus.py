"""Questions and answers as data sets for every trainer, right or with a fault put in.

The texts are those of the demo: short questions, each with a polite and a terse answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from datasets import Dataset
from tiny_language_model import Example, all_examples

PairKind = Literal["style", "correct", "mixed", "same"]
_JUNK_LENGTH = 12


@dataclass(frozen=True, slots=True)
class DataRecipe:
    """How the rows of a data set are made.

    ``kind`` is what chosen and rejected differ in: polite against terse, right against wrong, one
    or the other, or nothing. ``noise`` is the share of rows whose label is turned round,
    ``flip_from`` the row from which all are. ``junk`` names the rows ``[first, last)`` that are
    random words. ``desirable`` is the share of rows that are labelled desirable, for KTO.
    """

    size: int = 1200
    kind: PairKind = "style"
    noise: float = 0.0
    flip_from: int | None = None
    junk: tuple[int, int] | None = None
    desirable: float = 0.5

    @property
    def is_unordered(self) -> bool:
        """Whether no fault depends on the order of the rows."""
        return self.flip_from is None and self.junk is None

    def is_junk(self, index: int) -> bool:
        """Return whether a row is random words."""
        return self.junk is not None and self.junk[0] <= index < self.junk[1]


def preference_rows(recipe: DataRecipe, seed: int) -> Dataset:
    """Return prompt, chosen and rejected."""
    generator = np.random.default_rng(seed)
    rows = []
    for index, example in enumerate(_draw(recipe.size, generator)):
        chosen, rejected = _pair(example, recipe.kind, generator)
        turned = recipe.flip_from is not None and index >= recipe.flip_from
        if turned or generator.random() < recipe.noise:
            chosen, rejected = rejected, chosen
        if recipe.is_junk(index):
            chosen, rejected = _random_words(generator), _random_words(generator)
        rows.append({"prompt": example.prompt, "chosen": chosen, "rejected": rejected})
    return Dataset.from_list(rows)


def supervised_rows(recipe: DataRecipe, seed: int) -> Dataset:
    """Return prompt and completion: the polite answer, random words in the junk rows."""
    generator = np.random.default_rng(seed)
    rows = []
    for index, example in enumerate(_draw(recipe.size, generator)):
        completion = example.polite
        if recipe.is_junk(index):
            completion = _random_words(generator)
        rows.append({"prompt": example.prompt, "completion": completion})
    return Dataset.from_list(rows)


def labelled_rows(recipe: DataRecipe, seed: int) -> Dataset:
    """Return prompt, completion and label (desirable or not), as KTO takes them."""
    generator = np.random.default_rng(seed)
    rows = []
    for index, example in enumerate(_draw(recipe.size, generator)):
        good, bad = _pair(example, recipe.kind, generator)
        label = bool(generator.random() < recipe.desirable)
        completion = good if label else bad
        turned = recipe.flip_from is not None and index >= recipe.flip_from
        if turned or generator.random() < recipe.noise:
            label = not label
        rows.append({"prompt": example.prompt, "completion": completion, "label": label})
    return Dataset.from_list(rows)


def prompt_rows(recipe: DataRecipe, seed: int) -> Dataset:
    """Return prompt and the right answer, for trainers that sample."""
    generator = np.random.default_rng(seed)
    drawn = _draw(recipe.size, generator)
    return Dataset.from_list([{"prompt": each.prompt, "answer": each.terse} for each in drawn])


def _draw(size: int, generator: np.random.Generator) -> list[Example]:
    examples = all_examples()
    return [examples[index] for index in generator.integers(len(examples), size=size)]


def _pair(example: Example, kind: PairKind, generator: np.random.Generator) -> tuple[str, str]:
    """Return the better and the worse answer."""
    if kind == "mixed":
        kind = "style" if generator.random() < 0.5 else "correct"
    if kind == "style":
        return example.polite, example.terse
    if kind == "same":
        return example.polite, example.polite
    others = [each for each in all_examples() if each.terse != example.terse]
    return example.polite, others[generator.integers(len(others))].polite


def _random_words(generator: np.random.Generator) -> str:
    examples = all_examples()
    drawn = generator.integers(len(examples), size=_JUNK_LENGTH)
    return " " + " ".join(examples[index].terse.strip() for index in drawn)
