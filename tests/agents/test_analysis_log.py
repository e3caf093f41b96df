"""What an analysis says of a whole log of episodes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from post_training_toolkit.agents import AgentRunLog
from post_training_toolkit.agents.analysis import Analysis, AnalysisSettings, agent_rules, analyze
from post_training_toolkit.agents.analysis.length_effect import effect_within, pooled_effect
from post_training_toolkit.agents.analysis.pass_at_k import pass_at_k
from post_training_toolkit.agents.analysis.share import Share
from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.message import Message, Role, ToolCall
from post_training_toolkit.rules.bundle import load_bundle
from post_training_toolkit.rules.catalogue import catalogue
from post_training_toolkit.rules.problem import InvalidRulesError
from post_training_toolkit.rules.sources import default_sources
from post_training_toolkit.schemas import load_schema

ANSWER = Message(Role.ASSISTANT, "Here it is")


def episode(name: str = "e", *, calls: int = 1, same: bool = False, **known: object) -> Episode:
    """Return an episode of so many calls, all the same or all different, and an answer."""
    messages = [Message(Role.USER, "Find it")]
    for place in range(calls):
        call = ToolCall("find", {"place": 0 if same else place})
        messages += [Message(Role.ASSISTANT, None, (call,)), Message(Role.TOOL, "nothing there")]
    return Episode(name, (*messages, ANSWER), **known)  # type: ignore[arg-type]


def fired(analysis: Analysis) -> dict[str, int | None]:
    """Return in how many episodes each rule fired, None for the whole log."""
    return {each.rule: each.episodes.count if each.episodes else None for each in analysis.insights}


def test_an_insight_names_the_episodes_and_steps_and_counts_every_one() -> None:
    log = [episode(f"ep_{n}", calls=4, same=n in {1, 2, 5, 6, 7}) for n in range(10)]
    [insight] = analyze(log, settings=AnalysisSettings(examples=2)).insights
    assert insight.rule == "agent_repeated_call"
    assert insight.episodes == Share(5, 10)
    assert [(each.episode, each.step) for each in insight.examples] == [("ep_1", 5), ("ep_2", 5)]
    assert (
        insight.examples[0].message
        == "The same call with the same result was made 4 times in a row"
    )


def test_sound_episodes_fire_no_rule() -> None:
    analysis = analyze(episode(f"e{n}", calls=n % 5, success=n % 3 > 0) for n in range(30))
    assert analysis.insights == ()
    assert "No rule fired." in str(analysis)


def test_the_log_answers_for_itself_and_is_printed_as_text() -> None:
    log = AgentRunLog([episode("a", calls=4, same=True), episode("b")])
    assert log.analyze() == analyze(log)
    assert "repeated calls of tools: 1 of 2 (50 %, 9 to 91 %)" in str(log.analyze())


def test_episodes_are_taken_one_by_one_and_may_come_from_a_stream() -> None:
    def stream() -> Iterator[Episode]:
        yield from (episode(f"e{n}") for n in range(50))

    assert analyze(stream()).episodes == 50


def test_nothing_is_found_in_no_episodes() -> None:
    analysis = analyze([])
    assert str(analysis) == "No episodes."
    assert analysis.success is None
    jsonschema.validate(analysis.to_json(), load_schema("agent_analysis"))


def test_an_episode_that_nobody_judged_is_no_failure() -> None:
    analysis = analyze([episode("a", success=True), episode("b", success=False), episode("c")])
    assert analysis.success == Share(1, 2)
    assert analysis.labels.unjudged == 1


def test_success_is_told_by_the_type_of_prompt_else_by_names_of_tasks_else_not_at_all() -> None:
    typed = [episode(prompt_type=kind, success=kind == "easy") for kind in ("easy", "hard", "easy")]
    analysis = analyze(typed)
    assert analysis.success_by_type == {"easy": Share(2, 2), "hard": Share(0, 1)}
    assert analysis.type_source == "the type that the trace gives"
    named = [episode(task=f"{kind}-{n}", success=n > 1) for kind in "ab" for n in range(4)]
    analysis = analyze(named)
    assert analysis.success_by_type == {"a": Share(2, 4), "b": Share(2, 4)}
    assert analysis.type_source == "the beginning of the task's name"
    assert analyze([episode(task=str(n), success=True) for n in range(9)]).success_by_type == {}


def test_tokens_and_cost_are_told_over_all_and_by_outcome() -> None:
    log = [
        episode(f"e{n}", success=n % 2 == 0, total_tokens=100 * n, cost=n / 100) for n in range(5)
    ]
    spreads = analyze(log).spreads
    assert spreads["tokens"].every.median == 200
    assert spreads["tokens"].every.total == 1000
    assert spreads["cost"].successes is not None
    assert spreads["cost"].successes.largest == 0.04
    assert spreads["cost"].failures is not None
    assert spreads["cost"].failures.episodes == 2


def test_what_could_not_be_measured_is_said_with_the_reason() -> None:
    told = analyze([episode(), episode(total_tokens=5)]).not_measured
    assert "tokens are not counted in 1 of 2 episodes" in told
    assert any(each.startswith("the tools on offer are not known") for each in told)


def test_errors_and_malformed_calls_are_counted_by_tool() -> None:
    call = Message(Role.ASSISTANT, None, (ToolCall("fly", {}, unparsed="{"),))
    bad = Episode("bad", (call, Message(Role.TOOL, "Error: no"), ANSWER))
    analysis = analyze([bad, episode()])
    assert [(t.name, t.calls, t.errors, t.malformed) for t in analysis.tools] == [
        ("fly", 1, 1, 1),
        ("find", 1, 0, 0),
    ]
    assert analysis.malformed_calls == Share(1, 2)


def test_a_budget_is_set_against_other_attempts_at_the_same_task_only() -> None:
    easy = [episode(f"easy{n}", task="easy", calls=5) for n in range(4)]
    hard = [episode(f"hard{n}", task="hard", calls=40) for n in range(4)]
    assert "agent_budget_runaway" not in fired(analyze([*easy, *hard]))
    [insight] = analyze([*easy, *hard, episode("far", task="easy", calls=40)]).insights
    assert insight.rule == "agent_budget_runaway"
    assert [each.episode for each in insight.examples] == ["far"]


def test_labels_that_contradict_each_other_are_told() -> None:
    log = [
        episode("a", task="t", success=True, reward=0.2),
        episode("b", task="t", success=False, reward=0.9),
        episode("c", task="u", success=True, reward=1.0),
        episode("d", task="u", success=True, reward=0.0),
    ]
    assert analyze(log).labels.conflicts == 2
    assert "agent_label_conflict" in fired(analyze(log))


def test_rewards_below_zero_contradict_no_success() -> None:
    log = [episode("a", success=True, reward=-3.0), episode("b", success=False, reward=-9.0)]
    assert analyze(log).labels.conflicts == 0


def test_tasks_that_always_end_alike_and_ids_that_are_there_twice_are_told() -> None:
    log = [episode("e", task=f"t{n}", success=n > 3) for n in range(12) for _ in range(2)]
    analysis = analyze(log)
    assert analysis.labels.one_sided == Share(12, 12)
    assert {"agent_one_sided_tasks", "agent_duplicate_ids"} <= fired(analysis).keys()


def test_pass_at_k_is_that_of_all_choices_of_attempts() -> None:
    """Two of four succeed: of six pairs one has no success, and one has two."""
    assert [(p.k, p.any_passes, p.all_pass) for p in pass_at_k([(4, 2)])] == [
        (1, 0.5, 0.5),
        (2, pytest.approx(5 / 6), pytest.approx(1 / 6)),
        (4, 1.0, 0.0),
    ]


def test_the_interval_of_a_share_is_wilson_s() -> None:
    """Newcombe (1998, Statistics in Medicine 17:857), table I: 81 of 263 and 0 of 20."""
    assert Share(81, 263).interval == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert Share(0, 20).interval == pytest.approx((0.0, 0.1611), abs=5e-5)


def test_length_is_judged_within_tasks_where_hard_ones_take_long() -> None:
    """Over all episodes length and reward go apart; within every task they do not."""
    log = [
        episode(f"{task}-{n}", task=f"t{task}", calls=2 * task + n % 2, reward=reward)
        for task in range(12)
        for n, reward in enumerate(
            [1.0 - task / 12, 1.0 - task / 12, 0.9 - task / 12, 0.9 - task / 12]
        )
    ]
    analysis = analyze(log)
    assert analysis.length_pooled is not None
    assert analysis.length_pooled.correlation < -0.9
    assert analysis.length_within is not None
    assert analysis.length_within.correlation == pytest.approx(0, abs=1e-9)
    assert "agent_length_is_difficulty" in fired(analysis)


def test_a_length_effect_within_tasks_is_told() -> None:
    log = [
        episode(f"{task}-{n}", task=f"t{task}", calls=n, reward=n + task % 3)
        for task in range(10)
        for n in range(3)
    ]
    assert "agent_length_bias" in fired(analyze(log))


def test_correlations_are_those_of_numpy_and_too_little_data_gives_none() -> None:
    numpy = pytest.importorskip("numpy")
    pairs = [(1.0, 2.0), (2.0, 1.0), (3.0, 5.0), (5.0, 4.0), (8.0, 9.0)]
    pooled = pooled_effect(pairs)
    assert pooled is not None
    assert pooled.correlation == pytest.approx(numpy.corrcoef(numpy.array(pairs).T)[0, 1])
    assert pooled_effect(pairs[:3]) is None
    assert pooled_effect([(1.0, 1.0)] * 9) is None
    few = effect_within([pairs])
    assert few is not None
    assert (few.low, few.distance) == (None, None)
    assert effect_within([[(1.0, 1.0), (1.0, 0.0)]]) is None


RULES = """
version: 1
rules:
  - id: many_calls
    title: Many calls
    trainers: [agents]
    metric: tool_calls
    threshold: {above: 6}
    keep_firing_for: 1
    severity: low
    detects: [budget_runaway]
    message: "{value:.0f} calls"
    remediation: [Read it]
    citation: []
    threshold_origin: empirical
  - id: cheap_failure
    title: A cheap failure
    trainers: [agents]
    all:
      - {metric: cost, threshold: {below: 1}}
      - {metric: success, threshold: {equals: 0}}
    keep_firing_for: 1
    severity: low
    detects: [budget_runaway]
    message: "{value:.2f}"
    remediation: [Read it]
    citation: []
    threshold_origin: empirical
