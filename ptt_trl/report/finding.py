"""An insight as a report shows it: with its evidence, its repetitions and its consequences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from post_training_toolkit.engine.event import Episode
from post_training_toolkit.ptt_trl.report.fact import Fact, number, times
from post_training_toolkit.rules.crash import EXCEPTION
from post_training_toolkit.rules.severity import Severity

# More episodes of one rule than this are counted, not listed.
_MOST_EPISODES = 5


@dataclass(frozen=True, slots=True)
class Span:
    """The steps at which one episode held; ``ongoing`` if it had not gone away at the end."""

    first: int
    last: int
    ongoing: bool

    def __str__(self) -> str:
        """Say it.

        >>> str(Span(3, 9, False)), str(Span(3, 3, False)), str(Span(3, 9, True))
        ('from step 3 to 9', 'at step 3', 'from step 3 to the end')
        """
        if self.ongoing:
            return f"from step {self.first} to the end"
        if self.first == self.last:
            return f"at step {self.first}"
        return f"from step {self.first} to {self.last}"


@dataclass(frozen=True, slots=True)
class Finding:
    """The episodes of one rule that have the same root cause, told by the worst of them.

    ``number`` is "2" for the second root cause and "2.1" for its first consequence. ``spans`` are
    those of all its episodes, the one that is told first; ``again`` says of the others when they
    were. ``metrics`` are those of the rule.
    """

    number: str
    severity: Severity
    rule: str
    title: str
    message: str
    fired_at: int
    spans: tuple[Span, ...]
    again: str | None
    evidence: tuple[Fact, ...]
    citations: tuple[str, ...]
    remediation: tuple[str, ...]
    metrics: tuple[str, ...]
    consequences: tuple[Finding, ...] = ()

    @property
    def anchor(self) -> str:
        """Where links to it point to."""
        return f"insight-{self.number.replace('.', '-')}"


def findings(episodes: Sequence[Episode], *, died: bool) -> tuple[Finding, ...]:
    """Return the root causes, worst first, with all that follows from each folded under it.

    An episode that nothing has closed holds until now, or to the end of a run that has ``died``.
    """
    following = _by_root(episodes)
    roots = [each for each in episodes if each.fired.insight in following]
    found = []
    for place, group in enumerate(_by_rule(roots), start=1):
        below = [each for root in group for each in following[root.fired.insight]]
        consequences = tuple(
            _finding(f"{place}.{below_place}", each, (), died)
            for below_place, each in enumerate(_by_rule(below), start=1)
        )
        found.append(_finding(str(place), group, consequences, died))
    return tuple(found)


def _by_rule(episodes: Iterable[Episode]) -> list[list[Episode]]:
    groups: dict[str, list[Episode]] = {}
    for episode in episodes:
        groups.setdefault(episode.fired.rule, []).append(episode)
    return list(groups.values())


def _by_root(episodes: Iterable[Episode]) -> Mapping[str, list[Episode]]:
    """Return the episodes that follow from each root cause, those of consequences included.

    A cause that the files do not have makes its consequence a root.
    """
    episodes = list(episodes)
    cause_of = {each.fired.insight: each.caused_by for each in episodes}
    root_of = {insight: _root(insight, cause_of) for insight in cause_of}
    following: dict[str, list[Episode]] = {root: [] for root in root_of.values()}
    for episode in episodes:
        insight = episode.fired.insight
        if root_of[insight] != insight:
            following[root_of[insight]].append(episode)
    return following


def _root(insight: str, cause_of: Mapping[str, str | None]) -> str:
    seen = {insight}
    while (cause := cause_of[insight]) is not None and cause in cause_of and cause not in seen:
        seen.add(cause)
        insight = cause
    return insight


def _finding(
    place: str, group: Sequence[Episode], consequences: tuple[Finding, ...], died: bool
) -> Finding:
    told = group[0]
    fired = told.fired
    return Finding(
        number=place,
        severity=told.severity,
        rule=fired.rule,
        title=fired.title,
        message=told.message,
        fired_at=fired.step,
        spans=tuple(_span(each, died) for each in group),
        again=_again(group[1:], died),
        evidence=tuple(_evidence(told)),
        citations=fired.citations,
        remediation=fired.remediation,
        metrics=tuple(dict.fromkeys((fired.metric, *fired.evidence))),
        consequences=consequences,
    )


def _span(episode: Episode, died: bool) -> Span:
    ongoing = episode.ongoing and (episode.closed is not None or died)
    return Span(episode.fired.first_step, episode.last_step, ongoing)


def _again(others: Sequence[Episode], died: bool) -> str | None:
    if not others:
        return None
    in_order = sorted(others, key=lambda each: each.fired.first_step)
    listed = [f"{_span(each, died)} ({each.severity})" for each in in_order[:_MOST_EPISODES]]
    more = len(others) - len(listed)
    if more:
        listed.append(f"{times(more, 'time')} more, the last {_span(in_order[-1], died)}")
    return ", ".join(listed)


def _evidence(episode: Episode) -> Iterable[Fact]:
    fired = episode.fired
    yield Fact("threshold", f"{fired.metric} {fired.threshold} ({fired.threshold_origin})")
    if fired.metric == EXCEPTION:
        return
    value = f"{number(fired.value)} when it fired"
    if fired.reference is not None:
        value += f", against a reference of {number(fired.reference)}"
    if episode.closed is not None and episode.closed.worst is not None:
        held = times(episode.closed.observations, "log")
        value += f"; the worst was {number(episode.closed.worst)}, and it held for {held}"
    yield Fact("value", value)
    if episode.escalated is not None:
        up = episode.escalated
        rose = f"from {fired.severity} to {up.severity} at step {up.step}, at {number(up.value)}"
        yield Fact("rose", f"{rose} ({up.threshold})")
    if fired.step > fired.last_sound_step + 1:
        yield Fact(
            "window", f"what was logged from step {fired.last_sound_step + 1} to {fired.step}"
        )
    for metric, seen in fired.evidence.items():
        (first, before), (last, after) = seen[0], seen[-1]
        if first != last:
            course = f"{number(before)} at step {first}, {number(after)} at step {last}"
            yield Fact(metric, course)
