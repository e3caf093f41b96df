"""Analyses agent runs: one pass over the episodes, a few numbers kept of each."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from post_training_toolkit.agents.analysis.argument_check import ArgumentCheck
from post_training_toolkit.agents.analysis.distribution import distribution
from post_training_toolkit.agents.analysis.episode_measures import EpisodeMeasures, EpisodeView
from post_training_toolkit.agents.analysis.episode_summary import EpisodeSummary, task_family
from post_training_toolkit.agents.analysis.insight_collector import InsightCollector
from post_training_toolkit.agents.analysis.log_measures import measure_log
from post_training_toolkit.agents.analysis.measures import measure_view
from post_training_toolkit.agents.analysis.result import Analysis, Spread, ToolUse
from post_training_toolkit.agents.analysis.settings import AnalysisSettings
from post_training_toolkit.agents.analysis.share import Share
from post_training_toolkit.agents.analysis.task_attempts import attempts_by_task, budget_ratios
from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.engine.checked_bundle import load_checked_bundle
from post_training_toolkit.rules.catalogue import AGENTS
from post_training_toolkit.rules.model import Rule
from post_training_toolkit.rules.sources import expand_path, identity, read_file, read_pack

RulePath = str | os.PathLike[str]

_MALFORMED = tuple(
    f"tool/{fault}"
    for fault in (
        "unparsed",
        "unknown",
        "missing_arguments",
        "extra_arguments",
        "mistyped_arguments",
    )
)
_LOOPS = ("repeat/calls", "repeat/cycles")
_NO_REASON = "not said"


def analyze(
    episodes: Iterable[Episode],
    *,
    rules: RulePath | Sequence[RulePath] = (),
    settings: AnalysisSettings | None = None,
) -> Analysis:
    """Return what the episodes show.

    ``rules`` are files, or folders of them, beside the shipped pack; they may change its rules.
    Raises ``InvalidRulesError`` with every mistake in them, ``OSError`` for what cannot be read.

    >>> print(analyze([]))
    No episodes.
    """
    analyser = Analyser(agent_rules(rules), settings or AnalysisSettings())
    for episode in episodes:
        analyser.take(episode)
    return analyser.finish()


def agent_rules(paths: RulePath | Sequence[RulePath] = ()) -> tuple[Rule, ...]:
    """Load the shipped rules for agents with files, or folders of them, that join or change them.

    Raises ``InvalidRulesError`` with every mistake in them, ``OSError`` for what cannot be read.
    """
    given = [paths] if isinstance(paths, str | os.PathLike) else paths
    own = [read_file(file) for path in given for file in expand_path(Path(path))]
    pack = read_pack(AGENTS)
    shipped = [] if identity(pack) in set(map(identity, own)) else [pack]
    return load_checked_bundle([*shipped, *own]).rules


class Analyser:
    """Takes episodes one by one; ``finish`` then tells what they show."""

    def __init__(self, rules: Iterable[Rule], settings: AnalysisSettings) -> None:
        self._settings = settings
        self._arguments = ArgumentCheck()
        self._collector = InsightCollector(rules, settings.examples)
        self._episodes: list[EpisodeSummary] = []
        self._measured: Counter[str] = Counter()
        self._shown: Counter[str] = Counter()
        self._ends: Counter[str] = Counter()
        self._calls: Counter[str] = Counter()
        self._errors: Counter[str] = Counter()
        self._malformed: Counter[str] = Counter()

    def take(self, episode: Episode) -> None:
        """Measure an episode and judge it by the rules."""
        view = EpisodeView.of(episode, self._settings, self._arguments)
        measures = measure_view(view)
        self._episodes.append(EpisodeSummary.of(episode, view.last_step))
        self._collector.take(measures.values, episode.id, measures.steps)
        self._count(view, measures)

    def finish(self) -> Analysis:
        """Judge the episodes against each other and as a whole, and return what was found."""
        attempts = attempts_by_task(self._episodes)
        for summary, ratios in budget_ratios(attempts):
            last = summary.last_step
            steps = {} if last is None else dict.fromkeys(ratios, last)
            self._collector.take(ratios, summary.id, steps)
        log = measure_log(self._episodes, attempts, self._shown["end/truncated"])
        if self._episodes:
            self._collector.take(log.row(), None, {})
        by_type, source = _success_by_type(self._episodes)
        return Analysis(
            episodes=len(self._episodes),
            insights=self._collector.insights(),
            repeated_calls=self._share("loops"),
            malformed_calls=self._share("malformed"),
            success=log.success,
            success_by_type=by_type,
            type_source=source,
            spreads=_spreads(self._episodes),
            tools=self._tools(),
            pass_at=log.pass_at,
            end_reasons=dict(self._ends.most_common()),
            length_pooled=log.length_pooled,
            length_within=log.length_within,
            labels=log.labels,
            not_measured=self._not_measured(),
        )

    def _count(self, view: EpisodeView, measures: EpisodeMeasures) -> None:
        values = measures.values
        self._measured.update(values.keys())
        self._shown["loops"] += any(values[name] for name in _LOOPS)
        self._shown["malformed"] += any(values.get(name) for name in _MALFORMED)
        self._shown["end/truncated"] += bool(values["end/truncated"])
        self._ends[view.episode.end_reason or _NO_REASON] += 1
        tools = view.episode.tools
        for call, failed in zip(view.calls, view.failed, strict=True):
            name = call.call.name
            self._calls[name] += 1
            if failed:
                self._errors[name] += 1
            if call.call.unparsed is not None or (tools and view.arguments.faults(tools, call)):
                self._malformed[name] += 1

    def _share(self, name: str) -> Share | None:
        return Share(self._shown[name], len(self._episodes)) if self._episodes else None

    def _tools(self) -> tuple[ToolUse, ...]:
        return tuple(
            ToolUse(name, calls, self._errors[name], self._malformed[name])
            for name, calls in self._calls.most_common()
        )

    def _not_measured(self) -> tuple[str, ...]:
        if not self._episodes:
            return ()
        told = []
        for measure, without in _NEEDED.items():
            lacking = len(self._episodes) - self._measured[measure]
            if lacking:
                told.append(f"{without} in {lacking} of {len(self._episodes)} episodes")
        tasks = sum(each.task is None for each in self._episodes)
        if tasks:
            told.append(
                "the task is not known, so that attempts cannot be set against each other, in "
                f"{tasks} of {len(self._episodes)} episodes"
            )
        if self._arguments.broken:
            names = ", ".join(sorted(self._arguments.broken))
            told.append(
                f"these tools have no sound schema, and calls are not checked by it: {names}"
            )
        return (*told, *self._collector.not_judged())


# What lacks where a measure does.
_NEEDED: Mapping[str, str] = {
    "tool/unknown": "the tools on offer are not known, and calls are not checked against them,",
    "tool/error_share": "there is no call with a result",
    "success": "nobody judged the outcome",
    "reward": "there is no reward",
    "tokens": "tokens are not counted",
    "cost": "the cost is not known",
    "end/limit": "the trace does not say why it ended",
}


def _success_by_type(episodes: Sequence[EpisodeSummary]) -> tuple[dict[str, Share], str]:
    """Return the shares, and what tells the types: the trace's own word, else names of tasks."""
    named = [(each.prompt_type, each.success) for each in episodes]
    source = "the type that the trace gives"
    if all(name is None for name, _ in named):
        families = [each.task and task_family(each.task) for each in episodes]
        named = [
            (name or None, each.success) for name, each in zip(families, episodes, strict=True)
        ]
        source = "the beginning of the task's name"
        # Names of which nearly each is its own family say nothing.
        if len(set(families)) * 2 > max(len(named), 2) or not any(families):
            return {}, "nothing: the traces name no types of prompts"
    judged: dict[str, list[bool]] = defaultdict(list)
    for name, success in named:
        if success is not None:
            judged[name or "(none)"].append(success)
    shares = {name: Share(sum(each), len(each)) for name, each in judged.items()}
    return dict(sorted(shares.items(), key=lambda item: -item[1].of)), source


def _spreads(episodes: Sequence[EpisodeSummary]) -> dict[str, Spread]:
    found = {}
    for name in ("acts", "tokens", "cost"):
        values = [(getattr(each, name), each.success) for each in episodes]
        known = [(float(value), success) for value, success in values if value is not None]
        every = distribution([value for value, _ in known])
        if every is not None:
            successes = distribution([value for value, success in known if success is True])
            failures = distribution([value for value, success in known if success is False])
            found[name] = Spread(every, successes, failures)
    return found
