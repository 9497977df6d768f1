-- forget() finds what was logged when the view had other types: by the equality
-- of either type, or by the text; and cuts nothing
SET timezone = 'Asia/Kolkata';
SET datestyle = 'SQL, DMY';
SET extra_float_digits = -3;
CREATE SCHEMA forget_types;
SET search_path = forget_types, public;
CREATE EXTENSION citext SCHEMA forget_types;
CREATE TYPE colour AS ENUM ('red', 'green');
CREATE DOMAIN small_numeric AS numeric(10,2) NOT NULL;
CREATE DOMAIN address AS citext CHECK (VALUE LIKE '%@%');
CREATE TYPE pair AS (a int, b text);
CREATE TABLE message (id int PRIMARY KEY);
CREATE VIEW signals AS SELECT id FROM message;
SELECT assay.create_policy('ft', 'forget_types.signals', '{id}', prior => -3, log_signals => true);
CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('ft');
-- log value 'had' of a type, in a message that is gone; then let the view have another type
CREATE FUNCTION would_go(had text, had_type text, view_type text, given text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	n bigint;
BEGIN
	DELETE FROM ft_decision;
	EXECUTE format('DROP VIEW signals; CREATE VIEW signals AS SELECT id, %L::%s AS x FROM message', had, had_type);
	INSERT INTO message VALUES (1);
	DELETE FROM message;
	EXECUTE format('DROP VIEW signals; CREATE VIEW signals AS SELECT id, NULL::%s AS x FROM message', CASE view_type WHEN 'small_numeric' THEN 'numeric' ELSE view_type END);
	SELECT f.rows INTO n FROM assay.forget('ft', jsonb_build_object('x', given)) f WHERE f.what = 'decisions, with their signals';
	RETURN n;
END $$;
SET client_min_messages = error;
SELECT t.*, would_go(had, had_type, view_type, given) FROM (VALUES
	-- the same values
	('7.00', 'numeric(10,2)', 'int', '7'), ('7.00', 'numeric(10,2)', 'text', '7'), ('7', 'int', 'numeric', '7.00'), ('7', 'int', 'text', '7'),
	('7', 'text', 'int', '7'), ('0.1', 'real', 'float8', '0.1'), ('0.1', 'float8', 'numeric', '0.10'), ('7.00', 'small_numeric', 'int', '7'),
	('A@B', 'citext', 'citext', 'a@b'), ('A@B', 'citext', 'text', 'a@b'), ('A@B', 'address', 'text', 'a@b'), ('A@B', 'text', 'citext', 'a@b'), ('A@B', 'text', 'address', 'a@b'),
	('A@B', 'address', 'address', 'a@b'), ('abc', 'char(5)', 'text', 'abc'), ('abc', 'varchar(5)', 'text', 'abc'), ('red', 'colour', 'text', 'red'), ('red', 'colour', 'colour', 'red'),
	('2026-02-03 04:05:06+00', 'timestamptz', 'text', '2026-02-03T04:05:06Z'), ('2026-02-03 04:05:06+00', 'timestamptz', 'timestamp', '2026-02-03 04:05:06'),
	('2026-02-03', 'date', 'timestamptz', '2026-02-03 00:00:00+00'), ('2026-02-03', 'date', 'text', '2026-02-03'),
	('1 mon', 'interval', 'text', '1 month'), ('10.0.0.1', 'inet', 'text', '10.0.0.1/32'), ('t', 'boolean', 'text', 'true'), ('t', 'boolean', 'int', '1'),
	('{A,B}', 'citext[]', 'text[]', '{a,b}'), ('{"a": 1}', 'jsonb', 'text', '{"a":1}'), ('{"a":1}', 'json', 'text', '{"a":1}'), ('(1,x)', 'pair', 'text', '(1,x)'), ('[1,4)', 'int4range', 'text', '[1,3]'),
	-- others
	('7.50', 'numeric(10,2)', 'int', '7'), ('8', 'int', 'numeric', '7.00'), ('7', 'int', 'numeric', '7.4'), ('A@B', 'text', 'text', 'a@b'), ('A@B', 'citext', 'text', 'a@c'),
	('2026-02-03', 'date', 'timestamptz', '2026-02-03 10:00:00+00'), ('green', 'colour', 'text', 'red'), ('f', 'boolean', 'int', '1'),
	(repeat('x', 63), 'name', 'text', repeat('x', 70)), ('a', '"char"', 'text', 'abc'), ('(1,y)', 'pair', 'text', '(1,x)')
	) t(had, had_type, view_type, given);
-- what can't be compared so is told, once a type, and not with what is to be erased
SET client_min_messages = warning;
\set VERBOSITY default
SELECT would_go('7', 'int', 'text', 'somebody@example');
SELECT would_go('(1,x)', 'pair', 'text', '(1,x)');
SELECT would_go('red', 'colour', 'text', 'red');
DROP TYPE colour CASCADE;
SELECT rows FROM assay.forget('ft', '{"x": "red"}') WHERE what ~ '^decisions';
-- the name is another's by now, who has no say in what is read as what
CREATE DOMAIN colour AS text CHECK (1 / 0 > 0);
SELECT rows FROM assay.forget('ft', '{"x": "red"}') WHERE what ~ '^decisions';
DROP DOMAIN colour;
CREATE TYPE colour AS ENUM ('green', 'blue');
SELECT rows FROM assay.forget('ft', '{"x": "green"}') WHERE what ~ '^decisions';
-- many rows of two types: each is told of once, and all that are meant go
CREATE OR REPLACE VIEW signals AS SELECT id, id::text AS x FROM message;
INSERT INTO message SELECT generate_series(1, 100);
DROP VIEW signals;
CREATE VIEW signals AS SELECT id, id::numeric(10,2) AS x FROM message;
INSERT INTO message SELECT generate_series(101, 200);
INSERT INTO message SELECT generate_series(201, 300);
TRUNCATE message;
DROP VIEW signals;
CREATE VIEW signals AS SELECT id, id AS x FROM message;
SELECT rows FROM assay.forget('ft', '{"x": "150"}', dry_run => false) WHERE what ~ '^decisions';
SELECT rows FROM assay.forget('ft', '{"x": "50"}', dry_run => false) WHERE what ~ '^decisions';
SELECT count(*), count(*) FILTER (WHERE id IN (50, 150)) AS gone FROM ft_decision;
-- as a function by itself: nothing is given, or something else each time
SELECT assay_internal.signal_is(NULL, 'x', '1', NULL::int), assay_internal.signal_is(signals, NULL, '1', NULL::int), assay_internal.signal_is(signals, 'x', NULL, NULL::int),
	assay_internal.signal_is(signals, 'y', '1', NULL::int) FROM ft_decision WHERE id = 1;
SELECT count(*) FROM ft_decision WHERE id > 1 AND assay_internal.signal_is(signals, 'x', id::text || '.0', NULL::numeric);
SELECT assay_internal.signal_is(signals, 'x', 'no number', NULL::int) FROM ft_decision WHERE id = 101;
DROP TRIGGER decide ON message;
SELECT assay.drop_policy('ft', true);
SET client_min_messages = error;
DROP SCHEMA forget_types CASCADE;
RESET client_min_messages;
RESET search_path;
RESET extra_float_digits;
RESET datestyle;
RESET timezone;
