"""Thousands of damaged packs: each loads, or is refused with located problems, in bounded time.

``PTT_FUZZ_FILES`` says how many files are tried; a nightly run tries ten times as many.
"""

from __future__ import annotations

import codecs
import os
import random
import re
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from post_training_toolkit.engine.cli.main import main
from post_training_toolkit.engine.containment import Containment
from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.rules.bundle import load_bundle
from post_training_toolkit.rules.lint import lint_bundle
from post_training_toolkit.rules.model import RuleBundle, Source
from post_training_toolkit.rules.problem import InvalidRulesError
from post_training_toolkit.rules.sources import default_sources
from post_training_toolkit.schemas import load_schema

FILES = int(os.environ.get("PTT_FUZZ_FILES", "2000"))
CHUNKS = 20
# One file in so many goes through the command, too.
COMMAND_EVERY = 20
# A file takes well under two seconds; machines in CI are slower.
SECONDS = 5.0
LONGEST_PROBLEM = 1000

ENTRIES = [entry for source in default_sources() for entry in yaml.safe_load(source.text)["rules"]]
STATISTICS = load_schema("rules")["$defs"]["statistic_name"]["else"]["enum"]
NASTY_TEXTS = (
    *("null", "~", "true", "''", "=", "<<", "-", "?", "|", ">", "*", "&a", "*a", "&a [*a]", "!!x"),
    *(".nan", ".inf", "-.inf", "1e400", "1.0e+400", "-0.0", "0", "-1", "1_000", "1:30", "0x1F"),
    *("9" * 400, "0x" + "f" * 400, "1" + ":59" * 60, "2024-13-45", "!!int ''", "!!float x"),
    *("!!binary é", "!!set {a}", "!!python/object/apply:os.system [true]", "!!python/name:os.kill"),
    *("{<<: *a}", "{<<: {a: 1}}", "[[[[]]]]", "{a: {b: {c: {}}}}", "[" * 60, "{a: " * 60),
    *("'{value.__class__}'", "'{0}'", "'{}'", "'{value:>1000000000}'", "'{value!r}'", "'{{'"),
    *("'{'", "'%s%n'", "'{value[0]}'", "'{value:{step}}'", '"\\0"', '"\\x1b[2J"', '"\\uFFFE"'),
    *("'__import__(\"os\")'", "'9**9**9**9'", "'1/0'", "'max()'", "'a.b'", "'" + "(" * 200 + "'"),
    *("[../../etc/passwd]", "[/dev/zero]", "[pack:nothing]", "[pack:default]", "river.stats.Mean"),
)
NASTY_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 10**6, 10**18, 10**400, -(10**400), 0.5, -0.0, 1e308, 5e-324),
    *(float("nan"), float("inf"), float("-inf"), "", " ", "a", "é", "x" * 5000, "\x00", "\x1b[31m"),
    *("loss", "*", "a*b*", "rewards/*/std", "eval_loss", "mean", "run", "baseline", "running_best"),
    *("{value}", "{value.__class__}", "{0}", "{value:>1000000000}", "{", "1e400", "9**9**9", "1/0"),
    *("log(0)", "n", "(" * 200, "-" * 200 + "1", "pack:default", "../x", "river.stats.Mean"),
    *("river.stats.Quantile", "river.stats.RollingMean", "river.drift.ADWIN", "river.stats.os"),
    *([], {}, [[]], [{}], [None], ["a", "a"], [0, 1], [1, 0], ["-n", "n"], {"a": 1}, {"name": "x"}),
    {"name": "quantile", "q": 0.5},
    {"name": "fraction", "above": "n"},
    {"name": "correlation", "with": "grad_norm"},
    {"name": "river.stats.RollingQuantile", "arguments": {"q": 2, "window_size": -1}},
    {"statistic": "mean", "window": 3},
    {"metric": "loss", "threshold": {"above": 0}},
    {"fraction": 0.5, "at_least": 1, "at_most": 2},
    {"above": 0},
    {"between": [-1, 1], "relative_to": "baseline"},
    {"severity": "critical", "threshold": {"above": 0}},
)
KEYS = (
    *("metric", "statistic", "window", "threshold", "all", "any", "not", "label", "for", "after"),
    *("until", "where", "escalation", "cool_down", "keep_firing_for", "trl", "tags", "caused_by"),
    *("inhibits", "renamed_from", "learning_rate_phase", "relative_to", "difference_from", "above"),
    *("below", "reference_at_least", "crash", "text", "exit_reason", "id", "name", "typo", ""),
)

