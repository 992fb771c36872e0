"""`python -m agent` and the `ottla` command."""

from agent.cli import main

if __name__ == "__main__":
    main()
