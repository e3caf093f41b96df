"""Measures how an episode ended."""

from __future__ import annotations

import re

from post_training_toolkit.agents.analysis.episode_measures import EpisodeMeasures, EpisodeView
from post_training_toolkit.agents.message import Role, ToolCall

# Names of tools that end an episode: an answer, a submission, or handing over to somebody else.
_FINAL_TOOL = re.compile(
    r"""(?:^|[_.\W])(?:
        finish(?:ed)?|submit(?:ted)?|submission|terminate|final_?answer|attempt_?completion
      | hand_?(?:off|over)\w*|escalate\w*|transfer_?to\w*|end_?(?:conversation|call|session|task)
      | complete_?task|task_?(?:complete|done|finished)|mark_?(?:task_?)?(?:complete|done)
    )(?=$|[_.\W])
    | ^(?:done|complete|exit|stop|end|answer|respond|reply|return|send_?message_?to_?user)$""",
    re.IGNORECASE | re.VERBOSE,
)
_SUBMISSION = re.compile(r"COMPLETE_TASK_AND_SUBMIT|(?:^|\s)submit(?:\s|$)")
_LIMIT = re.compile(
    r"max\w*[_ -]|max$|limit|exceed|time[_ -]?d?[_ -]?out|budget|truncat|too[_ -](?:many|long)"
    r"|exit_(?:cost|context|format)|^length$|iterations|out[_ ]of[_ ](?:steps|turns|tokens|time)",
    re.IGNORECASE,
)
_DIED = re.compile(r"error|crash|exception|died|killed|^fail(?:ed|ure)?$", re.IGNORECASE)
_EDIT = re.compile(
    r"(?:^|[_.\W])(?:edit\w*|write\w*|replace\w*|patch|apply_patch|str_?replace\w*|insert)(?=$|[_.\W])",
    re.IGNORECASE,
)


def measure_ending(view: EpisodeView, into: EpisodeMeasures) -> None:
    """Measure whether there is an answer, a limit that was hit, or work that nobody checked."""
    episode = view.episode
    end = view.last_step if episode.end_step is None else episode.end_step
    broken = not episode.ended or bool(episode.unread_lines)
    into.note("end/truncated", broken, view.last_step)
    reason = episode.end_reason
    if reason is not None:
        limit = bool(_LIMIT.search(reason))
        into.note("end/limit", limit, end)
        into.note("end/died", not limit and bool(_DIED.search(reason)), end)
    if not broken:
        lacks = episode.success is not True and not _has_answer(view)
        into.note("end/no_answer", lacks, view.last_step)
    if episode.success is False:
        _measure_haste(view, into)


def _has_answer(view: EpisodeView) -> bool:
    """Whether the last word is an answer, a final tool's, or the user's, who then ended it."""
    messages = view.episode.messages
    last = next((each for each in reversed(messages) if each.role is not Role.SYSTEM), None)
    if last is None or all(each.role is not Role.ASSISTANT for each in messages):
        return False
    if last.role is Role.USER:
        return True
    if last.role is Role.ASSISTANT and not last.tool_calls:
        return bool(last.content and last.content.strip()) or bool(last.left_out)
    turn = view.calls[-1].index if view.calls else -1
    return any(_is_final(each.call, view) for each in view.calls if each.index == turn)


def _is_final(call: ToolCall, view: EpisodeView) -> bool:
    if call.name in view.settings.final_tools or _FINAL_TOOL.search(call.name):
        return True
    command = call.arguments.get("command")
    return isinstance(command, str) and bool(_SUBMISSION.search(command))


def _measure_haste(view: EpisodeView, into: EpisodeMeasures) -> None:
    if view.episode.tools:
        into.note("end/idle", not view.calls and _has_answer(view), view.last_step)
    work = [call for call in view.calls if not _is_final(call.call, view)]
    edits = [place for place, call in enumerate(work) if _edits(call.call)]
    if edits:
        last = edits[-1]
        into.note("end/unchecked_edit", last == len(work) - 1, work[last].step)


def _edits(call: ToolCall) -> bool:
    # Editors that take a command also view files by the same tool.
    command = call.arguments.get("command")
    if isinstance(command, str) and command.strip() in {"view", "open", "undo_edit"}:
        return False
    return bool(_EDIT.search(call.name))
