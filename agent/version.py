"""What is released, as pyproject.toml says it too: the package's own metadata take 13 ms to be read."""

VERSION = "0.1.0"
