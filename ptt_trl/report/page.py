"""Writes a report as one HTML page that needs nothing beside itself."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import orjson
from markupsafe import Markup

from post_training_toolkit.ptt_trl.page_template import page_template
from post_training_toolkit.ptt_trl.report.charts import Chart, ShadedSpan
from post_training_toolkit.ptt_trl.report.content import Report


def render_page(report: Report) -> str:
    """Return the report as HTML, with its style, its script and the numbers of its charts."""
    charts_of: dict[str, list[Chart]] = {
        each.anchor: [] for finding in report.findings for each in (finding, *finding.consequences)
    }
    for chart in report.charts:
        for anchor in dict.fromkeys(each.anchor for each in chart.spans):
            charts_of[anchor].append(chart)
    return page_template("run_report.html.jinja").render(
        report=report,
        charts_of=charts_of,
        data=_data(report),
    )


def _data(report: Report) -> Markup:
    """Return what the script draws, as JSON that ends no script element."""
    data = {
        "charts": [_chart_data(each) for each in report.charts],
        "marks": asdict(report.marks),
    }
    text = orjson.dumps(data).decode()
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704 - nothing in it can end the element


def _chart_data(chart: Chart) -> dict[str, Any]:
    return {
        "anchor": chart.anchor,
        "lines": [asdict(line) for line in chart.lines],
        "spans": [_span_data(each) for each in chart.spans],
        "best": [asdict(each) for each in chart.best],
    }


def _span_data(shaded: ShadedSpan) -> dict[str, Any]:
    span = shaded.span
    return {
        "first": span.first,
        "last": shaded.until,
        "text": str(span),
        "severity": shaded.severity,
        "label": shaded.label,
        "anchor": shaded.anchor,
    }
