"""Calls of the extension's functions by name, and where a policy's tables are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection, Cursor, sql
from psycopg.rows import TupleRow, tuple_row
from psycopg.types.json import Jsonb

Time = datetime | str | None
"""A time as psycopg or PostgreSQL know it; None: no bound."""


Arguments = Sequence[Any] | Mapping[str, Any]


def identifier(*parts: str) -> sql.Identifier:
    """A name in a query for execute(), to which a "%" in it would begin a parameter."""
    return sql.Identifier(*(part.replace("%", "%%") for part in parts))


def execute(conn: Connection[Any], query: sql.SQL | sql.Composed, arguments: Arguments = ()) -> Cursor[TupleRow]:
    """Run a query with rows as tuples, whatever the connection's row factory is."""
    return conn.cursor(row_factory=tuple_row).execute(query, arguments)


def call(conn: Connection[Any], function: str, **arguments: Any) -> Cursor[TupleRow]:
    """SELECT * FROM assay.function(name => value, ...); arguments that are None keep their defaults."""
    given = {name: Jsonb(value) if isinstance(value, Mapping) else value
             for name, value in arguments.items() if value is not None}
    named = sql.SQL(", ").join(sql.SQL("{} => %s").format(sql.Identifier(name)) for name in given)
    query = sql.SQL("SELECT * FROM {}({})").format(sql.Identifier("assay", function), named)
    return execute(conn, query, list(given.values()))


def columns(names: Iterable[str], table: str) -> sql.Composed:
    """table.a, table.b for use in a query."""
    return sql.SQL(", ").join(identifier(table, name) for name in names)


@dataclass(frozen=True)
class Policy:
    """Where a policy's tables and its view are."""

    name: str
    schema: str
    key: list[str]
    signals: sql.Identifier
    signal_names: list[str]
    """columns of the signals view that are not the key"""
    revision: int
    key_operators: list[str]
    stranger: str | None
    """the policy's owner, where that is none and the role a superuser, whom others' triggers and views would run as"""

    def same_key(self, a: str, b: str) -> sql.Composed:
        """Do two tables' rows have the same key?  By the operators of its indexes, whatever the search_path has."""
        return sql.SQL(" AND ").join(
            sql.Composed([identifier(a, name), sql.SQL(f" {operator} ".replace("%", "%%")), identifier(b, name)])
            for name, operator in zip(self.key, self.key_operators, strict=True))

    def table(self, suffix: str) -> sql.Identifier:
        """<policy>_<suffix> in the policy's schema, which a superuser reads and writes as its owner only."""
        if self.stranger is not None:
            raise PermissionError(f"policy {self.name!r} belongs to role {self.stranger!r}, whose triggers and views"
                                  " would run with a superuser's rights: SET ROLE to it first")
        return identifier(self.schema, f"{self.name}_{suffix}")

    def has(self, conn: Connection[Any], suffix: str) -> bool:
        """Is there such a table or view?"""
        query = sql.SQL("SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n"
                        " ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = %s)")
        row = execute(conn, query, (self.schema, f"{self.name}_{suffix}")).fetchone()
        return bool(row and row[0])


def find_policy(conn: Connection[Any], policy: str) -> Policy:
    """Look a policy up; LookupError where there is none that the role may see."""
    row = execute(conn, sql.SQL(
        "SELECT p.key, p.revision, dn.nspname, vn.nspname, v.relname,"
        " ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a"
        "  WHERE a.attrelid = v.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum),"
        " ARRAY(SELECT assay_internal.key_equality(a.atttypid) FROM pg_catalog.unnest(p.key) WITH ORDINALITY k(name, n)"
        "  JOIN pg_catalog.pg_attribute a ON a.attrelid = d.oid AND a.attname = k.name ORDER BY k.n),"
        " (SELECT o.rolname::text FROM pg_catalog.pg_roles o JOIN pg_catalog.pg_roles r ON r.rolname = CURRENT_USER"
        "  WHERE o.oid = d.relowner AND r.rolsuper AND NOT o.rolsuper)"
        " FROM assay.policies p"
        " JOIN pg_catalog.pg_class d ON d.oid = p.decision::pg_catalog.oid"
        " JOIN pg_catalog.pg_namespace dn ON dn.oid = d.relnamespace"
        " LEFT JOIN pg_catalog.pg_class v ON v.oid = pg_catalog.to_regclass(p.signals)::pg_catalog.oid"
        " LEFT JOIN pg_catalog.pg_namespace vn ON vn.oid = v.relnamespace"
        " WHERE p.policy = %s"), (policy,)).fetchone()
    if row is None:
        raise LookupError(f'policy "{policy}" does not exist, or not for this role')
    key, revision, schema, view_schema, view, names, operators, stranger = row
    if view is None:
        raise LookupError(f'the signals view of policy "{policy}" is gone')
    return Policy(policy, schema, key, identifier(view_schema, view),
                  [name for name in names if name not in key], revision, operators, stranger)
