"""A file of prompts is read as meant, or refused with every mistake and its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from post_training_toolkit import DiagnosticsCallback, SnapshotSettings
from post_training_toolkit.ptt_trl.snapshots.prompt import Message, Prompt, PromptKind
from post_training_toolkit.ptt_trl.snapshots.prompt_file import PromptFileError, read_prompts
from post_training_toolkit.ptt_trl.snapshots.prompt_set import built_in_prompts, probe_texts

WHOLE = [
    {"prompt": "Who are you?", "kind": "benign", "id": "who", "sampled": True},
    {"text": "Once upon a time"},
    {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]},
]
READ = (
    Prompt("who", PromptKind.BENIGN, (Message("user", "Who are you?"),), sampled=True),
    Prompt("prompt-002", PromptKind.OTHER, text="Once upon a time"),
    Prompt("prompt-003", PromptKind.OTHER, (Message("system", "Be brief."), Message("user", "Hi"))),
)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", "\n".join(map(json.dumps, WHOLE)) + "\n\n"),
        ("a.json", json.dumps(WHOLE, indent=2)),
        (
            "a.yaml",
            "- {prompt: Who are you?, kind: benign, id: who, sampled: true}\n"
            "- text: Once upon a time\n"
            "- messages:\n"
            "  - {role: system, content: Be brief.}\n"
            "  - {role: user, content: Hi}\n",
        ),
    ],
)
def test_formats_say_the_same(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    assert read_prompts(path) == READ


def test_a_table_and_plain_lines_are_read_too(tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text('id,prompt,text,kind,sampled\nwho,"Who, you?",,benign,yes\n,,Once,,\n')
    assert read_prompts(table) == (
        Prompt("who", PromptKind.BENIGN, (Message("user", "Who, you?"),), sampled=True),
        Prompt("prompt-002", PromptKind.OTHER, text="Once"),
    )
    lines = tmp_path / "a.txt"
    lines.write_text("\ufeffHello!\n\n  Who?  \n")
    assert [each.shown for each in read_prompts(lines)] == ["Hello!", "Who?"]


@pytest.mark.parametrize(
    ("name", "content", "messages"),
    [
        ("a.jsonl", '{"prompt": "x"}\n{"promt": "x"}', ["2:2: unknown key 'promt'; did you mean"]),
        ("a.jsonl", '{"prompt": "x", "kind": "bengin"}', ["1:25: 'kind' cannot be 'bengin'; did"]),
        ("a.jsonl", '{"prompt": "x"', ["1:15: not valid YAML"]),
        ("a.jsonl", '{"kind": "benign"}', ["1:1: a prompt has one of prompt, messages and text"]),
        ("a.jsonl", '{"prompt": "x", "text": "y"}', ["this one has prompt and text"]),
        ("a.jsonl", '{"prompt":"x","id":"a"}\n{"text":"y","id":"a"}', ["2:18: the id 'a' is that"]),
        (
            "a.json",
            '[{"messages": [{"role": "assistant", "content": "x"}]}]',
            ["1:15: the last message is the assistant's own"],
        ),
        ("a.yaml", "prompt: x", ["1:1: this is no list"]),
        ("a.yaml", "- x\n- {prompt: [1]}", ["1:3: this is no prompt; write {prompt: 'x'}"]),
        ("a.csv", "prmpt\nx\n", ["1:1: unknown column 'prmpt'; did you mean 'prompt'?"]),
        ("a.csv", "prompt,sampled\nx,maybe\n", ["2:1: sampled is true or false, not 'maybe'"]),
        ("a.csv", "prompt\nx,y\n", ["2:1: this row has more cells than the header"]),
        ("a.txt", "", ["1:1: there is no prompt in this file"]),
        ("a.pdf", "x", ["1:1: prompts are read from files named .jsonl"]),
        ("a.jsonl", '{"promt": 1}\n{"x": 2}', ["1:2: unknown key", "2:2: unknown key"]),
    ],
)
def test_every_mistake_is_told_with_its_place(
    tmp_path: Path, name: str, content: str, messages: list[str]
) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(PromptFileError) as raised:
        read_prompts(path)
    told = str(raised.value).splitlines()
    assert len(told) == len(messages)
    for line, message in zip(told, messages, strict=True):
        assert line.startswith(f"{path}:")
        assert message in line


def test_what_is_no_text_is_told_with_its_line(tmp_path: Path) -> None:
    for name in ("a.txt", "a.csv"):
        path = tmp_path / name
        path.write_bytes(b"prompt\nhello\n\xff\xfe\n")
        with pytest.raises(PromptFileError, match=":3:1: this is not UTF-8 text"):
            read_prompts(path)


def test_the_built_in_prompts_are_of_every_kind_and_told_apart() -> None:
    prompts = built_in_prompts()
    kinds = [str(each.kind) for each in prompts]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "harmful": 16,
        "borderline": 16,
        "benign": 8,
    }
    assert len({each.shown for each in prompts}) == len({each.id for each in prompts}) == 40
    assert all(len(each.split()) > 15 or not each.isascii() for each in probe_texts())


def test_settings_that_mean_nothing_are_refused_before_training(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="every must be at least 1 step, not 0"):
        SnapshotSettings(every=0)
    with pytest.raises(ValueError, match="name a file of prompts"):
        SnapshotSettings(built_in=False)
    taken = tmp_path / "taken.jsonl"
    taken.write_text('{"prompt": "x", "id": "benign-01"}')
    with pytest.raises(ValueError, match="benign-01 is the id of a built-in prompt"):
        DiagnosticsCallback(snapshots=taken)
    with pytest.raises(FileNotFoundError):
        DiagnosticsCallback(snapshots=tmp_path / "nowhere.jsonl")
