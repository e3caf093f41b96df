"""An analysis as JSON holds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from post_training_toolkit.agents.analysis.result import AgentInsight, Analysis
from post_training_toolkit.agents.analysis.share import Share

_VERSION = 1


def analysis_document(analysis: Analysis) -> dict[str, Any]:
    """Return the analysis by the schema ``agent_analysis``."""
    labels = analysis.labels
    return {
        "version": _VERSION,
        "episodes": analysis.episodes,
        "success": _share(analysis.success),
        "repeated_calls": _share(analysis.repeated_calls),
        "malformed_calls": _share(analysis.malformed_calls),
        "success_by_type": {
            name: share.to_json() for name, share in analysis.success_by_type.items()
        },
        "type_source": analysis.type_source,
        "insights": [_insight(insight) for insight in analysis.insights],
        "spreads": _plain(analysis.spreads),
        "tools": [asdict(tool) for tool in analysis.tools],
        "pass_at": [asdict(each) for each in analysis.pass_at],
        "end_reasons": dict(analysis.end_reasons),
        "length_pooled": analysis.length_pooled and asdict(analysis.length_pooled),
        "length_within": analysis.length_within and asdict(analysis.length_within),
        "labels": {**asdict(labels), "one_sided": _share(labels.one_sided)},
        "not_measured": list(analysis.not_measured),
    }


def _share(share: Share | None) -> dict[str, float] | None:
    return None if share is None else share.to_json()


def _plain(parts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: asdict(part) for name, part in parts.items()}


def _insight(insight: AgentInsight) -> dict[str, Any]:
    return {
        **asdict(insight),
        "severity": str(insight.severity),
        "episodes": _share(insight.episodes),
        "examples": [asdict(example) for example in insight.examples],
        "remediation": list(insight.remediation),
        "citations": list(insight.citations),
    }
