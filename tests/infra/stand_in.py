"""Stands in for the programs `az` and `azd` in tests of the hooks: `az rest` goes to the simulated Microsoft Graph as
the real one goes to Graph, `azd env set` writes a JSON file. Whatever else they are asked is an error."""

from __future__ import annotations

import argparse
import json
import os
import ssl
import sys
import urllib.error
import urllib.request
from pathlib import Path


def az(arguments: list[str]) -> int:
    if arguments == ["cloud", "show", "--output", "json"]:
        graph, login = os.environ["STAND_IN_GRAPH"], os.environ["STAND_IN_LOGIN"]
        endpoints = {"microsoftGraphResourceId": f"{graph}/", "activeDirectory": login}
        sys.stdout.write(json.dumps({"name": "Simulated", "endpoints": endpoints}))
        return 0
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["rest"])
    parser.add_argument("--method", required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--resource", required=True)
    parser.add_argument("--headers", nargs="*", default=[])
    parser.add_argument("--body")
    options = parser.parse_args(arguments)
    return rest(options)


def rest(options: argparse.Namespace) -> int:
    request = urllib.request.Request(
        options.url.replace(" ", "%20"),
        method=options.method,
        data=options.body.encode() if options.body else None,
        headers=dict(header.split("=", 1) for header in options.headers),
    )
    request.add_header("Authorization", f"Bearer {os.environ['STAND_IN_TOKEN']}")
    trust = ssl.create_default_context(cafile=os.environ["STAND_IN_CA"])
    try:
        with urllib.request.urlopen(request, context=trust) as answer:
            sys.stdout.write(answer.read().decode())
    except urllib.error.HTTPError as error:
        sys.stderr.write(f"ERROR: {error.reason}({error.read().decode()})\n")
        return 1
    return 0


def azd(arguments: list[str]) -> int:
    env, set_, name, value = arguments
    assert (env, set_) == ("env", "set")
    file = Path(os.environ["STAND_IN_VALUES"])
    values = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps({**values, name: value}))
    return 0


if __name__ == "__main__":
    sys.exit({"az": az, "azd": azd}[sys.argv[1]](sys.argv[2:]))
