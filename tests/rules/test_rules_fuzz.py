"""Whatever a file holds, loading it ends in a bundle or in located problems."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from post_training_toolkit.rules.bundle import load_bundle
from post_training_toolkit.rules.lint import lint_bundle
from post_training_toolkit.rules.model import Source
from post_training_toolkit.rules.problem import InvalidRulesError
from post_training_toolkit.rules.sources import read_pack
from post_training_toolkit.schemas import load_schema

PACK = read_pack("dpo").text.decode()


def load_or_locate(text: bytes) -> None:
    """Load a file; fail unless it gives rules, or problems with a place in the file."""
    try:
        bundle = load_bundle([Source("my.yaml", text)])
    except InvalidRulesError as error:
        problems = error.problems
    else:
        for finding in lint_bundle(bundle, ["my.yaml"]):
            assert str(finding).startswith(f"my.yaml:{finding.line}:{finding.column}: ")
        for rule in bundle.rules:
            assert len(rule.message.render({})) < 10_000
        return
    assert problems
    lines = len(text.decode("utf-8", "replace").splitlines()) + 1
    for problem in problems:
        assert 1 <= problem.line <= lines
        assert problem.column >= 1
        assert len(str(problem)) < 1000
        assert str(problem).startswith(f"my.yaml:{problem.line}:{problem.column}: ")
    places = [(problem.line, problem.column) for problem in problems]
    assert places == sorted(places)


positions = st.integers(0, len(PACK))
bits = st.one_of(
    st.text(max_size=3),
    st.sampled_from(
        ["\t", "\n", ": ", "- ", "[", "]", "{", "}", "&a ", "*a", "!!int ", "'", '"', "|", "#"]
    ),
    st.sampled_from(["null", "true", ".nan", "1e999", "0x" + "f" * 400, "2024-01-01", "{value:"]),
)


@st.composite
def mutated_packs(draw: st.DrawFn) -> str:
    """Draw the text of a pack after a few accidents."""
    text = PACK
    for _ in range(draw(st.integers(1, 4))):
        start = draw(positions)
        match draw(st.sampled_from(["delete", "insert", "replace", "lines"])):
            case "delete":
                text = text[:start] + text[start + draw(st.integers(1, 20)) :]
            case "insert":
                text = text[:start] + draw(bits) + text[start:]
            case "replace":
                new = draw(bits)
                text = text[:start] + new + text[start + len(new) :]
            case _:
                lines = text.splitlines(keepends=True)
                line = start % max(len(lines), 1)
                moved = lines[line : line + draw(st.integers(1, 5))]
                del lines[line : line + len(moved)]
                if draw(st.booleans()):
                    target = draw(positions) % (len(lines) + 1)
                    lines[target:target] = moved
                text = "".join(lines)
    return text


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mutated_packs())
def test_a_damaged_pack_loads_or_says_where_it_is_damaged(text: str) -> None:
    load_or_locate(text.encode("utf-8", "surrogatepass"))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_load_or_are_located(text: bytes) -> None:
    load_or_locate(text)


PARTS = load_schema("rules")["$defs"]
RULE_KEYS = [*PARTS["rule"]["properties"], "typo"]
OVERRIDE_KEYS = [*PARTS["override"]["properties"], "typo"]
INNER_KEYS = sorted(
    {
        key
        for name in ("condition", "threshold", "window", "citation")
        for key in PARTS[name]["properties"]
    }
)
numbers = st.sampled_from(["1", "0", "-1", "1.5", ".inf", "2024-01-01", "!!bool x"])
words = st.sampled_from(["a", "loss", "mean", "last", "high", "baseline", "initial_loss", "remedy"])
oddities = st.sampled_from(["null", "true", "~", "''", "=", "'1 +'", "'{value'"])
values = st.recursive(
    st.one_of(numbers, words, oddities),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.dictionaries(st.sampled_from(INNER_KEYS), inner, max_size=4).map(
            lambda items: "{" + ", ".join(f"{key}: {value}" for key, value in items.items()) + "}"
        ),
    ),
    max_leaves=10,
)
COMPLETE = {
    "id": "a",
    "title": "T",
    "metric": "loss",
    "threshold": "{above: 1}",
    "severity": "high",
    "message": "m",
    "remediation": "[x]",
    "citation": "[]",
    "threshold_origin": "empirical",
    "detects": "[loss_spike]",
}


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.sampled_from(RULE_KEYS), values, max_size=8),
    st.dictionaries(st.sampled_from(OVERRIDE_KEYS), values),
)
def test_any_values_under_the_known_keys_load_or_are_located(
    rule: dict[str, str], override: dict[str, str]
) -> None:
    whole = {**COMPLETE, **rule}
    lines = [f"    {key}: {value}" for key, value in whole.items()]
    changes = [f"    {key}: {value}" for key, value in override.items()]
    text = "\n".join(["version: 1", "rules:", "  -", *lines, "overrides:", "  -", *changes])
    load_or_locate(text.encode())


@pytest.mark.parametrize("size", [0, 1, 100, 1000, 5000])
def test_a_pack_that_was_cut_off_loads_or_is_located(size: int) -> None:
    load_or_locate(PACK.encode()[:size])
