"""Who may open the door to Blob Storage; the rules of tables are in tests/test_architecture.py."""

from __future__ import annotations

import ast
import re

from tests.test_architecture import _aliases as aliases_of
from tests.test_architecture import _name_of as name_of
from tests.test_architecture import imported, parse, product


def test_tenant_blobs_are_made_in_one_place_beside_the_store() -> None:
    """And nobody else talks to Blob Storage, or asks the deployment for a container."""
    makers, importers, readers = set(), set(), set()
    for module, file in product().items():
        tree = parse(file)
        assert "TenantBlobs" not in [alias.name for alias in aliases_of(tree) if alias.asname]
        if any(name.startswith("azure.storage.blob") for name in imported(tree)):
            importers.add(module)
        for function in (node for node in ast.walk(tree) if hasattr(node, "decorator_list")):
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and name_of(node.func) == "TenantBlobs":
                    makers.add((module, function.name))
                if isinstance(node, ast.Call) and re.search(
                    r"\b_?blobs\.(container|ready)$", ast.unparse(node.func)
                ):
                    readers.add(module)
    assert makers == {("tenancy.access", "_context")}
    assert importers == {"tenancy.blobs", "tenancy.deployment"}
    assert readers == {"tenancy.blobs"}
