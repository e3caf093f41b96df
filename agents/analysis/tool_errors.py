"""Tells whether the result of a tool is an error."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from post_training_toolkit.agents.message import Message

# An error says so at once. A document that speaks of errors does so somewhere in the middle.
_HEAD = 300
_BEGINS = re.compile(
    r"""[\s\[(<*#"'`❌]*(?:
        (?:[\w-]+[ ]){0,2}(?:error|exception|failure)\b[])>*"'`]*\s*(?::|$)
      | (?:error|exception)[ ](?:executing|running|calling|while|during|parsing|occurred)\b
      | (?:\w+\.)*\w+(?:Error|Exception)\b\s*[:(]
      | an[ ](?:unexpected[ ]|internal[ ])?error[ ](?:occurred|has[ ]occurred|happened)
      | traceback[ ]\(most[ ]recent[ ]call[ ]last\)
      | <(?:tool_use_)?error>
      | \{\s*['"]error['"]\s*:\s*['"][^'"]
      | fatal:[ ]
      | failed[ ]to[ ]\w+
      | (?:unknown|no[ ]such|invalid)[ ](?:tool|function)\b
      | (?:tool|function|command)[ ]\S{1,60}[ ](?:was[ ]|is[ ])?
        (?:not[ ]found|failed|does[ ]not[ ]exist)
      | (?:/bin/)?(?:ba|z)?sh:[ ].{1,120}(?:not[ ]found|no[ ]such[ ]file|permission[ ]denied|error)
      | (?:http[ ])?(?:status[ ])?(?:code[ ])?[45]\d\d[ ](?:client|server)[ ]error
      | (?:command|process|execution|tool|request|operation)[ ](?:\w+[ ])?
        (?:failed|timed[ ]out|exited[ ]with[ ](?:non-?zero|(?:exit[ ])?(?:code|status)[ ][1-9]))
    )""",
    re.IGNORECASE | re.VERBOSE,
)
# What Python leaves as the last line of a program that died.
_LAST_LINE = re.compile(r"(?:\w+\.)*\w*(?:Error|Exception)(?::.*)?$")
_NO_SUCH_TOOL = re.compile(
    r"(?:unknown|no such|invalid|unrecogni[sz]ed|non-?existent) (?:tool|function)(?: name)?\b",
    re.IGNORECASE,
)
_IS_NOT_THERE = re.compile(
    r"""^["'`)]*\s+(?:is\s+|was\s+|does\s+)?not\s+
    (?:found|exist|available|defined|registered|recogni[sz]ed|a\s+(?:valid|known)\s+(?:tool|function))""",
    re.IGNORECASE | re.VERBOSE,
)
_TRACEBACK = "Traceback (most recent call last)"
_LONGEST_JSON = 10_000
_ERROR_KEYS = ("error", "Error", "error_message", "exception")
_FLAGS = ("is_error", "isError")
_CODES = ("returncode", "return_code", "exit_code", "exitCode")
_BAD_STATES = frozenset({"error", "failed", "failure"})


def is_error(result: Message) -> bool:
    """Whether a tool answered with an error.

    What the trace says counts. Where it says nothing, an error is a JSON object with a filled
    ``error``, a bad ``status`` or an exit code other than 0; a text that begins as errors do; or
    one that ends in a traceback of Python. A text that speaks of an error further on is none.

    >>> from post_training_toolkit.agents.message import Role
    >>> is_error(Message(Role.TOOL, "Error: user not found"))
    True
    >>> is_error(Message(Role.TOOL, "3 results. Error handling in Go: ..."))
    False
    """
    if result.failed is not None:
        return result.failed
    if isinstance(result.structured, Mapping):
        return _says_error(result.structured)
    text = result.content
    if not text:
        return False
    if _BEGINS.match(text[:_HEAD]):
        return True
    if text.lstrip()[:1] == "{" and len(text) <= _LONGEST_JSON:
        return _is_json_error(text)
    return _TRACEBACK in text and bool(_LAST_LINE.match(text.rstrip().rpartition("\n")[2]))


def says_unknown_tool(result: Message, name: str) -> bool:
    """Whether an error says that there is no tool of this name.

    >>> from post_training_toolkit.agents.message import Role
    >>> says_unknown_tool(Message(Role.TOOL, "Error: tool 'fly' not found"), "fly")
    True
    >>> says_unknown_tool(Message(Role.TOOL, "Error: user not found"), "find_user")
    False
    """
    head = (result.content or "")[:_HEAD]
    if _NO_SUCH_TOOL.search(head):
        return True
    return name in head and bool(_IS_NOT_THERE.search(head[head.index(name) + len(name) :]))


def _is_json_error(text: str) -> bool:
    try:
        data = orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return isinstance(data, Mapping) and _says_error(data)


def _says_error(data: Mapping[str, Any]) -> bool:
    if any(data.get(key) for key in _ERROR_KEYS) or any(data.get(key) is True for key in _FLAGS):
        return True
    state = data.get("status")
    if isinstance(state, str) and state.lower() in _BAD_STATES:
        return True
    codes = (data.get(key) for key in _CODES)
    return any(isinstance(code, int) and code != 0 for code in codes)
