"""The formats in which ptt-rules validate says what it found; one file for each."""
