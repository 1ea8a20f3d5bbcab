"""The parent process: owns the sockets, and starts, replaces and ends the processes that serve."""
