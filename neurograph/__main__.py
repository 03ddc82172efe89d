"""`python -m neurograph` is the command `neurograph`."""

from neurograph.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
