"""Generates rules and subjects for property tests, and asks Google's evaluator what they mean.

Left out on purpose, because the oracle itself is wrong or can't be asked, and covered by tables of cases:
``substring`` with two arguments (an end at the end of the text is an error there), texts with NUL (cut off on
the way in), durations beyond 292 years (saturated), and ``known``, which the oracle doesn't have.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_strings
from hypothesis import assume
from hypothesis import strategies as st

from segserver.errors import RuleError
from segserver.rules import Environment, own
from segserver.rules.times import SECOND, from_datetime, to_datetime

VARIABLES = {
    "a": "int",
    "b": "int",
    "x": "double",
    "y": "double",
    "s": "string",
    "u": "string",
    "tags": "list(string)",
    "more": "list(string)",
    "t": "timestamp",
    "w": "timestamp",
    "p": "bool",
    "q": "bool",
}
SUBJECT = "subject-1"
NOW = from_datetime(dt.datetime(2026, 3, 29, 12, 30, 15, 123456, tzinfo=dt.UTC))

_INTS = [0, 1, 2, 3, 5, -1, -2, -7, 10, 100, 2**31, 2**62, 2**63 - 1, -(2**63), -(2**63) + 1]
_DOUBLES = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    1.5,
    2.0,
    3.25,
    -2.5,
    100.0,
    1e-5,
    123456.7,
    1234567.0,
    1e20,
    1e300,
    9.3e18,
]
_STRINGS = [
    "",
    "a",
    "b",
    "A",
    "ab",
    "abc",
    "a,b",
    ",",
    " a ",
    "é",
    "€😀",
    "Straße",
    "1",
    "-12",
    "1.5",
    "true",
    "1h",
    "UTC",
]
_STRINGS += [
    "2020-02-29T12:00:00Z",
    "+01:00",
    "Europe/Berlin",
    "x\ny",
    '"',
    "\\",
    "\u00a0a\u2003",
    "0x10",
    "nan",
    "inf",
]
_MOMENTS = [
    "1970-01-01T00:00:00Z",
    "2020-02-29T23:59:59.999999Z",
    "1969-12-31T23:59:59.5Z",
    "2026-03-29T01:00:00Z",
]
_MOMENTS += [
    "2024-12-30T00:00:00Z",
    "1900-01-01T00:00:00Z",
    "2099-12-31T12:00:00.001Z",
    "2026-10-25T01:30:00Z",
]
_SPANS = ["0s", "1s", "-1s", "1h", "-90m", "36h", "1.5s", "-0.001s", "2400h", "1us", "8760h"]
_PATTERNS = ["a", "^a", "b$", "a.*b", "[a-z]+", "", "^$", "é", "(?i)A", "a{2}", "\\d+", "a|b", "^\\s"]
_ZONES = ["UTC", "+01:00", "-08:30", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]
_PARTS = ["getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getHours"]
_PARTS += ["getMinutes", "getSeconds", "getMilliseconds"]


def text_literal(text: str) -> str:
    """A text as a CEL literal."""
    return json.dumps(text, ensure_ascii=False)


def _pattern(pattern: str) -> str:
    """A regular expression as a CEL literal in a template."""
    return text_literal(pattern).replace("{", "{{").replace("}", "}}")


def _number(value: float) -> str:
    return repr(value) if value >= 0 and not repr(value).startswith("-") else f"({value!r})"


_LITERALS: dict[str, list[str]] = {
    "bool": ["true", "false"],
    "int": [_number(value) for value in _INTS],
    "double": [_number(value) for value in _DOUBLES],
    "string": [text_literal(value) for value in _STRINGS],
    "timestamp": [f'timestamp("{value}")' for value in _MOMENTS],
    "duration": [f'duration("{value}")' for value in _SPANS],
    "list(string)": ['["a"]', '["a", "b", ""]', '["abc", "é", "a"]'],
    "list(int)": ["[1]", "[1, 2, 3]", "[0, -7]"],
    "list(double)": ["[1.0]", "[0.0, 1.5]", "[0.0 / 0.0, 1.0]"],
}
_ORDERED = ("bool", "int", "double", "string", "timestamp", "duration")
_EQUAL = (*_ORDERED, "list(string)", "list(int)", "list(double)")
_LOGIC: list[tuple[str, tuple[str, ...]]] = [
    ("({} && {})", ("bool", "bool")),
    ("({} || {})", ("bool", "bool")),
    ("({} && {} && {})", ("bool", "bool", "bool")),
    ("({} || {} || {})", ("bool", "bool", "bool")),
    ("!{}", ("bool",)),
]
_CALLS: dict[str, list[tuple[str, tuple[str, ...]]]] = {
    "bool": [
        *_LOGIC,
        *_LOGIC,
        *((f"({{}} {sign} {{}})", (kind, kind)) for sign in ("<", "<=", ">", ">=") for kind in _ORDERED),
        *((f"({{}} {sign} {{}})", (kind, kind)) for sign in ("==", "!=") for kind in _EQUAL),
        *(("({} in {})", (kind, f"list({kind})")) for kind in ("string", "string", "int", "double")),
        ("{}.contains({})", ("string", "string")),
        ("{}.startsWith({})", ("string", "string")),
        ("{}.endsWith({})", ("string", "string")),
        *((f"{{}}.matches({_pattern(pattern)})", ("string",)) for pattern in _PATTERNS[:6]),
        *((f"matches({{}}, {_pattern(pattern)})", ("string",)) for pattern in _PATTERNS[6:]),
        ("bool({})", ("string",)),
        ("bool({})", ("bool",)),
        ("({} == [])", ("list(string)",)),
        ("({} in [])", ("string",)),
        ("(type({}) == int)", ("int",)),
        ("(type({}) != type({}))", ("string", "double")),
        ("dyn({})", ("bool",)),
    ],
    "int": [
        *((f"({{}} {sign} {{}})", ("int", "int")) for sign in "+-*/%"),
        ("(-{})", ("int",)),
        ("size({})", ("string",)),
        ("{}.size()", ("list(string)",)),
        ("size({})", ("list(int)",)),
        ("{}.indexOf({})", ("string", "string")),
        ("{}.indexOf({}, {})", ("string", "string", "int")),
        ("int({})", ("double",)),
        ("int({})", ("string",)),
        ("int({})", ("timestamp",)),
        *((f"{{}}.{part}()", ("timestamp",)) for part in _PARTS),
        *((f'{{}}.{part}("{zone}")', ("timestamp",)) for part, zone in zip(_PARTS, _ZONES * 2, strict=False)),
        *((f"{{}}.{part}()", ("duration",)) for part in _PARTS[-4:]),
        ("{}[{}]", ("list(int)", "int")),
        ("version_compare({}, {})", ("string", "string")),
    ],
    "double": [
        *((f"({{}} {sign} {{}})", ("double", "double")) for sign in "+-*/"),
        ("(-{})", ("double",)),
        ("double({})", ("int",)),
        ("double({})", ("string",)),
        ("distance_km({}, {}, {}, {})", ("double",) * 4),
        ('bucket("salt")', ()),
    ],
    "string": [
        ("({} + {})", ("string", "string")),
        ("{}.lowerAscii()", ("string",)),
        ("{}.upperAscii()", ("string",)),
        ("{}.trim()", ("string",)),
        ("{}.replace({}, {})", ("string", "string", "string")),
        ("{}.replace({}, {}, {})", ("string", "string", "string", "int")),
        ("{}.substring({})", ("string", "int")),
        ("string({})", ("bool",)),
        ("string({})", ("int",)),
        ("string({})", ("double",)),
        ("string({})", ("timestamp",)),
        ("string({})", ("duration",)),
        ("{}[{}]", ("list(string)", "int")),
    ],
    "timestamp": [
        ("({} + {})", ("timestamp", "duration")),
        ("({} + {})", ("duration", "timestamp")),
        ("({} - {})", ("timestamp", "duration")),
        ("timestamp({})", ("int",)),
        ("timestamp({})", ("string",)),
    ],
    "duration": [
        ("({} - {})", ("timestamp", "timestamp")),
        ("({} + {})", ("duration", "duration")),
        ("({} - {})", ("duration", "duration")),
        ("duration({})", ("string",)),
    ],
    "list(string)": [
        ("({} + {})", ("list(string)", "list(string)")),
        ("({} + [])", ("list(string)",)),
        ("({} ? [] : {})", ("bool", "list(string)")),
        ("[{}, {}]", ("string", "string")),
        ("{}.split({})", ("string", "string")),
        ("{}.split({}, {})", ("string", "string", "int")),
    ],
    "list(int)": [("[{}, {}]", ("int", "int")), ("({} + {})", ("list(int)", "list(int)"))],
    "list(double)": [("[{}, {}]", ("double", "double"))],
}
_MACROS: dict[str, list[tuple[str, str]]] = {
    "bool": [(f"{{}}.{kind}({{}}, {{}})", "bool") for kind in ("exists", "all", "exists_one")],
    "list(string)": [("{}.filter({}, {})", "bool"), ("{}.map({}, {})", "string")],
    "list(int)": [("{}.map({}, {})", "int")],
}


_ENVIRONMENT = Environment(VARIABLES)


@st.composite
def expressions(draw: st.DrawFn, type_name: str = "bool", depth: int = 4) -> str:
    """The text of a well-typed rule over :data:`VARIABLES`, in which no constant conversion fails."""
    text = _expression(draw, type_name, depth, {})
    try:
        _ENVIRONMENT.check(text)
    except RuleError as error:
        assume(" has no value; " not in error.message)
    return text


def _expression(draw: st.DrawFn, type_name: str, depth: int, bound: Mapping[str, str]) -> str:
    scope = {**VARIABLES, "now": "timestamp", **bound}
    names = [name for name, kind in scope.items() if kind == type_name]
    if depth <= 0 or draw(st.integers(0, 9)) == 0:
        if names and draw(st.integers(0, 2)):
            return draw(st.sampled_from(names))
        return draw(st.sampled_from(_LITERALS[type_name]))

    def below(kind: str, inside: Mapping[str, str] = bound) -> str:
        return _expression(draw, kind, depth - 1, inside)

    form = draw(st.integers(0, 11))
    if form == 0:
        return f"({below('bool')} ? {below(type_name)} : {below(type_name)})"
    if form == 1 and type_name in _MACROS and len(bound) < 2:
        template, kind = draw(st.sampled_from(_MACROS[type_name]))
        source = draw(st.sampled_from(["list(string)", "list(string)", "list(int)"]))
        if template.startswith("{}.filter"):
            source = type_name
        name = f"e{len(bound)}"
        inside = {**bound, name: source[5:-1]}
        return template.format(below(source), name, below(kind, inside))
    template, kinds = draw(st.sampled_from(_CALLS[type_name]))
    return template.format(*(below(kind) for kind in kinds))


def _moments() -> st.SearchStrategy[int]:
    """Years 1716 to 2223 with microseconds, and whole seconds beyond: the oracle reads times as doubles, and
    doesn't take the first moment of year 1.
    """
    pool = [from_datetime(dt.datetime.fromisoformat(text)) for text in _MOMENTS]
    low, high = (from_datetime(dt.datetime(year, 1, 1, tzinfo=dt.UTC)) for year in (1, 9999))
    seconds = st.integers(low // SECOND + 1, high // SECOND).map(lambda second: second * SECOND)
    return st.one_of(st.sampled_from(pool), st.integers(-8 * 10**15, 8 * 10**15), seconds)


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "bool": st.booleans(),
    "int": st.one_of(st.sampled_from(_INTS), st.integers(-(2**63), 2**63 - 1)),
    "double": st.one_of(st.sampled_from(_DOUBLES), st.floats(allow_nan=False, allow_infinity=False)),
    "string": st.one_of(
        st.sampled_from(_STRINGS),
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8),
    ),
    "timestamp": _moments(),
    "list(string)": st.lists(st.sampled_from(_STRINGS), max_size=4).map(tuple),
}
"""Values in rule form, by type."""


def subjects(*, partial: bool = True) -> st.SearchStrategy[dict[str, Any]]:
    """Values in rule form for :data:`VARIABLES`; a partial subject has ``None`` for some."""
    values = {
        name: st.one_of(st.none(), VALUES[kind], VALUES[kind]) if partial else VALUES[kind]
        for name, kind in VARIABLES.items()
    }
    return st.fixed_dictionaries(values)


class Oracle:
    """Google's evaluator, over the same variables and functions. What is missing or an error is ``None``."""

    def __init__(self, variables: Mapping[str, str] = VARIABLES) -> None:
        self._variables = {**variables, "now": "timestamp"}
        double, text = cel.Type.DOUBLE, cel.Type.STRING
        self._env = cel.NewEnv(
            variables={name: _cel_type(kind) for name, kind in self._variables.items()},
            extensions=[ext_strings.ExtStrings()],
            functions=[
                _declare("bucket", double, [text], lambda salt: own.bucket(salt, SUBJECT)),
                _declare("distance_km", double, [double] * 4, own.distance_km),
                _declare("version_compare", cel.Type.INT, [text, text], own.version_compare),
            ],
        )

    def compile(self, expression: str) -> Callable[[Mapping[str, Any]], Any]:
        """A function from a subject in rule form to the value in rule form."""
        compiled = self._env.compile(expression)

        def evaluate(subject: Mapping[str, Any]) -> Any:
            known = {name: value for name, value in {**subject, "now": NOW}.items() if value is not None}
            data = {name: _to_cel(value, self._variables[name]) for name, value in known.items()}
            result = compiled.eval(data=data)
            return (
                None
                if result.type() in (cel.Type.ERROR, cel.Type.UNKNOWN)
                else _from_cel(result.plain_value())
            )

        return evaluate


def _declare(name: str, result: Any, parameters: list[Any], function: Callable[..., Any]) -> Any:
    def call(*args: Any) -> Any:
        value = function(*args)
        if value is None:
            raise ValueError(name)
        return value

    return cel.FunctionDecl(name, [cel.Overload(name, return_type=result, parameters=parameters, impl=call)])


def _cel_type(kind: str) -> Any:
    return cel.Type.List(cel.Type.STRING) if kind.startswith("list") else getattr(cel.Type, kind.upper())


def _to_cel(value: Any, kind: str) -> Any:
    if kind == "timestamp":
        return to_datetime(value)
    return list(value) if isinstance(value, tuple) else value


def _from_cel(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return from_datetime(value)
    if isinstance(value, dt.timedelta):
        return value // dt.timedelta(microseconds=1)
    return tuple(_from_cel(item) for item in value) if isinstance(value, list) else value
