"""The demo: a real cluster is broken and heals itself, and every claim on the screen is asserted."""
