"""The one place that contains failures of the toolkit itself."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

import structlog

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

# Wrapping the standard library's logger leaves structlog's global configuration to the user.
_log = structlog.wrap_logger(
    logging.getLogger("post_training_toolkit"),
    processors=[structlog.stdlib.render_to_log_kwargs],
    wrapper_class=structlog.stdlib.BoundLogger,
)


@dataclass(slots=True)
class Failure:
    """A part of the toolkit that failed: what was raised first, and how often it failed."""

    part: str
    error: str
    traceback: str
    count: int = 1


class Containment:
    """Runs parts of the toolkit so that a failure of one stops neither training nor the others.

    ``failures`` maps the name of a part to what happened there.
    """

    def __init__(self) -> None:
        self.failures: dict[str, Failure] = {}

    def run(
        self,
        part: str,
        action: Callable[Parameters, Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result | None:
        """Return what the action returns, or None if it failed; the first failure is logged.

        KeyboardInterrupt, SystemExit and GeneratorExit pass through: they are not failures.

        >>> containment = Containment()
        >>> containment.run("sum", sum, [1, 2])
        3
        """
        try:
            return action(*args, **kwargs)
        except (KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        except BaseException as error:  # noqa: BLE001 - native panics are no Exception
            self._record(part, error)
            return None

    def _record(self, part: str, error: BaseException) -> None:
        if part in self.failures:
            self.failures[part].count += 1
            return
        text = f"{type(error).__name__}: {error}"
        trace = "".join(traceback.format_exception(error))
        self.failures[part] = Failure(part, text, trace)
        _log.error(
            f"post_training_toolkit: {part} failed and is contained; training goes on",
            exc_info=error,
        )
