"""Comparison of runs: configuration, metrics, insights and behaviour side by side."""
