"""ptt postmortem: says how a run died, and writes what it could not write itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from post_training_toolkit.engine.cli.exit_codes import INVALID_INPUT
from post_training_toolkit.engine.run_files import POSTMORTEM


@click.command()
@click.argument("run_dir", type=click.Path(exists=True, file_okay=False, path_type=Path))
def postmortem(run_dir: Path) -> None:
    """Say how a run died, and write what is missing of its files.

    RUN_DIR is a folder that DiagnosticsCallback wrote. A run with the watcher on has all of it
    already; this is for one whose whole machine went away, and changes nothing the second time.

    \b
    Examples:
      ptt postmortem my_run/ptt
      jq .last_checkpoint my_run/ptt/postmortem.json
    """  # noqa: D301 - click looks for the character itself
    # The engine takes a while to import, which --help should not.
    from post_training_toolkit.engine.metrics_file import MetricsFileError
    from post_training_toolkit.engine.replay import RunDirectoryError
    from post_training_toolkit.ptt_trl.postmortem.completion import complete
    from post_training_toolkit.ptt_trl.postmortem.heartbeat import RunInUseError
    from post_training_toolkit.rules.problem import InvalidRulesError

    try:
        completed = complete(run_dir)
    except (InvalidRulesError, MetricsFileError, RunDirectoryError, RunInUseError) as error:
        click.echo(str(error), err=True)
        sys.exit(INVALID_INPUT)
    if completed.postmortem is None:
        step = completed.last_step
        click.echo(f"{run_dir}: this run ended at step {step}; it did not die", err=True)
    else:
        for line in _summary(completed.postmortem):
            click.echo(line)
        click.echo(run_dir / POSTMORTEM)
    for failure in completed.containment.failures.values():
        click.echo(f"{failure.part} could not be written: {failure.error}", err=True)


def _summary(found: Mapping[str, Any]) -> Iterator[str]:
    how = ", ".join(str(each) for each in (found["exit_reason"], found["signal"]) if each)
    yield f"died: {how}; seen by: {found['caught_by']}; {found['timestamp']}"
    yield f"last step: {found['last_step']}; last good step: {found['last_good_step']}"
    checkpoint = found["last_checkpoint"]
    if checkpoint is None:
        yield "last checkpoint: none"
    else:
        state = "complete" if checkpoint["complete"] else checkpoint["problem"]
        yield f"last checkpoint: {checkpoint['path']} ({state})"
    if found["error"]:
        yield f"error: {found['error']}"
    first = found["first_failing_rank"]
    if first is not None:
        yield f"first failing rank: {first['rank']}: {first['error']}"
    for insight in found["insights"]:
        if insight["caused_by"] is None:
            yield f"[{insight['severity'].upper()}] {insight['message']} (rule {insight['rule']})"
            yield from (f"  do: {advice}" for advice in insight["remediation"])
