"""Column types for SQLAlchemy 2: AttributionType, ModelType, LoggedSignalsType; importing it lets reflection know them.

They travel as text, so any driver of PostgreSQL will do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Text, cast, type_coerce
from sqlalchemy.dialects.postgresql import base
from sqlalchemy.types import UserDefinedType

from .types import Attribution, Model


class _TextFormType(UserDefinedType[Any]):
    """A type of the extension by its text form."""

    cache_ok = True     # asked of each class by itself
    name = ""

    def get_col_spec(self, **_: Any) -> str:
        return f"assay.{self.name}"

    def column_expression(self, colexpr: Any) -> Any:
        return type_coerce(cast(colexpr, Text), self)

    def bind_expression(self, bindvalue: Any) -> Any:
        return cast(bindvalue, self)


class AttributionType(_TextFormType):
    """assay.attribution as an Attribution."""

    cache_ok = True
    name = "attribution"

    def bind_processor(self, dialect: Any) -> Callable[[Any], Any]:
        return lambda value: value.to_text() if isinstance(value, Attribution) else value

    def result_processor(self, dialect: Any, coltype: Any) -> Callable[[Any], Any]:
        return lambda value: Attribution.from_text(value) if isinstance(value, (str, bytes)) else value


class ModelType(_TextFormType):
    """assay.model as a Model."""

    cache_ok = True
    name = "model"

    def bind_processor(self, dialect: Any) -> Callable[[Any], Any]:
        return lambda value: value.text if isinstance(value, Model) else value

    def result_processor(self, dialect: Any, coltype: Any) -> Callable[[Any], Any]:
        return lambda value: Model(value) if isinstance(value, str) else value


class LoggedSignalsType(_TextFormType):
    """assay.logged_signals as text; ask for assay.signals_to_jsonb(signals) to read them."""

    cache_ok = True
    name = "logged_signals"


for _kind in (AttributionType, ModelType, LoggedSignalsType):
    for _schema in ("", "assay."):
        base.ischema_names.setdefault(_schema + _kind.name, _kind)
