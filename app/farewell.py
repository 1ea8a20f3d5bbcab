"""A replica that is being stopped says so in every answer, so that its balancer knows at once."""

from collections.abc import Callable

from flask import Flask, Response

HEADER = "X-Millrace-Draining"


def register_farewell(app: Flask, is_draining: Callable[[], bool]) -> None:
    """Say it from the moment on that `is_draining` is true."""

    @app.after_request
    def say_it(response: Response) -> Response:
        if is_draining():
            response.headers[HEADER] = "true"
        return response
