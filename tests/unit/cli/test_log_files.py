"""Logs are rotated by size and keep their number."""

from pathlib import Path

from cli.supervisor.log_files import rotate, tail


def test_a_log_within_its_limit_stays(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    log.write_text("short")
    rotate(log, limit_bytes=100)
    assert log.read_text() == "short"


def test_a_full_log_moves_aside_and_the_oldest_goes(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    for number in range(6):
        log.write_text(f"{number}" * 100)
        rotate(log, limit_bytes=100, kept=3)
    assert not log.exists()
    kept = [log.with_name(f"worker.log.{number}").read_text()[0] for number in (1, 2, 3)]
    assert kept == ["5", "4", "3"]
    assert len(list(tmp_path.iterdir())) == 3


def test_the_tail_is_the_last_lines_and_of_a_missing_log_nothing(tmp_path: Path) -> None:
    log = tmp_path / "lb.log"
    assert tail(log) == ""
    log.write_text("\n".join(f"line {number}" for number in range(20)) + "\n")
    assert tail(log, 2) == "line 18\nline 19"
