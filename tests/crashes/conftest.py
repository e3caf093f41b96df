"""The stage on which runs die."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest
from click.testing import CliRunner, Result
from staged_runs import OOM_GROUPS, Stage

from post_training_toolkit.ptt_trl.cli.main import main


@pytest.fixture(scope="session", name="stage")
def _stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.close()
    for group in OOM_GROUPS.glob("ptt_test_*"):
        # The kernel keeps a group as long as a process is in it.
        with contextlib.suppress(OSError):
            group.rmdir()


@pytest.fixture(name="ptt")
def _ptt() -> Callable[..., Result]:
    """Run a command of ptt in this process."""

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(main, [str(each) for each in arguments])

    return run
