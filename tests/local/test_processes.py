"""Children end with their supervisor, even if it is killed."""

import os
import secrets
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from local import reaper
from local.processes import Child, LocalError, free_port, is_free
from tests.local.support import eventually, is_alive, processes

# A program that starts a child and prints both process ids.
FAMILY = ["sh", "-c", "sleep 600 & echo $! $$; wait"]
# The same, but ignoring SIGTERM.
STUBBORN = ["sh", "-c", "trap '' TERM; sleep 600 & echo $! $$; wait"]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "child.log"


def test_output_is_logged(log: Path) -> None:
    Child("echo", ["sh", "-c", "echo out; echo err >&2"], log).finish()

    assert log.read_text() == "out\nerr\n"


def test_only_the_user_can_read_the_log(log: Path) -> None:
    before = os.umask(0)
    try:
        Child("echo", ["true"], log).finish()
    finally:
        os.umask(before)

    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert stat.S_IMODE(log.parent.stat().st_mode) == 0o700


def test_only_the_user_can_read_a_log_that_existed(log: Path) -> None:
    log.parent.mkdir()
    log.touch()
    log.chmod(0o644)

    Child("echo", ["true"], log).finish()

    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_failure_reports_exit_code_and_last_lines(log: Path) -> None:
    child = Child("counter", ["sh", "-c", "seq 20; exit 3"], log)

    with pytest.raises(LocalError) as failure:
        child.finish()

    message = str(failure.value).split("\n")
    assert message[0] == f"counter ended (exit code 3); {log} ends:"
    assert [line.strip() for line in message[1:]] == [str(n) for n in range(11, 21)]


def test_missing_program_is_a_failure(log: Path) -> None:
    with pytest.raises(LocalError, match=r"ended \(exit code 127\)(?s:.*)not found"):
        Child("nothing", ["no-such-program"], log).finish()


def test_failure_names_the_signal(log: Path) -> None:
    with pytest.raises(LocalError, match="SIGKILL"):
        Child("victim", ["sh", "-c", "kill -9 $$"], log).finish()


def test_waiting_ends_with_the_program(log: Path) -> None:
    with Child("brief", ["true"], log) as child, pytest.raises(LocalError, match="exit code 0"):
        child.wait_until(lambda: False)


def test_waiting_times_out(log: Path) -> None:
    late = pytest.raises(LocalError, match=r"slow is not ready after 0\.1 s")
    with Child("slow", ["sleep", "60"], log) as child, late:
        child.wait_until(lambda: False, seconds=0.1)


def test_stop_ends_children_of_the_child(log: Path) -> None:
    with Child("family", FAMILY, log):
        family = members(log)

    eventually(lambda: not any(map(is_alive, family)))


def test_stop_kills_processes_that_ignore_sigterm(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.reaper.PATIENCE", 0.1)
    with Child("stubborn", STUBBORN, log):
        family = members(log)

    eventually(lambda: not any(map(is_alive, family)))


def test_second_stop_signals_no_other_process(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child = Child("brief", ["true"], log)
    child.stop()
    monkeypatch.setattr("os.killpg", lambda *_: pytest.fail("a process group was signalled"))

    child.stop()


def test_killed_supervisor_leaves_no_process(tmp_path: Path) -> None:
    logs = [tmp_path / "one.log", tmp_path / "two.log"]
    supervisor = supervise(tmp_path, [FAMILY, FAMILY])
    family = members(logs[0]) + members(logs[1])

    supervisor.kill()
    supervisor.wait()

    eventually(lambda: not any(map(is_alive, family)))


def test_reaper_kills_processes_that_ignore_sigterm(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.reaper.PATIENCE", 0.1)
    with Child("stubborn", STUBBORN, log) as child:
        family = members(log)

        reaper.end([child.pid])

        eventually(lambda: not any(map(is_alive, family)))


def test_reaper_finds_the_remaining_groups() -> None:
    assert reaper.groups_left(["+7\n", "+8\n", "-7\n", "+9\n"]) == [8, 9]


def test_reaper_survives_signals_of_a_terminal(tmp_path: Path) -> None:
    supervisor = supervise(tmp_path, [FAMILY])
    family = members(tmp_path / "one.log")
    guard = next(
        pid for pid, parent, _ in processes() if parent == supervisor.pid and pid not in family
    )
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(guard, number)

    supervisor.kill()
    supervisor.wait()

    eventually(lambda: not any(map(is_alive, family)))
    eventually(lambda: not is_alive(guard))


def test_port_is_free_until_a_program_listens_on_it(log: Path) -> None:
    port = free_port()
    assert is_free(port)
    server = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)]

    with Child("server", server, log) as child:
        child.wait_until(lambda: not is_free(port))

    assert is_free(port)


def test_free_port_is_returned_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its server may start seconds later, and another process asks meanwhile."""
    port, draw = free_port(), secrets.randbelow
    same = iter([port - 10_000])
    monkeypatch.setattr(secrets, "randbelow", lambda below: next(same, None) or draw(below))

    assert free_port() != port


def supervise(directory: Path, commands: list[list[str]]) -> subprocess.Popen[bytes]:
    """Start a supervisor whose children run the commands, with logs one.log, two.log."""
    program = f"""
        import signal
        from pathlib import Path
        from local.processes import Child
        logs = Path({str(directory)!r})
        children = [Child(name, command, logs / f"{{name}}.log")
                    for name, command in zip(("one", "two"), {commands!r})]
        signal.pause()
    """
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)])


def members(log: Path) -> list[int]:
    """Wait until the log contains the process ids of a family, and return them."""
    eventually(lambda: log.exists() and len(log.read_text().split()) == 2)
    return [int(pid) for pid in log.read_text().split()]
