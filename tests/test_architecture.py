"""The shape of the project, as rules a program can check: who imports whom, which SDK lives where,
who opens the doors to storage.

Layers, from the top: function_app (L5); api, web and the development tools (L4); use-cases of drift (L3); adapters of
drift (L2); tenancy (L1) and drift.engine (L0), which do not know each other. Imports point down or sideways.
"""

from __future__ import annotations

import ast
import re

from tests.source import aliases, imported, name_of, parse, product

EVERYWHERE = {"settings", "errors"}  # importable by all, and importing none of us but each other
TOLD = "telemetry"  # importable by all but the engine, which is pure, and importing none of us
ENGINE, TENANCY, ADAPTERS, USE_CASES, SURFACES, TRIGGERS = range(6)
# Adapters turn Azure, rows and messages into values. The other files of drift/ are use-cases.
ADAPTER_MODULES = {
    "drift.api_versions",
    "drift.archive",
    "drift.arm",
    "drift.attribution",
    "drift.channels.addresses",
    "drift.channels.answers",
    "drift.channels.cards",
    "drift.channels.envelope",
    "drift.channels.events",
    "drift.channels.letters",
    "drift.channels.mail",
    "drift.channels.model",
    "drift.channels.posting",
    "drift.channels.rows",
    "drift.channels.sending",
    "drift.channels.signatures",
    "drift.channels.stories",
    "drift.channels.targets",
    "drift.channels.timing",
    "drift.collect",
    "drift.exporters",
    "drift.filters",
    "drift.findings",
    "drift.history",
    "drift.lease",
    "drift.messages",
    "drift.pace",
    "drift.preferences",
    "drift.retention",
    "drift.scans",
    "drift.summaries",
}
# The only files that may import an Azure package, and which. Everything else sees values and our own errors.
AZURE_IMPORTS = {
    "function_app": {"azure.functions"},
    "drift.arm": {"azure.core", "azure.mgmt.core"},
    "drift.channels.posting": {"aiohttp"},
    "drift.connection": {"azure.core"},
    "drift.exporters": {"azure.monitor"},
    "drift.remote": {"aiohttp", "azure.core", "azure.identity"},
    "tenancy.access": {"azure.core"},
    "tenancy.blobs": {"azure.core", "azure.storage.blob"},
    "tenancy.claims": {"azure.core", "azure.data.tables"},
    "tenancy.connections": {"azure.core", "azure.identity"},
    "tenancy.deployment": {
        "azure.core",
        "azure.data.tables",
        "azure.keyvault",
        "azure.storage.blob",
        "azure.storage.queue",
    },
    "tenancy.erasures": {"azure.core", "azure.data.tables"},
    "tenancy.origins": {"azure.core"},
    "tenancy.queues": {"azure.core", "azure.storage.queue"},
    "tenancy.retry": {"azure.core"},
    "tenancy.signing_keys": {"azure.core"},
    "tenancy.rows": {"azure.data.tables"},
    "tenancy.store": {"azure.core", "azure.data.tables"},
    "tenancy.tenants": {"azure.core"},
    "tenancy.vault": {"azure.core", "azure.keyvault"},
}
# Classes that talk to a table or a blob: a row is reached through a TenantStore or not at all. The deployment makes the
# service that the store is given; the row types (EntityProperty, EdmType) reach nothing.
STORAGE_CLIENTS = {
    "TableClient",
    "TableServiceClient",
    "BlobClient",
    "BlobServiceClient",
    "ContainerClient",
}
STORAGE_CLIENT_MODULES = {"tenancy.store", "tenancy.blobs", "tenancy.deployment"}
# Who asks the deployment for a table as it is, without a tenant's partition: the store, the two indexes outside
# tenants, which hold ids only, and the records of erasures, which hold counts.
TABLE_READERS = {"tenancy.store", "tenancy.tenants", "tenancy.claims", "tenancy.erasures"}
# The functions that make a TenantStore, all in tenancy.access, and by which right.
STORE_MAKERS = {
    "enter": "looks for the caller's own row, and for nothing else before it is found",
    "_open": "for enter, redeem and serve, which let in only after they checked",
    "tell_denial": "of a tenant that the caller is a member of by the index, to append one row",
    "bury": "the system's erasure of a tenant that was deleted and whose erasure was asked for",
    "tend": "the system's own housekeeping; no request and no message leads there",
    "found": "a platform operator's new tenant",
    "govern": "a platform operator at a tenant in any state",
    "meter": "a platform operator's look at a tenant's counts, through a Meter, which reads nothing else",
}


def our_modules(tree: ast.AST) -> set[str]:
    """The modules of the product among them: drift.scan.run_scan is drift.scan."""
    found = set()
    for name in imported(tree):
        owner = name if name in product() else name.rpartition(".")[0]
        if owner in product():
            found.add(owner)
    return found


