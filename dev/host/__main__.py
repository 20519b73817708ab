"""`python -m dev.host --app DIR --port 7071`: serves a function app until SIGTERM or Ctrl-C.

Prints one line of JSON when it is ready, {"url": ..., "functions": [...]}; everything else goes to stderr.
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import json
import logging
import os
import signal
import socket
import sys
from pathlib import Path

from dev.host.configuration import HostError
from dev.host.server import Host

LOOPBACK = "127.0.0.1"
LEASE = 600.0  # the real host's: a message of a killed instance comes back after ten minutes


def main() -> int:
    options = _parse()
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    for noisy in ("asyncio", "azure", "uvicorn"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    ready_line = _keep_stdout()
    try:
        listening = _listen(options.port, or_free=options.or_free_port)
        asyncio.run(_serve(options, listening, ready_line))
    except HostError as error:
        print(f"The Functions host could not start: {error}", file=sys.stderr)
        return 1
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dev.host", description="A local Azure Functions host.")
    parser.add_argument("--app", type=Path, required=True, help="the folder of function_app.py")
    parser.add_argument("--port", type=int, default=7071, help="on loopback; 0 takes a free one")
    parser.add_argument("--or-free-port", action="store_true", help="if the port is in use")
    parser.add_argument("--lease", type=float, default=LEASE, help="seconds a message stays hidden")
    parser.add_argument(
        "--grace", type=float, default=10.0, help="seconds a stop waits for functions"
    )
    parser.add_argument("--stop-with-parent", action="store_true", help="stop at the end of stdin")
    return parser.parse_args()


def _keep_stdout() -> int:
    """Stdout is for the ready line alone: what the app prints joins the log."""
    kept = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return kept


def _listen(port: int, *, or_free: bool) -> socket.socket:
    try:
        return socket.create_server((LOOPBACK, port))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
    if not or_free:
        raise HostError(f"port {port} is in use; stop what uses it or choose another: --port 7072")
    return socket.create_server((LOOPBACK, 0))


async def _serve(options: argparse.Namespace, listening: socket.socket, ready_line: int) -> None:
    stopping = asyncio.Event()
    _stop_on_signals(stopping)
    if options.stop_with_parent:
        _stop_at_end_of_stdin(stopping)
    host = Host(options.app.resolve(), lease=options.lease, grace=options.grace)
    try:
        functions = await host.start()
        ready = {"url": f"http://localhost:{listening.getsockname()[1]}", "functions": functions}
        os.write(ready_line, json.dumps(ready).encode() + b"\n")
        await host.serve(listening, stopping)
    finally:
        await host.close()


def _stop_on_signals(stopping: asyncio.Event) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)


def _stop_at_end_of_stdin(stopping: asyncio.Event) -> None:
    """The parent holds the other end of the pipe; when it is gone, however it ended, so is the host."""
    loop = asyncio.get_running_loop()
    stdin = sys.stdin.fileno()

    def read() -> None:
        if not os.read(stdin, 4096):
            loop.remove_reader(stdin)
            stopping.set()

    loop.add_reader(stdin, read)


if __name__ == "__main__":
    sys.exit(main())
