"""A group of commands that tells the refusals of the system in one line."""

from __future__ import annotations

import errno
from typing import Any

import click

from post_training_toolkit.engine.cli.exit_codes import USAGE


class _Refusal(click.ClickException):
    exit_code = USAGE


class Commands(click.Group):
    """Tells in one line what the system refuses, such as to write to a disk that is full.

    Left alone that would end with a traceback and exit code 1, which stands for findings.
    """

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was chosen."""
        try:
            return super().invoke(ctx)
        except OSError as error:
            if error.errno == errno.EPIPE:
                # Whoever read stdout has seen enough; click ends quietly.
                raise
            place = "" if error.filename is None else f" {error.filename}"
            raise _Refusal(f"cannot read or write{place}: {error.strerror}") from None
