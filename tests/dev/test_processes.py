from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dev.processes import ChildProcess, ProcessError, recognise_json

READY = "print('{\"ready\": true}', flush=True)"
UNTIL_END_OF_STDIN = "sys.stdin.read()"


def python(code: str, **options: object) -> ChildProcess:
    command = [sys.executable, "-c", f"import os, sys, time\n{code}"]
    return ChildProcess("The child", command, **options)  # type: ignore[arg-type]


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


def test_ready_line_is_found_among_other_output() -> None:
    with python(f"print('starting')\nprint('{{not json')\n{READY}\n{UNTIL_END_OF_STDIN}") as child:
        assert child.wait_for(recognise_json) == {"ready": True}
        assert child.running


def test_child_that_ends_before_it_is_ready_shows_what_it_printed() -> None:
    child = python("print('the port is taken', file=sys.stderr)\nsys.exit(3)")
    with pytest.raises(ProcessError, match=r"(?s)exit code 3.*the port is taken"):
        child.wait_for(recognise_json)


def test_child_that_is_never_ready_is_stopped_at_the_deadline() -> None:
    child = python(f"print('thinking', flush=True)\n{UNTIL_END_OF_STDIN}")
    with pytest.raises(ProcessError, match=r"(?s)not ready after 0 s.*"):
        child.wait_for(recognise_json, seconds=0.3)
    assert not child.running


def test_stop_lets_the_child_clean_up(tmp_path: Path) -> None:
    code = f"""
import signal
def end(*_):
    open({str(tmp_path / "cleaned")!r}, "w").close()
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
{READY}
time.sleep(60)
"""
    child = python(code)
    child.wait_for(recognise_json)
    assert child.stop() == 0
    assert (tmp_path / "cleaned").exists()


def test_stop_kills_a_child_that_does_not_listen() -> None:
    child = python(
        f"import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n{READY}\ntime.sleep(60)"
    )
    child.wait_for(recognise_json)
    assert child.stop(grace=0.2) == -signal.SIGKILL


def test_child_is_stopped_when_the_block_fails() -> None:
    child = python(f"{READY}\ntime.sleep(60)")

    def fail() -> None:
        with child:
            child.wait_for(recognise_json)
            raise ValueError("own failure")

    with pytest.raises(ValueError, match="own failure"):
        fail()
    assert not child.running


def test_output_never_blocks_the_child(tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    code = f"{READY}\nfor _ in range(20_000): print('x' * 50)\nprint('end', flush=True)\n{UNTIL_END_OF_STDIN}"
    with python(code, log=log) as child:
        child.wait_for(recognise_json)
        child.wait_for(lambda line: True if line == "end\n" else None)
    assert log.read_text().endswith("end\n")


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_child_does_not_outlive_its_parent(ending: signal.Signals) -> None:
    """The parent is a program of its own here, ended from outside; its child is Azurite."""
    program = """
import time
from dev.azurite import Azurite
from dev.processes import exit_on_terminate
exit_on_terminate()
with Azurite() as azurite:
    print(azurite.ports["Queue"], flush=True)
    time.sleep(60)
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with parent:
        assert parent.stdout is not None
        port = int(parent.stdout.readline())
        assert answers(port)
        os.kill(parent.pid, ending)
        parent.wait(15)
    deadline = time.monotonic() + 10
    while answers(port):
        assert time.monotonic() < deadline, "Azurite is still there"
        time.sleep(0.02)
