"""`python -m lb`."""

from lb.main import main

if __name__ == "__main__":
    raise SystemExit(main())
