"""A Polars program over tables of every shape: nulls, withheld inputs, code of plugins, laziness,
pickling.
"""

from __future__ import annotations

import datetime as dt
import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import polars as pl
import pytest
from rule_tables import NOW, VARIABLES, by_row, edge_rows, table

from segserver.errors import InvalidInput
from segserver.rules import Coded, Computed, Environment, Function
from segserver.rules.own import bucket
from segserver.rules.polars import PolarsProgram, compile_polars

TRAITS = {"d.band": "string", "d.code": "string", "d.half": "double", "segments.adult": "bool"}
INPUTS = {"age": "int", "city": "string", "seen": "timestamp", "tags": "list(string)"}


def shout(text: str) -> str:
    if text == "bad":
        raise RuntimeError
    return text.upper()


def halve(numbers: pl.Series) -> pl.Series:
    return numbers / 2


def fail(*_: Any) -> Any:
    raise RuntimeError


def twice(number: int, text: str) -> int:
    return number * 2 if text else -1


def twice_vectorized(numbers: pl.Series, texts: pl.Series) -> pl.Series:
    assert numbers.null_count() == texts.null_count() == 0
    return pl.select(pl.when(texts != "").then(numbers * 2).otherwise(-1)).to_series()  # type: ignore[call-overload]


TWICE = Function("twice(int, string) -> int", twice)
TWICE_VECTORIZED = Function("twice_vectorized(int, string) -> int", twice, twice_vectorized)
BROKEN = Function("broken(int) -> int", fail, fail)
ENVIRONMENT = Environment({**INPUTS, **TRAITS}, [TWICE, TWICE_VECTORIZED, BROKEN])


def rule(name: str, expression: str) -> Computed:
    return Computed(name, ENVIRONMENT.check(expression))


STEPS = [
    rule("d.band", 'age < 18 ? "child" : age < 65 ? "adult" : "senior"'),
    Coded("d.code", "string", ["city"], shout),
    Coded("d.half", "double", ["age"], lambda age: age / 2, halve),
    rule("segments.adult", 'd.band == "adult"'),
    rule("segments.loud", 'd.code == "BERLIN" && !segments.adult'),
    rule("segments.half", "d.half > 10.0 || segments.adult"),
    rule("segments.known", "known(d.band) || known(city)"),
]
OUTPUTS = ["segments.adult", "segments.loud", "segments.half", "segments.known"]
ORIGINS = {"d.band": frozenset({"age"}), "segments.adult": frozenset({"age"})}
ROWS: list[dict[str, Any]] = [
    {"age": 30, "city": "berlin", "seen": NOW, "tags": ("a",)},
    {"age": 70, "city": "berlin", "seen": None, "tags": ()},
    {"age": None, "city": "bad", "seen": None, "tags": None},
    {"age": None, "city": None, "seen": None, "tags": None},
    {"age": 5, "city": None, "seen": NOW, "tags": ("b", "a")},
]


def program(*steps: Any, outputs: list[str] | None = None, inputs: dict[str, Any] = INPUTS) -> PolarsProgram:
    return compile_polars(steps, inputs, outputs or [step.name for step in steps], ORIGINS)


@pytest.fixture(scope="module")
def compiled() -> PolarsProgram:
    return program(*STEPS, outputs=OUTPUTS)


def answers(frame: pl.DataFrame, outputs: list[str] = OUTPUTS) -> list[tuple[Any, ...]]:
    return frame.select(outputs).rows()


def test_traits_and_segments_over_the_rows_of_the_python_program(compiled: PolarsProgram) -> None:
    withheld = [frozenset[str]()] * 3 + [frozenset({"age"})] + [frozenset({"city", "tags"})]
    failures: list[str] = []
    found = answers(compiled(table(ROWS, INPUTS, withheld), now=NOW, failures=failures))
    expected: list[str] = []
    assert found == by_row(STEPS, OUTPUTS, ROWS, INPUTS, withheld, ORIGINS, expected)
    assert failures == expected == ["d.code"]
    assert found[3] == (None, None, None, None)


def test_the_frame_keeps_its_columns_and_rows_in_order(compiled: PolarsProgram) -> None:
    frame = table(edge_rows(5000, 1, INPUTS), INPUTS).with_columns(note=pl.int_range(pl.len()))
    found = compiled(frame, now=NOW)
    assert found.columns == [*frame.columns, *OUTPUTS]
    assert found.select(frame.columns).equals(frame)
    assert found.select(OUTPUTS).dtypes == [pl.Boolean] * 4


