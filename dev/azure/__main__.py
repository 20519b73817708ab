"""python -m dev.azure --directory DIR: runs the simulated Azure until SIGTERM, SIGINT or the end of stdin."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from dev.azure.cloud import Cloud, build_cloud
from dev.azure.inventory import InvalidDocumentError
from dev.azure.server import (
    AzureServer,
    admin_app,
    azure_app,
    http_server,
    https_server,
    listen,
    make_certificate,
)
from dev.azure.world_file import load_file

WARNING = (
    "dev.azure: a SIMULATION of Azure for development only; its tokens and secrets protect nothing."
)


def main() -> int:
    options = _read_options()
    print(WARNING, file=sys.stderr, flush=True)
    try:
        return asyncio.run(_run(options))
    except (InvalidDocumentError, OSError) as error:
        print(f"dev.azure: {error}", file=sys.stderr)
        return 1


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m dev.azure", description=__doc__)
    parser.add_argument("--directory", type=Path, required=True, help="where ca.pem is written")
    parser.add_argument("--port", type=int, default=0, help="HTTPS port (0: any free one)")
    parser.add_argument("--admin-port", type=int, default=0, help="admin's HTTP port (0: any)")
    parser.add_argument("--world", type=Path, action="append", default=[], metavar="FILE")
    parser.add_argument("--quota", type=int, default=15, help="graph queries per 5 s and principal")
    return parser.parse_args()


async def _run(options: argparse.Namespace) -> int:
    options.directory.mkdir(parents=True, exist_ok=True)
    socket, admin_socket = listen(options.port), listen(options.admin_port)
    url = f"https://localhost:{socket.getsockname()[1]}"
    cloud = build_cloud(url, quota=options.quota)
    for path in options.world:
        load_file(cloud.inventory, path)
    servers = [
        https_server(azure_app(cloud), make_certificate(options.directory)),
        http_server(admin_app(cloud)),
    ]
    _stop_on_signals(servers)
    tasks = [
        asyncio.create_task(server.serve(sockets=[one]))
        for server, one in zip(servers, (socket, admin_socket), strict=True)
    ]
    await asyncio.gather(*(server.ready.wait() for server in servers))
    admin_url = f"http://localhost:{admin_socket.getsockname()[1]}"
    print(json.dumps(_announce(cloud, admin_url, options.directory)), flush=True)
    _stop_at_end_of_stdin(servers)
    await asyncio.gather(*tasks)
    return 0


def _announce(cloud: Cloud, admin_url: str, directory: Path) -> dict[str, object]:
    identity = cloud.identity
    return {
        "url": cloud.origin,
        "adminUrl": admin_url,
        "ca": str(directory / "ca.pem"),
        "managedIdentity": {
            "clientId": identity.client_id,
            "objectId": identity.object_id,
            "directoryId": identity.directory_id,
        },
        "identityHeader": identity.header,
    }


def _stop(servers: list[AzureServer]) -> None:
    for server in servers:
        server.should_exit = True


def _stop_on_signals(servers: list[AzureServer]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, servers)


def _stop_at_end_of_stdin(servers: list[AzureServer]) -> None:
    """A parent that dies takes its end of the pipe with it: nothing is left running."""
    loop = asyncio.get_running_loop()

    def drain() -> None:
        if not os.read(0, 65536):
            loop.remove_reader(0)
            _stop(servers)

    try:
        loop.add_reader(0, drain)
    except OSError:
        # stdin is a plain file, /dev/null or closed, which epoll refuses: there is no end to wait for.
        return


if __name__ == "__main__":
    sys.exit(main())