"""


def test_rules_of_one_s_own_judge_episodes_beside_the_shipped_ones(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(RULES)
    analysis = analyze([episode("a", calls=7), episode("b", calls=7, same=True)], rules=path)
    assert fired(analysis) == {"many_calls": 2, "agent_repeated_call": 1}
    assert any(each.startswith("rule cheap_failure: ") for each in analysis.not_measured)


def test_a_rule_of_two_measures_takes_both_from_the_same_episode(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(RULES)
    log = [
        episode("a", cost=0.5),
        episode("b", success=False),
        episode("c", cost=0.2, success=False),
    ]
    [insight] = analyze(log, rules=[path]).insights
    assert [each.episode for each in insight.examples] == ["c"]
    assert insight.episodes == Share(1, 1)


def test_a_shipped_rule_can_be_changed_and_a_mistake_is_told_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    change = "version: 1\noverrides:\n  - {id: agent_repeated_call, reason: ours, disable: true}\n"
    path.write_text(change)
    assert fired(analyze([episode(calls=5, same=True)], rules=path)) == {}
    path.write_text(change.replace("repeated", "repeatd"))
    with pytest.raises(InvalidRulesError, match=r"own\.yaml:3:.*agent_repeated_call"):
        analyze([], rules=path)


def test_no_training_loads_rules_for_agents_and_no_analysis_those_for_trainings() -> None:
    default = load_bundle(default_sources()).rules
    assert not any("agents" in rule.gate.trainers for rule in default)
    assert all(rule.gate.trainers == {"agents"} for rule in agent_rules())


def test_every_measure_of_a_log_is_in_the_catalogue() -> None:
    from post_training_toolkit.agents.analysis.episode_summary import EpisodeSummary
    from post_training_toolkit.agents.analysis.log_measures import measure_log
    from post_training_toolkit.agents.analysis.task_attempts import attempts_by_task, budget_ratios

    log = [
        episode(
            f"{t}-{n}",
            task=f"t{t}",
            calls=n,
            reward=n + t % 3,
            success=n > 1,
            cost=n + 1.0,
            total_tokens=5,
        )
        for t in range(9)
        for n in range(3)
    ]
    summaries = [EpisodeSummary.of(each, 3) for each in log]
    attempts = attempts_by_task(summaries)
    names = {*measure_log(summaries, attempts, 0).row(), *next(budget_ratios(attempts))[1]}
    assert names == {name for name in catalogue("agents") if name.startswith(("task/", "log/"))}


def test_an_analysis_is_kept_as_json_by_its_schema_and_read_as_markdown() -> None:
    log = [
        episode(f"a*b\x1b{n}", task=f"t-{n % 3}", calls=4, same=n == 0, success=n > 2, cost=0.1 * n)
        for n in range(9)
    ]
    analysis = analyze(log)
    document = json.loads(json.dumps(analysis.to_json()))
    jsonschema.validate(document, load_schema("agent_analysis"))
    assert document["insights"][0]["examples"][0]["episode"] == "a*b\x1b0"
    markdown = analysis.to_markdown()
    assert markdown.startswith("# 9 episodes of agents\n")
    assert "a\\*b\\\\x1b0" in markdown
    assert "\x1b" not in analysis.to_text() + markdown


def test_tasks_whose_attempts_earn_the_same_do_not_thin_the_effect_out() -> None:
    telling, alike = [(1.0, 0.0), (2.0, 1.0)], [(1.0, 1.0), (9.0, 1.0)]
    effect = effect_within([telling, *[alike] * 20])
    assert effect is not None
    assert effect.correlation == pytest.approx(1.0)
    assert effect.tasks == 1


def test_of_the_shipped_rules_it_is_not_told_what_they_lack_one_by_one() -> None:
    assert not any(each.startswith("rule ") for each in analyze([episode()]).not_measured)
