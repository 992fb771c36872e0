"""Rules rehearsed: promtool's unit tests, and remedies played through the agent's loop in virtual time."""
