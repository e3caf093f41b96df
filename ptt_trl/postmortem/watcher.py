"""Starts the watcher process, and tells it when it is no longer needed."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import post_training_toolkit
from post_training_toolkit.ptt_trl.postmortem.watcher_process import GOODBYE, WatcherSettings

_LEAVES_WITHIN_SECONDS = 2.0
# Neither site-packages nor the user's own modules: only the standard library and this package.
_START = (
    "import sys; sys.path.append(sys.argv.pop(1)); "
    "from post_training_toolkit.ptt_trl.postmortem.watcher_process import main; main()"
)


class Watcher:
    """The process beside this one that notices its death; raises ``OSError`` if none can start.

    ``pipe`` takes the number of each signal, one byte each, and never blocks.
    """

    def __init__(self, settings: WatcherSettings) -> None:
        package = Path(post_training_toolkit.__file__).parent.parent
        arguments = [str(package), json.dumps(asdict(settings))]
        reading, self.pipe = os.pipe()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this very interpreter
                [sys.executable, "-I", "-S", "-c", _START, *arguments],
                stdin=reading,
                stdout=subprocess.DEVNULL,
                # What a terminal or a batch system sends to the run's own group must not end it.
                start_new_session=True,
            )
        except OSError:
            os.close(self.pipe)
            raise
        finally:
            os.close(reading)
        os.set_blocking(self.pipe, False)

    def dismiss(self) -> None:
        """Send it away, and wait until it has gone."""
        with contextlib.suppress(OSError):
            os.write(self.pipe, bytes([GOODBYE]))
        self.close()
        try:
            self._process.wait(_LEAVES_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        """Close this end of the pipe, as a forked child does with its copy."""
        with contextlib.suppress(OSError):
            os.close(self.pipe)
