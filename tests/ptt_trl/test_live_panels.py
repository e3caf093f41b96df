"""Panels in a real terminal, beside real progress bars; lines wherever panels would not do."""

from __future__ import annotations

import os
import pty
import re
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

import pytest
from tqdm import tqdm
from trl.trainer.callbacks import RichProgressCallback

from post_training_toolkit import DiagnosticsCallback
from post_training_toolkit.engine.event import Episode
from post_training_toolkit.ptt_trl.live import live_face
from post_training_toolkit.ptt_trl.live.panels import Panels
from post_training_toolkit.ptt_trl.live.plain_lines import PlainLines
from post_training_toolkit.ptt_trl.sink import RunEnding
from tests.ptt_trl.loss_spike_events import CLOSED, ESCALATED, FIRED

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A pseudo terminal that stands for the user's; ``text`` is all that was written to it."""

    def __init__(self) -> None:
        master, slave = pty.openpty()
        # A terminal of no height shows no bars.
        termios.tcsetwinsize(slave, (40, 80))
        self.stream: TextIO = os.fdopen(slave, "w", encoding="utf-8")
        self._master = master
        self._written = b""
        # Someone has to read, or the writer waits once the buffer of the terminal is full.
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        try:
            while piece := os.read(self._master, 4096):
                self._written += piece
        except OSError:  # how Linux says that the other side is closed
            return

    def text(self) -> str:
        """Close the terminal and return what it was sent, with its control sequences."""
        self.stream.close()
        self._reader.join(timeout=10)
        return self._written.decode().replace("\r\n", "\n")

    def plain(self) -> str:
        """Do the same without the control sequences."""
        return CONTROL.sub("", self.text())


@pytest.fixture(name="terminal")
def _terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """A terminal, 80 columns wide, for the test to send its stdout to."""
    terminal = Terminal()
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    yield terminal
    terminal.stream.close()


def test_an_insight_is_a_panel_and_what_is_known_of_its_rule_is_not_repeated(
    terminal: Terminal,
) -> None:
    with redirect_stdout(terminal.stream):
        face = live_face()
        face.show(FIRED)
        face.show(replace(FIRED, insight="loss_spike#2", message="See [/red]"))
    lines = terminal.plain().splitlines()
    assert [line.rstrip("─╮╯ ") for line in lines if line[0] in "╭╰"] == [
        "╭─ ptt MEDIUM at step 31",
        "╰",
        "╭─ ptt MEDIUM at step 31",
        "╰",
    ]
    assert [line.strip("│ ") for line in lines if line[0] == "│"] == [
        "Loss jumps to 9 at step 31",
        "rule: loss_spike",
        "do: Look at the batch.",
        "source: Ann (2024)",
        "See [/red]",
        "rule: loss_spike",
    ]
    assert {len(line) for line in lines} == {80}


def test_the_closing_panel_counts_by_severity_and_leaves_the_path_in_one_piece(
    terminal: Terminal,
) -> None:
    report = Path("/") / ("a_long_folder/" * 10) / "report.md"
    worse = replace(ESCALATED, insight="loss_spike#2")
    second = Episode(replace(FIRED, insight="loss_spike#2"), worse, CLOSED)
    consequence = Episode(FIRED, caused_by="loss_spike#2")
    found = (second, Episode(FIRED, closed=CLOSED), consequence)
    with redirect_stdout(terminal.stream):
        live_face().end(RunEnding("completed", 40, found, None, report))
    text = terminal.plain()
    assert "ptt completed at step 40" in text
    assert "│ 2 insights: 1 high, 1 medium " in text
    assert f"{report}\n" in text


def test_a_bar_of_tqdm_survives_and_breaks_no_panel(terminal: Terminal) -> None:
    with redirect_stdout(terminal.stream):
        face = live_face()
        bar = tqdm(total=2, file=sys.stdout, ncols=60, mininterval=0)
        face.show(FIRED)
        bar.update()
        face.note("resumed")
        bar.update()
        bar.close()
    text = terminal.plain()
    # What was drawn of the bar is wiped before a line is written.
    [panel] = [line for line in text.split("\n") if "MEDIUM" in line]
    assert panel.rpartition("\r")[2].startswith("╭─ ptt MEDIUM at step 31 ─")
    assert "100%" in text.split("\n")[-2]


@pytest.mark.parametrize("ours_is_first", [True, False])
def test_a_live_display_of_rich_survives_and_breaks_no_panel(
    run_dpo: Any, tmp_path: Path, terminal: Terminal, ours_is_first: bool
) -> None:
    callbacks = [DiagnosticsCallback(), RichProgressCallback()]  # type: ignore[no-untyped-call]
    if not ours_is_first:
        callbacks.reverse()
    with redirect_stdout(terminal.stream):
        run_dpo(tmp_path, *callbacks, learning_rate=2e-8, max_steps=8, disable_tqdm=True)
    text = terminal.plain()
    assert "ptt watching this DPO run; files in" in text
    assert re.search(r"[\r\n]╭─ ptt HIGH at step \d+ ─+╮\n", text)
    assert re.search(r"\n│ rule: dpo_loss_random +│\n", text)
    assert "│ 1 insight: 1 high " in text
    assert "Training" in text


def test_without_colours_there_are_panels_without_colours(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    with redirect_stdout(terminal.stream):
        live_face().show(FIRED)
    text = terminal.text()
    assert "╭─ ptt MEDIUM at step 31" in text
    assert not re.search(r"\x1b\[[\d;]*3\d", text)


@pytest.mark.parametrize(("name", "value"), [("TERM", "dumb"), ("COLUMNS", "40")])
def test_a_terminal_that_cannot_show_panels_gets_lines(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    with redirect_stdout(terminal.stream):
        assert isinstance(live_face().medium, Panels)
        monkeypatch.setenv(name, value)
        assert isinstance(live_face().medium, PlainLines)


def test_a_file_gets_lines_even_where_colours_are_forced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with (tmp_path / "log").open("w", encoding="utf-8") as file:
        monkeypatch.setattr(sys, "stdout", file)
        assert isinstance(live_face().medium, PlainLines)
    # The file is closed now, as the stdout of a daemon may be.
    assert isinstance(live_face().medium, PlainLines)
    monkeypatch.setattr(sys, "stdout", None)
    assert isinstance(live_face().medium, PlainLines)
    live_face().show(FIRED)


def test_what_the_encoding_of_the_log_cannot_say_costs_one_letter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"
    with path.open("w", encoding="ascii") as file:
        monkeypatch.setattr(sys, "stdout", file)
        live_face().note("from 1 → 2")
    assert path.read_text() == "[ptt] from 1 ? 2\n"
