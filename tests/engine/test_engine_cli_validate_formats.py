"""ptt-rules validate --format: one result for people, programs, CI servers and code scanning."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner, Result

from post_training_toolkit.engine.cli.formats.github import escape_data, escape_property
from post_training_toolkit.engine.cli.formats.registry import FORMATS
from post_training_toolkit.engine.cli.main import main
from post_training_toolkit.engine.cli.validation import Validation
from post_training_toolkit.rules.lint import CODES
from post_training_toolkit.rules.problem import Problem

RULE = """\
version: 1
rules:
  - id: my_rule
    title: A title
    trainers: [dpo]
    metric: {metric}
    threshold: {{above: 5}}
    severity: {severity}
    message: "loss {{value:.2f}}"
    remediation: [do this]
    citation: []
    threshold_origin: empirical
    detects: [loss_spike]
"""
GOOD = RULE.format(metric="loss", severity="high")
DEAD = RULE.format(metric="los", severity="high")
WRONG = RULE.format(metric="loss", severity="hihg")

# What section 3 of the SARIF 2.1.0 standard requires of the parts that are written.
SARIF_CORE: dict[str, Any] = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["tool"],
                "properties": {
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "type": "object",
                                "required": ["name"],
                                "properties": {
                                    "name": {"type": "string"},
                                    "version": {"type": "string"},
                                    "rules": {
                                        "type": "array",
                                        "uniqueItems": True,
                                        "items": {"$ref": "#/$defs/reportingDescriptor"},
                                    },
                                },
                            }
                        },
                    },
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "invocations": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["executionSuccessful"],
                            "properties": {"executionSuccessful": {"type": "boolean"}},
                        },
                    },
                    "results": {"type": "array", "items": {"$ref": "#/$defs/result"}},
                },
            },
        },
    },
    "$defs": {
        "message": {
            "type": "object",
            "required": ["text"],
            "properties": {"text": {"type": "string", "minLength": 1}},
        },
        "level": {"enum": ["none", "note", "warning", "error"]},
        "reportingDescriptor": {
            "type": "object",
            "required": ["id"],
            "properties": {
                "id": {"type": "string"},
                "shortDescription": {"$ref": "#/$defs/message"},
                "defaultConfiguration": {"properties": {"level": {"$ref": "#/$defs/level"}}},
            },
        },
        "result": {
            "type": "object",
            "required": ["message"],
            "properties": {
                "ruleId": {"type": "string"},
                "ruleIndex": {"type": "integer", "minimum": -1},
                "level": {"$ref": "#/$defs/level"},
                "message": {"$ref": "#/$defs/message"},
                "locations": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "physicalLocation": {
                                "type": "object",
                                "required": ["artifactLocation"],
                                "properties": {
                                    "artifactLocation": {
                                        "type": "object",
                                        "properties": {
                                            "uri": {"type": "string", "pattern": "^[^ \\\\]+$"}
                                        },
                                    },
                                    "region": {
                                        "type": "object",
                                        "properties": {
                                            "startLine": {"type": "integer", "minimum": 1},
                                            "startColumn": {"type": "integer", "minimum": 1},
                                        },
                                    },
                                },
                            },
                            "logicalLocations": {
                                "type": "array",
                                "items": {
                                    "type": "object",
                                    "properties": {"name": {"type": "string"}},
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}


@pytest.fixture(name="folder")
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a good, a doubtful and a wrong file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "dead one.yaml").write_text(DEAD)
    (tmp_path / "wrong.yaml").write_text(WRONG)
    return tmp_path


def _validate(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["validate", *arguments])


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        (["good.yaml", "--strict"], 0),
        (["dead one.yaml"], 0),
        (["dead one.yaml", "--strict"], 1),
        (["wrong.yaml"], 3),
        (["wrong.yaml", "--strict"], 3),
    ],
)
@pytest.mark.usefixtures("folder")
def test_the_exit_code_does_not_depend_on_the_format(
    name: str, arguments: list[str], exit_code: int
) -> None:
    done = _validate(*arguments, "--format", name)
    assert done.exit_code == exit_code
    assert re.search(r"\d (problem|finding)s?$", done.stderr.strip())


@pytest.mark.usefixtures("folder")
def test_an_unknown_format_is_wrong_usage_that_lists_the_formats() -> None:
    done = _validate("--format", "xml")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "'text', 'json', 'junit', 'github', 'sarif'" in done.stderr


@pytest.mark.usefixtures("folder")
def test_json_tells_errors_from_findings() -> None:
    finding = json.loads(_validate("good.yaml", "--format", "json").stdout)
    assert finding == {
        "version": 1,
        "files": ["good.yaml"],
        "rules": 1,
        "tests": 0,
        "problems": [],
    }
    [finding] = json.loads(_validate("dead one.yaml", "--format", "json").stdout)["problems"]
    assert finding == {
        "level": "warning",
        "code": "dead-rule",
        "file": "dead one.yaml",
        "line": 6,
        "column": 13,
        "rule": "my_rule",
        "message": "no dpo run logs a metric 'los'; did you mean 'loss'?",
    }
    [error] = json.loads(_validate("wrong.yaml", "--format", "json").stdout)["problems"]
    assert (error["level"], error["code"], error["line"]) == ("error", "invalid", 8)


@pytest.mark.usefixtures("folder")
def test_junit_has_a_case_for_each_file_and_what_is_wrong_in_it() -> None:
    done = _validate("dead one.yaml", "--format", "junit")
    document = ElementTree.fromstring(done.stdout)
    assert document.tag == "testsuites"
    [suite] = document
    assert (suite.attrib["tests"], suite.attrib["errors"], suite.attrib["failures"]) == (
        "1",
        "0",
        "1",
    )
    [case] = suite
    assert (case.tag, case.attrib["name"]) == ("testcase", "dead one.yaml")
    [failure] = case
    assert (failure.tag, failure.attrib["type"]) == ("failure", "dead-rule")
    assert failure.text is not None
    assert failure.text.startswith("dead one.yaml:6:13: rule 'my_rule': no dpo run logs")

    document = ElementTree.fromstring(_validate("wrong.yaml", "good.yaml", "--format=junit").stdout)
    [suite] = document
    # The id that both files use is an error too.
    assert (suite.attrib["tests"], suite.attrib["errors"]) == ("2", "1")
    assert {each.attrib["name"]: len(each) for each in suite} == {"wrong.yaml": 1, "good.yaml": 0}


@pytest.mark.usefixtures("folder")
def test_github_annotates_the_line_in_the_file() -> None:
    assert _validate("dead one.yaml", "--format", "github").stdout == (
        "::warning file=dead one.yaml,line=6,col=13,title=dead-rule::"
        "rule 'my_rule': no dpo run logs a metric 'los'; did you mean 'loss'?\n"
    )
    assert _validate("wrong.yaml", "--format", "github").stdout == (
        "::error file=wrong.yaml,line=8,col=15,title=invalid::"
        "rule 'my_rule': 'severity' cannot be 'hihg'; did you mean 'high'?\n"
    )
    assert _validate("good.yaml", "--format", "github").stdout == ""


def test_github_paths_start_at_the_working_directory(folder: Path) -> None:
    done = _validate(str(folder / "wrong.yaml"), "--format", "github")
    assert done.stdout.startswith("::error file=wrong.yaml,line=8,")


def test_what_github_takes_for_syntax_is_escaped() -> None:
    hostile = "50%, a:b\r\n::set-output name=x::y"
    assert escape_data(hostile) == "50%25, a:b%0D%0A::set-output name=x::y"
    assert escape_property(hostile) == "50%25%2C a%3Ab%0D%0A%3A%3Aset-output name=x%3A%3Ay"
    problem = Problem("a,b:c%\n.yaml", 1, 2, None, "50 % of\n::error::two")
    [line] = FORMATS["github"](Validation(("a",), errors=(problem,))).splitlines()
    assert line.startswith(
        "::error file=a%2Cb%3Ac%25%0A.yaml,line=1,col=2,title=invalid::50 %25 of"
    )


def test_a_shipped_pack_is_no_file_that_github_could_annotate() -> None:
    problem = Problem("pack:dpo", 1, 2, "x", "wrong")
    shown = FORMATS["github"](Validation(("pack:dpo",), errors=(problem,)))
    assert shown == "::error line=1,col=2,title=invalid::pack:dpo: rule 'x': wrong\n"


@pytest.mark.parametrize("file", ["good.yaml", "dead one.yaml", "wrong.yaml"])
@pytest.mark.usefixtures("folder")
def test_sarif_has_the_structure_that_the_standard_requires(file: str) -> None:
    document = json.loads(_validate(file, "--format", "sarif").stdout)
    jsonschema.validate(document, SARIF_CORE)
    [run] = document["runs"]
    codes = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert codes == ["invalid", *CODES]
    assert len(run["results"]) == (file != "good.yaml")
    for result in run["results"]:
        assert codes[result["ruleIndex"]] == result["ruleId"]


@pytest.mark.usefixtures("folder")
def test_sarif_results_carry_level_place_and_rule() -> None:
    document = json.loads(_validate("dead one.yaml", "--format", "sarif").stdout)
    [result] = document["runs"][0]["results"]
    assert (result["ruleId"], result["level"]) == ("dead-rule", "warning")
    assert result["message"]["text"].startswith("rule 'my_rule': no dpo run logs")
    assert result["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "dead%20one.yaml"},
                "region": {"startLine": 6, "startColumn": 13},
            },
            "logicalLocations": [{"name": "my_rule", "kind": "object"}],
        }
    ]
    [error] = json.loads(_validate("wrong.yaml", "--format", "sarif").stdout)["runs"][0]["results"]
    assert (error["ruleId"], error["level"]) == ("invalid", "error")


def test_a_file_outside_the_working_directory_has_an_absolute_address_in_sarif(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "inner").mkdir()
    monkeypatch.chdir(folder / "inner")
    document = json.loads(_validate("../wrong.yaml", "--format", "sarif").stdout)
    [result] = document["runs"][0]["results"]
    address = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert address == (folder / "wrong.yaml").as_uri()


@pytest.mark.parametrize("name", FORMATS)
def test_text_that_a_format_cannot_hold_does_not_break_it(name: str, tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text(GOOD.replace("my_rule", '"\\0\\x1b<&\\uFFFE\\n::error::"'))
    done = _validate(str(path), "--format", name)
    assert done.exit_code == 3
    if name in ("json", "sarif"):
        assert json.loads(done.stdout)
    elif name == "junit":
        assert len(list(ElementTree.fromstring(done.stdout).iter("error"))) == 1
    else:
        assert len(done.stdout.splitlines()) == 1


def test_junit_shows_what_xml_cannot_hold_as_a_replacement_character() -> None:
    name = "my \x1b \ud800 < b.yaml"
    problem = Problem(name, 1, 2, None, "wrong")
    shown = FORMATS["junit"](Validation((name,), errors=(problem,)))
    [case] = ElementTree.fromstring(shown).iter("testcase")
    assert case.attrib["name"] == "my \ufffd \ufffd < b.yaml"
    assert case[0].text == "my \ufffd \ufffd < b.yaml:1:2: wrong"
