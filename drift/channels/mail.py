"""One message to a mail server: to a checked address, with its name in TLS, and never without TLS."""

from __future__ import annotations

import asyncio
import socket
from email.message import EmailMessage

from drift.channels.addresses import AddressRefused, Guard, Place
from drift.channels.answers import Answer
from drift.channels.posting import trust
from drift.channels.targets import Security, Target

SECONDS = 30.0  # for all of it
CONNECTING_SECONDS = 10.0


async def send(message: EmailMessage, target: Target, place: Place, guard: Guard) -> Answer:
    """Sends it once and says how that ended. Raises nothing that the other side can cause."""
    import aiosmtplib

    try:
        addresses = await guard.addresses(place)
        async with asyncio.timeout(SECONDS):
            return await _send(message, target, place, addresses)
    except AddressRefused as error:
        return Answer(False, reason=str(error), final=True)
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        return _failed(error)


def _failed(error: Exception) -> Answer:
    """In our own words: the server's may name addresses, and are anybody's."""
    import aiosmtplib

    if isinstance(error, aiosmtplib.SMTPResponseException):
        return Answer(False, error.code, f"The mail server answered {error.code}.")
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        code = next((one.code for one in error.recipients), 0)
        return Answer(False, code, "The mail server takes none of the recipients.")
    if isinstance(error, TimeoutError):
        return Answer(False, reason="The mail server did not answer in time.")
    if isinstance(error, aiosmtplib.SMTPException):
        return Answer(False, reason="The mail server broke off, or offers no TLS to be trusted.")
    return Answer(False, reason="The mail server could not be reached.")


async def _send(
    message: EmailMessage, target: Target, place: Place, addresses: list[str]
) -> Answer:
    import aiosmtplib

    encrypted = target.security is Security.TLS
    client = aiosmtplib.SMTP(
        hostname=place.host,  # for TLS; the connection is made already
        port=None,
        sock=await _connect(addresses, place.port),
        use_tls=encrypted,
        start_tls=not encrypted,
        tls_context=trust(),
        timeout=CONNECTING_SECONDS,
        username=target.username or None,
        password=target.password or None,
        # Asked for a name of its own it would ask the resolver, and tell it to a stranger.
        local_hostname=target.sender.rpartition("@")[2],
    )
    async with client:
        refused, _ = await client.send_message(message)
    # Some recipients may be refused while others have it: sent again, those would have it twice.
    return Answer(True, 250, "Some recipients were refused." if refused else "")


async def _connect(addresses: list[str], port: int) -> socket.socket:
    """To the first of the addresses that answers. Raises OSError when none does."""
    loop, failure = asyncio.get_running_loop(), OSError("no address")
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        made = socket.socket(family, socket.SOCK_STREAM)
        made.setblocking(False)
        try:
            async with asyncio.timeout(CONNECTING_SECONDS):
                await loop.sock_connect(made, (address, port))
        except OSError as error:  # TimeoutError is one
            made.close()
            failure = error
        except asyncio.CancelledError:
            made.close()
            raise
        else:
            return made
    raise failure
