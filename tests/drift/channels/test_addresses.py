"""F01 to F05: where a tenant can make the product connect to, in every spelling of it."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Sequence
from dataclasses import replace

import pytest

from drift.channels.addresses import (
    AddressRefused,
    Guard,
    Place,
    is_public,
    read_server,
    read_url,
)
from errors import Invalid
from settings import Settings

WITHIN = [
    "0.0.0.0", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.254", "127.0.0.1", "127.255.255.254",
    "168.63.129.16", "169.254.169.254", "169.254.0.1", "172.16.0.1", "172.31.255.254", "192.0.0.1", "192.0.0.192",
    "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.19.255.254", "198.51.100.1", "203.0.113.1",
    "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:a9fe:a9fe", "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1", "100::1", "2001::1", "2001:10::1", "2001:20::1",
    "2001:db8::1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1",
    "fe80::1%1", "fec0::1", "ff02::1", "2606:4700:4700::1111%1",
]  # fmt: skip
PUBLIC = [
    "8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.1", "168.63.129.15", "172.15.0.1", "172.32.0.1", "20.42.0.1",
    "192.169.0.1", "2606:4700:4700::1111", "2a01:111:f100:1000::1", "2001:4860:4860::8888",
]  # fmt: skip


@pytest.fixture
def strict(settings: Settings) -> Settings:
    """As in Azure: nothing on this machine."""
    return replace(
        settings,
        development_channels=False,
        site_url="https://drift.example.com",
        key_vault_url="https://ours.vault.azure.net",
    )


@pytest.mark.parametrize("address", WITHIN)
def test_f01_address_within_is_refused(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_address_of_the_internet_is_not(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/x",
        "ftp://hooks.example.com/x",
        "gopher://hooks.example.com/x",
        "file:///etc/passwd",
        "syslog://hooks.example.com",
        "mailto://hooks.example.com",
        "//hooks.example.com/x",
        "hooks.example.com/x",
        "https:/hooks.example.com/x",
        "https:hooks.example.com",
        "HTTPS//hooks.example.com",
        "https://",
        "https:///x",
        "",
    ],
)
def test_f05_only_https_is_taken(strict: Settings, url: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_url(url, strict)
    assert refused.value.field == "url"


@pytest.mark.parametrize(
    "host",
    [
        "2130706433", "0x7f000001", "0x7f.1", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "127.1", "127.0.1", "1.1.1.1",
        "169.254.169.254", "169.254.43518", "0xa9.0xfe.0xa9.0xfe", "8.8.8.8", "127.0.0.1.", "[::1]", "[::]",
        "[::ffff:127.0.0.1]", "[fe80::1%25eth0]", "[2606:4700:4700::1111]", "::1", "localhost", "LOCALHOST",
        "localhost.", "a.localhost", "metadata.google.internal", "printer.local", "router.lan", "intranet",
        "a.home.arpa",
        "127.0.0.1.in-addr.arpa", "drift.example.com", "DRIFT.example.com",
        "drift.scm.azurewebsites.net",
        "ours.vault.azure.net", "hooks.example.com.", "hooks..example.com", "-a.example.com", "a-.example.com",
        "hooks_a.example.com", "user@hooks.example.com", "user:password@hooks.example.com",
        "hooks.example.com@127.0.0.1", "127.0.0.1\\@hooks.example.com", "hooks.example.com#@127.0.0.1",
        "hooks.example.com\\.evil.example", "hooks.example.com\t", "hooks.example.com\r\nHost: x", "hooks.example.com ",
        "hooks。example。com", "hooks.ex\u0430mple.com", "①②⑦.⓪.⓪.①", "hooks.example.c\u03bfm", "%6c%6f.example.com",
        "a" * 64 + ".example.com", "a." * 130 + "com", "hooks.example.1", "hooks.example.c", "com",
    ],
)  # fmt: skip
def test_f02_odd_spelling_of_a_host_is_refused(strict: Settings, host: str) -> None:
    with pytest.raises(Invalid):
        read_url(f"https://{host}/x", strict)
    with pytest.raises(Invalid):
        read_server(host, 587, strict)


@pytest.mark.parametrize(
    "tail", [":80", ":22", ":25", ":3389", ":65536", ":0", ":0443", ":", ":443443", ":443:443", "#x", "/#x", "/\\x",
             "/ x", "/\n", "/\u00e9", "/<", '/"', "/[", "/`"],
)  # fmt: skip
def test_odd_port_path_or_fragment_is_refused(strict: Settings, tail: str) -> None:
    with pytest.raises(Invalid):
        read_url(f"https://hooks.example.com{tail}", strict)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://hooks.slack.com/services/T0/B0/xyz", Place("hooks.slack.com", 443)),
        ("https://Hooks.Example.com:8443/a/b?c=d&e=%20", Place("hooks.example.com", 8443)),
        ("https://prod-1.logic.azure.com:443/workflows/a?sig=b_-~", Place("prod-1.logic.azure.com", 443)),
        ("https://xn--mnchen-3ya.example.com", Place("xn--mnchen-3ya.example.com", 443)),
    ],
)  # fmt: skip
def test_url_of_the_internet_is_taken(strict: Settings, url: str, place: Place) -> None:
    assert read_url(url, strict) == place


def test_error_does_not_repeat_the_address(strict: Settings) -> None:
    for url in ("https://127.0.0.1/T0KEN", "http://hooks.example.com/T0KEN", "https://x/T0KEN"):
        with pytest.raises(Invalid) as refused:
            read_url(url, strict)
        assert "T0KEN" not in refused.value.message


@pytest.mark.parametrize("port", [24, 80, 443, 3306, 6379])
def test_mail_server_has_a_port_of_mail(strict: Settings, port: int) -> None:
    with pytest.raises(Invalid) as refused:
        read_server("mail.example.com", port, strict)
    assert refused.value.field == "port"


def test_this_machine_is_for_development_alone(strict: Settings) -> None:
    relaxed = replace(strict, development_channels=True)
    for host, name in (("localhost", "localhost"), ("127.0.0.1", "127.0.0.1"), ("[::1]", "::1")):
        assert read_url(f"http://{host}:9000/x", relaxed) == Place(name, 9000, tls=False)
        with pytest.raises(Invalid):
            read_url(f"https://{host}:443/x", strict)
    for url in ("http://hooks.example.com", "https://10.0.0.1/x", "http://127.0.0.2:9000/x"):
        with pytest.raises(Invalid):
            read_url(url, relaxed)


def resolving(*answers: Sequence[str]):
    """A resolver that gives these answers one after the other, and how often it was asked."""
    asked: list[str] = []

    async def look_up(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return answers[min(len(asked), len(answers)) - 1]

    return look_up, asked


@pytest.mark.parametrize("address", WITHIN)
def test_f03_name_that_leads_within_is_refused(address: str) -> None:
    """Whatever the name looked like when the channel was saved."""
    for answer in ([address], ["8.8.8.8", address], [address, "8.8.8.8"]):
        look_up, asked = resolving(answer)
        with pytest.raises(AddressRefused) as refused:
            asyncio.run(Guard(False, look_up).addresses(Place("hooks.example.com", 443)))
        assert asked == ["hooks.example.com"]
        assert address not in str(refused.value)


def test_development_lets_only_names_of_this_machine_lead_to_it() -> None:
    look_up, _ = resolving(["127.0.0.1"])
    guard = Guard(True, look_up)
    assert asyncio.run(guard.addresses(Place("localhost", 1))) == ["127.0.0.1"]
    with pytest.raises(AddressRefused):
        asyncio.run(guard.addresses(Place("hooks.example.com", 443)))
    look_up, _ = resolving(["10.0.0.1"])
    with pytest.raises(AddressRefused):
        asyncio.run(Guard(True, look_up).addresses(Place("localhost", 1)))


def test_name_without_an_address_is_an_error_of_the_network() -> None:
    look_up, _ = resolving([])
    with pytest.raises(OSError, match="no address"):
        asyncio.run(Guard(False, look_up).addresses(Place("hooks.example.com", 443)))
