"""The only wiring. Each file is loaded by who needs it: an undo without a daemon needs no eyes."""
