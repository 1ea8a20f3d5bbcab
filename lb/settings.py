"""The balancer's settings: environment variables, described for operators in docs/balancer.md."""

import ipaddress
import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

import limits
from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from lb.backend.source import Address, Source, parse_address, parse_sources
from lb.client_address import Network, parse_networks
from lb.limiter.redis_address import RedisAddress, parse_redis_url
from lb.limiter.rules import Rules, parse_limit, parse_rules
from lb.limiter.window import Algorithm
from lb.pick import Strategy
from lb.secret_file import read_secret


def _an_address(text: str) -> str:
    parse_address(text)
    return text


def _sources(text: str) -> str:
    parse_sources(text)
    return text


def _limit(text: str) -> str:
    parse_limit(text)
    return text


def _rules(text: str) -> str:
    parse_rules(text)
    return text


def _redis_url(text: str) -> str:
    if text:
        parse_redis_url(text)
    return text


def _paths(text: str) -> str:
    if not all(path.strip().startswith("/") for path in text.split(",") if path.strip()):
        raise ValueError("give paths that begin with /, separated by commas")
    return text


def _prefixes(text: str) -> str:
    if any(path.strip().endswith("/") for path in text.split(",")):
        raise ValueError("give paths that end without /: they stand for all that lies below, too")
    return _paths(text)


def _networks(text: str) -> str:
    parse_networks(text)
    return text


def _http_url(text: str) -> str:
    parts = urlsplit(text)
    if text and not (parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0):
        raise ValueError("give the URL of an OTLP/HTTP receiver: http://collector:4318")
    return text.rstrip("/")


def _secret_file(path: str) -> str:
    if path:
        read_secret(Path(path))
    return path


ListenAddress = Annotated[str, AfterValidator(_an_address)]
SecretFile = Annotated[str, AfterValidator(_secret_file)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]


