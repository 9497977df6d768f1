"""A database of its own for the tests, in the server that PGHOST and its like name."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
import psycopg
import pytest

ROWS = 400
NAMES = ["url_count", "age", "ratio"]


def make_database(name: str) -> None:
    """A new database with the extension."""
    with psycopg.connect(dbname="postgres", autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {name}")
    with psycopg.connect(dbname=name) as conn:
        conn.execute("CREATE EXTENSION pg_assay")


@pytest.fixture(scope="session")
def database() -> Iterator[str]:
    """Its name; also PGDATABASE."""
    name = f"pg_assay_{os.getpid()}"
    make_database(name)
    os.environ["PGDATABASE"] = name
    yield name
    with psycopg.connect(dbname="postgres", autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def conn(database: str) -> Iterator[psycopg.Connection]:
    """A connection whose changes are rolled back."""
    with psycopg.connect(dbname=database) as connection:
        yield connection
        if not connection.closed:
            connection.rollback()


@pytest.fixture
def inbound(conn: psycopg.Connection) -> psycopg.Connection:
    """A policy over some hundred messages, of which some are labelled."""
    rng = np.random.default_rng(4711)
    conn.execute("""
        CREATE TABLE message (id bigint PRIMARY KEY, received_at timestamptz NOT NULL, url_count int, age real,
                              ratio numeric, asks boolean, subject text);
        CREATE VIEW message_signals AS SELECT * FROM message;
        SELECT assay.create_policy('inbound', 'message_signals', '{id}', log_signals => true);
        SELECT assay.create_detector('inbound', 'asks', 'asks', weight => 5, mode => 'live', description => 'asks');
        SELECT assay.create_detector('inbound', 'links', 'url_count > 6', weight => 2, mode => 'live');
        SELECT assay.create_detector('inbound', 'old', 'age > 50', weight => -1, mode => 'shadow');
        CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new_messages
        FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('inbound')""")
    rows = [(i, int(rng.integers(0, 10)), None if i % 7 == 0 else float(rng.normal(40, 20)),
             round(float(rng.random()), 6), bool(rng.random() < 0.3), f"mail {i}") for i in range(1, ROWS + 1)]
    with conn.cursor() as cursor:
        cursor.executemany("INSERT INTO message VALUES (%s, '2026-11-01 12:00+00'::timestamptz + %s * interval '1 min',"
                           " %s, %s, %s, %s, %s)",
                           [(i, i, u, a, r, asks, s) for i, u, a, r, asks, s in rows])
    conn.execute("INSERT INTO inbound_label (id, malicious, source) SELECT id, asks AND url_count > 3, 'analyst'"
                 " FROM message WHERE id <= 300")
    return conn


def dataset(seed: int = 1, missing: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Float64 rows, some next to the edges of float32, and labels."""
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.integers(0, 10, ROWS).astype(float), rng.normal(40, 20, ROWS), rng.random(ROWS)])
    y = (x[:, 0] + x[:, 1] / 10 + rng.normal(0, 2, ROWS) > 8).astype(int)
    if missing:
        x[rng.random(x.shape) < 0.1] = np.nan
    return x, y


def served(conn: psycopg.Connection, value: object, x: np.ndarray, verb: str = "predict") -> np.ndarray:
    """What the server says of each row."""
    with conn.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE IF NOT EXISTS given (n int, x float8[]) ON COMMIT DROP")
        cursor.execute("TRUNCATE given")
        with cursor.copy("COPY given FROM STDIN") as copy:
            for n, row in enumerate(x):
                copy.write_row((n, [float(v) for v in row]))
        cursor.execute("CREATE TEMP TABLE IF NOT EXISTS trained (model assay.model) ON COMMIT DROP")
        cursor.execute("TRUNCATE trained")
        cursor.execute("INSERT INTO trained VALUES (%s)", (value,))
        cursor.execute(f"SELECT assay.{verb}(model, x) FROM given, trained ORDER BY n")
        return np.array([row[0] for row in cursor.fetchall()])
