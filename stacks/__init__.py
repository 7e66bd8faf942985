"""What is composed: one wiring file per family of platforms."""
