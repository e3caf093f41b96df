"""The ptt-rules command."""
