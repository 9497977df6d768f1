-- The type attribution: text and binary forms, limits, and what is refused.
SET extra_float_digits = 1;
CREATE TABLE ledger (n int PRIMARY KEY, a assay.attribution);
INSERT INTO ledger VALUES
(1, '{"revision": 0, "prior": -4, "margin": -4, "entries": []}'),
(2, '{"revision": 2147483647, "prior": 0.1, "margin": 1e-300, "degraded": true, "entries": [{"detector": "é\"\\\n", "kind": "rule", "contribution": 0.1, "hit": true, "signals": [["z", "1"], ["a", null], ["b", ""]]}, {"detector": "m", "kind": "model", "contribution": -3.5, "shadow": true, "signals": [["f", "0.25", -0.125], ["g", null, 1e30]]}]}'),
(3, '{"entries": [{"kind": "exclusion", "detector": "x", "contribution": 0, "hit": true, "forced": "safe"}, {"kind": "rule", "detector": "r", "contribution": 2, "hit": true, "muted_by": "x"}, {"kind": "rule", "detector": "q", "contribution": 0, "fault": "22012"}, {"kind": "rule", "detector": "s", "contribution": 0, "suspended": true}, {"kind": "signals", "detector": "v", "contribution": 0, "fault": "42P01"}], "margin": 0, "prior": 0, "revision": 7}');
SELECT n, a FROM ledger ORDER BY n;

-- text round trip: out(in(out(x))) = out(x), bytes alike
SELECT n FROM ledger WHERE a::text::assay.attribution::text <> a::text
	OR pg_column_size(a::text::assay.attribution) <> pg_column_size(a::text::assay.attribution::text::assay.attribution);

-- binary round trip
CREATE TABLE copied (LIKE ledger);
SELECT encode(assay_internal.attribution_send(a), 'hex') FROM ledger WHERE n = 1;
DO $$
DECLARE
	f text := current_setting('data_directory') || '/assay_attribution.bin';
BEGIN
	EXECUTE format('COPY ledger TO %L (FORMAT binary)', f);
	EXECUTE format('COPY copied FROM %L (FORMAT binary)', f);
END $$;
SELECT count(*) FROM copied c JOIN ledger l USING (n) WHERE c.a::text = l.a::text;

-- as rows
SELECT n, l.* FROM ledger, assay.ledger(a) l ORDER BY n, entry;
SELECT n, assay.margin(a), assay.prior(a), assay.revision(a), assay.degraded(a) FROM ledger ORDER BY n;

-- what counts adds up to the margin
SELECT n, abs(sum(l.contribution) FILTER (WHERE l.counted) - assay.margin(a)) < 1e-9 AS additive
FROM (VALUES (1, '{"revision": 1, "prior": -4, "margin": -1.5, "entries": [{"detector": "a", "kind": "rule", "contribution": 2.5, "hit": true}, {"detector": "b", "kind": "rule", "contribution": 9, "hit": true, "shadow": true}]}'::assay.attribution)) v(n, a),
	assay.ledger(a) l GROUP BY n, a::text, assay.margin(a);

-- refused
\set VERBOSITY terse
SELECT ''::assay.attribution;
SELECT '[]'::assay.attribution;
SELECT '{}'::assay.attribution;
SELECT '{"revision": -1, "prior": 0, "margin": 0, "entries": []}'::assay.attribution;
SELECT '{"revision": 1.5, "prior": 0, "margin": 0, "entries": []}'::assay.attribution;
SELECT '{"revision": 1, "prior": "x", "margin": 0, "entries": []}'::assay.attribution;
SELECT '{"revision": 1, "prior": 0, "margin": 0, "entries": {}}'::assay.attribution;
SELECT '{"revision": 1, "prior": 0, "margin": 0, "entries": [1]}'::assay.attribution;
SELECT '{"revision": 1, "prior": 0, "margin": 0, "entries": [{"detector": "a", "kind": "dog", "contribution": 1}]}'::assay.attribution;
SELECT '{"revision": 1, "prior": 0, "margin": 0, "entries": [{"detector": 1, "kind": "rule", "contribution": 1}]}'::assay.attribution;
SELECT '{"revision": 1, "prior": 0, "margin": 0, "entries": [{"detector": "a", "kind": "rule"}]}'::assay.attribution;
SELECT '{"revision": 1, "prior": 0, "margin": 0, "entries": [{"detector": "a", "kind": "rule", "contribution": 1, "hit": 1}]}'::assay.attribution;
SELECT '{"revision": 1, "prior": 0, "margin": 0, "entries": [{"detector": "a", "kind": "rule", "contribution": 1, "signals": {}}]}'::assay.attribution;
SELECT '{"revision": 1, "prior": 0, "margin": 0, "entries": [{"detector": "a", "kind": "model", "contribution": 1, "signals": [["f", "1"]]}]}'::assay.attribution;

