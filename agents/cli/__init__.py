"""The command line of agent traces: ``ptt-agents``."""
