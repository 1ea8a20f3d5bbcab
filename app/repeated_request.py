"""Whether another replica may have done already what the current request asks for."""

from flask import request

REPEATED = "X-Millrace-Repeated"


def is_repeated() -> bool:
    """Tell whether the balancer sent this request before, to a replica that did not answer.

    What is counted must not be done then: the first replica can have died behind its commit.
    """
    return REPEATED in request.headers
