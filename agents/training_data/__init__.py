"""Data sets for TRL, made of episodes."""
