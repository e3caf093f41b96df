"""Sets runs side by side: what was different, what came of it, which checkpoint to keep."""
