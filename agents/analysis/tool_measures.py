"""Measures calls of tools: errors, results that lack, and faults against the schemas."""

from __future__ import annotations

from collections import Counter

from post_training_toolkit.agents.analysis.argument_check import CallFault
from post_training_toolkit.agents.analysis.episode_measures import EpisodeMeasures, EpisodeView
from post_training_toolkit.agents.analysis.tool_errors import says_unknown_tool

_CASCADE = 3


def measure_tools(view: EpisodeView, into: EpisodeMeasures) -> None:
    """Measure the calls of an episode."""
    unparsed = [call for call in view.calls if call.call.unparsed is not None]
    into.note("tool/unparsed", len(unparsed), unparsed[0].step if unparsed else None)
    _measure_errors(view, into)
    _measure_faults(view, into)


def _measure_errors(view: EpisodeView, into: EpisodeMeasures) -> None:
    errors = run = longest = 0
    first = cascade = last = None
    open_errors: dict[str, list[int]] = {}
    for call, failed in zip(view.calls, view.failed, strict=True):
        last = last if failed is None else (failed, call.step)
        if failed:
            errors, run = errors + 1, run + 1
            first = call.step if first is None else first
            cascade = call.step if run == _CASCADE and cascade is None else cascade
            longest = max(longest, run)
            open_errors.setdefault(call.call.name, []).append(call.step)
        elif failed is False:
            run = 0
            open_errors.pop(call.call.name, None)
    answered = [failed for failed in view.failed if failed is not None]
    left = [step for steps in open_errors.values() for step in steps]
    into.note("tool/errors", errors, first)
    into.note("tool/error_run", longest, cascade)
    into.note("tool/unrecovered_errors", len(left), min(left, default=None))
    into.note("tool/ends_on_error", *(last or (False, None)))
    if answered:
        into.note("tool/error_share", errors / len(answered), first)
        end = view.calls[-1].index
        lacking = [call for call in view.calls if call.result is None and call.index != end]
        into.note("tool/unanswered", len(lacking), lacking[0].step if lacking else None)


def _measure_faults(view: EpisodeView, into: EpisodeMeasures) -> None:
    tools = view.episode.tools
    if not tools:
        _measure_suspected(view, into)
        return
    counts: Counter[CallFault] = Counter()
    first: dict[CallFault, int] = {}
    for call in view.calls:
        for fault in view.arguments.faults(tools, call):
            counts[fault] += 1
            first.setdefault(fault, call.step)
    for fault in CallFault:
        into.note(f"tool/{fault}", counts[fault], first.get(fault))


def _measure_suspected(view: EpisodeView, into: EpisodeMeasures) -> None:
    suspected = [
        call.step
        for call, failed in zip(view.calls, view.failed, strict=True)
        if failed and call.result is not None and says_unknown_tool(call.result, call.call.name)
    ]
    into.note("tool/suspected_unknown", len(suspected), suspected[0] if suspected else None)
