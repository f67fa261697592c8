"""The formulas that a value in a DB parameter group may be, such as ``LEAST({DBInstanceClassMemory/9531392},5000)``.

Source of the grammar: Amazon RDS User Guide, "Specifying DB parameters".
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLES = frozenset(
    {
        "AllocatedStorage",
        "DBInstanceClassHugePagesDefault",
        "DBInstanceClassMemory",
        "DBInstanceVCPU",
        "EndPointPort",
        "TrueIfReplica",
    }
)
_FUNCTIONS = {"GREATEST": max, "LEAST": min, "SUM": sum}
# No parameter comes near 18 digits; more of them is garbage.
_TOKEN = re.compile(r"\s*(?:(?P<integer>-?[0-9]{1,18}(?![0-9A-Za-z_.]))|(?P<name>[A-Za-z]+)|(?P<sign>[{}(),*/]))")


class FormulaError(ValueError):
    """A formula that is not of the documented grammar, or that has no value."""


class UnknownVariableError(FormulaError):
    """A formula of the documented grammar with a variable whose value is not known.

    Attributes
    ----------
    variable
        The name of the variable.
    """

    def __init__(self, text: str, variable: str) -> None:
        super().__init__(f"{text!r} depends on {variable}, which is not known here.")
        self.variable = variable


def evaluate(text: str, variables: Mapping[str, int]) -> int:
    """Evaluate a parameter's value.

    Parameters
    ----------
    text
        An integer; a formula in braces, a variable and then any of ``*integer`` and ``/integer``, both positive; a log
        expression ``{log(formula)*integer}``; or one of ``LEAST``, ``GREATEST`` and ``SUM`` over integers and formulas.
        Functions may be written in any case, variables may not.
    variables
        The values of those of `VARIABLES` that are known.

    Returns
    -------
    int
        It never falls as a variable grows. Operators apply from left to right; a quotient is truncated; a logarithm,
        to base 2, is rounded to the nearest integer. (AWS documents no rounding for it; with this one, and no other,
        Aurora MySQL's default formula gives every row of AWS's table of connections per class.)

    Raises
    ------
    UnknownVariableError
        The formula has a variable without a value.
    FormulaError
        Anything else that can't be evaluated.
    """
    return _Parser(text, variables).value()


class _Parser:
    def __init__(self, text: str, variables: Mapping[str, int]) -> None:
        self._text = text
        self._variables = variables
        self._tokens = self._tokenize()
        self._next = 0

    def _tokenize(self) -> list[str]:
        tokens: list[str] = []
        position, end = 0, len(self._text.rstrip())
        while position < end:
            match = _TOKEN.match(self._text, position)
            if match is None:
                raise self._error(f"has {self._text[position:].strip()[:20]!r} where no formula has it")
            tokens.append(match.group(match.lastgroup or 0))
            position = match.end()
        return tokens

    def value(self) -> int:
        result = self._call() if self._peek().isalpha() else self._argument()
        if self._next < len(self._tokens):
            raise self._error(f"goes on after its end, with {self._peek()!r}")
        return result

    def _call(self) -> int:
        name = self._take()
        function = _FUNCTIONS.get(name.upper())
        if function is None:
            known = "LEAST, GREATEST and SUM"
            raise self._error(f"calls {name!r}, which can't be evaluated before the deployment; {known} can")
        self._expect("(")
        arguments = [self._argument()]
        while self._peek() == ",":
            self._take()
            arguments.append(self._argument())
        self._expect(")")
        return function(arguments)

    def _argument(self) -> int:
        if self._peek() != "{":
            return self._integer()
        self._take()
        if self._peek().lower() == "log":
            self._take()
            self._expect("(")
            start = self._logarithm()
            self._expect(")")
        else:
            start = self._variable()
        result = self._operations(Fraction(start), truncate=True)
        self._expect("}")
        return int(result)

    def _logarithm(self) -> int:
        operand = self._operations(Fraction(self._variable()), truncate=False)
        if operand <= 0:
            raise self._error("takes the logarithm of a number that is not positive")
        return math.floor(math.log2(operand) + 0.5)

    def _operations(self, value: Fraction, *, truncate: bool) -> Fraction:
        while self._peek() in ("*", "/"):
            operator, operand = self._take(), self._integer()
            if operand <= 0:
                raise self._error(f"has {operator}{operand}, where only a positive integer makes sense")
            value = value * operand if operator == "*" else value / operand
            value = Fraction(int(value)) if truncate else value
        return value

    def _variable(self) -> int:
        name = self._take()
        if name not in VARIABLES:
            raise self._error(f"has {name!r} in place of a variable ({', '.join(sorted(VARIABLES))})")
        if name not in self._variables:
            raise UnknownVariableError(self._text, name)
        return self._variables[name]

    def _integer(self) -> int:
        token = self._take()
        if not token.lstrip("-").isdigit():
            raise self._error(f"has {token!r} in place of an integer")
        return int(token)

    def _peek(self) -> str:
        return self._tokens[self._next] if self._next < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        if not token:
            raise self._error("ends too early")
        self._next += 1
        return token

    def _expect(self, sign: str) -> None:
        token = self._take()
        if token != sign:
            raise self._error(f"has {token!r} in place of {sign!r}")

    def _error(self, problem: str) -> FormulaError:
        return FormulaError(f"{self._text!r} {problem}.")
