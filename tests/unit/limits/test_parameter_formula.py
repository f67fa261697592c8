from __future__ import annotations

import math
import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdk_breakwater.limits.parameter_formula import VARIABLES, FormulaError, UnknownVariableError, evaluate

GIB = 1024**3
MEMORY = {"DBInstanceClassMemory": 8 * GIB}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("500", 500),
        (" 500 ", 500),
        ("-1", -1),
        ("{DBInstanceClassMemory}", 8 * GIB),
        ("{DBInstanceClassMemory/12582880}", 682),
        ("{ DBInstanceClassMemory / 12582880 }", 682),
        ("{DBInstanceClassMemory*3/4}", 6 * GIB),
        # from left to right, with a truncated quotient: 8 GiB/63963136 is 134.3
        ("{DBInstanceClassMemory/63963136*1024}", 134 * 1024),
        ("LEAST({DBInstanceClassMemory/9531392},5000)", 901),
        ("least({DBInstanceClassMemory/9531392}, 500)", 500),
        ("GREATEST({DBInstanceClassMemory/9868951},80)", 870),
        ("SUM({DBInstanceClassMemory/12038},-50003)", 663565),
        ("LEAST(7)", 7),
        # log2(8 GiB/805306368) is 3.4, log2(8 GiB/8187281408) is 0.07
        ("GREATEST({log(DBInstanceClassMemory/805306368)*45},{log(DBInstanceClassMemory/8187281408)*1000})", 135),
        ("{log(DBInstanceClassMemory/8187281418)*1000}", 0),
        ("{log(DBInstanceClassMemory)}", 33),
        # log2(6) is 2.58, rounded to 3
        ("{log(DBInstanceClassMemory*6/8589934592)*10}", 30),
    ],
)
def test_documented_forms(text: str, value: int) -> None:
    assert evaluate(text, MEMORY) == value


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "ends too early"),
        ("   ", "ends too early"),
        ("many", "ends too early|calls 'many'"),
        ("5e3", "has '5e3' where"),
        ("5.5", "has '5.5' where"),
        ("5 5", "goes on after its end, with '5'"),
        ("\N{ARABIC-INDIC DIGIT FIVE}", "where no formula has it"),
        ("1234567890123456789", "where no formula has it"),
        ("{500}", "'500' in place of a variable"),
        ("{dbinstanceclassmemory/5}", "'dbinstanceclassmemory' in place of a variable"),
        ("{DBInstanceClassMemory/5", "ends too early"),
        ("DBInstanceClassMemory/5", "calls 'DBInstanceClassMemory'"),
        ("{DBInstanceClassMemory/0}", r"has /0, where only a positive integer"),
        ("{DBInstanceClassMemory*-1}", r"has \*-1, where only a positive integer"),
        ("{DBInstanceClassMemory/DBInstanceClassMemory}", "in place of an integer"),
        ("{DBInstanceClassMemory+5}", "where no formula has it"),
        ("{log(5)*3}", "'5' in place of a variable"),
        ("{log(DBInstanceClassMemory/5}", r"'}' in place of '\)'"),
        ("LEAST()", "'\\)' in place of an integer"),
        ("LEAST(5,,6)", "',' in place of an integer"),
        ("LEAST(5", "ends too early"),
        ("LEAST(5))", r"goes on after its end, with '\)'"),
        ("LEAST(LEAST(5),6)", "'LEAST' in place of an integer"),
        ("{LEAST(DBInstanceClassMemory/5,6)}", "'LEAST' in place of a variable"),
        ("IF({TrueIfReplica}, 5, 6)", "calls 'IF', which can't be evaluated before the deployment"),
        ("${Token[TOKEN.12]}", "where no formula has it"),
    ],
)
def test_garbage_is_an_error_that_quotes_it(text: str, problem: str) -> None:
    with pytest.raises(FormulaError, match=problem) as error:
        evaluate(text, MEMORY)
    assert repr(text) in str(error.value)


@pytest.mark.parametrize("variable", sorted(VARIABLES))
def test_a_variable_without_a_value_is_named(variable: str) -> None:
    with pytest.raises(UnknownVariableError, match=variable) as error:
        evaluate(f"LEAST({{{variable}/5}},100)", {})
    assert error.value.variable == variable


def test_no_positive_logarithm() -> None:
    with pytest.raises(FormulaError, match="logarithm"):
        evaluate("{log(AllocatedStorage/5)*3}", {"AllocatedStorage": 0})


FRAGMENTS = st.sampled_from(
    [*"{}(),*/-", "LEAST", "SUM", "log", "IF", "DBInstanceClassMemory", "5", "0", "99", " ", "."]
)


@given(st.text() | st.lists(FRAGMENTS, max_size=30).map("".join))
def test_anything_is_an_integer_or_a_formula_error(text: str) -> None:
    try:
        value = evaluate(text, MEMORY)
    except FormulaError:
        return
    assert isinstance(value, int)


