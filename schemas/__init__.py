"""JSON Schemas of every file format the toolkit reads or writes."""

from post_training_toolkit.schemas.loader import SCHEMA_NAMES, load_schema

__all__ = ["SCHEMA_NAMES", "load_schema"]
