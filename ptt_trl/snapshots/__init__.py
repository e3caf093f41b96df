"""Snapshots of behaviour: what a model says to fixed prompts, and measures of it."""