# What may take the place of a value without making the file invalid at once.
FITTING: dict[str, tuple[Any, ...]] = {
    "metric": ("*", "rewards/*/std", "*/*", "eval_loss", "loss", "grad_norm", "learning_rate"),
    "statistic": (*STATISTICS, "river.stats.Mean", {"name": "quantile", "q": 0.99}),
    "window": (1, 2, 3, 100_000, "run", {"fraction": 1, "at_least": 1, "at_most": 5}),
    "relative_to": ("baseline", "running_best", {"statistic": "mean", "window": 2}),
    "for": (1, 2, 100_000),
    "keep_firing_for": (1, 100_000),
    "threshold": ({"above": -1e308}, {"outside": [0, 1]}, {"missing": True}, {"equals": "n"}),
    "fraction": (5e-324, 0.999),
    "observations": (1, 10**9),
    "message": ("{value} {ratio:+,.9f} {window} {metric:.3g} {step:e} {threshold:%}", "{{}}"),
    "severity": ("low", "critical"),
    "text": (
        "(a+)+b",
        ".*.*x",
        "[",
        "|",
        "(?i)A.{0,80}b",
        "x" * 1001,
        ["(" * 200, "(?P<a>.)(?P=a)"],
    ),
    "exit_reason": (["exception", "exited"], ["oom"], []),
    "signal": (["SIGKILL"], ["SIGNOTHING"], 9),
}
NUMBERS = (0, -1, 1, 0.5, 1e308, -1e308, 5e-324, 10**15, "n", "n / 0", "exp(n ** 9)", "beta * 2")

Damage = Callable[[random.Random, bytes], bytes]


def flip_bytes(draw: random.Random, text: bytes) -> bytes:
    damaged = bytearray(text)
    for _ in range(draw.randint(1, 5)):
        damaged[draw.randrange(len(damaged))] ^= 1 << draw.randrange(8)
    return bytes(damaged)


def cut_or_insert(draw: random.Random, text: bytes) -> bytes:
    start = draw.randrange(len(text))
    inserted = draw.choice(
        [b"", b"\0", b"\xff", b"\t", b"\r", b"\xc2\x85", b"\xef\xbb\xbf", b"\n---\n"]
    )
    return text[:start] + inserted + text[start + draw.randint(0, 30) :]


def change_encoding(draw: random.Random, text: bytes) -> bytes:
    decoded = text.decode()
    return draw.choice(
        [
            decoded.encode("utf-16"),
            decoded.encode("utf-16-be"),
            decoded.encode("utf-32"),
            codecs.BOM_UTF8 + text,
            decoded.replace("e", "é").encode("latin-1", "replace"),
            text[: draw.randrange(len(text))],
        ]
    )


def move_lines(draw: random.Random, text: bytes) -> bytes:
    lines = text.splitlines(keepends=True)
    start = draw.randrange(len(lines))
    moved = lines[start : start + draw.randint(1, 4)]
    if draw.random() < 0.6:
        del lines[start : start + len(moved)]
    if draw.random() < 0.7:
        target = draw.randrange(len(lines) + 1)
        lines[target:target] = moved
    return b"".join(lines)


def indent_line(draw: random.Random, text: bytes) -> bytes:
    lines = text.splitlines(keepends=True)
    line = draw.randrange(len(lines))
    shift = draw.choice([b" ", b"  ", b"    ", b"\t", b"- ", b"? ", b""])
    lines[line] = shift + (lines[line] if shift else lines[line].lstrip())
    return b"".join(lines)


def swap_value(draw: random.Random, text: bytes) -> bytes:
    lines = text.splitlines(keepends=True)
    with_value = [index for index, line in enumerate(lines) if b": " in line]
    if with_value:
        line = draw.choice(with_value)
        key = lines[line].rpartition(b": ")[0]
        lines[line] = key + b": " + draw.choice(NASTY_TEXTS).encode() + b"\n"
    return b"".join(lines)


def change_data(draw: random.Random, text: bytes) -> bytes:
    data = yaml.safe_load(text)
    for _ in range(draw.randint(1, 3)):
        holders = list(_holders(data))
        holder = draw.choice(holders)
        value = deepcopy(draw.choice(NASTY_VALUES))
        match holder:
            case dict() if holder and draw.random() < 0.7:
                key = draw.choice(sorted(holder))
                if draw.random() < 0.3:
                    del holder[key]
                else:
                    holder[key] = value
            case dict():
                holder[draw.choice(KEYS)] = value
            case list() if holder and draw.random() < 0.7:
                holder[draw.randrange(len(holder))] = value
            case _:
                holder.append(value)
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=draw.random() < 0.5).encode()


def retune(draw: random.Random, text: bytes) -> bytes:
    """Replace values by extreme ones of their kind."""
    data = yaml.safe_load(text)
    for _ in range(draw.randint(1, 4)):
        holders = [each for each in _holders(data["rules"]) if isinstance(each, dict)]
        places = [(holder, key) for holder in holders for key in holder if key in FITTING]
        bounds = [
            (holder, key) for holder in holders for key in holder if key in ("above", "below")
        ]
        holder, key = draw.choice(places + bounds)
        holder[key] = deepcopy(draw.choice(FITTING.get(key, NUMBERS)))
    return yaml.safe_dump(data, sort_keys=False).encode()


def _holders(data: Any) -> Iterator[Any]:
    if isinstance(data, (dict, list)):
        yield data
        for value in data.values() if isinstance(data, dict) else data:
            yield from _holders(value)


