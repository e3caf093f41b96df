"""Writers of agent traces, one module a format."""
