-- Decisions found by what they rest on: hits() and its index, the view of verdicts by time, jsonb, keys of their own types
SET extra_float_digits = 1;
SET client_min_messages = warning;

-- marks, order of bytes, each name once; only what hit
SELECT n, assay.hits(a), assay.counted_hits(a) FROM (VALUES
	(1, '{"revision": 1, "prior": 0, "margin": 0, "entries": []}'::assay.attribution),
	(2, '{"revision": 1, "prior": 0, "margin": 3, "entries": [{"detector": "z", "kind": "rule", "contribution": 1, "hit": true, "signals": [["a", "1"], ["b", null]]}, {"detector": "a b", "kind": "model", "contribution": 2, "hit": true, "signals": [["f", "0.25", -0.125]]}, {"detector": "no", "kind": "model", "contribution": -2}]}'),
	(3, '{"revision": 1, "prior": 0, "margin": 0, "entries": [{"detector": "s", "kind": "rule", "contribution": 1, "hit": true, "shadow": true}, {"detector": "m", "kind": "rule", "contribution": 1, "hit": true, "muted_by": "x"}, {"detector": "b", "kind": "model", "contribution": 1, "hit": true, "shadow": true, "muted_by": "x"}, {"detector": "x", "kind": "exclusion", "contribution": 0, "hit": true, "forced": "safe"}]}'),
	(4, '{"revision": 1, "prior": 0, "margin": 0, "entries": [{"detector": "f", "kind": "rule", "contribution": 0, "fault": "22012"}, {"detector": "g", "kind": "rule", "contribution": 0, "suspended": true}, {"detector": "signals", "kind": "signals", "contribution": 0, "hit": true, "fault": "42P01"}]}'),
	(5, '{"revision": 1, "prior": 0, "margin": 0, "entries": [{"detector": "é", "kind": "rule", "contribution": 1, "hit": true}, {"detector": "Z", "kind": "rule", "contribution": 1, "hit": true}, {"detector": "", "kind": "rule", "contribution": 1, "hit": true}, {"detector": "Z", "kind": "rule", "contribution": 1, "hit": true}, {"detector": "ZZ", "kind": "rule", "contribution": 1, "hit": true}]}')) v(n, a) ORDER BY n;
SELECT assay.hits(NULL) IS NULL AS strict;
-- names of one length byte and of five, many entries
SELECT n, length((assay.hits(format('{"revision": 1, "prior": 0, "margin": 0, "entries": [{"detector": "%s", "kind": "rule", "contribution": 1, "hit": true}]}', repeat('x', n))::assay.attribution))[1])
FROM (VALUES (254), (255), (70000)) v(n);
SELECT cardinality(h), h[1], h[65535] FROM assay.hits(format('{"revision": 1, "prior": 0, "margin": 0, "entries": [%s]}',
	(SELECT string_agg(format('{"detector": "d%s", "kind": "rule", "contribution": 0, "hit": true}', lpad((i * 7919 % 65535)::text, 5, '0')), ',') FROM generate_series(1, 65535) i))::assay.attribution) h;

-- stored bytes are not trusted
CREATE TYPE raw;
CREATE FUNCTION raw_in(cstring) RETURNS raw LANGUAGE internal IMMUTABLE STRICT AS 'byteain';
CREATE FUNCTION raw_out(raw) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'byteaout';
CREATE TYPE raw (INPUT = raw_in, OUTPUT = raw_out, LIKE = assay.attribution);
CREATE CAST (raw AS assay.attribution) WITHOUT FUNCTION;
CREATE CAST (text AS raw) WITH INOUT;
-- version, flags, entries, revision, padding to the prior and margin; kind, flags, evidence, contribution, name
CREATE FUNCTION made(entries text, body text) RETURNS assay.attribution LANGUAGE sql AS
	$$ SELECT ('\x0100' || entries || replace('01000000 00000000 0000000000000000 0000000000000000', ' ', '') || replace(body, ' ', ''))::raw::assay.attribution $$;
