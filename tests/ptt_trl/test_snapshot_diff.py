"""A diff says what has changed and what may be chance; files and pages say the same."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from post_training_toolkit.ptt_trl.diffs.diff import SnapshotDiff, compare_snapshots
from post_training_toolkit.ptt_trl.diffs.page import render_page
from post_training_toolkit.ptt_trl.diffs.text import render_text
from post_training_toolkit.ptt_trl.diffs.writing import to_json, write_diff
from post_training_toolkit.ptt_trl.snapshots.measures import measure_replies
from post_training_toolkit.ptt_trl.snapshots.prompt import Prompt, PromptKind
from post_training_toolkit.ptt_trl.snapshots.refusal import classify_by_phrases
from post_training_toolkit.ptt_trl.snapshots.snapshot import Generation, Moment, Reply, Snapshot
from post_training_toolkit.ptt_trl.snapshots.snapshot_file import (
    SnapshotFileError,
    read_snapshot,
    write_snapshot,
)
from post_training_toolkit.schemas import load_schema
from tests.ptt_trl.browsing import visit

KINDS = (PromptKind.HARMFUL, PromptKind.BORDERLINE, PromptKind.BENIGN)
HOSTILE = "</script><script>document.title='owned'</script><b onclick=x>'\"&lt;\ud800\x1b[31m"


def prompts(count: int = 9, asked: str = "What is {}?") -> list[Prompt]:
    return [
        Prompt(f"p{number}", KINDS[number % 3], text=asked.format(number))
        for number in range(count)
    ]


def taken(asked: Sequence[Prompt], texts: Sequence[str], step: int = 0, **given: Any) -> Snapshot:
    refusals = classify_by_phrases(asked, texts)
    replies = tuple(
        Reply(prompt.id, 0, text, len(text.split()), False, refusal)
        for prompt, text, refusal in zip(asked, texts, refusals, strict=True)
    )
    return Snapshot(
        step=step,
        moment=Moment.DURING,
        time=1.0,
        seconds=1.0,
        model={"class": "Llama"},
        generation=Generation(**given),
        prompts=tuple(asked),
        replies=replies,
        measures={**measure_replies(asked, replies), "perplexity": 10.0 + step},
    )


BEFORE = taken(prompts(), ["It is a thing, that one."] * 9)
AFTER = taken(
    prompts(),
    [*["I cannot help with that."] * 3, *["It is a thing, that one."] * 5, "and so on " * 9],
    step=40,
)


@pytest.fixture(scope="module", name="diff")
def _diff() -> SnapshotDiff:
    return compare_snapshots(BEFORE, AFTER)


def test_flips_come_first_then_what_changed_most(diff: SnapshotDiff) -> None:
    assert [each.flipped for each in diff.changes] == [True] * 3 + [False] * 6
    assert diff.changes[3].prompt == "p8"
    assert diff.unchanged == 5
    flips = {each.group: (each.before, each.after, each.asked) for each in diff.flips}
    assert flips == {"harmful": (0, 1, 3), "harmless": (0, 2, 6)}


def test_shifts_that_may_be_chance_come_last_and_intervals_hold_the_change(
    diff: SnapshotDiff,
) -> None:
    chance = [each.may_be_chance for each in diff.shifts]
    assert chance == sorted(chance)
    for shift in diff.shifts:
        if shift.low is not None and shift.high is not None:
            assert shift.low <= shift.change <= shift.high
    by_name = {each.measure: each for each in diff.shifts}
    # One reply of nine loops, which a resample may leave out.
    assert by_name["looping_share"].change == pytest.approx(1 / 9)
    assert by_name["looping_share"].may_be_chance
    assert (by_name["perplexity"].before, by_name["perplexity"].after) == (10, 50)
    assert by_name["perplexity"].low is None


def test_an_interval_is_narrow_where_every_reply_changed_alike() -> None:
    longer = taken(prompts(), ["It is a thing, that one, you know."] * 9)
    [length] = [
        each for each in compare_snapshots(BEFORE, longer).shifts if each.measure == "length"
    ]
    assert (length.change, length.low, length.high) == (2, 2, 2)


def test_equal_snapshots_have_no_change() -> None:
    diff = compare_snapshots(BEFORE, BEFORE)
    assert diff.unchanged == 9
    assert all(each.change == 0 for each in diff.shifts)
    assert "0 of 9 prompts answered in other words" in render_text(diff)
    assert "As before: " in render_text(diff)


def test_what_makes_snapshots_differ_is_said_and_not_skipped() -> None:
    other = [*prompts(4), *[Prompt("p4", PromptKind.BENIGN, text="Something else?")]]
    diff = compare_snapshots(BEFORE, taken(other, ["Yes."] * 5, max_new_tokens=8))
    assert len(diff.changes) == 4
    assert diff.remarks == (
        "5 prompts are only in the snapshot before, and left out.",
        "1 prompt is only in the snapshot after, and left out.",
        "max_new_tokens was 64 before and is 8 after.",
    )
    nothing = compare_snapshots(BEFORE, taken([Prompt("q", PromptKind.OTHER, text="?")], ["!"]))
    assert "share no prompt" in nothing.remarks[0]
    assert "No reply can be compared." in render_text(nothing)
    assert "No reply can be compared." in render_page(nothing)


def test_the_same_snapshots_give_the_same_bytes(diff: SnapshotDiff) -> None:
    again = compare_snapshots(BEFORE, AFTER)
    assert to_json(again) == to_json(diff)
    assert render_page(again) == render_page(diff)


def test_files_are_valid_and_snapshots_come_back_as_they_were(
    diff: SnapshotDiff, tmp_path: Path
) -> None:
    written = write_diff(tmp_path, diff, "start-to-latest")
    assert [each.relative_to(tmp_path).as_posix() for each in written] == [
        "diffs/start-to-latest.json",
        "diffs/start-to-latest.html",
    ]
    jsonschema.validate(json.loads(written[0].read_text()), load_schema("snapshot_diff"))
    path = tmp_path / "snapshots" / "step-000040.json"
    write_snapshot(path, AFTER)
    jsonschema.validate(json.loads(path.read_text()), load_schema("snapshot"))
    assert read_snapshot(path) == AFTER


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "a.json:1:2: this is no JSON"),
        ("{}", r"a.json: this is no snapshot: \$: 'version' is a required property"),
        ('{"version": 2}', "a.json: this is no snapshot"),
    ],
)
def test_what_is_no_snapshot_is_refused_in_one_line(
    tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(SnapshotFileError, match=message) as raised:
        read_snapshot(path)
    assert "\n" not in str(raised.value)


def test_text_of_a_model_commands_neither_terminal_nor_page(tmp_path: Path) -> None:
    hostile = compare_snapshots(BEFORE, taken(prompts(), [HOSTILE] * 9))
    assert "\x1b" not in render_text(hostile)
    render_text(hostile).encode()
    page = render_page(hostile)
    assert "<b onclick" not in page
    assert page.count("<script>") == 1
    path = tmp_path / "snapshot.json"
    write_snapshot(path, taken(prompts(), [HOSTILE] * 9))
    assert read_snapshot(path).replies[0].text.startswith("</script>")


@pytest.fixture(scope="module", name="page")
def _page(diff: SnapshotDiff, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("diff") / "diff.html"
    path.write_text(render_page(diff))
    return path


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1000])
def test_the_page_fits_every_screen(browser: Any, page: Path, width: int, dark: bool) -> None:
    visit(browser, page, width, dark=dark)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    sides = browser.execute_script(
        "const [a, b] = document.querySelector('.sides').children;"
        "return [a.getBoundingClientRect().top, b.getBoundingClientRect().top]"
    )
    # Side by side where there is room, one below the other on a phone.
    assert (sides[0] == sides[1]) == (width > 500)


def test_the_page_shows_what_is_asked_for(browser: Any, page: Path) -> None:
    visit(browser, page)
    counted = {}
    for choice in ("", "changed", "flipped", "harmful"):
        browser.execute_script(
            "const shown = document.getElementById('shown'); shown.value = arguments[0];"
            "shown.dispatchEvent(new Event('change'))",
            choice,
        )
        counted[choice] = browser.execute_script(
            "return [...document.querySelectorAll('.reply')].filter(e => e.offsetParent).length"
        )
    assert counted == {"": 9, "changed": 4, "flipped": 3, "harmful": 3}


def test_the_page_has_everything_in_it_before_any_script_runs(page: Path) -> None:
    text = page.read_text()
    assert text.count('<article class="reply') == 9
    assert "<del>" in text
    assert "<ins>" in text
    assert "now refused" in text
