"""The fault proxy does what each of its rules says, on TCP and on Unix sockets."""

import contextlib
import socket
import threading
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from cli.faults.endpoint import Endpoint, EndpointUnusable
from cli.faults.rules import Rule, Rules
from tests.chaos.conftest import Line
from tests.chaos.local_proxy import is_ended, is_silent, received, until

BOTH_SILENT = Rules(to_server=Rule(swallow=True), to_client=Rule(swallow=True))
MEGABYTE = 1024 * 1024

pieces = st.lists(st.binary(max_size=3000), max_size=12)
passing = st.builds(
    Rule,
    delay_s=st.sampled_from([0.0, 0.001]),
    jitter_s=st.sampled_from([0.0, 0.004]),
    bytes_per_s=st.sampled_from([None, 1_000_000.0]),
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(up=pieces, down=pieces, rules=st.builds(Rules, to_server=passing, to_client=passing))
def test_bytes_pass_unchanged_in_any_pieces_under_every_rule_that_spoils_none(
    line: Line, up: list[bytes], down: list[bytes], rules: Rules
) -> None:
    line.proxy.set(rules)
    client, server = line.pair()
    with client, server:
        sending = threading.Thread(target=server.sendall, args=(b"".join(down),))
        sending.start()
        for piece in up:
            client.sendall(piece)
        client.shutdown(socket.SHUT_WR)
        all_up, all_down = b"".join(up), b"".join(down)
        assert received(server, len(all_up) + 1) == all_up
        sending.join()
        server.shutdown(socket.SHUT_WR)
        assert received(client, len(all_down) + 1) == all_down
    until(lambda: line.proxy.connections == 0)


def test_a_sender_waits_for_a_receiver_that_does_not_read(line: Line) -> None:
    client, server = line.pair()
    client.settimeout(0.5)
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < 64 * MEGABYTE:
            sent += client.send(bytes(65536))
    assert sent < 32 * MEGABYTE
    assert received(server, sent) == bytes(sent)


def test_an_answer_comes_to_a_client_that_has_said_all(line: Line) -> None:
    client, server = line.pair()
    client.shutdown(socket.SHUT_WR)
    assert server.recv(1) == b""
    server.sendall(b"answer")
    server.close()
    assert received(client, 100) == b"answer"


def test_a_servers_last_words_reach_a_client_that_is_still_talking(line: Line) -> None:
    client, server = line.pair()
    server.sendall(b"goodbye")
    server.close()
    until(lambda: client.recv(7, socket.MSG_PEEK) == b"goodbye")
    client.sendall(b"one more question")
    assert received(client, 100) == b"goodbye"


def test_cutting_ends_all_connections_and_takes_new_ones(line: Line) -> None:
    client, server = line.pair()
    assert line.proxy.cut() == 1
    assert is_ended(client)
    assert is_ended(server)
    client, server = line.pair()
    client.sendall(b"again")
    assert received(server, 5) == b"again"


def test_refusing_turns_new_connections_away_and_leaves_the_others(line: Line) -> None:
    client, server = line.pair()
    place = line.proxy.address
    line.proxy.set(Rules(refuse=True))
    with pytest.raises(ConnectionRefusedError):
        line.proxy.connect()
    client.sendall(b"here")
    assert received(server, 4) == b"here"
    line.proxy.reset()
    assert line.proxy.address == place
    client, server = line.pair()
    client.sendall(b"in")
    assert received(server, 2) == b"in"


def test_a_delay_holds_back_what_is_sent_and_keeps_its_order(line: Line) -> None:
    client, server = line.pair()
    line.proxy.set(Rules(to_server=Rule(delay_s=0.1, jitter_s=0.1)))
    began = time.monotonic()
    for number in range(10):
        client.sendall(bytes([number]))
    assert received(server, 10) == bytes(range(10))
    assert time.monotonic() - began >= 0.1
    server.sendall(b"back")
    assert received(client, 4) == b"back"


def test_the_end_of_a_delay_lets_go_what_it_held_back(line: Line) -> None:
    client, server = line.pair()
    line.proxy.set(Rules(to_server=Rule(delay_s=600)))
    client.sendall(b"late")
    assert is_silent(server)
    line.proxy.reset()
    assert received(server, 4) == b"late"


def test_a_throttle_lets_no_more_than_its_rate_pass(line: Line) -> None:
    client, server = line.pair()
    line.proxy.set(Rules(to_client=Rule(bytes_per_s=20_000)))
    began = time.monotonic()
    server.sendall(bytes(6_000))
    assert received(client, 6_000) == bytes(6_000)
    assert time.monotonic() - began >= 0.2


def test_a_black_hole_takes_everything_and_gives_nothing(line: Line) -> None:
    client, server = line.pair()
    line.proxy.set(BOTH_SILENT)
    client.sendall(b"hello?")
    server.sendall(b"hello!")
    assert is_silent(server)
    assert is_silent(client)
    server.close()
    assert is_silent(client)
    late, _ = line.pair()
    late.sendall(b"hello?")
    assert is_silent(late)


def test_a_connection_that_lost_bytes_is_cut_and_never_goes_on_with_a_hole(line: Line) -> None:
    client, server = line.pair()
    untouched, far_end = line.pair()
    line.proxy.set(BOTH_SILENT)
    client.sendall(b"lost")
    assert is_silent(server)
    line.proxy.reset()
    assert is_ended(client)
    assert is_ended(server)
    untouched.sendall(b"whole")
    assert received(far_end, 5) == b"whole"


@pytest.mark.parametrize("side", ["server", "client"])
def test_half_open_ends_one_side_and_tells_the_other_nothing(line: Line, side: str) -> None:
    client, server = line.pair()
    client.sendall(b"x")
    assert received(server, 1) == b"x"
    gone, other = (server, client) if side == "server" else (client, server)
    assert line.proxy.half_open("server" if side == "server" else "client") == 1
    assert is_ended(gone)
    other.sendall(b"is anybody there?")
    assert is_silent(other)
    new_client, new_server = line.pair()
    new_client.sendall(b"new")
    assert received(new_server, 3) == b"new"
    line.proxy.reset()
    assert is_ended(other)


def test_corruption_changes_bytes_and_not_their_number(line: Line) -> None:
    client, server = line.pair()
    line.proxy.set(Rules(to_server=Rule(corrupt_share=0.5)))
    client.sendall(bytes(10_000))
    changed = sum(byte != 0 for byte in received(server, 10_000))
    assert 4_000 < changed < 6_000


def test_a_connection_is_cut_after_so_many_bytes_of_each(line: Line) -> None:
    for limit in (0, 1, 70_000):
        line.proxy.set(Rules(to_client=Rule(cut_after_bytes=limit)))
        client, server = line.pair()
        reading: list[bytes] = []
        reader = threading.Thread(
            target=lambda end=client, into=reading: into.append(received(end, MEGABYTE))
        )
        reader.start()
        with contextlib.suppress(ConnectionError):  # cut while it was still being sent
            server.sendall(bytes(100_000))
        reader.join()
        assert is_ended(server)
        # a reset throws away what a receiver on TCP has not read yet
        assert len(reading[0]) == limit or (line.proxy.address.port and len(reading[0]) < limit)


def test_a_server_that_lets_nobody_in_ends_the_clients_connection(line: Line) -> None:
    line.server.close()
    # on TCP the end may come before connecting has returned
    with contextlib.suppress(ConnectionResetError), line.proxy.connect() as client:
        assert is_ended(client)
    until(lambda: line.proxy.connections == 0)


@pytest.mark.parametrize("text", ["", "unix:", "tcp:host", "tcp::1", "tcp:h:70000", "udp:h:1"])
def test_a_place_that_cannot_be_read_is_told(text: str) -> None:
    with pytest.raises(EndpointUnusable, match=r"unix:PATH or tcp:HOST:PORT"):
        Endpoint.parse(text)


def test_a_place_whose_path_no_socket_can_have_is_told() -> None:
    with pytest.raises(EndpointUnusable, match="shorter path"):
        Endpoint.parse(f"unix:/{'x' * 107}")


def test_a_place_is_written_as_it_is_read() -> None:
    for text in ("unix:/tmp/a:b", "tcp:127.0.0.1:5432"):
        assert str(Endpoint.parse(text)) == text


def test_rules_that_make_no_sense_are_refused() -> None:
    for wrong in ({"delay_s": -1}, {"corrupt_share": 2}, {"bytes_per_s": 0}, {"latency": 1}):
        with pytest.raises(ValidationError):
            Rule.model_validate(wrong)
