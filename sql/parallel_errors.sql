-- Who leads parallel workers raises their errors in the midst of whatever runs: a message that is evaluated then does not
-- take one for a fault of its own.  The leader would wait for a worker that has ended, for ever.
SET client_min_messages = warning;
CREATE SCHEMA par;
SET search_path = par, assay, public;
CREATE TABLE message (id int PRIMARY KEY, body text);
INSERT INTO message SELECT i, 'text ' || i FROM generate_series(1, 2000) i;
ANALYZE message;
-- a worker fails at its first row, soon after it began
CREATE FUNCTION fails_in_worker(int) RETURNS int LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
	IF pg_backend_pid() <> current_setting('par.leader')::int THEN
		RAISE 'a worker fails' USING ERRCODE = 'division_by_zero';
	END IF;
	RETURN $1;
END $$;
CREATE VIEW signals AS SELECT id, body, fails_in_worker(id) AS n FROM message;
SELECT create_policy('par', 'signals', '{id}');
-- each message is evaluated detector by detector, which takes the leader some tenths of a second
SELECT create_detector('par', 'fails', '1 / (id - id) > 0', mode => 'live');
SELECT create_detector('par', 'slow', 'factorial(7000 + id % 2) > n', weight => 1, mode => 'live');
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2;
ALTER TABLE message SET (parallel_workers = 2);
SELECT set_config('par.leader', pg_backend_pid()::text, false) IS NOT NULL AS led;
EXPLAIN (COSTS OFF) SELECT count(*) FROM (SELECT (score('par', s)).score FROM signals s OFFSET 0) t WHERE score > 0;
SET statement_timeout = '60s';
\set VERBOSITY terse
SELECT count(*) FROM (SELECT (score('par', s)).score FROM signals s OFFSET 0) t WHERE score > 0;
SELECT count(*) FROM (SELECT (score('par', s)).score FROM signals s OFFSET 0) t WHERE score > 0;
-- so it is where the leader runs such a query for a message of its own: it fails, and that message has the fault
CREATE FUNCTION nested(int) RETURNS int LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
	IF pg_backend_pid() = current_setting('par.leader')::int THEN
		PERFORM count(*) FROM (SELECT (assay.score('par', s)).score FROM par.signals s OFFSET 0) t WHERE score > 0;
	END IF;
	RETURN $1;
END $$;
CREATE TABLE outer_message AS SELECT * FROM message LIMIT 5;
ALTER TABLE outer_message SET (parallel_workers = 2);
CREATE VIEW outer_signals AS SELECT id, body FROM outer_message;
SELECT create_policy('outer', 'outer_signals', '{id}');
SELECT create_detector('outer', 'nested', 'par.nested(id) < 0', mode => 'live');
-- (before PostgreSQL 17 it is the query's)
DO $$
BEGIN
	PERFORM count(*) FROM (SELECT (score('outer', s)).score FROM outer_signals s OFFSET 0) t WHERE score > 0;
EXCEPTION WHEN division_by_zero THEN
END $$;
SELECT drop_policy('outer', true);
\set VERBOSITY default
RESET statement_timeout;
-- its own faults it takes as such
CREATE OR REPLACE FUNCTION fails_in_worker(int) RETURNS int LANGUAGE sql STABLE PARALLEL SAFE RETURN $1;
SELECT alter_detector('par', 'slow', condition => 'factorial(n % 20) > 0');
SELECT count(*) FROM (SELECT (score('par', s)).score FROM signals s OFFSET 0) t WHERE score > 0;
RESET ALL;
SET client_min_messages = warning;
SELECT assay.drop_policy('par', true);
DROP SCHEMA par CASCADE;
