"""Commands of ptt."""
