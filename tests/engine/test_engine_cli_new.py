"""ptt-rules new: a rule and a test that are right from the start."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from post_training_toolkit.engine.cli.main import main


@pytest.fixture(name="folder", autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def test_a_rule_and_its_test_are_written_and_named_on_stdout(folder: Path) -> None:
    done = _run("new", "my_rule")
    assert (done.exit_code, done.stdout) == (0, "my_rule.yaml\nmy_rule.test.yaml\n")
    assert done.stderr == (
        "next: edit both, then ptt-rules validate my_rule.yaml my_rule.test.yaml "
        "and ptt-rules test my_rule.test.yaml\n"
    )
    [rule] = yaml.safe_load((folder / "my_rule.yaml").read_text())["rules"]
    assert (rule["id"], rule["metric"], rule.get("trainers")) == ("my_rule", "loss", None)


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--trainer", "dpo", "--metric", "rewards/margins"],
        ["--trainer", "dpo", "--metric", "win_rate"],
        ["--trainer", "grpo", "--metric", "rewards/*/std"],
    ],
)
def test_both_files_are_valid_and_the_rule_passes_its_test(options: list[str]) -> None:
    assert _run("new", "my_rule", *options).exit_code == 0
    checked = _run("validate", "my_rule.yaml", "my_rule.test.yaml", "--strict")
    assert (checked.exit_code, checked.stdout) == (0, "")
    assert checked.stderr == "1 rule and 2 tests in 2 files valid, 0 findings\n"
    tested = _run("test", "my_rule.test.yaml")
    assert tested.exit_code == 0, tested.output


@pytest.mark.parametrize(
    "metric", ["my: own, {metric} # here", "null", 'with "quotes" and \\ and ü']
)
def test_a_metric_of_ones_own_may_have_any_name(metric: str) -> None:
    made = _run("new", "my_rule", "--metric", metric)
    assert made.exit_code == 0
    checked = _run("validate", "my_rule.yaml", "my_rule.test.yaml")
    assert checked.exit_code == 0
    assert checked.stderr == "1 rule and 2 tests in 2 files valid, 1 finding\n"
    assert _run("test", "my_rule.test.yaml").exit_code == 0


@pytest.mark.parametrize(
    ("metric", "told"),
    [
        ("", "'metric': '' should be non-empty"),
        ("rewards/*/*", "'rewards/*/*' has more than one *; one is allowed"),
    ],
)
def test_a_metric_that_no_rule_can_watch_is_refused_before_anything_is_written(
    folder: Path, metric: str, told: str
) -> None:
    done = _run("new", "my_rule", "--metric", metric)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.endswith(f"Error: Invalid value for --metric: {told}\n")
    assert list(folder.iterdir()) == []


def test_the_first_lines_lead_an_editor_to_the_schemas(folder: Path) -> None:
    assert _run("new", "my_rule", "--output", "deep/down/file.yml").exit_code == 0
    below = folder / "deep" / "down"
    for name, schema in (("file.yml", "rules"), ("file.test.yml", "rule_tests")):
        first = (below / name).read_text().splitlines()[0]
        assert first.startswith("# yaml-language-server: $schema=")
        printed = _run("schema", schema).stdout
        assert (below / first.partition("=")[2]).read_text() == printed


def test_a_metric_that_the_trainer_never_logs_is_told(folder: Path) -> None:
    done = _run("new", "my_rule", "--trainer", "dpo", "--metric", "win_rat")
    assert done.exit_code == 0
    assert "no dpo run logs a metric 'win_rat'; did you mean 'win_rate'?" in done.stderr
    assert (folder / "my_rule.yaml").exists()


@pytest.mark.parametrize("existing", ["my_rule.yaml", "my_rule.test.yaml"])
def test_nothing_is_overwritten(folder: Path, existing: str) -> None:
    (folder / existing).write_text("mine")
    done = _run("new", "my_rule")
    assert (done.exit_code, done.stdout) == (2, "")
    assert f"{existing} exists; choose another file with --output" in done.stderr
    assert [path.name for path in folder.iterdir()] == [existing]
    assert (folder / existing).read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["My-Rule"], "did you mean 'my_rule'?"),
        (["2nd rule"], "did you mean 'nd_rule'?"),
        (["ü"], "an id begins with a lower-case letter"),
        (["a\n"], "did you mean 'a'?"),
        (
            ["loss_spike"],
            "a shipped rule has the id 'loss_spike'; see ptt-rules explain loss_spike",
        ),
        (["my_rule", "--trainer", "dop"], "'dop' is not one of"),
        (["my_rule", "--output", "rule.txt"], "rule.txt must end in .yaml"),
        ([], "Missing argument 'ID'"),
    ],
)
def test_wrong_usage_writes_nothing_and_says_what_would_be_right(
    folder: Path, arguments: list[str], said: str
) -> None:
    done = _run("new", *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told_in_one_line(folder: Path) -> None:
    (folder / "taken").write_text("a file")
    done = _run("new", "my_rule", "--output", "taken/my_rule.yaml")
    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1].startswith("Error: cannot write taken/")
