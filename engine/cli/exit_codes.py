"""Exit codes of every command of the toolkit; click itself exits with USAGE."""

CLEAN = 0
FINDINGS = 1
USAGE = 2
INVALID_INPUT = 3
