"""attribution and model in psycopg and SQLAlchemy."""

from __future__ import annotations

import psycopg
import pytest

import pg_assay


def test_attribution(inbound):
    plain = dict(inbound.execute("SELECT id, attribution::text FROM inbound_decision").fetchall())
    pg_assay.register(inbound)
    hit = 0
    for key, attribution, document, margin, hits, degraded in inbound.execute(
            "SELECT id, attribution, attribution::jsonb, assay.margin(attribution), assay.counted_hits(attribution),"
            " assay.degraded(attribution) FROM inbound_decision").fetchall():
        assert attribution == pg_assay.Attribution.from_document(document)
        assert attribution.margin == margin and sorted(attribution.hits) == hits and attribution.degraded == degraded
        total = attribution.prior
        for entry in attribution.entries:
            total += entry.contribution if entry.counted else 0
        assert total == margin
        # and back
        assert inbound.execute("SELECT %s::text", (attribution,)).fetchone()[0] == plain[key]
        hit += len(hits)
    assert hit > 0


def test_model(conn):
    pg_assay.register(conn)
    query = "SELECT assay.model_from_linear('{a,b}', '{0.1,2}')"
    model = conn.execute(query).fetchone()[0]
    assert model.features == ["a", "b"]
    same = conn.execute(f"SELECT assay.model_digest(%s) = assay.model_digest(({query}))", (model,))
    assert same.fetchone() == (True,)


def test_no_extension(database):
    with psycopg.connect(dbname="template1") as conn, pytest.raises(LookupError, match="pg_assay"):
        pg_assay.register(conn)


def test_sqlalchemy(inbound, database):
    sa = pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed")
    from sqlalchemy.pool import NullPool

    from pg_assay.sqlalchemy import AttributionType, ModelType

    # the first connection of an engine is rolled back once it has been looked at
    connections = iter([psycopg.connect(dbname=database), inbound])
    engine = sa.create_engine("postgresql+psycopg://", creator=lambda: next(connections), poolclass=NullPool)
    engine.connect().close()
    with engine.connect() as conn:
        table = sa.Table("inbound_decision", sa.MetaData(), autoload_with=conn)
        assert isinstance(table.c.attribution.type, AttributionType)
        row = conn.execute(sa.select(table.c.id, table.c.attribution).order_by(table.c.id).limit(1)).one()
        assert isinstance(row.attribution, pg_assay.Attribution)
        same = sa.select(sa.func.count()).where(sa.cast(table.c.attribution, sa.Text) == sa.cast(
            sa.bindparam("a", row.attribution, AttributionType()), sa.Text), table.c.id == row.id)
        assert conn.execute(same).scalar() == 1

        metadata = sa.MetaData()
        models = sa.Table("kept", metadata, sa.Column("name", sa.Text, primary_key=True),
                          sa.Column("model", ModelType))
        metadata.create_all(conn)
        pg_assay.register(inbound)
        value = inbound.execute("SELECT assay.model_from_linear('{a}', '{1}')").fetchone()[0]
        conn.execute(models.insert(), [{"name": "a", "model": value}, {"name": "b", "model": None}])
        assert conn.execute(sa.select(models.c.model).order_by(models.c.name)).scalars().all() == [value, None]


def test_jsonb_is_no_default(inbound):
    """A connection that is not registered reads text, as before."""
    text = inbound.execute("SELECT attribution FROM inbound_decision LIMIT 1").fetchone()[0]
    assert isinstance(text, str) and pg_assay.Attribution.from_text(text).prior == -4
