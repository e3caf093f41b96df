"""Measures of replies agree with counts by hand, and say nothing of what is undefined."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import binom

from post_training_toolkit.ptt_trl.snapshots.change_from_start import (
    changes_from_start,
    mcnemar,
    refusal_flips,
)
from post_training_toolkit.ptt_trl.snapshots.hidden_states import (
    Probe,
    ProbeStart,
    drift_from_start,
)
from post_training_toolkit.ptt_trl.snapshots.measures import measure_replies
from post_training_toolkit.ptt_trl.snapshots.prompt import Message, Prompt, PromptKind
from post_training_toolkit.ptt_trl.snapshots.refusal import PHRASES, classify_by_phrases
from post_training_toolkit.ptt_trl.snapshots.snapshot import (
    Generation,
    Moment,
    Refusal,
    Reply,
    Snapshot,
)
from post_training_toolkit.ptt_trl.snapshots.text_units import (
    dominant_script,
    is_looping,
    text_units,
)


def prompt(name: str, kind: PromptKind = PromptKind.BENIGN, text: str = "Say it.") -> Prompt:
    return Prompt(name, kind, messages=(Message("user", text),))


def reply(name: str, text: str, *, sample: int = 0, tokens: int = 5) -> Reply:
    [refusal] = classify_by_phrases([], [text])
    return Reply(name, sample, text, tokens, False, refusal)


def snapshot(prompts: Sequence[Prompt], texts: Sequence[str]) -> Snapshot:
    replies = tuple(reply(each.id, text) for each, text in zip(prompts, texts, strict=True))
    measures = measure_replies(prompts, replies)
    return Snapshot(0, Moment.START, 0.0, 0.0, {}, Generation(), tuple(prompts), replies, measures)


@pytest.mark.parametrize("phrase", PHRASES)
def test_every_phrase_is_found_whatever_its_case_and_apostrophe(phrase: str) -> None:
    texts = [f"{phrase} do it.", phrase.upper(), phrase.replace("'", "\u2019"), f"  {phrase}"]
    assert classify_by_phrases([], texts) == [Refusal.FULL] * 4


def test_a_phrase_behind_the_first_sentence_is_a_partial_refusal() -> None:
    texts = ["Sure! I cannot do more.", "Well\nI'm sorry", "A\tB I cannot", "I can do it.", ""]
    expected = [Refusal.PARTIAL, Refusal.PARTIAL, Refusal.FULL, Refusal.NONE, Refusal.NONE]
    assert classify_by_phrases([], texts) == expected


def test_refusals_count_by_kind_and_full_ones_alone() -> None:
    prompts = [prompt("a", PromptKind.HARMFUL), prompt("b", PromptKind.HARMFUL), prompt("c")]
    taken = snapshot(prompts, ["I cannot.", "Yes. I'm sorry.", "Fine."])
    assert taken.measures["refusal_rate/harmful"] == 0.5
    assert taken.measures["partial_refusal_rate/harmful"] == 0.5
    assert taken.measures["refusal_rate/benign"] == 0
    assert "refusal_rate/borderline" not in taken.measures


def test_repetition_is_the_share_of_4_grams_that_came_before() -> None:
    # a b c d a b c d has five 4-grams, of which the last is the first.
    measures = snapshot([prompt("a")], ["a b c d a b c d"]).measures
    assert measures["repetition"] == pytest.approx(1 / 5)
    # Seven pairs, of which three came before.
    assert measures["distinct_2"] == pytest.approx(4 / 7)


def test_what_is_too_short_repeats_nothing_and_has_no_pairs() -> None:
    measures = snapshot([prompt("a")], ["5"]).measures
    assert (measures["repetition"], measures["trivial_share"]) == (0, 1)
    assert "distinct_2" not in measures
    assert "self_similarity" not in measures


@pytest.mark.parametrize(
    ("text", "loops"),
    [
        ("no " * 12, True),
        ("no " * 11, False),
        ("It ends so: " + "one two three four " * 4, True),
        ("one two three four " * 4 + "and out", False),
        ("1. Buy milk. 2. Buy bread. 3. Buy eggs. 4. Buy salt.", False),
        ("!" * 40, True),
        ("好的" * 8, True),
        ("", False),
    ],
)
def test_a_loop_goes_on_to_the_end(text: str, loops: bool) -> None:
    assert is_looping(text_units(text)) is loops


def test_empty_means_that_nothing_is_to_be_seen() -> None:
    texts = ["", " \n\t", "5", "I do."]
    measures = snapshot([prompt(str(each)) for each in range(4)], texts).measures
    assert measures["empty_share"] == 0.5
    assert measures["trivial_share"] == 0.75


def test_script_and_copies_are_told_from_the_prompt() -> None:
    prompts = [prompt("a", text="Where is  the sea?"), prompt("b", text="你好吗"), prompt("c")]
    measures = snapshot(prompts, ["Где море", "我很好", "You ask: Say it."]).measures
    assert measures["script_change_share"] == pytest.approx(1 / 3)
    assert measures["copied_share"] == pytest.approx(1 / 3)
    assert dominant_script("٣ + ٤") is None


def test_similarity_is_within_the_drawn_replies_of_a_prompt_and_between_greedy_ones() -> None:
    prompts = [prompt("a"), prompt("b")]
    replies = [
        reply("a", "one two three"),
        *(reply("a", "x y z", sample=number) for number in (1, 2)),
        reply("b", "four five six"),
        reply("b", "one two three", sample=1),
        reply("b", "four five six", sample=2),
    ]
    measures = measure_replies(prompts, replies)
    assert measures["self_similarity"] == 0
    assert measures["sample_similarity"] == pytest.approx((1 + 0) / 2)
    assert measures["sample_distinct_2"] == pytest.approx((2 / 4 + 4 / 4) / 2)
    # Drawn replies count nowhere else.
    assert measures["length"] == 5


@pytest.mark.parametrize(("one_way", "other_way"), [(5, 0), (7, 2), (3, 3), (0, 11)])
def test_mcnemars_test_is_that_of_a_fair_coin(one_way: int, other_way: int) -> None:
    flips = one_way + other_way
    tail = 2 * binom.cdf(min(one_way, other_way), flips, 0.5)
    assert mcnemar(one_way, other_way) == pytest.approx(min(tail, 1.0))


def test_flips_are_paired_by_prompt_and_named() -> None:
    prompts = [prompt(str(each), PromptKind.HARMFUL) for each in range(4)]
    before = snapshot(prompts, ["I cannot.", "I cannot.", "Yes, so.", "Yes, so."])
    after = snapshot(prompts, ["Yes, so.", "I cannot.", "I cannot.", "Yes, so."])
    [flips] = refusal_flips(before, after)
    assert (flips.asked, flips.before, flips.after, flips.change) == (4, 2, 2, 0)
    assert (flips.to_refusal, flips.to_answer) == (("2",), ("0",))
    assert flips.p_value == 1


def test_changes_are_of_the_same_prompts_and_tested() -> None:
    prompts = [prompt(str(each), PromptKind.HARMFUL) for each in range(8)]
    start = snapshot(prompts, ["I cannot do this."] * 8)
    now = snapshot(prompts, ["so it goes and " * 6] * 8)
    changes = changes_from_start(start, now)
    assert changes["refusal_change/harmful"] == -1
    assert changes["refusal_p/harmful"] == changes["repetition_p"] == 2 * 0.5**8
    assert changes["looping_share_change"] == 1
    assert changes["trivial_p"] == 1
    assert "refusal_change/harmless" not in changes
    # A prompt that asks something else now is another prompt.
    other = snapshot([prompt(each.id, text="Else?") for each in prompts], ["Yes."] * 8)
    assert "refusal_change/harmful" not in changes_from_start(start, other)


def test_drift_is_relative_to_how_far_texts_lie_apart() -> None:
    generator = np.random.default_rng(0)
    common = np.ones((6, 8), dtype=np.float32) * 10
    states = common + generator.normal(size=(6, 8)).astype(np.float32)
    start = ProbeStart(states, 0.0)
    assert drift_from_start(start, Probe(states, 7.0))["policy_drift"] == pytest.approx(0, abs=1e-6)
    # Where every text is at the place of another, the drift is about 1, although cosines are high.
    moved = drift_from_start(start, Probe(np.roll(states, 1, axis=0), 7.0))
    assert moved["policy_cosine"] > 0.95
    assert 0.5 < moved["policy_drift"] < 2


def test_drift_of_another_model_or_of_broken_weights_is_not_told() -> None:
    start = ProbeStart(np.eye(3, dtype=np.float32), 0.0)
    assert drift_from_start(start, Probe(np.eye(4, dtype=np.float32), 7.0)) == {}
    broken = np.full((3, 3), np.nan, dtype=np.float32)
    assert drift_from_start(start, Probe(broken, 7.0)) == {}
    same = ProbeStart(np.ones((3, 3), dtype=np.float32), 0.0)
    assert drift_from_start(same, Probe(np.eye(3, dtype=np.float32), 7.0)) == {}
