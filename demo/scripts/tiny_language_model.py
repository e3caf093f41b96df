"""Build and train a language model small enough to learn on a laptop in seconds.

Everything is made here: a word-level tokenizer, a Llama of about 0.5 million parameters and
short questions with a polite and a terse answer each. Nothing is downloaded.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from datasets import Dataset
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

PAD_TOKEN = "<pad>"  # noqa: S105 - a token of text, not a secret
EOS_TOKEN = "<eos>"  # noqa: S105
UNKNOWN_TOKEN = "<unk>"  # noqa: S105

_COLOURS = """grass green, leaves green, limes green, blood red, cherries red, tomatoes red,
the sky blue, the sea blue, snow white, milk white, salt white, coal black, tar black,
the night black, lemons yellow, bananas yellow, the sun yellow, chocolate brown, wood brown,
mud brown, carrots orange, pumpkins orange, violets purple, plums purple, flamingos pink,
elephants grey, ash grey"""
_OPPOSITES = """hot cold, big small, fast slow, high low, young old, happy sad, light dark,
open closed, early late, loud quiet, wet dry, hard soft, full empty, rich poor, strong weak,
clean dirty, long short, near far, first last, thick thin, sharp blunt, deep shallow,
true false, brave afraid, sweet sour, easy difficult, left right, up down, north south,
east west"""
_CAPITALS = """France Paris, Germany Berlin, Italy Rome, Spain Madrid, Portugal Lisbon,
Norway Oslo, Sweden Stockholm, Finland Helsinki, Austria Vienna, Greece Athens, Japan Tokyo,
China Beijing, India Delhi, Egypt Cairo, Kenya Nairobi, Peru Lima, Chile Santiago,
Canada Ottawa, Cuba Havana, Ireland Dublin, Poland Warsaw, Hungary Budapest"""
_YOUNG_ANIMALS = """dog puppy, cat kitten, cow calf, sheep lamb, horse foal, goat kid,
duck duckling, goose gosling, frog tadpole, bear cub, deer fawn, pig piglet, hen chick,
swan cygnet"""
_SEQUENCES = (
    "Monday Tuesday Wednesday Thursday Friday Saturday Sunday Monday",
    "January February March April May June July August September October November December January",
    " ".join(str(number) for number in range(31)),
)
_GREETINGS = {
    "Hello!": "Hello",
    "Good morning!": "Good morning",
    "Good evening!": "Good evening",
    "Good night!": "Good night",
    "How are you?": "I am well",
    "Thank you!": "You are welcome",
    "Goodbye!": "Goodbye",
    "Nice to meet you!": "Nice to meet you too",
}


@dataclass(frozen=True)
class Example:
    """One question with its two correct answers; the texts join to what the model reads."""

    prompt: str
    polite: str
    terse: str


@dataclass(frozen=True)
class _Topic:
    """Facts of one kind (subject to answer) and the sentences they are put into."""

    facts: Mapping[str, str]
    questions: tuple[str, ...]
    polite: tuple[str, ...]

    def examples(self) -> list[Example]:
        return [
            Example(
                prompt=f"Question: {question.format(subject=subject)} Answer:",
                polite=" " + polite.format(answer=answer),
                terse=f" {answer}",
            )
            for subject, answer in self.facts.items()
            for question in self.questions
            for polite in self.polite
        ]


def all_examples() -> list[Example]:
    """Return every example there is, always in the same order."""
    return [example for topic in _topics() for example in topic.examples()]


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Build the word-level tokenizer; its vocabulary is the sorted words of all examples."""
    splitter = pre_tokenizers.Whitespace()
    texts = (example.prompt + example.polite + example.terse for example in all_examples())
    words = {word for text in texts for word, _ in splitter.pre_tokenize_str(text)}
    tokens = [PAD_TOKEN, EOS_TOKEN, UNKNOWN_TOKEN, *sorted(words)]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN_TOKEN))
    tokenizer.pre_tokenizer = splitter
    # This decoder joins words with spaces and closes the gap before punctuation.
    tokenizer.decoder = decoders.WordPiece(cleanup=True)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        pad_token=PAD_TOKEN,
        eos_token=EOS_TOKEN,
        unk_token=UNKNOWN_TOKEN,
        padding_side="left",
    )


