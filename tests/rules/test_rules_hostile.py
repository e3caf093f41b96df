"""Files written to do harm: bombs, tricks with paths, formats and numbers. Each is refused."""

from __future__ import annotations

import os
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from post_training_toolkit.engine.cli.main import main
from post_training_toolkit.rules.bundle import load_bundle
from post_training_toolkit.rules.document import MAX_BYTES
from post_training_toolkit.rules.model import RuleBundle, Source
from post_training_toolkit.rules.problem import InvalidRulesError, Problem
from post_training_toolkit.rules.sources import read_file, resolve_extended_path

# A file takes well under two seconds; machines in CI are slower.
SECONDS = 5.0
MEGABYTES = 200

RULE = """\
    title: A title
    metric: loss
    threshold: {above: 1}
    severity: high
    message: a message
    remediation: [do this]
    citation: []
    threshold_origin: empirical
    detects: [loss_spike]
"""


def _file(*lines: str) -> bytes:
    return ("version: 1\nrules:\n  - id: a\n" + RULE + "".join(f"{x}\n" for x in lines)).encode()


def _nines(deep: int) -> bytes:
    """Write lists of nine aliases of the list before: nine to so many values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, deep)]
    return "\n".join(lines).encode()


BOMBS = {
    "aliases of aliases": _nines(12),
    "an alias of itself in a list": b"&a [*a]",
    "an alias of itself in a mapping": b"&a {version: 1, rules: *a}",
    "nested lists": b"rules: " + b"[" * 500_000,
    "nested mappings": b"{a: " * 200_000,
    "nested blocks": b"- " * 400_000,
    "nested keys": b"? " * 400_000,
    "many unknown keys": _file(*(f"    k{n}: 1" for n in range(50_000))),
    "many rules that are none": b"version: 1\nrules:\n" + b"  - x\n" * 45_000,
    "many incomplete rules": b"version: 1\nrules:\n" + b"  - {id: a}\n" * 10_000,
    "many anchors": b"".join(b"- &a%d x\n" % n for n in range(45_000)),
    "a number of a million digits": _file("    for: " + "9" * 900_000),
    "a number in base sixty": _file("    for: 1" + ":59" * 200_000),
    "a fraction in base sixty": _file("    for: 1" + ":59" * 200_000 + ".5"),
    "a hexadecimal number": _file("    for: 0x" + "f" * 900_000),
    "a word of a million letters as key": _file("    ? " + "k" * 900_000 + "\n    : 1"),
    "a word of a million letters as value": _file("    status: " + "v" * 900_000),
    "an id of a million letters": b"version: 1\nrules:\n  - id: " + b"a" * 900_000,
    "a brace before a million letters": _file().replace(
        b"a message", b"'{" + b"x" * 900_000 + b"}'"
    ),
    "an expression of a million letters": _file().replace(
        b"above: 1", b"above: " + b"1+" * 400_000
    ),
    "an interval of many bounds": _file().replace(
        b"above: 1", b"between: [" + b"1," * 40_000 + b"]"
    ),
    "a file over the limit": b"# " + b"x" * 2_000_000,
    "only null bytes": b"\0" * 100_000,
    "only line ends": b"\n" * 900_000 + b"[",
    "only carriage returns": b"\r" * 900_000 + b"[",
    "only byte order marks": b"\xef\xbb\xbf" * 300_000,
    "a tag of a million letters": b"!" + b"t" * 900_000 + b" x",
    "an unknown alias of a million letters": b"*" + b"t" * 900_000,
}


def _problems(text: bytes) -> Sequence[Problem]:
    with pytest.raises(InvalidRulesError) as raised:
        load_bundle([Source("my.yaml", text[: MAX_BYTES + 1])])
    return raised.value.problems


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_refused_with_a_place_in_bounded_time(text: bytes) -> None:
    start = time.process_time()
    problems = _problems(text)
    assert time.process_time() - start < SECONDS
    assert all(problem.line >= 1 and problem.column >= 1 for problem in problems)
    assert max(len(str(problem)) for problem in problems) < 1000


@pytest.mark.parametrize("name", [name for name in BOMBS if "alias" in name or "nested" in name])
def test_what_multiplies_takes_bounded_memory(name: str) -> None:
    tracemalloc.start()
    try:
        _problems(BOMBS[name])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < MEGABYTES * 1e6


@pytest.mark.parametrize(
    "message",
    [
        "{value.__class__}",
        "{value.__class__.__mro__[1].__subclasses__}",
        "{value[0]}",
        "{0}",
        "{}",
        "{value!r}",
        "{value:>1000000000}",
        "{value:.1000000000f}",
        "{value:{step}}",
        "{value:%s}",
        "{value:۹f}",
        "{__import__('os').system('x')}",
        "{",
        "}",
    ],
)
def test_a_message_can_format_numbers_and_nothing_else(message: str) -> None:
    text = _file().replace(b"a message", f'"{message}"'.encode())
    with pytest.raises(InvalidRulesError, match=r"my.yaml:8:14: rule 'a': "):
        load_bundle([Source("my.yaml", text)])


@pytest.mark.parametrize(
    "value",
    [
        *('"9**9**9**9 ** beta.x"', '"max(*[1])"', '"(lambda: 1)()"', '"a if b else c"', '"a[0]"'),
        *("\"__import__('os')\"", '"f(1)"', '"1; 2"', '"1\\0"', '"\\ud800"', '"1 is 2"', "1e400"),
        *(".nan", "-.inf", '"1 or 2"', '"x := 1"', "[1]", "true", "null", '"' + "(" * 290 + '"'),
    ],
)
def test_a_threshold_is_arithmetic_or_refused(value: str) -> None:
    """Not even a warning of Python's own about the text comes through."""
    with pytest.raises(InvalidRulesError) as raised:
        load_bundle([Source("my.yaml", _file().replace(b"above: 1", f"above: {value}".encode()))])
    assert raised.value.problems[0].line in (6, 7)


