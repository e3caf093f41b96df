"""Measures whether the context of the model was large enough."""

from __future__ import annotations

import re
from itertools import pairwise

from post_training_toolkit.agents.analysis.episode_measures import EpisodeMeasures, EpisodeView
from post_training_toolkit.agents.message import Message, Role

_OVERFLOW = re.compile(
    r"context[_ ](?:length|window|limit|size)[_ ]?(?:was |is |has been |of the model )?"
    r"(?:exceed|overflow|reach|full)"
    r"|maximum context length|exceed\w* (?:the |its )?(?:model'?s? )?(?:maximum )?context"
    r"|prompt is too long|exit_context|(?:input|prompt)[\w ]{0,20}too many tokens",
    re.IGNORECASE,
)
_CUT = frozenset({"length", "max_tokens", "max_output_tokens", "model_length"})
# Falls of short prompts are turns of another agent, or of another task.
_LONG_PROMPT = 4000
_LONGEST_NOTICE = 2000


def measure_context(view: EpisodeView, into: EpisodeMeasures) -> None:
    """Measure errors of the context, answers that were cut off and prompts that shrank."""
    messages = view.episode.messages
    step = next((view.step_of(at) for at, each in enumerate(messages) if _overflows(each)), None)
    told = _OVERFLOW.search(view.episode.end_reason or "")
    shown = view.last_step if step is None else step
    into.note("context/overflow", step is not None or bool(told), shown)
    ends = [
        (index, message.model_call.finish_reason)
        for index, message in enumerate(messages)
        if message.model_call is not None and message.model_call.finish_reason is not None
    ]
    if ends:
        cut = [index for index, reason in ends if reason.lower() in _CUT]
        into.note("context/cut_answers", len(cut), view.step_of(cut[0]) if cut else None)
    _measure_drop(view, into)


def _overflows(message: Message) -> bool:
    """Whether a short notice, and not a document, says so; the model's own words do not count."""
    text = message.content
    if not text or len(text) > _LONGEST_NOTICE or message.tool_calls:
        return False
    return (message.role is Role.TOOL or message.failed is True) and bool(_OVERFLOW.search(text))


def _measure_drop(view: EpisodeView, into: EpisodeMeasures) -> None:
    prompts = [
        (index, message.model_call.prompt_tokens)
        for index, message in enumerate(view.episode.messages)
        if message.model_call is not None and message.model_call.prompt_tokens
    ]
    if len(prompts) < 2:
        return
    drops = [
        (before / after, index)
        for (_, before), (index, after) in pairwise(prompts)
        if before >= _LONG_PROMPT
    ]
    largest, index = max(drops, default=(0.0, 0))
    into.note("context/drop", largest, view.step_of(index) if drops else None)