@pytest.mark.parametrize("cut", [slice(0, 0), slice(0, 1), slice(2, 3), slice(None)])
def test_a_lazy_or_chunked_or_short_table_has_the_same_answers(compiled: PolarsProgram, cut: slice) -> None:
    frame = table(ROWS, INPUTS)
    expected = answers(compiled(frame, now=NOW))[cut]
    rows = frame[cut]
    assert answers(compiled(rows, now=NOW)) == expected
    assert answers(compiled(rows.lazy(), now=NOW).collect()) == expected
    assert answers(compiled(rows.lazy(), now=NOW).collect(engine="streaming")) == expected
    chunked = pl.concat([rows, rows, rows], rechunk=False)
    assert answers(compiled(chunked, now=NOW)) == expected * 3


def test_many_rows_cross_the_borders_of_chunks() -> None:
    rows = edge_rows(20_000, 3)
    environment = Environment(VARIABLES)
    texts = [
        "s.trim() == r",
        "l.exists(e, e == s)",
        "string(x) < s",
        "a + b > 3",
        't.getHours("Europe/Berlin") > 3',
    ]
    steps = [Computed(f"r{index}", environment.check(text)) for index, text in enumerate(texts)]
    names = [step.name for step in steps]
    frame = table(rows)
    parts = pl.concat([frame[:7000], frame[7000:7001], frame[7001:]], rechunk=False)
    run = compile_polars(steps, VARIABLES, names)
    expected = by_row(steps, names, rows)
    assert answers(run(parts, now=NOW), names) == expected
    assert answers(run(parts.lazy(), now=NOW).collect(engine="streaming"), names) == expected


def test_inputs_without_a_column_and_columns_of_nulls_are_unknown(compiled: PolarsProgram) -> None:
    none = [dict.fromkeys(INPUTS)] * 2
    expected = by_row(STEPS, OUTPUTS, none, INPUTS)
    assert answers(compiled(pl.DataFrame({"id": [1, 2]}), now=NOW)) == expected
    assert answers(compiled(pl.DataFrame({"age": [None, None], "city": [None, None]}), now=NOW)) == expected
    assert answers(compiled(table(none, INPUTS), now=NOW)) == expected


def test_rules_that_read_no_column() -> None:
    run = program(rule("yes", "true"), rule("year", "now.getFullYear()"), rule("error", "1 / 0 > 1"))
    assert (
        answers(run(pl.DataFrame({"id": [1, 2]}), now=NOW), ["yes", "year", "error"])
        == [(True, 2025, None)] * 2
    )
    assert run(pl.DataFrame({"id": []}), now=NOW).height == 0


def test_now_is_that_of_the_call(compiled: PolarsProgram) -> None:
    run = program(rule("recent", 'now - seen < duration("24h")'), Coded("year", "int", ["now"], fail, years))
    frame = pl.DataFrame({"seen": [NOW]})
    for days, expected in [(0, (True, 2025)), (2, (False, 2025)), (-366, (True, 2024))]:
        assert answers(run(frame, now=NOW + dt.timedelta(days)), ["recent", "year"]) == [expected]


def years(moments: pl.Series) -> pl.Series:
    return moments.dt.year().cast(pl.Int64)


def test_bucket_reads_the_subject_key() -> None:
    run = program(rule("share", 'bucket("trial")'))
    keys = ["s-1", None, "ü", "s-2"]
    expected = [None if key is None else bucket("trial", key) for key in keys]
    frame = pl.DataFrame({"key": keys})
    assert run(frame, now=NOW, subject="key")["share"].to_list() == expected
    with pytest.raises(InvalidInput, match="column of strings"):
        run(frame, now=NOW)


def test_functions_of_plugins_scalar_and_vectorized() -> None:
    frame = pl.DataFrame({"age": [1, 2, None, 4], "city": ["a", "", "b", None]})
    texts = ["twice(age, city)", "twice_vectorized(age, city)", "twice_vectorized(2, city)", "twice(3, 'x')"]
    steps = [
        rule(f"r{index}", text) for index, text in enumerate([*texts, "broken(age) == 1 || city == 'a'"])
    ]
    found = program(*steps)(frame, now=NOW)
    expected = [
        (2, 2, 4, 6, True),
        (-1, -1, -1, 6, None),
        (None, None, 4, 6, None),
        (None, None, None, 6, None),
    ]
    assert answers(found, [step.name for step in steps]) == expected


