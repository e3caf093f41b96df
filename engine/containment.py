"""The one place that contains failures of the toolkit itself."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, ParamSpec, TypeVar

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
        results = self.run_each([(part, partial(action, *args, **kwargs))])
        return results[0] if results else None

    def run_each(
        self, parts: Iterable[tuple[str, Callable[..., Result | None]]], *args: Any
    ) -> list[Result]:
        """Run every named action with the arguments; return the results that are not None.

        An action that fails stops none of the others. One loop under one boundary costs a tenth of
        a boundary for each action.

        >>> Containment().run_each([("sum", sum), ("longest", max)], [1, 2])
        [3, 2]
        """
        results: list[Result] = []
        remaining = iter(parts)
        while True:
            part = ""
            try:
                for part, action in remaining:  # noqa: B007 - told when the action fails
                    result = action(*args)
                    if result is not None:
                        results.append(result)
                return results
            except (KeyboardInterrupt, SystemExit, GeneratorExit):
                raise
            except BaseException as error:  # noqa: BLE001 - native panics are no Exception
                self._record(part, error)

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
