"""Workers as containers of a compose project, through the API of Docker's engine."""
