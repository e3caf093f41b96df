"""Trackers that a run already reports to; each library is imported only where it is in use."""

from post_training_toolkit.ptt_trl.trackers.choice import tracker_sinks

__all__ = ["tracker_sinks"]
