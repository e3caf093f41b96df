"""Crash rules at work: judged once, when the run dies, by what was left about its death."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import jsonschema
import orjson
import pytest

from post_training_toolkit.engine.death import Death
from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.event import Event, InsightFired
from post_training_toolkit.engine.insights_file import insight_line
from post_training_toolkit.engine.metrics_file import (
    LoggedRow,
    MetricsEntry,
    MetricsFileError,
    Milestone,
    metrics_line,
    read_metrics,
)
from post_training_toolkit.engine.replay import replay
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.rules.model import Rule
from post_training_toolkit.rules.pattern import MOST_TEXT
from post_training_toolkit.schemas import load_schema

LoadRules = Callable[..., tuple[Rule, ...]]

SFT = RunDescription("sft", {}, 10, 1)
TRACEBACK = """\
Traceback (most recent call last):
  File "train.py", line 7, in <module>
    trainer.train()
RuntimeError: out of \x1b[31mmemory
Compile with more of it.
"""
RULE = """
crash: {text: ["out of .{0,9}memory"], exit_reason: [exception, crashed]}
message: "after {step}: {error} ({threshold}; {value:.0f}, {ratio})"
"""


def _end(rules: tuple[Rule, ...], death: Death | None) -> tuple[Event, ...]:
    engine = Engine(rules, SFT)
    engine.observe(4, admit({"loss": 1.0}))
    return engine.die(6, death)


def test_the_insight_says_what_the_run_died_of_and_what_was_recognised(
    load_rules: LoadRules,
) -> None:
    (fired,) = _end(load_rules(RULE), Death("exception", text=TRACEBACK))
    assert isinstance(fired, InsightFired)
    assert (fired.rule, fired.step, fired.metric, fired.value) == ("a", 6, "exception", 1.0)
    threshold = "text has 'out of \\x1b[31mmemory'; exit reason exception"
    assert fired.threshold == threshold
    assert fired.message == (f"after 6: RuntimeError: out of \\x1b[31mmemory ({threshold}; 1, n/a)")
    assert fired.evidence == {"exception": ((6, 1.0),)}


def test_long_errors_are_cut_in_messages(load_rules: LoadRules) -> None:
    rules = load_rules("{crash: {text: 'ab{1,999}'}, message: '{error} {threshold}'}")
    (fired,) = _end(rules, Death("exception", text=f"a{'b' * 9000}"))
    assert isinstance(fired, InsightFired)
    assert len(fired.message) < 300


@pytest.mark.parametrize(
    ("crash", "death", "fires"),
    [
        ("{text: [x, y]}", Death("exception", text="a y b"), True),
        ("{text: [x, y]}", Death("exception", text="z"), False),
        ("{text: '^y$'}", Death("exception", text="x\ny\nz"), True),
        ("{exit_reason: [killed, exited]}", Death("exited"), True),
        ("{exit_reason: [killed]}", Death("exited"), False),
        ("{signal: [SIGTERM]}", Death("terminated", "SIGTERM"), True),
        ("{signal: [SIGTERM]}", Death("terminated"), False),
        ("{exit_code: [3]}", Death("exited", exit_code=3), True),
        ("{exit_code: [3]}", Death("exited"), False),
        ("{text: x, exit_reason: [exited]}", Death("exited", text="x"), True),
        ("{text: x, exit_reason: [exited]}", Death("killed", text="x"), False),
        ("{text: x, exit_reason: [exited]}", Death("exited", text="y"), False),
    ],
)
def test_every_fact_that_is_given_must_hold_with_any_of_its_values(
    load_rules: LoadRules, crash: str, death: Death, fires: bool
) -> None:
    assert bool(_end(load_rules(f"{{crash: {crash}}}"), death)) is fires


def test_a_run_that_ends_well_is_judged_and_no_crash(load_rules: LoadRules) -> None:
    engine = Engine(load_rules("{crash: {text: x}}"), SFT)
    engine.observe(4, admit({"loss": 1.0}))
    assert engine.finish(10) == ()
    assert engine.coverage() == ()


def test_what_was_not_recorded_is_told_and_not_guessed(load_rules: LoadRules) -> None:
    """Recordings that other programs made say at most that a run died, and not of what."""
    rules = load_rules(
        "{crash: {exit_reason: [unknown]}}", "{metric: exception, threshold: {equals: 1}}"
    )
    engine = Engine(rules, SFT)
    engine.observe(4, admit({"loss": 1.0}))
    alive = [each.rule for each in engine.coverage()]
    assert alive == ["b"], "while the run lives a crash rule misses nothing"
    assert [event.rule for event in engine.die(4)] == ["b"]
    assert [each.reason for each in engine.coverage()] == ["how the run died was not recorded"]


def test_a_death_is_judged_once(load_rules: LoadRules) -> None:
    engine = Engine(load_rules("{crash: {text: x}}"), SFT)
    death = Death("exception", text="x")
    assert len(engine.die(4, death)) == 1
    assert engine.die(4, death) == ()


def test_the_general_insight_is_folded_under_the_one_that_knows_more(
    load_rules: LoadRules,
) -> None:
    rules = load_rules(
        "{metric: exception, threshold: {equals: 1}}", "{crash: {text: x}, inhibits: [a]}"
    )
    general, known = _end(rules, Death("exception", text="x"))
    assert isinstance(general, InsightFired)
    assert isinstance(known, InsightFired)
    assert (general.caused_by, known.caused_by) == (known.insight, None)


def test_the_gates_of_a_crash_rule_hold(load_rules: LoadRules) -> None:
    early = load_rules("{crash: {text: x}, until: {steps: 5}}")
    assert _end(early, Death("exception", text="x")) == ()
    other = load_rules("{crash: {text: x}, trainers: [dpo]}")
    assert _end(other, Death("exception", text="x")) == ()


DEATHS = [
    Death("oom_killed", "SIGKILL"),
    Death("exited", exit_code=3),
    Death("exception", text=TRACEBACK),
    Death("exception", text="half of a pair \ud800, and a null \x00"),
    Death("exception", text="x" * 3 * MOST_TEXT),
]


@pytest.mark.parametrize("death", DEATHS, ids=range(len(DEATHS)))
def test_a_death_is_written_by_the_schema_and_reads_back_equal(
    tmp_path: Path, death: Death
) -> None:
    path = tmp_path / "metrics.jsonl"
    entry = Milestone("exception", 12, time=1.5, death=death)
    path.write_bytes(metrics_line(entry))
    jsonschema.validate(orjson.loads(path.read_bytes()), load_schema("metrics_line"))
    assert list(read_metrics(path)) == [entry]
    assert len(death.text) <= MOST_TEXT


def test_of_a_long_text_the_end_is_kept() -> None:
    assert Death("exception", text="a" * MOST_TEXT + "the end").text.endswith("athe end")


def test_a_file_from_before_says_nothing_about_the_death(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"event":"exception","step":12}\n')
    assert list(read_metrics(path)) == [Milestone("exception", 12)]


@pytest.mark.parametrize(
    ("death", "what"),
    [
        ("3", "'death' must be an object"),
        ("{}", "'death' must be an object with 'exit_reason'"),
        ('{"exit_reason": "exited", "exit_code": "3"}', "'exit_code' a whole number"),
        ('{"exit_reason": "exited", "signal": 9}', "'signal' of a death must be a name"),
        ('{"exit_reason": "exited", "text": null}', "'text' of a death must be text"),
    ],
)
def test_a_broken_death_is_an_error_with_its_place(tmp_path: Path, death: str, what: str) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(f'{{"event": "exception", "step": 1, "death": {death}}}\n')
    with pytest.raises(MetricsFileError) as broken:
        list(read_metrics(path))
    assert str(broken.value).startswith(f"{path}:1: ")
    assert what in str(broken.value)


@pytest.mark.parametrize("death", [None, *DEATHS], ids=["none", *map(str, range(len(DEATHS)))])
def test_a_death_replays_to_the_byte(
    tmp_path: Path, load_rules: LoadRules, death: Death | None
) -> None:
    rules = load_rules(RULE, "{crash: {exit_reason: [oom_killed, exited]}, message: '{error}'}")
    rows = [LoggedRow(step, None, admit({"loss": 1.0})) for step in range(1, 5)]
    live = Engine(rules, SFT)
    told = [event for entry in rows for event in live.observe(entry.step, entry.row)]
    told += live.die(5, death)
    path = tmp_path / "metrics.jsonl"
    entries: list[MetricsEntry] = [*rows, Milestone("exception", 5, death=death)]
    path.write_bytes(b"".join(metrics_line(entry) for entry in entries))
    again = list(replay(read_metrics(path), Engine(rules, SFT)))
    assert list(map(insight_line, again)) == list(map(insight_line, told))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", ""),
        ("\n  killed  \n\n", "killed"),
        (TRACEBACK, "RuntimeError: out of \x1b[31mmemory"),
        (
            f"{TRACEBACK}\nDuring handling of it:\n\n{TRACEBACK.replace('Runtime', 'OS')}",
            "OSError: out of \x1b[31mmemory",
        ),
        ("Traceback (most recent call last):\n", "Traceback (most recent call last):"),
        ("Traceback (most recent call last):\n  File ...\nKeyboardInterrupt", "KeyboardInterrupt"),
    ],
)
def test_the_error_is_the_line_that_names_it(text: str, error: str) -> None:
    assert Death("exception", text=text).error == error