class BalancerSettings(BaseSettings):
    """Environment variables `MILLRACE_LB_…`; sizes in bytes, durations in seconds."""

    model_config = SettingsConfigDict(env_prefix="MILLRACE_LB_", frozen=True, validate_by_name=True)

    listen: ListenAddress = "127.0.0.1:8080"
    admin_listen: ListenAddress = "127.0.0.1:8081"
    backends: Annotated[str, AfterValidator(_sources), Field(validate_default=True)] = ""
    strategy: Strategy = "least_connections"
    resolve_interval_s: Seconds = 1.0

    rate_limit: Annotated[
        str, AfterValidator(_limit), Field(validation_alias="MILLRACE_RATE_LIMIT")
    ] = "100/minute"
    rate_limit_ipv6_prefix: Annotated[int, Field(ge=1, le=128)] = 64
    rate_limit_max_clients: Count = 1_000_000

    check_interval_s: Seconds = 1.0
    check_timeout_s: Seconds = 2.0
    check_rise: Count = 2
    check_fall: Count = 3
    max_connection_failures: Count = 3

    connect_timeout_s: Seconds = 2.0
    first_byte_timeout_s: Seconds = 75.0
    header_timeout_s: Seconds = 10.0
    body_idle_timeout_s: Seconds = 60.0
    client_idle_timeout_s: Seconds = 75.0
    backend_idle_timeout_s: Seconds = 60.0
    drain_timeout_s: Seconds = 30.0

    max_request_line_bytes: Count = 8192
    max_header_bytes: Count = 32768
    max_body_bytes: Count = 32 * 1024 * 1024
    replay_body_bytes: Annotated[int, Field(ge=0)] = 65536
    max_client_connections: Count = 10_000
    max_backend_connections: Count = 256

    max_retries: Annotated[int, Field(ge=0)] = 2
    retry_budget: Annotated[float, Field(ge=0, le=1)] = 0.2
    retry_budget_minimum: Annotated[int, Field(ge=0)] = 3
    throttle_factor: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 2.0
    retry_safe_paths: Annotated[str, AfterValidator(_paths)] = (
        "/v1/query,/v1/query/explain,/v1/hash"
    )

    access_log: Literal["off", "errors", "sampled", "full"] = "errors"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Field(validation_alias="MILLRACE_LOG_LEVEL")
    ] = "info"
    log_format: Annotated[
        Literal["json", "console"], Field(validation_alias="MILLRACE_LOG_FORMAT")
    ] = "json"

    slow_start_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 10.0
    eject_s: Seconds = 1.0
    eject_max_s: Seconds = 60.0
    panic_ratio: Annotated[float, Field(ge=0, le=1)] = 0.3
    queue_length: Annotated[int, Field(ge=0)] = 1024
    queue_timeout_s: Seconds = 5.0
    max_idle_per_backend: Annotated[int, Field(ge=0)] = 128

    processes: Count = 1
    settings_file: str = ""
    drain_idle_s: Seconds = 1.0
    tls_certificate: str = ""
    tls_key: str = ""
    admin_token: Annotated[str, Field(repr=False)] = ""
    admin_token_file: SecretFile = ""

    request_timeout_s: Seconds = 120.0
    access_log_sample: Annotated[float, Field(ge=0, le=1)] = 0.01
    explain_requests: Annotated[int, Field(ge=0)] = 4096

    trusted_proxies: Annotated[str, AfterValidator(_networks)] = ""
    rate_limit_algorithm: Annotated[
        Algorithm, Field(validation_alias="MILLRACE_RATE_LIMIT_ALGORITHM")
    ] = "log"
    rate_limit_rules: Annotated[
        str, AfterValidator(_rules), Field(validation_alias="MILLRACE_RATE_LIMIT_RULES")
    ] = ""
    rate_limit_keys_file: Annotated[
        str, Field(validation_alias="MILLRACE_RATE_LIMIT_KEYS_FILE")
    ] = ""
    rate_limit_shadow: Annotated[bool, Field(validation_alias="MILLRACE_RATE_LIMIT_SHADOW")] = False
    redis_url: Annotated[str, AfterValidator(_redis_url), Field(repr=False)] = ""
    redis_password_file: SecretFile = ""
    rate_limit_redis_timeout_s: Annotated[
        Seconds, Field(validation_alias="MILLRACE_RATE_LIMIT_REDIS_TIMEOUT_S")
    ] = 0.05

    proxy_protocol: Literal["off", "require"] = "off"

    operator_paths: Annotated[str, AfterValidator(_prefixes)] = (
        "/metrics,/v1/breaker,/v1/cache,/v1/tables/*/acceleration"
    )

    stream_paths: Annotated[str, AfterValidator(_prefixes)] = (
        "/v1/hash/stream,/v1/hash/batch,/v1/uploads,/v1/jobs"
    )
    stream_min_bytes_per_s: Annotated[int, Field(ge=0)] = 1024

    otlp_endpoint: Annotated[
        str, AfterValidator(_http_url), Field(validation_alias="MILLRACE_OTLP_ENDPOINT")
    ] = ""
    trace_ratio: Annotated[float, Field(ge=0, le=1, validation_alias="MILLRACE_TRACE_RATIO")] = 0.01
    trace_queue: Annotated[Count, Field(validation_alias="MILLRACE_TRACE_QUEUE")] = 2048
    trace_clients: Literal["accept", "trusted", "ignore"] = "accept"

    @model_validator(mode="after")
    def _head_holds_the_line(self) -> Self:
        if self.max_request_line_bytes > self.max_header_bytes:
            raise ValueError(
                "MILLRACE_LB_MAX_REQUEST_LINE_BYTES may not be above MILLRACE_LB_MAX_HEADER_BYTES"
            )
        return self

    @model_validator(mode="after")
    def _certificate_and_key_go_together(self) -> Self:
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise ValueError("give both MILLRACE_LB_TLS_CERTIFICATE and MILLRACE_LB_TLS_KEY")
        return self

    @model_validator(mode="after")
    def _somebody_may_speak_the_proxy_protocol(self) -> Self:
        if self.proxy_protocol == "require" and not self.trusted_networks:
            raise ValueError(
                "MILLRACE_LB_PROXY_PROTOCOL=require lets in trusted proxies alone: name their "
                "networks in MILLRACE_LB_TRUSTED_PROXIES"
            )
        return self

    @model_validator(mode="after")
    def _a_reachable_admin_has_a_token(self) -> Self:
        if not self.operators_token and not is_loopback(self.admin_address.host):
            raise ValueError(
                "MILLRACE_LB_ADMIN_LISTEN is not on the loopback interface: set "
                "MILLRACE_LB_ADMIN_TOKEN or MILLRACE_LB_ADMIN_TOKEN_FILE too"
            )
        return self

    @property
    def fixed(self) -> dict[str, str]:
        """What the parent reads at its start, once and for all; by variable."""
        return {
            "MILLRACE_LB_LISTEN": self.listen,
            "MILLRACE_LB_ADMIN_LISTEN": self.admin_listen,
        }

    @property
    def sources(self) -> tuple[Source, ...]:
        """Where the backends are."""
        return parse_sources(self.backends)

    @property
    def listen_address(self) -> Address:
        """The public address."""
        return parse_address(self.listen)

    @property
    def admin_address(self) -> Address:
        """The operator's address."""
        return parse_address(self.admin_listen)

    @property
    def safe_paths(self) -> frozenset[bytes]:
        """Paths to which a POST may be sent twice."""
        return frozenset(_listed(self.retry_safe_paths))

    @property
    def streams(self) -> tuple[bytes, ...]:
        """Paths below which bodies and answers have no limits but of silence and pace."""
        return _listed(self.stream_paths)

    @property
    def operators(self) -> tuple[bytes, ...]:
        """Paths below which requests must bear the operators' token, if there is one."""
        return _listed(self.operator_paths)

    @property
    def trusted_networks(self) -> tuple[Network, ...]:
        """Whose word about a client's address is believed."""
        return parse_networks(self.trusted_proxies)

    @property
    def rules(self) -> Rules:
        """The limits of paths and keys beside the usual one."""
        return parse_rules(self.rate_limit_rules)

    @property
    def redis_address(self) -> RedisAddress | None:
        """Where the shared windows are; None: each process has its own."""
        if not self.redis_url:
            return None
        address = parse_redis_url(self.redis_url)
        if address.password or not self.redis_password_file:
            return address
        return replace(address, password=read_secret(Path(self.redis_password_file)))

    @property
    def operators_token(self) -> str:
        """What operators' requests must bear; empty: nothing."""
        if self.admin_token or not self.admin_token_file:
            return self.admin_token
        return read_secret(Path(self.admin_token_file))

    @property
    def rate(self) -> limits.RateLimitItem | None:
        """The limit, or None for no limit."""
        return parse_limit(self.rate_limit)


