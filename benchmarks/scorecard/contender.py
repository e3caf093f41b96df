"""Whoever takes part: the shipped rules, the naive ones, and other tools that are installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.scorecard.judging import judge
from benchmarks.scorecard.peers import installed_peers
from post_training_toolkit.engine.backtest import BrokenRun, score_folder
from post_training_toolkit.engine.backtest_score import ScoredRun
from post_training_toolkit.rules.sources import default_sources, read_file

NAIVE_RULES = Path(__file__).with_name("naive_rules.yaml")
SHIPPED, NAIVE = "shipped rules", "naive rules"


@dataclass(frozen=True, slots=True)
class Contender:
    """A name for the tables, and what scores the run in a folder; it can be sent to a process."""

    name: str
    score: Callable[[Path], ScoredRun | BrokenRun]


def contenders() -> Sequence[Contender]:
    """Return everybody who takes part here, the shipped rules first."""
    return list(_contenders())


def _contenders() -> Iterator[Contender]:
    yield Contender(SHIPPED, partial(score_folder, default_sources()))
    yield Contender(NAIVE, partial(score_folder, (read_file(NAIVE_RULES),)))
    for peer in installed_peers():
        yield Contender(peer.name, partial(judge, peer.find))
