-- What everybody may do with the extension's objects: read them, and change
-- what is theirs by views and functions; nobody can lock a table that others
-- need, or run anything as the extension's owner.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE ROLE regress_anybody;

CREATE TEMP VIEW member AS
	SELECT c.oid, c.relkind, c.relacl, c.relowner, c.reloptions
	FROM pg_depend d JOIN pg_extension x ON x.oid = d.refobjid AND x.extname = 'pg_assay' JOIN pg_class c ON c.oid = d.objid
	WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e';

-- tables and sequences: those that are read like a catalogue, no more
SELECT m.oid::regclass AS "table", a.privilege_type FROM member m, aclexplode(m.relacl) a
WHERE m.relkind <> 'v' AND a.grantee = 0 ORDER BY m.oid::regclass::text COLLATE "C", 2;
SELECT a.attrelid::regclass, a.attname FROM member m JOIN pg_attribute a ON a.attrelid = m.oid
WHERE m.relkind <> 'v' AND a.attacl IS NOT NULL;
-- views: what more than reading
SELECT m.oid::regclass AS view, string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type) AS privileges,
	'security_invoker=true' = ANY (m.reloptions) AS invoker
FROM member m, aclexplode(m.relacl) a
WHERE m.relkind = 'v' AND a.grantee = 0 AND a.privilege_type <> 'SELECT'
GROUP BY m.oid, m.reloptions ORDER BY m.oid::regclass::text COLLATE "C";
SELECT a.attrelid::regclass AS view, x.privilege_type, string_agg(a.attname, ', ' ORDER BY a.attname COLLATE "C") AS columns
FROM member m JOIN pg_attribute a ON a.attrelid = m.oid, aclexplode(a.attacl) x
WHERE m.relkind = 'v' AND x.grantee = 0 GROUP BY 1, 2 ORDER BY a.attrelid::regclass::text COLLATE "C", 2;
-- nothing is granted to other roles than the owner of the database, who dumps it
SELECT m.oid::regclass, a.grantee::regrole, a.privilege_type FROM member m, aclexplode(m.relacl) a
WHERE a.grantee NOT IN (0, m.relowner) AND (a.grantee <> 'pg_database_owner'::regrole OR a.privilege_type <> 'SELECT');

-- functions that run as the extension's owner: triggers of its own, which nobody may call or attach
SELECT p.oid::regprocedure AS function, p.prorettype::regtype AS result, has_function_privilege('regress_anybody', p.oid, 'EXECUTE') AS executable,
	p.proconfig
FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
JOIN pg_extension x ON x.oid = d.refobjid AND x.extname = 'pg_assay'
WHERE p.prosecdef ORDER BY p.oid::regprocedure::text COLLATE "C";
-- what the C functions that run as another call in his name
SELECT p.oid::regprocedure AS function FROM pg_proc p
WHERE p.proname IN ('baseline_lock_row', 'baseline_write_row', 'text_model_write_row') AND has_function_privilege('regress_anybody', p.oid, 'EXECUTE');

