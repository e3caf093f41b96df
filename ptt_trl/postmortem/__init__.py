"""What is known, and kept, of a run that died: ``postmortem.json``."""
