"""From the settings to the limiter."""

import random
import ssl
from collections.abc import Callable

from limits import RateLimitItem
from structlog.typing import FilteringBoundLogger

from lb.errors import StartFailed
from lb.events import Emit, unheard
from lb.limiter.api_keys import KeyPolicies, read_keys
from lb.limiter.limiter import Limiter
from lb.limiter.path_policies import PathPolicies
from lb.limiter.policy import Policy
from lb.limiter.redis_address import RedisAddress
from lb.limiter.redis_link import RedisLink
from lb.limiter.shared_windows import SharedWindows, scripts
from lb.limiter.window import make_window
from lb.settings import BalancerSettings

# The usual limit is on the API; the pages about it and health checks are free.
_DEFAULT_PREFIX = "/v1"


def make_limiter(
    settings: BalancerSettings,
    *,
    clock: Callable[[], float],
    log: FilteringBoundLogger,
    emit: Emit = unheard,
) -> Limiter | None:
    """Return the limiter that the settings describe; None when they limit nothing.

    Raises StartFailed when the file of keys, or that of Redis's authorities, is wrong.
    """

    def policy(name: str, item: RateLimitItem) -> Policy:
        window = make_window(
            settings.rate_limit_algorithm,
            item.amount,
            item.get_expiry(),
            max_clients=settings.rate_limit_max_clients,
            now=clock(),
        )
        return Policy(name, item, window)

    rules = settings.rules
    policies: dict[str, Policy] = {}
    by_prefix: dict[bytes, Policy | None] = {}
    for prefix, item in ({_DEFAULT_PREFIX: settings.rate} | rules.paths).items():
        name = "default" if prefix not in rules.paths else prefix or "/"
        if item is not None:
            policies[name] = policy(name, item)
        by_prefix[prefix.encode()] = policies.get(name)
    entries = []
    file = settings.rate_limit_keys_file
    if rules.keys is not None and not file:
        raise StartFailed("The rule key:* needs MILLRACE_RATE_LIMIT_KEYS_FILE, which lists them.")
    for key in read_keys(file) if file else ():
        item = key.item or rules.keys
        if item is None:
            raise StartFailed(
                f"MILLRACE_RATE_LIMIT_KEYS_FILE gives {key.name} no limit: write it behind the "
                "key, or add a rule key:* to MILLRACE_RATE_LIMIT_RULES."
            )
        name = f"key {item}"  # keys of the same limit share a policy, and never a count
        if name not in policies:
            policies[name] = policy(name, item)
        entries.append((key, policies[name]))
    if not policies:
        return None
    shared = _shared(settings, clock, emit)
    if shared is None:  # processes that know nothing of each other: a part for each
        for limited in policies.values():
            limited.share = max(1, limited.amount // settings.processes)
    return Limiter(
        tuple(policies.values()),
        PathPolicies(by_prefix),
        KeyPolicies(entries) if entries else None,
        shared=shared,
        shadow=settings.rate_limit_shadow,
        clock=clock,
        log=log,
    )


def _tls(address: RedisAddress) -> ssl.SSLContext | None:
    try:
        return address.tls_context()
    except OSError as error:
        raise StartFailed(
            f"the authorities in {address.ca_file} cannot be used: {error}. Correct ssl_ca_certs "
            "in MILLRACE_LB_REDIS_URL: it names a PEM file that this user may read."
        ) from error


def _shared(
    settings: BalancerSettings, clock: Callable[[], float], emit: Emit
) -> SharedWindows | None:
    address = settings.redis_address
    if address is None:
        return None

    def changed(problem: str) -> None:
        if problem:
            emit("limiter_local", problem)
        else:
            emit("limiter_shared", f"{address} answers")

    chance = random.SystemRandom()
    link = RedisLink(
        address,
        scripts=scripts(settings.rate_limit_algorithm),
        timeout_s=settings.rate_limit_redis_timeout_s,
        tls=_tls(address),
        clock=clock,
        chance=chance.random,
        on_change=changed,
    )
    return SharedWindows(
        link,
        algorithm=settings.rate_limit_algorithm,
        identity=chance.randbytes(8).hex().encode(),
        clock=clock,
    )
