"""Statistics, detectors and the alert state machine: rules in, insights out."""
