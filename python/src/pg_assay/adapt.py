"""psycopg knows attribution and model: register() once a connection."""

from __future__ import annotations

from typing import Any

from psycopg import Connection
from psycopg.abc import Buffer
from psycopg.adapt import Dumper, Loader
from psycopg.types import TypeInfo

from .types import Attribution, Model


class AttributionLoader(Loader):
    """Text form to Attribution."""

    def load(self, data: Buffer) -> Attribution:
        return Attribution.from_text(bytes(data))


class ModelLoader(Loader):
    """Text form to Model."""

    def load(self, data: Buffer) -> Model:
        return Model(bytes(data).decode())


class _AttributionDumper(Dumper):
    def dump(self, obj: Attribution) -> Buffer:
        return obj.to_text().encode()


class _ModelDumper(Dumper):
    def dump(self, obj: Model) -> Buffer:
        return obj.text.encode()


def register(conn: Connection[Any]) -> None:
    """Have this connection read and write Attribution and Model; LookupError without the extension.

    A cursor with binary=True gives the stored bytes: ask for attribution::jsonb there.
    """
    for name, kind, loader, base in (("attribution", Attribution, AttributionLoader, _AttributionDumper),
                                     ("model", Model, ModelLoader, _ModelDumper)):
        info = TypeInfo.fetch(conn, f"assay.{name}")
        if info is None:
            raise LookupError("extension pg_assay is not in this database")
        info.register(conn)
        dumper = type(base.__name__.strip("_"), (base,), {"oid": info.oid})
        conn.adapters.register_loader(info.oid, loader)
        conn.adapters.register_dumper(kind, dumper)