def _listed(text: str) -> tuple[bytes, ...]:
    paths = (path.strip() for path in text.split(","))
    return tuple(path.encode() for path in paths if path)


def load(**given: object) -> BalancerSettings:
    """Read the settings anew: what is `given`, the environment, then the settings file.

    A process's environment cannot be changed from outside, so what SIGHUP shall change lies in
    the file.  Raises pydantic.ValidationError; OSError when the file cannot be read.
    """
    path = os.environ.get("MILLRACE_LB_SETTINGS_FILE", "")
    if path:
        Path(path).open().close()  # pydantic-settings would pass over one that isn't there
    return BalancerSettings(_env_file=path or None, **given)  # type: ignore[arg-type, call-arg]


def complaints(error: ValidationError | OSError) -> list[str]:
    """Return what is wrong with the settings, a line for each, by the name of its variable."""
    if isinstance(error, OSError):
        return [f"MILLRACE_LB_SETTINGS_FILE: {error.filename}: {error.strerror}"]
    lines = []
    for item in error.errors():
        place = ".".join(str(part) for part in item["loc"])
        if place and not place.upper().startswith("MILLRACE"):
            place = f"MILLRACE_LB_{place.upper()}"
        lines.append(f"{place.upper()}: {item['msg']}" if place else item["msg"])
    return lines


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach `host`; names other than localhost may be any."""
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost"


def variables() -> dict[str, object]:
    """Return each environment variable with its default (for the test of the documentation)."""
    prefix = BalancerSettings.model_config.get("env_prefix", "")
    return {
        str(field.validation_alias or f"{prefix}{name.upper()}"): field.default
        for name, field in BalancerSettings.model_fields.items()
    }
