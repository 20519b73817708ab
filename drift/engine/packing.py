"""Documents in packs: many together, compressed, named by content, so that equal packs are one.

Where a pack ends is decided by the keys of its documents and not by counting. A changed document therefore rewrites
its own pack and no other, a new or removed one at most two; the rest keep their names and are neither read nor written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec
import zstandard

from drift.engine.canonical import NORMALISER_VERSION, digest_of
from drift.engine.model import Document, ResourceKey, resource_key
from drift.engine.press import inflate, trim_buffer
from errors import Corrupt, Invalid

LARGEST_PACK = (
    740_000  # compressed bytes: in base64, with its other properties, one request of 1 MiB
)
LARGEST_CONTENT = (
    4 * 1024 * 1024
)  # bytes before compression of a pack that holds more than one document
LARGEST_DOCUMENT = (
    64 * 1024 * 1024
)  # ARM takes requests of 4 MB; what unpacking refuses to inflate beyond
RUN = 256  # documents between two boundaries, on average
_WEAKER = {RUN: 32, 32: 4, 4: 1}  # where a run that is too large for one pack is cut again
_LEVEL = 6  # 8.7 : 1 at 130 MB/s on recorded documents; level 3 has 7.8 : 1, level 9 8.8 : 1 at half the speed


class _Content(msgspec.Struct, array_like=True):
    """In columns, which compress better than rows. Digests are what compresses worst: one that follows from the body
    by the normaliser's version is left empty."""

    normaliser_version: int
    resource_ids: list[str]
    resource_types: list[str]
    digests: list[bytes]
    bodies: list[bytes]


_DECODER = msgspec.msgpack.Decoder(_Content)


@dataclass(frozen=True, slots=True)
class Pack:
    name: str  # sha256 of the content before compression
    data: bytes
    keys: tuple[bytes, ...]  # of its documents, 16 bytes each
    last: tuple[str, ResourceKey]  # the place of its last document in the order of all


def place_of(document: Document) -> tuple[str, ResourceKey]:
    """What documents are ordered by: neighbours of one type compress best."""
    return document.resource_type, document.key


def in_order(documents: Iterable[Document]) -> Iterator[Document]:
    """By place. A type at a time: the places of a hundred thousand documents at once would take a tenth of a scan's
    memory."""
    types: dict[str, list[Document]] = {}
    for document in documents:
        types.setdefault(document.resource_type, []).append(document)
    for name in sorted(types):
        yield from sorted(types.pop(name), key=lambda document: document.key)


def is_boundary(key: str, every: int = RUN) -> bool:
    """Whether a run ends with this key. `every` is a power of two, so that a boundary is a weaker one as well."""
    return int(key[-8:], 16) % every == 0


def cut(documents: Iterable[Document]) -> Iterator[Pack]:
    """Packs of the documents, which may come in any order. The same documents give the same packs, byte for byte.

    Raises Invalid for a document that no pack can hold (`fits` tells).
    """
    run: list[Document] = []
    for document in in_order(documents):
        run.append(inflate(document))
        if is_boundary(document.key):
            yield from _pack_run(run, RUN)
            run = []
    if run:
        yield from _pack_run(run, RUN)


def fits(document: Document) -> bool:
    """Whether a pack can hold the document. Nothing that is not random data of a megabyte fails to."""
    if len(document.body) < LARGEST_PACK // 2:
        return True
    return (
        len(document.body) < LARGEST_CONTENT and len(_compress(_encode([document]))) <= LARGEST_PACK
    )


def unpack(data: bytes) -> list[Document]:
    """The documents of a pack. Raises Corrupt for anything that `cut` did not write."""
    try:
        if zstandard.get_frame_parameters(data).content_size > LARGEST_DOCUMENT:
            raise Corrupt("A pack claims to be larger than any pack is.")
        # The library's own limit is void when the frame declares its size, so the stream is read up to one.
        with zstandard.ZstdDecompressor().stream_reader(data) as stream:
            content = stream.read(LARGEST_DOCUMENT + 1)
        columns = _DECODER.decode(content)
        rows = list(
            zip(
                columns.resource_ids,
                columns.resource_types,
                columns.digests,
                columns.bodies,
                strict=True,
            )
        )
    except (zstandard.ZstdError, msgspec.DecodeError, ValueError) as error:
        raise Corrupt("A pack cannot be read.") from error
    version = columns.normaliser_version
    return [
        Document(
            resource_key(resource_id),
            resource_id,
            resource_type,
            body,
            digest or digest_of(body, version),
        )
        for resource_id, resource_type, digest, body in rows
    ]


def _pack_run(run: Sequence[Document], every: int) -> Iterator[Pack]:
    """One pack if it is not too large, else packs of the parts between weaker boundaries."""
    size = sum(len(document.body) for document in run)
    if len(run) == 1 or size <= LARGEST_CONTENT:
        content = _encode(run)
        data = _compress(content)
        if len(data) <= LARGEST_PACK:
            yield _pack(run, content, data)
            return
    if len(run) == 1:
        raise Invalid(f"{run[0].resource_id} is too large to be stored.", field="document")
    part: list[Document] = []
    for document in run:
        part.append(document)
        if is_boundary(document.key, _WEAKER[every]):
            yield from _pack_run(part, _WEAKER[every])
            part = []
    if part:
        yield from _pack_run(part, _WEAKER[every])


def _pack(run: Sequence[Document], content: bytes, data: bytes) -> Pack:
    return Pack(
        name=hashlib.sha256(content).hexdigest(),
        data=data,
        keys=tuple(bytes.fromhex(document.key) for document in run),
        last=place_of(run[-1]),
    )


def _encode(documents: Sequence[Document]) -> bytes:
    return msgspec.msgpack.encode(
        _Content(
            NORMALISER_VERSION,
            [item.resource_id for item in documents],
            [item.resource_type for item in documents],
            [b"" if item.digest == digest_of(item.body) else item.digest for item in documents],
            [item.body for item in documents],
        )
    )


def _compress(content: bytes) -> bytes:
    return trim_buffer(
        zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(content)
    )
