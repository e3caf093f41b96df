"""Relations between rules, old ids and selections: what they mean, and mistakes in them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from post_training_toolkit.rules.bundle import load_bundle
from post_training_toolkit.rules.model import Rename, RuleBundle, Source
from post_training_toolkit.rules.problem import InvalidRulesError
from post_training_toolkit.rules.relations import find_cycle, root_causes
from post_training_toolkit.rules.severity import Severity

REST = (
    "metric: loss, threshold: {above: 1}, title: T, severity: high, message: m, "
    "remediation: [x], citation: [], threshold_origin: empirical, detects: [loss_spike]"
)
SHIPPED_HINT = " (shipped rules are known after extends: [pack:default])"


def _rule(identifier: str, extra: str = "", severity: str = "high") -> str:
    rest = REST.replace("severity: high", f"severity: {severity}")
    return f"{{id: {identifier}, {extra + ', ' if extra else ''}{rest}}}"


def _file(*rules: str, rest: str = "") -> str:
    """Write a rule a line, the first one in line 3, and the rest behind them."""
    return "version: 1\nrules:\n" + "".join(f"  - {rule}\n" for rule in rules) + rest


def _load(*texts: str) -> RuleBundle:
    return load_bundle([Source(f"{n}.yaml", text.encode()) for n, text in enumerate(texts)])


def _ids(bundle: RuleBundle) -> list[str]:
    return [rule.id for rule in bundle.rules]


Problems = Callable[[str], list[str]]


# --- inhibits and caused_by ---------------------------------------------------------------------


def test_both_ways_to_say_it_give_one_relation() -> None:
    rules = _load(
        _file(
            _rule("a", "inhibits: [b, c]"),
            _rule("b", "caused_by: [a]"),
            _rule("c", "caused_by: [b], renamed_from: [old_c]"),
            _rule("d", "inhibits: [old_c]"),
        )
    ).rules
    assert root_causes(rules) == {"b": {"a"}, "c": {"a", "b", "d"}}
    # What was left out of a run causes nothing.
    assert root_causes(rules[1:]) == {"c": {"b", "d"}}


@pytest.mark.parametrize(
    ("causes", "cycle"),
    [
        ({}, None),
        ({"a": {"b"}}, None),
        ({"a": {"b", "c"}, "b": {"c"}}, None),
        ({"a": {"a"}}, ("a", "a")),
        ({"a": {"b"}, "b": {"c"}, "c": {"b"}}, ("b", "c", "b")),
        ({"z": {"y"}, "y": {"x"}, "x": {"z"}}, ("x", "z", "y", "x")),
    ],
)
def test_a_cycle_is_found_wherever_it_is(
    causes: dict[str, set[str]], cycle: tuple[str, ...] | None
) -> None:
    assert find_cycle({rule: frozenset(found) for rule, found in causes.items()}) == cycle


def test_a_chain_of_ten_thousand_rules_is_no_stack_overflow() -> None:
    causes = {str(n): frozenset({str(n + 1)}) for n in range(10_000)}
    assert find_cycle(causes) is None


@pytest.mark.parametrize(
    ("rules", "problems"),
    [
        (
            [_rule("a", "inhibits: [a]")],
            ["3:10: rule 'a': is in the end its own cause: a <- a"],
        ),
        (
            [_rule("a", "inhibits: [b]"), _rule("b", "inhibits: [a]")],
            ["3:10: rule 'a': is in the end its own cause: a <- b <- a"],
        ),
        (
            [_rule("x"), _rule("a", "caused_by: [b]"), _rule("b", "caused_by: [a]")],
            ["4:10: rule 'a': is in the end its own cause: a <- b <- a"],
        ),
        (
            [_rule("early", "inhibits: [lat]"), _rule("late", "caused_by: [late_, earlyy]")],
            [
                f"3:28: rule 'early': no rule 'lat'; did you mean 'late'?{SHIPPED_HINT}",
                f"4:28: rule 'late': no rule 'late_'; did you mean 'late'?{SHIPPED_HINT}",
                f"4:35: rule 'late': no rule 'earlyy'; did you mean 'early'?{SHIPPED_HINT}",
            ],
        ),
    ],
)
def test_a_relation_that_cannot_be_is_told_where_it_stands(
    problems_in: Problems, rules: list[str], problems: list[str]
) -> None:
    assert problems_in(_file(*rules)) == [f"my.yaml:{problem}" for problem in problems]


def test_a_rule_may_be_related_to_one_of_a_later_file() -> None:
    bundle = _load(_file(_rule("a", "inhibits: [b]")), _file(_rule("b")))
    assert root_causes(bundle.rules) == {"b": {"a"}}


# --- renamed_from -------------------------------------------------------------------------------

RENAMED = _file(_rule("new", "renamed_from: [old, older]"), _rule("other"))


@pytest.mark.parametrize("identifier", ["old", "older"])
def test_an_override_with_an_old_id_works_and_is_noted(identifier: str) -> None:
    override = f"version: 1\noverrides:\n  - {{id: {identifier}, reason: r, severity: low}}\n"
    bundle = _load(RENAMED, override)
    assert [(rule.id, rule.severity) for rule in bundle.rules] == [
        ("new", Severity.LOW),
        ("other", Severity.HIGH),
    ]
    assert bundle.renames == (Rename("1.yaml", 3, 10, identifier, "new"),)


def test_an_override_with_the_id_of_today_is_not_noted() -> None:
    override = "version: 1\noverrides:\n  - {id: new, reason: r, disable: true}\n"
    bundle = _load(RENAMED, override)
    assert (_ids(bundle), bundle.renames) == (["other"], ())


@pytest.mark.parametrize(("key", "left"), [("select", ["new"]), ("ignore", ["other"])])
def test_a_selection_with_an_old_id_works_and_is_noted(key: str, left: list[str]) -> None:
    bundle = _load(RENAMED, f"version: 1\n{key}: {{ids: [old], reason: r}}\n")
    assert _ids(bundle) == left
    assert bundle.renames == (Rename("1.yaml", 2, 16, "old", "new"),)


def test_a_relation_with_an_old_id_is_noted() -> None:
    bundle = _load(RENAMED, _file(_rule("third", "caused_by: [old]")))
    assert root_causes(bundle.rules) == {"third": {"new"}}
    assert [(each.old, each.new) for each in bundle.renames] == [("old", "new")]


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        (
            [_rule("a"), _rule("b", "renamed_from: [a]")],
            "4:28: rule 'b': 'a' is an id of 'a'; ids are never used again",
        ),
        (
            [_rule("a", "renamed_from: [old]"), _rule("b", "renamed_from: [old]")],
            "4:28: rule 'b': 'old' is an id of 'a'; ids are never used again",
        ),
        (
            [_rule("a", "renamed_from: [a]")],
            "3:28: rule 'a': 'a' is an id of 'a'; ids are never used again",
        ),
    ],
)
def test_an_id_that_was_given_once_is_not_given_again(
    problems_in: Problems, rules: list[str], problem: str
) -> None:
    assert problems_in(_file(*rules)) == [f"my.yaml:{problem}"]


# --- select and ignore --------------------------------------------------------------------------

MANY = _file(
    _rule("a", "tags: [data, stability]", "low"),
    _rule("b", "tags: [stability]", "high"),
    _rule("c", "", "critical"),
    _rule("d", "tags: [data]", "high"),
)


@pytest.mark.parametrize(
    ("selection", "selected"),
    [
        ("ids: [c, a]", "ac"),
        ("tags: [data]", "ad"),
        ("tags: [data, stability]", "abd"),
        ("severities: [low, critical]", "ac"),
        # Any of them is enough.
        ("ids: [c], tags: [stability], severities: [low]", "abc"),
    ],
)
def test_select_keeps_what_matches_and_ignore_the_rest(selection: str, selected: str) -> None:
    kept = _load(MANY, f"version: 1\nselect: {{{selection}, reason: r}}\n")
    left = _load(MANY, f"version: 1\nignore: {{{selection}, reason: r}}\n")
    assert "".join(_ids(kept)) == selected
    assert sorted([*_ids(kept), *_ids(left)]) == list("abcd")


def test_selections_of_one_file_and_of_several_all_apply() -> None:
    text = "version: 1\nselect: {tags: [data], reason: r}\nignore: {severities: [low], reason: r}\n"
    assert _ids(_load(MANY, text)) == ["d"]
    first = "version: 1\nselect: {tags: [stability], reason: r}\n"
    second = "version: 1\nselect: {tags: [data], reason: r}\n"
    assert _ids(_load(MANY, first, second)) == ["a"]


def test_a_selection_sees_the_rules_as_the_overrides_leave_them() -> None:
    text = (
        "version: 1\noverrides: [{id: a, reason: r, severity: critical}]\n"
        "select: {severities: [critical], reason: r}\n"
    )
    assert _ids(_load(MANY, text)) == ["a", "c"]


@pytest.mark.parametrize(
    ("selection", "problems"),
    [
        ("{ids: [a]}", ["key 'reason' is missing: Why, for whoever reads it next year."]),
        ("{reason: r}", ["picks no rule; give one of ids, tags, severities"]),
        ("{ids: [z_], reason: r}", ["no rule 'z_'; there are a, b, c, d" + SHIPPED_HINT]),
        ("{tags: [dta], reason: r}", ["no rule has the tag 'dta'; did you mean 'data'?"]),
        ("{severities: [hgh], reason: r}", None),
        ("{ids: [], reason: r}", None),
        ("[a]", None),
    ],
)
@pytest.mark.parametrize("key", ["select", "ignore"])
def test_a_selection_of_nothing_is_a_located_error(
    problems_in: Problems, key: str, selection: str, problems: list[str] | None
) -> None:
    """Where the words are the schema's, that there is one problem on the line is enough."""
    found = problems_in(f"{MANY}{key}: {selection}\n")
    assert len(found) == 1
    place, _, what = found[0].partition(": ")
    assert place.startswith("my.yaml:7:")
    if problems is not None:
        assert [what] == problems


def test_every_mistake_is_told_at_once() -> None:
    text = _file(_rule("b", "inhibits: [x_y]"), rest="ignore: {ids: [q_q], reason: r}\n")
    with pytest.raises(InvalidRulesError) as raised:
        _load(text)
    assert len(str(raised.value).splitlines()) == 2
