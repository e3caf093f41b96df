"""A YAML text becomes plain data with positions, or a located problem; never a traceback."""

from __future__ import annotations

import time

import pytest

from post_training_toolkit.rules.document import read_document

TEXT = """\
version: 1
rules:
  - id: a
    threshold: {above: 3, "tolerance": beta}
  -   id: b
      title: >-
        folded
        text
    # a comment
      remediation: ["é ü", second]
"""


def test_values_are_plain_data() -> None:
    document = read_document("my.yaml", TEXT.encode())
    assert document.problems == []
    assert document.data == {
        "version": 1,
        "rules": [
            {"id": "a", "threshold": {"above": 3, "tolerance": "beta"}},
            {"id": "b", "title": "folded text", "remediation": ["é ü", "second"]},
        ],
    }


@pytest.mark.parametrize(
    ("path", "key_place", "value_place"),
    [
        ((), None, (1, 1)),
        (("version",), (1, 1), (1, 10)),
        (("rules",), (2, 1), (3, 3)),
        (("rules", 0), None, (3, 5)),
        (("rules", 0, "id"), (3, 5), (3, 9)),
        (("rules", 0, "threshold"), (4, 5), (4, 16)),
        (("rules", 0, "threshold", "above"), (4, 17), (4, 24)),
        (("rules", 0, "threshold", "tolerance"), (4, 27), (4, 40)),
        (("rules", 1), None, (5, 7)),
        (("rules", 1, "title"), (6, 7), (6, 14)),
        (("rules", 1, "remediation"), (10, 7), (10, 20)),
        # Columns count characters, not bytes.
        (("rules", 1, "remediation", 1), None, (10, 28)),
    ],
)
def test_every_key_and_value_has_its_place(
    path: tuple[str | int, ...], key_place: tuple[int, int] | None, value_place: tuple[int, int]
) -> None:
    document = read_document("my.yaml", TEXT.encode())
    assert document.key_positions.get(path) == key_place
    assert document.positions[path] == value_place


def test_windows_line_ends_and_a_byte_order_mark_move_no_place() -> None:
    document = read_document("my.yaml", b"\xef\xbb\xbfversion: 1\r\nrules:\r\n  - id: a\r\n")
    assert document.data == {"version": 1, "rules": [{"id": "a"}]}
    assert document.positions["rules", 0, "id"] == (3, 9)


def test_a_problem_without_a_place_of_its_own_is_put_at_what_holds_it() -> None:
    document = read_document("my.yaml", TEXT.encode())
    problem = document.problem(("rules", 0, "threshold", "below", 3), "wrong")
    assert str(problem) == "my.yaml:4:16: rule 'a': wrong"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"", "my.yaml:1:1: the file is empty; start it with version: 1"),
        (b"# only a comment\n", "my.yaml:1:1: the file is empty; start it with version: 1"),
        (b"---\n", "my.yaml:1:1: the file is empty; start it with version: 1"),
        (b"null\n", "my.yaml:1:1: the file is empty; start it with version: 1"),
        (
            b"version: 1\nversion: 1\n",
            "my.yaml:2:1: key 'version' appears twice, first in line 1",
        ),
        (
            b"rules:\n  - id: a\n    title: b\n    id: c\n",
            "my.yaml:4:5: key 'id' appears twice, first in line 2",
        ),
        (b"version: 1\n? [a, b]\n: 2\n", "my.yaml:2:3: a key must be a plain word"),
        (b"a: 2024-13-45\n", "my.yaml:1:4: not a plain value: month must be in 1..12"),
        (b"a: !!bool abc\n", "my.yaml:1:4: not a plain value: it does not fit "),
        (b"a: !!timestamp abc\n", "my.yaml:1:4: not a plain value: it does not fit "),
        (b'a: !!int ""\n', "my.yaml:1:4: not a plain value: it does not fit "),
        (b"a: !!float abc\n", "my.yaml:1:4: not a plain value: could not convert"),
        (b"a: " + b"9" * 400, "my.yaml:1:4: not a plain value: the number is too large"),
        (b"a: 0x" + b"f" * 5000, "my.yaml:1:4: not a plain value: the number is too large"),
        (b"a: " + b"9" * 5000, "my.yaml:1:4: not a plain value: the number is too large"),
        (b"a: !mine 1\n", "my.yaml:1:4: not a plain value: could not determine a constructor"),
        (
            b"a: !!python/name:os.system ''\n",
            "my.yaml:1:4: not a plain value: could not determine a constructor",
        ),
        (
            b"rules: !!python/object/apply:os.system ['exit 7']\n",
            "my.yaml:1:8: tag 'tag:yaml.org,2002:python/object/apply:os.system' has no meaning",
        ),
        (
            b"!!python/object:collections.OrderedDict {version: 1}\n",
            "my.yaml:1:1: tag 'tag:yaml.org,2002:python/object:collections.OrderedDict' has no",
        ),
        (b"a: !!set {b}\n", "my.yaml:1:4: tag 'tag:yaml.org,2002:set' has no meaning"),
    ],
)
def test_what_is_no_plain_data_is_located(text: bytes, problem: str) -> None:
    (found,) = read_document("my.yaml", text).problems
    assert str(found).startswith(problem)


