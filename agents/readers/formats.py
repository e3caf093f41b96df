"""The formats of traces that can be read; the first that recognises a file is taken."""

from __future__ import annotations

from post_training_toolkit.agents.readers.anthropic_messages import FORMAT as ANTHROPIC_MESSAGES
from post_training_toolkit.agents.readers.atif import FORMAT as ATIF
from post_training_toolkit.agents.readers.claude_code import FORMAT as CLAUDE_CODE
from post_training_toolkit.agents.readers.inspect_log import FORMAT as INSPECT
from post_training_toolkit.agents.readers.langfuse import FORMAT as LANGFUSE
from post_training_toolkit.agents.readers.langsmith import FORMAT as LANGSMITH
from post_training_toolkit.agents.readers.mini_swe_agent import FORMAT as MINI_SWE_AGENT
from post_training_toolkit.agents.readers.native import FORMAT as NATIVE
from post_training_toolkit.agents.readers.openai_chat import FORMAT as OPENAI_CHAT
from post_training_toolkit.agents.readers.openhands import FORMAT as OPENHANDS
from post_training_toolkit.agents.readers.rollouts import FORMAT as ROLLOUTS
from post_training_toolkit.agents.readers.sharegpt import FORMAT as SHAREGPT
from post_training_toolkit.agents.readers.spans import OPENINFERENCE, OTEL_GENAI
from post_training_toolkit.agents.readers.swe_agent import FORMAT as SWE_AGENT
from post_training_toolkit.agents.readers.tau_bench import FORMAT as TAU_BENCH
from post_training_toolkit.agents.readers.toolbench import FORMAT as TOOLBENCH
from post_training_toolkit.agents.readers.trace_format import TraceFormat
from post_training_toolkit.agents.readers.typed_parts import FORMAT as TYPED_PARTS
from post_training_toolkit.agents.readers.who_and_when import FORMAT as WHO_AND_WHEN

# What is more particular stands before what is more general.
FORMATS: tuple[TraceFormat, ...] = (
    NATIVE,
    ROLLOUTS,
    INSPECT,
    ATIF,
    CLAUDE_CODE,
    OPENHANDS,
    SWE_AGENT,
    MINI_SWE_AGENT,
    LANGFUSE,
    LANGSMITH,
    OPENINFERENCE,
    OTEL_GENAI,
    ANTHROPIC_MESSAGES,
    TAU_BENCH,
    WHO_AND_WHEN,
    TOOLBENCH,
    SHAREGPT,
    TYPED_PARTS,
    OPENAI_CHAT,
)
