-- States of aggregates and values whose bytes are wrong: errors, never a crash

SET extra_float_digits = 1;
\set VERBOSITY terse

-- functions of an aggregate's state, called by themselves
SELECT assay_internal.outcome_accum_inverse(NULL, true);
SELECT assay_internal.outcome_accum_inverse(assay.outcome(0, 0), true);
SELECT assay_internal.outcome_accum_inverse(assay.outcome(1, 0), true), assay_internal.outcome_accum_inverse(assay.outcome(1, 0), NULL);
SELECT assay_internal.outcome_accum_moving(NULL, NULL), assay_internal.outcome_moving_final(NULL), assay_internal.outcome_moving_final(assay.outcome(0, 0));
SELECT assay_internal.outcome_combine_inverse(assay.outcome(1, 0), assay.outcome(2, 0));
SELECT assay_internal.activity_accum(NULL, NULL), assay_internal.activity_add(NULL, NULL), assay_internal.activity_final(NULL);
SELECT assay_internal.scored_add(NULL, 0.5, true), assay_internal.scored_add('1:0 0.5/1/0', 0.25, false), assay_internal.scored_combine(NULL, NULL);
SELECT assay_internal.sums_combine('{1,2}', '{1,2,3,4}');
SELECT assay_internal.sums_combine(NULL, '{1,2,3}');
SELECT assay_internal.mean_final('{1}');
SELECT assay_internal.mean_final('{{1,2}}');
SELECT assay_internal.mean_final('{1,NULL}');
SELECT assay_internal.confusion_final('[5:8]={1,2,3,4}');
SELECT assay_internal.log_loss_add('{1}', 0.5, true);

-- a state that a user's aggregate leaves without the final function
CREATE AGGREGATE raw(timestamptz) (SFUNC = assay_internal.activity_accum, STYPE = assay.activity);
CREATE TABLE state AS SELECT raw(t) AS a FROM generate_series(timestamptz '2024-01-01 00:00+00', '2024-01-01 02:00+00', '1 h') t;
SELECT assay.events(a), a FROM state;
SELECT assay.activity_agg(a ORDER BY a) FROM state;
DROP TABLE state;
DROP AGGREGATE raw(timestamptz);

-- bytes that nothing of ours wrote; the functions copy them
CREATE FUNCTION activity_of(bytea) RETURNS assay.activity LANGUAGE internal IMMUTABLE STRICT AS 'byteasend';
CREATE FUNCTION outcome_of(bytea) RETURNS assay.outcome LANGUAGE internal IMMUTABLE STRICT AS 'byteasend';
CREATE FUNCTION scored_of(bytea) RETURNS assay.scored LANGUAGE internal IMMUTABLE STRICT AS 'byteasend';
CREATE FUNCTION attribution_of(bytea) RETURNS assay.attribution LANGUAGE internal IMMUTABLE STRICT AS 'byteasend';
CREATE FUNCTION bytes(assay.activity) RETURNS bytea LANGUAGE internal IMMUTABLE STRICT AS 'byteasend';
CREATE FUNCTION bytes(assay.outcome) RETURNS bytea LANGUAGE internal IMMUTABLE STRICT AS 'byteasend';
CREATE FUNCTION bytes(assay.scored) RETURNS bytea LANGUAGE internal IMMUTABLE STRICT AS 'byteasend';

-- empty; unknown format; 19 times promised, one there; 20; a summary of 8 bytes; seconds of 8 bytes
SELECT activity_of('');
SELECT assay.events(activity_of('\x09010000'));
SELECT assay.events(activity_of('\x021300000000000000000000'));
SELECT assay.first_seen(activity_of(('\x02140000' || repeat('00', 160))::bytea));
SELECT assay.burst(activity_of('\x01000000'), '2024-01-01');
SELECT assay_internal.activity_final(activity_of('\x030d0000'));
SELECT assay_internal.activity_add(activity_of('\x030d0000'), NULL) IS NULL, assay_internal.activity_add(activity_of('\x030d0000'), activity_of('\x030d0000'));
SELECT assay.activity_agg(activity_of('\x030d0000'));
SELECT outcome_of('\x01');
SELECT assay.labels(outcome_of(('\x01000000' || repeat('ff', 16))::bytea));
SELECT assay.outcome_agg(outcome_of('\x01'));
SELECT assay.roc_auc(scored_of('\x01'));
SELECT assay.roc_auc(scored_of('\x01000000ffffff7fffffff7f'));
SELECT assay.scored_agg(scored_of('\x01000000ffffffffffffffff'));

SELECT assay.margin(attribution_of('\x01'));
SELECT assay.ledger(attribution_of('\x01000100000000000000000000000000000000'));
SELECT attribution_of('');

