"""Agent traces: the place of their readers, their analysis and their way into training data.

Nothing is here yet. Traces will go through the same engine as metrics.
"""
