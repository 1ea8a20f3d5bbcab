"""Ports: free ones are found, taken ones are told with their holder."""

import os
import socket

import pytest

from cli.errors import PortInUse
from cli.stack.ports import LOWEST, free_ports, require_free


def test_free_ports_are_different_and_below_those_of_outgoing_connections() -> None:
    ports = free_ports(5)
    assert len(set(ports)) == 5
    assert all(LOWEST <= port < 61000 for port in ports)


def test_a_taken_port_is_passed_over() -> None:
    (first,) = free_ports(1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", first))
        taken.listen()
        assert free_ports(1, chance=lambda _low, _high: first - 1) != [first]


def test_a_taken_port_is_told_with_its_holder_and_the_option_to_change_it() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse) as told:
            require_free(port, "--admin-port")
    assert str(port) in str(told.value)
    assert "--admin-port" in str(told.value)
    if os.path.exists("/proc"):  # noqa: PTH110 - elsewhere only root is told
        assert f"pid {os.getpid()}" in str(told.value)


def test_a_port_that_was_left_a_moment_ago_is_free() -> None:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            accepted, _ = server.accept()
            accepted.close()  # the server's side closes first, so it lingers in TIME_WAIT
    require_free(port, "--port")
