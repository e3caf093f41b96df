"""Arithmetic on numbers and named values, for thresholds and derived metrics."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

_OPERATORS: dict[type[ast.AST], Callable[..., float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: math.pow,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_FUNCTIONS: dict[str, Callable[..., float]] = {
    "abs": abs,
    "exp": math.exp,
    "log": math.log,
    "max": max,
    "min": min,
    "sqrt": math.sqrt,
}
# Functions of exactly one argument; min and max take one or more.
_UNARY = frozenset({"abs", "exp", "log", "sqrt"})
_MAX_LENGTH = 300
_MAX_DEPTH = 30
_TOO_DEEP = f"an expression has at most {_MAX_DEPTH} levels"


class ExpressionError(ValueError):
    """An expression that cannot be understood; the text says what is allowed."""


# A checked expression as a function of the values of its names.
_Function = Callable[[Mapping[str, float]], float]


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression: its text and the names it needs."""

    text: str
    names: frozenset[str]
    _function: _Function = field(compare=False, repr=False)

    def evaluate(self, values: Mapping[str, object]) -> float | None:
        """Return the finite result, or None if a name has no number or the result is undefined.

        >>> parse_expression("0.5 - 1.5 / sqrt(n)").evaluate({"n": 100})
        0.35
        >>> parse_expression("1 / n").evaluate({"n": 0}) is None
        True
        """
        numbers: dict[str, float] = {}
        for name in self.names:
            value = values.get(name)
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                return None
            numbers[name] = value
        return self.compute(numbers)

    def compute(self, numbers: Mapping[str, float]) -> float | None:
        """Return the finite result for numbers that are known to cover the names, or None.

        Half the cost of ``evaluate``; for what is computed at every logged row.
        """
        try:
            result = self._function(numbers)
        except (ArithmeticError, ValueError):
            return None
        return result if math.isfinite(result) else None

    def __reduce__(self) -> tuple[Callable[[str], Expression], tuple[str]]:
        return parse_expression, (self.text,)


def parse_expression(source: str | float) -> Expression:
    """Parse a number or an expression of ``+ - * / **``, abs, exp, log, max, min, sqrt and names.

    Raises ``ExpressionError`` for anything else; nothing of the text is ever executed.

    >>> sorted(parse_expression("2 * beta + 1e-3").names)
    ['beta']
    """
    if isinstance(source, float):
        # str would turn YAML's .inf and .nan into names.
        _check_number(source)
    text = str(source).strip()
    if len(text) > _MAX_LENGTH:
        raise ExpressionError(f"an expression has at most {_MAX_LENGTH} characters")
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ExpressionError(f"{text!r} is not a number or an arithmetic expression") from None
    names: set[str] = set()
    try:
        _check(tree, names, depth=0)
    except RecursionError:
        raise ExpressionError(_TOO_DEEP) from None
    return Expression(text, frozenset(names), _compile(tree))


def _check(node: ast.expr, names: set[str], depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise ExpressionError(_TOO_DEEP)
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            _check_number(value)
        case ast.Name(id=name):
            if name in _FUNCTIONS:
                raise ExpressionError(f"{name!r} is a function: write {name}(...)")
            names.add(name)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            _check(left, names, depth + 1)
            _check(right, names, depth + 1)
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _OPERATORS:
            _check(operand, names, depth + 1)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in _FUNCTIONS:
            if not arguments or (name in _UNARY and len(arguments) != 1):
                raise ExpressionError(f"{name!r} got {len(arguments)} arguments")
            for argument in arguments:
                _check(argument, names, depth + 1)
        case _:
            raise ExpressionError(
                f"{ast.unparse(node)!r} is not allowed; use numbers, names, + - * / ** and "
                + ", ".join(sorted(_FUNCTIONS))
            )


def _check_number(value: float) -> None:
    try:
        finite = math.isfinite(float(value))
    except OverflowError:
        finite = False
    if not finite:
        raise ExpressionError("a number must be finite")


def _compile(node: ast.expr) -> _Function:
    """Turn a checked tree into nested functions, which cost a third of walking it every time."""
    match node:
        case ast.Constant(value=int() | float() as value):
            number = float(value)
            return lambda _: number
        case ast.Name(id=name):
            return lambda values: float(values[name])
        case ast.BinOp(left=left, op=op, right=right):
            apply, first, second = _OPERATORS[type(op)], _compile(left), _compile(right)
            return lambda values: apply(first(values), second(values))
        case ast.UnaryOp(op=op, operand=operand):
            change, inner = _OPERATORS[type(op)], _compile(operand)
            return lambda values: change(inner(values))
        case ast.Call(func=ast.Name(id=name), args=arguments):
            call, parts = _FUNCTIONS[name], [_compile(argument) for argument in arguments]
            # min(x) of one number is that number; Python's own min would want an iterable.
            if name not in _UNARY and len(parts) == 1:
                return parts[0]
            return lambda values: call(*[part(values) for part in parts])
        case _:
            raise AssertionError(f"unchecked node {ast.dump(node)}")
