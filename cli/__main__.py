"""`python -m cli` is the command `millrace`."""

from cli.main import main

main()
