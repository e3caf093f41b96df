"""What the user sees while a run is alive."""

from post_training_toolkit.ptt_trl.live.choice import live_face

__all__ = ["live_face"]
