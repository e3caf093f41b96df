"""Takes a snapshot: has a model answer prompts and read texts, and measures what it says."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from post_training_toolkit.ptt_trl.model_identity import model_identity
from post_training_toolkit.ptt_trl.snapshots.answering import (
    Advance,
    NoTokenizerError,
    answer,
    find_tokenizer,
)
from post_training_toolkit.ptt_trl.snapshots.as_found import (
    CannotGenerateError,
    as_found,
    find_generating,
)
from post_training_toolkit.ptt_trl.snapshots.hidden_states import (
    Probe,
    ProbeStart,
    probe,
    probe_start,
)
from post_training_toolkit.ptt_trl.snapshots.measures import measure_replies
from post_training_toolkit.ptt_trl.snapshots.prompt import Prompt
from post_training_toolkit.ptt_trl.snapshots.prompt_set import probe_texts
from post_training_toolkit.ptt_trl.snapshots.refusal import RefusalClassifier, classify_by_phrases
from post_training_toolkit.ptt_trl.snapshots.snapshot import Generation, Moment, Reply, Snapshot


@dataclass(frozen=True, slots=True)
class Share:
    """What one process has found out: its share of the replies, and the probe.

    ``start`` is there only if the process was asked for it. ``seconds`` is how long it took.
    """

    replies: tuple[Reply, ...]
    probe: Probe
    start: ProbeStart | None
    seconds: float


def why_no_snapshot(model: torch.nn.Module, processing_class: object) -> str | None:
    """Return why no snapshot of this model can be taken, None where one can."""
    try:
        find_generating(model)
        find_tokenizer(processing_class)
    except (CannotGenerateError, NoTokenizerError) as error:
        return str(error)
    return None


def take_share(
    model: torch.nn.Module,
    processing_class: object,
    prompts: Sequence[Prompt],
    generation: Generation,
    *,
    is_start: bool = False,
    advance: Advance = lambda _: None,
) -> Share:
    """Have a model answer some prompts and read the fixed texts; it is left as it was.

    With ``is_start`` the noise of the probe is measured as well. Raises ``CannotGenerateError``
    and ``NoTokenizerError``.
    """
    began = time.perf_counter()
    tokenizer = find_tokenizer(processing_class)
    texts = probe_texts()
    with as_found(model) as generating:
        replies = answer(generating, tokenizer, prompts, generation, advance)
        found = probe(generating, tokenizer, texts)
        start = probe_start(generating, tokenizer, texts, found) if is_start else None
    return Share(tuple(replies), found, start, time.perf_counter() - began)


def assemble(
    shares: Sequence[Share],
    prompts: Sequence[Prompt],
    generation: Generation,
    classify: RefusalClassifier,
    *,
    step: int | None,
    moment: Moment,
    model: Mapping[str, Any],
) -> Snapshot:
    """Put the shares of all processes together, and measure them.

    Raises ``ValueError`` if the classifier does not judge each reply.
    """
    of_prompt = {each.id: each for each in prompts}
    order = {name: number for number, name in enumerate(of_prompt)}
    replies = [reply for share in shares for reply in share.replies]
    replies.sort(key=lambda each: (order[each.prompt], each.sample))
    asked = [of_prompt[each.prompt] for each in replies]
    refusals = classify(asked, [each.text for each in replies])
    if len(refusals) != len(replies):
        found = f"{len(refusals)} answers for {len(replies)} replies"
        raise ValueError(f"the classifier of refusals gave {found}; one for each is right")
    judged = tuple(
        replace(reply, refusal=refusal) for reply, refusal in zip(replies, refusals, strict=True)
    )
    perplexity = shares[0].probe.perplexity
    return Snapshot(
        step=step,
        moment=moment,
        time=time.time(),
        seconds=max(each.seconds for each in shares),
        model=model,
        generation=generation,
        prompts=tuple(prompts),
        replies=judged,
        measures={**measure_replies(prompts, judged), "perplexity": perplexity},
    )


def take_snapshot(
    model: torch.nn.Module,
    processing_class: object,
    prompts: Sequence[Prompt],
    generation: Generation,
    *,
    step: int | None = None,
    moment: Moment = Moment.ALONE,
    classify: RefusalClassifier = classify_by_phrases,
    advance: Advance = lambda _: None,
) -> Snapshot:
    """Take a snapshot of a model in this process; ``advance`` is told of prompts that are done.

    Raises ``CannotGenerateError`` for a model that writes no text, ``NoTokenizerError``.
    """
    share = take_share(model, processing_class, prompts, generation, advance=advance)
    return assemble(
        [share],
        prompts,
        generation,
        classify,
        step=step,
        moment=moment,
        model=model_identity(model) or {},
    )
