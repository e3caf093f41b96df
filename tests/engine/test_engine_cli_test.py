"""ptt-rules test: which files it runs, on which rules, what it prints, and the exit code for CI."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from post_training_toolkit.engine.cli.main import main

RULES = """\
version: 1
rules:
  - id: {id}
    title: A title
    metric: x
    threshold: {{above: 1}}
    severity: high
    message: "x is {{value:.0f}}"
    remediation: [do this]
    citation: []
    threshold_origin: empirical
    detects: [loss_spike]
"""
TESTS = """\
version: 1
rule_files: [mine.yaml]
tests:
  - name: a high value is told
    trainer: sft
    series: {x: 0 5}
    expect: [{rule: mine, step: 2}]
  - name: a low value is not
    trainer: sft
    series: {x: 0.0x5}
    expect: []
"""


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    """A folder with a rule file and its tests."""
    (tmp_path / "mine.yaml").write_text(RULES.format(id="mine"))
    (tmp_path / "mine_tests.yaml").write_text(TESTS)
    return tmp_path


def _test(*arguments: str | Path) -> Result:
    done = CliRunner().invoke(main, ["test", *map(str, arguments)])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_without_a_path_the_tests_of_the_shipped_rules_run_and_cover_them_all() -> None:
    done = _test("--coverage-threshold", "100")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("coverage: 100.0 % (")
    assert done.stderr.endswith(" passed, 0 failed\n")


def test_a_file_of_tests_brings_its_rules(folder: Path) -> None:
    done = _test(folder / "mine_tests.yaml")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "2 passed, 0 failed\n")


def test_in_a_folder_the_files_with_tests_are_run(folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "more.yaml").write_text(TESTS.replace("[mine.yaml]", "[../mine.yaml]"))
    (folder / "pyproject.toml").write_text("")
    done = _test(folder)
    assert (done.exit_code, done.stderr) == (0, "4 passed, 0 failed\n")


def test_a_file_named_twice_runs_once(folder: Path) -> None:
    assert _test(folder, folder / "mine_tests.yaml").stderr == "2 passed, 0 failed\n"


def test_a_failure_is_told_with_its_place_and_both_sides(folder: Path) -> None:
    path = folder / "mine_tests.yaml"
    _replace(path, "step: 2", "step: 1")
    done = _test(path)
    assert (done.exit_code, done.stderr) == (1, "1 passed, 1 failed\n")
    assert done.stdout.splitlines() == [
        f"FAIL {path}:4: a high value is told",
        "  mine: step differs",
        "    expected  rule: mine  step: 1",
        "    got       rule: mine  step: 2  severity: high  metric: x  message: x is 5",
    ]


def test_rules_may_be_named_beside_the_tests(folder: Path) -> None:
    _replace(folder / "mine_tests.yaml", "rule_files: [mine.yaml]\n", "")
    (folder / "rules").mkdir()
    (folder / "mine.yaml").rename(folder / "rules" / "mine.yaml")
    assert _test(folder / "mine_tests.yaml").exit_code == 3
    assert _test(folder / "mine_tests.yaml", "--rules", folder / "rules").exit_code == 0
    # A folder of rules may be the one that holds the tests.
    assert _test(folder / "mine_tests.yaml", "--rules", folder).exit_code == 0


def test_run_chooses_tests_by_name(folder: Path) -> None:
    assert _test(folder, "--run", "high|medium").stderr == "1 passed, 0 failed\n"
    none = _test(folder, "--run", "medium")
    assert (none.exit_code, "no test matches 'medium'" in none.stderr) == (2, True)
    wrong = _test(folder, "--run", "(")
    assert (wrong.exit_code, "'(' is no regular expression" in wrong.stderr) == (2, True)


def test_coverage_names_the_rules_that_lack_a_test(folder: Path) -> None:
    """The user's own rules count, not the shipped ones, which have tests of their own."""
    complete = _test(folder, "--coverage")
    assert (complete.exit_code, complete.stdout) == (0, "coverage: 100.0 % (1 of 1 rules)\n")
    (folder / "other.yaml").write_text(RULES.format(id="other"))
    _replace(folder / "mine_tests.yaml", "[mine.yaml]", "[mine.yaml, other.yaml]")
    _replace(folder / "mine_tests.yaml", "expect: [{", "rules: [mine]\n    expect: [{")
    half = _test(folder, "--coverage")
    assert (half.exit_code, half.stdout.splitlines()) == (
        0,
        ["other: no test in which it fires", "coverage: 50.0 % (1 of 2 rules)"],
    )


