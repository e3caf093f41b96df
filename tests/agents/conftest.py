"""What the tests of agent traces share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def traces() -> Path:
    """The folder of real traces; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("PTT_TRACES", ""))
    if "PTT_TRACES" not in os.environ or not folder.is_dir():
        pytest.skip("PTT_TRACES names no folder of traces")
    return folder


@pytest.fixture
def samples() -> Path:
    """The folder of small samples, one folder a format."""
    return Path(__file__).parent / "samples"