-- limits at n and n + 1: evidence of an entry, entries
SELECT jsonb_array_length(l.signals) AS evidence
FROM assay.ledger(format('{"revision": 1, "prior": 0, "margin": 0, "entries": [{"detector": "m", "kind": "model", "contribution": 1, "signals": [%s]}]}',
	(SELECT string_agg('["f", "1", 1]', ',') FROM generate_series(1, 255)))::assay.attribution) l WHERE l.kind = 'model';
SELECT format('{"revision": 1, "prior": 0, "margin": 0, "entries": [{"detector": "m", "kind": "model", "contribution": 1, "signals": [%s]}]}',
	(SELECT string_agg('["f", "1", 1]', ',') FROM generate_series(1, 256)))::assay.attribution;
SELECT count(*) FROM assay.ledger(format('{"revision": 1, "prior": 0, "margin": 0, "entries": [%s]}',
	(SELECT string_agg('{"detector": "a", "kind": "rule", "contribution": 0}', ',') FROM generate_series(1, 65535)))::assay.attribution);
SELECT count(*) FROM assay.ledger(format('{"revision": 1, "prior": 0, "margin": 0, "entries": [%s]}',
	(SELECT string_agg('{"detector": "a", "kind": "rule", "contribution": 0}', ',') FROM generate_series(1, 65536)))::assay.attribution);

-- a long name has a long length
SELECT length(l.detector) FROM assay.ledger(format('{"revision": 1, "prior": 0, "margin": 0, "entries": [{"detector": "%s", "kind": "rule", "contribution": 1}]}',
	repeat('é', 300))::assay.attribution) l WHERE entry = 1;

