"""Rows of a query as a pandas or polars frame, numbers as the server computes with them."""

from __future__ import annotations

from decimal import Decimal
from importlib.util import find_spec
from typing import Any, Literal

from psycopg import Cursor

Kind = Literal["pandas", "polars"]

_BOOL, _INT8, _INT2, _INT4, _FLOAT4, _FLOAT8, _NUMERIC = 16, 20, 21, 23, 700, 701, 1700
_INTEGERS = {_INT2, _INT4, _INT8}


def frame_of(cursor: Cursor[Any], kind: Kind | None = None) -> Any:
    """All rows of a cursor as a frame; kind None takes pandas where it is installed, else polars.

    Integers and booleans with nulls, and numeric, become float64, as a model is given them;
    real stays float32, so that it is not rounded in another way than on the server.
    """
    if cursor.description is None:
        raise ValueError("the query returned no rows to make a frame of")
    kind = kind or ("pandas" if find_spec("pandas") else "polars")
    names = [column.name for column in cursor.description]
    types = [column.type_code for column in cursor.description]
    rows = cursor.fetchall()
    values = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    if len(values) < len(names):
        raise ValueError("the query returned two columns of one name")
    if kind == "pandas":
        return _pandas(values, dict(zip(names, types)))
    if kind == "polars":
        return _polars(values, dict(zip(names, types)))
    raise ValueError(f"frames are pandas or polars, not {kind!r}")


def _number_type(oid: int, values: list[Any]) -> str | None:
    """The type of a column of numbers; None for any other."""
    if oid == _FLOAT4:
        return "float32"
    if oid in (_FLOAT8, _NUMERIC):
        return "float64"
    if oid == _BOOL or oid in _INTEGERS:
        if any(value is None for value in values):
            return "float64"
        return "bool" if oid == _BOOL else "int64"
    return None


def _plain(values: list[Any]) -> list[Any]:
    """Numbers as float, so that decimals and booleans fit beside nulls."""
    return [None if value is None else float(value) for value in values]


def _pandas(values: dict[str, list[Any]], types: dict[str, int]) -> Any:
    import pandas

    data = {}
    for name, column in values.items():
        dtype = _number_type(types[name], column)
        if dtype is None:
            held = [float(v) if isinstance(v, Decimal) else v for v in column]
            data[name] = pandas.Series(held, dtype=None if column and _times(column) else object)
        else:
            numbers = _plain(column) if dtype.startswith("float") else column
            data[name] = pandas.Series(numbers, dtype=dtype)
    return pandas.DataFrame(data, columns=list(values))


def _times(column: list[Any]) -> bool:
    from datetime import date

    return all(v is None or isinstance(v, date) for v in column) and any(v is not None for v in column)


def _polars(values: dict[str, list[Any]], types: dict[str, int]) -> Any:
    import polars

    known = {"float32": polars.Float32, "float64": polars.Float64, "int64": polars.Int64, "bool": polars.Boolean}
    series = []
    for name, column in values.items():
        dtype = _number_type(types[name], column)
        if dtype is None:
            strict = not any(isinstance(v, Decimal) for v in column)
            series.append(polars.Series(name, column, strict=strict))
        else:
            numbers = _plain(column) if dtype.startswith("float") else column
            series.append(polars.Series(name, numbers, dtype=known[dtype]))
    return polars.DataFrame(series)
