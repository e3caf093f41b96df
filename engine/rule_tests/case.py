"""What a unit test of rules is: a run's series and the insights they must give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from post_training_toolkit.engine.death import Death
from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.event import Event
from post_training_toolkit.engine.rule_tests.series import NotLogged, SeriesValue
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.rules.document import Document, Path
from post_training_toolkit.rules.problem import Problem

Series = Mapping[str, Sequence[SeriesValue]]
Logs = dict[str, float | None]


@dataclass(frozen=True, slots=True)
class ExpectedInsight:
    """An insight that a test demands; None leaves that part open.

    ``message`` is a part of the message, ``caused_by`` the rule under whose insight it is folded.
    ``escalated`` is the step at which it must escalate; None demands that it does not.
    """

    rule: str
    step: int
    severity: str | None = None
    metric: str | None = None
    caused_by: str | None = None
    escalated: int | None = None
    resolved: int | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class RuleTest:
    """One test: the run, its series, and the insights that it gives.

    Row i of ``series`` is logged at step ``(i + 1) * run.logging_steps``, row i of ``eval_series``
    in a row of its own at step ``(i + 1) * eval_steps``. ``death`` is how the run dies after that,
    None where it does not. ``rules`` limits the judgement to these
    rules. ``expect`` holds every insight of the judged rules, None where they are left open; the
    rules in ``silent`` must have been able to judge and have said nothing. ``rule_files`` are the
    rule files that the file of the test asks for. ``document`` and ``path`` say where it stands.
    """

    name: str
    run: RunDescription
    series: Series
    expect: tuple[ExpectedInsight, ...] | None
    eval_series: Series
    eval_steps: int
    death: Death | None
    rules: frozenset[str]
    silent: frozenset[str]
    rule_files: tuple[str, ...]
    document: Document = field(compare=False, repr=False)
    path: Path = field(compare=False, repr=False)

    @property
    def place(self) -> tuple[str, int]:
        """The file and the line of the test."""
        here = self.problem((), "")
        return here.file, here.line

    def problem(self, inner: Path, message: str) -> Problem:
        """Make a problem located at a part of the test."""
        return self.document.problem((*self.path, *inner), message)

    def rows(self) -> list[tuple[int, Logs]]:
        """Return the logged rows with their steps; an evaluation comes after its training row."""
        training = _rows(self.series, self.run.logging_steps or 1)
        rows = [*training, *_rows(self.eval_series, self.eval_steps)]
        # A stable sort keeps the evaluation behind the training row of the same step.
        return sorted(rows, key=lambda row: row[0])

    def feed(self, engine: Engine) -> list[Event]:
        """Run the rows, and the death if there is one, through an engine; return the events."""
        events: list[Event] = []
        step = 1
        for step, logs in self.rows():
            events += engine.observe(step, admit(logs))
        if self.death is not None:
            events += engine.die(step, self.death)
        return events


def _rows(series: Series, every: int) -> Iterator[tuple[int, Logs]]:
    for index in range(max(map(len, series.values()), default=0)):
        logs: Logs = {}
        for metric, values in series.items():
            value = values[index] if index < len(values) else None
            if index < len(values) and not isinstance(value, NotLogged):
                logs[metric] = value
        if logs:
            yield (index + 1) * every, logs
