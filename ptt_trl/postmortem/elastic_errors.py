"""The error files that torchrun gives to the ranks of a run.

Only the standard library is imported: the watcher process reads them, too.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

# torchrun names each rank's own file in it: .../attempt_0/<local rank>/error.json
ERROR_FILE = "TORCHELASTIC_ERROR_FILE"

_LOST_PEER = re.compile(
    r"(?i)connection (?:was )?(?:likely )?(?:closed|reset|refused)|broken pipe|ncclRemoteError"
    r"|remote process|socket.*(?:timed out|closed)|watchdog caught collective"
)


@dataclass(frozen=True, slots=True)
class RankError:
    """What one rank of this machine died of; ``time`` in whole seconds since the epoch."""

    rank: int
    error: str
    traceback: str
    time: int


def first_failing_rank(error_file: str | None) -> RankError | None:
    """Return the rank whose error was written first, given the file of any of them.

    It is the root cause: the others fail because they wait for it. Of two in the same second it is
    the one whose file is older. An error that only tells of a lost peer is no cause: the peer may
    have been killed, and left no file. None without any other. Ranks are those of this machine.
    """
    if not error_file:
        return None
    mine = Path(error_file)
    found = []
    for path in mine.parent.parent.glob(f"*/{mine.name}"):
        error = _read(path)
        if error is not None and not _LOST_PEER.search(error.error):
            found.append((error.time, path.stat().st_mtime, error))
    return min(found, key=lambda each: each[:2])[2] if found else None


def own_error_file() -> str | None:
    """Return where torchrun wants to read of this rank's error; None without torchrun."""
    return os.environ.get(ERROR_FILE)


def record_own_error(error: BaseException) -> None:
    """Tell torchrun of this rank's error, as a script decorated with torch's ``record`` does.

    Without torchrun, or for what is no failure of the rank's own, nothing is written. Must be
    called while the exception is handled. Raises ``OSError``.
    """
    if own_error_file() is None or not isinstance(error, Exception):
        return
    # Not at import: the watcher process is to do without torch.
    from torch.distributed.elastic.multiprocessing.errors import get_error_handler

    get_error_handler().record_exception(error)


def _read(path: Path) -> RankError | None:
    """Return None for a file that holds something else, or is only half written."""
    try:
        message = json.loads(path.read_bytes())["message"]
        details = message["extraInfo"]
        return RankError(
            rank=int(path.parent.name),
            error=message["message"],
            traceback=details["py_callstack"],
            time=int(details["timestamp"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