@pytest.mark.parametrize(("threshold", "code"), [("100", 1), ("50", 0), ("50.1", 1), ("0", 0)])
def test_a_coverage_below_the_threshold_is_a_finding(
    folder: Path, threshold: str, code: int
) -> None:
    (folder / "other.yaml").write_text(RULES.format(id="other").replace("x", "z"))
    _replace(folder / "mine_tests.yaml", "[mine.yaml]", "[mine.yaml, other.yaml]")
    done = _test(folder, "--coverage-threshold", threshold)
    assert done.exit_code == code
    assert (f"coverage is below {threshold} %" in done.stderr) is (code == 1)


def test_json_holds_every_result(folder: Path) -> None:
    _replace(folder / "mine_tests.yaml", "step: 2", "step: 1")
    done = _test(folder, "--format", "json", "--coverage")
    data = json.loads(done.stdout)
    assert (done.exit_code, data["passed"], data["failed"]) == (1, 1, 1)
    failed, passed = data["tests"]
    assert (passed["name"], passed["line"], passed["differences"]) == ("a low value is not", 8, [])
    assert failed["file"] == str(folder / "mine_tests.yaml")
    [difference] = failed["differences"]
    assert difference["what"] == "mine: step differs"
    assert difference["expected"] == {"rule": "mine", "step": 1}
    assert difference["got"]["step"] == 2
    assert data["coverage"] == {
        "percent": 0.0,
        "rules": [{"rule": "mine", "fires": False, "silent": True}],
    }


def test_a_junit_report_is_written_beside(folder: Path) -> None:
    _replace(folder / "mine_tests.yaml", "step: 2", "step: 1")
    _replace(folder / "mine_tests.yaml", "a low value is not", '"\\x01 <&\\"> a low value is not"')
    done = _test(folder, "--junit", folder / "report.xml")
    assert done.exit_code == 1
    [suite] = ElementTree.parse(folder / "report.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    failed, passed = suite
    assert failed[0].get("message") == "mine: step differs"
    assert "got       rule: mine  step: 2" in (failed[0].text or "")
    assert (passed.get("name"), len(passed)) == ('\\x01 <&"> a low value is not', 0)


def test_a_report_that_cannot_be_written_is_wrong_usage(folder: Path) -> None:
    done = _test(folder, "--junit", folder / "no" / "report.xml")
    assert (done.exit_code, "cannot write" in done.stderr) == (2, True)


def test_mistakes_of_all_files_are_told_at_once(folder: Path) -> None:
    first, second = folder / "a.yaml", folder / "b.yaml"
    first.write_text(TESTS.replace("sft", "stf", 1))
    second.write_text(TESTS.replace("rule: mine", "rule: mime"))
    (folder / "c.yaml").write_text("tests: [")
    (folder / "d.yaml").write_text("neither: [")
    done = _test(folder)
    assert (done.exit_code, done.stdout) == (3, "")
    assert done.stderr.splitlines()[:3] == [
        f"{first}:5:14: 'trainer' cannot be 'stf'; did you mean 'sft'?",
        f"{folder / 'c.yaml'}:2:1: not valid YAML: while parsing a flow node did not find "
        "expected node content",
        f"{second}:7:21: no rule 'mime'; did you mean 'mine'?",
    ]


def test_a_broken_rule_file_is_told_with_its_place(folder: Path) -> None:
    _replace(folder / "mine.yaml", "above", "abvoe")
    done = _test(folder)
    assert (done.exit_code, done.stdout) == (3, "")
    assert done.stderr.startswith(f"{folder / 'mine.yaml'}:6:17: rule 'mine': unknown key 'abvoe'")


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        ("nothing.yaml", "cannot read 'nothing.yaml': No such file or directory"),
        ("../mine.yaml", "'../mine.yaml' lies outside the project folder"),
        ("/etc/passwd", "'/etc/passwd' lies outside the project folder"),
        (".", "cannot read '.': it is a folder"),
    ],
)
def test_a_rule_file_that_cannot_be_read_is_located(folder: Path, entry: str, what: str) -> None:
    _replace(folder / "mine_tests.yaml", "[mine.yaml]", f"[mine.yaml, {entry}]")
    done = _test(folder / "mine_tests.yaml")
    assert done.exit_code == 3
    assert done.stderr.startswith(f"{folder / 'mine_tests.yaml'}:2:25: {what}")


def test_nothing_to_test_is_wrong_usage(tmp_path: Path) -> None:
    missing = _test(tmp_path / "missing.yaml")
    assert (missing.exit_code, "no file or folder" in missing.stderr) == (2, True)
    (tmp_path / "mine.yaml").write_text(RULES.format(id="mine"))
    rules_only = _test(tmp_path)
    assert (rules_only.exit_code, "no file with tests in folder" in rules_only.stderr) == (2, True)


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom post_training_toolkit.engine.cli.main import main\n"
        "try:\n    main(['test', '--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'river', 'numpy', 'pandas'} & set(sys.modules)\n"
        "sys.exit(f'{heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, "Examples:" in done.stdout) == (0, True), done.stderr
