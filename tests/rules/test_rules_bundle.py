"""Files are loaded once, in order, with what they extend, and every mistake of all is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from post_training_toolkit.rules.bundle import load_bundle
from post_training_toolkit.rules.model import RuleBundle, Source
from post_training_toolkit.rules.problem import InvalidRulesError
from post_training_toolkit.rules.sources import (
    default_sources,
    expand_path,
    pack_names,
    read_file,
    read_pack,
)

REST = (
    "metric: loss, threshold: {above: 1}, title: T, severity: high, message: m, "
    "remediation: [x], citation: [], threshold_origin: empirical, detects: [loss_spike]"
)


def file_of(*identifiers: str, extends: str = "[]") -> str:
    """Write a rule a line, the first one in line 4."""
    rules = "".join(f"  {{id: {identifier}, {REST}}},\n" for identifier in identifiers)
    return f"version: 1\nextends: {extends}\nrules: [\n{rules}]\n"


@pytest.fixture(name="load")
def _load(tmp_path: Path) -> Callable[..., RuleBundle]:
    """Write the files, by name without ending, and load the one called main."""

    def load(**files: str) -> RuleBundle:
        for name, text in files.items():
            (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
        return load_bundle([read_file(tmp_path / "main.yaml")])

    return load


@pytest.fixture(name="problems")
def _problems(load: Callable[..., RuleBundle], tmp_path: Path) -> Callable[..., list[str]]:
    def problems(**files: str) -> list[str]:
        with pytest.raises(InvalidRulesError) as raised:
            load(**files)
        return str(raised.value).replace(f"{tmp_path}/", "").splitlines()

    return problems


def identifiers_of(bundle: RuleBundle) -> list[str]:
    return [rule.id for rule in bundle.rules]


def test_five_mistakes_give_five_problems_in_order(problems: Callable[..., list[str]]) -> None:
    text = f"""\
version: 1
extends: [pack:default, pack:dop]
rules:
  - {{id: a, treshold: 1, {REST}}}
  - {{id: b, {REST.replace("high", "hgh")}}}
  - {{id: c, {REST.replace("above: 1", "above: 1 +")}}}
  - {{id: fine, {REST}}}
overrides:
  - {{id: fin, reason: r, disable: true}}
  - {{id: fine, reason: r, severity: low}}
