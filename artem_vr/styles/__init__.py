"""Which paintings there are, and which one is chosen now."""
