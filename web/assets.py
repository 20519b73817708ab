"""Style and scripts under names that hold their digest: a browser keeps them for ever and never has an old one."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import Response

from errors import NotFound

router = APIRouter(include_in_schema=False)

FOLDER = Path(__file__).parent / "static"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
FOR_EVER = "public, max-age=31536000, immutable"


@cache
def published() -> dict[str, tuple[str, bytes]]:
    """Published name -> media type and content, of everything in the folder."""
    found = {}
    for file in sorted(FOLDER.iterdir()):
        if file.suffix in TYPES:
            content = file.read_bytes()
            digest = hashlib.sha256(content).hexdigest()[:12]
            found[f"{file.stem}.{digest}{file.suffix}"] = (TYPES[file.suffix], content)
    return found


@cache
def address(name: str) -> str:
    """Where a file of the folder is published, '' when it is not there: htmx comes with `dev.py` or the package."""
    stem, _, suffix = name.rpartition(".")
    for known in published():
        if known.rsplit(".", 2)[0] == stem and known.endswith(f".{suffix}"):
            return f"/static/{known}"
    return ""


@router.get("/static/{name}")
async def get_asset(name: str) -> Response:
    """Needs no sign-in: it is the same for everybody."""
    found = published().get(name)
    if found is None:
        raise NotFound("There is no such file.")
    return Response(found[1], media_type=found[0], headers={"Cache-Control": FOR_EVER})
