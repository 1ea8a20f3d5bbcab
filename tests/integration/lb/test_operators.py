"""What only operators may ask for at the public address."""

import json

from tests.integration.lb.conftest import Running


def test_without_the_token_it_reaches_no_replica(running: Running) -> None:
    running.start(admin_token="correct-horse")
    with running.connect() as client:
        for path in ("/metrics", "/v1/%63ache/invalidate"):
            status, fields, body = client.request(path)
            assert (status, json.loads(body)["type"]) == (401, "/problems/unauthorized")
            assert fields[b"www-authenticate"] == b'Bearer realm="operators"'
        assert running.backends[0].received == []
        client.send(
            "GET /metrics HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer correct-horse\r\n\r\n"
        )
        assert client.response()[0] == 200
        assert client.request("/v1/query")[0] == 200


def test_where_there_is_no_token_it_is_open(running: Running) -> None:
    running.start()
    with running.connect() as client:
        assert client.request("/metrics")[0] == 200