-- Each byte of a good value set to each of a few: it is read, or one of these errors comes
CREATE FUNCTION reads(call text, value bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	found text;
BEGIN
	EXECUTE call INTO found USING value;
	RETURN 'read';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE;
END $$;
-- nothing that takes a pointer can be called: no such function for a NULL, or from 16 on no such value
SELECT p.oid::regprocedure AS function, r FROM pg_proc p, LATERAL (SELECT string_agg('NULL', ', ') AS nulls FROM unnest(p.proargtypes)) a,
	LATERAL reads(format('SELECT %s(%s) IS NULL', p.oid::regproc, nulls), '') r
WHERE p.pronamespace IN ('assay'::regnamespace, 'assay_internal'::regnamespace) AND 'internal'::regtype = ANY (p.proargtypes::oid[]) AND r NOT IN ('42883', '0A000');
-- a superuser may pass another aggregate's state
CREATE AGGREGATE mixed(bigint) (SFUNC = int8_avg_accum, STYPE = internal, FINALFUNC = assay_internal.activity_window_final);
SELECT mixed(1);
DROP AGGREGATE mixed(bigint);
WITH v(type, call, value) AS (VALUES
	('times', 'SELECT activity_of($1)::text || assay.burst(activity_of($1), ''2024-02-01'') || coalesce(assay.activity_agg(activity_of($1))::text, '''') || assay_internal.activity_hash(activity_of($1)) || (activity_of($1) OPERATOR(assay.+) activity_of($1))::text',
		bytes((SELECT assay.activity_agg(t) FROM generate_series(timestamptz '2024-01-01 00:00+00', '2024-01-01 02:00+00', '1 h') t))),
	('summary', 'SELECT activity_of($1)::text || assay.burst(activity_of($1), ''2024-02-01'') || assay.hour_affinity(activity_of($1), ''2024-02-01'') || coalesce(assay.activity_agg(activity_of($1))::text, '''') || (activity_of($1) OPERATOR(assay.+) activity_of($1))::text',
		bytes((SELECT assay.activity_agg(t) FROM generate_series(timestamptz '2024-01-01 00:00+00', '2024-01-02 02:00+00', '1 h') t))),
	('outcome', 'SELECT outcome_of($1)::text || assay.labels(outcome_of($1)) || (outcome_of($1) OPERATOR(assay.+) outcome_of($1))::text', bytes(assay.outcome(3, 4))),
	('scored', 'SELECT scored_of($1)::text || assay.roc_auc(scored_of($1)) || assay.scored_agg(scored_of($1))::text || assay_internal.scored_hash(scored_of($1))', bytes(assay.scored '1:0 0.25/1/0 0.5/0/1 0.75/1/1')))
SELECT v.type, array_agg(DISTINCT r ORDER BY r) FROM v, generate_series(0, length(value) - 1) at, unnest('{0,1,2,3,127,128,255}'::int[]) b,
	LATERAL reads(v.call, set_byte(value, at, b)) r GROUP BY 1 ORDER BY 1;

-- weights
SELECT assay.roc_auc(s, l, w) FROM (VALUES (0.1, false, 1e-100), (0.2, true, 1e-100), (0.3, false, 1e-100), (0.4, true, 1e-100)) v(s, l, w);
SELECT assay.roc_auc(s, l, w) FROM (VALUES (0.1, false, 1e100), (0.2, true, 1e100), (0.3, false, 1e100), (0.4, true, 1e100)) v(s, l, w);
SELECT assay.roc_auc(0.5, true, 1e-101);
SELECT assay.roc_auc(0.5, true, 1.1e100);
SELECT assay.scored_agg(0.5, true, 1e308);
SELECT assay.brier(0.5, true, '1e-320');
SELECT assay.confusion(true, true, 'Infinity');
SELECT assay.log_loss(0.5, true, -1);
SELECT assay.scored '1:0 0.5/1e140/0';
SELECT assay.scored '1:0 0.5/1.1e140/0';
SELECT assay.scored_agg('1:0 0.5/1e140/0'::assay.scored) FROM generate_series(1, 2);
SELECT assay.roc_auc('1:0 0.1/0/1e140 0.2/1e140/0'::assay.scored);
-- a row without weight is left out, whatever its score
SELECT assay.log_loss(s, true, w), assay.brier(s, true, w), assay.roc_auc(s, true, w), assay.average_precision(s, true, w)
FROM (VALUES (0.5, 1), (7, 0), ('NaN'::float8, 0)) v(s, w);

DROP FUNCTION reads, attribution_of, activity_of, outcome_of, scored_of, bytes(assay.activity), bytes(assay.outcome), bytes(assay.scored);
