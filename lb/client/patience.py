"""How long a request may take, and who is told that it took too long."""

from lb.client.failures import backend_silent, body_stalled, body_too_slow, request_expired
from lb.settings import BalancerSettings
from lb.wire.problem import Problem


def overdue(
    settings: BalancerSettings,
    *,
    passed_s: float,
    silent_s: float,
    from_client: bool,
    to_client: bool,
    streams: bool = False,
) -> Problem | None:
    """Return why a request is to be ended, if it is.

    `passed_s`: since its head was complete.  `silent_s`: since something moved.  `from_client`:
    its body is awaited.  `to_client`: the client is slow to take the answer.  When it `streams`,
    `passed_s` is the time for which its body has come too slowly.
    """
    if passed_s >= settings.request_timeout_s:
        if streams:
            return body_too_slow(settings.stream_min_bytes_per_s, passed_s)
        return request_expired(settings.request_timeout_s, by_client=from_client)
    if from_client or to_client:
        limit_s = settings.body_idle_timeout_s
        return body_stalled(limit_s) if silent_s >= limit_s else None
    limit_s = settings.first_byte_timeout_s
    return backend_silent(limit_s) if silent_s >= limit_s else None
