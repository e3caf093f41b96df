"""Diffs: what has changed in a model's behaviour between two snapshots."""