@pytest.mark.parametrize(
    "vectorized",
    [
        fail,
        lambda ages: ages.head(0),
        lambda ages: ages.to_list(),
        lambda ages: ages * float("nan"),
        lambda ages: ages.cast(pl.String) + "x",
    ],
)
def test_a_vectorized_trait_that_misbehaves_is_unknown_and_counted(vectorized: Any) -> None:
    steps = [Coded("d.half", "double", ["age"], fail, vectorized), rule("sure", "d.half > 1.0 || age > 1")]
    failures: list[str] = []
    found = program(*steps)(pl.DataFrame({"age": [1, None, 3]}), now=NOW, failures=failures)
    assert answers(found, ["d.half", "sure"]) == [(None, None), (None, None), (None, True)]
    assert set(failures) == {"d.half"}


def test_code_is_not_called_for_a_table_without_known_values() -> None:
    failures: list[str] = []
    run = program(Coded("d.half", "double", ["age"], fail, fail), Coded("d.code", "string", ["city"], fail))
    for rows in ([], [dict.fromkeys(INPUTS)] * 3):
        found = run(table(rows, INPUTS), now=NOW, failures=failures)
        assert answers(found, ["d.half", "d.code"]) == [(None, None)] * len(rows)
    assert failures == []


def test_a_scalar_trait_runs_once_for_each_distinct_known_input() -> None:
    calls: list[tuple[Any, ...]] = []

    def remember(*args: Any) -> str:
        calls.append(args)
        return "x"

    step = Coded("d.code", "string", ["city", "tags", "seen"], remember)
    frame = table([ROWS[0], ROWS[0], ROWS[1], ROWS[4], ROWS[0]], INPUTS)
    run = PolarsProgram([step], INPUTS, ["d.code"], {})
    assert run(frame, now=NOW)["d.code"].to_list() == ["x", "x", None, None, "x"]
    assert calls == [("berlin", ("a",), 1_740_825_000_000_000)]


def test_a_trait_without_reads_is_one_value() -> None:
    run = program(Coded("d.code", "string", [], lambda: "x"), rule("r", 'd.code == "x"'))
    assert answers(run(pl.DataFrame({"age": [1, 2]}), now=NOW), ["d.code", "r"]) == [("x", True)] * 2


def test_narrow_columns_are_widened_and_others_refused(compiled: PolarsProgram) -> None:
    frame = pl.DataFrame(
        {"age": [30], "city": ["berlin"], "seen": [NOW]},
        schema={"age": pl.UInt8, "city": pl.Categorical, "seen": pl.Datetime("ms", "Europe/Berlin")},
    )
    assert answers(compiled(frame, now=NOW)) == [(True, False, True, True)]
    for name, values in [
        ("age", ["30"]),
        ("age", [30.0]),
        ("city", [1]),
        ("seen", [NOW.replace(tzinfo=None)]),
    ]:
        with pytest.raises(InvalidInput, match=f"^{name}: expected a column of"):
            compiled(pl.DataFrame({name: values}), now=NOW)


def test_a_column_that_a_hidden_step_would_overwrite_is_refused(compiled: PolarsProgram) -> None:
    with pytest.raises(InvalidInput, match=r"d\.band"):
        compiled(table(ROWS, INPUTS).with_columns(pl.lit("x").alias("d.band")), now=NOW)
    again = compiled(compiled(table(ROWS, INPUTS), now=NOW), now=NOW)
    assert again.equals(compiled(table(ROWS, INPUTS), now=NOW))


def test_a_program_travels_by_pickle() -> None:
    steps = [step for step in STEPS if step.name not in ("d.code", "d.half")][:2]
    run = program(*steps)
    copy = pickle.loads(pickle.dumps(run))  # noqa: S301 - our own bytes
    assert copy(table(ROWS, INPUTS), now=NOW).equals(run(table(ROWS, INPUTS), now=NOW))


def test_threads_share_a_program(compiled: PolarsProgram) -> None:
    frame = table(ROWS * 100, INPUTS)
    moments = [NOW + dt.timedelta(index % 6) for index in range(24)]
    expected = compiled(frame, now=NOW)

    def run(now: dt.datetime) -> tuple[bool, list[str]]:
        failures: list[str] = []
        return compiled(frame, now=now, failures=failures).equals(expected), failures

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(run, moments)) == [(True, ["d.code"])] * 24
