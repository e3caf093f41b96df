"""The ways in which the tests end a real run, each as a callback that acts in the middle of it."""

from __future__ import annotations

import ctypes
import hashlib
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from transformers import TrainerCallback

DYING_STEP = 6

Moment = Callable[[], object]
Way = Callable[[Moment], object]


class AtStep(TrainerCallback):
    """Does what ends the run, which writes down the moment."""

    def __init__(self, act: Way, moment: Moment) -> None:
        self._act = act
        self._moment = moment

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Act once."""
        if state.global_step == DYING_STEP:
            self._act(self._moment)


def raise_error(moment: Moment) -> None:
    """Fail as GPUs do."""
    moment()
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")


def exit_script(moment: Moment) -> None:
    """End the script from within."""
    moment()
    sys.exit(3)


def interrupt(moment: Moment) -> None:
    """Press Ctrl-C."""
    moment()
    os.kill(os.getpid(), signal.SIGINT)


def terminate(moment: Moment) -> None:
    """Be preempted."""
    moment()
    os.kill(os.getpid(), signal.SIGTERM)


def terminate_while_busy(moment: Moment) -> None:
    """Be preempted while the interpreter is stuck in native code for seconds."""
    if not os.fork():
        time.sleep(0.2)
        moment()
        os.kill(os.getppid(), signal.SIGTERM)
        os._exit(0)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 12_000_000)


def terminate_and_kill_while_busy(moment: Moment) -> None:
    """Be preempted with a grace too short for the interpreter to notice."""
    if not os.fork():
        moment()
        os.kill(os.getppid(), signal.SIGTERM)
        time.sleep(1)
        os.kill(os.getppid(), signal.SIGKILL)
        os._exit(0)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 12_000_000)


def kill(moment: Moment) -> None:
    """Be killed."""
    moment()
    os.kill(os.getpid(), signal.SIGKILL)


def leave_at_once(moment: Moment) -> None:
    """End the process without a word."""
    moment()
    os._exit(4)


def abort(moment: Moment) -> None:
    """Give up, as native code does when it finds itself in a state that cannot be."""
    moment()
    os.abort()


def read_nothing(moment: Moment) -> None:
    """Read at address 0."""
    moment()
    ctypes.string_at(0)


def take_all_memory(moment: Moment) -> None:
    """Take memory until the kernel has none left to give."""
    taken = []
    while True:
        moment()
        taken.append(b"x" * 2**24)


def hang(moment: Moment) -> None:
    """Wait for what never comes."""
    moment()
    time.sleep(10_000)


def wait_for_a_while(moment: Moment) -> None:
    """Look like a hang, and then go on."""
    moment()
    time.sleep(4)


WAYS: dict[str, Way] = {
    "exception": raise_error,
    "exception, swallowed by the caller": raise_error,
    "exception, callback added later": raise_error,
    "sys.exit": exit_script,
    "Ctrl-C": interrupt,
    "SIGTERM": terminate,
    "SIGTERM in native code": terminate_while_busy,
    "SIGTERM, then SIGKILL": terminate_and_kill_while_busy,
    "SIGTERM, trainer saves a checkpoint": terminate,
    "SIGABRT": abort,
    "SIGSEGV": read_nothing,
    "SIGKILL": kill,
    "SIGKILL, no watcher": kill,
    "out-of-memory killer": take_all_memory,
    "os._exit": leave_at_once,
    "hang": hang,
    "a long pause": wait_for_a_while,
}
