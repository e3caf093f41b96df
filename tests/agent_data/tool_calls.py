"""Episodes with calls of tools, and a tiny model that can be trained on them."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from post_training_toolkit.agents import Episode, Message, Role, ToolCall

TOOLS = (
    {
        "type": "function",
        "function": {
            "name": "look_up",
            "description": "Looks a flight up",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    },
)


def episode(
    name: str,
    *,
    city: str = "Paris",
    prompt: str = "Find a flight",
    result: str = "AF 1234 at noon",
    answer: str = "There is AF 1234.",
    **facts: Any,
) -> Episode:
    """Return an attempt that calls a tool once and answers."""
    return Episode(
        name,
        (
            Message(Role.SYSTEM, "Be brief"),
            Message(Role.USER, prompt),
            Message(Role.ASSISTANT, "Let me see", (ToolCall("look_up", {"city": city}, id="c1"),)),
            Message(Role.TOOL, result, tool_call_id="c1", name="look_up"),
            Message(Role.ASSISTANT, answer),
        ),
        tools=TOOLS,
        **facts,
    )


def attempts(prompts: int = 4) -> list[Episode]:
    """Return a good and a bad attempt at each of some prompts."""
    found = []
    for number in range(prompts):
        prompt = f"Find flight number {number}"
        good: dict[str, Any] = {"success": True, "reward": 1.0, "task": f"task-{number}"}
        bad: dict[str, Any] = {"success": False, "reward": 0.0, "task": f"task-{number}"}
        found.append(episode(f"good-{number}", prompt=prompt, **good))
        found.append(
            episode(f"bad-{number}", prompt=prompt, city="Rome", answer="None left.", **bad)
        )
    return found


@cache
def _trained() -> str:
    texts = [text for each in attempts(8) for message in each.messages for text in _texts(message)]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=500,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        ),
    )
    return tokenizer.to_str()


def _texts(message: Message) -> list[str]:
    return [message.content or "", *(str(call.arguments) for call in message.tool_calls)]


def chat_template(name: str) -> str:
    """Return a chat template that ships with TRL."""
    return (files("trl") / "chat_templates" / f"{name}.jinja").read_text()


def build_tokenizer(template: str = "qwen2_5") -> PreTrainedTokenizerFast:
    """Return a byte-level tokenizer with a chat template that ships with TRL."""
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=Tokenizer.from_str(_trained()),
        bos_token="<|endoftext|>",
        pad_token="<|endoftext|>",
        eos_token="<|im_end|>",
        chat_template=chat_template(template),
    )


def build_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """Return a random model of two layers."""
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )
