"""Reports for people: Markdown, one HTML page, and pictures."""
