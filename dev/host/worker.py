"""Microsoft's worker runtime in this process: indexes a function app and invokes its functions."""

from __future__ import annotations

import json
import logging
import os
import secrets
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import azure_functions_runtime as runtime  # type: ignore[import-untyped]

from dev.host.configuration import HostError
from dev.host.messages import PROTOCOL, ParameterBinding, StatusResult, TypedData

TRIGGERS = {"httpTrigger", "queueTrigger", "timerTrigger"}
OUTPUTS = {"http", "queue"}

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Binding:
    type: str
    name: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Function:
    id: str
    name: str
    trigger: Binding
    outputs: tuple[Binding, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an invocation came to: `error` is empty when it succeeded."""

    returned: TypedData | None = None
    outputs: Mapping[str, TypedData] = field(default_factory=dict)
    error: str = ""
    stack: str = ""


class Worker:
    """One per process: the runtime keeps its registry in module globals."""

    def __init__(self, app: Path) -> None:
        self._app = app
        self.functions: dict[str, Function] = {}

    async def start(self) -> None:
        """Imports function_app.py, in the app's folder as in Azure. Raises HostError if it cannot be served."""
        os.chdir(self._app)
        sys.path.insert(0, str(self._app))
        runtime.start_threadpool_executor()
        folder = str(self._app)
        answer = await runtime.worker_init_request(
            _request(
                worker_init_request=SimpleNamespace(capabilities={}, function_app_directory=folder)
            )
        )
        if answer.result.status != StatusResult.Success:
            error = answer.result.exception
            raise HostError(
                f"function_app.py could not be loaded: {error.message}\n{error.stack_trace}"
            )
        metadata = await runtime.functions_metadata_request(
            _request(functions_metadata_request=SimpleNamespace(function_app_directory=folder))
        )
        self.functions = {
            function.name: _read_function(function)
            for function in metadata.function_metadata_results or ()
        }

    async def invoke(
        self,
        function: Function,
        data: TypedData,
        metadata: Mapping[str, Any],
        trace_parent: str = "",
    ) -> Outcome:
        """Never raises for what the function does: its failure is an outcome."""
        request = SimpleNamespace(
            invocation_id=str(uuid.uuid4()),
            function_id=function.id,
            input_data=[ParameterBinding(name=function.trigger.name, data=data)],
            trigger_metadata={
                name: TypedData(json=json.dumps(value)) for name, value in metadata.items()
            },
            trace_context=SimpleNamespace(
                trace_parent=trace_parent or _new_trace(), trace_state="", attributes={}
            ),
            retry_context=SimpleNamespace(retry_count=0, max_retry_count=0, exception=None),
        )
        answer = await runtime.invocation_request(_request(invocation_request=request))
        if answer.result.status != StatusResult.Success:
            error = answer.result.exception
            return Outcome(error=error.message, stack=error.stack_trace)
        outputs = {output.name: output.data for output in answer.output_data or ()}
        return Outcome(returned=answer.return_value, outputs=outputs)

    def stop(self) -> None:
        runtime.stop_threadpool_executor()


def _request(**content: SimpleNamespace) -> SimpleNamespace:
    return SimpleNamespace(
        properties={"host": "127.0.0.1", "protos": PROTOCOL}, request=SimpleNamespace(**content)
    )


def _read_function(metadata: Any) -> Function:
    bindings = [_read_binding(json.loads(raw)) for raw in metadata.raw_bindings]
    triggers = [binding for binding in bindings if binding.type in TRIGGERS]
    others = [binding for binding in bindings if binding.type not in TRIGGERS]
    for binding in others:
        if binding.type not in OUTPUTS or binding.values["direction"] != "OUT":
            raise HostError(
                f"{metadata.name}: the binding {binding.name} ({binding.type}) is not served by the local host"
            )
    if len(triggers) != 1:
        raise HostError(f"{metadata.name}: a function has one trigger, this has {len(triggers)}")
    if metadata.retry_options is not None:
        raise HostError(f"{metadata.name}: retry policies are not served by the local host")
    return Function(metadata.function_id, metadata.name, triggers[0], tuple(others))


def _read_binding(values: dict[str, Any]) -> Binding:
    return Binding(type=values["type"], name=values["name"], values=values)


def _new_trace() -> str:
    """A W3C traceparent, as the host starts one for what does not bring its own."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
