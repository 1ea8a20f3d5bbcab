"""The shell scripts, on machines that are made up."""
