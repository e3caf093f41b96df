"""Whatever breaks, the weights and losses are those of a run without the callback, to the bit."""

from __future__ import annotations

import errno
import json
import logging
import math
import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from river import stats
from transformers import Trainer, TrainerCallback

from post_training_toolkit import DiagnosticsCallback
from post_training_toolkit.engine.detector import Detector
from post_training_toolkit.ptt_trl import session_opening
from post_training_toolkit.ptt_trl.line_file import LineFile
from post_training_toolkit.ptt_trl.preflight import row as preflight_module

STEPS = 12
RUN = {"learning_rate": 2e-4, "max_steps": STEPS}


@dataclass
class Outcome:
    """What a run leaves: its logged rows and its weights."""

    losses: list[str]
    weights: dict[str, torch.Tensor]

    @classmethod
    def of(cls, trainer: Trainer) -> Outcome:
        """Take both from a trainer that is done."""
        assert trainer.model is not None
        return cls(
            [row["loss"].hex() for row in trainer.state.log_history if "loss" in row],
            {name: each.clone() for name, each in trainer.model.state_dict().items()},
        )

    def assert_same(self, other: Outcome) -> None:
        """Compare bit by bit."""
        assert len(self.losses) == STEPS
        assert self.losses == other.losses
        assert self.weights.keys() == other.weights.keys()
        for name, weight in self.weights.items():
            assert torch.equal(weight, other.weights[name]), name


