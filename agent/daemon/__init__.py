"""The shell's loop: read, verify, decide, judge, record, act."""
