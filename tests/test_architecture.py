"""The shape of the project, as rules a program can check: who imports whom, which SDK lives where, how big things are.

Layers, from the top: function_app (L5); api, web and the development tools (L4); use-cases of drift (L3); adapters of
drift (L2); tenancy (L1) and drift.engine (L0), which do not know each other. Imports point down or sideways.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
PRODUCT = (
    "function_app.py",
    "settings.py",
    "errors.py",
    "telemetry.py",
    "api",
    "web",
    "drift",
    "tenancy",
)
EVERYTHING = (*PRODUCT, "dev", "dev.py", "infra", "bench", "tests")

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
# A handler of every exception must raise again. These answer instead, and say what happened.
LAST_HANDLERS = {
    "api.middleware": "the request's last resort: logs the exception and answers 500 without its text",
    "dev.azure.traffic": "the same, in the simulated Azure",
}
NO_NAMES = {"utils", "helpers", "common", "manager", "core", "misc", "util", "helper"}
LONGEST_FILE = 400
LONGEST_FUNCTION = 60
LOG_METHODS = {"debug", "info", "warning", "error", "exception", "critical", "log"}


def files(*roots: str) -> Iterator[Path]:
    for root in roots:
        path = PROJECT / root
        yield from [path] if path.is_file() else sorted(path.rglob("*.py"))


def module_name(file: Path) -> str:
    parts = file.relative_to(PROJECT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def parse(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


@cache
def product() -> dict[str, Path]:
    return {module_name(file): file for file in files(*PRODUCT)}


def imported(tree: ast.AST) -> Iterator[str]:
    """Every imported name, in full: `from drift import scan` is drift.scan."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute here"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


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
        renamed = [alias.name for alias in _aliases(tree) if alias.asname]
        assert "TenantStore" not in renamed, f"{module} hides it under another name"
        for function in (node for node in ast.walk(tree) if hasattr(node, "decorator_list")):
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and _name_of(node.func) == "TenantStore":
                    makers.add((module, function.name))
    assert makers == {("tenancy.access", name) for name in STORE_MAKERS}


def _aliases(tree: ast.AST) -> Iterator[ast.alias]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from node.names


def _name_of(function: ast.expr) -> str:
    """The last part of what is called: store.TenantStore is TenantStore."""
    return ast.unparse(function).rpartition(".")[2]


def test_names_say_what_a_module_is() -> None:
    wrong = [
        file
        for file in files(*EVERYTHING)
        if NO_NAMES & set(file.relative_to(PROJECT).with_suffix("").parts)
    ]
    assert wrong == []


def test_files_stay_readable() -> None:
    long = {
        str(file.relative_to(PROJECT)): lines
        for file in files(*EVERYTHING)
        if (lines := len(file.read_text(encoding="utf-8").splitlines())) > LONGEST_FILE
    }
    assert long == {}


def test_functions_stay_readable() -> None:
    long = [
        f"{file.relative_to(PROJECT)}: {node.name}"
        for file in files(*EVERYTHING)
        for node in ast.walk(parse(file))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= LONGEST_FUNCTION
    ]
    assert long == []


def test_no_handler_swallows_every_exception() -> None:
    wrong = [
        f"{module_name(file)}:{node.lineno}"
        for file in files(*PRODUCT, "dev", "infra", "bench")
        for node in ast.walk(parse(file))
        if isinstance(node, ast.ExceptHandler) and _catches_everything(node)
        if not any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
        and module_name(file) not in LAST_HANDLERS
    ]
    assert wrong == []


def test_log_messages_are_constant() -> None:
    """Fields belong in arguments or `extra`: a message built from values cannot be searched, and leaks them."""
    wrong = [
        f"{module_name(file)}:{node.lineno}"
        for file in files(*PRODUCT, "dev")
        for node in ast.walk(parse(file))
        if isinstance(node, ast.Call) and _is_log_call(node)
        if node.args and not isinstance(node.args[_message_position(node)], ast.Constant)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        ("logger.info(f'scan {tenant}')", True),
        ("logger.info('scan %s' % tenant)", True),
        ("logger.info('scan finished', extra={'tenant': tenant})", False),
        ("math.log(2 * x)", False),
    ],
)
def test_rule_of_log_messages_sees_what_it_should(code: str, wrong: bool) -> None:
    call = ast.parse(code, mode="eval").body
    assert isinstance(call, ast.Call)
    constant = isinstance(call.args[0], ast.Constant)
    assert (_is_log_call(call) and not constant) == wrong


def _is_log_call(node: ast.Call) -> bool:
    function = node.func
    return (
        isinstance(function, ast.Attribute)
        and function.attr in LOG_METHODS
        and isinstance(function.value, ast.Name)
        and function.value.id.lower() in {"logger", "log", "logging"}
    )


def _message_position(node: ast.Call) -> int:
    assert isinstance(node.func, ast.Attribute)
    return 1 if node.func.attr == "log" else 0


def _catches_everything(handler: ast.ExceptHandler) -> bool:
    caught = handler.type
    names = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(
        name is None or (isinstance(name, ast.Name) and name.id in {"Exception", "BaseException"})
        for name in names
    )


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
