"""What agent traces cost: to load, to judge, to turn into pairs; against the floor.

The floor is what every program must do: parse each line with orjson and group the lines by episode.
Ratios are those of median CPU times, taken in turns in one process. How it grows, and how much
memory it takes, is measured in a process of its own for each size. Run with ``make bench``; the
table is kept in docs/agents.md.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson

from post_training_toolkit.agents import AgentRunLog, to_preference_pairs

EPISODES = 100_000
OF_THE_RATIO = 20_000
SIZES = (25_000, 50_000, EPISODES)
ROUNDS = 5
LOAD_TARGET = 1.6
PEAK_TARGET_MB = 1024
# Twice the episodes may take this much more than twice the time.
LINEAR_TARGET = 1.25
TOOLS = ("search", "open", "edit", "run", "test")


def write_traces(path: Path, episodes: int) -> None:
    """Write native lines of episodes of 1 to 8 calls, five attempts at each prompt."""
    chance = random.Random(0)
    words = ["".join(chance.choices("etaoinshrdlu", k=chance.randint(2, 9))) for _ in range(2000)]

    def text(count: int) -> str:
        return " ".join(chance.choices(words, k=count))

    with path.open("wb") as file:
        for number in range(episodes):
            prompt = random.Random(number // 5).choices(words, k=25)
            for step, line in enumerate(episode_lines(" ".join(prompt), text, chance)):
                file.write(
                    orjson.dumps(
                        {"episode_id": f"ep_{number:06}", "step": step, **line},
                        option=orjson.OPT_APPEND_NEWLINE,
                    )
                )


def episode_lines(
    prompt: str, text: Callable[[int], str], chance: random.Random
) -> Iterator[dict[str, Any]]:
    """Yield the lines of one episode."""
    yield {"type": "user_message", "content": prompt}
    for _ in range(chance.randint(1, 8)):
        if chance.random() < 0.3:
            yield {"type": "assistant_message", "content": text(15)}
        tool = chance.choice(TOOLS)
        args = {"path": text(1), "line": chance.randint(1, 500)}
        yield {"type": "tool_call", "tool": tool, "args": args}
        yield {"type": "tool_result", "tool": tool, "result": text(chance.randint(5, 60))}
    yield {"type": "assistant_message", "content": text(30)}
    success = chance.random() < 0.45
    yield {
        "type": "episode_end",
        "success": success,
        "reward": float(success),
        "total_tokens": chance.randint(500, 9000),
        "cost": chance.random(),
    }


def floor(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Parse each line and group the lines by episode."""
    grouped: dict[str, list[dict[str, Any]]] = {}
    with path.open("rb") as file:
        for line in file:
            step = orjson.loads(line)
            grouped.setdefault(step["episode_id"], []).append(step)
    return grouped


def make_pairs(log: AgentRunLog) -> Any:
    """Turn a log into pairs as the walkthrough does."""
    return to_preference_pairs(
        log,
        positive=lambda e: e.success and e.total_steps < 15,
        negative=lambda e: not e.success or e.has_repeated_tool_pattern(),
    )


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the CPU time of some work; what it made is thrown away behind the clock."""
    gc.collect()
    begun = time.process_time()
    made = work()
    spent = time.process_time() - begun
    del made
    return spent


def peak_mb() -> int:
    """Return the most memory that this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def load_ratio(path: Path) -> tuple[float, float]:
    """Return median CPU seconds of loading over those of the floor, and of the load itself."""
    floors, loads = [], []
    for _ in range(ROUNDS):
        floors.append(cpu_seconds(lambda: floor(path)))
        loads.append(cpu_seconds(lambda: AgentRunLog.from_jsonl(path)))
    return statistics.median(loads) / statistics.median(floors), statistics.median(loads)


def stages(path: Path) -> dict[str, float]:
    """Load, judge and pair the episodes of a file once; return seconds, counts and the peak."""
    found: dict[str, float] = {}
    begun = time.process_time()
    log = AgentRunLog.from_jsonl(path)
    found["episodes"], found["load"] = len(log), time.process_time() - begun
    found["peak after load"] = peak_mb()
    begun = time.process_time()
    dataset = make_pairs(log)
    found["pairs"], found["pairing"] = len(dataset), time.process_time() - begun
    found["peak after pairs"] = peak_mb()
    begun = time.process_time()
    log.analyze()
    found["analysis"] = time.process_time() - begun
    found["peak after analysis"] = peak_mb()
    return found


def in_own_process(path: Path) -> dict[str, float]:
    """Return what ``stages`` measures in a process that has done nothing else."""
    with tempfile.TemporaryDirectory() as cache:
        done = subprocess.run(
            [sys.executable, __file__, "--stages", str(path)],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "HF_DATASETS_CACHE": cache, "TMPDIR": cache},
        )
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def main() -> int:
    """Print the table; return 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stages", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.stages is not None:
        print(json.dumps(stages(chosen.stages)))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "agent_runs.jsonl"
        write_traces(path, OF_THE_RATIO)
        ratio, seconds = load_ratio(path)
        print(f"load over the floor: {ratio:.2f} (at most {LOAD_TARGET})")
        print(f"load: {OF_THE_RATIO / seconds:,.0f} episodes a CPU second\n")
        rows = []
        for size in SIZES:
            write_traces(path, size)
            lines = sum(1 for _ in path.open("rb"))
            rows.append((lines, path.stat().st_size, in_own_process(path)))
    print("| episodes | lines | MB | load | pairs | pairing | analysis | peak: load, pairs, all |")
    print("|---|---|---|---|---|---|---|---|")
    for lines, size, row in rows:
        print(
            f"| {row['episodes']:,} | {lines:,} | {size / 1e6:.0f} | {row['load']:.1f} s "
            f"| {row['pairs']:,} | {row['pairing']:.1f} s | {row['analysis']:.1f} s "
            f"| {row['peak after load']}, {row['peak after pairs']}, "
            f"{row['peak after analysis']} MiB |"
        )
    return verdict(ratio, [row for _, _, row in rows])


def verdict(ratio: float, rows: list[dict[str, float]]) -> int:
    """Say which targets are missed; return 1 if one is."""
    missed = []
    if ratio > LOAD_TARGET:
        missed.append(f"loading costs {ratio:.2f} times the floor")
    if rows[-1]["peak after pairs"] > PEAK_TARGET_MB:
        missed.append(f"pairs took {rows[-1]['peak after pairs']} MiB")
    for stage in ("load", "pairing", "analysis"):
        growth = rows[-1][stage] / rows[-2][stage] / (rows[-1]["episodes"] / rows[-2]["episodes"])
        print(f"{stage}: twice the episodes take {2 * growth:.2f} times as long")
        if growth > LINEAR_TARGET:
            missed.append(f"{stage} does not grow linearly")
    for each in missed:
        print(f"MISSED: {each}")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
