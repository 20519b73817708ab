"""The hand of the project, as rules a program can check: names, lengths, handlers, messages of the log."""

from __future__ import annotations

import ast

import pytest

from tests.source import EVERYTHING, PRODUCT, PROJECT, files, module_name, parse

# A handler of every exception must raise again. These answer instead, and say what happened.
LAST_HANDLERS = {
    "api.middleware": "the request's last resort: logs the exception and answers 500 without its text",
    "dev.azure.traffic": "the same, in the simulated Azure",
}
NO_NAMES = {"utils", "helpers", "common", "manager", "core", "misc", "util", "helper"}
LONGEST_FILE = 400
LONGEST_FUNCTION = 60
LOG_METHODS = {"debug", "info", "warning", "error", "exception", "critical", "log"}


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
