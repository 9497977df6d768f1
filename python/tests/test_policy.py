"""Frames, reports, replays and labels of a policy."""

from __future__ import annotations

import warnings
from datetime import datetime, timezone

import numpy as np
import pandas
import psycopg
import pytest
from conftest import ROWS

import pg_assay


def test_training_frame(inbound):
    frame = pg_assay.training_frame(inbound, "inbound")
    assert len(frame) == 300 and list(frame.id) == list(range(1, 301))
    assert pg_assay.signal_names(inbound, "inbound") == ["received_at", "url_count", "age", "ratio", "asks", "subject"]
    assert {name: str(frame[name].dtype) for name in ("url_count", "age", "ratio", "asks", "malicious", "weight")} == {
        "url_count": "int64", "age": "float32", "ratio": "float64", "asks": "bool", "malicious": "bool",
        "weight": "float64"}
    assert (frame.malicious == (frame.asks & (frame.url_count > 3))).all()
    assert (frame.weight == 1).all() and not frame.drawn.any()
    assert frame.age.isna().sum() == sum(i % 7 == 0 for i in range(1, 301))
    whole = pg_assay.training_frame(inbound, "inbound", labelled=False)
    assert len(whole) == ROWS and whole.malicious.isna().sum() == ROWS - 300

    # signals are as they were logged
    inbound.execute("UPDATE message SET url_count = 99")
    assert pg_assay.training_frame(inbound, "inbound").equals(frame)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(pg_assay.training_frame(inbound, "inbound", until="2020-01-01")) == 0


def test_training_frame_of_nothing_logged(inbound):
    inbound.execute("SELECT assay.alter_policy('inbound', log_signals => false)")
    assert len(pg_assay.training_frame(inbound, "inbound")) == 300
    with pytest.warns(UserWarning, match=r"logs no signals: SELECT assay.alter_policy\('inbound'"):
        assert len(pg_assay.training_frame(inbound, "inbound", until="2020-01-01")) == 0


def test_training_frame_as_polars(inbound):
    polars = pytest.importorskip("polars", reason="polars is not installed")
    frame = pg_assay.training_frame(inbound, "inbound", frame="polars")
    assert frame["age"].dtype == polars.Float32 and frame["asks"].dtype == polars.Boolean
    assert frame["url_count"].sum() == pg_assay.training_frame(inbound, "inbound").url_count.sum()


def test_names_that_clash(conn):
    conn.execute("""
        CREATE TABLE mail (a text, b int, score int, weight int, PRIMARY KEY (a, b));
        CREATE VIEW mail_signals AS SELECT * FROM mail;
        SELECT assay.create_policy('Odd "one"', 'mail_signals', '{a,b}', log_signals => true);
        CREATE TRIGGER decide AFTER INSERT ON mail REFERENCING NEW TABLE AS new_messages
        FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('Odd "one"');
        INSERT INTO mail VALUES ('x', 1, 7, 8), ('x', 2, 70, 80)""")
    pg_assay.label(conn, 'Odd "one"', {"b": 2, "a": "x"}, True, "analyst", confidence=0.1, category="bec")
    pg_assay.label(conn, 'Odd "one"', ("x", 1), False, "analyst", labelled_at="2026-01-01", author="me")
    frame = pg_assay.training_frame(conn, 'Odd "one"')
    assert frame.score.tolist() == [7, 70] and frame.weight.tolist() == [8, 80]
    assert frame.weight_.tolist() == [1, 0.1] and frame.category.tolist() == [None, "bec"]
    assert pg_assay.decision(conn, 'Odd "one"', ("x", 2))["verdict"] == "safe"
    assert pg_assay.decision(conn, 'Odd "one"', ("x", 3)) is None
    with pytest.raises(ValueError, match="key"):
        pg_assay.label(conn, 'Odd "one"', "x", True, "analyst")
    with pytest.raises(ValueError, match="key"):
        pg_assay.label(conn, 'Odd "one"', {"a": "x"}, True, "analyst")


def test_keys_of_any_type(conn):
    conn.execute("""
        CREATE TABLE mail (digest bytea, tags text[], seen timestamptz, PRIMARY KEY (digest, tags, seen));
        CREATE VIEW mail_signals AS SELECT *, 1 AS one FROM mail;
        SELECT assay.create_policy('keys', 'mail_signals', '{digest,tags,seen}');
        CREATE TRIGGER decide AFTER INSERT ON mail REFERENCING NEW TABLE AS new_messages
        FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('keys')""")
    key = (b"\x00\xff'", ["a, b", "c"], datetime(2026, 11, 29, 6, tzinfo=timezone.utc))
    conn.execute("INSERT INTO mail VALUES (%s, %s, %s)", key)
    assert pg_assay.decision(conn, "keys", key)["verdict"] == "safe"
    with pytest.raises(ValueError, match="None"):
        pg_assay.decision(conn, "keys", (None, *key[1:]))


