"""Agent traces: read in many formats, judged by the rule engine, turned into data for TRL.

Names are loaded at first use: most need the extra ``agents``, masking needs ``trl``.

>>> from post_training_toolkit.agents import AgentRunLog
>>> AgentRunLog([])
AgentRunLog(0 episodes, 0 judged, 0 successful)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from post_training_toolkit.agents.analysis.result import Analysis
    from post_training_toolkit.agents.analysis.settings import AnalysisSettings
    from post_training_toolkit.agents.episode import Episode
    from post_training_toolkit.agents.message import Message, ModelCall, Role, ToolCall
    from post_training_toolkit.agents.problem import TraceError, TraceProblem
    from post_training_toolkit.agents.readers.chat_record import episode_from_messages
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
    from post_training_toolkit.agents.training_data.masking import (
        mask_tool_results,
        masking_collator,
    )
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

__all__ = [
    "AgentRunLog",
    "Analysis",
    "AnalysisSettings",
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
    "episode_from_messages",
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

_MODULES = {
    "AgentRunLog": "run_log",
    "Analysis": "analysis.result",
    "AnalysisSettings": "analysis.settings",
    "Episode": "episode",
    "LengthCheck": "training_data.length_check",
    "Message": "message",
    "ModelCall": "message",
    "PairSettings": "training_data.pairing",
    "PreparationReport": "training_data.preparation",
    "Prepared": "training_data.preparation",
    "PromptsDifferError": "training_data.preference_pairs",
    "Role": "message",
    "TemplateFinding": "training_data.template_check",
    "ToolCall": "message",
    "TraceError": "problem",
    "TraceProblem": "problem",
    "TraceWriter": "trace_writer",
    "check_lengths": "training_data.length_check",
    "check_template": "training_data.template_check",
    "episode_from_messages": "readers.chat_record",
    "mask_tool_results": "training_data.masking",
    "masking_collator": "training_data.masking",
    "prepare_grpo_prompts": "training_data.prompts",
    "prepare_kto_dataset": "training_data.labelled_completions",
    "prepare_preference_pairs": "training_data.preference_pairs",
    "prepare_sft_dataset": "training_data.conversations",
    "split_by_prompt": "training_data.splitting",
    "to_grpo_prompts": "training_data.prompts",
    "to_kto_dataset": "training_data.labelled_completions",
    "to_preference_pairs": "training_data.preference_pairs",
    "to_sft_dataset": "training_data.conversations",
}
_OF_TRL = ("torch", "transformers", "trl")


def __getattr__(name: str) -> object:
    """Load a name at first use."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = import_module(f"post_training_toolkit.agents.{_MODULES[name]}")
    except ModuleNotFoundError as error:
        extra = "agents,trl" if error.name in _OF_TRL else "agents"
        raise ImportError(
            f"{name} needs {error.name}, which is not installed; "
            f'run: pip install "post-training-toolkit[{extra}]"'
        ) from error
    found: object = getattr(module, name)
    return found
