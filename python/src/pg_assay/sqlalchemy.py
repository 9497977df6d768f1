"""Column types for SQLAlchemy 2: AttributionType, ModelType; importing it lets reflection know them.

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

    cache_ok = True
    name = ""

    def get_col_spec(self, **_: Any) -> str:
        return f"assay.{self.name}"

    def column_expression(self, colexpr: Any) -> Any:
        return type_coerce(cast(colexpr, Text), self)

    def bind_expression(self, bindvalue: Any) -> Any:
        return cast(type_coerce(bindvalue, Text), self)


class AttributionType(_TextFormType):
    """assay.attribution as an Attribution."""

    name = "attribution"

    def bind_processor(self, dialect: Any) -> Callable[[Any], Any]:
        return lambda value: value.to_text() if isinstance(value, Attribution) else value

    def result_processor(self, dialect: Any, coltype: Any) -> Callable[[Any], Any]:
        return lambda value: Attribution.from_text(value) if isinstance(value, (str, bytes)) else value


class ModelType(_TextFormType):
    """assay.model as a Model."""

    name = "model"

    def bind_processor(self, dialect: Any) -> Callable[[Any], Any]:
        return lambda value: value.text if isinstance(value, Model) else value

    def result_processor(self, dialect: Any, coltype: Any) -> Callable[[Any], Any]:
        return lambda value: Model(value) if isinstance(value, str) else value


for _kind in (AttributionType, ModelType):
    for _schema in ("", "assay."):
        base.ischema_names.setdefault(_schema + _kind.name, _kind)