def test_reading_goes_on_behind_a_bad_key() -> None:
    document = read_document("my.yaml", b"a: 1\na: 2\n? [b]\n: 3\nc: 4\nc: 5\n")
    assert [problem.line for problem in document.problems] == [2, 3, 6]
    assert document.data == {"a": 1, "c": 4}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (b"version: 1\nrules:\n\t- id: a\n", (3, 1)),
        (b"version: 1\nrules: [a\n", (3, 1)),
        (b"version: 1\n  rules: 2\n", (2, 8)),
        (b"a: *nowhere\n", (1, 4)),
        (b"a: 1\n---\nb: 2\n", (2, 1)),
        (b"%YAML 3.0\n---\na: 1\n", (1, 1)),
    ],
)
def test_broken_yaml_is_located(text: bytes, place: tuple[int, int]) -> None:
    document = read_document("my.yaml", text)
    (problem,) = document.problems
    assert document.data is None
    assert (problem.line, problem.column) == place
    assert problem.message.startswith("not valid YAML: ")
    assert "\n" not in problem.message


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: 1\nb: café\n".encode("latin-1"), (2, 7)),
        ('a: "é'.encode() + b"\xff\x00", (1, 6)),
        (b"version: 1\x00", (1, 11)),
        (b"a: b\x07\n", (1, 5)),
    ],
)
def test_bytes_that_are_no_text_are_located(text: bytes, place: tuple[int, int]) -> None:
    (problem,) = read_document("my.yaml", text).problems
    assert (problem.line, problem.column) == place
    assert problem.message.startswith("not readable as YAML text: ")


def test_dates_and_binary_data_keep_their_text() -> None:
    text = b"a: 2024-01-02\nb: 2001-12-14t21:59:43.10-05:00\nc: !!binary aGk=\n"
    document = read_document("my.yaml", text)
    assert document.problems == []
    assert document.data == {"a": "2024-01-02", "b": "2001-12-14t21:59:43.10-05:00", "c": "aGk="}


# The larger ones ran libyaml's composer out of its C stack before depth was checked first.
@pytest.mark.parametrize(
    ("text", "place"),
    [
        (b"[" * 51 + b"]" * 51, (1, 51)),
        (b"[" * 10_000, (1, 51)),
        (b"[" * 499_000 + b"]" * 499_000, (1, 51)),
        (b"- " * 10_000, (1, 101)),
        (b"? " * 10_000, (1, 101)),
        (b"{a: " * 10_000 + b"}" * 10_000, (1, 201)),
        # What was closed again does not count.
        (b"[[],[],[]," + b"[" * 50, (1, 60)),
    ],
)
def test_endless_nesting_is_located_at_the_first_level_too_many(
    text: bytes, place: tuple[int, int]
) -> None:
    (problem,) = read_document("my.yaml", text).problems
    assert (problem.line, problem.column) == place
    assert problem.message == "more than 50 levels; a rule file has far fewer"


def test_fifty_levels_and_fifty_thousand_values_are_fine() -> None:
    assert read_document("my.yaml", b"[" * 50 + b"x" + b"]" * 50).problems == []
    assert read_document("my.yaml", b"[" + b"1," * 49_999 + b"]").problems == []


@pytest.mark.parametrize(
    "text",
    [
        b"a: &a [x, x, x, x, x, x, x, x, x, x]\n"
        + b"".join(b"%c: &%c [%s]\n" % (n, n, b"*%c," % (n - 1) * 10) for n in b"bcdefghij"),
        b"a: &a [*a]\n",
        b"&a {a: *a}\n",
        b"a: [" + b"1," * 50_000 + b"]\n",
    ],
    ids=["alias bomb", "list in itself", "mapping in itself", "too many values"],
)
def test_what_unfolds_without_end_is_refused_at_once(text: bytes) -> None:
    began = time.perf_counter()
    (problem,) = read_document("my.yaml", text).problems
    assert time.perf_counter() - began < 5
    assert str(problem) == (
        "my.yaml:1:1: more than 50,000 values or 50 levels, aliases expanded; "
        "a rule file has far fewer"
    )


def test_a_file_is_at_most_a_million_bytes() -> None:
    text = b"a: 1 #".ljust(1_000_000, b"-")
    assert read_document("my.yaml", text).data == {"a": 1}
    (problem,) = read_document("my.yaml", text + b"-").problems
    assert str(problem) == (
        "my.yaml:1:1: the file is too large; a rule file has at most 1,000,000 bytes"
    )
