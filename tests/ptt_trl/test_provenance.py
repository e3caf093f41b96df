"""What is written down of a run's code, machine, command, model, tokenizer and data."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import datasets
import jsonschema
import pytest
import torch

from post_training_toolkit import DiagnosticsCallback
from post_training_toolkit.ptt_trl.data_identity import data_identity
from post_training_toolkit.ptt_trl.machine_identity import hardware
from post_training_toolkit.ptt_trl.model_identity import model_identity, weights_fingerprint
from post_training_toolkit.ptt_trl.provenance import environment, git_state
from post_training_toolkit.ptt_trl.tokenizer_identity import tokenizer_identity
from post_training_toolkit.schemas import load_schema


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True)


@pytest.fixture(name="checkout")
def _checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit, and the current folder inside it."""
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch", "trunk")
    (folder / "train.py").write_text("pass\n")
    git(folder, "add", "train.py")
    git(folder, "commit", "--quiet", "--message", "first")
    monkeypatch.chdir(folder)
    return folder


def test_the_users_checkout_is_named_with_branch_and_remote(checkout: Path) -> None:
    git(checkout, "remote", "add", "origin", "https://me:secret1@host/project.git")
    found = git_state()
    assert found is not None
    assert len(found["commit"]) == 40
    assert found["uncommitted_changes"] is False
    assert found["branch"] == "trunk"
    assert found["remote"] == "https://<masked>@host/project.git"
    (checkout / "train.py").write_text("1\n")
    changed = git_state()
    assert changed is not None
    assert changed["uncommitted_changes"] is True


def test_a_commit_by_itself_has_no_branch(checkout: Path) -> None:
    git(checkout, "checkout", "--quiet", "--detach")
    found = git_state()
    assert found is not None
    assert (found["branch"], found["remote"]) == (None, None)


def test_outside_of_a_checkout_it_is_that_of_the_script(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["/nowhere/train.py"])
    assert git_state() is None
    monkeypatch.setattr(sys, "argv", [str(checkout / "train.py")])
    found = git_state()
    assert found is not None
    assert found["branch"] == "trunk"


def test_a_repository_without_a_commit_and_a_machine_without_git_have_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "init", "--quiet")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "train.py")])
    assert git_state() is None
    monkeypatch.setenv("PATH", "")
    assert git_state() is None


def test_only_known_variables_are_kept_and_secrets_of_theirs_masked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NCCL_DEBUG", "INFO")
    monkeypatch.setenv("TORCH_API_TOKEN", "abc")
    monkeypatch.setenv("MY_PASSWORD", "abc")
    monkeypatch.setenv("HF_TOKEN", "abc")
    found = environment()
    assert found["NCCL_DEBUG"] == "INFO"
    assert found["TORCH_API_TOKEN"] == "<masked>"
    assert not {"MY_PASSWORD", "HF_TOKEN", "HOME", "PATH"} & found.keys()


def test_the_machine_is_described(tmp_path: Path) -> None:
    found = hardware()
    assert found["cpu_count"] == len(os.sched_getaffinity(0))
    assert found["memory_gib"] > 0
    assert len(found["accelerators"]) == torch.cuda.device_count()


def test_a_fingerprint_tells_weights_apart_and_no_more(model: torch.nn.Module) -> None:
    same, other = copy.deepcopy(model), copy.deepcopy(model)
    assert weights_fingerprint(same) == weights_fingerprint(model)
    with torch.no_grad():
        for each in other.parameters():
            each.add_(1e-3)
    assert weights_fingerprint(other) != weights_fingerprint(model)
    renamed = torch.nn.ModuleDict({"inner": same})
    assert weights_fingerprint(renamed) != weights_fingerprint(model)
    with torch.device("meta"):
        assert weights_fingerprint(torch.nn.Linear(2, 2)) is None


def test_asking_for_a_fingerprint_draws_no_random_number(model: torch.nn.Module) -> None:
    before = torch.get_rng_state()
    model_identity(model)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_tokenizer_is_told_from_one_with_another_template(tokenizer: Any) -> None:
    found = tokenizer_identity(tokenizer)
    assert found is not None
    assert found["class"] == type(tokenizer).__name__
    assert found["vocabulary"] == len(tokenizer)
    other = copy.deepcopy(tokenizer)
    other.chat_template = "{{ messages }}"
    changed = tokenizer_identity(other)
    assert changed is not None
    assert changed["fingerprint"] != found["fingerprint"]
    assert tokenizer_identity(None) is None
    no_vocabulary = tokenizer_identity(object())
    assert no_vocabulary is not None
    assert no_vocabulary["fingerprint"] is None


def test_a_dataset_has_the_name_under_which_it_was_loaded(tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").write_text('{"text": "a"}\n{"text": "b"}\n')
    loaded = datasets.load_dataset(
        "json", data_files=str(tmp_path / "data.jsonl"), split="train", cache_dir=str(tmp_path)
    )
    found = data_identity(loaded)
    assert found is not None
    assert found["name"].startswith("json/")
    assert found["name"].endswith("/train")


def test_a_runs_metadata_hold_all_of_it(run_dpo: Any, tmp_path: Path) -> None:
    run_dpo(tmp_path, DiagnosticsCallback(), max_steps=2)
    start = json.loads((tmp_path / "ptt" / "run_metadata_start.json").read_text())
    jsonschema.validate(start, load_schema("run_metadata_start"))
    assert start["seed"] == 3
    assert start["working_directory"] == str(Path.cwd())
    assert start["command"]
    assert start["python"].startswith("3.")
    assert start["packages"].keys() >= {"torch", "transformers", "trl", "tokenizers"}
    # Nothing was learned yet.
    assert start["model"]["fingerprint"] == start["reference_model"]["fingerprint"]
    assert start["dataset"]["fingerprint"]


def test_secrets_of_a_command_line_reach_no_file(tmp_path: Path) -> None:
    code = "from post_training_toolkit.ptt_trl.provenance import command; print(command())"
    secret = "hf_abcdefghijklmnopqrstuvwx12"
    arguments = ["--hub_token", secret, "--api-key=k3y", "--data", "https://u:pw@host/x"]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    assert "--hub_token" in done.stdout
    for each in (secret, "k3y", "pw@"):
        assert each not in done.stdout