@pytest.mark.parametrize("key", ["fraction: .nan", "fraction: .inf", "observations: .nan"])
def test_no_gate_is_a_number_that_is_none(key: str) -> None:
    """NaN passes every comparison with the bounds of a schema."""
    with pytest.raises(InvalidRulesError, match="must be"):
        load_bundle([Source("my.yaml", _file(f"    after: {{{key}}}"))])


def test_a_second_level_of_a_rule_without_a_condition_is_located() -> None:
    second = "    escalation: {severity: critical, threshold: {above: 2}}"
    text = _file(second).replace(b"    metric: loss\n    threshold: {above: 1}\n", b"    all: []\n")
    assert _problems(text)
    text = text.replace(b"    all: []\n", b"")
    assert any("needs exactly one of metric" in problem.message for problem in _problems(text))


@pytest.fixture(name="project")
def _project(tmp_path: Path) -> Path:
    """A project beside other folders, with odd things in it."""
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes")
    project = tmp_path / "project"
    (project / "rules" / "deep").mkdir(parents=True)
    (project / "pyproject.toml").write_text("")
    (tmp_path / "secret.yaml").write_text("password: hunter2\n")
    (project / "shared.yaml").write_bytes(_file())
    (project / "rules" / "folder.yaml").mkdir()
    (project / "rules" / "loop.yaml").symlink_to("loop.yaml")
    (project / "rules" / "out.yaml").symlink_to(tmp_path / "secret.yaml")
    (project / "rules" / "in.yaml").symlink_to(project / "shared.yaml")
    (project / "rules" / "away").symlink_to(tmp_path)
    os.mkfifo(project / "rules" / "pipe.yaml")
    return project


def _extend(project: Path, entry: str) -> RuleBundle:
    path = project / "rules" / "mine.yaml"
    path.write_text(f"version: 1\nextends: ['{entry}']\n")
    return load_bundle([read_file(path)])


@pytest.mark.parametrize("entry", ["../shared.yaml", "in.yaml", "deep/../../shared.yaml"])
def test_a_file_of_the_same_project_can_be_extended(project: Path, entry: str) -> None:
    assert [rule.id for rule in _extend(project, entry).rules] == ["a"]


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        ("../../secret.yaml", "lies outside the project folder"),
        ("/etc/passwd", "lies outside the project folder"),
        ("/dev/zero", "lies outside the project folder"),
        ("/proc/self/environ", "lies outside the project folder"),
        ("out.yaml", "lies outside the project folder"),
        ("away/secret.yaml", "lies outside the project folder"),
        ("pipe.yaml", "is no ordinary file"),
        ("folder.yaml", "it is a folder"),
        ("", "should be non-empty"),
        (".", "it is a folder"),
        ("loop.yaml", "Too many levels of symbolic links"),
        ("mine.yaml/x", "Not a directory"),
        ("x" * 300, "File name too long"),
        ("nothing.yaml", "No such file"),
        ("http://example.org/rules.yaml", "No such file"),
        ("~/rules.yaml", "No such file"),
    ],
)
def test_what_must_not_be_extended_is_not_read(project: Path, entry: str, what: str) -> None:
    with pytest.raises(InvalidRulesError) as raised:
        _extend(project, entry)
    [problem] = raised.value.problems
    assert (problem.line, problem.column) == (2, 11)
    assert what in problem.message
    assert "hunter2" not in problem.message


def test_without_a_project_the_folder_of_the_file_is_the_border(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "shared.yaml").write_text("")
    with pytest.raises(LookupError, match="lies outside the project folder"):
        resolve_extended_path("../shared.yaml", str(tmp_path / "a"))
    (tmp_path / ".git").mkdir()
    found = resolve_extended_path("../shared.yaml", str(tmp_path / "a"))
    assert found.resolve() == tmp_path / "shared.yaml"


def test_files_that_extend_each_other_are_read_once(tmp_path: Path) -> None:
    for name, other in (("a", "b"), ("b", "a")):
        text = _file().replace(b"id: a", f"id: {name}".encode())
        (tmp_path / f"{name}.yaml").write_bytes(text + f"extends: [{other}.yaml]\n".encode())
    bundle = load_bundle([read_file(tmp_path / "a.yaml")])
    assert sorted(rule.id for rule in bundle.rules) == ["a", "b"]


def test_a_chain_of_a_thousand_files_is_refused(tmp_path: Path) -> None:
    for number in range(1000):
        path = tmp_path / f"{number}.yaml"
        path.write_text(f"version: 1\nextends: [{number + 1}.yaml]\n")
    with pytest.raises(InvalidRulesError, match="more than 20 files extend each other in a row"):
        load_bundle([read_file(tmp_path / "0.yaml")])


@pytest.mark.parametrize("command", ["validate", "test"])
def test_a_folder_of_odd_things_is_walked(
    project: Path, command: str, make: Callable[..., None]
) -> None:
    """Pipes, loops of links and folders named like files neither hang nor break a command."""
    make(project / "rules")
    done = CliRunner().invoke(main, [command, str(project / "rules")])
    assert isinstance(done.exception, SystemExit | None)
    assert done.exit_code == 3, done.output
    assert "Traceback" not in done.output


@pytest.fixture(name="make")
def _make() -> Callable[..., None]:
    """Write a broken rule file and a broken test file into a folder."""

    def make(folder: Path) -> None:
        (folder / "broken.yaml").write_bytes(b"\xff\xfe\x00\xd8")
        (folder / "tests.yaml").write_bytes(b"tests: [\n")

    return make
