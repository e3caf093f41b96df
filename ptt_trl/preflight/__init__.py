"""What can be known of a run before its first step, measured as metrics for the rules."""

from post_training_toolkit.ptt_trl.preflight.row import preflight_row

__all__ = ["preflight_row"]
