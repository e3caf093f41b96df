"""ptt-rules docs: pages that follow from the rules and the schema, and are checked to do so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from post_training_toolkit.engine.cli.main import main
from post_training_toolkit.engine.language_page import language_page
from post_training_toolkit.engine.statistics.registry import STATISTICS, StatisticDescription
from post_training_toolkit.rules.bundle import load_bundle
from post_training_toolkit.rules.lint import CODES
from post_training_toolkit.rules.sources import shipped_sources
from post_training_toolkit.schemas import load_schema

ROOT = Path(__file__).parent.parent.parent
RULES = load_bundle(shipped_sources()).rules
OWN = """\
version: 1
rules:
  - id: mine
    title: A | B * C
    metric: "rewards/*/std"
    threshold: {above: 1}
    severity: medium
    escalation: {severity: high, threshold: {above: 2}}
    detects: [loss_spike]
    message: "over <one>"
    remediation: [Lower learning_rate.]
    citation: []
    threshold_origin: empirical
"""


def _docs(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["docs", *map(str, arguments)])


def test_the_committed_pages_are_up_to_date() -> None:
    done = _docs("--output", ROOT / "docs", "--check")
    assert (done.exit_code, done.stdout) == (0, ""), "run: ptt-rules docs --output docs"


def test_every_rule_has_a_page_and_the_index_leads_there(tmp_path: Path) -> None:
    done = _docs("--output", tmp_path)
    assert (done.exit_code, done.stdout) == (0, "")
    written = len(RULES) + 2
    assert done.stderr == f"{written} pages in {tmp_path}, {written} written\n"
    pages = {path.stem for path in (tmp_path / "rules").glob("*.md")}
    assert pages == {"index", *(rule.id for rule in RULES)}
    index = (tmp_path / "rules" / "index.md").read_text()
    assert sorted(re.findall(r"\[\w+\]\((\w+)\.md\)", index)) == sorted(rule.id for rule in RULES)
    for rule in RULES:
        page = (tmp_path / "rules" / f"{rule.id}.md").read_text()
        assert f"\n# {rule.id}: " in page
        assert "\n## Measured\n" in page


def test_check_finds_what_is_missing_changed_and_gone_and_writes_nothing(tmp_path: Path) -> None:
    assert _docs("--output", tmp_path).exit_code == 0
    assert _docs("--output", tmp_path, "--check").exit_code == 0
    (tmp_path / "language.md").unlink()
    changed, gone = tmp_path / "rules" / "loss_spike.md", tmp_path / "rules" / "no_more.md"
    gone.write_text(changed.read_text())
    changed.write_text(changed.read_text() + "by hand\n")
    done = _docs("--output", tmp_path, "--check")
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        f"{changed}: out of date",
        f"{tmp_path}/language.md: missing",
        f"{gone}: no such rule any more",
    ]
    assert not (tmp_path / "language.md").exists()
    done = _docs("--output", tmp_path)
    assert done.stderr.endswith(", 2 written\n")
    assert not gone.exists()
    assert _docs("--output", tmp_path, "--check").exit_code == 0


def test_pages_of_others_are_left_alone(tmp_path: Path) -> None:
    own = tmp_path / "rules" / "written_by_hand.md"
    own.parent.mkdir()
    own.write_text("# Mine\n")
    assert _docs("--output", tmp_path).exit_code == 0
    assert own.read_text() == "# Mine\n"
    assert _docs("--output", tmp_path, "--check").exit_code == 0


def test_pages_of_own_rules_escape_what_markdown_would_take_for_markup(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(OWN)
    assert _docs(path, "--output", tmp_path / "site").exit_code == 0
    pages = tmp_path / "site" / "rules"
    assert {page.name for page in pages.iterdir()} == {"index.md", "mine.md"}
    page = (pages / "mine.md").read_text()
    assert "# mine: A | B \\* C\n" in page
    assert "\nover \\<one>\n" in page
    assert "- the newest `rewards/*/std` is above `1`\n" in page
    row = "| [mine](mine.md) | all | medium to high | A \\| B \\* C |\n"
    assert row in (pages / "index.md").read_text()


def test_a_place_that_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "rules").write_text("a file")
    done = _docs("--output", tmp_path)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].startswith(f"Error: cannot write {tmp_path}/rules/")


@pytest.fixture(name="language", scope="module")
def _language(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("docs")
    assert _docs("--output", folder).exit_code == 0
    return (folder / "language.md").read_text()


def test_the_language_page_has_every_key_and_every_definition(language: str) -> None:
    schema = load_schema("rules")
    sections = dict(
        part.partition("\n")[::2] for part in re.split(r"^#{2,3} ", language, flags=re.M)
    )
    for key in schema["properties"]:
        assert f"| `{key}` |" in sections["A file"]
    for name, definition in schema["$defs"].items():
        assert name in sections
        for key, part in definition.get("properties", {}).items():
            [row] = [line for line in sections[name].splitlines() if line.startswith(f"| `{key}`")]
            required = key in definition.get("required", ())
            assert row.split(" | ")[2].strip() == ("yes" if required else "")
            if "enum" in part:
                assert all(f"`{value}`" in row for value in part["enum"])


def test_every_link_in_the_language_page_leads_to_a_heading(language: str) -> None:
    headings = set(re.findall(r"^#{2,3} (\w+)$", language, re.M))
    targets = re.findall(r"\]\(#(\w+)\)", language)
    assert len(targets) > 20
    assert set(targets) <= headings


def test_the_language_page_has_every_statistic_and_every_finding(language: str) -> None:
    table = language.partition("## Statistics\n")[2]
    for name in (*STATISTICS, *CODES):
        assert f"\n| `{name}` | " in table


def test_every_table_of_the_language_page_has_rows_of_equal_width(language: str) -> None:
    for block in language.split("\n\n"):
        if block.startswith("| "):
            bars = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
            assert len(bars) == 1, block


def test_a_bar_in_a_docstring_does_not_end_its_cell() -> None:
    described = StatisticDescription("odd", "|x - y| of ``x``", True, False, {"y": "either | or"})
    page = language_page(load_schema("rules"), [described])
    assert "| `odd` | \\|x - y\\| of `x` | needed |  | `y`: either \\| or |\n" in page