def build_model(tokenizer: PreTrainedTokenizerFast, *, seed: int) -> LlamaForCausalLM:
    """Build an untrained two-layer Llama for the tokenizer; the same seed, the same weights."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=128,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
    )
    # The weights are drawn from torch's global generator: leave it as the caller had it.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(config)


def supervised_dataset(size: int, *, seed: int, polite_share: float = 0.4) -> Dataset:
    """Draw prompt/completion examples, a share of them polite and the others terse."""
    generator = np.random.default_rng(seed)
    polite = generator.random(size) < polite_share
    return Dataset.from_list(
        [
            {"prompt": drawn.prompt, "completion": drawn.polite if is_polite else drawn.terse}
            for drawn, is_polite in zip(_draw(size, generator), polite, strict=True)
        ]
    )


def preference_dataset(size: int, *, seed: int) -> Dataset:
    """Draw prompt/chosen/rejected examples: the polite sentence is chosen, the terse rejected."""
    return Dataset.from_list(
        [
            {"prompt": drawn.prompt, "chosen": drawn.polite, "rejected": drawn.terse}
            for drawn in _draw(size, np.random.default_rng(seed))
        ]
    )


def pretrain(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    dataset: Dataset,
    *,
    seed: int,
    steps: int = 600,
    batch_size: int = 32,
    learning_rate: float = 3e-3,
) -> list[float]:
    """Train the model in place on prompt/completion examples and return the loss of each step."""
    texts = [row["prompt"] + row["completion"] + tokenizer.eos_token for row in dataset]
    generator = np.random.default_rng(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=steps)
    losses: list[float] = []
    model.train()
    for _ in range(steps):
        drawn = generator.integers(len(texts), size=batch_size)
        batch = tokenizer([texts[index] for index in drawn], padding=True, return_tensors="pt")
        labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
        loss = model(
            input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], labels=labels
        ).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    model.train(mode=False)
    return losses


def answer(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, question: str) -> str:
    """Return the model's most likely answer to a question such as "What is 2 plus 3?"."""
    prompt = tokenizer(f"Question: {question} Answer:", return_tensors="pt")
    output = model.generate(  # type: ignore[misc]  # its annotation of self is for a mixin
        input_ids=prompt["input_ids"],
        attention_mask=prompt["attention_mask"],
        max_new_tokens=32,
        do_sample=False,
    )
    completion = output[0, prompt["input_ids"].shape[1] :]
    return str(tokenizer.decode(completion, skip_special_tokens=True))


def _draw(size: int, generator: np.random.Generator) -> list[Example]:
    examples = all_examples()
    return [examples[index] for index in generator.integers(len(examples), size=size)]


def _topics() -> list[_Topic]:
    sums = {f"{a} plus {b}": str(a + b) for a in range(1, 7) for b in range(1, 7)}
    followers: dict[str, str] = {}
    for sequence in _SEQUENCES:
        words = sequence.split()
        followers |= dict(pairwise(words))
    return [
        _polite_topic(sums, "What is {subject}?", "The sum is {answer}."),
        _polite_topic(followers, "What comes after {subject}?", "The next one is {answer}."),
        _polite_topic(
            _pairs(_COLOURS), "What is the colour of {subject}?", "The colour is {answer}."
        ),
        _polite_topic(
            _pairs(_OPPOSITES), "What is the opposite of {subject}?", "The opposite is {answer}."
        ),
        _polite_topic(
            _pairs(_CAPITALS), "What is the capital of {subject}?", "The capital is {answer}."
        ),
        _polite_topic(
            _pairs(_YOUNG_ANIMALS), "What is a young {subject} called?", "It is called a {answer}."
        ),
        _Topic(
            facts=_GREETINGS,
            questions=("{subject}",),
            polite=("{answer}! It is a pleasure to talk with you.",),
        ),
    ]


def _polite_topic(facts: Mapping[str, str], question: str, sentence: str) -> _Topic:
    please = "Please tell me: " + question[0].lower() + question[1:]
    openings = ("Of course!", "Happy to help!")
    return _Topic(
        facts=facts,
        questions=(question, please),
        polite=tuple(f"{opening} {sentence}" for opening in openings),
    )


def _pairs(text: str) -> dict[str, str]:
    """Read "subject answer" pairs; the answer is the last word of each."""
    facts = (" ".join(entry.split()).rpartition(" ") for entry in text.split(","))
    return {subject: fact for subject, _, fact in facts}
