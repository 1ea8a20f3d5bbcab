"""A stack in containers, as its engine knows it: looked at and harmed by the `docker` command."""
