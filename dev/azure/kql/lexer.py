"""Text to tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dev.azure.kql.syntax import QueryError

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|//[^\n]*)
  | (?P<datetime>datetime\([^)]*\))
  | (?P<timespan>\d+(?:\.\d+)?(?:d|h|m|s|ms)\b)
  | (?P<number>\d+(?:\.\d+)?)
  | (?P<verbatim>@'(?:[^']|'')*'|@"(?:[^"]|"")*")
  | (?P<string>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")
  | (?P<name>\$?[A-Za-z_][A-Za-z0-9_]*)
  | (?P<symbol>==|!=|=~|!~|<=|>=|[<>=()\[\],.|%+*/!~-])
    """,
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}


@dataclass(frozen=True, slots=True)
class Token:
    kind: str  # datetime, timespan, number, string, name, symbol or end
    text: str
    position: int


def tokenize(text: str) -> list[Token]:
    tokens: list[Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise parser_failure(text, position, text[position])
        kind = match.lastgroup or ""
        if kind != "space":
            tokens.append(_token(kind, match.group(), position))
        position = match.end()
    return [*tokens, Token("end", "<EOF>", len(text))]


def _token(kind: str, text: str, position: int) -> Token:
    if kind == "datetime":  # holds no quotes, and characters that stand nowhere else
        return Token(kind, text[len("datetime(") : -1].strip().strip("'\""), position)
    if kind == "verbatim":
        quote = text[1]
        return Token("string", text[2:-1].replace(quote * 2, quote), position)
    if kind == "string":
        value = re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), text[1:-1])
        return Token("string", value, position)
    return Token(kind, text, position)


def parser_failure(text: str, position: int, token: str, expected: str = "") -> QueryError:
    """Line from 1 and position from 0, as Resource Graph counts."""
    before = text[:position]
    column = position - (before.rfind("\n") + 1)
    return QueryError(
        "ParserFailure",
        "ParserFailure",
        line=before.count("\n") + 1,
        characterPositionInLine=column,
        token=token,
        expectedToken=expected,
    )
