"""Keeps the generators of random numbers as they are."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def untouched_randomness() -> Iterator[None]:
    """Put the global generators of torch, numpy and Python back when the block ends.

    A collator or a transform of a data set may draw random numbers.

    >>> with untouched_randomness():
    ...     inside = random.random()
    >>> random.random() == inside
    True
    """
    of_python, of_numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        try:
            yield
        finally:
            random.setstate(of_python)
            np.random.set_state(of_numpy)
