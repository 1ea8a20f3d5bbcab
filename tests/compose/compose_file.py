"""The compose file as it is read: variables replaced, anchors and merges resolved."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docker-compose.production.yml"
EXAMPLE = ROOT / ".env.example"

_VARIABLE = re.compile(r"\$(?:(?P<escaped>\$)|\{(?P<name>[A-Z][A-Z0-9_]*):-(?P<default>[^}]*)\})")
_COMMENT = re.compile(r"(^|\s)#.*$", re.MULTILINE)


def variables() -> dict[str, str]:
    """Return the file's variables with their defaults.

    Raises ValueError for one that is not written as `${NAME:-default}`, or has two defaults.
    """
    found: dict[str, str] = {}
    text = _COMMENT.sub("", FILE.read_text())
    for match in _VARIABLE.finditer(text):
        if match["name"] and found.setdefault(match["name"], match["default"]) != match["default"]:
            raise ValueError(f"{match['name']} has two defaults")
    if "$" in _VARIABLE.sub("", text):
        raise ValueError("a variable is not written as ${NAME:-default}")
    return found


def document(given: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the file as compose reads it, with these variables."""

    def value(match: re.Match[str]) -> str:
        return "$" if match["escaped"] else (given or {}).get(match["name"]) or match["default"]

    loaded = yaml.safe_load(_VARIABLE.sub(value, FILE.read_text()))
    assert isinstance(loaded, dict)
    return loaded


@cache
def services() -> dict[str, dict[str, Any]]:
    """Return the services, by name, with every default."""
    found: dict[str, dict[str, Any]] = document()["services"]
    return found


def example() -> dict[str, str]:
    """Return the variables of .env.example."""
    lines = [line for line in EXAMPLE.read_text().splitlines() if line and line[0] != "#"]
    return dict(line.split("=", 1) for line in lines)


def seconds(duration: str) -> float:
    """Return a duration such as `1m30s` in seconds."""
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
    return sum(float(n) * units[unit] for n, unit in re.findall(r"(\d+)(ms|s|m|h)", duration))