def test_names_like_parameters(conn):
    conn.execute("""
        CREATE SCHEMA "%s"; SET search_path = "%s";
        CREATE TABLE mail ("id%" int PRIMARY KEY, "%(since)s" int);
        CREATE VIEW "mail%t" AS SELECT * FROM mail;
        SELECT assay.create_policy('100%b', '"mail%t"', '{id%}', log_signals => true);
        CREATE TRIGGER decide AFTER INSERT ON mail REFERENCING NEW TABLE AS new_messages
        FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('100%b');
        INSERT INTO mail VALUES (1, 7), (2, 70)""")
    pg_assay.label(conn, "100%b", 1, True, "analyst")
    frame = pg_assay.training_frame(conn, "100%b", since="2020-01-01", labelled=False)
    assert frame["id%"].tolist() == [1, 2] and frame["%(since)s"].tolist() == [7, 70]
    assert len(pg_assay.pr_points(conn, "100%b")) == 1
    pg_assay.register(conn)
    model = conn.execute("SELECT assay.model_from_linear('{a}', '{1}')").fetchone()[0]
    for _ in range(2):
        pg_assay.load_model(conn, "m", model, table="%s.m%s")
    assert conn.execute('SELECT count(*) FROM "%s"."m%s"').fetchone() == (1,)


def test_operators_of_others(conn):
    conn.execute("""
        CREATE TABLE mail (id varchar PRIMARY KEY, n int); CREATE VIEW mail_signals AS SELECT * FROM mail;
        SELECT assay.create_policy('words', 'mail_signals', '{id}', log_signals => true);
        CREATE TRIGGER decide AFTER INSERT ON mail REFERENCING NEW TABLE AS new_rows
        FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('words');
        INSERT INTO mail SELECT i::text, i FROM generate_series(1, 20) i;
        INSERT INTO words_label (id, malicious, source) SELECT id, n % 2 = 0, 'analyst' FROM mail;
        SELECT assay.review_sample('words', 10, 'score');
        CREATE FUNCTION planted(varchar, varchar) RETURNS boolean LANGUAGE plpgsql AS
        $$ BEGIN RAISE 'runs as %', current_user; END $$;
        CREATE OPERATOR = (FUNCTION = planted, LEFTARG = varchar, RIGHTARG = varchar)""")
    assert len(pg_assay.training_frame(conn, "words")) == 20
    assert len(pg_assay.pr_points(conn, "words")) == 1


def test_review_weights(inbound):
    inbound.execute("SELECT assay.review_sample('inbound', 60, 'score')")
    for review, key in inbound.execute("SELECT review, key[1]::int FROM assay.take_review('inbound', 60)").fetchall():
        if key % 10 == 0:
            inbound.execute("SELECT assay.skip_review('inbound', %s)", (review,))
        else:
            inbound.execute("SELECT assay.label_review('inbound', %s, (SELECT asks AND url_count > 3"
                            " FROM message WHERE id = %s))", (review, key))
    frame = pg_assay.training_frame(inbound, "inbound", sample="review")
    assert frame.drawn.all() and 0 < len(frame) < 60
    # together they stand for all messages of the strata that somebody looked at
    population = inbound.execute("SELECT sum(p) FROM (SELECT max(population) AS p FROM inbound_review"
                                 " GROUP BY stratum HAVING bool_or(outcome = 'labelled')) s").fetchone()[0]
    assert np.isclose(frame.weight.sum(), float(population))
    both = pg_assay.training_frame(inbound, "inbound")
    assert both[both.drawn].weight.tolist() == frame.weight.tolist() and (both[~both.drawn].weight == 1).all()
    estimate = pg_assay.online_report(inbound, "inbound")
    prevalence = estimate[estimate.metric == "prevalence"].estimate.iloc[0]
    assert np.isclose((frame.weight * frame.malicious).sum() / frame.weight.sum(), prevalence)
    # a second draw of the same time does not count messages twice
    inbound.execute("SELECT assay.review_sample('inbound', 20)")
    assert not pg_assay.training_frame(inbound, "inbound").drawn.any()
    assert pg_assay.training_frame(inbound, "inbound", sample="review", round=1).equals(frame)
    with pytest.raises(LookupError, match="round 3"):
        pg_assay.training_frame(inbound, "inbound", round=3)


def test_replay_and_compare(inbound):
    frame = pg_assay.replay(inbound, "inbound")
    assert len(frame) == ROWS and isinstance(frame.attribution[0], pg_assay.Attribution)
    stored = dict(inbound.execute("SELECT id, verdict FROM inbound_decision").fetchall())
    assert {int(key[0]): verdict for key, verdict in zip(frame.key, frame.verdict)} == stored
    inbound.execute("SELECT assay.create_detector('inbound', 'draft', 'url_count > 3 AND asks', weight => 6,"
                    " mode => 'draft')")
    changes = pg_assay.compare(inbound, "inbound", drafts=True, signals="logged").set_index("change").messages
    rows = pg_assay.compare_messages(inbound, "inbound", drafts=True)
    assert changes.sum() == ROWS == len(rows)
    assert (rows.change.value_counts().to_dict().items() <= changes[changes > 0].to_dict().items())
    result = pg_assay.backtest(inbound, "inbound", "url_count > 3 AND asks", weight=6)
    assert result["precision"] == 1 and result["messages"] == ROWS and result["hits"] > 0
    model = inbound.execute("SELECT assay.model_from_linear('{url_count}', '{1}', -3.5)").fetchone()[0]
    assert pg_assay.backtest(inbound, "inbound", model=model)["hits"] == inbound.execute(
        "SELECT count(*) FROM message WHERE url_count > 3").fetchone()[0]


