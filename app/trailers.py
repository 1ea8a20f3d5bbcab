"""What gunicorn's answers lack: trailer fields (RFC 9112 section 7.1.2), and being the last."""

from collections.abc import Callable, Iterable
from typing import Any

from gunicorn import util  # type: ignore[import-untyped]
from gunicorn.http import wsgi  # type: ignore[import-untyped]

from app.formats.responses import TRAILERS_KEY
from app.unread_bodies import CLOSE_KEY

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class TrailingResponse(wsgi.Response):  # type: ignore[misc]
    """gunicorn's response, which ends its chunks with the fields that are in `trailers` then."""

    trailers: dict[str, str]

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.trailers = {}

    def close(self) -> None:
        """End the answer."""
        if not self.chunked or not self.trailers:
            super().close()
            return
        if not self.headers_sent:
            self.send_headers()
        fields = "".join(f"{name}: {value}\r\n" for name, value in self.trailers.items())
        util.write(self.sock, f"0\r\n{fields}\r\n".encode("latin-1"))


def offering_trailers(application: Application) -> Application:
    """Return `application`, for which each request brings a mapping to leave trailers in.

    Not for HTTP/1.0, which has no chunks.  And it brings what closes the connection afterwards.
    """

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        response = getattr(start_response, "__self__", None)
        if isinstance(response, TrailingResponse):
            environ[CLOSE_KEY] = response.force_close
            if response.req.version > (1, 0):
                environ[TRAILERS_KEY] = response.trailers
        return application(environ, start_response)

    return serve


wsgi.Response = TrailingResponse  # what gunicorn makes for each request over HTTP/1
