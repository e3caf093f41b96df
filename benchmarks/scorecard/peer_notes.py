"""What the page says about the other tools."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.scorecard.peers import PEERS, Peer

_FED = """\
Two tools that watch training runs are on PyPI: rlwatch, made for GRPO and PPO, and training-doctor,
made for any loss. They are no dependency of this project; where they are installed beside it, the
scorecard feeds them every row that the trainer logged, through their own interface and with their
default settings, and each alert that they send counts as one insight (warning as medium, critical
as high). rlwatch gets a row by the names that its own callback for TRL looks for, and also the
metrics of PPO and online DPO, which that callback does not know. Their alerts are mapped to our
failure modes generously: to everything that they could be meant to say. An alert that fires in a
faulty run, but for nothing that is wrong there, is a false alarm as it is for our rules."""
_LIMITS = """\
To be fair to them: both wait for long runs by default (rlwatch for 20 to 50 logged rows before it
judges, training-doctor looks at 50 to 200 of them), and most runs here have 60 to 300 steps;
preference trainers are not what rlwatch is for; and the naive rules borrow our language, so
an episode of trouble is told once, and NaN never spoils a statistic."""


def peer_notes() -> str:
    """Return how the other tools were run, and what became of each."""
    mapped = "\n".join(line for peer in PEERS for line in _mapped(peer))
    missing = [peer.name for peer in PEERS if peer.version is None]
    left_out = (
        f"\n\nNot installed when this page was written, so without a column: {', '.join(missing)}. "
        "With `pip install` of them into `.venv`, `make scorecard` includes them."
        if missing
        else ""
    )
    return f"{_FED}\n\n{mapped}{left_out}\n\n{_LIMITS}"


def _mapped(peer: Peer) -> Iterator[str]:
    yield f"- {peer.name} {peer.version or '(not installed)'}"
    for alert, modes in peer.detects.items():
        yield f"  - {alert}: {', '.join(f'`{mode}`' for mode in modes)}"
