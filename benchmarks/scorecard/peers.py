"""Other tools that watch training runs, fed with the same rows through their own interface.

They are no dependency: those that are not installed are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from benchmarks.scorecard import rlwatch_peer, training_doctor_peer
from post_training_toolkit.engine.event import Episode
from post_training_toolkit.engine.readers.description import DescribedRecording


@dataclass(frozen=True, slots=True)
class Peer:
    """A tool by the name of its distribution, and what it finds in a run.

    ``detects`` holds the failure modes that each of its alerts may rightly be called.
    """

    name: str
    detects: Mapping[str, tuple[str, ...]]
    find: Callable[[DescribedRecording], Iterable[Episode]]

    @property
    def version(self) -> str | None:
        """The installed version; None where it is not installed."""
        try:
            return version(self.name)
        except PackageNotFoundError:
            return None


PEERS = (
    Peer("rlwatch", rlwatch_peer.DETECTS, rlwatch_peer.find_with_rlwatch),
    Peer(
        "training-doctor",
        training_doctor_peer.DETECTS,
        training_doctor_peer.find_with_training_doctor,
    ),
)


def installed_peers() -> Sequence[Peer]:
    """Return the tools that are installed here."""
    return [peer for peer in PEERS if peer.version is not None]
