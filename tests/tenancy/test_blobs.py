"""A tenant's blobs: whole or not there, in a container of its own, and gone when it is erased."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError, ServiceResponseError
from azure.storage.blob.aio import BlobClient, BlobServiceClient, ContainerClient

from errors import Conflict, Corrupt, NotFound, Stale, Unavailable
from tenancy import blobs as module
from tenancy import retry
from tenancy.blobs import Blobs, Erased, StoredBlob, TenantBlobs, container_of
from tenancy.ids import TenantId


def new_id() -> TenantId:
    return TenantId(str(uuid.uuid4()))


@pytest.fixture
async def account(storage: str) -> AsyncIterator[Blobs]:
    account = Blobs(lambda: BlobServiceClient.from_connection_string(storage, retry_total=0))
    yield account
    await account.close()


@pytest.fixture
def blobs(account: Blobs) -> TenantBlobs:
    return TenantBlobs(account, new_id())


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 10)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.01)
    monkeypatch.setitem(retry.call_with_retry.__kwdefaults__, "budget", 0.5)


async def write(blobs: TenantBlobs, name: str, *pieces: bytes) -> None:
    writer = await blobs.writer(name)
    for piece in pieces:
        await writer.write(piece)
    await writer.finish()


def failing_first(monkeypatch: pytest.MonkeyPatch, method: str, *, after: bool) -> list[str]:
    """The first call of a blob client's method breaks, before or after the service did what it says."""
    original: Callable[..., Awaitable[Any]] = getattr(BlobClient, method)
    calls: list[str] = []

    async def broken(self: BlobClient, *arguments: Any, **options: Any) -> Any:
        calls.append(method)
        if len(calls) > 1:
            return await original(self, *arguments, **options)
        if after:
            await original(self, *arguments, **options)
        raise ServiceResponseError("the answer was lost")

    monkeypatch.setattr(BlobClient, method, broken)
    return calls


def noting(monkeypatch: pytest.MonkeyPatch, owner: type, method: str) -> list[str]:
    """The calls of a client's method, each of which does what it did."""
    original: Callable[..., Awaitable[Any]] = getattr(owner, method)
    calls: list[str] = []

    async def noted(self: Any, *arguments: Any, **options: Any) -> Any:
        calls.append(method)
        return await original(self, *arguments, **options)

    monkeypatch.setattr(owner, method, noted)
    return calls


class Connection:
    """A blob service that notes when it is closed."""

    closed = False

    def get_container_client(self, name: str) -> str:
        return f"client of {name}"

    async def close(self) -> None:
        self.closed = True


@pytest.mark.usefixtures("small_blocks")
async def test_what_was_written_in_pieces_is_read_in_blocks(blobs: TenantBlobs) -> None:
    await write(blobs, "a/b", b"0123", b"456789abcdef", b"g" * 25, b"")
    pieces = [piece async for piece in blobs.read("a/b")]
    assert [len(piece) for piece in pieces] == [10, 10, 10, 10, 1]
    assert b"".join(pieces) == b"0123456789abcdef" + b"g" * 25


async def test_empty_blob_is_there_and_empty(blobs: TenantBlobs) -> None:
    await write(blobs, "empty")
    assert [piece async for piece in blobs.read("empty")] == []
    assert await blobs.list("") == [StoredBlob("empty", 0)]


async def test_blob_that_is_not_finished_is_not_there(blobs: TenantBlobs) -> None:
    writer = await blobs.writer("half")
    await writer.write(b"x" * module.BLOCK)
    await writer.write(b"x")
    with pytest.raises(NotFound):
        await blobs.get("half", most=10**9)
    assert await blobs.list("") == []
    assert writer.size == module.BLOCK + 1


