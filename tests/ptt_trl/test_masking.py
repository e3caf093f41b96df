"""What is secret is not written down, and what is not stays as it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from post_training_toolkit.ptt_trl.masking import MASK, is_secret_name, mask_arguments, mask_text

SECRETS = (
    "hf_abcdefghijklmnopqrstuvwx12",
    "sk-proj-abcdefghijklmnopqrst1234",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "github_pat_11ABCDEFG0abcdefghijkl_mnopqrstuvwxyz",
    "glpat-abcdefghij0123456789",
    "xoxb-123456789012-abcdefghij",
    "AKIAIOSFODNN7EXAMPLE",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlMTIz",
)


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("text", ["{}", "failed: {}, again", "('{}',)", "x={}&y=1", "GET /{}/x"])
def test_a_token_of_a_known_shape_is_masked_wherever_it_stands(text: str, secret: str) -> None:
    masked = mask_text(text.format(secret))
    assert secret not in masked
    assert MASK in masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("https://me:pass@host/x", "https://<masked>@host/x"),
        ("https://token@host/x.git", "https://<masked>@host/x.git"),
        ("postgres://u:p@h:5432/db", "postgres://<masked>@h:5432/db"),
        ("https://h/x?access_token=abc&page=2", "https://h/x?access_token=<masked>&page=2"),
        ("https://h/x?X-Amz-Signature=abc", "https://h/x?X-Amz-Signature=<masked>"),
        ("Authorization: Bearer abcdefgh12", "Authorization: Bearer <masked>"),
        ("WANDB_API_KEY=" + "0123456789" * 4, "WANDB_API_KEY=<masked>"),
        ('{"password": "correct-horse-1"}', '{"password": "<masked>"}'),
    ],
)
def test_secrets_with_a_name_or_in_an_address_are_masked(text: str, masked: str) -> None:
    assert mask_text(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "/home/me/runs/token_level_dpo/checkpoint-500",
        "meta-llama/Llama-3.1-8B-Instruct",
        "eos_token='<|im_end|>1234'",
        "pad_token_id=128001234",
        "max_tokens=123456789, num_tokens: 987654321",
        "commit 3f786850e387550fdab836ed7e6dc881de23001b",
        "https://host:8080/v1/models?page=2&sort=name",
        'File "/x/tokenizer.py", line 12345678, in encode',
        "    hub_token = os.environ.get(name)",
        "me@example.org wrote to you@example.org",
    ],
)
def test_what_a_reader_needs_is_left(text: str) -> None:
    assert mask_text(text) == text


@pytest.mark.parametrize(
    ("given_arguments", "masked"),
    [
        (["--hub_token", "abc"], ["--hub_token", MASK]),
        (["--hub-token=abc"], [f"--hub-token={MASK}"]),
        (["--api_key", "--beta", "0.1"], ["--api_key", "--beta", "0.1"]),
        (["HF_TOKEN=abc", "x.py"], [f"HF_TOKEN={MASK}", "x.py"]),
        (["--eos_token", "</s>"], ["--eos_token", "</s>"]),
        (["--run_name", SECRETS[0]], ["--run_name", MASK]),
        (["--learning_rate", "1e-6"], ["--learning_rate", "1e-6"]),
    ],
)
def test_command_lines_lose_their_secrets_only(
    given_arguments: list[str], masked: list[str]
) -> None:
    assert mask_arguments(given_arguments) == masked


@given(st.text(max_size=300))
def test_masking_again_changes_nothing(text: str) -> None:
    once = mask_text(text)
    assert mask_text(once) == once


@given(st.lists(st.text(max_size=30), max_size=6), st.sampled_from(SECRETS))
def test_a_secret_among_any_words_is_masked(words: list[str], secret: str) -> None:
    assert secret not in mask_text(" ".join([*words, secret, *words]))


@pytest.mark.parametrize(
    "text",
    ["a" * 100_000, "://" * 30_000, "token=" * 20_000, "x.-_" * 25_000, '"key":"' * 20_000],
)
def test_no_text_takes_long(text: str) -> None:
    # Would not end if the time grew with the square of the length.
    assert len(mask_text(text)) > 0


def test_names_of_the_vocabulary_are_no_secrets() -> None:
    names = ("eos_token", "pad_token", "mask_token", "num_tokens", "tokenizer", "key", "max_tokens")
    assert not any(map(is_secret_name, names))
    assert all(map(is_secret_name, ("token", "hub_token", "api-key", "AWS_SECRET_ACCESS_KEY")))
