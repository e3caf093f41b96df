"""An analysis as a page to read, in a terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from post_training_toolkit.agents.analysis.distribution import Distribution
from post_training_toolkit.agents.analysis.length_effect import LengthEffect
from post_training_toolkit.agents.analysis.result import AgentInsight, Analysis
from post_training_toolkit.engine.page import (
    Item,
    Page,
    Section,
    page_as_markdown,
    page_as_text,
)
from post_training_toolkit.rules.printable import printable

_MOST_ROWS = 20
_QUANTITIES = {"acts": "Acts", "tokens": "Tokens", "cost": "Cost in US dollars"}
_NOTHING = "No episodes."


def analysis_text(analysis: Analysis) -> str:
    """Return the analysis for a terminal, 100 columns wide."""
    return page_as_text(_page(analysis)).rstrip() if analysis.episodes else _NOTHING


def analysis_markdown(analysis: Analysis) -> str:
    """Return the analysis as Markdown."""
    return page_as_markdown(_page(analysis)) if analysis.episodes else f"{_NOTHING}\n"


def _page(analysis: Analysis) -> Page:
    sections = (
        Section("In short", (), tuple(map(Item, _answers(analysis)))),
        _insights(analysis),
        Section("Success by type of prompt", *_types(analysis)),
        Section("Length and cost", (), tuple(_spreads(analysis))),
        Section("Tools", (), tuple(map(Item, _tools(analysis)))),
        Section("Attempts at the same task", (), tuple(map(Item, _tasks(analysis)))),
        Section("Ends", (), tuple(map(Item, _ends(analysis)))),
        Section("Not measured", (), tuple(map(Item, analysis.not_measured))),
    )
    shown = tuple(each for each in sections if each.paragraphs or each.items)
    lead = "Ranges behind shares and correlations are 95 % intervals."
    return Page(f"{analysis.episodes:,} episodes of agents", lead, shown)


def _answers(analysis: Analysis) -> Iterator[str]:
    labels = analysis.labels
    yield f"Success: {analysis.success or 'nobody judged an episode'}"
    if labels.unjudged and analysis.success:
        yield f"Not judged: {labels.unjudged:,} episodes, which count as neither"
    yield f"Episodes with repeated calls of tools: {analysis.repeated_calls}"
    yield f"Episodes with malformed calls of tools: {analysis.malformed_calls}"
    if labels.conflicts:
        yield f"Successes that their reward contradicts: {labels.conflicts:,}"


def _insights(analysis: Analysis) -> Section:
    if not analysis.insights:
        return Section("Insights", ("No rule fired.",))
    return Section("Insights", (), tuple(_insight_items(analysis.insights)))


def _insight_items(insights: tuple[AgentInsight, ...]) -> Iterator[Item]:
    for insight in insights:
        where = "" if insight.episodes is None else f" In {insight.episodes} episodes."
        yield Item(f"{insight.severity}: {insight.title} (`{insight.rule}`).{where}")
        if not insight.examples:
            yield Item(printable(insight.message), 1)
        for example in insight.examples:
            at = "" if example.step is None else f", step {example.step}"
            yield Item(f"{printable(example.episode)}{at}: {printable(example.message)}", 1)
        if insight.episodes is not None and insight.episodes.count > len(insight.examples) > 0:
            yield Item(f"and {insight.episodes.count - len(insight.examples):,} more", 1)
        for advice in insight.remediation[:1]:
            yield Item(f"What to do: {advice}", 1)


def _types(analysis: Analysis) -> tuple[tuple[str, ...], tuple[Item, ...]]:
    if not analysis.success_by_type:
        return (f"Told by {analysis.type_source}.",), ()
    shown = list(analysis.success_by_type.items())
    items = [Item(f"{printable(name)}: {share}") for name, share in shown[:_MOST_ROWS]]
    if len(shown) > _MOST_ROWS:
        items.append(Item(f"and {len(shown) - _MOST_ROWS:,} more types"))
    return (f"Told by {analysis.type_source}.",), tuple(items)


def _spreads(analysis: Analysis) -> Iterator[Item]:
    for name, spread in analysis.spreads.items():
        yield Item(f"{_QUANTITIES[name]}: {_quantiles(spread.every)}")
        if spread.successes:
            yield Item(f"successes: {_quantiles(spread.successes)}", 1)
        if spread.failures:
            yield Item(f"failures: {_quantiles(spread.failures)}", 1)


def _quantiles(spread: Distribution) -> str:
    middle = f"median {_number(spread.median)}"
    half = f"half of them {_number(spread.lower_quartile)} to {_number(spread.upper_quartile)}"
    high = f"95 % below {_number(spread.p95)}, at most {_number(spread.largest)}"
    return f"{middle}, {half}, {high}, {_number(spread.total)} in all (n = {spread.episodes:,})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def _tools(analysis: Analysis) -> Iterator[str]:
    for tool in analysis.tools[:_MOST_ROWS]:
        errors = f"{tool.errors:,} errors ({tool.errors / tool.calls:.0%})".replace("%", " %")
        malformed = f", {tool.malformed:,} malformed" if tool.malformed else ""
        yield f"{printable(tool.name)}: {tool.calls:,} calls, {errors}{malformed}"
    if len(analysis.tools) > _MOST_ROWS:
        yield f"and {len(analysis.tools) - _MOST_ROWS:,} more tools"


def _tasks(analysis: Analysis) -> Iterator[str]:
    one_sided = analysis.labels.one_sided
    if one_sided:
        yield f"Tasks whose attempts all succeed or all fail: {one_sided}"
    for each in analysis.pass_at:
        yield (
            f"Of {each.k} attempt{'s' if each.k > 1 else ''} one succeeds: {each.any_passes:.2f}, "
            f"all do: {each.all_pass:.2f} (mean over {each.tasks:,} tasks)"
        )
    effects = {"over all episodes": analysis.length_pooled, "within tasks": analysis.length_within}
    for where, effect in effects.items():
        if effect is not None:
            yield f"Correlation of reward and acts {where}: {_effect(effect)}"


def _effect(effect: LengthEffect) -> str:
    known = effect.low is not None and effect.high is not None
    interval = f", {effect.low:.2f} to {effect.high:.2f}" if known else ", too few for an interval"
    tasks = "" if effect.tasks is None else f" of {effect.tasks:,} tasks whose attempts differ"
    return f"{effect.correlation:.2f}{interval} ({effect.episodes:,} episodes{tasks})"


def _ends(analysis: Analysis) -> Iterator[str]:
    if len(analysis.end_reasons) > 1:
        for reason, count in list(analysis.end_reasons.items())[:_MOST_ROWS]:
            yield f"{printable(reason)}: {count:,}"