\set VERBOSITY terse
SELECT assay.hits(made('0100', '00 01 00 0000000000000000 01 61'));  -- good: a rule "a" that hit
SELECT assay.hits(made('0000', ''));  -- good: none
SELECT assay.hits(made('0200', '00 01 00 0000000000000000 01 61'));  -- an entry is missing
SELECT assay.hits(made('0000', '00 01 00 0000000000000000 01 61'));  -- one too many
SELECT assay.hits(made('0100', '04 01 00 0000000000000000 01 61'));  -- unknown kind
SELECT assay.hits(made('0100', '00 41 00 0000000000000000 01 61'));  -- unknown flag
SELECT assay.hits(made('0100', '00 01 00 000000000000f07f 01 61'));  -- infinite contribution
SELECT assay.hits(made('0100', '00 01 00 0000000000000000 02 61'));  -- name longer than the value
SELECT assay.hits(made('0100', '00 01 00 0000000000000000 ff ffffffff 61'));  -- by far
SELECT assay.hits(made('0100', '00 01 00 0000000000000000 ff 61'));  -- its length is cut off
SELECT assay.hits(made('0100', '00 01 01 0000000000000000 01 61'));  -- evidence is missing
SELECT assay.hits(made('0100', '00 01 01 0000000000000000 01 61 01 62 02'));  -- neither null nor a value
SELECT assay.hits(made('0100', '00 09 00 0000000000000000 01 61'));  -- muted by whom?
SELECT assay.hits(made('0100', '00 01 00 0000000000000000 01 ff'));  -- not UTF8
SELECT assay.hits(made('0100', '00 01 00 0000000000000000 01 00'));  -- a zero byte
SELECT assay.counted_hits(made('0200', '00 01 00 0000000000000000 01 61'));
SELECT made('0200', '00 01 00 0000000000000000 01 61')::jsonb;
\set VERBOSITY default

-- as jsonb, by an explicit cast only
SELECT a::jsonb->'entries'->0->>'detector' AS detector, a::jsonb = a::text::jsonb AS same
FROM (SELECT '{"revision": 1, "prior": -4, "margin": -3.5, "entries": [{"detector": "é\"\n", "kind": "rule", "contribution": 0.5, "hit": true, "signals": [["a", null], ["b", "x"]]}]}'::assay.attribution AS a) s;
CREATE TEMP TABLE document (j jsonb);
INSERT INTO document VALUES ('{"revision": 1, "prior": 0, "margin": 0, "entries": []}'::assay.attribution);
SELECT made('0100', '00 01 00 000000000000f83f 01 61')::jsonb;

-- ---- a policy with the index, a key of two columns, revisions that differ ----
CREATE SCHEMA "Evi";
SET search_path = "Evi", public;
CREATE TABLE message (tenant varchar(20), "Id" int, n int, PRIMARY KEY (tenant, "Id"));
CREATE VIEW signals AS SELECT tenant, "Id", n FROM message;
SELECT assay.create_policy('evi', 'signals', '{tenant,Id}', index_hits => true);
SELECT assay.create_detector('evi', 'two', 'n % 2 = 0', weight => 3, mode => 'live');
SELECT assay.create_detector('evi', 'three', 'n % 3 = 0', weight => 3, mode => 'live');
SELECT assay.create_detector('evi', 'Five "é"', 'n % 5 = 0', weight => 3);
SELECT assay.exclude('evi', 'seven', 'n % 7 = 0', mutes => '{three}', reason => 'test');
CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('evi');
INSERT INTO message SELECT CASE i % 3 WHEN 0 THEN 'a' ELSE 'b' END, i, i FROM generate_series(1, 400) i;
SELECT assay.alter_policy('evi', prior => -2);
INSERT INTO evi_decision (tenant, "Id", revision, decided_at, verdict, score, attribution)
SELECT s.tenant, s."Id", assay.revision(x.attribution), '2030-01-01'::timestamptz - s."Id" * interval '1 hour', x.verdict, x.score, x.attribution
FROM signals s, assay.score('evi', s) x WHERE n % 4 = 0;
ANALYZE evi_decision;

-- what hit, muted and shadow, and X and not Y: as counted from the signals
SELECT count(*) FILTER (WHERE h @> '{two}') AS two, count(*) FILTER (WHERE h @> '{two}' AND NOT h && '{three,muted:three}') AS two_not_three,
	count(*) FILTER (WHERE assay.counted_hits(attribution) = '{two}') AS only_two, count(*) FILTER (WHERE h = '{two}') AS nothing_else,
	count(*) FILTER (WHERE h @> '{"shadow:Five \"é\""}') AS shadow, count(*) FILTER (WHERE h @> '{muted:three}') AS muted,
	count(*) FILTER (WHERE h @> '{exclusion:seven}') AS excluded, count(*) FILTER (WHERE h = '{}') AS nothing
