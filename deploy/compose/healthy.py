"""Whether an address answers with 200: the image's health check, with nothing but a socket.

`python -I -S healthy.py 8000 /health/live` asks this container's port 8000, and exits with 0, or
with 1 and the reason.  It runs every few seconds in each container, so it imports next to nothing.
"""

import socket
import sys

PATIENCE_S = 8.0


def problem(port: str, path: str) -> str | None:
    """Return why the port is not healthy; None: it is."""
    answer = b""
    try:
        with socket.create_connection(("127.0.0.1", int(port)), PATIENCE_S) as connection:
            request = f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n"
            connection.sendall(request.encode())
            while piece := connection.recv(4096):
                answer += piece
    except OSError as error:
        return f"port {port}, {path}: {error}"
    status, _, rest = answer.partition(b"\r\n")
    if status.split(b" ")[1:2] == [b"200"]:
        return None
    body = rest.partition(b"\r\n\r\n")[2]
    return f"port {port}, {path}: {status.decode()} {body[:500].decode(errors='replace')}"


if __name__ == "__main__":
    sys.exit(problem(*sys.argv[1:3]))
