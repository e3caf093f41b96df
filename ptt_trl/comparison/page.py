"""Shows a comparison as one HTML page that needs nothing beside itself."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import orjson
from markupsafe import Markup

from post_training_toolkit.ptt_trl.comparison.advice_words import advice_sentences
from post_training_toolkit.ptt_trl.comparison.run_comparison import RunComparison
from post_training_toolkit.ptt_trl.comparison.words import (
    alignment_sentence,
    configuration_sentence,
    configuration_table,
    incomparable_sentences,
    insight_table,
    metric_table,
    only_in_one,
    runs_table,
)
from post_training_toolkit.ptt_trl.page_template import page_template

# The most telling metrics; the others are folded away.
_AT_FIRST = 20


def render_page(comparison: RunComparison) -> str:
    """Return the comparison as HTML, with its style, its script and the numbers of its charts."""
    differences = comparison.configuration
    counting = [each for each in differences if not each.is_name]
    names = [each for each in differences if each.is_name]
    page = page_template("run_comparison.html.jinja").render(
        comparison=comparison,
        runs=runs_table(comparison.runs),
        advice=list(advice_sentences(comparison.checkpoints)),
        differing=configuration_sentence(comparison),
        configuration=configuration_table(counting, comparison.runs),
        names=configuration_table(names, comparison.runs),
        only_in_one=only_in_one(comparison.insights),
        insights=insight_table(comparison.insights, comparison.runs),
        alignment=alignment_sentence(comparison),
        metrics=metric_table(comparison, comparison.metrics[:_AT_FIRST]),
        other_metrics=metric_table(comparison, comparison.metrics[_AT_FIRST:]),
        incomparable=list(incomparable_sentences(comparison.metrics)),
        data=_data(comparison),
    )
    # What a tokenizer decodes, or the name of a file, may hold what is no text.
    return page.encode("utf-8", "replace").decode()


def _data(comparison: RunComparison) -> Markup:
    """Return what the script draws, as JSON that ends no script element."""
    charts = [{**asdict(each), "spans": [], "best": []} for each in comparison.charts]
    last = max((line.steps[-1] for chart in comparison.charts for line in chart.lines), default=0)
    marks: dict[str, Any] = {"checkpoints": [], "resumes": [], "death": None, "last_step": last}
    data = {"charts": charts, "marks": marks, "unit": comparison.alignment.unit}
    text = orjson.dumps(data).decode()
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704 - nothing in it can end the element
