"""Window statistics: river statistics whose value is defined by their window alone."""
