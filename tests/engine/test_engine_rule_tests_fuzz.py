"""Damaged files of rule tests: each runs, or is refused with located problems.

``PTT_FUZZ_FILES`` says how many files the nightly fuzz tries; a tenth of them are rule tests.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from post_training_toolkit.engine.cli.main import main
from post_training_toolkit.engine.rule_tests import load_rule_tests
from post_training_toolkit.engine.rule_tests.suite import shipped_tests
from post_training_toolkit.rules.problem import InvalidRulesError

FILES = int(os.environ.get("PTT_FUZZ_FILES", "2000")) // 10
CHUNKS = 5
# A file takes well under two seconds; machines in CI are slower.
SECONDS = 5.0

ENTRIES = [
    entry
    for path in sorted(shipped_tests().glob("*.yaml"))
    for entry in yaml.safe_load(path.read_bytes())["tests"]
]
SERIES = (
    *("", " ", "x", "1x", "1x0", "1x3", "nanx3", "-inf", "null", "_", "_x9", "1e999", "1e308x9"),
    *("1e308+1e308x9", "0~1e308x9", "1x99999999999", "1x100001", "\u0661x3", "1\x00", "0x3", "-0"),
)
VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 1, 2, 10**9, 10**18, 10**400, 0.5, float("nan"), float("inf"), "", "a"),
    *(
        "\x1b[2J",
        "\x00",
        "é",
        "x" * 5000,
        "sft",
        "dpo",
        "loss_spike",
        "grad_norm_zero",
        "mine.yaml",
    ),
    *("../x", "/dev/zero", [], {}, [[]], [None], ["loss_spike"], ["a", "a"], [{}], {"a": "1x3"}),
    {"loss": "1x9", "grad_norm": "0x9"},
    [{"rule": "loss_spike", "step": 1}],
    [{"rule": "grad_norm_zero", "step": 3, "caused_by": "loss_spike", "escalated": 3}],
)
KEYS = (
    *("name", "trainer", "trl", "configuration", "max_steps", "logging_steps", "series", "rules"),
    *(
        "eval_steps",
        "eval_series",
        "expect",
        "silent",
        "rule",
        "step",
        "severity",
        "metric",
        "typo",
    ),
    *("caused_by", "escalated", "resolved", "message", "eval_loss", "loss", "fp16", "beta", ""),
)


def _holders(data: Any) -> Iterator[Any]:
    if isinstance(data, dict | list):
        yield data
        for value in data.values() if isinstance(data, dict) else data:
            yield from _holders(value)


def _damaged_data(draw: random.Random, data: Any) -> None:
    holder = draw.choice(list(_holders(data)))
    value = deepcopy(draw.choice(VALUES if draw.random() < 0.7 else SERIES))
    if isinstance(holder, list):
        holder.append(value)
    elif holder and draw.random() < 0.8:
        holder[draw.choice(sorted(holder))] = value
    else:
        holder[draw.choice(KEYS)] = value


def _damaged_text(draw: random.Random, text: bytes) -> bytes:
    start = draw.randrange(len(text))
    inserted = draw.choice(
        [b"", b"\0", b"\xff", b"\t", b": ", b"- ", b"[", b"&a ", b"*a", b"\n", b"'"]
    )
    return text[:start] + inserted + text[start + draw.randint(0, 10) :]


def _file(draw: random.Random) -> bytes:
    data: Any = {"version": 1, "tests": deepcopy(draw.sample(ENTRIES, draw.randint(1, 3)))}
    for _ in range(draw.randint(0, 2)):
        _damaged_data(draw, data)
    text: bytes = yaml.safe_dump(data, sort_keys=False).encode()
    return _damaged_text(draw, text) if draw.random() < 0.4 else text


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_damaged_file_of_tests_runs_or_says_where_it_is_damaged(
    chunk: int, tmp_path: Path
) -> None:
    path = tmp_path / "tests.yaml"
    for index in range(chunk, FILES, CHUNKS):
        path.write_bytes(_file(random.Random(index)))
        start = time.process_time()
        done = CliRunner().invoke(main, ["test", str(path), "--coverage"])
        assert time.process_time() - start < SECONDS, index
        assert isinstance(done.exception, SystemExit | None), index
        assert done.exit_code in (0, 1, 3), index
        if done.exit_code == 3:
            assert done.stderr, index
            for line in done.stderr.splitlines():
                assert line.startswith(f"{path}:"), index
                assert len(line) < 1000, index


def test_the_damage_is_neither_harmless_nor_total(tmp_path: Path) -> None:
    """Otherwise the fuzz would only ever see one side of the checks."""
    codes = [0, 0]
    for index in range(200):
        path = tmp_path / "tests.yaml"
        path.write_bytes(_file(random.Random(index)))
        try:
            load_rule_tests(path)
        except InvalidRulesError:
            codes[1] += 1
        else:
            codes[0] += 1
    assert min(codes) > 20


BOMBS = {
    "a long series": "series: {loss: '1x99999999'}, expect: []",
    "many long series": "series: {"
    + ", ".join(f"m{n}: 1x100000" for n in range(5000))
    + "}, expect: []",
    "many long steps": "series: {loss: '"
    + "1 " * 400_000
    + "'}, logging_steps: 1000000000, expect: []",
    "a number of a million digits": "max_steps: " + "9" * 900_000,
    "a name of a million letters": "rules: [" + "a" * 900_000 + "], series: {x: 1x3}, expect: []",
    "an item of a million letters": "series: {x: " + "a" * 900_000 + "}, expect: []",
    "many rules that are none": "series: {x: 1x3}, silent: ["
    + ", ".join(f"r{n}" for n in range(30_000))
    + "]",
    "nested lists": "configuration: " + "[" * 400_000,
}


@pytest.mark.parametrize("body", BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_refused_with_a_place_in_bounded_time(body: str, tmp_path: Path) -> None:
    path = tmp_path / "tests.yaml"
    path.write_text(f"version: 1\ntests:\n  - {{name: bomb, trainer: sft, {body}}}\n")
    start = time.process_time()
    done = CliRunner().invoke(main, ["test", str(path)])
    assert time.process_time() - start < SECONDS
    assert isinstance(done.exception, SystemExit)
    assert done.exit_code == 3
    assert max(map(len, done.stderr.splitlines())) < 1000
