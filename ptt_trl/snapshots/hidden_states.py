"""How far a policy has moved from its start: hidden states and perplexity of fixed texts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import PreTrainedTokenizerBase

from post_training_toolkit.ptt_trl.atomic_write import write_atomically

Numbers = npt.NDArray[np.float32]

# Tokens of padding that stand in for what else may change between two passes over one text.
_PADDING = 16
# States that differ less from each other than rounding does tell nothing.
_LEAST_SPREAD = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """What a model makes of fixed texts.

    ``states`` are the last hidden states, averaged over the tokens of each text: shape (texts,
    hidden size). ``perplexity`` is over all tokens of all texts but the first of each.
    """

    states: Numbers
    perplexity: float


@dataclass(frozen=True, slots=True, eq=False)
class ProbeStart:
    """The probe at the start of a run, which later ones are measured against.

    ``noise`` is the drift that the same model shows against itself.
    """

    states: Numbers
    noise: float


def probe(
    model: Any, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], *, padding: int = 0
) -> Probe:
    """Read texts with a model in evaluation, one by one, so that no batch has a say in it.

    ``padding`` tokens that are not attended to follow each text.
    """
    states: list[Numbers] = []
    loss, tokens = 0.0, 0
    for text in texts:
        read = _read(model, tokenizer, text, padding)
        states.append(read.state)
        loss += read.loss
        tokens += read.tokens
    return Probe(np.stack(states), math.exp(min(loss / max(tokens, 1), 700.0)))


def drift_from_start(start: ProbeStart, now: Probe) -> dict[str, float]:
    """Return how far the states have moved; empty if the start tells nothing or another model did.

    ``policy_cosine`` is the mean cosine of the states of each text then and now. Hidden states of
    language models all point much the same way, so that it is near 1 whatever happens;
    ``policy_drift`` therefore relates what is missing to what two different texts differed by at
    the start: (1 - cosine) / (1 - mean cosine between texts). 0 is no change; at 1 a text is as far
    from where it was as another text. Both formulas are ours.

    >>> at_start = np.eye(2, dtype=np.float32)
    >>> drift_from_start(ProbeStart(at_start, 0.0), Probe(at_start[::-1], 7.0))["policy_drift"]
    1.0
    """
    if start.states.shape != now.states.shape:
        return {}
    spread = 1.0 - _between_texts(start.states)
    cosine = float(np.mean(np.sum(_normal(start.states) * _normal(now.states), axis=1)))
    if not spread > _LEAST_SPREAD or not math.isfinite(cosine):
        return {}
    return {
        "policy_cosine": cosine,
        "policy_drift": (1.0 - cosine) / spread,
        "policy_drift_noise": start.noise,
    }


def probe_start(
    model: Any, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], first: Probe
) -> ProbeStart:
    """Return the start of a run; the same texts are read a second time, padded, for the noise."""
    again = probe(model, tokenizer, texts, padding=_PADDING)
    noise = drift_from_start(ProbeStart(first.states, 0.0), again).get("policy_drift", 0.0)
    return ProbeStart(first.states, abs(noise))


def write_probe_start(path: Path, start: ProbeStart) -> None:
    """Keep the start for a run that is taken up again; raises ``OSError``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = BytesIO()
    np.savez(buffer, states=start.states, noise=np.float64(start.noise))
    write_atomically(path, buffer.getvalue())


def read_probe_start(path: Path) -> ProbeStart:
    """Read what ``write_probe_start`` wrote; raises ``OSError`` and ``ValueError``."""
    with np.load(path, allow_pickle=False) as content:
        return ProbeStart(content["states"], float(content["noise"]))


@dataclass(frozen=True, slots=True, eq=False)
class _Reading:
    """One text: its mean state, and the sum of the losses of its tokens, in nats."""

    state: Numbers
    loss: float
    tokens: int


def _read(model: Any, tokenizer: PreTrainedTokenizerBase, text: str, padding: int) -> _Reading:
    device = next(model.parameters()).device
    ids = tokenizer(text, return_tensors="pt")["input_ids"].to(device)
    positions = getattr(model.config, "max_position_embeddings", None)
    if positions is not None:
        ids = ids[:, : positions - _PADDING]
    length = ids.shape[1]
    # On the right, where a causal model does not look.
    padded = torch.nn.functional.pad(ids, (0, padding))
    attended = torch.nn.functional.pad(torch.ones_like(ids), (0, padding))
    output = model(
        input_ids=padded, attention_mask=attended, output_hidden_states=True, use_cache=False
    )
    state = output.hidden_states[-1][0, :length].float().mean(dim=0)
    scores = output.logits[0, : length - 1].float()
    loss = torch.nn.functional.cross_entropy(scores, ids[0, 1:], reduction="sum")
    return _Reading(state.cpu().numpy(), float(loss), length - 1)


def _between_texts(states: Numbers) -> float:
    """Return the mean cosine between the states of different texts."""
    normal = _normal(states)
    cosines = normal @ normal.T
    return float(np.mean(cosines[np.triu_indices(len(states), k=1)]))


def _normal(states: Numbers) -> npt.NDArray[np.float64]:
    wide = states.astype(np.float64)
    normal: npt.NDArray[np.float64] = wide / np.linalg.norm(wide, axis=1, keepdims=True)
    return normal
