"""Appends lines to a file so that what is written stays, and what cannot be waits."""

from __future__ import annotations

from collections import deque
from pathlib import Path

# A disk that is full for an hour holds back so much; beyond it the oldest lines are given up.
_MOST_BYTES_WAITING = 2**24


class FolderLostError(OSError):
    """The folder of a file was removed; it has been made anew, what it held is gone."""


class LineFile:
    """One line a record, handed to the operating system at once.

    A line that cannot be written waits, in order, for the next one. The file is opened for each:
    one log is seconds of training, and a folder that is moved away or a full disk then costs a
    moment, not the rest of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: deque[bytes] = deque()

    def append(self, line: bytes) -> None:
        """Write what waits and this line; raises ``OSError`` if it has to wait."""
        self._waiting.append(line)
        self._give_up_oldest()
        try:
            self._write_waiting()
        except FileNotFoundError:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._write_waiting()
            raise FolderLostError(
                f"{self._path.parent} was removed and is made anew; what it held is gone"
            ) from None

    def _write_waiting(self) -> None:
        content = b"".join(self._waiting)
        with self._path.open("ab", buffering=0) as file:
            before = file.tell()
            written = file.write(content)
            if written != len(content):
                # A torn line would swallow the next one.
                file.truncate(before)
                raise OSError(
                    f"only {written} of {len(content)} bytes could be written to {self._path.name}"
                )
        self._waiting.clear()

    def _give_up_oldest(self) -> None:
        while len(self._waiting) > 1 and sum(map(len, self._waiting)) > _MOST_BYTES_WAITING:
            self._waiting.popleft()
