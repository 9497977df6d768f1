-- whole rows that a plan takes apart into columns: the same results as of rows
CREATE SCHEMA test_lazy_row;
SET search_path = test_lazy_row;
SET extra_float_digits = 0;
SET max_parallel_workers_per_gather = 0;
-- margin() without the planner's help
DO $$
DECLARE file text := (SELECT probin FROM pg_proc WHERE oid = 'assay.predict(assay.model, record)'::regprocedure);
BEGIN
    EXECUTE format('CREATE FUNCTION plain(assay.model, record) RETURNS double precision AS %L, ''model_margin'' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 300', file);
END $$;
-- Is it the columns that a plan reads?
CREATE FUNCTION by_column(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE plan json;
BEGIN
    EXECUTE 'EXPLAIN (VERBOSE, COSTS OFF, FORMAT json) ' || query INTO plan;
    RETURN plan::text LIKE '%assay_internal.lazy\_row(%';
END $$;
-- Runs a query with margin() and with plain(); its column is x
CREATE FUNCTION same(query text, OUT by_column boolean, OUT "rows" bigint, OUT nulls bigint, OUT differ bigint) LANGUAGE plpgsql AS $$
BEGIN
    by_column := by_column(format(query, 'assay.margin'));
    EXECUTE format('SELECT count(*), count(*) FILTER (WHERE a.x IS NULL), count(*) FILTER (WHERE a.x IS DISTINCT FROM b.x) FROM (SELECT *, row_number() OVER () AS n FROM (%s) s) a FULL JOIN (SELECT *, row_number() OVER () AS n FROM (%s) s) b USING (n)',
        format(query, 'assay.margin'), format(query, 'test_lazy_row.plain')) INTO "rows", nulls, differ;
END $$;

CREATE TABLE m AS SELECT '{"pg_assay_model": 1, "format": "xgboost", "library": "3.2.0",
    "objective": "binary:logistic", "link": "logistic", "link_parameters": [1, 0], "single": true,
    "start": [0.5], "bias": [0], "scale": 1, "divisor": 1, "iterations": 1, "best_iteration": -1,
    "features": [{"name": "size", "kind": "numeric"}, {"name": "Kind", "kind": "text", "categories": {"b": 1, "ä": 0, "12": 2, "": 3}}],
    "trees": [{"output": 0, "nodes": [[0, 10, 0, "<", 1.5, "left"], [1, 6, 1, "in", [0, 2], "right"], [3, 4, -0.25], [4, 2, 0.125], [2, 4, 0.0625]]},
              {"output": 0, "nodes": [[0, 10, 1, "in", [1], "left"], [1, 5, -1], [2, 5, 2]]}]}'::assay.model AS model;
CREATE DOMAIN percent AS integer CHECK (VALUE <= 100);
CREATE TYPE pair AS (one int, two text);
CREATE TABLE t (gone int, id int PRIMARY KEY, "Kind" text, size percent, at timestamptz, both_ pair, list int[],
    twice int GENERATED ALWAYS AS (size * 2) STORED);
INSERT INTO t SELECT 0, i, (ARRAY['b', 'ä', '12', '', 'new', NULL, repeat('long', 5000)])[i % 7 + 1], nullif(i % 4, 3), '2020-01-01Z', (i, repeat('x', i * 100))::pair, ARRAY[i]
FROM generate_series(1, 40) i;
ALTER TABLE t DROP COLUMN gone;
ALTER TABLE t ADD COLUMN later numeric DEFAULT 5.5;
ANALYZE m, t;

EXPLAIN (VERBOSE, COSTS OFF) SELECT assay.predict(model, t) FROM m, t;
SELECT * FROM same('SELECT %s(model, t) AS x FROM m, t ORDER BY id');
-- All verbs
SELECT f, by_column(format('SELECT assay.%I(model, t) FROM m, t', f))
FROM unnest(ARRAY['predict', 'margin', 'predict_vector', 'margin_vector', 'predict_leaf', 'contributions']) f;
SELECT count(*) AS rows, count(DISTINCT assay.predict(model, t)) AS different,
    bool_and(assay.predict(model, t) = (assay.predict_vector(model, t))[1] AND assay.margin(model, t) = (assay.margin_vector(model, t))[1]) AS one_output,
    bool_and(abs(assay.margin(model, t) - (SELECT sum(c) FROM unnest(assay.contributions(model, t)) c)) < 1e-6) AS additive,
    sum((assay.predict_leaf(model, t))[1]) AS leaves
