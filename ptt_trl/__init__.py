"""Everything that touches a trainer or a run directory."""
