"""What is known of a run before its first step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from post_training_toolkit.rules.profile import load_profile


@dataclass(frozen=True, slots=True)
class RunDescription:
    """The trainer, its arguments and the length of a run: all that rules may depend on.

    ``trainer`` is None for one that is not known. ``configuration`` holds the arguments as plain
    JSON values. ``max_steps`` is the planned number of optimizer steps and ``logging_steps`` the
    steps between two logs; None where not known, as ``trl_version``, the library's.
    """

    trainer: str | None = None
    configuration: Mapping[str, Any] = field(default_factory=dict)
    max_steps: int | None = None
    logging_steps: int | None = None
    trl_version: str | None = None

    @property
    def planned_logs(self) -> int | None:
        """How many training rows the run will log, if that is known.

        >>> RunDescription("dpo", {}, max_steps=100, logging_steps=5).planned_logs
        20
        """
        interval = 1 if load_profile(self.trainer).logs_every_step else self.logging_steps
        if self.max_steps is None or interval is None:
            return None
        return max(self.max_steps // interval, 1)