def test_reports(inbound):
    report = pg_assay.report(inbound, "inbound")
    asks = report[report["name"] == "asks"].iloc[0]
    assert asks.hits == inbound.execute("SELECT count(*) FROM message WHERE asks").fetchone()[0]
    with pytest.raises(psycopg.Error, match="drawn for review"):
        pg_assay.report(inbound, "inbound", online=True)


def test_no_such_policy(conn):
    with pytest.raises(LookupError, match='"none" does not exist'):
        pg_assay.training_frame(conn, "none")


def test_a_reader_may_train(inbound):
    inbound.execute("CREATE ROLE assay_test_reader;"
                    "SELECT assay.grant_access('inbound', 'assay_test_reader', 'reader');"
                    "SET LOCAL ROLE assay_test_reader")
    assert len(pg_assay.training_frame(inbound, "inbound")) == 300
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        pg_assay.label(inbound, "inbound", 1, True, "analyst")


def test_a_superuser_runs_nothing_of_a_stranger(inbound):
    """Triggers of a policy's tables, and functions of its views, run as whoever writes and reads them."""
    inbound.execute("CREATE ROLE assay_test_owner; GRANT ALL ON SCHEMA public TO assay_test_owner;"
                    "SELECT assay.alter_policy('inbound', owner => 'assay_test_owner')")
    for call in (lambda: pg_assay.label(inbound, "inbound", 1, True, "analyst"),
                 lambda: pg_assay.training_frame(inbound, "inbound"), lambda: pg_assay.pr_points(inbound, "inbound")):
        with pytest.raises(PermissionError, match="belongs to role 'assay_test_owner'"):
            call()
    assert pg_assay.decision(inbound, "inbound", 1) is not None
    inbound.execute("SET LOCAL ROLE assay_test_owner")
    pg_assay.label(inbound, "inbound", 1, True, "analyst", labelled_at="2026-01-01")
    assert len(pg_assay.training_frame(inbound, "inbound")) == 300


def test_plots(inbound):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    key = inbound.execute("SELECT id FROM message WHERE asks AND url_count > 6 LIMIT 1").fetchone()[0]
    ax = pg_assay.waterfall(inbound, "inbound", key)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["(prior)", "asks", "links"]
    ends = [bar.get_x() + bar.get_width() for bar in ax.patches]
    assert ends == [-4, 1, 3] and ax.get_title().startswith("malicious, score 0.95")
    inbound.execute("SELECT assay.create_detector('inbound', 'm', model => assay.model_from_linear("
                    "'{url_count,ratio}', '{0.25,1}', -1), weight => 2, mode => 'live');"
                    "INSERT INTO message VALUES (9999, now(), 8, 1, 0.5, false, 'x')")
    ax = pg_assay.waterfall(inbound, "inbound", 9999)
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "(prior)", "m: the rest", "m: url_count = 8", "m: ratio = 0.5", "links"]
    assert [bar.get_width() for bar in ax.patches] == [-4, -2, 4, 1, 2]
    assert len(pg_assay.waterfall(inbound, "inbound", 9999, features=False).patches) == 3
    with pytest.raises(LookupError, match="no decision"):
        pg_assay.waterfall(inbound, "inbound", 10000)
    inbound.execute("DELETE FROM message WHERE id = 9999")

    points = pg_assay.pr_points(inbound, "inbound")
    assert points.recall.iloc[-1] == 1 and points.tp.iloc[-1] + points.fp.iloc[-1] == 300
    ax = pg_assay.pr_curve(inbound, "inbound")
    assert list(ax.lines[0].get_xdata()) == list(points.recall)
    assert len(ax.lines) == 3


def test_frame_of_odd_rows(conn):
    cursor = conn.execute("SELECT 1::numeric AS a, NULL::numeric AS b, ARRAY[1] AS c, 'x' AS d, NULL::int AS e,"
                          " 'NaN'::numeric AS f, '2026-01-01'::date AS g, NULL::boolean AS h")
    frame = pg_assay.frame_of(cursor)
    assert [str(t) for t in frame.dtypes] == ["float64", "float64", "object", "object", "float64", "float64",
                                              str(pandas.Series([frame.g[0]]).dtype), "float64"]
    with pytest.raises(ValueError, match="one name"):
        pg_assay.frame_of(conn.execute("SELECT 1 AS a, 2 AS a"))
