"""Recorded history: series of any length, read from files and servers, written by `ottla record`."""