INTEGERS = st.integers(1, 10**12).map(str)
OPERATIONS = st.lists(st.tuples(st.sampled_from("*/"), INTEGERS).map("".join), max_size=3).map("".join)
FORMULAS = OPERATIONS.map(lambda operations: f"{{DBInstanceClassMemory{operations}}}") | st.tuples(
    OPERATIONS, OPERATIONS
).map(lambda parts: f"{{log(DBInstanceClassMemory{parts[0]}){parts[1]}}}")
VALUES = st.tuples(
    st.sampled_from(["LEAST", "GREATEST", "SUM"]), st.lists(FORMULAS | INTEGERS, min_size=1, max_size=4)
).map(lambda call: f"{call[0]}({','.join(call[1])})")


@given(VALUES | FORMULAS, st.integers(1, 2**46), st.integers(0, 2**46))
def test_more_memory_never_gives_less(text: str, memory: int, more: int) -> None:
    """So that an estimate of the memory that is never too high gives a limit that is never too high."""
    assert evaluate(text, {"DBInstanceClassMemory": memory}) <= evaluate(text, {"DBInstanceClassMemory": memory + more})


@given(st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=5))
def test_functions(arguments: list[int]) -> None:
    listed = ",".join(map(str, arguments))
    assert evaluate(f"LEAST({listed})", {}) == min(arguments)
    assert evaluate(f"GREATEST({listed})", {}) == max(arguments)
    assert evaluate(f"SUM({listed})", {}) == sum(arguments)


# The grammar once more, as regular expressions, with an arithmetic of its own: an oracle that shares no code.
OPERATION = r"(?:[*/](?=\d{1,18}(?!\d))0*[1-9]\d*)*"
BRACED = rf"\{{(?:DBInstanceClassMemory{OPERATION}|log\(DBInstanceClassMemory{OPERATION}\){OPERATION})\}}"
ARGUMENT = rf"(?:-?\d{{1,18}}|{BRACED})"
WHOLE = re.compile(rf"{ARGUMENT}|(?i:LEAST|GREATEST|SUM)\({ARGUMENT}(?:,{ARGUMENT})*\)")


def oracle(text: str, memory: int) -> int | None:
    if not WHOLE.fullmatch(text):
        return None

    def argument(match: re.Match[str]) -> str:
        operand, _, operations = match[0].partition(")") if "log" in match[0] else ("", "", match[0])
        value = memory
        if operand:
            exact = Fraction(memory)
            for sign, number in re.findall(r"([*/])(\d+)", operand):
                exact = exact * int(number) if sign == "*" else exact / int(number)
            value = math.floor(math.log2(exact) + 0.5)
        for sign, number in re.findall(r"([*/])(\d+)", operations):
            value = value * int(number) if sign == "*" else int(Fraction(value, int(number)))
        return str(value)

    plain = re.sub(BRACED, argument, text)
    name, _, rest = plain.partition("(")
    numbers = [int(number) for number in (rest or name).strip(")").split(",")]
    return {"LEAST": min, "GREATEST": max, "SUM": sum}[name.upper()](numbers) if rest else numbers[0]


SMALL = st.integers(1, 10**6).map(str)
FACTORS = st.lists(st.tuples(st.sampled_from("*/"), SMALL).map("".join), max_size=2).map("".join)
PLAIN = FACTORS.map(lambda operations: f"{{DBInstanceClassMemory{operations}}}")
LOGARITHM = st.tuples(st.integers(1, 2**29).map(str), FACTORS).map(
    lambda parts: f"{{log(DBInstanceClassMemory/{parts[0]}){parts[1]}}}"
)
CALLS = st.tuples(
    st.sampled_from(["LEAST", "greatest", "Sum"]), st.lists(PLAIN | LOGARITHM | SMALL, min_size=1, max_size=3)
).map(lambda call: f"{call[0]}({','.join(call[1])})")


@given(PLAIN | LOGARITHM | CALLS | SMALL, st.integers(2**30, 2**42))
def test_every_formula_has_the_value_that_its_arithmetic_has(text: str, memory: int) -> None:
    expected = oracle(text, memory)
    assert expected is not None
    assert evaluate(text, {"DBInstanceClassMemory": memory}) == expected


@given(
    PLAIN | LOGARITHM | CALLS,
    st.lists(st.tuples(st.integers(0, 80), st.sampled_from("{}(),*/-5x0L")), min_size=1, max_size=3),
    st.booleans(),
)
def test_a_slip_of_the_pen_is_an_error_and_never_another_number(
    text: str, slips: list[tuple[int, str]], insert: bool
) -> None:
    for position, character in slips:
        at = position % (len(text) + 1)
        text = text[:at] + (character if insert else "") + text[at + (0 if insert else 1) :]
    memory = 2**40
    expected = oracle(text, memory)
    if expected is not None:
        assert evaluate(text, {"DBInstanceClassMemory": memory}) == expected
        return
    with pytest.raises(FormulaError) as error:
        evaluate(text, {"DBInstanceClassMemory": memory})
    assert repr(text) in str(error.value)
