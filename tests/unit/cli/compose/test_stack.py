"""The way into a stack: with its own passwords, from this machine's loopback alone."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from cli.compose.docker import DockerFailed
from cli.compose.gateway import LABEL
from cli.compose.project import HARMED
from cli.compose.stack import ComposeStack
from cli.drill.compose_target import usage
from tests.unit.cli.compose.engine import FILE, Engine, described

APP = [
    "DATABASE_URL=postgresql://millrace@db:5432/millrace",
    "DATABASE_PASSWORD_FILE=/run/secrets/db_password",
    "REDIS_URL=redis://redis:6379/0",
    "REDIS_PASSWORD_FILE=/run/secrets/redis_password",
]


@pytest.fixture
def silent() -> Iterator[list[int]]:
    """Ports where somebody listens and says nothing, as servers do at first."""
    with ExitStack() as open_ones:
        made = [open_ones.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]
        yield [int(one.getsockname()[1]) for one in made]


@pytest.fixture
def engine(silent: list[int]) -> Engine:
    engine = Engine(*map(described, HARMED))
    set_up(engine.containers["id-app-1"], APP)
    set_up(engine.containers["id-db-1"], ["POSTGRES_PASSWORD_FILE=/run/secrets/db_admin_password"])
    set_up(engine.containers["id-lb-1"], ["MILLRACE_LB_ADMIN_TOKEN_FILE=/run/secrets/admin_token"])
    engine.containers["id-lb-1"]["NetworkSettings"]["Ports"] = {
        "8080/tcp": [{"HostIp": "0.0.0.0", "HostPort": "18080"}]
    }
    gateway = described("gateway")
    gateway["NetworkSettings"]["Ports"] = {
        f"{inside}/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(port)}]
        for inside, port in zip((5001, 5002, 5003), silent, strict=True)
    }
    engine.containers["id-gateway-1"] = gateway
    engine.answers = {"create": "id-gateway-1\n", "exec": "p@ss/word\n"}
    return engine


def set_up(container: dict[str, Any], environment: list[str]) -> None:
    container["Config"]["Env"] = environment


def opened(engine: Engine) -> ComposeStack:
    return ComposeStack.open(engine.docker, "millrace", Path(FILE), mend=lambda _: None)


def test_its_parts_are_reached_through_the_gateway_with_the_secrets_of_its_containers(
    engine: Engine, silent: list[int]
) -> None:
    stack = opened(engine)
    database, redis, admin = silent
    assert stack.address == "http://127.0.0.1:18080"
    assert (
        stack.database_url == f"postgresql://millrace:p%40ss%2Fword@127.0.0.1:{database}/millrace"
    )
    assert stack.admin_url == f"postgresql://postgres:p%40ss%2Fword@127.0.0.1:{database}/millrace"
    assert stack.redis_url == f"redis://:p%40ss%2Fword@127.0.0.1:{redis}/0"
    assert stack.admin_address == f"http://127.0.0.1:{admin}"
    read = [one[1:] for one in engine.done if one[0] == "exec"]
    assert ["id-db-1", "cat", "/run/secrets/db_admin_password"] in read


def test_the_gateway_listens_on_loopback_alone_and_holds_no_secret(engine: Engine) -> None:
    opened(engine)
    [create] = [one for one in engine.done if one[0] == "create"]
    published = [word for word in create if word.startswith(("--publish", "-p"))]
    assert len(published) == 3
    assert all(word.startswith("--publish=127.0.0.1::") for word in published)
    assert create[create.index("--network") + 1] == "millrace_frontend"
    assert ["network", "connect", "millrace_backend", "id-gateway-1"] in engine.done
    assert not any("p@ss" in word for one in engine.done for word in one)


def test_a_gateway_that_does_not_start_is_removed(engine: Engine) -> None:
    engine.fail["start"] = "driver failed programming external connectivity"
    with pytest.raises(DockerFailed, match="external connectivity"):
        opened(engine)
    assert ["rm", "--force", "id-gateway-1"] in engine.done[-len(engine.containers) :]
    assert any(f"label={LABEL}=millrace" in one for one in engine.done)


def test_a_stack_without_a_public_port_is_told(engine: Engine) -> None:
    engine.containers["id-lb-1"]["NetworkSettings"]["Ports"] = {}
    with pytest.raises(DockerFailed, match="publishes no port 8080"):
        opened(engine)


def test_what_docker_tells_of_memory_is_read() -> None:
    lines = "millrace_app_1\t1.5MiB / 1GiB\t12\nmillrace_db_1\t--\t--\n"
    assert usage(lines) == {"millrace_app_1 bytes": 1_572_864, "millrace_app_1 threads": 12}