FROM evi_verdict, assay.hits(attribution) h;
SELECT count(*) FILTER (WHERE n % 2 = 0) AS two, count(*) FILTER (WHERE n % 2 = 0 AND n % 3 <> 0) AS two_not_three,
	count(*) FILTER (WHERE n % 2 = 0 AND (n % 3 <> 0 OR n % 7 = 0)) AS only_two, count(*) FILTER (WHERE n % 2 = 0 AND n % 3 <> 0 AND n % 5 <> 0 AND n % 7 <> 0) AS nothing_else,
	count(*) FILTER (WHERE n % 5 = 0) AS shadow, count(*) FILTER (WHERE n % 3 = 0 AND n % 7 = 0) AS muted,
	count(*) FILTER (WHERE n % 7 = 0) AS excluded, count(*) FILTER (WHERE n % 2 <> 0 AND n % 3 <> 0 AND n % 5 <> 0 AND n % 7 <> 0) AS nothing FROM signals;

-- the view is what DISTINCT ON gives
SELECT count(*) AS messages, count(DISTINCT revision) AS revisions FROM evi_verdict;
WITH latest AS (SELECT DISTINCT ON (tenant, "Id") * FROM evi_decision ORDER BY tenant, "Id", revision DESC)
SELECT count(*) AS differ FROM latest l FULL JOIN evi_verdict v USING (tenant, "Id")
WHERE (l.revision, l.decided_at, l.verdict, l.attribution::text) IS DISTINCT FROM (v.revision, v.decided_at, v.verdict, v.attribution::text);

