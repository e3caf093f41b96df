"""Sees the exceptions that end a training, whoever catches them."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Any

from transformers import Trainer

# The loop itself, since ``auto_find_batch_size`` catches what leaves it; PPOTrainer has none.
_LOOPS = ("_inner_training_loop", "train")

# Takes an exception in that has ended a training; must not raise.
Tell = Callable[[BaseException], None]


class TrainGuard:
    """Stands in for the loop of a trainer, on the trainer itself, and tells what leaves it.

    The trainer is referred to weakly: one that is let go of frees its model at once.
    """

    def __init__(self, trainer: Trainer, loop: str, tell: Tell) -> None:
        self.__name__ = loop
        # Another guard may stand there already.
        self._inner = vars(trainer).get(loop)
        self._trainer = weakref.ref(trainer)
        self._tell = tell

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy of the trainer needs, as searches over parameters make it."""
        return {**vars(self), "_trainer": self._trainer()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Guard the copy."""
        vars(self).update(state, _trainer=weakref.ref(state["_trainer"]))

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Run the loop."""
        trainer = self._trainer()
        loop = self._inner or getattr(type(trainer), self.__name__).__get__(trainer)
        with self:
            return loop(*arguments, **named)

    def __enter__(self) -> None:
        """Begin to watch."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Tell of an exception, which goes its way."""
        if error is not None:
            self._tell(error)


def guard(trainer: Trainer, tell: Tell) -> None:
    """Have every exception told that leaves the loop of a trainer from now on."""
    loop = _loop(trainer)
    setattr(trainer, loop, TrainGuard(trainer, loop, tell))


def is_guarded(trainer: Trainer | None) -> bool:
    """Return whether what leaves the loop of a trainer is told."""
    return trainer is not None and isinstance(vars(trainer).get(_loop(trainer)), TrainGuard)


def _loop(trainer: Trainer) -> str:
    return next(each for each in _LOOPS if hasattr(trainer, each))


class UncaughtHook:
    """Tells of the exception that nobody catches: in a script, or in a cell of a notebook.

    For trainers that cannot be guarded, because they were built before the callback was added.
    """

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._before = sys.excepthook
        # Whoever sits in front of a notebook has imported it.
        notebook = sys.modules.get("IPython")
        self._shell = notebook.get_ipython() if notebook is not None else None

    def install(self) -> None:
        """Begin to watch; whatever was called before is called as well."""
        self._before = sys.excepthook
        sys.excepthook = self._uncaught
        if self._shell is not None:
            self._shell.events.register("post_run_cell", self._cell_has_run)

    def remove(self) -> None:
        """Put back what was there, unless somebody else has come in between."""
        if sys.excepthook == self._uncaught:
            sys.excepthook = self._before
        if self._shell is not None:
            self._shell.events.unregister("post_run_cell", self._cell_has_run)

    def _uncaught(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        self._tell(error)
        self._before(kind, error, trace)

    def _cell_has_run(self, result: Any) -> None:
        error = result.error_in_exec
        if error is not None:
            self._tell(error)