-- broken binary values, each by one byte of the header or one entry:
-- version 1, flags 0, 1 entry, revision 1, prior 0, margin 0; kind, flags, evidence, contribution, name
CREATE FUNCTION recv(hex text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	f text := current_setting('data_directory') || '/assay_attribution.bin';
	field bytea := decode(hex, 'hex');
	file bytea := '\x5047434f50590aff0d0a00'::bytea || '\x0000000000000000'::bytea || '\x0001'::bytea || int4send(length(field)) || field || '\xffff'::bytea;
	oid oid := lo_from_bytea(0, file);
	result text;
BEGIN
	PERFORM lo_export(oid, f);
	PERFORM lo_unlink(oid);
	CREATE TEMP TABLE received (a assay.attribution) ON COMMIT DROP;
	EXECUTE format('COPY received FROM %L (FORMAT binary)', f);
	SELECT a::text INTO result FROM received;
	DROP TABLE received;
	RETURN result;
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ': ' || SQLERRM;
END $$;
SELECT recv('01000000' || '00000001' || '0000000000000000' || '0000000000000000');  -- no entry: good
SELECT recv('02000000' || '00000001' || '0000000000000000' || '0000000000000000');  -- version 2
SELECT recv('01040000' || '00000001' || '0000000000000000' || '0000000000000000');  -- unknown flag
SELECT recv('01000001' || '00000001' || '0000000000000000' || '0000000000000000');  -- the entry is missing
SELECT recv('01000000' || '80000000' || '0000000000000000' || '0000000000000000');  -- revision < 0
SELECT recv('01000000' || '00000001' || '7ff8000000000000' || '0000000000000000');  -- prior NaN
SELECT recv('01000000' || '00000001' || '0000000000000000' || '7ff0000000000000');  -- margin infinite
SELECT recv('01000001' || '00000001' || '0000000000000000' || '0000000000000000' || '000100' || '3ff0000000000000' || '00000001' || '61');  -- good
SELECT recv('01000001' || '00000001' || '0000000000000000' || '0000000000000000' || '040100' || '3ff0000000000000' || '00000001' || '61');  -- kind 4
SELECT recv('01000001' || '00000001' || '0000000000000000' || '0000000000000000' || '004000' || '3ff0000000000000' || '00000001' || '61');  -- flag 0x40
SELECT recv('01000001' || '00000001' || '0000000000000000' || '0000000000000000' || '000100' || '3ff0000000000000' || '7fffffff' || '61');  -- name of 2 GB
SELECT recv('01000001' || '00000001' || '0000000000000000' || '0000000000000000' || '000100' || '3ff0000000000000' || 'ffffffff' || '61');  -- name of -1 byte
SELECT recv('01000001' || '00000001' || '0000000000000000' || '0000000000000000' || '000100' || '3ff0000000000000' || '00000001' || 'ff');  -- not UTF-8
SELECT recv('01000001' || '00000001' || '0000000000000000' || '0000000000000000' || '0001ff' || '3ff0000000000000' || '00000001' || '61');  -- evidence is missing
SELECT recv('01000000' || '00000001' || '0000000000000000' || '0000000000000000' || '00');  -- a byte too many

-- states behind the entries: count, and each with its kind, state, name
SELECT recv('01020000' || '00000001' || '0000000000000000' || '0000000000000000' || '01' || '00' || '0000000000000007' || '00000001' || '61');  -- good
SELECT recv('01030000' || '00000001' || '0000000000000000' || '0000000000000000' || '02' || '01' || '7fffffffffffffff' || '00000001' || '61' || '02' || '0000000000000000' || '00000001' || '62');  -- degraded, too
SELECT recv('01020000' || '00000001' || '0000000000000000' || '0000000000000000');  -- the count is missing
SELECT recv('01020000' || '00000001' || '0000000000000000' || '0000000000000000' || '00');  -- there are none
SELECT recv('01020000' || '00000001' || '0000000000000000' || '0000000000000000' || '01' || '03' || '0000000000000007' || '00000001' || '61');  -- kind 3
SELECT recv('01020000' || '00000001' || '0000000000000000' || '0000000000000000' || '01' || '00' || 'ffffffffffffffff' || '00000001' || '61');  -- state < 0
SELECT recv('01020000' || '00000001' || '0000000000000000' || '0000000000000000' || '01' || '00' || '0000000000000007' || '00000001' || 'ff');  -- not UTF-8
SELECT recv('01020000' || '00000001' || '0000000000000000' || '0000000000000000' || '02' || '00' || '0000000000000007' || '00000001' || '61');  -- one is missing
SELECT recv('01000000' || '00000001' || '0000000000000000' || '0000000000000000' || '01' || '00' || '0000000000000007' || '00000001' || '61');  -- no flag
CREATE TABLE stated (n int, a assay.attribution);
INSERT INTO stated VALUES (1, '{"revision": 1, "prior": 0, "margin": 0, "entries": [], "states": [["list", "é\"", 0], ["list", "b", 127], ["phrases", "b", 128], ["text_model", "b", 9007199254740993], ["text_model", "c", 9100000000000000000]]}'),
	(2, '{"revision": 1, "prior": 0, "margin": 1, "degraded": true, "states": [["list", "a", 16384]], "entries": [{"detector": "r", "kind": "rule", "contribution": 1, "hit": true, "signals": [["x", "1"]]}]}'),
	(3, '{"revision": 1, "prior": 0, "margin": 0, "entries": [], "states": []}');
SELECT n, a, a::text::assay.attribution::text = a::text AS same FROM stated ORDER BY n;
SELECT n, s.* FROM stated, assay.states(a) s ORDER BY n;
SELECT n, assay.state(a, 'list', 'a') AS list_a, assay.state(a, 'text_model', 'b') AS text_b, assay.state(a, 'list', 'nothing') AS nothing, assay.hits(a), assay.degraded(a) FROM stated ORDER BY n;
SELECT assay.state(a, 'lists', 'a') FROM stated;
SELECT assay.ledger(a) FROM stated WHERE n = 2;
SELECT '{"revision": 1, "prior": 0, "margin": 0, "entries": [], "states": {}}'::assay.attribution;
SELECT '{"revision": 1, "prior": 0, "margin": 0, "entries": [], "states": [1]}'::assay.attribution;
SELECT '{"revision": 1, "prior": 0, "margin": 0, "entries": [], "states": [["list", "a"]]}'::assay.attribution;
SELECT '{"revision": 1, "prior": 0, "margin": 0, "entries": [], "states": [["dog", "a", 1]]}'::assay.attribution;
SELECT '{"revision": 1, "prior": 0, "margin": 0, "entries": [], "states": [["list", 1, 1]]}'::assay.attribution;
SELECT '{"revision": 1, "prior": 0, "margin": 0, "entries": [], "states": [["list", "a", "1"]]}'::assay.attribution;
SELECT '{"revision": 1, "prior": 0, "margin": 0, "entries": [], "states": [["list", "a", -1]]}'::assay.attribution;
SELECT '{"revision": 1, "prior": 0, "margin": 0, "entries": [], "states": [["list", "a", 1e19]]}'::assay.attribution;
-- limits at n and n + 1
SELECT count(*) FROM assay.states(format('{"revision": 1, "prior": 0, "margin": 0, "entries": [], "states": [%s]}', (SELECT string_agg(format('["list", "l%s", 1]', i), ',') FROM generate_series(1, 255) i))::assay.attribution);
SELECT count(*) FROM assay.states(format('{"revision": 1, "prior": 0, "margin": 0, "entries": [], "states": [%s]}', (SELECT string_agg(format('["list", "l%s", 1]', i), ',') FROM generate_series(1, 256) i))::assay.attribution);

DROP TABLE ledger, copied, stated;
DROP FUNCTION recv;
