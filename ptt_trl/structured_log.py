"""Tells machines what happens to a run, as events of structlog."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any, Protocol, TextIO

import orjson
import structlog
from structlog.typing import EventDict, WrappedLogger
from tqdm import tqdm

from post_training_toolkit.engine.event import Event, InsightEscalated, InsightFired
from post_training_toolkit.engine.insights_file import insight_line
from post_training_toolkit.ptt_trl.sink import RunEnding, RunStart
from post_training_toolkit.rules.severity import Severity

LOGGER_NAME = "post_training_toolkit.events"

# These belong to the rule, not to the insight, or fill a screen; the files of the run have them.
_LEFT_OUT = frozenset(
    {"title", "remediation", "citations", "threshold_origin", "detects", "evidence"}
)
_LEVELS = {
    Severity.LOW: logging.INFO,
    Severity.MEDIUM: logging.WARNING,
    Severity.HIGH: logging.ERROR,
    Severity.CRITICAL: logging.ERROR,
}
_as_logfmt = structlog.processors.LogfmtRenderer(bool_as_flag=False)


class EventLogger(Protocol):
    """What is needed of a logger of structlog."""

    def log(self, level: int, event: str, /, **fields: Any) -> Any:
        """Log an event with its fields."""


class StructuredLog:
    """Logs insights and the begin and end of a run; the names of fields are those of the files.

    An insight that fires or escalates has the level of its severity: INFO for low, WARNING for
    medium, ERROR above. A stop is a WARNING, everything else INFO.
    """

    def __init__(self, logger: EventLogger) -> None:
        self._logger = logger

    def begin(self, start: RunStart) -> None:
        """Log ``run_begin``."""
        self._logger.log(
            logging.INFO,
            "run_begin",
            trainer=start.trainer,
            directory=str(start.directory),
            resumed_at=start.resumed_at,
        )

    def show(self, event: Event) -> None:
        """Log ``insight_fired``, ``_escalated``, ``_folded``, ``_resolved`` or ``_still_firing``.

        The words are those of ``insights.jsonl``.
        """
        fields = orjson.loads(insight_line(event))
        kind = fields.pop("event")
        kept = {name: value for name, value in fields.items() if name not in _LEFT_OUT}
        self._logger.log(_level(event), f"insight_{kind}", **kept)

    def note(self, text: str) -> None:
        """Log ``note``."""
        self._logger.log(logging.INFO, "note", message=text)

    def end(self, ending: RunEnding) -> None:
        """Log ``run_end`` with the number of root causes of each severity."""
        found = Counter(each.severity for each in ending.episodes if each.caused_by is None)
        stop = ending.stop
        self._logger.log(
            logging.INFO if stop is None else logging.WARNING,
            "run_end",
            status=ending.status,
            step=ending.step,
            **{str(severity): found[severity] for severity in Severity},
            stopped_by=stop.insight if stop is not None else None,
            report=str(ending.report) if ending.report is not None else None,
        )


def standard_log() -> StructuredLog:
    """Return a log through the standard library's logger ``post_training_toolkit.events``.

    Where it goes is up to the handlers of the user; without any it goes nowhere. A record says it
    all in logfmt, and has each field as an attribute too (``message`` as ``insight_message``).
    """
    logger = logging.getLogger(LOGGER_NAME)
    if not logger.handlers:
        # Else the library's last resort would print warnings that the live face has shown.
        logger.addHandler(logging.NullHandler())
    return StructuredLog(
        structlog.wrap_logger(
            logger, processors=[_as_record], wrapper_class=structlog.stdlib.BoundLogger
        )
    )


def json_log(stream: TextIO) -> StructuredLog:
    """Return a log of one JSON object a line, with ``level`` and ``timestamp`` (UTC, ISO 8601)."""
    return StructuredLog(
        structlog.wrap_logger(
            _LinesPastBars(stream),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(serializer=_as_json),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        )
    )


class _LinesPastBars:
    """Writes each line past the progress bars, whatever its level."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def info(self, line: str) -> None:
        tqdm.write(line, file=self._stream)

    warning = error = info


def _level(event: Event) -> int:
    if isinstance(event, InsightFired | InsightEscalated):
        return _LEVELS[event.severity]
    return logging.INFO


def _as_json(fields: EventDict, **_: Any) -> str:
    return orjson.dumps(fields).decode()


def _as_record(logger: WrappedLogger, method: str, fields: EventDict) -> EventDict:
    # A record has an attribute named message of its own.
    extra = {"insight_message" if name == "message" else name: fields[name] for name in fields}
    name = fields.pop("event")
    return {"msg": f"{name} {_as_logfmt(logger, method, fields)}", "extra": extra}
