"""The columns of the data sets; explicit, since what Arrow infers depends on the data."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datasets

# Arguments of tools differ in their keys and types from call to call. Only JSON holds them as they
# are: anything else fills absent keys with nulls, or fails.
_MESSAGES = ("prompt", "chosen", "rejected", "completion", "messages", "tools")
_COLUMNS = {
    "preference pairs": {
        "prompt": "",
        "chosen": "",
        "rejected": "",
        "tools": "",
        "prompt_key": "string",
        "task": "string",
        "chosen_episode": "string",
        "rejected_episode": "string",
        "chosen_reward": "float64",
        "rejected_reward": "float64",
    },
    "labelled completions": {
        "prompt": "",
        "completion": "",
        "label": "bool",
        "tools": "",
        "prompt_key": "string",
        "task": "string",
        "episode": "string",
        "reward": "float64",
    },
    "conversations": {
        "messages": "",
        "tools": "",
        "prompt_key": "string",
        "task": "string",
        "episode": "string",
        "reward": "float64",
    },
    "prompts with completions": {
        "prompt": "",
        "completion": "",
        "tools": "",
        "prompt_key": "string",
        "task": "string",
        "episode": "string",
        "reward": "float64",
    },
    "prompts": {
        "prompt": "",
        "tools": "",
        "prompt_key": "string",
        "task": "string",
        "attempts": "int64",
        "judged": "int64",
        "success_rate": "float64",
    },
}


def features_of(rows_are: str) -> datasets.Features:
    """Return the columns of a kind of rows.

    >>> list(features_of("prompts"))
    ['prompt', 'tools', 'prompt_key', 'task', 'attempts', 'judged', 'success_rate']
    """
    from datasets import Features, Json, List, Value

    return Features(
        {
            name: List(Json()) if name in _MESSAGES else Value(kind)
            for name, kind in _COLUMNS[rows_are].items()
        }
    )
