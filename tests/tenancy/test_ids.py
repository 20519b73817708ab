"""A GUID has one accepted spelling. Two would be two keys of one row, or one key of two."""

from __future__ import annotations

import pytest

from errors import Invalid
from tenancy.ids import read_guid

GUID = "1b4e28ba-2fa1-11d2-883f-0016d3cca427"


def test_guid_is_taken_as_it_is() -> None:
    assert read_guid(GUID, field="id") == GUID


@pytest.mark.parametrize(
    "text",
    [
        "",
        GUID.upper(),
        "{" + GUID + "}",
        "urn:uuid:" + GUID,
        GUID.replace("-", ""),
        GUID[:-1],
        GUID + "0",
        GUID + "\n",
        " " + GUID,
        "x" + GUID[1:],
        "\u0661" + GUID[1:],
        GUID[:8] + "_" + GUID[9:],
        GUID + "' or PartitionKey ne '",
    ],
)
def test_other_spelling_is_refused_with_the_fields_name(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_guid(text, field="tenantId")
    assert refused.value.field == "tenantId"
    assert refused.value.message == f"tenantId must be a GUID in lower case, like {GUID}."
