"""Puts what ended a training from within into the words of a post-mortem."""

from __future__ import annotations

import os
import time
import traceback
from pathlib import Path

from post_training_toolkit.ptt_trl.masking import mask_text
from post_training_toolkit.ptt_trl.postmortem.elastic_errors import own_error_file
from post_training_toolkit.ptt_trl.postmortem.exit_reason import (
    EXCEPTION,
    EXITED,
    INTERRUPTED,
    TERMINATED,
    UNKNOWN,
)
from post_training_toolkit.ptt_trl.postmortem.memory import read_memory
from post_training_toolkit.ptt_trl.postmortem.record import Circumstances

# The end of a traceback says what happened, its beginning where the user's own code was.
_MOST_CHARACTERS = 50_000
_LONGEST_LINE = 2_000


def by_exception(
    error: BaseException | None, output_dir: Path, *, terminated: bool
) -> Circumstances:
    """Return the circumstances of an exception that has left the trainer's loop.

    ``terminated`` says that a SIGTERM came before: SystemExit is how the script ends then. The
    exception is None if it was caught before anybody could see it.
    """
    if error is None:
        return _circumstances(TERMINATED if terminated else UNKNOWN, "train", output_dir)
    told = traceback.TracebackException.from_exception(error)
    reason, signal, exit_code = EXCEPTION, None, None
    if isinstance(error, KeyboardInterrupt):
        reason, signal = INTERRUPTED, "SIGINT"
    elif isinstance(error, SystemExit):
        reason, exit_code = EXITED, _exit_code(error)
    if terminated and not isinstance(error, Exception):
        reason, signal = TERMINATED, "SIGTERM"
    return _circumstances(
        reason,
        "train",
        output_dir,
        signal=signal,
        exit_code=exit_code,
        error=_line("".join(told.format_exception_only())),
        traceback=_shortened("".join(told.format())),
    )


def by_termination(stack: list[str], output_dir: Path) -> Circumstances:
    """Return the circumstances of a SIGTERM, with the stack of the main thread."""
    where = "Stack of the main thread (most recent call last):\n" + "".join(stack)
    return _circumstances(
        TERMINATED,
        "signal handler",
        output_dir,
        signal="SIGTERM",
        traceback=_shortened(where),
    )


def _circumstances(
    reason: str,
    caught_by: str,
    output_dir: Path,
    *,
    signal: str | None = None,
    exit_code: int | None = None,
    error: str | None = None,
    traceback: str | None = None,
) -> Circumstances:
    return Circumstances(
        exit_reason=reason,
        caught_by=caught_by,
        time=time.time(),
        process_id=os.getpid(),
        output_dir=str(output_dir.absolute()),
        signal=signal,
        exit_code=exit_code,
        # Masked at once: what is told of a death goes to trackers and webhooks, too.
        error=None if error is None else mask_text(error),
        traceback=None if traceback is None else mask_text(traceback),
        memory=read_memory(os.getpid()),
        error_file=own_error_file(),
    )


def _exit_code(error: SystemExit) -> int:
    if error.code is None:
        return 0
    return error.code if isinstance(error.code, int) else 1


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}..."


def _shortened(text: str) -> str:
    if len(text) <= _MOST_CHARACTERS:
        return text
    half = _MOST_CHARACTERS // 2
    left_out = len(text) - 2 * half
    return f"{text[:half]}\n... {left_out} characters left out ...\n{text[-half:]}"
