"""Stand-ins for the protobuf messages of the Functions worker protocol.

The runtime has no gRPC of its own: the process around it injects the message classes. These keep the fields they are
given, which is all that is needed when both ends are in one process.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any


class Message:
    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)

    def __getattr__(self, name: str) -> Any:
        """An absent field reads as empty. Capitals are message types, which the runtime asks for to tell them apart."""
        if name.startswith("__") or name[0].isupper():
            raise AttributeError(name)
        return None

    def WhichOneof(self, _group: str) -> str | None:  # noqa: N802 (protobuf's name)
        return next(iter(self.__dict__), None)


class TypedData(Message):
    pass


class ParameterBinding(Message):
    def WhichOneof(self, _group: str) -> str | None:  # noqa: N802
        return "data"


class BindingInfo(Message):
    inout = 2
    out = 1
    undefined = 0


class StatusResult(Message):
    Failure = 0
    Success = 1


class RpcHttp(Message):
    pass


class RpcHttpCookie(Message):
    SameSite = SimpleNamespace(**{"None": 0, "Lax": 1, "Strict": 2, "ExplicitNone": 3})


_PLAIN = (
    "FunctionLoadResponse FunctionMetadataResponse InvocationResponse NullableBool NullableDouble NullableString "
    "NullableTimestamp RpcException RpcFunctionMetadata RpcRetryOptions Timestamp WorkerInitResponse WorkerMetadata"
)

PROTOCOL = SimpleNamespace(
    BindingInfo=BindingInfo,
    ParameterBinding=ParameterBinding,
    RpcHttp=RpcHttp,
    RpcHttpCookie=RpcHttpCookie,
    StatusResult=StatusResult,
    TypedData=TypedData,
    **{name: type(name, (Message,), {}) for name in _PLAIN.split()},
)
