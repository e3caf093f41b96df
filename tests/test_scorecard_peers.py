"""Other tools are fed through their own interface, and their alerts become episodes.

They are not installed here, so something of the same shape stands in for each.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest

from benchmarks.scorecard.rlwatch_peer import find_with_rlwatch
from benchmarks.scorecard.training_doctor_peer import find_with_training_doctor
from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.metrics_file import LoggedRow, Milestone
from post_training_toolkit.engine.readers.description import DescribedRecording
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.rules.severity import Severity


def test_rlwatch_gets_each_row_by_its_own_names(monkeypatch: pytest.MonkeyPatch) -> None:
    fed: list[tuple[int, dict[str, float]]] = []

    class Monitor:
        def __init__(self, settings: SimpleNamespace) -> None:
            assert Path(settings.storage.log_dir).is_dir()

        def start(self) -> None: ...

        def stop(self) -> None: ...

        def log_step(self, step: int, **metrics: float) -> list[SimpleNamespace]:
            fed.append((step, metrics))
            alert = SimpleNamespace(detector="loss_nan", severity="critical", step=step, message="")
            return [alert] if step == 2 else []

    def settings(framework: str) -> SimpleNamespace:
        return SimpleNamespace(storage=SimpleNamespace(log_dir=""), framework=framework)

    stub = SimpleNamespace(RLWatch=Monitor, RLWatchConfig=settings)
    monkeypatch.setitem(sys.modules, "rlwatch", cast("ModuleType", stub))
    rows: list[dict[str, Any]] = [
        {"objective/kl": 0.5, "lr": 0.1, "loss/policy_avg": 2},
        {"kl": 0.5, "loss": math.inf, "train_loss": 1, "reward": None},
        {"eval_loss": 1},
    ]
    [found] = find_with_rlwatch(_recording(rows))
    assert fed == [
        (1, {"kl_divergence": 0.5, "loss": 2, "learning_rate": 0.1}),
        (2, {"kl_divergence": 0.5, "loss": math.inf}),
    ]
    assert (found.fired.rule, found.fired.step, found.severity) == ("loss_nan", 2, Severity.HIGH)
    assert "nonfinite_values" in found.fired.detects


def test_training_doctor_gets_every_number_of_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    fed: list[tuple[int, dict[str, float]]] = []

    class Callback:
        diagnoses = (
            SimpleNamespace(
                detector_name="plateau", step=1, severity=SimpleNamespace(value="info"), problem=""
            ),
        )

        def __init__(self, auto_print: bool) -> None:
            assert not auto_print

        def on_train_begin(self, *_: object) -> None: ...

        def on_log(
            self, _: object, state: SimpleNamespace, __: object, logs: dict[str, float]
        ) -> None:
            fed.append((state.global_step, logs))

    stub = SimpleNamespace(HuggingFaceCallback=Callback)
    monkeypatch.setitem(sys.modules, "training_doctor", cast("ModuleType", SimpleNamespace()))
    monkeypatch.setitem(sys.modules, "training_doctor.integrations", cast("ModuleType", stub))
    rows = [{"loss": 1, "eval_loss": math.inf, "reward": None, "note": "text"}]
    [found] = find_with_training_doctor(_recording(rows))
    assert fed == [(1, {"loss": 1, "eval_loss": math.inf})]
    assert (found.fired.rule, found.fired.step, found.severity) == ("plateau", 1, Severity.LOW)
    assert "loss_plateau" in found.fired.detects


def _recording(rows: Iterable[Mapping[str, Any]]) -> DescribedRecording:
    begin = [Milestone("train_begin", 0, 10)]
    logged = [LoggedRow(step, None, admit(row)) for step, row in enumerate(rows, start=1)]
    return DescribedRecording(RunDescription(), [*begin, *logged])
