"""ptt-rules schema: the JSON Schemas, for editors."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from post_training_toolkit.engine.cli.main import main
from post_training_toolkit.schemas import SCHEMA_NAMES, load_schema


@pytest.mark.parametrize("name", SCHEMA_NAMES)
def test_schema_prints_the_schema_of_a_format(name: str) -> None:
    done = CliRunner().invoke(main, ["schema", name])
    assert (done.exit_code, done.stderr) == (0, "")
    assert json.loads(done.stdout) == load_schema(name)


def test_schema_of_nothing_in_particular_is_that_of_rules() -> None:
    assert json.loads(CliRunner().invoke(main, ["schema"]).stdout) == load_schema("rules")


def test_an_unknown_schema_is_wrong_usage_that_lists_the_known_ones() -> None:
    done = CliRunner().invoke(main, ["schema", "rulez"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert all(name in done.stderr for name in SCHEMA_NAMES)
