"""Writes a file so that a reader sees the old or the new content, never a part."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_atomically(path: Path, content: bytes) -> None:
    """Write to a temporary file beside ``path``, flush it to disk, and put it in place.

    Raises ``OSError``; the old file is then as it was and no temporary file stays.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files for their owner only; run directories are shared in teams.
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        # Gone already if it was put in place.
        temporary.unlink(missing_ok=True)
