"""Bytes/s of `/v1/hash/stream` through the balancer, beside hashlib and sha256sum, in one run.

    python -m bench.stack.hash_stream --url URL --data FOLDER [--bytes 2000000000] [--rounds 3]

`--data` is the data folder of the `millrace up` that serves at the URL; its list of programs says
whose memory to watch.  Each contender hashes the same file, which lies in memory: hashlib by pieces
of 1 MiB in this process, sha256sum on its own, and Millrace over HTTP, sent by the kernel, with the
length announced.  Rounds alternate; the median of each counts.
"""

import argparse
import hashlib
import http.client
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from bench.stack.export import Memory

PIECE = 1024 * 1024
MB = 1e6


def written(folder: Path, size: int) -> Path:
    path = folder / "bytes"
    piece = os.urandom(16 * PIECE)
    with path.open("wb") as file:
        while (left := size - file.tell()) > 0:
            file.write(piece[:left])
    return path


def by_hashlib(path: Path) -> str:
    hasher = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while piece := file.read(PIECE):
            hasher.update(piece)
    return hasher.hexdigest()


def by_sha256sum(path: Path) -> str:
    done = subprocess.run(["sha256sum", str(path)], capture_output=True, check=True, text=True)
    return done.stdout.split()[0]


def by_millrace(url: str, path: Path) -> str:
    to = urlsplit(url)
    connection = http.client.HTTPConnection(to.hostname or "", to.port or 80)
    connection.putrequest("POST", "/v1/hash/stream")
    connection.putheader("Content-Length", str(path.stat().st_size))
    connection.endheaders()
    with path.open("rb") as file:
        connection.sock.sendfile(file)
    response = connection.getresponse()
    answer = json.load(response)
    connection.close()
    if response.status != 200:
        sys.exit(f"{response.status}: {answer}")
    return str(answer["digests"][0]["digest"])


def programs(data: Path) -> dict[int, str]:
    """Return name by process id of what serves: replicas, the balancer, and their children."""
    found = {}
    for program in json.loads((data / "up.json").read_text())["programs"]:
        if program["name"] == "lb" or program["name"].startswith("app-"):
            process = psutil.Process(program["pid"])
            found |= {one.pid: program["name"] for one in [process, *process.children(True)]}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--data", type=Path, default=Path(".millrace"))
    parser.add_argument("--bytes", type=int, default=2_000_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    names = programs(options.data)
    shared = Path("/dev/shm")  # where files lie in memory, on Linux
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as folder:
        path = written(Path(folder), options.bytes)
        contenders: dict[str, Callable[[], str]] = {
            "hashlib": lambda: by_hashlib(path),
            "millrace": lambda: by_millrace(options.url, path),
        }
        if shutil.which("sha256sum"):
            contenders["sha256sum"] = lambda: by_sha256sum(path)
        seconds: dict[str, list[float]] = {name: [] for name in contenders}
        digests = set()
        with Memory(list(names)) as memory:
            for _ in range(options.rounds):
                for name, contender in contenders.items():
                    began = time.perf_counter()
                    digests.add(contender())
                    seconds[name].append(time.perf_counter() - began)
    if len(digests) != 1:
        sys.exit(f"digests differ: {digests}")
    median = {name: statistics.median(times) for name, times in seconds.items()}
    print(f"{options.bytes} bytes, SHA-256, median of {options.rounds}; all digests equal")
    for name, took_s in median.items():
        print(f"{name:10} {options.bytes / MB / took_s:7.0f} MB/s  "
              f"ratio of millrace to it: {took_s / median['millrace']:.2f}")  # fmt: skip
    for pid, name in names.items():
        print(f"{name:6} {pid:8}  peak {memory.most[pid] / MB:.0f} MB, "
              f"before {memory.before[pid] / MB:.0f} MB")  # fmt: skip


if __name__ == "__main__":
    main()