-- and uses the indexes: by time, by key, by what hit
CREATE FUNCTION scans(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		IF line ~ '(Scan|Sort|Limit)' THEN
			RETURN NEXT trim(leading ' ->' FROM line);
		END IF;
	END LOOP;
END $$;
SET enable_seqscan = off;
SET enable_sort = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SELECT scans($$SELECT verdict FROM evi_verdict ORDER BY decided_at DESC LIMIT 100$$);
SELECT scans($$SELECT verdict FROM evi_verdict WHERE tenant = 'a' AND "Id" = 12$$);
SET enable_indexscan = off;
SELECT scans($$SELECT verdict FROM evi_verdict WHERE decided_at >= '2029-12-25' AND decided_at < '2029-12-26'$$);
SELECT scans($$SELECT verdict FROM evi_decision WHERE assay.hits(attribution) @> '{two}' AND NOT assay.hits(attribution) && '{three}'$$);
SELECT count(*) AS two_not_three FROM evi_verdict WHERE assay.hits(attribution) @> '{two}' AND NOT assay.hits(attribution) && '{three,muted:three}';
RESET enable_seqscan;
RESET enable_sort;
RESET enable_hashjoin;
RESET enable_mergejoin;
RESET enable_indexscan;

-- ---- explain_decision: a key by values of its own types, by text, as an array ----
SELECT count(*) AS steps FROM assay.explain_decision('evi', 'a', '12');
SELECT call, count(DISTINCT r) AS answers FROM (
	SELECT 'text' AS call, string_agg(e::text, ';' ORDER BY e.step) AS r FROM assay.explain_decision('evi', 'a', '12') e UNION ALL
	SELECT 'int', string_agg(e::text, ';' ORDER BY e.step) FROM assay.explain_decision('evi', 'a', 12) e UNION ALL
	SELECT 'varchar', string_agg(e::text, ';' ORDER BY e.step) FROM assay.explain_decision('evi', 'a'::varchar, 12::bigint) e UNION ALL
	SELECT 'column', string_agg(e::text, ';' ORDER BY e.step) FROM message m, assay.explain_decision('evi', m.tenant, m."Id") e WHERE n = 12 UNION ALL
	SELECT 'array', string_agg(e::text, ';' ORDER BY e.step) FROM assay.explain_decision('evi', VARIADIC ARRAY['a', '12']) e UNION ALL
	SELECT 'named', string_agg(e::text, ';' ORDER BY e.step) FROM assay.explain_decision(policy => 'evi', VARIADIC key => ARRAY['a', '12']) e) s
GROUP BY ROLLUP (call) ORDER BY call;
\set VERBOSITY terse
SELECT * FROM assay.explain_decision('evi', 12);
SELECT * FROM assay.explain_decision('evi', 'a', 12, 13);
SELECT * FROM assay.explain_decision('evi', 'a', 9999);
SELECT * FROM assay.explain_decision('evi', 'a', NULL::int);
SELECT * FROM assay.explain_decision('evi', VARIADIC NULL::int[]);
SELECT * FROM assay.explain_decision('evi', VARIADIC '{}'::int[]);
SELECT * FROM assay.explain_decision('evi', 'a', true);
SELECT * FROM assay.explain_decision(NULL, 1);
SELECT * FROM assay.explain_decision('nobody', 1);
\set VERBOSITY default
CREATE TABLE letter (id uuid PRIMARY KEY, n int);
SELECT assay.create_policy('uuids', 'letter', '{id}', index_hits => true);
CREATE TRIGGER decide AFTER INSERT ON letter FOR EACH ROW EXECUTE FUNCTION assay.decide('uuids');
INSERT INTO letter VALUES ('00000000-0000-0000-0000-000000000010', 1);
INSERT INTO letter VALUES ('00000000-0000-0000-0000-00000000000A', 1);
SELECT step, evidence, margin FROM assay.explain_decision('uuids', '00000000-0000-0000-0000-00000000000a'::uuid);
SELECT step, evidence, margin FROM assay.explain_decision('uuids', VARIADIC ARRAY['00000000-0000-0000-0000-00000000000a'::uuid]);

-- the index runs nothing of a user's: the decision is written by the message's own transaction, not one below it, but for the first by the same plans
CREATE FUNCTION written(id uuid) RETURNS text LANGUAGE sql AS
	$$ SELECT CASE WHEN m.xmin = d.xmin THEN 'by the transaction' ELSE 'below it' END FROM letter m JOIN uuids_decision d USING (id) WHERE id = $1 $$;
SELECT written('00000000-0000-0000-0000-00000000000a');
CREATE INDEX ON uuids_decision USING gin (assay.hits(attribution)) WHERE score > 0.5;
INSERT INTO letter VALUES ('00000000-0000-0000-0000-000000000020', 1);
INSERT INTO letter VALUES ('00000000-0000-0000-0000-00000000000b', 1);
SELECT written('00000000-0000-0000-0000-00000000000b');
DROP INDEX uuids_decision_hits_idx1;
INSERT INTO letter VALUES ('00000000-0000-0000-0000-000000000030', 1);
INSERT INTO letter VALUES ('00000000-0000-0000-0000-00000000000c', 1);
SELECT written('00000000-0000-0000-0000-00000000000c');
CREATE FUNCTION hits(a assay.attribution) RETURNS text[] LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN assay.hits(a); END $$;
CREATE INDEX their_hits ON uuids_decision USING gin (hits(attribution));
INSERT INTO letter VALUES ('00000000-0000-0000-0000-000000000040', 1);
INSERT INTO letter VALUES ('00000000-0000-0000-0000-00000000000d', 1);
SELECT written('00000000-0000-0000-0000-00000000000d');

-- ---- keys are equal where their index says so, whatever "=" is in sight ----
CREATE TABLE odd (o assay.outcome PRIMARY KEY, n int);
SELECT assay.create_policy('odd', 'odd', '{o}');
SELECT pg_get_viewdef('odd_verdict') ~ 'OPERATOR\(assay\.=\)' AS by_its_operator;

-- ---- upgrade_policy: what an older version made ----
CREATE ROLE evi_reader;
DROP INDEX evi_decision_decided_at_idx;
CREATE OR REPLACE VIEW evi_verdict AS SELECT DISTINCT ON (tenant, "Id") * FROM evi_decision ORDER BY tenant, "Id", revision DESC;
ALTER VIEW evi_verdict SET (security_barrier);
GRANT SELECT ON evi_verdict TO evi_reader;
CREATE VIEW theirs AS SELECT tenant, verdict FROM evi_verdict;
SELECT assay.upgrade_policy('evi');
SELECT pg_get_viewdef(c.oid) ~ 'DISTINCT' AS old, c.reloptions, has_table_privilege('evi_reader', c.oid, 'SELECT') AS readable,
	obj_description(c.oid, 'pg_class') FROM pg_class c WHERE c.oid = 'evi_verdict'::regclass;
SELECT count(*) FROM theirs;
SELECT indexname FROM pg_indexes WHERE tablename = 'evi_decision' ORDER BY indexname COLLATE "C";
SELECT assay.upgrade_policy('evi');
SELECT count(*) AS indexes FROM pg_indexes WHERE tablename = 'evi_decision';
-- a view of the owner's own stays
DROP VIEW theirs;
DROP VIEW evi_verdict;
CREATE VIEW evi_verdict AS SELECT tenant, "Id", 'mine' AS verdict FROM evi_decision;
SELECT assay.upgrade_policy('evi');
SELECT DISTINCT verdict FROM evi_verdict;
-- ... and its option, where it shows fewer rows or columns, or something else by their names, or says whose rights it takes
SELECT count(*) FROM assay.check('evi') WHERE "check" = 'views';
CREATE FUNCTION told(view text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	DROP VIEW evi_verdict;
	EXECUTE 'CREATE VIEW evi_verdict ' || view;
	RETURN (SELECT string_agg(severity || ' ' || detail, '|') FROM assay.check('evi') WHERE "check" = 'views');
END $$;
SELECT told('AS SELECT DISTINCT ON (tenant, "Id") * FROM evi_decision ORDER BY tenant, "Id", revision DESC');
SELECT told('AS ' || assay_internal.verdict_query(p.decision, p.key, 'd.*')) FROM assay.policy p WHERE policy = 'evi';
SELECT told('WITH (security_invoker = false) AS ' || assay_internal.verdict_query(p.decision, p.key, 'd.*')) FROM assay.policy p WHERE policy = 'evi';
SELECT told('AS ' || assay_internal.verdict_query(p.decision, p.key, 'd.*') || ' AND d.tenant <> session_user') FROM assay.policy p WHERE policy = 'evi';
SELECT told('AS ' || assay_internal.verdict_query(p.decision, p.key, 'd.tenant, d."Id", d.revision, d.verdict')) FROM assay.policy p WHERE policy = 'evi';
SELECT told('AS ' || assay_internal.verdict_query(p.decision, p.key, 'd.tenant, d."Id", d.revision, d.decided_at, NULL::text AS verdict, d.score, d.attribution, d.degraded')) FROM assay.policy p WHERE policy = 'evi';
SELECT told('AS SELECT DISTINCT ON (tenant, "Id") * FROM evi_decision WHERE degraded ORDER BY tenant, "Id", revision DESC');
SELECT told('AS SELECT * FROM (SELECT DISTINCT ON (tenant, "Id") * FROM evi_decision) d ORDER BY tenant, "Id", revision DESC');
SELECT told('AS SELECT DISTINCT ON (tenant, "Id") tenant, "Id", revision, NULL::text AS verdict FROM evi_decision WHERE degraded ORDER BY tenant, "Id", revision DESC');
SELECT assay.upgrade_policy('evi');
SELECT reloptions, pg_get_viewdef(oid) ~ 'NULL::text AS verdict\s+FROM evi_decision\s+WHERE' AS stays FROM pg_class WHERE oid = 'evi_verdict'::regclass;
SELECT told('AS SELECT DISTINCT ON (tenant, "Id") * FROM evi_decision ORDER BY tenant, "Id", revision DESC');
SELECT assay.upgrade_policy('evi');
SELECT reloptions, pg_get_viewdef(oid) ~ 'DISTINCT' AS old FROM pg_class WHERE oid = 'evi_verdict'::regclass;
DROP FUNCTION told(text);
-- an index by time of any form will do
DROP INDEX evi_decision_decided_at_idx;
CREATE INDEX by_time ON evi_decision (decided_at DESC, verdict);
SELECT assay.upgrade_policy('evi');
SELECT count(*) AS indexes FROM pg_indexes WHERE tablename = 'evi_decision';

SELECT assay.create_policy('none', 'letter', '{id}', index_hits => NULL);
DROP TRIGGER decide ON message;
DROP TRIGGER decide ON letter;
DROP VIEW evi_verdict;
SELECT assay.drop_policy(p, true) FROM unnest('{evi,uuids,odd}'::text[]) p;
DROP SCHEMA "Evi" CASCADE;
DROP ROLE evi_reader;
DROP FUNCTION made;
DROP CAST (raw AS assay.attribution);
DROP TYPE raw CASCADE;