@pytest.mark.usefixtures("small_blocks")
async def test_block_is_sent_as_soon_as_it_is_full(
    blobs: TenantBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = noting(monkeypatch, BlobClient, "stage_block")
    writer = await blobs.writer("a")
    for data, sent in ((b"012345678", 0), (b"9", 1), (b"0", 1), (b"x" * 29, 4)):
        await writer.write(data)
        assert len(calls) == sent
    assert writer.size == 40


async def test_container_is_asked_for_once_by_each_process(
    account: Blobs, storage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = noting(monkeypatch, ContainerClient, "create_container")
    tenant_id = new_id()
    other = Blobs(lambda: BlobServiceClient.from_connection_string(storage, retry_total=0))
    try:
        for process in (account, other):
            for number in range(2):
                await TenantBlobs(process, tenant_id).put(f"{id(process)}.{number}", b"x")
    finally:
        await other.close()
    assert len(calls) == 2
    assert len(await TenantBlobs(account, tenant_id).list("")) == 4


async def test_connection_is_made_with_the_first_blob_and_closed_if_it_was() -> None:
    made: list[Connection] = []

    def connect() -> Any:
        made.append(Connection())
        return made[-1]

    account = Blobs(connect)
    await account.close()
    assert made == []
    assert [account.container(name) for name in ("a", "b")] == ["client of a", "client of b"]
    await account.close()
    assert [one.closed for one in made] == [True]


async def test_small_blob_is_written_once(blobs: TenantBlobs) -> None:
    await blobs.put("m", b"first")
    with pytest.raises(Conflict):
        await blobs.put("m", b"second")
    assert await blobs.get("m", most=5) == b"first"
    with pytest.raises(Corrupt, match="longer than 4 bytes"):
        await blobs.get("m", most=4)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.usefixtures("impatient")
async def test_lost_answer_to_a_small_blob_is_no_conflict(
    blobs: TenantBlobs, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    calls = failing_first(monkeypatch, "upload_blob", after=after)
    await blobs.put("m", b"once")
    assert len(calls) == 2
    assert await blobs.get("m", most=10) == b"once"


@pytest.mark.parametrize("there", [b"else", b"longer"])
@pytest.mark.usefixtures("impatient")
async def test_blob_that_somebody_else_wrote_meanwhile_is_a_conflict(
    blobs: TenantBlobs, monkeypatch: pytest.MonkeyPatch, there: bytes
) -> None:
    await blobs.put("m", there)
    calls = failing_first(monkeypatch, "upload_blob", after=False)
    with pytest.raises(Conflict):
        await blobs.put("m", b"once")
    assert len(calls) == 2
    assert await blobs.get("m", most=10) == there


@pytest.mark.parametrize("method", ["stage_block", "commit_block_list"])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.usefixtures("impatient", "small_blocks")
async def test_lost_answer_to_a_block_is_asked_for_again(
    blobs: TenantBlobs, monkeypatch: pytest.MonkeyPatch, method: str, after: bool
) -> None:
    calls = failing_first(monkeypatch, method, after=after)
    await write(blobs, "big", b"0123456789" * 3, b"rest")
    assert len(calls) == {"stage_block": 5, "commit_block_list": 2}[method]
    assert await blobs.get("big", most=100) == b"0123456789" * 3 + b"rest"


@pytest.mark.usefixtures("small_blocks")
async def test_blob_that_is_replaced_under_the_reader_is_not_mixed(blobs: TenantBlobs) -> None:
    await write(blobs, "b", b"a" * 20)
    reader = blobs.read("b")
    assert await anext(reader) == b"a" * 10
    await write(blobs, "b", b"c" * 20)
    with pytest.raises(Stale) as stale:
        await anext(reader)
    assert stale.value.message == "The blob was replaced while it was read."


@pytest.mark.usefixtures("small_blocks")
async def test_blob_that_is_deleted_under_the_reader_is_no_end(blobs: TenantBlobs) -> None:
    await write(blobs, "b", b"a" * 20)
    reader = blobs.read("b")
    await anext(reader)
    await blobs.delete("b")
    with pytest.raises((NotFound, Stale)):
        await anext(reader)


@pytest.mark.parametrize(
    ("status", "raised", "told"),
    [
        (404, NotFound, "The blob was deleted while it was read."),
        (409, HttpResponseError, "Operation returned an invalid status 'Reason'"),
    ],
)
async def test_answer_to_a_piece_is_told_for_what_it_is(
    blobs: TenantBlobs,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    raised: type[NotFound | HttpResponseError],
    told: str,
) -> None:
    await blobs.put("a", b"x")

    def answer(*_: Any, **__: Any) -> Any:
        response: Any = SimpleNamespace(
            status_code=status, reason="Reason", headers={}, text=lambda: ""
        )
        kind = ResourceNotFoundError if status == 404 else HttpResponseError
        raise kind(response=response)

    monkeypatch.setattr(BlobClient, "download_blob", answer)
    with pytest.raises(raised) as refused:
        await blobs.get("a", most=1)
    assert refused.value.message == told


async def test_list_is_by_prefix_and_delete_can_be_repeated(blobs: TenantBlobs) -> None:
    assert await blobs.list("") == []  # no container yet
    for name in ("b/2", "b/1", "e/1"):
        await blobs.put(name, name.encode())
    assert await blobs.list("b/") == [StoredBlob("b/1", 3), StoredBlob("b/2", 3)]
    for _ in range(2):
        await blobs.delete("b/1")
    assert [one.name for one in await blobs.list("")] == ["b/2", "e/1"]


async def test_tenants_have_containers_of_their_own(account: Blobs) -> None:
    first, second = new_id(), new_id()
    here, there = TenantBlobs(account, first), TenantBlobs(account, second)
    await here.put("same", b"here")
    await there.put("same", b"there")
    for name in ("same", f"../{container_of(second)}/same", f"/{container_of(second)}/same"):
        try:
            assert await here.get(name, most=10) == b"here"
        except (NotFound, Unavailable):
            continue
    assert await there.get("same", most=10) == b"there"
    assert container_of(first) != container_of(second)


def test_container_s_name_is_a_digest_and_a_name_that_azure_takes() -> None:
    tenant_id = TenantId("1b4e28ba-2fa1-4d21-883f-0016d3cca427")
    name = container_of(tenant_id)
    digest = hashlib.sha256(f"container|{tenant_id}".encode()).hexdigest()
    assert name == f"tenant-{digest[:48]}"
    assert tenant_id not in name
    assert len(name) <= 63


async def test_erase_says_what_there_was_and_leaves_nothing(account: Blobs) -> None:
    own, other = TenantBlobs(account, new_id()), TenantBlobs(account, new_id())
    await other.put("kept", b"x")
    assert await own.erase() == Erased(0, 0)
    await own.put("a", b"12345")
    await write(own, "b", b"6789")
    assert await own.erase() == Erased(2, 9)
    assert await own.erase() == Erased(0, 0)
    with pytest.raises(NotFound):
        await own.get("a", most=10)
    assert await other.get("kept", most=10) == b"x"
    await own.put("a", b"again")  # the process does not believe that its container is there
    assert await own.get("a", most=10) == b"again"


async def test_container_is_private(blobs: TenantBlobs, account: Blobs) -> None:
    await blobs.put("a", b"x")
    container = account.container(blobs._container)
    assert (await container.get_container_properties()).public_access is None


@pytest.mark.usefixtures("impatient")
async def test_refusal_of_the_service_is_a_product_error(
    blobs: TenantBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    await blobs.put("a", b"x")

    def refuse(*_: Any, **__: Any) -> Any:
        error = HttpResponseError("no")
        error.status_code, error.reason = 403, "AuthorizationFailure"
        raise error

    for name in ("upload_blob", "stage_block", "get_blob_properties", "delete_blob"):
        monkeypatch.setattr(BlobClient, name, refuse)
    for name in ("list_blobs", "delete_container"):
        monkeypatch.setattr(ContainerClient, name, refuse)
    attempts: list[Callable[[], Awaitable[object]]] = [
        lambda: blobs.put("b", b"x"),
        lambda: write(blobs, "b", b"x"),
        lambda: blobs.get("a", most=1),
        lambda: blobs.delete("a"),
        lambda: blobs.list(""),
        blobs.erase,
    ]
    for attempt in attempts:
        with pytest.raises(Unavailable, match="Blob Storage refused the request"):
            await attempt()