FROM m, t;

-- Aliases don't name columns of a table's row type; those of a subquery do
SELECT * FROM same('SELECT %s(model, s) AS x FROM m, t AS s(a, b, c) ORDER BY a');
SELECT * FROM same('SELECT %s(model, s) AS x FROM m, (SELECT id, size, "Kind" FROM t) AS s(id, size, "Kind") ORDER BY id');
SELECT assay.margin(model, s) FROM m, (SELECT id, size, "Kind" FROM t) AS s(id, size, kind);
SELECT * FROM same('SELECT %s(model, s) AS x FROM m, (SELECT DISTINCT id, size, "Kind" FROM t OFFSET 0) s ORDER BY id');
SELECT * FROM same('WITH s AS MATERIALIZED (SELECT id, size, "Kind" FROM t) SELECT %s(model, s) AS x FROM m, s ORDER BY id');
SELECT * FROM same('SELECT %s(model, s) AS x FROM m, (SELECT id, size, "Kind" FROM t UNION ALL SELECT -id, size + 1, ''b'' FROM t) s ORDER BY id');
SELECT * FROM same('SELECT %s(model, s) AS x FROM m, (t JOIN (SELECT id AS other FROM t) u ON id = other) s ORDER BY id');
SELECT * FROM same('SELECT %s(model, ROW(id, size)) AS x FROM (SELECT assay.model_with_names(model, ''{f2,f1}'') AS model FROM m) m, (SELECT id::text, size FROM t) t ORDER BY id');
SELECT * FROM same('SELECT %s(model, s) AS x FROM m, LATERAL (SELECT id, size, "Kind" FROM t LIMIT 5) s ORDER BY id');
-- Not by column: a row of an outer query, which would be many parameters; a function's row; a set
SELECT * FROM same('SELECT (SELECT %s(model, s) FROM m) AS x FROM t s ORDER BY id');
SELECT * FROM same('SELECT %s(model, s) AS x FROM m, unnest(ARRAY[(1, ''b'')::pair]) u, LATERAL (SELECT u.one AS size, u.two AS "Kind") s');
SELECT * FROM same('SELECT %s(model, s) AS x FROM m, unnest(ARRAY[1, 2], ARRAY[''b'', '''']) s(size, "Kind")');
SELECT * FROM same('SELECT %s(model, ROW(generate_series(1, 3), 1)) AS x FROM (SELECT assay.model_with_names(model, ''{f1,f2}'') AS model FROM m) m');

-- Views: stored as written
CREATE VIEW v AS SELECT t.id, t.size, t."Kind", u.twice, u.id AS other FROM t LEFT JOIN t u ON u.id = t.id + 20;
CREATE VIEW scored AS SELECT v.id, assay.margin(model, v) AS x FROM m, v;
CREATE VIEW deduplicated AS SELECT DISTINCT id, size, "Kind" FROM t;
SELECT pg_get_viewdef('scored'::regclass);
SELECT by_column('SELECT * FROM scored'), (SELECT count(*) FILTER (WHERE s.x = plain(model, v)) FROM m, scored s JOIN v USING (id)) AS same;
SELECT * FROM same('SELECT %s(model, v) AS x FROM m, v ORDER BY id');
SELECT * FROM same('SELECT %s(model, d) AS x FROM m, deduplicated d ORDER BY id');

-- The nullable side of an outer join: no row at all is no prediction
SELECT * FROM same('SELECT %s(model, b) AS x FROM m, t a LEFT JOIN t b ON b.id = a.id + 20 ORDER BY a.id');
SELECT * FROM same('SELECT %s(model, b) AS x FROM m, t b RIGHT JOIN t a ON b.id = a.id + 20 ORDER BY a.id');
SELECT * FROM same('SELECT %s(model, a) AS x FROM m, t b RIGHT JOIN t a ON b.id = a.id + 20 ORDER BY a.id');
SELECT * FROM same('SELECT %s(model, a) AS x FROM m, t a FULL JOIN t b ON b.id = a.id + 20 ORDER BY a.id, b.id');
SELECT * FROM same('SELECT %s(model, b) AS x FROM m, t a LEFT JOIN v b ON b.id = a.id + 20 ORDER BY a.id');
SELECT * FROM same('SELECT %s(model, b) AS x FROM m, t a LEFT JOIN deduplicated b ON b.id = a.id + 20 ORDER BY a.id');
-- (below the join it is by column or not, depending on the version)
SELECT "rows", nulls, differ FROM same('SELECT x FROM t a LEFT JOIN (SELECT %s(model, b) AS x, b.id FROM m, t b) b ON b.id = a.id + 20 ORDER BY a.id');
SELECT "rows", nulls, differ FROM same('SELECT x FROM t a LEFT JOIN LATERAL (SELECT %s(model, b) AS x FROM m, t b WHERE b.id = a.id + 20) b ON true ORDER BY a.id');
SELECT * FROM same('SELECT a.id::float8 AS x FROM t a, m WHERE EXISTS (SELECT FROM t b WHERE b.id = a.id + 20 AND %s(model, b) > 0) ORDER BY a.id');
SELECT "rows", nulls, differ FROM same('SELECT a.id::float8 AS x FROM m CROSS JOIN t a LEFT JOIN t b ON b.id = a.id AND %s(model, b) > 0 WHERE b.id IS NULL ORDER BY a.id');

-- Grouping by the row itself, by something of it, by what is predicted
SELECT * FROM same('SELECT %s((SELECT model FROM m), t) AS x FROM (SELECT id, "Kind", size FROM t) t GROUP BY t ORDER BY t');
SELECT * FROM same('SELECT %s((SELECT model FROM m), t) AS x FROM (SELECT DISTINCT id, "Kind", size FROM t) t GROUP BY ROLLUP(t) ORDER BY t');
SELECT * FROM same('SELECT %s((SELECT model FROM m), t) AS x FROM t GROUP BY t.id ORDER BY t.id');
SELECT * FROM same('SELECT sum(%1$s((SELECT model FROM m), t)) AS x FROM t GROUP BY %1$s((SELECT model FROM m), t) HAVING %1$s((SELECT model FROM m), t) > 0 ORDER BY 1');
SELECT * FROM same('SELECT %1$s((SELECT model FROM m), t) AS x FROM t WHERE %1$s((SELECT model FROM m), t) > 0 GROUP BY ROLLUP(%1$s((SELECT model FROM m), t)) ORDER BY 1');
SELECT * FROM same('SELECT sum(%1$s((SELECT model FROM m), t)) OVER (PARTITION BY t.size ORDER BY %1$s((SELECT model FROM m), t), t) AS x FROM t ORDER BY t, 1');
SELECT * FROM same('SELECT DISTINCT ON (t) %1$s((SELECT model FROM m), t) AS x FROM (SELECT id, "Kind", size FROM t) t ORDER BY t, %1$s((SELECT model FROM m), t)');

-- Inheritance: children with other columns in another order
CREATE TABLE parent (size int, "Kind" text) PARTITION BY LIST ("Kind");
CREATE TABLE child_b PARTITION OF parent FOR VALUES IN ('b', NULL);
CREATE TABLE child (gone int, "Kind" text, size int);
ALTER TABLE child DROP COLUMN gone;
ALTER TABLE parent ATTACH PARTITION child DEFAULT;
INSERT INTO parent SELECT size, "Kind" FROM t;
SELECT * FROM same('SELECT %s(model, parent) AS x FROM m, parent ORDER BY parent');
SELECT * FROM same('WITH s AS MATERIALIZED (SELECT (SELECT model FROM m) AS model) SELECT %s(s.model, parent) AS x FROM s, parent ORDER BY parent');
CREATE TABLE old (LIKE t INCLUDING ALL);
CREATE TABLE younger (extra text) INHERITS (old);
INSERT INTO younger ("Kind", id, size) VALUES ('b', 1, 1), ('', 2, 2);
SELECT * FROM same('SELECT %s(model, old) AS x FROM m, old ORDER BY id');

-- Rows that are being changed
CREATE FUNCTION changed(what text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE f text; results text[];
BEGIN
    FOREACH f IN ARRAY ARRAY['assay.margin', 'test_lazy_row.plain'] LOOP
        BEGIN
            EXECUTE format('WITH c AS (%s) SELECT array_append($1, string_agg(x::text, '','' ORDER BY id)) FROM c', format(what, f)) INTO results USING results;
            RAISE EXCEPTION SQLSTATE 'AAAAA';
        EXCEPTION WHEN SQLSTATE 'AAAAA' THEN NULL;
        END;
    END LOOP;
    RETURN NEXT CASE WHEN results[1] = results[2] THEN 'same ' ELSE 'different ' END || results[1];
END $$;
SELECT changed('UPDATE t SET size = 3 - size FROM m WHERE t.id < 5 RETURNING t.id, %s(model, t) AS x');
SELECT changed('UPDATE t SET size = 1 FROM m WHERE %1$s(model, t) < 0 RETURNING t.id, %1$s(model, t) AS x');
SELECT changed('DELETE FROM t USING m WHERE t.id < 5 RETURNING t.id, %s(model, t) AS x');
SELECT changed('INSERT INTO t (id, size, "Kind") VALUES (100, 1, ''b'') RETURNING id, %s((SELECT model FROM m), t) AS x');
SELECT changed('INSERT INTO t (id, size, "Kind") SELECT 2, 1, ''b'' ON CONFLICT (id) DO UPDATE SET later = %1$s((SELECT model FROM m), excluded)::numeric RETURNING id, later || '' '' || %1$s((SELECT model FROM m), t) AS x');
SELECT changed('UPDATE parent SET size = 2 FROM m WHERE size = 1 RETURNING "Kind" AS id, %s(model, parent) AS x');
CREATE VIEW updatable AS SELECT id, "Kind", size FROM t WHERE id < 10;
SELECT changed('UPDATE updatable SET size = 2 FROM m RETURNING id, %s(model, updatable) AS x');
MERGE INTO t USING (SELECT g AS id, 1 AS size, 'b' AS "Kind", model FROM m, generate_series(39, 41) g) s ON t.id = s.id
    WHEN MATCHED THEN UPDATE SET later = assay.margin(s.model, t)
    WHEN NOT MATCHED THEN INSERT (id, size, "Kind", later) VALUES (s.id, s.size, s."Kind", assay.margin(s.model, s));
SELECT id, later, later::float8 = plain(model, t) AS same FROM m, t WHERE id > 38 ORDER BY id;
DELETE FROM t WHERE id > 40;

-- Errors are those of rows
SELECT assay.margin(model, s) FROM m, (SELECT size FROM t) s;
SELECT assay.margin(model, s) FROM m, (SELECT at AS size, "Kind" FROM t) s;
SELECT assay.margin(model, s) FROM m, (SELECT "Kind" AS size, "Kind" FROM t) s;
-- (which of the two depends on the minor release)
DO $$ BEGIN
    PERFORM assay_internal.lazy_row(NULL, '{a}', 1);
    RAISE 'called from SQL';
EXCEPTION WHEN undefined_function OR feature_not_supported THEN
END $$;

-- A plan that is kept follows the names of a type, also of one that it reads no table of
CREATE TYPE two AS (a int, b int);
SET plan_cache_mode = force_generic_plan;
PREPARE kept(int) AS SELECT assay.margin((SELECT assay.model_from_linear('{a,b}', '{1,10}', 0, 'identity') FROM m), ROW($1, 2)::two) AS x;
EXECUTE kept(1);
ALTER TYPE two RENAME ATTRIBUTE a TO c;
ALTER TYPE two RENAME ATTRIBUTE b TO a;
ALTER TYPE two RENAME ATTRIBUTE c TO b;
EXECUTE kept(1);
DEALLOCATE kept;
RESET plan_cache_mode;
DROP TYPE two;

-- Volatile columns are evaluated once
CREATE SEQUENCE numbers;
SELECT count(assay.margin(model, s)) FROM m, (SELECT nextval('numbers') AS size, "Kind" FROM t) s;
SELECT nextval('numbers');

-- Rights: reading a row wants all of its columns; row-level security stays; a view needs no more than before
CREATE ROLE regress_lazy_row;
GRANT USAGE ON SCHEMA test_lazy_row TO regress_lazy_row;
GRANT SELECT ON m, scored TO regress_lazy_row;
GRANT SELECT (size, "Kind") ON t TO regress_lazy_row;
SET ROLE regress_lazy_row;
SELECT count(assay.margin(model, t)) FROM m, t;
SELECT count(assay.margin(model, s)) FROM m, (SELECT size, "Kind" FROM t) s;
RESET ROLE;
GRANT SELECT ON t TO regress_lazy_row;
CREATE POLICY few ON t FOR SELECT TO regress_lazy_row USING (id <= 7);
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
SET ROLE regress_lazy_row;
SELECT * FROM same('SELECT %s(model, t) AS x FROM m, t ORDER BY id');
RESET ROLE;
ALTER TABLE t DISABLE ROW LEVEL SECURITY;
BEGIN;
REVOKE USAGE ON SCHEMA assay FROM PUBLIC;
SET LOCAL ROLE regress_lazy_row;
SELECT by_column('SELECT * FROM scored'), (SELECT count(x) FROM scored);
RESET ROLE;
REVOKE EXECUTE ON FUNCTION assay_internal.lazy_row FROM PUBLIC;
SET LOCAL ROLE regress_lazy_row;
SELECT by_column('SELECT * FROM scored'), (SELECT count(x) FROM scored);
ROLLBACK;
DROP OWNED BY regress_lazy_row;
DROP ROLE regress_lazy_row;

-- Plans that are kept follow the table
CREATE TABLE kept AS SELECT id, twice, size, "Kind" FROM t;
PREPARE q AS SELECT sum(assay.margin(model, s)) FROM m, kept s WHERE id < 8;
SET plan_cache_mode = force_generic_plan;
EXECUTE q;
ALTER TABLE kept ADD COLUMN later text DEFAULT 'x';
EXECUTE q;
ALTER TABLE kept DROP COLUMN twice;
ALTER TABLE kept ALTER COLUMN size TYPE real;
EXECUTE q;
ALTER TABLE kept RENAME COLUMN size TO other;
EXECUTE q;
ALTER TABLE kept RENAME COLUMN other TO size;
UPDATE kept SET size = 2 WHERE id = 1;
EXECUTE q;
RESET plan_cache_mode;

-- An index on what a constant model predicts is found
CREATE TABLE big AS SELECT i AS id, i AS size, 'b'::text AS "Kind" FROM generate_series(1, 2000) i;
DO $$BEGIN EXECUTE format('CREATE INDEX predicted ON big (assay.margin(%L::assay.model, big))', (SELECT model FROM m)); END$$;
ANALYZE big;
CREATE FUNCTION plan_of(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE plan json;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
    RETURN plan::text LIKE '%predicted%';
END $$;
SELECT plan_of(format('SELECT * FROM big WHERE assay.margin(%L::assay.model, big) = 100', model)) FROM m;

-- A foreign server that knows our functions is not sent columns
SET client_min_messages = warning;
CREATE EXTENSION postgres_fdw;
CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (extensions 'pg_assay');
CREATE USER MAPPING FOR CURRENT_USER SERVER elsewhere;
CREATE FOREIGN TABLE remote (size int, "Kind" text) SERVER elsewhere OPTIONS (schema_name 'test_lazy_row', table_name 't');
CREATE FUNCTION sent(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE plan json;
BEGIN
    EXECUTE 'EXPLAIN (VERBOSE, FORMAT json) ' || query INTO plan;
    RETURN plan -> 0 -> 'Plan' ->> 'Remote SQL';
END $$;
SELECT by_column(query), sent(query) FROM (VALUES ('SELECT size FROM remote WHERE assay.margin((SELECT model FROM m), remote) > 0')) v(query);
DROP EXTENSION postgres_fdw CASCADE;
RESET client_min_messages;

-- Parallel workers
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
SELECT * FROM same('SELECT sum(%s(model, big)) AS x FROM m, big');
SET max_parallel_workers_per_gather = 0;

-- Many columns: in as many calls as it takes, and whole where tuples could become too wide
CREATE FUNCTION wide(n int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE wide_%s AS SELECT 1 AS id, ', n) || (SELECT string_agg(format('nullif(%s, 7)::real AS f%s', i, i), ', ') FROM generate_series(2, n) i);
END $$;
SELECT wide(n) FROM unnest(ARRAY[98, 99, 196, 197, 998, 999]) n;
CREATE TABLE linear AS SELECT n, assay.model_from_linear(ARRAY(SELECT 'f' || i FROM generate_series(2, n) i), ARRAY(SELECT i::float8 FROM generate_series(2, n) i), 0, 'identity') AS model
FROM unnest(ARRAY[98, 99, 196, 197, 998, 999]) n;
SELECT n, s.*, assay.margin(model, w) FROM linear, wide_98 w, same('SELECT %s(model, wide_98) AS x FROM linear, wide_98 WHERE n = 98') s WHERE n = 98;
SELECT n, s.*, assay.margin(model, w) FROM linear, wide_99 w, same('SELECT %s(model, wide_99) AS x FROM linear, wide_99 WHERE n = 99') s WHERE n = 99;
SELECT n, s.*, assay.margin(model, w) FROM linear, wide_196 w, same('SELECT %s(model, wide_196) AS x FROM linear, wide_196 WHERE n = 196') s WHERE n = 196;
SELECT n, s.*, assay.margin(model, w) FROM linear, wide_197 w, same('SELECT %s(model, wide_197) AS x FROM linear, wide_197 WHERE n = 197') s WHERE n = 197;
SELECT n, s.*, assay.margin(model, w) FROM linear, wide_998 w, same('SELECT %s(model, wide_998) AS x FROM linear, wide_998 WHERE n = 998') s WHERE n = 998;
SELECT n, s.*, assay.margin(model, w) FROM linear, wide_999 w, same('SELECT %s(model, wide_999) AS x FROM linear, wide_999 WHERE n = 999') s WHERE n = 999;
-- Another model in each row
SELECT n, assay.margin(model, w) FROM linear, wide_197 w WHERE n IN (99, 196, 197) ORDER BY n;

-- A condition is planned without a query: a model among the signals gives what it gives in one.
CREATE TABLE judged (id int PRIMARY KEY, a float8, b float8);
CREATE VIEW judged_signals AS SELECT s.*, assay.model_from_linear('{a,b}', '{1,2}', -3.5, 'logistic') AS scorer, s AS whole FROM judged s;
SELECT assay.create_policy('judged', 'judged_signals', '{id}', search_path => 'test_lazy_row, assay, pg_catalog, pg_temp');
SELECT assay.create_detector('judged', 'whole', 'predict(scorer, whole) > 0.5', weight => 1, mode => 'live');
CREATE TYPE judged_pair AS (a float8, b float8);
SELECT assay.create_detector('judged', 'row', 'margin(scorer, ROW(a, b)::judged_pair) > 0', weight => 2, mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON judged REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('judged');
INSERT INTO judged VALUES (1, 1, 1), (2, 1, 2), (3, NULL, 3);
SELECT d.id, assay.margin(d.attribution), assay.margin(s.scorer, s.whole) > 0 AS hit FROM judged_decision d JOIN judged_signals s USING (id) ORDER BY id;
SELECT detector, message FROM assay.fault WHERE policy = 'judged';

SET client_min_messages = warning;
DROP TRIGGER decide ON judged;
SELECT assay.drop_policy('judged', true) IS NOT NULL AS dropped;
DROP SCHEMA test_lazy_row CASCADE;
