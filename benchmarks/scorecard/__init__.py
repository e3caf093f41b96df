"""Measures the shipped rules, naive ones and other tools on labelled runs: ``make scorecard``."""
