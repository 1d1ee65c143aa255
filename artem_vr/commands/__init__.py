"""One module a command: its options, and what it does. Heavy imports stay inside `run`."""
