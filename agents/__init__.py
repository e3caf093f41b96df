"""Agent traces: read in many formats, judged by the rule engine, turned into data for TRL.

>>> from post_training_toolkit.agents import AgentRunLog
>>> AgentRunLog([])
AgentRunLog(0 episodes, 0 judged, 0 successful)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.message import Message, ModelCall, Role, ToolCall
from post_training_toolkit.agents.problem import TraceError, TraceProblem
from post_training_toolkit.agents.run_log import AgentRunLog
from post_training_toolkit.agents.trace_writer import TraceWriter
from post_training_toolkit.agents.training_data.conversations import (
    prepare_sft_dataset,
    to_sft_dataset,
)
from post_training_toolkit.agents.training_data.labelled_completions import (
    prepare_kto_dataset,
    to_kto_dataset,
)
from post_training_toolkit.agents.training_data.length_check import LengthCheck, check_lengths
from post_training_toolkit.agents.training_data.pairing import PairSettings
from post_training_toolkit.agents.training_data.preference_pairs import (
    PromptsDifferError,
    prepare_preference_pairs,
    to_preference_pairs,
)
from post_training_toolkit.agents.training_data.preparation import PreparationReport, Prepared
from post_training_toolkit.agents.training_data.prompts import (
    prepare_grpo_prompts,
    to_grpo_prompts,
)
from post_training_toolkit.agents.training_data.splitting import split_by_prompt
from post_training_toolkit.agents.training_data.template_check import (
    TemplateFinding,
    check_template,
)

if TYPE_CHECKING:
    from post_training_toolkit.agents.training_data.masking import (
        mask_tool_results,
        masking_collator,
    )

__all__ = [
    "AgentRunLog",
    "Episode",
    "LengthCheck",
    "Message",
    "ModelCall",
    "PairSettings",
    "PreparationReport",
    "Prepared",
    "PromptsDifferError",
    "Role",
    "TemplateFinding",
    "ToolCall",
    "TraceError",
    "TraceProblem",
    "TraceWriter",
    "check_lengths",
    "check_template",
    "mask_tool_results",
    "masking_collator",
    "prepare_grpo_prompts",
    "prepare_kto_dataset",
    "prepare_preference_pairs",
    "prepare_sft_dataset",
    "split_by_prompt",
    "to_grpo_prompts",
    "to_kto_dataset",
    "to_preference_pairs",
    "to_sft_dataset",
]

_NEED_TRL = ("mask_tool_results", "masking_collator")


def __getattr__(name: str) -> object:
    """Load what needs TRL at first use."""
    if name not in _NEED_TRL:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = import_module("post_training_toolkit.agents.training_data.masking")
    except ModuleNotFoundError as error:
        raise ImportError(
            f"{name} needs {error.name}, which is not installed; "
            'run: pip install "post-training-toolkit[trl]"'
        ) from error
    found: object = getattr(module, name)
    return found
