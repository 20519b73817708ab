"""A row comes back as exactly what it was, and what is not what was written is refused."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import zstandard
from azure.storage.blob.aio import BlobServiceClient
from hypothesis import given
from hypothesis import strategies as st

from drift.backups import lines as module
from drift.backups.lines import TableFile, check, decode, encode, read_lines, start_lines
from errors import Corrupt
from tenancy.blobs import Blobs, TenantBlobs
from tenancy.ids import TenantId
from tenancy.rows import Row

times = st.datetimes(datetime(1970, 1, 2), datetime(9000, 1, 1)).map(  # noqa: DTZ001 - the zone comes next
    lambda moment: moment.replace(tzinfo=UTC)
)
values = st.one_of(
    st.text(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.binary(),
    times,
)


@given(st.text(min_size=1), st.dictionaries(st.text(), values))
def test_row_comes_back_as_what_it_was(key: str, given_values: dict[str, Any]) -> None:
    row = Row(key, given_values)
    line = encode(row)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    back = decode(line)
    assert back == row
    assert [type(value) for value in back.values.values()] == [
        type(value) for value in given_values.values()
    ]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b'{"key": "a"}',
        b'{"key": "a", "values": []}',
        b'{"key": "a", "values": {"x": {"base64": "?"}}}',
        b'{"key": "a", "values": {"x": {"time": "yesterday"}}}',
        b'{"key": "a", "values": {"x": {"other": 1}}}',
    ],
)
def test_line_that_was_not_written_here_is_corrupt(line: bytes) -> None:
    with pytest.raises(Corrupt):
        decode(line)


@pytest.fixture
async def blobs(storage: str) -> AsyncIterator[TenantBlobs]:
    account = Blobs(lambda: BlobServiceClient.from_connection_string(storage, retry_total=0))
    yield TenantBlobs(account, TenantId(str(uuid.uuid4())))
    await account.close()


async def write(blobs: TenantBlobs, rows: list[Row]) -> TableFile:
    lines = await start_lines(blobs, "rule", uuid.uuid4().hex)
    for row in rows:
        await lines.add(row)
    return await lines.finish()


async def read(blobs: TenantBlobs, file: TableFile) -> list[Row]:
    return [row async for row in read_lines(blobs, file)]


async def store(blobs: TenantBlobs, file: TableFile, content: bytes) -> TableFile:
    """Other content, whose digest is right."""
    import hashlib

    name = uuid.uuid4().hex
    await blobs.put(name, content)
    return replace(file, blob=name, sha256=hashlib.sha256(content).hexdigest())


async def test_rows_are_read_in_slices_however_long_they_are(
    blobs: TenantBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SLICE", 7)
    rows = [Row(f"{n:04d}", {"text": "x" * n * 50, "n": n}) for n in range(100)]
    file = await write(blobs, rows)
    assert (file.rows, file.table) == (100, "rule")
    await check(blobs, file)
    assert await read(blobs, file) == rows


async def test_empty_table_is_a_file_without_rows(blobs: TenantBlobs) -> None:
    file = await write(blobs, [])
    assert file.rows == 0
    assert await read(blobs, file) == []


async def test_file_that_is_not_what_was_written_is_corrupt(blobs: TenantBlobs) -> None:
    rows = [Row("a", {"n": 1}), Row("b", {"n": 2})]
    file = await write(blobs, rows)
    text = encode(rows[0]) + encode(rows[1])
    packed = zstandard.ZstdCompressor().compress
    wrong = {
        "out of order": packed(encode(rows[1]) + encode(rows[0])),
        "instead of 2": packed(encode(rows[0])),
        "middle of a row": packed(text[:-5]),
        "cannot be decompressed": b"no zstd at all",
    }
    for reason, content in wrong.items():
        with pytest.raises(Corrupt, match=reason):
            await read(blobs, await store(blobs, file, content))
    for changed in (replace(file, sha256="0" * 64), replace(file, blob="gone")):
        with pytest.raises(Corrupt, match=r"changed after it was written|is gone"):
            await read(blobs, changed)
        with pytest.raises(Corrupt, match=r"changed after it was written|is gone"):
            await check(blobs, changed)


async def test_line_without_end_is_refused_before_it_is_whole(
    blobs: TenantBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONGEST_LINE", 1000)
    bomb = zstandard.ZstdCompressor().compress(b"x" * 100_000)
    file = await store(blobs, TableFile("rule", "", 1, len(bomb), "", 1), bomb)
    with pytest.raises(Corrupt, match="longer than any row"):
        await read(blobs, file)
