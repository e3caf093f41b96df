"""ptt snapshot and ptt diff ask real models, and tell wrong input in one line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner, Result
from peft import LoraConfig, get_peft_model
from tiny_language_model import build_model, pretrain, supervised_dataset
from transformers import (
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    PreTrainedTokenizerFast,
)

from post_training_toolkit import DiagnosticsCallback, Generation, SnapshotSettings
from post_training_toolkit.ptt_trl.cli.main import main
from post_training_toolkit.ptt_trl.snapshots.prompt_set import built_in_prompts
from post_training_toolkit.ptt_trl.snapshots.snapshot_file import read_snapshot
from post_training_toolkit.schemas import load_schema

QUESTIONS = ("What is 2 plus 3?", "Hello!", "What comes after May?")


def ptt(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(each) for each in arguments], catch_exceptions=False)


@pytest.fixture(scope="module", name="folder")
def _folder(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    run_sft: Any,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Two models, an adapter, a reward model, prompts, and a run with snapshots."""
    folder = tmp_path_factory.mktemp("models")
    prompts = folder / "prompts.jsonl"
    rows = [{"text": f"Question: {each} Answer:", "kind": "benign"} for each in QUESTIONS]
    prompts.write_text("\n".join(map(json.dumps, rows)))
    model.save_pretrained(folder / "first")
    tokenizer.save_pretrained(folder / "first")
    other = build_model(tokenizer, seed=1)
    pretrain(other, tokenizer, supervised_dataset(500, seed=0), seed=0, steps=40)
    # As the trainer leaves it: a checkpoint whose tokenizer is in the folder above.
    other.save_pretrained(folder / "run" / "checkpoint-40")
    tokenizer.save_pretrained(folder / "run")
    base = LlamaForCausalLM.from_pretrained(folder / "first")
    adapter = get_peft_model(base, LoraConfig(r=2, target_modules=["q_proj"]))
    adapter.save_pretrained(str(folder / "adapter"))
    tokenizer.save_pretrained(folder / "adapter")
    LlamaForSequenceClassification(model.config).save_pretrained(folder / "reward")  # type: ignore[no-untyped-call]
    tokenizer.save_pretrained(folder / "reward")
    settings = SnapshotSettings(
        every=2, prompts=prompts, built_in=False, generation=Generation(max_new_tokens=8)
    )
    run_sft(folder / "trained", DiagnosticsCallback(snapshots=settings), max_steps=4)
    return folder


def test_a_model_is_asked_and_measured(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "snapshot.json"
    done = ptt(
        "snapshot", folder / "first", "--prompts", folder / "prompts.jsonl", "--output", output
    )
    assert done.exit_code == 0, done.output
    assert "perplexity" in done.stdout
    assert done.stdout.splitlines()[-1] == str(output)
    taken = read_snapshot(output)
    assert (taken.step, str(taken.moment), len(taken.replies)) == (None, "alone", 3)
    assert taken.model["class"] == "LlamaForCausalLM"


def test_the_built_in_prompts_are_asked_by_default(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "snapshot.json"
    short = ("--max-new-tokens", 2, "--samples", 0)
    assert ptt("snapshot", folder / "first", *short, "--output", output).exit_code == 0
    assert read_snapshot(output).prompts == built_in_prompts()


def test_a_snapshot_is_not_written_over_unless_told(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "snapshot.json"
    output.write_text("mine")
    asked = ("snapshot", folder / "first", "--prompts", folder / "prompts.jsonl")
    refused = ptt(*asked, "--output", output)
    assert refused.exit_code == 2
    assert refused.stderr == f"{output} is there already; name another --output, or use --force\n"
    assert output.read_text() == "mine"
    assert ptt(*asked, "--output", output, "--force").exit_code == 0


def test_models_checkpoints_and_adapters_are_compared(folder: Path) -> None:
    prompts = ("--prompts", folder / "prompts.jsonl", "--max-new-tokens", 8)
    done = ptt("diff", folder / "first", folder / "run" / "checkpoint-40", *prompts)
    assert done.exit_code == 0, done.output
    assert "of 3 prompts answered in other words" in done.stdout
    # An adapter that was never trained changes nothing.
    same = ptt("diff", folder / "first", folder / "adapter", *prompts, "--format", "json")
    assert same.exit_code == 0, same.output
    content = json.loads(same.stdout)
    jsonschema.validate(content, load_schema("snapshot_diff"))
    assert content["unchanged"] == 3


def test_a_run_is_compared_with_its_own_start_by_steps_and_with_a_model(folder: Path) -> None:
    run = folder / "trained"
    whole = ptt("diff", run, "--format", "json")
    assert [json.loads(whole.stdout)[side]["step"] for side in ("before", "after")] == [0, 4]
    assert json.loads((run / "ptt" / "diffs" / "start-to-latest.json").read_text()) == json.loads(
        whole.stdout
    )
    part = ptt("diff", f"{run}@2", f"{run / 'ptt'}@4", "--format", "json")
    assert [json.loads(part.stdout)[side]["step"] for side in ("before", "after")] == [2, 4]
    # The model is asked what the run was asked, as the run was asked.
    mixed = ptt("diff", f"{run}@0", folder / "first", "--format", "json")
    assert (json.loads(mixed.stdout)["unchanged"], json.loads(mixed.stdout)["remarks"]) == (3, [])


def test_a_page_is_written_to_a_file(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "diff.html"
    done = ptt("diff", folder / "trained", "--format", "html", "--output", output)
    assert (done.exit_code, done.stdout) == (0, f"{output}\n")
    assert output.read_text().startswith("<!doctype html>")


def test_wrong_input_is_told_in_one_line(folder: Path, tmp_path: Path) -> None:
    first, empty = folder / "first", tmp_path / "empty"
    empty.mkdir()
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"promt": 1}')
    torn = tmp_path / "torn"
    shutil.copytree(first, torn)
    (torn / "model.safetensors").write_bytes(b"torn")
    bare = tmp_path / "bare" / "model"
    shutil.copytree(first, bare)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (bare / name).unlink()
    cases = {
        ("snapshot", empty): "neither config.json nor adapter_config.json is in this folder",
        ("snapshot", torn): "this model cannot be loaded",
        ("snapshot", bare): "there is no tokenizer, nor in the folder above",
        ("snapshot", folder / "reward"): "this is no language model",
        (
            "snapshot",
            first,
            "--prompts",
            broken,
        ): "1:2: unknown key 'promt'; did you mean 'prompt'?",
        ("diff", first, tmp_path / "nowhere"): "there is no such file or folder",
        ("diff", first, empty): "neither the folder of a run",
        ("diff", first): "this is no folder of a run; name two things to compare",
        (
            "diff",
            f"{folder / 'trained'}@3",
            first,
        ): "there is no snapshot of step 3; there are 0, 2, 4",
        ("diff", broken, first): "this is no snapshot",
    }
    for arguments, message in cases.items():
        done = ptt(*arguments, "--output", tmp_path / "out.json")
        assert done.exit_code == 3, (arguments, done.output)
        assert message in done.stderr, arguments
        told = [line for line in done.stderr.splitlines() if "Loading weights" not in line]
        assert len(told) == 1, done.stderr


@pytest.mark.parametrize("command", ["snapshot", "diff"])
def test_help_teaches_by_examples(command: str) -> None:
    shown = ptt(command, "--help")
    assert shown.exit_code == 0
    assert f"ptt {command} " in shown.stdout.split("Examples:")[1]
