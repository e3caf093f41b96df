"""The rule language: model, loading with located errors, packs, profiles and metric catalogue."""
