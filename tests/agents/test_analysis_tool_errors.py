"""Which results of tools are errors."""

from __future__ import annotations

from typing import Any

import pytest

from post_training_toolkit.agents.analysis.tool_errors import is_error, says_unknown_tool
from post_training_toolkit.agents.message import Message, Role

DIED = 'start\nTraceback (most recent call last):\n  File "a.py", line 1\nKeyError: 7'


@pytest.mark.parametrize(
    "text",
    [
        "Error: user not found",
        "  [ERROR] : no connection",
        "Internal server error: try later",
        "Error executing tool search: timeout",
        "ValueError: invalid literal",
        "requests.exceptions.HTTPError: 404 Client Error",
        "Traceback (most recent call last):\n  ...",
        DIED,
        '{"error": "no such user"}',
        '{"status": "error", "detail": 7}',
        '{"stdout": "", "exit_code": 2}',
        "bash: foo: command not found",
        "Command failed with exit code 1",
        "Failed to fetch the page",
        "Unknown tool: fly",
        "fatal: not a git repository",
        "<error>no file</error>",
    ],
)
def test_a_result_that_begins_or_dies_as_errors_do_is_one(text: str) -> None:
    assert is_error(Message(Role.TOOL, text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ok",
        "3 results. Error: how to handle it in Go",
        "Common error messages explained",
        "Errors and failures are listed in the log; there are none",
        '{"error": null, "data": 1}',
        '{"error": "", "exit_code": 0}',
        '[{"title": "TypeError: fix"}]',
        "The test for Traceback (most recent call last) passed\nall is well",
        "0 errors, 0 failures",
        "How to fix Error: module not found",
    ],
)
def test_a_result_that_only_speaks_of_errors_is_none(text: str) -> None:
    assert not is_error(Message(Role.TOOL, text))


def test_the_trace_s_own_word_counts_before_the_text() -> None:
    assert not is_error(Message(Role.TOOL, "Error: expected by the test", failed=False))
    assert is_error(Message(Role.TOOL, "all fine", failed=True))


@pytest.mark.parametrize(
    ("structured", "expected"),
    [({"isError": True}, True), ({"status": "Failed"}, True), ({"status": "ok"}, False)],
)
def test_a_structured_result_says_it_by_its_keys(structured: Any, expected: bool) -> None:
    assert is_error(Message(Role.TOOL, None, structured=structured)) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Unknown tool: fly", True),
        ("Error: 'fly' is not a valid tool", True),
        ("Error: tool fly does not exist", True),
        ("Error: flight not found", False),
        ("Error: fly 7 is late", False),
    ],
)
def test_an_error_may_say_that_there_is_no_such_tool(text: str, expected: bool) -> None:
    assert says_unknown_tool(Message(Role.TOOL, text), "fly") is expected
