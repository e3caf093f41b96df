"""What GRPO writes with ``log_completions`` is read as episodes, calls of tools included."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import pandas
import pytest
from tiny_language_model import build_model, build_tokenizer
from trl import GRPOConfig, GRPOTrainer

from post_training_toolkit.agents import AgentRunLog, Role, TraceError


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write rows as TRL does: through a data frame."""
    pandas.DataFrame(rows).to_parquet(path)
    return path


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {
        "role": "assistant",
        "tool_calls": [{"type": "function", "function": {"name": name, "arguments": arguments}}],
    }


def test_calls_of_tools_come_without_the_keys_that_parquet_adds(tmp_path: Path) -> None:
    prompt = [{"role": "user", "content": "3 + 4?"}]
    rows = [
        {
            "step": 5,
            "prompt": prompt,
            "completion": [
                call(name, **arguments),
                {"role": "tool", "name": name, "content": "7"},
                {"role": "assistant", "content": "It is 7."},
            ],
            "accuracy": 1.0,
            "brevity": float("nan"),
            "advantage": 0.5,
        }
        for name, arguments in (("add", {"a": 3, "b": 4}), ("evaluate", {"text": "3 + 4"}))
    ]
    log = AgentRunLog.read(write(tmp_path / "completions_00005.parquet", rows))
    assert [dict(next(episode.tool_calls).arguments) for episode in log] == [
        {"a": 3, "b": 4},
        {"text": "3 + 4"},
    ]
    first, second = log
    assert (first.task, first.trial, second.trial) == (second.task, 1, 2)
    assert first.reward == 1.0
    assert first.success is None
    assert first.metadata == {"step": 5, "advantage": 0.5, "rewards": {"accuracy": 1.0}}
    assert first.final_answer == "It is 7."


def test_a_bad_row_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    rows = [
        {"step": 1, "prompt": "A?", "completion": "a", "reward": 0.0, "advantage": 0.0},
        {"step": 1, "prompt": "B?", "completion": "b", "reward": 1.0, "advantage": 0.0},
    ]
    path = write(tmp_path / "completions.parquet", rows)
    assert [episode.final_answer for episode in AgentRunLog.read(path)] == ["a", "b"]
    broken = [{**row, "completion": [{"role": "robot", "content": "x"}]} for row in rows[:1]]
    broken.append({**rows[1], "completion": [{"role": "assistant", "content": "b"}]})
    path = write(tmp_path / "completions.parquet", broken)
    with pytest.raises(TraceError, match=r"row 1: no role .robot."):
        AgentRunLog.read(path)
    assert len(AgentRunLog.read(path, skip_bad=True)) == 1


def test_the_completions_of_a_real_run_are_read(tmp_path: Path) -> None:
    tokenizer = build_tokenizer()
    tokenizer.chat_template = "{% for each in messages %}{{ each['content'] }}{% endfor %}"
    arguments = GRPOConfig(
        output_dir=str(tmp_path),
        max_steps=1,
        logging_steps=1,
        num_generations=2,
        per_device_train_batch_size=2,
        max_completion_length=4,
        log_completions=True,
        use_cpu=True,
        bf16=False,
        report_to="none",
        save_strategy="no",
    )

    def length(completions: list[Any], **_: Any) -> list[float | None]:
        return [float(len(each[0]["content"])) for each in completions]

    prompts = [{"prompt": [{"role": "user", "content": "Say it"}]}] * 2
    GRPOTrainer(
        model=build_model(tokenizer, seed=0),
        args=arguments,
        reward_funcs=length,
        train_dataset=datasets.Dataset.from_list(prompts),
        processing_class=tokenizer,
    ).train()
    log = AgentRunLog.read(tmp_path / "completions")
    assert [episode.trial for episode in log] == [1, 2]
    for episode in log:
        assert [message.role for message in episode.messages] == [Role.USER, Role.ASSISTANT]
        assert episode.reward == len(episode.final_answer or "")
