"""A report is read from the files of a run alone, however the run ended and whatever is broken."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from post_training_toolkit.engine.containment import Containment
from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.event import Episode
from post_training_toolkit.engine.metrics_file import LoggedRow, MetricsEntry, Milestone
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.engine.seams import consolidate
from post_training_toolkit.ptt_trl.report.content import Report, actions, compose
from post_training_toolkit.ptt_trl.report.finding import findings
from post_training_toolkit.ptt_trl.report.logged_run import gather
from post_training_toolkit.ptt_trl.report.reading import read_run
from post_training_toolkit.ptt_trl.report.writing import write_reports
from post_training_toolkit.rules.problem import InvalidRulesError
from tests.ptt_trl.loss_spike_events import CLOSED, FIRED
from tests.ptt_trl.recorded_run import (
    POSTMORTEM,
    diverging,
    final_metadata,
    start_metadata,
    write_run,
)

ENDED: list[MetricsEntry] = [Milestone("train_end", 60)]


def report_of(folder: Path) -> Report:
    return compose(read_run(folder))


def entry(step: int, kind: str, value: float) -> MetricsEntry:
    match kind:
        case "row":
            return LoggedRow(step, None, admit({"loss": value}))
        case "eval":
            return LoggedRow(step, None, admit({"eval_loss": value, "rewards/margins": value}))
        case _:
            return Milestone(kind, step)


@given(
    st.lists(
        st.builds(
            entry,
            st.integers(0, 8),
            st.sampled_from(["row", "row", "eval", "train_begin", "train_end", "exception"]),
            st.sampled_from([1.0, 2.5, math.nan, math.inf]),
        ),
        max_size=30,
    )
)
def test_the_rows_are_those_that_count_after_resumes(entries: list[MetricsEntry]) -> None:
    kept = [each for each in consolidate(entries).entries if isinstance(each, LoggedRow)]
    log = gather(entries, RunDescription("dpo"))
    assert log.rows == len(kept)
    for name, key in (("loss", "loss"), ("reward_margin", "rewards/margins")):
        logged = [
            (each.step, value)
            for each in kept
            for part in (each.row.values, each.row.non_finite)
            if (value := part.get(key)) is not None
        ]
        series = log.series.get(name)
        steps = [] if series is None else series.steps.tolist()
        assert steps == [step for step, _ in logged]
        if series is not None:
            np.testing.assert_array_equal(series.values, [value for _, value in logged])


def test_metrics_have_canonical_names_and_derived_ones_beside_them() -> None:
    row = LoggedRow(1, None, admit({"rewards/margins": 0.5, "loss": 0.6}))
    series = gather([row], RunDescription("dpo", {"beta": 0.1})).series
    named = {name: each.logged_as for name, each in series.items()}
    expected = {"reward_margin": "rewards/margins", "loss": "loss", "reward_margin_nats": None}
    assert named == expected


def test_a_run_that_logs_a_canonical_name_itself_keeps_both() -> None:
    row = LoggedRow(1, None, admit({"rewards/margins": 0.5, "reward_margin": 0.7}))
    series = gather([row], RunDescription("dpo")).series
    assert {name: each.values.tolist() for name, each in series.items()} == {
        "rewards/margins": [0.5],
        "reward_margin": [0.7],
    }


def test_a_run_that_ended_says_so_and_what_the_diagnostics_cost(tmp_path: Path) -> None:
    report = report_of(write_run(tmp_path, diverging() + ENDED, final={}))
    assert (report.status, report.steps, report.problems) == ("Completed", "60 of 100", ())
    assert report.cost == "1.5 s inside the callback, 0.50% of the run's 5.0 min."
    assert report.findings[0].rule == "margin_collapse"
    assert report.findings[0].spans[0].ongoing


def test_a_run_without_an_end_is_told_as_far_as_it_came(tmp_path: Path) -> None:
    report = report_of(write_run(tmp_path, diverging()))
    assert report.status == "Not finished"
    assert "ptt postmortem" in report.notes[0]
    assert report.findings[0].rule == "margin_collapse"
    # Which rules judged it is found out by running them again.
    assert "rules judged this run" in report.judged


def test_a_run_that_died_shows_its_postmortem(tmp_path: Path) -> None:
    died: list[MetricsEntry] = [Milestone("exception", 60)]
    final = {"status": "crashed"}
    report = report_of(write_run(tmp_path, diverging() + died, final=final, postmortem=POSTMORTEM))
    assert report.status == "Crashed (OOM killed, SIGKILL)"
    told = {fact.label: fact.text for fact in report.postmortem}
    assert told["last checkpoint"] == "out/checkpoint-40 (not usable: model.safetensors is cut off)"
    assert told["last good step"] == "29"
    assert told["memory"] == "12.5 GiB held by the process, 14 GiB at its peak, 16 GiB the limit"
    assert told["last logged"] == "step 60, dpo_loss 9, win_rate 0.2"
    assert report.traceback is not None
    assert report.marks.death == 61


def test_a_death_that_only_the_metrics_tell_of_is_a_crash(tmp_path: Path) -> None:
    report = report_of(write_run(tmp_path, [*diverging(), Milestone("exception", 60)]))
    assert report.status == "Crashed"
    assert report.marks.death == 60


def test_the_end_of_an_earlier_start_is_not_that_of_the_resumed_run(tmp_path: Path) -> None:
    folder = write_run(tmp_path, diverging(), final={})
    (folder / "run_metadata_start.1.json").write_bytes(orjson.dumps(start_metadata()))
    assert report_of(folder).status == "Not finished"
    later = final_metadata(status="stopped", last_step=60)
    (folder / "run_metadata_final.1.json").write_bytes(orjson.dumps(later))
    (folder / "insights.jsonl").write_bytes(b"")
    assert report_of(folder).status == "Stopped"


def test_a_process_that_still_writes_is_a_run_that_goes_on(tmp_path: Path) -> None:
    folder = write_run(tmp_path, diverging())
    script = (
        "import sys; from pathlib import Path\n"
        "from post_training_toolkit.ptt_trl.postmortem.heartbeat import Heartbeat\n"
        "beat = Heartbeat(Path(sys.argv[1])); print('locked', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        report = report_of(folder)
        process.kill()
    assert report.status == "Still running"
    assert report.notes == (
        "This run is still going on; the report shows it as far as it has come.",
    )


def lose(path: Path) -> None:
    path.unlink()


def tear(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def garble(path: Path) -> None:
    path.write_bytes(b'{"event":"fired"}\n')


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lose, "insights.jsonl is missing"),
        (tear, "insights.jsonl ends in a line that was cut off"),
        (garble, "insights.jsonl is broken"),
        (empty, "insights.jsonl lacks insights that were told"),
    ],
)
def test_insights_that_are_not_whole_are_computed_anew(
    damage: Callable[[Path], None], said: str, tmp_path: Path
) -> None:
    folder = write_run(tmp_path, diverging() + ENDED, final={})
    whole = report_of(folder)
    damage(folder / "insights.jsonl")
    report = report_of(folder)
    assert report.findings == whole.findings
    assert report.problems == (f"{report.problems[0]}",)
    assert report.problems[0].startswith(said)


def test_insights_are_told_even_if_the_rules_of_the_run_are_gone(tmp_path: Path) -> None:
    folder = write_run(tmp_path, diverging())
    for path in (folder / "rules").iterdir():
        path.write_text("rules: [")
    report = report_of(folder)
    assert report.findings[0].rule == "margin_collapse"
    assert report.judged == "Which rules judged this run is not known."
    assert "cannot be told" in report.problems[0]
    (folder / "insights.jsonl").unlink()
    with pytest.raises(InvalidRulesError):
        read_run(folder)


def test_a_torn_line_of_metrics_is_left_out_and_told(tmp_path: Path) -> None:
    folder = write_run(tmp_path, diverging() + ENDED, final={})
    with (folder / "metrics.jsonl").open("ab") as file:
        file.write(b'{"step":61,"logs":{"loss":')
    report = report_of(folder)
    assert report.problems == (
        "metrics.jsonl ends in a line that was cut off, which does not count",
    )


def test_a_broken_line_of_metrics_ends_the_reading_and_is_told(tmp_path: Path) -> None:
    folder = write_run(tmp_path, diverging() + ENDED, final={})
    lines = (folder / "metrics.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "metrics.jsonl").write_bytes(b"".join([*lines[:20], b"what?\n", *lines[20:]]))
    record = read_run(folder)
    assert record.log.last_step == 19
    assert "metrics.jsonl:21: no metrics line" in record.problems[0]


def test_metadata_that_is_no_json_is_told_and_left_out(tmp_path: Path) -> None:
    folder = write_run(tmp_path, diverging() + ENDED, final={})
    (folder / "run_metadata_final.json").write_bytes(b'{"version": 1,')
    report = report_of(folder)
    assert report.status == "Not finished"
    assert "run_metadata_final.json is no JSON" in report.problems[0]


def episode(insight: str, first: int, last: int, caused_by: str | None = None) -> Episode:
    fired = replace(FIRED, insight=insight, step=first, first_step=first)
    closed = replace(CLOSED, insight=insight, step=last, first_step=first, last_step=last)
    return Episode(fired, closed=closed, caused_by=caused_by)


def test_a_consequence_without_its_cause_is_not_lost() -> None:
    assert len(findings([episode("a#1", 1, 2, "gone#1")], died=False)) == 1
    # Nor is one of a file in which causes go in a circle.
    assert findings([episode("a#1", 1, 2, "b#1"), episode("b#1", 3, 4, "a#1")], died=False)


def test_episodes_of_one_rule_are_told_once_with_the_steps_of_all() -> None:
    several = [episode(f"loss_spike#{number}", number, number + 1) for number in range(1, 100, 5)]
    [finding] = findings(several, died=False)
    assert (len(finding.spans), str(finding.spans[0])) == (20, "from step 1 to 2")
    assert finding.again is not None
    assert finding.again.startswith(f"from step 6 to 7 ({FIRED.severity}), from step 11")
    assert finding.again.endswith("14 times more, the last from step 96 to 97")


def test_a_run_that_died_leaves_its_insights_open_to_the_end() -> None:
    open_one = Episode(FIRED)
    assert findings([open_one], died=True)[0].spans[0].ongoing
    assert not findings([open_one], died=False)[0].spans[0].ongoing


def test_advice_that_two_findings_share_is_given_once() -> None:
    other = Episode(replace(FIRED, rule="other", insight="other#1"))
    given_twice = list(actions(findings([Episode(FIRED), other], died=False)))
    assert [action.text for action in given_twice] == list(FIRED.remediation)
    assert [each.rule for each in given_twice[0].findings] == [FIRED.rule, "other"]


def test_failures_of_the_toolkit_are_in_the_report(tmp_path: Path) -> None:
    failure = {"part": "metrics file", "error": "OSError: No space left", "count": 3}
    report = report_of(write_run(tmp_path, diverging(), final={"failures": [failure]}))
    assert report.failures == ("metrics file: OSError: No space left (3 times)",)


def test_three_thousand_metrics_make_no_endless_table(tmp_path: Path) -> None:
    row = {f"rewards/function {number}/mean": float(number) for number in range(3000)}
    entries = [LoggedRow(step, None, admit(row)) for step in (1, 2, 3)]
    report = report_of(write_run(tmp_path, entries))
    assert report.metrics is not None
    assert report.metrics.rows[-1][0] == "and 2,700 metrics more"
    assert len(report.charts) <= 24


def test_the_reports_import_no_training_library(tmp_path: Path) -> None:
    folder = write_run(tmp_path, diverging() + ENDED, final={})
    script = (
        "import sys; from pathlib import Path\n"
        "from post_training_toolkit.engine.containment import Containment\n"
        "from post_training_toolkit.ptt_trl.report.writing import write_reports\n"
        "containment = Containment(); write_reports(Path(sys.argv[1]), containment)\n"
        "assert not containment.failures, containment.failures\n"
        "heavy = {'torch', 'transformers', 'trl', 'pandas', 'matplotlib.pyplot'}\n"
        "assert not heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(folder)], check=True)
    written = {path.name for path in (folder / "reports").iterdir()}
    assert written == {"run_report.md", "run_report.html", "plots"}


def test_a_part_that_cannot_be_written_leaves_the_others(tmp_path: Path) -> None:
    folder = write_run(tmp_path, diverging() + ENDED)
    (folder / "reports" / "run_report.html").mkdir(parents=True)
    containment = Containment()
    final = final_metadata(logged_rows=7)
    write_reports(folder, containment, final)
    assert set(containment.failures) == {"report page"}
    assert "**Logged rows:** 7" in (folder / "reports" / "run_report.md").read_text()
    assert list((folder / "reports" / "plots").glob("*.png"))


def test_a_hundred_thousand_rows_take_little_memory(tmp_path: Path) -> None:
    names = ["loss", "grad_norm", "learning_rate", "rewards/margins", "rewards/accuracies"]
    path = tmp_path / "metrics.jsonl"
    with path.open("wb") as file:
        for step in range(1, 100_001):
            logs = dict.fromkeys(names, step / 7)
            file.write(orjson.dumps({"step": step, "logs": logs}) + b"\n")
    script = (
        "import resource, sys; from pathlib import Path\n"
        "from post_training_toolkit.engine.metrics_file import read_metrics\n"
        "from post_training_toolkit.engine.run import RunDescription\n"
        "from post_training_toolkit.ptt_trl.report.logged_run import gather\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "log = gather(read_metrics(Path(sys.argv[1])), RunDescription('dpo', {'beta': 0.1}))\n"
        "after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print(log.rows, (after - before) / 1024)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], check=True, capture_output=True, text=True
    )
    read, mebibytes = done.stdout.split()
    assert int(read) == 100_000
    # As rows they take 70 MiB and more.
    assert float(mebibytes) < 35