def layer(module: str) -> int:
    if module == "function_app":
        return TRIGGERS
    package = module.partition(".")[0]
    if package in {"api", "web"} or module == "drift.__main__":
        return SURFACES
    if package == "tenancy":
        return TENANCY
    if module.startswith("drift.engine"):
        return ENGINE
    return ADAPTERS if module in ADAPTER_MODULES else USE_CASES


def may_import(importer: str, target: str) -> bool:
    if target in EVERYWHERE or target in {
        "drift",
        "api",
        "tenancy",
        "web",
    }:  # packages themselves are empty
        return True
    if importer in {*EVERYWHERE, TOLD}:
        return False
    if target == TOLD:
        return layer(importer) != ENGINE
    if {layer(importer), layer(target)} == {ENGINE, TENANCY}:
        return False
    return layer(target) <= layer(importer)


def test_imports_point_down() -> None:
    wrong = [
        f"{importer} imports {target}"
        for importer, file in product().items()
        for target in our_modules(parse(file))
        if not may_import(importer, target)
    ]
    assert wrong == []


def test_rule_of_layers_refuses_what_it_should() -> None:
    """The rule itself, so that a mistake in it cannot make the test above pass."""
    assert not may_import("drift.engine.compare", "tenancy.store")
    assert not may_import("tenancy.store", "drift.engine.model")
    assert not may_import("drift.arm", "drift.scan")
    assert not may_import("drift.scan", "api.findings")
    assert not may_import("settings", "tenancy.store")
    assert not may_import("telemetry", "tenancy.store")
    assert not may_import("drift.engine.compare", "telemetry")
    assert may_import("tenancy.retry", "telemetry")
    assert may_import("drift.scan", "drift.arm")
    assert may_import("drift.arm", "tenancy.retry")
    assert may_import("api.findings", "drift.engine.model")


def test_every_adapter_that_is_named_exists() -> None:
    assert set(product()) >= ADAPTER_MODULES


def test_product_never_imports_the_development_tools() -> None:
    wrong = [
        module
        for module, file in product().items()
        for name in imported(parse(file))
        if name.split(".")[0] in {"dev", "infra", "bench", "tests"}
    ]
    assert wrong == []


def test_packages_have_no_import_cycles() -> None:
    graph = {
        module: our_modules(_without_type_checking(parse(file)))
        for module, file in product().items()
    }
    assert _find_cycle(graph) == []


def test_azure_packages_are_imported_by_adapters_only() -> None:
    wrong = [
        f"{module} imports {name}"
        for module, file in product().items()
        for name in imported(parse(file))
        if name.split(".")[0] in {"azure", "msal", "aiohttp"}
        and not any(name.startswith(allowed) for allowed in AZURE_IMPORTS.get(module, ()))
    ]
    assert wrong == []


def test_only_the_store_reaches_tables_and_blobs() -> None:
    wrong = [
        f"{module} imports {name}"
        for module, file in product().items()
        for name in imported(parse(file))
        if name.rpartition(".")[2] in STORAGE_CLIENTS and module not in STORAGE_CLIENT_MODULES
    ]
    assert wrong == []


def test_nobody_else_asks_for_a_table_without_a_tenant() -> None:
    readers = {
        module
        for module, file in product().items()
        for node in ast.walk(parse(file))
        if isinstance(node, ast.Call)
        if re.search(r"\b_?tables\.client$", ast.unparse(node.func))
    }
    assert readers == TABLE_READERS


def test_tenant_store_is_made_by_the_functions_that_check() -> None:
    makers = set()
    for module, file in product().items():
        tree = parse(file)
        renamed = [alias.name for alias in aliases(tree) if alias.asname]
        assert "TenantStore" not in renamed, f"{module} hides it under another name"
        for function in (node for node in ast.walk(tree) if hasattr(node, "decorator_list")):
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and name_of(node.func) == "TenantStore":
                    makers.add((module, function.name))
    assert makers == {("tenancy.access", name) for name in STORE_MAKERS}


def test_tenant_blobs_are_made_in_one_place_beside_the_store() -> None:
    """And nobody else talks to Blob Storage, or asks the deployment for a container."""
    makers, importers, readers = set(), set(), set()
    for module, file in product().items():
        tree = parse(file)
        assert "TenantBlobs" not in [alias.name for alias in aliases(tree) if alias.asname]
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


def _without_type_checking(tree: ast.Module) -> ast.Module:
    """Only what runs at import: no `if TYPE_CHECKING:` blocks, no function bodies."""
    kept = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    return ast.Module(body=kept, type_ignores=[])


def _find_cycle(graph: dict[str, set[str]]) -> list[str]:
    finished: set[str] = set()

    def visit(module: str, path: list[str]) -> list[str]:
        if module in path:
            return [*path[path.index(module) :], module]
        if module not in finished:
            for target in sorted(graph[module]):
                cycle = visit(target, [*path, module])
                if cycle:
                    return cycle
            finished.add(module)
        return []

    for module in graph:
        cycle = visit(module, [])
        if cycle:
            return cycle
    return []
