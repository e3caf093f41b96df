"""Joins the calls of a model into conversations: each call repeats what was said before it.

A call continues the conversation whose messages its input begins with. Where the history was
written otherwise, shortened or left out, it continues the one that opens alike or whose tool calls
it answers, and only what is new is added. Any other call opens a conversation, so that agents with
their own instructions, and several answers to one prompt, stay apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from post_training_toolkit.agents.message import Message, ModelCall, Role, ToolCall
from post_training_toolkit.agents.readers.content import as_text
from post_training_toolkit.agents.readers.provider_message import tied
from post_training_toolkit.agents.readers.span import Span

MessageKey = tuple[Any, ...]


@dataclass(slots=True)
class Conversation:
    """Messages said so far, and the spans they come from; ``scope`` is the agent's span."""

    scope: str | None
    messages: list[Message] = field(default_factory=list)
    keys: list[MessageKey] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)

    def add(self, messages: Iterable[Message]) -> None:
        """Add messages at the end."""
        for message in messages:
            message = tied(message, self.messages[-1] if self.messages else None)
            self.messages.append(message)
            self.keys.append(message_key(message))

    def open_with(self, message: Message) -> None:
        """Put a message before all others."""
        self.messages.insert(0, message)
        self.keys.insert(0, message_key(message))

    @property
    def is_open(self) -> bool:
        """Whether the answer of the model is missing at the end."""
        silent = bool(self.spans) and not self.spans[-1].output
        return silent or self.messages[-1].role is not Role.ASSISTANT

    def continues(self, keys: Sequence[MessageKey]) -> bool:
        """Whether messages begin with all that was said."""
        return len(keys) >= len(self.keys) and list(keys[: len(self.keys)]) == self.keys

    @property
    def unanswered(self) -> list[ToolCall]:
        """The calls of the last message of the model that no result answers."""
        calls: list[ToolCall] = []
        answered: set[str | None] = set()
        unnamed = 0
        for message in reversed(self.messages):
            if message.role is Role.TOOL:
                unnamed += message.tool_call_id is None
                answered.add(message.tool_call_id)
            else:
                calls = [call for call in message.tool_calls if call.id not in answered - {None}]
                break
        return calls[unnamed:]


def join_calls(spans: Iterable[tuple[Span, str | None]]) -> list[Conversation]:
    """Return the conversations of calls of a model in their order, each with its agent's span."""
    found: list[Conversation] = []
    for span, scope in spans:
        keys = [message_key(message) for message in span.input]
        conversation = _continued(found, span, keys, scope)
        if conversation is None:
            conversation = Conversation(scope)
            conversation.add(span.input)
            found.append(conversation)
        elif conversation.continues(keys):
            conversation.add(span.input[len(conversation.keys) :])
        else:
            conversation.add(_unseen(conversation, span.input))
        conversation.add(_answer(span))
        conversation.spans.append(span)
    return found


def message_key(message: Message) -> MessageKey:
    """Return what makes two logged messages the same: not their ids, reasoning or spacing."""
    calls = tuple(
        (call.name, call.unparsed or as_text(call.arguments)) for call in message.tool_calls
    )
    return message.role, (message.content or "").strip(), calls


def _answer(span: Span) -> tuple[Message, ...]:
    """Return the answer of a call as one message, as parallel calls are, with what it cost.

    Of several answers with text, which are choices, the first is the answer.
    """
    answers = [each for each in span.output if each.role is Role.ASSISTANT]
    if not answers:
        return span.output
    choices = [each for each in answers if each.content and not each.tool_calls]
    others = choices[1:]
    parts = [each for each in answers if not any(each is other for other in others)]
    texts = [each.content for each in parts if each.content]
    thoughts = [each.reasoning for each in parts if each.reasoning]
    reasons = [each.model_call for each in parts if each.model_call is not None]
    call = span.model_call
    if call.finish_reason is None and reasons:
        call = replace(call, finish_reason=reasons[-1].finish_reason)
    merged = replace(
        parts[0],
        content="\n".join(texts) if texts else parts[0].content,
        reasoning="\n".join(thoughts) if thoughts else None,
        tool_calls=tuple(each for part in parts for each in part.tool_calls),
        model_call=None if call == ModelCall() else call,
        extra={"other_choices": [each.content for each in others]} if others else None,
    )
    return (merged, *(each for each in span.output if each.role is not Role.ASSISTANT))


def _continued(
    found: list[Conversation], span: Span, keys: list[MessageKey], scope: str | None
) -> Conversation | None:
    exact = [each for each in found if each.continues(keys)]
    if exact:
        return max(exact, key=lambda each: len(each.keys))
    for each in reversed(found):
        if each.scope == scope and _answers(each, span.input):
            return each
        if _opens_alike(each, keys, same_scope=each.scope == scope) and _goes_on(each, span.input):
            return each
    return None


def _answers(conversation: Conversation, messages: Sequence[Message]) -> bool:
    """Whether all that messages add are results of the calls that are open."""
    waiting = conversation.unanswered
    ids = {call.id for call in waiting} - {None}
    new = [each for each in _unseen(conversation, messages) if each.role is not Role.SYSTEM]
    return (
        bool(waiting)
        and bool(new)
        and all(
            message.role is Role.TOOL
            and (message.tool_call_id is None or message.tool_call_id in ids)
            for message in new
        )
    )


def _opens_alike(conversation: Conversation, keys: list[MessageKey], *, same_scope: bool) -> bool:
    opening = _opening(conversation.keys)
    return bool(opening) and (
        _opening(keys) == opening
        or (same_scope and _opening(keys)[-1:] == opening[-1:] and opening[-1][0] is Role.USER)
    )


def _opening(keys: list[MessageKey]) -> list[MessageKey]:
    """Return the messages up to the first of the user."""
    first = next((at for at, key in enumerate(keys) if key[0] is Role.USER), len(keys) - 1)
    return keys[: first + 1]


def _goes_on(conversation: Conversation, messages: Sequence[Message]) -> bool:
    """Whether messages say something new after something that the model said before."""
    new = _unseen(conversation, messages)
    seen = Counter(key for key in conversation.keys if key[0] is Role.ASSISTANT)
    spoke = any(
        message_key(message) in seen or _calls_seen(conversation, message)
        for message in messages
        if message.role is Role.ASSISTANT or message.tool_calls
    )
    return bool(new) and new[-1] is messages[-1] and (spoke or not seen)


def _calls_seen(conversation: Conversation, message: Message) -> bool:
    made = {call[0:2] for key in conversation.keys for call in key[2]}
    return bool(message.tool_calls) and set(message_key(message)[2]) <= made


def _unseen(conversation: Conversation, messages: Sequence[Message]) -> list[Message]:
    """Return those messages that were not said before, each as often as it is new."""
    left = Counter(conversation.keys)
    unseen = []
    for message in messages:
        key = message_key(message)
        if left[key]:
            left[key] -= 1
        elif not (_calls_seen(conversation, message) and not (message.content or "").strip()):
            unseen.append(message)
    return unseen
