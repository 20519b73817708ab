"""Which models a resource type's requests carry, read from the operations' source text."""

from __future__ import annotations

import pytest

from dev.facts.operations import read_operations, resource_type_of

PREFIX = "/subscriptions/{subscriptionId}/resourceGroups/{g}/providers/"


def operations(verb: str, url: str, signature: str, *, name: str = "build_request") -> str:
    return f'''
def {name}(**kwargs):
    _url = kwargs.pop("template_url", "{url}")
    return HttpRequest(method="{verb}", url=_url)

class Operations:
    def call{signature}:
        request = {name}()
'''


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (PREFIX + "Microsoft.Storage/storageAccounts/{a}", "microsoft.storage/storageaccounts"),
        (
            PREFIX + "Microsoft.Storage/storageAccounts/{a}/blobServices/default",
            "microsoft.storage/storageaccounts/blobservices",
        ),
        ("/{scope}/providers/Microsoft.Insights/diagnosticSettings/{n}", "microsoft.insights/diagnosticsettings"),
        (PREFIX + "Microsoft.Compute/disks/{d}/providers/Microsoft.X/parts/{p}", "microsoft.x/parts"),
        (PREFIX + "Microsoft.Storage/storageAccounts", ""),
        (PREFIX + "Microsoft.Storage/storageAccounts/{a}/listKeys", ""),
        (PREFIX + "{namespace}/{resourceType}/{name}", ""),
        ("/subscriptions/{subscriptionId}", ""),
    ],
)  # fmt: skip
def test_resource_type_of_a_url(url: str, expected: str) -> None:
    assert resource_type_of(url) == expected


def test_get_has_results_and_put_has_bodies() -> None:
    url = PREFIX + "Microsoft.X/things/{n}"
    get = operations("GET", url, "(self, n: str) -> _models.Thing")
    put = operations(
        "PUT", url, "(self, n: str, body: Union[_models.ThingCreate, IO[bytes]]) -> _models.Thing"
    )
    usage = read_operations([get, put])["microsoft.x/things"]
    assert usage.results == {"Thing"}
    assert usage.bodies == {"ThingCreate"}
    assert usage.written


def test_modules_that_repeat_a_builder_name_do_not_mix() -> None:
    things = operations("GET", PREFIX + "Microsoft.X/things/{n}", "(self) -> _models.Thing")
    others = operations("GET", PREFIX + "Microsoft.X/others/{n}", "(self) -> _models.Other")
    usages = read_operations([things, others])
    assert usages["microsoft.x/things"].results == {"Thing"}
    assert usages["microsoft.x/others"].results == {"Other"}


def test_long_running_operation_is_followed_into_its_first_half() -> None:
    source = f'''
def build_put(**kwargs):
    _url = "{PREFIX}Microsoft.X/things/{{n}}"
    return HttpRequest(method="PUT", url=_url)

class Operations:
    def _create_initial(self, body: IO[bytes]) -> Iterator[bytes]:
        request = build_put()

    def begin_create(self, body: _models.Thing) -> LROPoller[_models.Thing]:
        raw = self._create_initial(body=body)
'''
    assert read_operations([source])["microsoft.x/things"].bodies == {"Thing"}


def test_write_without_a_model_is_still_a_write() -> None:
    put = operations(
        "PUT", PREFIX + "Microsoft.X/things/{n}", "(self, body: JSON) -> _models.Thing"
    )
    usage = read_operations([put])["microsoft.x/things"]
    assert usage.written
    assert usage.bodies == set()
