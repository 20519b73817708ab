"""Tokens to expressions, by descending through the precedences: or, and, comparison, sum, product, value."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from dev.azure.kql.lexer import Token, parser_failure, tokenize
from dev.azure.kql.syntax import (
    Binary,
    Call,
    Column,
    Expression,
    Literal,
    Member,
    Membership,
    QueryError,
)

_SYMBOL_COMPARISONS = frozenset({"==", "!=", "=~", "!~", "<", ">", "<=", ">="})
_WORD_COMPARISONS = frozenset(
    {"has", "contains", "startswith", "endswith", "has_cs", "contains_cs"}
)
_MEMBERSHIPS = frozenset({"in", "has_any"})
_RESERVED = frozenset({"where", "project", "extend", "summarize", "by", "and", "or"})
_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


class ExpressionParser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokenize(text)
        self._next = 0

    # -- tokens

    def peek(self, ahead: int = 0) -> Token:
        return self._tokens[min(self._next + ahead, len(self._tokens) - 1)]

    def take(self) -> Token:
        token = self.peek()
        self._next += 1
        return token

    def accept(self, symbol: str) -> bool:
        if self.peek().kind == "symbol" and self.peek().text == symbol:
            self._next += 1
            return True
        return False

    def expect(self, symbol: str) -> None:
        if not self.accept(symbol):
            raise self.failure(symbol)

    def accept_name(self, name: str) -> bool:
        if self.peek().kind == "name" and self.peek().text.lower() == name:
            self._next += 1
            return True
        return False

    def expect_name(self, name: str) -> None:
        if not self.accept_name(name):
            raise self.failure(name)

    def take_name(self) -> str:
        if self.peek().kind != "name":
            raise self.failure("<identifier>")
        return self.take().text

    def take_count(self) -> int:
        if self.peek().kind != "number":
            raise self.failure("<number>")
        return int(float(self.take().text))

    def failure(self, expected: str, *, before: int = 0) -> QueryError:
        """At the next token, or at one already taken."""
        token = self._tokens[max(0, self._next - before)]
        return parser_failure(self._text, token.position, token.text, expected)

    # -- expressions

    def expression(self) -> Expression:
        left = self._conjunction()
        while self.accept_name("or"):
            left = Binary("or", left, self._conjunction())
        return left

    def _conjunction(self) -> Expression:
        left = self._comparison()
        while self.accept_name("and"):
            left = Binary("and", left, self._comparison())
        return left

    def _comparison(self) -> Expression:
        left = self._sum()
        operator = self._comparison_operator()
        if not operator:
            return left
        if operator.strip("!~") in _MEMBERSHIPS:
            self.expect("(")
            return Membership(operator, left, self._arguments())
        return Binary(operator, left, self._sum())

    def _comparison_operator(self) -> str:
        token = self.peek()
        if token.kind == "symbol" and token.text in _SYMBOL_COMPARISONS:
            return self.take().text
        negated = token.text == "!" and self.peek(1).kind == "name"
        word = self.peek(1 if negated else 0)
        name = word.text.lower()
        if word.kind != "name" or name not in _WORD_COMPARISONS | _MEMBERSHIPS:
            return ""
        self._next += 2 if negated else 1
        tilde = name == "in" and self.accept("~")
        return ("!" if negated else "") + name + ("~" if tilde else "")

    def _sum(self) -> Expression:
        left = self._product()
        while self.peek().kind == "symbol" and self.peek().text in {"+", "-"}:
            left = Binary(self.take().text, left, self._product())
        return left

    def _product(self) -> Expression:
        left = self._value()
        while self.peek().kind == "symbol" and self.peek().text in {"*", "/", "%"}:
            left = Binary(self.take().text, left, self._value())
        return left

    def _value(self) -> Expression:
        value = self._primary()
        while True:
            if self.accept("."):
                value = Member(value, self.take_name())
            elif self.accept("["):
                value = Member(value, self._subscript())
                self.expect("]")
            else:
                return value

    def _subscript(self) -> str | int:
        token = self.take()
        if token.kind == "string":
            return token.text
        if token.kind == "number":
            return int(token.text)
        raise self.failure("<string>", before=1)

    def _primary(self) -> Expression:
        if self.accept("("):
            inner = self.expression()
            self.expect(")")
            return inner
        if self.accept("-"):
            return Binary("-", Literal(0), self._value())
        token = self.take()
        if token.kind == "name":
            return self._named_value(token)
        read = _LITERALS.get(token.kind)
        if read is None:
            raise self.failure("<expression>", before=1)
        return read(token.text)

    def _named_value(self, token: Token) -> Expression:
        name = token.text.lower()
        if name in _RESERVED:
            raise self.failure("<expression>")
        if self.accept("("):
            return Call(name, self._arguments())
        constants = {"true": Literal(True), "false": Literal(False), "null": Literal(None)}
        return constants.get(name) or Column(token.text)

    def _arguments(self) -> tuple[Expression, ...]:
        """Up to and with the closing parenthesis; the opening one is already taken."""
        arguments: list[Expression] = []
        if self.accept(")"):
            return ()
        while True:
            arguments.append(self.expression())
            if self.accept(")"):
                return tuple(arguments)
            self.expect(",")


def _timespan(text: str) -> timedelta:
    unit = text.lstrip("0123456789.")
    return timedelta(seconds=float(text.removesuffix(unit)) * _UNITS[unit])


_LITERALS: dict[str, Callable[[str], Expression]] = {
    "string": Literal,
    "number": lambda text: Literal(float(text) if "." in text else int(text)),
    "timespan": lambda text: Literal(_timespan(text)),
    "datetime": lambda text: Call("todatetime", (Literal(text),)),
}
