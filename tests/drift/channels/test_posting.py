"""One request to a foreign host, over real sockets: where it goes, what is checked, how each failure is told."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import pytest
import trustme

from drift.channels import posting
from drift.channels.addresses import Guard, Place
from drift.channels.answers import Answer, Request
from tests.drift.channels.receivers import (
    GARBAGE,
    HANG,
    RESET,
    Receiver,
    certificate,
    receiving,
)

HOST = "hooks.example.com"
METADATA = "169.254.169.254"


class Names:
    """A resolver that gives one answer after the other, and remembers what it was asked."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        return self.answers.pop(0)


def request_to(receiver: Receiver, host: str = "localhost") -> tuple[Request, Place]:
    scheme = "https" if receiver.tls else "http"
    url = f"{scheme}://{host}:{receiver.port}/hook"
    return Request(url, {"X-Key": "k"}, b"{}"), Place(host, receiver.port, receiver.tls)


async def send(receiver: Receiver, *answers: Sequence[str]) -> Answer:
    request, place = request_to(receiver)
    return await posting.post(request, place, Guard(True, Names(*answers or (["127.0.0.1"],))))


async def test_what_is_sent_arrives_and_its_status_counts(receiver: Receiver) -> None:
    answer = await send(receiver)
    assert answer == Answer(True, 200)
    (received,) = receiver.received
    assert received.line == "POST /hook HTTP/1.1"
    assert received.headers["x-key"] == "k"
    assert received.headers["host"] == f"localhost:{receiver.port}"
    assert received.headers["user-agent"] == posting.AGENT
    assert received.body == b"{}"


async def test_f03_name_is_resolved_once_and_that_address_is_used(receiver: Receiver) -> None:
    """The second answer would lead to the metadata of the machine: nobody asks for it."""
    names = Names(["127.0.0.1"], [METADATA])
    request, place = request_to(receiver)
    answer = await posting.post(request, place, Guard(True, names))
    assert answer.delivered
    assert names.asked == [("localhost", receiver.port)]
    again = await posting.post(request, place, Guard(True, names))
    assert (again.delivered, again.final) == (False, True)
    assert receiver.connections == 1


async def test_f03_connection_goes_to_the_address_that_was_looked_at(receiver: Receiver) -> None:
    """Asked again, the name would lead to the receiver, which is at another address."""
    assert not (await send(receiver, ["::1"])).delivered
    assert receiver.connections == 0


async def test_f03_name_that_leads_within_at_the_time_of_sending_gets_no_connection(
    receiver: Receiver,
) -> None:
    """It may have led to the internet when the channel was saved: only now counts."""
    request, place = request_to(receiver, HOST)
    for address in ("127.0.0.1", METADATA, "::1", "::ffff:127.0.0.1"):
        answer = await posting.post(request, place, Guard(True, Names([address])))
        assert (answer.delivered, answer.final) == (False, True)
        assert "network within" in answer.reason
        assert address not in answer.reason
    assert receiver.connections == 0


async def test_url_that_says_another_host_than_was_checked_is_not_called(
    receiver: Receiver,
) -> None:
    _, place = request_to(receiver)
    for authority in (f"127.0.0.1:{place.port}", f"localhost:{place.port + 1}", "evil.example"):
        wrong = Request(f"http://{authority}/hook", {}, b"")
        answer = await posting.post(wrong, place, Guard(True, Names(["127.0.0.1"])))
        assert (answer.delivered, answer.final) == (False, True)
    assert receiver.connections == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_f04_redirect_is_a_failure_and_is_not_followed(
    receiver: Receiver, status: int
) -> None:
    async with receiving() as elsewhere:
        for target in (elsewhere.url, f"http://{METADATA}/metadata/instance", "//localhost/x"):
            receiver.answers.append((status, {"Location": target}))
            answer = await send(receiver)
            assert (answer.delivered, answer.status, answer.final) == (False, status, False)
            assert "not followed" in answer.reason
        assert elsewhere.connections == 0
    assert len(receiver.received) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500, 502, 503])
async def test_status_that_is_no_success_is_told(receiver: Receiver, status: int) -> None:
    receiver.answers.append(status)
    assert await send(receiver) == Answer(False, status, f"It answered {status}.")


@pytest.mark.parametrize(("said", "seconds"), [("120", 120.0), ("soon", 0.0), ("9" * 400, None)])
async def test_retry_after_is_read(receiver: Receiver, said: str, seconds: float | None) -> None:
    receiver.answers.append((429, {"Retry-After": said}))
    answer = await send(receiver)
    assert (answer.delivered, answer.status) == (False, 429)
    assert answer.retry_after == (float("inf") if seconds is None else seconds)


async def test_gone_is_known(receiver: Receiver) -> None:
    receiver.answers.append(410)
    assert (await send(receiver)).gone


async def test_host_that_hangs_is_given_up(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "SECONDS", 0.3)
    receiver.answers.append(HANG)
    assert await send(receiver) == Answer(False, 0, "It did not answer in time.")
    assert len(receiver.received) == 1


@pytest.mark.parametrize("failure", [RESET, GARBAGE])
async def test_connection_that_breaks_is_told(receiver: Receiver, failure: str) -> None:
    receiver.answers.append(failure)
    answer = await send(receiver)
    assert answer == Answer(False, 0, "The connection broke off, or what it answered is not HTTP.")


async def test_refused_connection_is_told() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        receiver = Receiver(port=free.getsockname()[1])
    assert await send(receiver) == Answer(False, 0, "It could not be reached.")


async def test_name_that_does_not_resolve_is_told() -> None:
    async def nobody(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    answer = await posting.post(
        Request(f"https://{HOST}/", {}, b""), Place(HOST, 443), Guard(False, nobody)
    )
    assert answer == Answer(False, 0, "Its name could not be resolved.")


async def test_tls_is_to_the_name_that_was_given(authority: trustme.CA) -> None:
    """The connection goes to an address; name and certificate are those of the host."""
    async with receiving(certificate(authority, "localhost")) as receiver:
        assert await send(receiver) == Answer(True, 200)
        assert receiver.served_name == "localhost"


@pytest.mark.parametrize("wrong", ["name", "authority"])
async def test_certificate_that_is_not_to_be_trusted_gets_nothing(
    authority: trustme.CA, wrong: str
) -> None:
    made = (
        certificate(authority, "other.example.com")
        if wrong == "name"
        else certificate(trustme.CA(), "localhost")
    )
    async with receiving(made) as receiver:
        answer = await send(receiver)
        assert answer == Answer(False, 0, "Its certificate is not to be trusted, or TLS failed.")
        assert receiver.received == []


async def test_host_without_tls_gets_nothing(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "SECONDS", 0.5)
    request = Request(f"https://localhost:{receiver.port}/", {}, b"")
    place = Place("localhost", receiver.port)
    answer = await posting.post(request, place, Guard(True, Names(["127.0.0.1"])))
    assert not answer.delivered
    assert receiver.received == []
