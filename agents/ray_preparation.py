"""Prepares training data on a Ray cluster, with the rows of the local way.

Files are read apart from each other, episodes are brought together by prompt, and each prompt is
worked on alone: no row depends on episodes with another prompt.
"""

from __future__ import annotations

import logging
import pickle
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.message import JsonObject
from post_training_toolkit.agents.problem import TraceProblem
from post_training_toolkit.agents.prompt_key import prompt_key
from post_training_toolkit.agents.readers.choose import choose_formats, format_named
from post_training_toolkit.agents.readers.records import TraceFile
from post_training_toolkit.agents.training_data.arrow_file import dataset_of
from post_training_toolkit.agents.training_data.preference_pairs import (
    PreferencePairs,
    TaskPrompts,
)
from post_training_toolkit.agents.training_data.preparation import PreparationReport, Prepared
from post_training_toolkit.agents.training_data.recipe import Recipe

if TYPE_CHECKING:
    import pandas
    import ray.data

    from post_training_toolkit.agents.readers.trace_format import TraceFormat

_ROW, _REPORT, _TASKS, _PROBLEM = "row", "report", "tasks", "problem"
# Behind which no prompt's key can sort; what cannot be read has no prompt.
_NO_PROMPT = ""
# A file has fewer episodes than this, so that file and place make one number.
_MOST_OF_A_FILE = 2**40
# Prompts differ in how many attempts they have; more parts even that out.
_PARTS_PER_PROCESSOR = 4


def prepare_on_ray(
    recipe: Recipe, paths: Sequence[Path], trace_format: TraceFormat | None = None
) -> tuple[Prepared, list[TraceProblem]]:
    """Return the data set and report of a recipe, and what could not be read.

    The rows and their order are those of ``recipe.prepare`` on the same files. Every machine of the
    cluster must see the files under the same paths. Uses the Ray that is running, or starts one
    here. Raises ``ImportError`` without Ray, and what the recipe raises.
    """
    ray_data, processors = _start_ray()
    chosen = list(choose_formats(paths, trace_format))
    problems = [each for each in chosen if isinstance(each, TraceProblem)]
    files = [
        {"order": order, "path": str(file.path), "format": found.name}
        for order, (file, found) in enumerate(
            each for each in chosen if not isinstance(each, TraceProblem)
        )
    ]
    report, tally = PreparationReport(recipe.rows_are), recipe.tally()
    if not files:
        tally.tell(report)
        return Prepared(dataset_of((), recipe.rows_are), report), problems
    episodes = ray_data.from_items(files, override_num_blocks=len(files)).flat_map(_read)
    by_prompt = episodes.groupby("key", num_partitions=_PARTS_PER_PROCESSOR * processors)
    pieces = by_prompt.map_groups(
        lambda group: _work_on(recipe, group), batch_format="pandas"
    ).materialize()
    problems += _merge(recipe, pieces, report)
    rows = pieces.filter(lambda piece: piece["kind"] == _ROW).sort(["key", "place"])
    texts = (orjson.loads(piece["text"]) for piece in rows.iter_rows())
    dataset = dataset_of(tally.watch(texts), recipe.rows_are)
    tally.tell(report)
    return Prepared(dataset, report), problems


def _start_ray() -> tuple[Any, int]:
    """Return Ray's data library, quietened, and how many processors the cluster has."""
    try:
        import ray
        import ray.data
    except ModuleNotFoundError as error:
        raise ImportError(
            'Ray is not installed; run: pip install "post-training-toolkit[agents,ray]"'
        ) from error
    if not ray.is_initialized():
        ray.init(include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    return ray.data, max(int(ray.cluster_resources().get("CPU", 1)), 1)  # type: ignore[no-untyped-call]


def _read(file: JsonObject) -> Iterator[JsonObject]:
    """Yield the episodes of a file, each with its prompt and place."""
    found = format_named(file["format"])
    first = int(file["order"]) * _MOST_OF_A_FILE
    for place, each in enumerate(found.read(TraceFile(Path(file["path"]))), start=first):
        key = _NO_PROMPT if isinstance(each, TraceProblem) else prompt_key(each)
        yield {"key": key, "place": place, "pickled": pickle.dumps(each)}


def _work_on(recipe: Recipe, group: pandas.DataFrame) -> pandas.DataFrame:
    """Return the rows of a prompt, what became of its episodes, and which tasks they are of."""
    import pandas

    group = group.sort_values("place")
    key = group["key"].iloc[0]
    # What the other half of this pipeline has written.
    found = [pickle.loads(each) for each in group["pickled"]]  # noqa: S301
    if key == _NO_PROMPT:
        pieces = [_piece(_PROBLEM, key, place, each) for place, each in enumerate(found)]
    else:
        pieces = _pieces(recipe, key, found, list(group["place"]))
    return pandas.DataFrame(pieces)


def _pieces(
    recipe: Recipe, key: str, episodes: list[Episode], places: list[int]
) -> list[dict[str, Any]]:
    report = PreparationReport(recipe.rows_are)
    # Where a row comes of one episode, it is the one that was taken last.
    waiting = deque(episodes)
    pieces = []
    for number, row in enumerate(recipe.rows(_take_all(waiting), report)):
        place = number if recipe.by_prompt else places[-len(waiting) - 1]
        # Rows in the order of the episodes sort by their place alone.
        group = key if recipe.by_prompt else ""
        text = orjson.dumps(row)
        pieces.append({"kind": _ROW, "key": group, "place": place, "text": text, "pickled": b""})
    pieces.append(_piece(_REPORT, key, 0, report))
    if isinstance(recipe, PreferencePairs):
        tasks, untold = TaskPrompts(), PreparationReport(recipe.rows_are)
        for of_key, attempts in recipe.sort_attempts(episodes, untold).items():
            tasks.add(of_key, attempts)
        pieces.append(_piece(_TASKS, key, 0, tasks))
    return pieces


def _take_all(waiting: deque[Episode]) -> Iterator[Episode]:
    while waiting:
        yield waiting.popleft()


def _piece(kind: str, key: str, place: int, content: object) -> dict[str, Any]:
    pickled = pickle.dumps(content)
    return {"kind": kind, "key": key, "place": place, "text": b"", "pickled": pickled}


def _merge(
    recipe: Recipe, pieces: ray.data.Dataset, report: PreparationReport
) -> list[TraceProblem]:
    """Add up the reports, refuse what the recipe refuses, and return what could not be read."""
    tasks = TaskPrompts()
    problems = []
    others = pieces.filter(lambda piece: piece["kind"] != _ROW).sort(["key", "place"])
    for piece in others.iter_rows():
        content = pickle.loads(piece["pickled"])  # noqa: S301 - written by a worker of this run
        match piece["kind"]:
            case "report":
                report.merge(content)
            case "tasks":
                tasks.merge(content)
            case "problem":
                problems.append(content)
    if isinstance(recipe, PreferencePairs):
        recipe.refuse(tasks)
    return problems
