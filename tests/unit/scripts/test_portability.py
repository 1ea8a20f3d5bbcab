"""The scripts keep to what macOS has: bash 3.2, and BSD's tools."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.scripts.machine import ROOT, STUBS

PARTS = [*(ROOT / "scripts" / "lib").glob("*.sh")]
OTHERS = [
    ROOT / "setup-venv.sh", ROOT / ".ci" / "run", ROOT / ".ci" / "containers",
    ROOT / ".ci" / "images" / "build", *(ROOT / ".ci").rglob("*.sh"),
    *(ROOT / "scripts").glob("*.sh"), *(ROOT / "deploy").rglob("*.sh"), *STUBS.iterdir(),
]  # fmt: skip
FOR_THE_MAC = [ROOT / "setup-macos.sh", *(ROOT / "scripts").glob("*.sh"), *PARTS]

# what bash 3.2 does not know, or reads wrongly, though shells for POSIX accept some of it
BASH_4 = {
    "associative array": r"\b(declare|local|typeset)\s+-\w*A",
    "reading into an array": r"\b(mapfile|readarray)\b",
    "change of case": r"\$\{\w+(\^|,)",
    "redirection of both streams": r"&>>|\|&",
    "negative index": r"\$\{\w+:\s+-\d|\[-\d+\]\}",
    "case inside $( ), which 3.2 cannot parse": r"\$\([^)]*\bcase\b",
    "time by printf": r"printf\s+['\"]%\(",
    "wait for any": r"\bwait\s+-n\b",
    "empty array under set -u": r"\$\{\w+\[@\]\}",
}
# options and commands that GNU's tools alone have
GNU = {
    "sed": r"\bsed\s+(-\w*[irz]|--)",
    "alternatives in a basic expression": r"\b(grep|sed)\b[^|]*'[^']*\\\|",
    "grep": r"\bgrep\s+(-\w*P|--)",
    "readlink, realpath": r"\breadlink\s+-\w*[fem]|\brealpath\b",
    "date": r"\bdate\s+(-d|--)",
    "stat": r"\bstat\s+-c|\bstat\s+--",
    "xargs": r"\bxargs\s+-\w*[rd]|\bxargs\s+--",
    "mktemp": r"\bmktemp\s+[^|;)]*(--|-p)\b",
    "sort": r"\bsort\s+-\w*V|\bsort\s+--",
    "head, tail": r"\bhead\s+-n\s+-|\b(head|tail)\s+--",
    "df, du": r"\b(df|du)\s+(-\w*B|--)",
    "sleep of less than a second": r"\bsleep\s+\d*\.",
    "Linux' commands": r"(^|[|;&(])\s*(timeout|nproc|tac|free|setsid|getent)\b(?!=)",
    "base64": r"\bbase64\s+-w",
    "cp": r"\bcp\s+--",
}
# these lines run on Linux alone
LINUX_ONLY = {"setup-linux.sh"}


def lines_of(script: Path) -> list[tuple[int, str]]:
    """Return the lines that are no comments, with their numbers."""
    lines = script.read_text().splitlines()
    return [(n, line) for n, line in enumerate(lines, 1) if not line.lstrip().startswith("#")]


def offences(script: Path, forbidden: dict[str, str]) -> list[str]:
    return [
        f"{script.relative_to(ROOT)}:{number}: {name}: {line.strip()}"
        for number, line in lines_of(script)
        for name, pattern in forbidden.items()
        if re.search(pattern, line)
    ]


@pytest.mark.parametrize("script", FOR_THE_MAC, ids=lambda script: script.name)
def test_a_script_uses_nothing_that_bash_3_2_does_not_know(script: Path) -> None:
    assert offences(script, BASH_4) == []


@pytest.mark.parametrize(
    "script", [s for s in FOR_THE_MAC if s.name not in LINUX_ONLY], ids=lambda script: script.name
)
def test_a_script_uses_no_option_that_gnus_tools_alone_have(script: Path) -> None:
    assert offences(script, GNU) == []


@pytest.mark.parametrize(
    "line",
    [
        "declare -A ports", "echo ${name,,}", "x=$(case $y in z) echo ;; esac)", "run &>> log",
        "sed -i s/a/b/ file", "grep -q 'a\\|b' file", "date -d tomorrow", "readlink -f .",
        "sleep 0.2", "xargs -r rm", "timeout 5 curl",
    ],
)  # fmt: skip
def test_what_is_forbidden_would_be_found(line: str) -> None:
    assert any(re.search(pattern, line) for pattern in (BASH_4 | GNU).values())


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_every_script_can_be_read_by_the_shell(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    for script in FOR_THE_MAC:
        options = ["--posix"] if shell == "bash" else []
        read = subprocess.run([shell, *options, "-n", script], capture_output=True, check=False)
        assert (read.returncode, read.stderr) == (0, b""), script


def shellcheck(*arguments: str | Path) -> str:
    """Return what shellcheck finds."""
    beside = Path(sys.executable).parent / "shellcheck"
    program = str(beside) if beside.exists() else shutil.which("shellcheck")
    if program is None:
        pytest.skip("shellcheck is not installed: its wheel is for Linux on x86_64 and macOS alone")
    found = subprocess.run(
        [program, "--format=gcc", *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return found.stdout + found.stderr


def test_shellcheck_finds_nothing_in_the_scripts() -> None:
    """Each by itself, so without what only shows where the parts are read along."""
    assert shellcheck("--exclude=SC1091,SC2034,SC2154", *OTHERS) == ""


def test_shellcheck_finds_nothing_in_the_setup_and_all_the_parts() -> None:
    assert shellcheck("--external-sources", "--check-sourced", ROOT / "setup-macos.sh") == ""


def test_what_can_be_run_is_executable() -> None:
    for script in [ROOT / "setup-macos.sh", *(ROOT / "scripts").glob("*.sh")]:
        assert script.stat().st_mode & 0o111, script
        assert script.read_text().startswith("#!/bin/sh\n"), script