"""
    assert problems(main=text) == [
        "main.yaml:2:25: no pack 'dop'; did you mean 'dpo'?",
        "main.yaml:4:13: rule 'a': unknown key 'treshold'; did you mean 'threshold'?",
        "main.yaml:5:70: rule 'b': 'severity' cannot be 'hgh'; did you mean 'high'?",
        "main.yaml:6:46: rule 'c': '1 +' is not a number or an arithmetic expression",
        "main.yaml:9:10: rule 'fin': no rule 'fin'; did you mean 'fine'?",
    ]


def test_problems_of_several_files_stay_together(problems: Callable[..., list[str]]) -> None:
    found = problems(
        main="version: 1\nextends: [second.yaml, first.yaml]\nrule: []\nrulez: []\n",
        first="version: 2\n",
        second="rules: [\n",
    )
    assert [line.split(": ")[0] for line in found] == [
        "main.yaml:3:1",
        "main.yaml:4:1",
        "second.yaml:2:1",
        "first.yaml:1:10",
    ]


@pytest.mark.parametrize(
    ("extends", "problem"),
    [
        ("[pack:dop]", "2:11: no pack 'dop'; did you mean 'dpo'?"),
        ("[nowhere.yaml]", "2:11: cannot read 'nowhere.yaml': No such file or directory"),
        ("[., pack:dpo]", "2:11: cannot read '.': it is a folder; name a rule file"),
        (r'["a\0b"]', r"2:11: cannot read 'a\x00b': no file can have this name"),
    ],
)
def test_what_cannot_be_extended_is_told(
    problems: Callable[..., list[str]], tmp_path: Path, extends: str, problem: str
) -> None:
    found = [line.replace(str(tmp_path), "") for line in problems(main=file_of(extends=extends))]
    assert found == [f"main.yaml:{problem}"]


def test_an_unknown_pack_lists_the_known_ones(problems: Callable[..., list[str]]) -> None:
    (problem,) = problems(main=file_of(extends="['pack:']"))
    names = ", ".join(sorted([*pack_names(), "default"]))
    assert problem == f"main.yaml:2:11: no pack ''; there are {names}"


def test_a_pack_cannot_extend_a_file() -> None:
    with pytest.raises(InvalidRulesError) as raised:
        load_bundle([Source("pack:mine", b"version: 1\nextends: [other.yaml]\n")])
    assert str(raised.value) == "pack:mine:2:11: a pack cannot extend the file 'other.yaml'"


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        (
            {"main": file_of("a", "b", "a")},
            "main.yaml:6:8: rule 'a': this id is taken at main.yaml:4; "
            "ids are unique, and 'overrides' changes an existing rule",
        ),
        (
            {"main": file_of("b", "a", extends="[other.yaml]"), "other": file_of("a")},
            "main.yaml:5:8: rule 'a': this id is taken at other.yaml:4; "
            "ids are unique, and 'overrides' changes an existing rule",
        ),
    ],
)
def test_an_id_is_given_once(
    problems: Callable[..., list[str]], files: dict[str, str], problem: str
) -> None:
    assert problems(**files) == [problem]


def test_an_id_of_a_pack_is_taken(problems: Callable[..., list[str]]) -> None:
    (problem,) = problems(main=file_of("loss_spike", extends="[pack:default]"))
    assert problem.startswith("main.yaml:4:8: rule 'loss_spike': this id is taken at pack:common:")


def test_what_a_file_extends_comes_before_it(load: Callable[..., RuleBundle]) -> None:
    bundle = load(
        main=file_of("a", extends="[left.yaml, right.yaml]"),
        left=file_of("b", extends="[base.yaml]"),
        right=file_of("c", extends="[base.yaml]"),
        base=file_of("d"),
    )
    assert identifiers_of(bundle) == ["d", "b", "c", "a"]
    assert [Path(source.name).stem for source in bundle.sources] == [
        "base",
        "left",
        "right",
        "main",
    ]


@pytest.mark.parametrize(
    ("files", "identifiers"),
    [
        ({"main": file_of("a", extends="[main.yaml]")}, ["a"]),
        (
            {
                "main": file_of("a", extends="[second.yaml]"),
                "second": file_of("b", extends="[third.yaml]"),
                "third": file_of("c", extends="[./main.yaml]"),
            },
            ["c", "b", "a"],
        ),
        (
            {"main": file_of("a", extends="[second.yaml, ./second.yaml]"), "second": file_of("b")},
            ["b", "a"],
        ),
    ],
    ids=["itself", "a cycle", "twice"],
)
def test_a_file_is_loaded_once(
    load: Callable[..., RuleBundle], files: dict[str, str], identifiers: list[str]
) -> None:
    assert identifiers_of(load(**files)) == identifiers


def test_a_path_in_extends_starts_at_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "team").mkdir()
    (tmp_path / "main.yaml").write_text(file_of("a", extends="[team/middle.yaml]"))
    (tmp_path / "team" / "middle.yaml").write_text(file_of("b", extends="[base.yaml]"))
    (tmp_path / "team" / "base.yaml").write_text(file_of("c"))
    bundle = load_bundle([read_file(tmp_path / "main.yaml")])
    assert identifiers_of(bundle) == ["c", "b", "a"]


def test_the_default_pack_is_every_pack_for_trainings(load: Callable[..., RuleBundle]) -> None:
    every_rule = identifiers_of(
        load_bundle([read_pack(name) for name in pack_names() if name != "agents"])
    )
    assert identifiers_of(load(main=file_of(extends="[pack:default]"))) == every_rule
    assert identifiers_of(load_bundle([*default_sources(), *default_sources()])) == every_rule


def test_collected_sources_are_not_followed_again(load: Callable[..., RuleBundle]) -> None:
    """A run directory keeps every source, so that a replay needs none of the original files."""
    bundle = load(main=file_of("a", extends="[gone.yaml, pack:dpo]"), gone=file_of("b"))
    kept = [Source(f"{n}.yaml", source.text) for n, source in enumerate(bundle.sources)]
    again = load_bundle(kept, follow_extends=False)
    assert identifiers_of(again) == identifiers_of(bundle)
    assert [source.name for source in again.sources] == [source.name for source in kept]
    assert identifiers_of(load_bundle([kept[-1]], follow_extends=False)) == ["a"]


def test_a_folder_stands_for_the_yaml_files_below_it(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("b.yaml", "a.yml", "deep/c.yaml", "notes.txt"):
        (tmp_path / name).write_text("")
    assert [path.name for path in expand_path(tmp_path)] == ["a.yml", "b.yaml", "c.yaml"]
    assert expand_path(tmp_path / "notes.txt") == [tmp_path / "notes.txt"]


def test_a_path_with_nothing_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no \.yaml file in folder"):
        expand_path(tmp_path)
    with pytest.raises(FileNotFoundError, match="no file or folder"):
        expand_path(tmp_path / "rules.yaml")
