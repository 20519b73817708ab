#!/usr/bin/env python3
"""Everything a person does with this project: python3 dev.py demo | test | serve | bench | doctor | lock | …

Needs nothing but Python; dev/installation.py sets up the rest. This file must be readable by any Python, however old,
so that the wrong one gets an answer instead of a syntax error.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 (it is here for the interpreters that fail it)
    sys.exit(
        "dev.py needs Python 3.11 or newer; this is "
        + sys.version.split()[0]
        + ". Try: python3.11 dev.py"
    )
if sys.platform == "win32":
    sys.exit("dev.py runs on Linux and macOS; on Windows use it inside WSL.")

from dev.commands import main

if __name__ == "__main__":
    main(sys.argv[1:])
