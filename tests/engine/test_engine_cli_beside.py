"""ptt-rules judges a file as the callback will, and guesses what a user meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from post_training_toolkit.engine.cli.main import main
from post_training_toolkit.engine.run_files import METADATA_START
from post_training_toolkit.rules.bundle import load_bundle
from post_training_toolkit.rules.sources import shipped_sources

OVERRIDE = """\
version: 1
overrides:
  - {id: loss_spike, severity: low, reason: our data has rare long documents}
"""
TAKEN = """\
version: 1
rules:
  - id: loss_spike
    title: Taken
    metric: loss
    threshold: {above: 9}
    severity: low
    detects: [loss_spike]
    message: high
    remediation: [Nothing.]
    citation: []
    threshold_origin: empirical
"""


def test_an_override_needs_no_extends_since_the_shipped_rules_are_always_there(
    tmp_path: Path,
) -> None:
    (tmp_path / "ours.yaml").write_text(OVERRIDE)
    result = CliRunner().invoke(main, ["validate", str(tmp_path / "ours.yaml")])
    assert (result.exit_code, result.stdout) == (0, "")


def test_an_id_that_a_shipped_rule_has_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "ours.yaml"
    path.write_text(TAKEN)
    result = CliRunner().invoke(main, ["validate", str(path)])
    assert result.exit_code == 3
    assert result.stdout.startswith(
        f"{path}:3:9: rule 'loss_spike': this id is taken at pack:common:"
    )


def test_the_packs_can_be_checked_by_their_path() -> None:
    folder = Path(__file__).parent.parent.parent / "rules" / "packs"
    result = CliRunner().invoke(main, ["validate", "--strict", str(folder)])
    assert (result.exit_code, result.stdout) == (0, "")
    shipped = load_bundle(shipped_sources())
    expected = f"{len(shipped.rules)} rules in {len(shipped.sources)} files valid, 0 findings\n"
    assert result.stderr == expected


@pytest.mark.parametrize(("inside", "guess"), [(True, "; did you mean {0}/ptt?\n"), (False, "\n")])
def test_replay_of_the_output_dir_names_the_run_directory_in_it(
    tmp_path: Path, inside: bool, guess: str
) -> None:
    if inside:
        (tmp_path / "ptt").mkdir()
        (tmp_path / "ptt" / METADATA_START).write_text("{}")
    result = CliRunner().invoke(main, ["replay", str(tmp_path)])
    assert result.exit_code == 3
    expected = f"{tmp_path} is no run directory: it has no {METADATA_START}"
    assert result.stderr == expected + guess.format(tmp_path)