@pytest.fixture(scope="module", name="alone")
def _alone(run_dpo: Any, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """A run without the callback."""
    return Outcome.of(run_dpo(tmp_path_factory.mktemp("alone"), **RUN))


class AfterStep(TrainerCallback):
    """Does something to the run directory after step 3."""

    def __init__(self, act: Callable[[Path], None]) -> None:
        self.act = act

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Act once."""
        if state.global_step == 3:
            self.act(Path(args.output_dir) / "ptt")


class OddRows(TrainerCallback):
    """Hands rows of all sorts to the callbacks that follow, as a trainer of a user's own may."""

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Log what no dashboard could show."""
        rows: list[dict[Any, Any]] = [
            {"tensor": torch.ones(2, 2), "scalar": torch.tensor(1.0), "numpy": np.float32(2)},
            {"text": "hello", "none": None, "list": [1, 2], "nested": {"a": {"b": 1}}},
            {"huge": 10**400, "emoji \U0001f600": 1.0, "": 2.0, 'quote"\n': 3.0, 7: 8.0},
            {"object": object(), "bytes": b"\xff", "complex": 1j, "loss": "not a number"},
        ]
        for row in rows:
            self.watcher.on_log(args, state, control, logs=row)

    def __init__(self, watcher: DiagnosticsCallback) -> None:
        self.watcher = watcher


class BrokenSink:
    """A tracker whose every call raises."""

    def begin(self, start: object) -> None:
        """Raise."""
        raise ConnectionError("the tracker is down")

    show = note = end = begin


class BrokenHandler(logging.Handler):
    """A handler of the user's that cannot write."""

    def emit(self, record: logging.LogRecord) -> None:
        """Raise."""
        raise OSError("no space left for logs")


def failures(run_dir: Path) -> dict[str, str]:
    final = json.loads((run_dir / "run_metadata_final.json").read_text())
    report = (run_dir / "reports" / "run_report.md").read_text()
    for failure in final["failures"]:
        assert f"- {failure['part']}: " in report
    return {failure["part"]: failure["error"] for failure in final["failures"]}


def test_a_sound_run(run_dpo: Any, tmp_path: Path, alone: Outcome, tokenizer: Any) -> None:
    # Of a tokenizer without a chat template, too.
    assert tokenizer.chat_template is None
    callback = DiagnosticsCallback(stop_on="high", log_json=True)
    Outcome.of(run_dpo(tmp_path, callback, **RUN)).assert_same(alone)
    assert failures(tmp_path / "ptt") == {}


def test_a_full_disk(
    run_dpo: Any, tmp_path: Path, alone: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a torn write leaves is tested with the files; here none gets through after step 3."""

    def fail(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fill(_: Path) -> None:
        monkeypatch.setattr("post_training_toolkit.ptt_trl.run_directory.write_atomically", fail)
        monkeypatch.setattr(LineFile, "append", fail)

    callbacks = (DiagnosticsCallback(), AfterStep(fill))
    Outcome.of(run_dpo(tmp_path, *callbacks, **RUN)).assert_same(alone)
    assert not (tmp_path / "ptt" / "run_metadata_final.json").exists()
    # The start, and what was logged up to then, is there.
    assert (tmp_path / "ptt" / "metrics.jsonl").read_text().count('"logs":{"loss":') == 2


def test_a_folder_that_cannot_be_made(
    run_dpo: Any, tmp_path: Path, alone: Outcome, caplog: pytest.LogCaptureFixture
) -> None:
    callback = DiagnosticsCallback(run_dir="/proc/ptt", stop_on="high")
    Outcome.of(run_dpo(tmp_path, callback, **RUN)).assert_same(alone)
    assert "start failed and is contained" in caplog.text


def test_a_folder_that_is_deleted(
    run_dpo: Any, tmp_path: Path, alone: Outcome, caplog: pytest.LogCaptureFixture
) -> None:
    callbacks = (DiagnosticsCallback(), AfterStep(shutil.rmtree))
    Outcome.of(run_dpo(tmp_path, *callbacks, **RUN)).assert_same(alone)
    assert "metrics file failed and is contained" in caplog.text


def test_a_broken_tracker(
    run_dpo: Any, tmp_path: Path, alone: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_opening, "tracker_sinks", lambda *_: {"tracker": BrokenSink()})
    Outcome.of(run_dpo(tmp_path, DiagnosticsCallback(), **RUN)).assert_same(alone)
    assert failures(tmp_path / "ptt") == {"tracker": "ConnectionError: the tracker is down"}


def test_a_panic_in_native_code(
    run_dpo: Any, tmp_path: Path, alone: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    follow = Detector.follow

    def follow_or_panic(self: Detector, *args: Any) -> Any:
        if self.rule.id == "loss_spike":
            # river's Rust code panics at this.
            stats.RollingQuantile(0.5, 3).update(math.nan)
        return follow(self, *args)

    monkeypatch.setattr(Detector, "follow", follow_or_panic)
    Outcome.of(run_dpo(tmp_path, DiagnosticsCallback(), **RUN)).assert_same(alone)
    [(part, error)] = failures(tmp_path / "ptt").items()
    assert part == "rule loss_spike"
    assert error.startswith("PanicException")


@pytest.mark.parametrize("error", [MemoryError, RecursionError, OSError, ZeroDivisionError])
def test_an_engine_that_raises(
    error: type[Exception],
    run_dpo: Any,
    tmp_path: Path,
    alone: Outcome,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any) -> Any:
        raise error("deliberate")

    monkeypatch.setattr("post_training_toolkit.ptt_trl.session.Engine.observe", fail)
    callback = DiagnosticsCallback(stop_on="high")
    Outcome.of(run_dpo(tmp_path, callback, **RUN)).assert_same(alone)
    assert failures(tmp_path / "ptt") == {"engine": f"{error.__name__}: deliberate"}
    # What was logged is kept all the same.
    text = (tmp_path / "ptt" / "metrics.jsonl").read_text()
    assert text.count('"logs":{"loss":') == STEPS


def test_measures_that_raise(
    run_dpo: Any, tmp_path: Path, alone: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("deliberate")

    monkeypatch.setattr(preflight_module, "batch_metrics", fail)
    monkeypatch.setattr(psutil, "Process", fail)
    Outcome.of(run_dpo(tmp_path, DiagnosticsCallback(), **RUN)).assert_same(alone)
    assert failures(tmp_path / "ptt").keys() == {"preflight", "machine"}


def test_rows_of_all_sorts(run_dpo: Any, tmp_path: Path, alone: Outcome) -> None:
    callback = DiagnosticsCallback()
    Outcome.of(run_dpo(tmp_path, callback, OddRows(callback), **RUN)).assert_same(alone)
    assert failures(tmp_path / "ptt") == {}


def test_a_log_handler_that_raises(
    run_dpo: Any, tmp_path: Path, alone: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = logging.getLogger("post_training_toolkit.events")
    handler = BrokenHandler()
    monkeypatch.setattr(logger, "handlers", [handler])
    monkeypatch.setattr(logger, "level", logging.INFO)
    Outcome.of(run_dpo(tmp_path, DiagnosticsCallback(), **RUN)).assert_same(alone)
    assert failures(tmp_path / "ptt") == {"structured log": "OSError: no space left for logs"}


def generators() -> Iterator[bytes]:
    """Yield the state of each global generator of random numbers."""
    yield torch.random.get_rng_state().numpy().tobytes()
    yield repr(random.getstate()).encode()
    kind, keys, *rest = np.random.get_state()
    yield np.asarray(keys).tobytes() + repr((kind, rest)).encode()


class Guarded(DiagnosticsCallback):
    """Checks at each event that no generator of random numbers has moved."""

    events: list[str]

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if not name.startswith("on_"):
            return found

        def guarded(*args: Any, **kwargs: Any) -> Any:
            before = list(generators())
            result = found(*args, **kwargs)
            assert list(generators()) == before, name
            self.events.append(name)
            return result

        return guarded


def test_no_event_moves_a_generator_of_random_numbers(run_dpo: Any, tmp_path: Path) -> None:
    callback = Guarded(stop_on="high")
    callback.events = []
    run_dpo(tmp_path, callback, max_steps=40, learning_rate=2e-8, save_steps=5)
    assert {"on_train_begin", "on_step_end", "on_log", "on_save", "on_train_end"} <= set(
        callback.events
    )
    assert (tmp_path / "ptt" / "insights.jsonl").read_bytes() != b""
