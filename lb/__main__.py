"""`python -m lb`."""

import sys


def main() -> int:
    """Serve when a parent started us for that; else be the parent."""
    if sys.argv[1:2] == ["--serve"]:
        from lb.main import main as serve

        return serve(sys.argv[2])
    from lb.processes.main import main as lead

    return lead(sys.argv[1:])


if __name__ == "__main__":
    raise SystemExit(main())
