"""Rules over recorded history: when each would have fired, and what its remedy would have done."""
