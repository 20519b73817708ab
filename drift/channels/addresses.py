"""Where the product may connect to when a tenant says where: the public internet, and nothing within.

A URL is written in one strict form that no parser can read in two ways. Its host is a name, never a number; the name is
resolved once, at the time of sending, and the connection goes to an address that was looked at here. What the name
resolved to before, or resolves to a moment later, does not matter.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from errors import Invalid
from settings import Settings

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

LONGEST_URL = 2000
HTTPS_PORTS = frozenset({443, 8443})
SMTP_PORTS = frozenset({25, 465, 587, 2525})
RESOLVING_SECONDS = 10.0
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
# The last label begins with a letter: 2130706433, 0x7f.1, 0177.0.0.1 and their like are numbers to some resolvers.
_NAME = re.compile(rf"({_LABEL}\.)+[a-z]([a-z0-9-]{{0,61}}[a-z0-9])", re.ASCII)
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9.-]{1,253}|\[::1\])(:(?P<port>[1-9][0-9]{0,4}))?"
    r"(?P<rest>(/[A-Za-z0-9/._~!$&'()*+,;=:@%-]*)?(\?[A-Za-z0-9/._~!$&'()*+,;=:@%?-]*)?)",
    re.ASCII,
)
# Names that lead to this machine or this network whatever a resolver says (RFC 6761, 6762, 8375, 9476).
_OWN_SUFFIXES = ("localhost", "local", "internal", "intranet", "lan", "home", "corp", "arpa", "alt")
_LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})
_REFUSED_V4 = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by carriers, and by Azure
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's own services for a machine, among them its wire server
        "169.254.0.0/16",  # link-local: metadata and managed identity
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
_PUBLIC_V6 = ipaddress.IPv6Network(
    "2000::/3"
)  # all that is given out; the rest is refused as it is
_REFUSED_V6 = tuple(
    ipaddress.IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments, among them Teredo, which carries IPv4
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which carries IPv4
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)


@dataclass(frozen=True, slots=True)
class Place:
    """A host and port that a tenant named, in the one form that was checked."""

    host: str
    port: int
    tls: bool = True


class AddressRefused(Exception):
    """The host leads to where nothing is sent. The message names no address: it could be of a network within."""


def is_public(address: IPAddress) -> bool:
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _REFUSED_V4)
    # Forms that carry an IPv4 address (::ffff:0:0/96, 64:ff9b::/96, ::/96) lie outside of 2000::/3.
    known = address in _PUBLIC_V6 and address.scope_id is None
    return known and not any(address in network for network in _REFUSED_V6)


def read_url(text: str, settings: Settings, *, field: str = "url") -> Place:
    """The place that a URL leads to. Raises Invalid, naming the field; what the URL says is not repeated."""
    found = _URL.fullmatch(text) if len(text) <= LONGEST_URL else None
    if not found:
        raise Invalid(
            f"{field} must be an https address with a host name, without user, fragment or odd characters.",
            field=field,
        )
    tls = found["scheme"] == "https"
    port = int(found["port"] or (443 if tls else 80))
    host = found["host"].lower()
    if settings.development_channels and host in _LOOPBACK_HOSTS:
        return Place(host.strip("[]"), port, tls)
    if not tls:
        raise Invalid(f"{field} must begin with https://.", field=field)
    return Place(check_host(host, settings, field=field), _port(port, HTTPS_PORTS, field))


def read_server(host: str, port: int, settings: Settings) -> Place:
    """A mail server. Raises Invalid, naming the field."""
    host = host.lower()
    if settings.development_channels and host in _LOOPBACK_HOSTS:
        return Place(host.strip("[]"), port)
    return Place(check_host(host, settings, field="host"), _port(port, SMTP_PORTS, "port"))


def check_host(host: str, settings: Settings, *, field: str) -> str:
    """A host name in lower case. Raises Invalid for numbers in any spelling and for names of our own."""
    if len(host) > 253 or not _NAME.fullmatch(host):
        raise Invalid(
            f"{field} must name a host such as hooks.example.com: no number, no single word, no trailing dot.",
            field=field,
        )
    # Beside each app of App Service is the site that deploys it, NAME.scm.…
    beside = tuple(f"{name.partition('.')[0]}.scm." for name in settings.own_hosts)
    within = host.rpartition(".")[2] in _OWN_SUFFIXES
    if within or host in settings.own_hosts or host.startswith(beside):
        raise Invalid(
            f"{field} leads into this deployment or a network within, not to the internet.",
            field=field,
        )
    return host


async def resolve(host: str, port: int) -> Sequence[str]:
    """What the system's resolver says. Raises OSError when it says nothing."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(RESOLVING_SECONDS):
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


@dataclass(frozen=True, slots=True)
class Guard:
    """Resolves the host of one place, once for each connection, and lets nothing through that lies within."""

    development: bool  # loopback is allowed, for names that say so
    look_up: Resolve = resolve

    async def addresses(self, place: Place) -> list[str]:
        """The addresses to connect to. One within spoils them all: which one is taken is then not ours to say.

        Raises AddressRefused, and OSError when the name cannot be resolved.
        """
        found = [ipaddress.ip_address(text) for text in await self.look_up(place.host, place.port)]
        if not found:
            raise OSError("no address")
        local = self.development and place.host in {"localhost", "127.0.0.1", "::1"}
        if not all(is_public(one) or (local and one.is_loopback) for one in found):
            raise AddressRefused("The address leads into a network within. Nothing was sent.")
        return [str(one) for one in found]


def guard_of(settings: Settings) -> Guard:
    return Guard(settings.development_channels)


def _port(port: int, allowed: frozenset[int], field: str) -> int:
    if port not in allowed:
        said = ", ".join(map(str, sorted(allowed)))
        raise Invalid(f"{field} may have the ports {said}.", field=field)
    return port
