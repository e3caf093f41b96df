"""The one place that contains failures of the toolkit itself."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import length_hint
from typing import Concatenate, ParamSpec, TypeVar

import structlog

Parameters = ParamSpec("Parameters")
Part = TypeVar("Part")
Result = TypeVar("Result")

# Wrapping the standard library's logger leaves structlog's global configuration to the user.
_log = structlog.wrap_logger(
    logging.getLogger("post_training_toolkit"),
    processors=[structlog.stdlib.render_to_log_kwargs],
    wrapper_class=structlog.stdlib.BoundLogger,
)


def raised_by(
    action: Callable[Parameters, object], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> BaseException | None:
    """Return what an action raised, panics of native code included, or None if it ended well.

    KeyboardInterrupt, SystemExit and GeneratorExit pass through: they are not failures.

    >>> raised_by(int, "one")
    ValueError("invalid literal for int() with base 10: 'one'")
    """
    try:
        action(*args, **kwargs)
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # noqa: BLE001 - native panics are no Exception
        return error
    return None


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
        results: list[Result] = []

        def work(parts: Iterator[str]) -> None:
            results.extend(action(*args, **kwargs) for _ in parts)

        self.run_each([part], work, str)
        return results[0] if results else None

    def run_each(
        self,
        parts: Sequence[Part],
        work: Callable[Concatenate[Iterator[Part], Parameters], None],
        name: Callable[[Part], str],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> None:
        """Let ``work`` loop over the parts; one that fails stops none of those behind it.

        ``work`` gets an iterator of the parts and the arguments, and is called again with the rest
        of them after a failure. One boundary round the loop costs a tenth of one round each part.

        >>> seen = []
        >>> def divide(numbers):
        ...     for number in numbers:
        ...         seen.append(6 / number)
        >>> containment = Containment()
        >>> containment.run_each([1, 0, 2], divide, str)
        >>> seen, list(containment.failures)
        ([6.0, 3.0], ['0'])
        """
        remaining = iter(parts)
        while True:
            error = raised_by(work, remaining, *args, **kwargs)
            if error is None:
                return
            failed = parts[len(parts) - length_hint(remaining) - 1]
            self._record(name(failed), error)

    def _record(self, part: str, error: BaseException) -> None:
        if part in self.failures:
            self.failures[part].count += 1
            return
        told = traceback.TracebackException.from_exception(error)
        # Not str(error) itself, which an exception's own class may fail in.
        text = _writable(f"{type(error).__name__}: {told}")
        self.failures[part] = Failure(part, text, _writable("".join(told.format())))
        # A handler of the user's may fail as well, and there is nobody left to tell.
        raised_by(
            _log.error,
            f"post_training_toolkit: {part} failed and is contained; training goes on",
            exc_info=error,
        )


def _writable(text: str) -> str:
    """Return the text as JSON can hold it: names of files may have lone surrogates."""
    return text.encode("utf-8", "backslashreplace").decode()