TEXTUAL: tuple[Damage, ...] = (
    *(flip_bytes, cut_or_insert, move_lines, indent_line, swap_value, swap_value),
)


def damaged_file(draw: random.Random) -> bytes:
    """Take some shipped rules and damage them once or a few times."""
    entries = [dict(entry) for entry in draw.sample(ENTRIES, draw.randint(1, 3))]
    head = {"version": 1, **({"extends": ["pack:default"]} if draw.random() < 0.1 else {})}
    if "extends" not in head:
        # The rules that these relations name are not in the file.
        for entry in entries:
            entry.pop("inhibits", None)
            entry.pop("caused_by", None)
    text = yaml.safe_dump({**head, "rules": entries}, sort_keys=False).encode()
    # What every rule needs comes through; what is odd inside is what is judged.
    text = text.replace(b"id: ", b"id: my_") if "extends" in head else text
    kind = draw.random()
    if kind < 0.4:
        return retune(draw, text)
    if kind < 0.6:
        return change_data(draw, text)
    if kind < 0.65:
        return change_encoding(draw, text)
    for _ in range(draw.randint(1, 4)):
        text = draw.choice(TEXTUAL)(draw, text) or b"x"
    return text


def text_of(text: bytes) -> str:
    """Decode a file as an editor does that knows its byte order mark."""
    if text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return text.decode("utf-16", "replace")
    return text.decode("utf-8", "replace")


def lies_inside(line: int, column: int, text: str) -> bool:
    """Return whether there is such a place, by the line ends of editors or by those of YAML."""
    for ends in ("\n", "\r\n|[\n\r\x85\u2028\u2029]"):
        lines = [*re.split(ends, text), ""]
        if 1 <= line <= len(lines) and 1 <= column <= len(lines[line - 1]) + 2:
            return True
    return False


def load_or_locate(text: bytes, folder: Path) -> RuleBundle | None:
    """Load a file; fail unless it gives rules, or problems with a place in the file."""
    bundle = None
    try:
        bundle = load_bundle([Source("my.yaml", text, str(folder))])
        problems = lint_bundle(bundle, ["my.yaml"])
    except InvalidRulesError as error:
        problems = list(error.problems)
    assert bundle is not None or problems
    decoded = text_of(text)
    for problem in problems:
        assert lies_inside(problem.line, problem.column, decoded), problem
        assert len(str(problem)) <= LONGEST_PROBLEM
        assert str(problem).isprintable()
        assert str(problem).startswith(f"my.yaml:{problem.line}:{problem.column}: ")
    return bundle


HOSTILE_LOGS: tuple[Any, ...] = (
    *(1.0, -1.0, 0.0, 1e308, -1e308, 5e-324, 10**400, True, None, "text", "NaN", [1], {"a": 1.0}),
    *(float("nan"), float("inf"), float("-inf"), 1.0, 2.0, 3.0),
)


def run_on_hostile_rows(bundle: RuleBundle, draw: random.Random) -> None:
    """Feed rules with rows of anything; nothing may fail, not even inside a containment."""
    metrics = sorted({metric for rule in bundle.rules for metric in rule.metrics})
    names = [metric.replace("*", "some") for metric in metrics]
    trainers = [None, *sorted({each for rule in bundle.rules for each in rule.gate.trainers})]
    configuration = {"beta": draw.choice(HOSTILE_LOGS), "n": 8, "fp16": True, "a": 1}
    containment = Containment()
    run = RunDescription(draw.choice(trainers), configuration, draw.choice([None, 1, 100]), 1)
    engine = Engine(bundle.rules, run, containment)
    for step in range(40):
        logs = {name: draw.choice(HOSTILE_LOGS) for name in names}
        engine.observe(draw.choice([step, step, 0, 10**9]), admit(logs))
    engine.finish(40)
    engine.coverage()
    assert containment.failures == {}


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_damaged_pack_loads_or_says_where_it_is_damaged(chunk: int, tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    for index in range(chunk, FILES, CHUNKS):
        text = damaged_file(random.Random(index))
        start = time.process_time()
        bundle = load_or_locate(text, tmp_path)
        assert time.process_time() - start < SECONDS, index
        if bundle is not None:
            run_on_hostile_rows(bundle, random.Random(index))
        if index // CHUNKS % COMMAND_EVERY == 0:
            path.write_bytes(text)
            done = CliRunner().invoke(main, ["validate", "--strict", str(path)])
            assert done.exception is None or isinstance(done.exception, SystemExit), index
            assert done.exit_code in (0, 1, 3), index


def test_the_damage_is_neither_harmless_nor_total(tmp_path: Path) -> None:
    """Otherwise the fuzz would only ever see one side of the checks."""
    loaded = [
        load_or_locate(damaged_file(random.Random(index)), tmp_path) is not None
        for index in range(200)
    ]
    assert 0.1 < sum(loaded) / len(loaded) < 0.9
