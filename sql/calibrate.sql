-- weights fitted to ledgers and labels, thresholds to a budget
CREATE SCHEMA calibrate;
SET search_path = calibrate, assay;
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE TABLE message (id int PRIMARY KEY, a boolean, b boolean, c boolean, x real, y real, received_at timestamptz);
CREATE VIEW signals AS SELECT * FROM message;
SELECT create_policy('inbound', 'signals', '{id}', prior => -1, thresholds => '{"suspicious": 0.5, "malicious": 0.9}');
SELECT create_detector('inbound', 'a', 'a', weight => 1, mode => 'live');
SELECT create_detector('inbound', 'b', 'b', weight => 1, mode => 'live');
SELECT create_detector('inbound', 'c', 'c', weight => -1, mode => 'live');
SELECT create_detector('inbound', 'never', 'x > 100', weight => 3, mode => 'live');
SELECT create_detector('inbound', 'watch', 'b', weight => 3, mode => 'shadow');
SELECT create_detector('inbound', 'linear', model => model_from_linear('{x,y}', '{2,-1}', 0.5), weight => 0.5, mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION decide('inbound');
-- every pattern of hits, so often malicious as the true weights say: prior -2, a 3, b 0.5, c -1.5 and the model 1
CREATE TABLE pattern AS SELECT row_number() OVER () AS n, a, b, c, x, y, -2 + 3 * a::int + 0.5 * b::int - 1.5 * c::int + (0.5 + 2 * x - y) AS margin
FROM (VALUES (false), (true)) p(a), (VALUES (false), (true)) q(b), (VALUES (false), (true)) r(c), (VALUES (-1), (0), (1)) s(x), (VALUES (-1), (1)) t(y);
INSERT INTO message SELECT p.n * 1000 + i, a, b, c, x, y, now() FROM pattern p, generate_series(0, 999) i;
INSERT INTO inbound_label (id, malicious, source) SELECT p.n * 1000 + i, i < round(1000 / (1 + exp(-margin))), 'analyst' FROM pattern p, generate_series(0, 999) i;
-- the first half of each pattern was decided before the split, and in random order malicious or not
UPDATE inbound_decision SET decided_at = now() - interval '2 days' WHERE id % 2 = 0;

SELECT count(*), count(*) FILTER (WHERE malicious) FROM inbound_label;
-- with next to no penalty it finds the true weights
SELECT part, name, before, round(after::numeric, 2) AS after, messages, malicious > 0 AS malicious
FROM calibrate('inbound', now() - interval '1 day', l2 => 0.001) WHERE part IN ('prior', 'weight');
-- a great one keeps what is there
SELECT name, before, round(after::numeric, 1) AS after FROM calibrate('inbound', now() - interval '1 day', l2 => 1000000) WHERE part = 'weight';
-- the minimum: the gradient of each weight is zero there
CREATE TABLE fitted AS SELECT * FROM calibrate('inbound', now() - interval '1 day', l2 => 10) WHERE part IN ('prior', 'weight');
WITH w AS (SELECT max(after) FILTER (WHERE part = 'prior') AS prior, max(after) FILTER (WHERE name = 'a') AS a, max(after) FILTER (WHERE name = 'b') AS b,
		max(after) FILTER (WHERE name = 'c') AS c, max(after) FILTER (WHERE name = 'linear') AS m FROM fitted),
	e AS (SELECT m.*, w.prior, w.a AS wa, w.b AS wb, w.c AS wc, w.m AS wm, 0.5 + 2 * x - y AS v,
			1 / (1 + exp(-(w.prior + w.a * m.a::int + w.b * m.b::int + w.c * m.c::int + w.m * (0.5 + 2 * x - y)))) - l.malicious::int AS g
		FROM message m JOIN inbound_label l USING (id), w WHERE id % 2 = 0)
SELECT abs(sum(g)) < 0.1 AS prior, abs(sum(g * a::int) + 10 * (max(wa) - 1)) < 0.1 AS a, abs(sum(g * b::int) + 10 * (max(wb) - 1)) < 0.1 AS b,
	abs(sum(g * c::int) + 10 * (max(wc) + 1)) < 0.1 AS c, abs(sum(g * v) + 10 * (max(wm) - 0.5)) < 0.1 AS m FROM e;
-- what is held back gets better, and is what other functions say of it
SELECT name, after > before AS more, after < before AS less, messages, malicious FROM calibrate('inbound', now() - interval '1 day')
WHERE part = 'held back' AND name IN ('roc_auc', 'average_precision', 'log_loss', 'brier');
SELECT c.before = (SELECT roc_auc(d.score, l.malicious) FROM inbound_verdict d JOIN inbound_label l USING (id) WHERE id % 2 = 1) AS before
FROM calibrate('inbound', now() - interval '1 day') c WHERE c.name = 'roc_auc';
-- a sign stays, or not
UPDATE inbound_label l SET malicious = NOT malicious FROM message m WHERE m.id = l.id AND a AND NOT b AND x = 1;
SELECT name, round(after::numeric, 2) AS after FROM calibrate('inbound', now() - interval '1 day', l2 => 0.001) WHERE part = 'weight' AND name = 'a';
UPDATE inbound_label SET malicious = NOT malicious;
SELECT k, name, after = 0 AS zero, sign(after) = sign(before) AS kept FROM (VALUES (true), (false)) k(k), calibrate('inbound', now() - interval '1 day', keep_signs => k) WHERE part = 'weight' AND name IN ('b', 'c') ORDER BY 1, 2;
UPDATE inbound_label SET malicious = NOT malicious;

-- thresholds by a budget
SELECT part, name, before, after > 0 AND after < 1 AS after FROM calibrate('inbound', now() - interval '1 day', since => now() - interval '11 days',
	budget => '{"malicious": {"alerts_per_day": 100}, "suspicious": {"false_positive_rate": 0.2}}') WHERE part = 'threshold';
CREATE TABLE planned AS SELECT (document #>> '{settings,thresholds,malicious}')::float8 AS t, (document #>> '{settings,thresholds,suspicious}')::float8 AS s, document
FROM calibrate('inbound', now() - interval '1 day', since => now() - interval '11 days',
	budget => '{"malicious": {"alerts_per_day": 100}, "suspicious": {"false_positive_rate": 0.2}}') WHERE part = 'document';
-- it is a document for policy_import, and nothing else has changed
SELECT kind, name, attribute FROM planned, policy_import(document) ORDER BY 1, 2, 3;
SELECT max(revision) FROM revision WHERE policy = 'inbound';
SELECT count(*) > 0 AS changed FROM planned, policy_import(document, dry_run => false);
SELECT count(*) <= 1000 AS within FROM planned, replay('inbound', at => NULL) r JOIN message m ON m.id = r.key[1]::int WHERE m.id % 2 = 0 AND r.score >= t;
SELECT count(*) FILTER (WHERE r.score >= s)::float8 / count(*) <= 0.2 AS within FROM planned, replay('inbound', at => NULL) r JOIN message m ON m.id = r.key[1]::int JOIN inbound_label l USING (id)
WHERE m.id % 2 = 0 AND NOT l.malicious;

-- scores that differ behind the sixth digit: the threshold lets in what is to be in, and no other
SELECT assay_internal.short_threshold(0.9999997::real, 0.999999::real), assay_internal.short_threshold(0.1234564::real, 0.1234561::real),
	assay_internal.short_threshold(0.5::real, NULL), assay_internal.short_threshold(0.7512341::real, 0.3::real), assay_internal.short_threshold(NULL, 0.3);
SELECT count(*) FROM (SELECT a::float8 AS a, lag(a) OVER (ORDER BY a)::float8 AS b
	FROM (SELECT DISTINCT (1 / (1 + exp(-i / 60.0)))::real AS a FROM generate_series(-1200, 1200) i) s) s, LATERAL (SELECT assay_internal.short_threshold(a, b) AS t) t
WHERE NOT (t.t <= a AND (b IS NULL OR t.t > b));
SELECT s.min, assay_internal.budget_threshold('malicious', '{"alerts_per_day": 3}', s.s, s.s, 1) AS threshold
FROM (SELECT assay.scored_agg(v.score, v.malicious) AS s, min(v.score) FILTER (WHERE v.score > 0.9999995) AS min
	FROM (SELECT (CASE WHEN i <= 3 THEN 0.9999996 ELSE 0.9999994 END)::real AS score, true AS malicious FROM generate_series(1, 10) i) v) s;

-- labels that are no sample: of ten thousand messages two in a hundred are malicious, of the labels one in five.
-- Of malicious ones a holds for 3 in 5 and b for 3 in 10, of safe ones for 1 in 20 and 1 in 10, labelled or not.
CREATE TABLE mail (id int PRIMARY KEY, a boolean, b boolean, malicious boolean, labelled boolean);
CREATE VIEW mail_signals AS SELECT id, a, b FROM mail;
SELECT create_policy('mail', 'mail_signals', '{id}', prior => -4, thresholds => '{"suspicious": 0.1}');
SELECT create_detector('mail', 'a', 'a', weight => 1, mode => 'live');
SELECT create_detector('mail', 'b', 'b', weight => 1, mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON mail REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION decide('mail');
INSERT INTO mail SELECT i, i % 5 < 3, i / 5 % 10 < 3, true, i < 100 FROM generate_series(0, 199) i;
INSERT INTO mail SELECT 1000 + i, i % 20 = 0, i / 20 % 10 = 0, false, i < 400 FROM generate_series(0, 9799) i;
UPDATE mail_decision SET decided_at = now() - interval '2 days';
-- the same again, held back
INSERT INTO mail SELECT 20000 + id, a, b, malicious, labelled FROM mail;
INSERT INTO mail_label (id, malicious, source) SELECT id, malicious, 'analyst' FROM mail WHERE labelled;
CREATE FUNCTION odds(p float8) RETURNS float8 LANGUAGE sql IMMUTABLE RETURN ln(p / (1 - p));
-- as if the labels were all messages; for the share that there is, told and estimated, moved by its standard error towards that of the labels
SELECT s AS share, part, name, round(after::numeric, 2) AS after, messages, malicious
FROM unnest(ARRAY[0.2, 0.02, NULL]) WITH ORDINALITY u(s, n), calibrate('mail', now() - interval '1 day', l2 => 0.001, share => s) c
WHERE part IN ('prior', 'weight', 'share') ORDER BY n, part, name;
SELECT part, round(before::numeric, 3) AS before, round(after::numeric, 3) AS after FROM calibrate('mail', now() - interval '1 day', l2 => 0.001) WHERE part = 'share';
-- what it says of a message is then as often so: the prior and weights that the true distributions have
SELECT round((odds(0.02) + ln(0.4 / 0.95) + ln(0.7 / 0.9))::numeric, 2) AS prior, round((odds(0.6) - odds(0.05))::numeric, 2) AS a, round((odds(0.3) - odds(0.1))::numeric, 2) AS b;
-- held-back labels are weighed alike: precision and losses are those of all messages
SELECT abs(max(after) FILTER (WHERE name = 'precision from suspicious') - (SELECT sum(malicious::int)::float8 / count(*) FROM mail WHERE id >= 20000 AND a)) < 1e-5 AS precision,
	abs(max(after) FILTER (WHERE name = 'log_loss') - (SELECT avg(ln(1 + exp(CASE WHEN malicious THEN -1 ELSE 1 END * (-5.0083 + 3.3499 * a::int + 1.3499 * b::int)))) FROM mail WHERE id >= 20000)) < 1e-5 AS log_loss
FROM calibrate('mail', now() - interval '1 day', l2 => 0.0001, share => 0.02) WHERE part = 'held back';
-- more labels leave less of an error; all of them, and none
INSERT INTO mail_label (id, malicious, source) SELECT id, malicious, 'more' FROM mail WHERE id < 20000 AND CASE WHEN malicious THEN id < 150 ELSE id < 1000 + 4000 END;
SELECT part, round(before::numeric, 3) AS before, round(after::numeric, 3) AS after FROM calibrate('mail', now() - interval '1 day', l2 => 0.001) WHERE part = 'share';
INSERT INTO mail_label (id, malicious, source) SELECT id, malicious, 'all' FROM mail WHERE id < 20000;
SELECT part, round(before::numeric, 3) AS before, round(after::numeric, 3) AS after FROM calibrate('mail', now() - interval '1 day', l2 => 0.001) WHERE part = 'share';
DELETE FROM mail_label WHERE source IN ('more', 'all');
-- an attack that was labelled whenever it was caught, and nothing else
DELETE FROM mail_label l USING mail m WHERE m.id = l.id AND m.malicious AND NOT m.a;
SELECT part, round(before::numeric, 3) AS before, round(after::numeric, 3) AS after FROM calibrate('mail', now() - interval '1 day') WHERE part = 'share';
-- detectors that tell nothing leave the share of the labels, as it is
SELECT alter_detector('mail', 'a', condition => 'id % 3 = 0'), alter_detector('mail', 'b', condition => 'id % 2 = 0');
SET client_min_messages = error;
CALL backfill('mail', at => NULL);
SET client_min_messages = warning;
UPDATE mail_decision SET decided_at = now() - interval '2 days' WHERE id < 20000;
SELECT part, round(before::numeric, 3) AS before, after BETWEEN 0.1 AND before + 1e-9 AS after FROM calibrate('mail', now() - interval '1 day', l2 => 0.001) WHERE part = 'share';
-- a prior above that of any message is bounded: where "quiet" does not hold, nothing is known
SELECT drop_detector('mail', 'a');
SELECT drop_detector('mail', 'b');
SELECT create_detector('mail', 'quiet', 'NOT a', weight => -1, mode => 'live');
SET client_min_messages = error;
CALL backfill('mail', at => NULL);
SET client_min_messages = warning;
UPDATE mail_decision SET decided_at = now() - interval '2 days' WHERE id < 20000;
DELETE FROM mail_label;
INSERT INTO mail_label (id, malicious, source) SELECT id, malicious, 'analyst' FROM mail WHERE labelled;
SELECT bound, round(max(after) FILTER (WHERE part = 'prior')::numeric, 2) AS prior, round(odds(max(after) FILTER (WHERE part = 'share'))::numeric, 2) AS share,
	max(after) FILTER (WHERE part = 'weight') < 0 AS quiet
FROM unnest(ARRAY[true, false]) bound, calibrate('mail', now() - interval '1 day', l2 => 0.001, bound_prior => bound) GROUP BY bound ORDER BY bound;
SELECT calibrate('mail', now() - interval '1 day', share => 0);
SELECT calibrate('mail', now() - interval '1 day', share => 1);
SELECT calibrate('mail', now() - interval '1 day', share => 'NaN');
SELECT calibrate('mail', now() - interval '1 day', bound_prior => NULL);
DROP TRIGGER decide ON mail;
SELECT drop_policy('mail', drop_tables => true);

-- what can't be
SELECT calibrate('nowhere', now());
SELECT calibrate('inbound', NULL);
SELECT calibrate('inbound', 'infinity');
SELECT calibrate('inbound', now() - interval '1 day', l2 => 0);
SELECT calibrate('inbound', now() - interval '1 day', budget => '[]');
SELECT calibrate('inbound', now() - interval '1 day', budget => '{"safe": {"alerts_per_day": 1}}');
SELECT calibrate('inbound', now() - interval '1 day', budget => '{"malicious": {"alerts_per_day": 1}}');
-- a share of false positives needs no number of days
SELECT count(*) FROM calibrate('inbound', now() - interval '1 day', budget => '{"malicious": {"false_positive_rate": 0.01}}') WHERE part = 'threshold';
SELECT calibrate('inbound', now() - interval '1 day', since => now() - interval '3 days', budget => '{"malicious": {"alerts": 1}}');
SELECT calibrate('inbound', now() - interval '1 day', since => now() - interval '3 days', budget => '{"malicious": {"alerts_per_day": "many"}}');
SET client_min_messages = notice;
SELECT count(*) FROM calibrate('inbound', now() - interval '1 day', since => now() - interval '3 days', budget => '{"malicious": {"alerts_per_day": 0}}') WHERE part = 'threshold';
SET client_min_messages = warning;
SELECT calibrate('inbound', now() - interval '10 days');
-- who may not read the labels
CREATE ROLE assay_calibrate;
GRANT USAGE ON SCHEMA calibrate TO assay_calibrate;
SET ROLE assay_calibrate;
SELECT calibrate('inbound', now() - interval '1 day');
RESET ROLE;
SELECT grant_access('inbound', 'assay_calibrate', 'reader');
SET ROLE assay_calibrate;
SELECT count(*) FROM calibrate('inbound', now() - interval '1 day') WHERE part = 'weight';
RESET ROLE;
-- many detectors take memory for their states, not for the square of them
SELECT (SELECT sum(total_bytes) < 64000000 FROM pg_backend_memory_contexts) AS little
FROM assay_internal.fit_weights('inbound', '-infinity', 'infinity', ARRAY(SELECT 'd' || i FROM generate_series(1, 3000) i), array_fill(1, '{3000}'), array_fill(1.0::float8, '{3000}'), 1, 1, true, false) LIMIT 1;
DROP TRIGGER decide ON message;
SELECT drop_policy('inbound', drop_tables => true);
DROP SCHEMA calibrate CASCADE;
DROP ROLE assay_calibrate;
