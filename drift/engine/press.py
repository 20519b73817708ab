"""Many documents in little memory: what a first scan reads is all new, and rests here until it is packed.

Each document is compressed by itself, so that any of them can be read at any time, against a dictionary of those that
came before it: that is half of what a pack saves, at a twentieth of what the canonical form costs.
"""

from __future__ import annotations

from collections.abc import Callable

import zstandard

from drift.engine.model import Document, ResourceKey

SAMPLES = (
    1_000  # documents that stay as they are, a few megabytes; most scans have no more that is new
)
_DICTIONARY = 256 * 1024  # bytes: half as many save an eighth less
_LEVEL = 3


class PressedDocument(Document):
    """A document whose id and body are inflated whenever they are asked for."""

    __slots__ = ("_inflate", "_key", "_pressed")
    _inflate: Callable[[bytes], bytes]
    _key: bytes
    _pressed: bytes

    def __init__(
        self, document: Document, key: bytes, pressed: bytes, inflate: Callable[[bytes], bytes]
    ) -> None:
        object.__setattr__(self, "resource_type", document.resource_type)
        object.__setattr__(self, "digest", document.digest)
        object.__setattr__(self, "_key", key)
        object.__setattr__(self, "_pressed", pressed)
        object.__setattr__(self, "_inflate", inflate)

    @property
    def key(self) -> ResourceKey:
        return ResourceKey(self._key.hex())

    def inflated(self) -> Document:
        """The same, inflated once for all."""
        resource_id, _, body = self._inflate(self._pressed).partition(b"\n")
        return Document(self.key, resource_id.decode(), self.resource_type, body, self.digest)

    @property
    def resource_id(self) -> str:
        return self._inflate(self._pressed).partition(b"\n")[0].decode()

    @property
    def body(self) -> bytes:
        return self._inflate(self._pressed).partition(b"\n")[2]


def inflate(document: Document) -> Document:
    """The same document, not pressed: to be read more than once."""
    return document.inflated() if isinstance(document, PressedDocument) else document


def trim_buffer(compressed: bytes) -> bytes:
    """A copy: the library's own result keeps the memory that its content would have taken at the worst."""
    return memoryview(compressed).tobytes()


class Press:
    """Takes documents one by one, in any order."""

    def __init__(self) -> None:
        self._samples: list[bytes] = []
        self._compress: Callable[[bytes], bytes] | None = None
        self._inflate: Callable[[bytes], bytes] = bytes

    def take(self, key: bytes, document: Document) -> Document:
        """The same document, in less memory once there are many. `key` is the document's own, in bytes."""
        if self._compress is None:
            self._samples.append(document.body)
            if len(self._samples) == SAMPLES:
                self._begin()
            return document
        if "\n" in document.resource_id:  # no id of Azure's
            return document
        content = b"%b\n%b" % (document.resource_id.encode(), document.body)
        pressed = trim_buffer(self._compress(content))
        return PressedDocument(document, key, pressed, self._inflate)

    def _begin(self) -> None:
        """Not a trained dictionary: training fails on documents that are too much alike."""
        content = bytearray()
        share = _DICTIONARY // 32  # of one document, or a large one would be all of it
        for body in self._samples[:: SAMPLES // 100]:
            content += body[:share]
        self._samples.clear()
        dictionary = zstandard.ZstdCompressionDict(
            bytes(content[:_DICTIONARY]), dict_type=zstandard.DICT_TYPE_RAWCONTENT
        )
        dictionary.precompute_compress(level=_LEVEL)
        self._compress = zstandard.ZstdCompressor(level=_LEVEL, dict_data=dictionary).compress
        self._inflate = zstandard.ZstdDecompressor(dict_data=dictionary).decompress