-- who has locked what after trying: tables, and views by which they are reached
CREATE FUNCTION pg_temp.locks(relation regclass, mode text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
	got text[];
BEGIN
	BEGIN
		EXECUTE format('LOCK TABLE %s IN %s MODE', relation, mode);
		SELECT array_agg(l.relation::regclass ORDER BY l.relation::regclass::text COLLATE "C") INTO got
		FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
		WHERE l.pid = pg_backend_pid() AND l.mode <> 'AccessShareLock' AND c.relnamespace IN ('assay'::regnamespace, 'assay_internal'::regnamespace);
		RAISE EXCEPTION SQLSTATE 'ZZZZZ';
	EXCEPTION WHEN insufficient_privilege OR SQLSTATE 'ZZZZZ' THEN
		RETURN got;
	END;
END $$;
GRANT SELECT ON member TO regress_anybody;
SET ROLE regress_anybody;
SELECT count(*) > 40 AS tried, count(*) FILTER (WHERE pg_temp.locks(oid, mode) IS NOT NULL) AS locked
FROM member, unnest('{SHARE UPDATE EXCLUSIVE,SHARE,SHARE ROW EXCLUSIVE,EXCLUSIVE,ACCESS EXCLUSIVE}'::text[]) mode
WHERE relkind IN ('r', 'v');
RESET ROLE;
-- the test sees a lock where there is one
SELECT pg_temp.locks('assay.dropped_set', 'EXCLUSIVE'), pg_temp.locks('assay_internal.policy', 'SHARE');

-- what is deleted through views
CREATE ROLE regress_keeper;
CREATE SCHEMA keeper AUTHORIZATION regress_keeper;
SET ROLE regress_keeper;
SET search_path = keeper;
CREATE TABLE message (id int PRIMARY KEY, txt text);
CREATE VIEW signals AS SELECT id, txt FROM message;
SELECT assay.create_policy('kept', 'signals', '{id}');
SELECT assay.create_list('kept_list');
INSERT INTO assay.list (set, value) VALUES ('kept_list', 'a'), ('kept_list', 'b');
RESET ROLE;
INSERT INTO assay_internal.fault (policy, revision, sqlstate, message) VALUES ('kept', 1, '22012', 'first'), ('kept', 1, '22012', 'second');
INSERT INTO assay_internal.backfill_run (policy, revision, since, until, at_column, undecided_only, degraded_only, expected, started_by)
VALUES ('kept', 1, '2024-01-01', '2024-01-02', 'at', false, false, 1, 'x');
SET ROLE regress_anybody;
DELETE FROM assay.fault;
DELETE FROM assay.backfill_run;
UPDATE assay_internal.dropped_policy SET policy = NULL;
UPDATE assay.dropped_set SET set = NULL;
DELETE FROM assay.list;
SELECT assay.drop_policy('kept');
SELECT assay.drop_set('kept_list');
RESET ROLE;
-- a reader sees them, and no more
SET ROLE regress_keeper;
SELECT assay.grant_access('kept', 'regress_anybody', 'reader');
RESET ROLE;
SET ROLE regress_anybody;
SELECT message FROM assay.fault ORDER BY fault;
DELETE FROM assay.fault;
DELETE FROM assay.backfill_run;
UPDATE assay_internal.dropped_policy SET policy = NULL;
DELETE FROM assay.policy;
UPDATE assay.policy SET decision = NULL;
SELECT assay.drop_policy('kept');
RESET ROLE;
SET ROLE regress_keeper;
WITH d AS (DELETE FROM assay.fault WHERE message = 'first' RETURNING message) SELECT * FROM d;
WITH d AS (DELETE FROM assay.backfill_run RETURNING policy) SELECT * FROM d;
SELECT message FROM assay.fault;
DELETE FROM assay.list WHERE value = 'a';
SELECT set, value FROM assay.list;
SELECT value, removed_by IS NOT NULL AS removed FROM assay.list_history ORDER BY value;
SELECT assay.drop_set('kept_list');
SELECT assay.drop_policy('kept', drop_tables => true);
RESET ROLE;
SELECT (SELECT count(*) FROM assay_internal.fault WHERE policy = 'kept') AS faults, (SELECT count(*) FROM assay_internal.policy WHERE policy = 'kept') AS policies,
	(SELECT count(*) FROM assay_internal.backfill_run WHERE policy = 'kept') AS runs, (SELECT count(*) FROM assay.list_entry WHERE set = 'kept_list') AS entries;
DROP VIEW member CASCADE;
SET client_min_messages = warning;
DROP SCHEMA keeper CASCADE;
DROP ROLE regress_anybody, regress_keeper;

-- a role's name at its limit, and one beyond, which would be another's cut short
SELECT format('CREATE ROLE %I', repeat('r', 63)) \gexec
SELECT assay_internal.role_of(repeat('r', 63)) = repeat('r', 63)::regrole AS found;
SELECT assay_internal.role_of(repeat('r', 64));
SELECT format('DROP ROLE %I', repeat('r', 63)) \gexec
