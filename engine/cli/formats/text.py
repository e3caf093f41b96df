"""Lines for people."""

from __future__ import annotations

from post_training_toolkit.engine.cli.validation import Validation

# A wrong indentation can break every line of a file; nobody reads more than this.
SHOWN = 100


def format_text(validation: Validation) -> str:
    """Return a line for each error and each finding, the latter with its code; at most 100."""
    lines = [str(error) for error in validation.errors]
    lines += [f"{finding} [{finding.code}]" for finding in validation.findings]
    if len(lines) > SHOWN:
        lines[SHOWN:] = [f"... and {len(lines) - SHOWN} more; the other formats show all"]
    return "".join(f"{line}\n" for line in lines)
