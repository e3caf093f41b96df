"""Puts all that is measured before the first step into one row of metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from post_training_toolkit.engine.containment import Containment
from post_training_toolkit.ptt_trl.preflight.batch import batch_metrics
from post_training_toolkit.ptt_trl.preflight.examples import example_metrics, sample_rows
from post_training_toolkit.ptt_trl.preflight.randomness import untouched_randomness
from post_training_toolkit.ptt_trl.preflight.setup import setup_metrics
from post_training_toolkit.ptt_trl.training_parts import TrainingParts

PREFIX = "preflight/"


def preflight_row(
    configuration: Mapping[str, Any], parts: TrainingParts, containment: Containment
) -> dict[str, float]:
    """Return the metrics of configuration, model and examples, named ``preflight/...``.

    What cannot be measured is left out: a streamed data set is not read, since nobody can put the
    examples back. Random number generators are left as they are.
    """
    metrics: dict[str, float] = {}
    with untouched_randomness():
        contain = containment.run
        rows = contain("preflight", sample_rows, parts.train_dataset) or []
        metrics |= contain("preflight", setup_metrics, configuration, parts) or {}
        metrics |= contain("preflight", example_metrics, configuration, parts, rows) or {}
        metrics |= contain("preflight", batch_metrics, parts, rows) or {}
    return {f"{PREFIX}{name}": value for name, value in metrics.items()}
