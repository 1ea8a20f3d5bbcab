"""Hostile inputs against a running Millrace: how each ends, and after how many milliseconds.

    python bench/stack/hostile.py [http://127.0.0.1:8080] [--timeout-s 5]

Inputs that need tables other than `t` are refused all the same where there is none.
"""

import argparse
import sys
import time
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.hostile_inputs import ANSWER, INPUTS, Hostile


def send(client: httpx.Client, hostile: Hostile, timeout_s: float) -> tuple[int, str, float]:
    """Return status, slug of the problem ("answer": none), and milliseconds."""
    body = {"sql": hostile.sql, "params": hostile.params, "timeout_s": timeout_s}
    began = time.perf_counter()
    answer = client.post("/v1/query", json=body)
    took_ms = (time.perf_counter() - began) * 1000
    slug = ANSWER if answer.status_code == 200 else str(answer.json()["type"]).split("/")[-1]
    return answer.status_code, slug, took_ms


def main() -> int:
    """Send them all; the exit code is 1 if one ended as it should not."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("url", nargs="?", default="http://127.0.0.1:8080")
    parser.add_argument("--timeout-s", type=float, default=5.0)
    arguments = parser.parse_args()
    wrong = 0
    print(f"{'input':<45} {'status':>6} {'ms':>8}  end")
    with httpx.Client(base_url=arguments.url, timeout=arguments.timeout_s + 30) as client:
        for hostile in INPUTS:
            status, slug, took_ms = send(client, hostile, arguments.timeout_s)
            mark = "" if slug in hostile.ends else "   NOT as it should"
            wrong += slug not in hostile.ends
            print(f"{hostile.name:<45} {status:>6} {took_ms:>8.1f}  {slug}{mark}", flush=True)
    print(f"{len(INPUTS)} inputs, {wrong} ended as they should not")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
