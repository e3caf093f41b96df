"""Reports for people: Markdown, one HTML page, and pictures."""

from post_training_toolkit.ptt_trl.report.writing import write_reports

__all__ = ["write_reports"]
