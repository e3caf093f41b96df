"""What an analysis says of real traces."""

from __future__ import annotations

from pathlib import Path

import pytest

from post_training_toolkit.agents import AgentRunLog
from post_training_toolkit.agents.analysis import Analysis, AnalysisSettings, analyze


@pytest.fixture(scope="module", name="tau_bench")
def _tau_bench(traces: Path) -> tuple[AgentRunLog, Analysis]:
    log = AgentRunLog.read(traces / "tau_bench")
    return log, analyze(log, settings=AnalysisSettings(examples=len(log)))


def test_length_is_no_fault_within_tasks_though_it_seems_one_over_all(
    tau_bench: tuple[AgentRunLog, Analysis],
) -> None:
    analysis = tau_bench[1]
    assert analysis.length_pooled is not None
    assert analysis.length_pooled.high is not None
    assert analysis.length_pooled.high < 0
    assert analysis.length_within is not None
    assert abs(analysis.length_within.correlation) < 0.1
    assert analysis.length_within.distance == 0


def test_successes_are_left_alone_also_where_they_hand_over_to_a_human(
    tau_bench: tuple[AgentRunLog, Analysis],
) -> None:
    """The one that is told took three times as many acts as others at its task."""
    log, analysis = tau_bench
    told = [
        (insight.rule, example.episode)
        for insight in analysis.insights
        for example in insight.examples
        if log[example.episode].success
    ]
    assert [rule for rule, _ in told] == ["agent_budget_runaway"]


def test_tools_that_fail_are_told_with_how_often(tau_bench: tuple[AgentRunLog, Analysis]) -> None:
    errors = {tool.name: tool.errors for tool in tau_bench[1].tools if tool.errors}
    assert errors == {"book_reservation": 16, "update_reservation_flights": 5}
