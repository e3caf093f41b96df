"""Checks that a chat template shows the model all that is in a data set."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from post_training_toolkit.agents.message import JsonObject
from post_training_toolkit.agents.training_data.chat_rows import conversations_in

if TYPE_CHECKING:
    import datasets
    from transformers import PreTrainedTokenizerBase

_ROWS = 100
_SPEECH = {
    "system": "the system message",
    "user": "what the user says",
    "assistant": "what the assistant says",
    "tool": "the answer of a tool",
}


@dataclass(frozen=True, slots=True)
class TemplateFinding:
    """Something that the template does not show, or why it refuses, in so many conversations."""

    what: str
    conversations: int
    of: int

    def __str__(self) -> str:
        return f"{self.what} ({self.conversations} of {self.of} conversations)"


def check_template(
    tokenizer: PreTrainedTokenizerBase, dataset: datasets.Dataset, *, rows: int = _ROWS
) -> tuple[TemplateFinding, ...]:
    """Return what the tokenizer's chat template leaves out of a data set, or refuses.

    Many templates drop calls of tools, definitions or answers without an error, and some raise on
    parallel calls. Every text, name, argument and definition of the first ``rows`` rows is replaced
    by a word of its own, and each of these words must be in what the template makes of it. Empty
    for a template that shows everything. Needs no model. Raises ``ValueError`` for a data set
    without columns of messages.
    """
    found: Counter[str] = Counter()
    checked = 0
    for row in islice(dataset, rows):
        for messages in conversations_in(row):
            checked += 1
            found.update(_missing(tokenizer, messages, row.get("tools")))
    return tuple(TemplateFinding(what, count, checked) for what, count in found.most_common())


@dataclass(slots=True)
class _Words:
    """Words that occur nowhere else, and what each of them stands for."""

    meanings: dict[str, str] = field(default_factory=dict)

    def word(self, meaning: str) -> str:
        word = f"pttword{len(self.meanings)}x"
        self.meanings[word] = meaning
        return word


def _missing(
    tokenizer: PreTrainedTokenizerBase, messages: list[JsonObject], tools: list[JsonObject] | None
) -> set[str]:
    """Return what of a conversation does not show, or the reason why there is nothing to show."""
    from jinja2 import TemplateError

    words = _Words()
    probe = [_message(message, words) for message in messages]
    definitions: Any = [_definition(tool, words) for tool in tools] if tools else None
    try:
        text: Any = tokenizer.apply_chat_template(probe, tools=definitions, tokenize=False)
    except (TemplateError, TypeError, ValueError) as error:
        return {f"the template refuses: {error}"}
    return {
        f"the template leaves out {meaning}"
        for word, meaning in words.meanings.items()
        if word not in text
    }


def _message(message: JsonObject, words: _Words) -> JsonObject:
    probe = dict(message)
    if message.get("content"):
        probe["content"] = words.word(_SPEECH.get(message["role"], f"a {message['role']} message"))
    # Thoughts before the last answer are left out on purpose by many templates.
    probe.pop("reasoning_content", None)
    if message.get("tool_calls"):
        probe["tool_calls"] = [_call(call, words) for call in message["tool_calls"]]
    return probe


def _call(call: JsonObject, words: _Words) -> JsonObject:
    arguments = call["function"]["arguments"]
    if isinstance(arguments, dict):
        arguments = {
            words.word("the names of arguments"): words.word("the values of arguments")
            for _ in arguments
        }
    name = words.word("the names of tools in calls")
    return {**call, "function": {"name": name, "arguments": arguments}}


def _definition(tool: JsonObject, words: _Words) -> JsonObject:
    function = {**tool["function"], "name": words.word("the definitions of tools")}
    if function.get("description"):
        function["description"] = words.word("the descriptions of tools")
    parameters = function.get("parameters")
    parameters = parameters if isinstance(parameters, dict) else {}
    known = parameters.get("properties")
    if isinstance(known, dict):
        renamed = {name: words.word("the parameters of tools") for name in known}
        needed = parameters.get("required") or ()
        function["parameters"] = {
            **parameters,
            "properties": {renamed[name]: each for name, each in known.items()},
            "required": [renamed[name] for name in needed if name in renamed],
        }
    return {**tool, "function": function}
