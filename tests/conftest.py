"""Settings that all tests share."""

from __future__ import annotations

import os

# Two threads that spin beside another process are ten times slower than one on a model this small.
os.environ["OMP_NUM_THREADS"] = "1"
# No test may reach out for a model or a data set.
os.environ["HF_HUB_OFFLINE"] = "1"
# TRL 1.12.0 warns of its experimental trainers, and a warning fails a test.
os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"
