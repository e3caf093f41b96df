"""Reads recorded runs from the files of trainers and trackers."""
