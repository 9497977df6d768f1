-- detectors with a text model: weights, modes, ledgers, replay, documents, rights
SET client_min_messages = warning;
SET extra_float_digits = 0;
\pset format unaligned
\pset tuples_only on
CREATE ROLE td_owner;
CREATE ROLE td_builder;
CREATE ROLE td_teacher;
CREATE SCHEMA td AUTHORIZATION td_owner;
SET ROLE td_owner;
SET search_path = td, public;
CREATE TABLE message (id int PRIMARY KEY, received_at timestamptz NOT NULL, subject text, body text, weird jsonb);
CREATE VIEW signals AS SELECT id, received_at, subject, body, weird,
	jsonb_build_object('subject', subject, 'body', body) AS content FROM message;
SELECT assay.create_policy('words', 'signals', '{id}', prior => -1);

-- a text model that learnt on two days
INSERT INTO message SELECT i, '2024-03-01 00:00Z'::timestamptz + i * interval '1 hour',
	CASE WHEN i % 2 = 0 THEN 'Cheap pills' ELSE 'Minutes of the meeting' END,
	CASE WHEN i % 2 = 0 THEN 'buy viagra now ' ELSE 'please find attached the agenda ' END || i FROM generate_series(1, 40) i;
INSERT INTO words_label (id, malicious, source, labelled_at) SELECT id, id % 2 = 0, 'test', received_at FROM message;
SELECT assay.create_text_model('pills', 'message', $$jsonb_build_object('subject', subject, 'body', body)$$, 'words_label', at => 'received_at');
SELECT assay.learn('pills');
SELECT day, changes, published IS NOT NULL AS ready FROM pills_version ORDER BY day;

-- what is refused
\set VERBOSITY terse
SELECT assay.create_detector('words', 'pills', text_model => 'pills');
SELECT assay.create_detector('words', 'pills', text => 'content');
SELECT assay.create_detector('words', 'pills', 'id = 1', text_model => 'pills', text => 'content');
SELECT assay.create_detector('words', 'pills', text_model => 'nothing', text => 'content');
SELECT assay.create_detector('words', 'pills', text_model => 'pills', text => 'contents');
SELECT assay.create_detector('words', 'pills', text_model => 'pills', text => 'id');
SELECT assay.create_detector('words', 'pills', text_model => 'pills', text => 'random()::text');
SELECT assay.create_detector('words', 'pills', text_model => 'pills', text => '(SELECT body FROM td.message LIMIT 1)');
SELECT assay.create_detector('words', 'pills', text_model => 'pills', text => 'content', weight => 1001);

-- the margin is the model's, times the weight; the ledger holds the top tokens
SELECT assay.create_detector('words', 'pills', text_model => 'pills', text => 'content', weight => 2, mode => 'live', description => 'what the words say');
SELECT assay.create_detector('words', 'plain', text_model => 'pills', text => 'concat(subject, '' '', body)');
-- what their texts read is known
SELECT signal, kind, name, mode FROM assay.signal_uses('words') WHERE name IS NOT NULL;
SELECT detector, mode, weight, kind, text_model, text FROM assay.detectors WHERE policy = 'words' ORDER BY 1;
CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('words');
INSERT INTO message VALUES (101, '2024-03-05 00:00Z', 'Cheap pills', 'buy viagra now'), (102, '2024-03-05 00:00Z', 'Minutes', 'the agenda'), (103, '2024-03-05 00:00Z', NULL, NULL);
SELECT d.id, d.verdict, d.degraded, l.detector, l.kind, l.hit, l.counted,
	round((l.contribution - w.weight * assay.text_margin(assay.text_model_at('pills'), CASE l.detector WHEN 'pills' THEN s.content ELSE jsonb_build_object('body', concat(subject, ' ', body)) END))::numeric, 6) AS off,
	jsonb_array_length(l.signals) AS tokens
FROM words_decision d JOIN signals s USING (id), assay.ledger(d.attribution) l, assay.detectors w WHERE w.policy = 'words' AND w.detector = l.detector ORDER BY d.id, l.entry;
-- the tokens' contributions are text_explain()'s, times the weight
SELECT t.value->>0 = e.token AS token, t.value->>1 AS value, abs((t.value->>2)::float8 - 2 * e.contribution) < 1e-9 AS contribution
FROM words_decision d JOIN signals s USING (id), assay.ledger(d.attribution) l, jsonb_array_elements(l.signals) WITH ORDINALITY t(value, n)
JOIN LATERAL (SELECT token, contribution, row_number() OVER () AS n FROM signals s2, assay.text_explain(assay.text_model_at('pills'), s2.content, 5) WHERE s2.id = 101) e ON e.n = t.n
WHERE d.id = 101 AND l.detector = 'pills' ORDER BY t.n;
-- and so they are however many there are: few are picked out, more are sorted
CREATE FUNCTION top_tokens(n int, OUT tokens bigint, OUT same boolean) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('assay.top_features', n::text, true);
	SELECT count(*), bool_and(t.value->>0 = e.token AND abs((t.value->>2)::float8 - 2 * e.contribution) < 1e-9) INTO tokens, same
	FROM (SELECT i AS id, now() AS received_at, ''::text AS subject, ''::text AS body, NULL::jsonb AS weird, jsonb_build_object('subject', 'Cheap pills, Minutes of the meeting',
			'body', (SELECT string_agg(w, ' ' ORDER BY md5(w || i)) FROM unnest(string_to_array('buy viagra now buy now please find attached the agenda find the now 1 2 3 4 5 6 7 8 9', ' ')) w)) AS content
		FROM generate_series(1, 20) i OFFSET 0) s, assay.score('words', s) x, assay.ledger(x.attribution) l
	CROSS JOIN LATERAL (SELECT e.*, row_number() OVER () AS n FROM assay.text_explain(assay.text_model_at('pills'), s.content, top_tokens.n) e) e
	LEFT JOIN LATERAL (SELECT t.value FROM jsonb_array_elements(l.signals) WITH ORDINALITY t(value, n) WHERE t.n = e.n) t ON true
	WHERE l.detector = 'pills' AND e.token IS NOT NULL;
END $$;
RESET ROLE;
SELECT n, t.tokens > 20 * least(n, 16) - 1 AS enough, t.same FROM unnest('{1,2,5,31,32,33,50}'::int[]) n, top_tokens(n) t;
SET ROLE td_owner;
SELECT evidence, because FROM assay.explain_decision('words', 102) WHERE evidence = 'pills';
SELECT id, s.* FROM words_decision d, assay.states(d.attribution) s ORDER BY 1, 2, 3;
-- all of it comes back: as text, and as bytes
SELECT count(*), bool_and(attribution::text::assay.attribution::text = attribution::text) AS text, bool_and(attribution = attribution) FROM (SELECT attribution::text COLLATE "C" AS attribution FROM words_decision) d;

-- a null text is no evidence; parts that are none of a message are a fault of this detector
SELECT assay.create_detector('words', 'weird', text_model => 'pills', text => 'weird', mode => 'live');
INSERT INTO message VALUES (104, '2024-03-05 00:00Z', 'Cheap pills', 'x', NULL), (105, '2024-03-05 00:00Z', 'Cheap pills', 'x', '{"what": 1}'), (106, '2024-03-05 00:00Z', 'x', 'x', '{"body": "viagra"}');
SELECT d.id, d.degraded, l.detector, l.hit, l.fault, round(l.contribution::numeric, 3) AS adds FROM words_decision d, assay.ledger(d.attribution) l WHERE l.detector = 'weird' ORDER BY 1;
SELECT assay.drop_detector('words', 'weird');

-- what is learnt late counts from tomorrow on; a replay judges by the model of the message's day
INSERT INTO words_label (id, malicious, source, labelled_at) VALUES (102, true, 'test', '2024-03-06 00:00Z');
SELECT assay.learn('pills');
INSERT INTO message VALUES (107, '2024-03-07 00:00Z', 'Minutes', 'the agenda'), (108, '2024-03-02 00:00Z', 'Minutes', 'the agenda');
SELECT id, s.state FROM words_decision d, assay.states(d.attribution) s WHERE id > 106 AND name = 'pills' ORDER BY 1;
SELECT assay.state(attribution, 'text_model', 'pills'), assay.state(attribution, 'list', 'pills') IS NULL AS no_list FROM words_decision WHERE id = 107;
SELECT assay.state(attribution, 'word', 'pills') FROM words_decision WHERE id = 107;
SELECT r.key, assay.state(r.attribution, 'text_model', 'pills') AS state, round(l.contribution::numeric, 4) = round((2 * assay.text_margin(assay.text_model_at('pills', s.received_at), s.content))::numeric, 4) AS as_it_was
FROM assay.replay('words') r JOIN signals s ON s.id = (r.key[1])::int, assay.ledger(r.attribution) l WHERE l.detector = 'pills' AND s.id IN (1, 30, 101, 107, 108) ORDER BY s.id;
SELECT s.id, l.contribution = 0 AS nothing FROM signals s, assay.score('words', s, at => '2024-03-01 12:00Z') x, assay.ledger(x.attribution) l WHERE s.id = 101 AND l.detector = 'pills';
SELECT change, messages FROM assay.compare('words', 3, since => '2024-03-05') WHERE messages > 0;
SELECT assay.state(x.attribution, 'text_model', 'pills') = (SELECT to_char(max(day), 'YYYYMMDD')::bigint * 100000000 + 1 FROM pills_version) AS tomorrow
FROM signals s, assay.score('words', s, at => 'infinity') x WHERE s.id = 101;

-- a null text has the version of its own day, too
SELECT assay.create_detector('words', 'nulls', text_model => 'pills', text => 'nullif(body, ''the agenda'')');
SELECT id, assay.state(attribution, 'text_model', 'pills') FROM (SELECT s.id, (assay.score('words', s, at => s.received_at)).attribution FROM signals s WHERE id IN (101, 108) ORDER BY id) x;
SELECT assay.alter_detector('words', d, mode => 'retired') FROM unnest('{pills,plain}'::text[]) d;
SELECT id, assay.state(attribution, 'text_model', 'pills') FROM (SELECT s.id, (assay.score('words', s, at => s.received_at)).attribution FROM signals s WHERE id IN (101, 108) ORDER BY id) x;
SELECT assay.rollback_policy('words', 3);

-- rollout, muting, weights
SELECT assay.alter_detector('words', 'pills', rollout => 0);
SELECT count(*) FROM signals s, assay.score('words', s) x, assay.ledger(x.attribution) l WHERE s.id = 101 AND l.detector = 'pills';
SELECT assay.alter_detector('words', 'pills', rollout => 1, weight => -1);
SELECT assay.exclude('words', 'friend', 'id = 101', mutes => '{pills}', reason => 'test');
SELECT l.muted_by, l.contribution < 0 AS negative FROM signals s, assay.score('words', s) x, assay.ledger(x.attribution) l WHERE s.id = 101 AND l.detector = 'pills';
SELECT assay.drop_exclusion('words', 'friend');

-- changes, revisions, documents
SELECT assay.alter_detector('words', 'plain', text => 'body');
SELECT assay.alter_detector('words', 'plain', text => 'body', condition => 'true');
SELECT assay.create_detector('words', 'rule', 'id = 0');
SELECT assay.alter_detector('words', 'rule', text => 'body');
SELECT assay.alter_detector('words', 'rule', text => 'body', text_model => 'pills');
SELECT assay.alter_detector('words', 'rule', condition => 'id = 0');
SELECT assay.rollback_policy('words', 3);
SELECT detector, text_model, text, condition FROM assay.detectors WHERE policy = 'words' ORDER BY 1;
SELECT attribute, old, new FROM assay.policy_diff('words', 3, 2) WHERE attribute IN ('text', 'text_model');
SELECT jsonb_path_query_array(assay.policy_export('words'), '$.detectors[*]');
SELECT name, attribute, new FROM assay.policy_import(assay.policy_export('words'), 'other', dry_run => false) WHERE attribute LIKE 'text%';
SELECT count(*) FROM assay.policy_import(assay.policy_export('words'), 'other', dry_run => false);
SELECT x.score = y.score AS same FROM signals s, assay.score('words', s) x, assay.score('other', s) y WHERE s.id = 101;
SELECT count(*) FROM assay.policy_import(jsonb_set(assay.policy_export('words'), '{detectors,0,text}', '"body"'), 'other', dry_run => false);
SELECT assay.policy_import('{"pg_assay_policy": 1, "settings": {}, "detectors": [{"name": "x", "text_model": "pills"}]}', 'other');
SELECT assay.policy_import('{"pg_assay_policy": 1, "settings": {}, "detectors": [{"name": "x", "text_model": "pills", "text": "nothing"}]}', 'other');
SELECT severity, "check", detail FROM assay.check('other') WHERE "check" = 'condition';

-- rights: who builds names a text model only that he may read, too; and so must the owner be able to
SELECT assay.grant_access('words', 'td_builder', 'builder');
GRANT USAGE ON SCHEMA td TO td_builder;
SET ROLE td_builder;
SELECT assay.create_detector('words', 'mine', text_model => 'pills', text => 'content');
BEGIN;
INSERT INTO assay.revision (policy, revision, summary, prior, thresholds, default_verdict, on_error, log_signals, search_path, notify)
SELECT policy, revision + 1, 'x', prior, thresholds, default_verdict, on_error, log_signals, search_path, notify FROM assay.revision WHERE policy = 'words' ORDER BY revision DESC LIMIT 1;
INSERT INTO assay.detector_model (policy, detector, revision, text_model, content) SELECT 'words', 'mine', max(revision), 'pills', 'subject' FROM assay.revision WHERE policy = 'words';
ROLLBACK;
RESET ROLE;
GRANT SELECT ON td.pills_version TO td_builder;
SET ROLE td_builder;
SELECT assay.create_detector('words', 'mine', text_model => 'pills', text => 'content') > 0;
SELECT assay.create_detector('words', 'mine2', text_model => 'pills', text => 'assay.list_match(''x'', body)');
RESET ROLE;
CREATE SCHEMA teacher AUTHORIZATION td_teacher;
GRANT SELECT ON td.message, td.words_label TO td_teacher;
GRANT USAGE ON SCHEMA td TO td_teacher;
GRANT USAGE ON SCHEMA teacher TO td_owner;
SET ROLE td_teacher;
SELECT assay.create_text_model('theirs', 'td.message', 'body', 'td.words_label', schema => 'teacher');
SELECT assay.learn('theirs') > 0;
SET ROLE td_owner;
SELECT assay.create_detector('words', 'theirs', text_model => 'theirs', text => 'body');
SET ROLE td_teacher;
GRANT SELECT ON teacher.theirs_version TO td_owner;
SET ROLE td_owner;
SELECT assay.create_detector('words', 'theirs', text_model => 'theirs', text => 'body', mode => 'live') > 0;
INSERT INTO message VALUES (109, '2024-03-07 00:00Z', 'Cheap pills', 'buy viagra now');
SELECT degraded, l.hit FROM words_decision, assay.ledger(attribution) l WHERE id = 109 AND l.detector = 'theirs';
-- a table that is not as it was made is read as its owner
SET ROLE td_teacher;
ALTER TABLE teacher.theirs_version DROP CONSTRAINT theirs_version_pkey;
SET ROLE td_owner;
INSERT INTO message VALUES (110, '2024-03-07 00:00Z', 'Cheap pills', 'buy viagra now');
SELECT degraded, l.hit, (SELECT contribution FROM words_decision w, assay.ledger(w.attribution) o WHERE w.id = 109 AND o.detector = 'theirs') = l.contribution AS same FROM words_decision, assay.ledger(attribution) l WHERE id = 110 AND l.detector = 'theirs';
-- taken back, or gone: the detector is a fault
SET ROLE td_teacher;
REVOKE SELECT ON teacher.theirs_version FROM td_owner;
SET ROLE td_owner;
INSERT INTO message VALUES (111, '2024-03-07 00:00Z', 'Cheap pills', 'buy viagra now');
SELECT degraded, l.fault FROM words_decision, assay.ledger(attribution) l WHERE id = 111 AND l.detector = 'theirs';
SELECT severity, detail FROM assay.check('words') WHERE "check" = 'condition';
SET ROLE td_teacher;
SELECT assay.drop_text_model('theirs');
SET ROLE td_owner;
INSERT INTO message VALUES (112, '2024-03-07 00:00Z', 'Cheap pills', 'buy viagra now');
SELECT degraded, l.fault FROM words_decision, assay.ledger(attribution) l WHERE id = 112 AND l.detector = 'theirs';

-- a text model that the view asks: as of the message, or as it is now
CREATE VIEW asking AS SELECT id, received_at, assay.text_margin(assay.text_model_at('pills', received_at), body) AS a FROM message;
CREATE VIEW asking_now AS SELECT id, received_at, assay.text_margin(assay.text_model_at('pills'), body) AS a FROM message;
SELECT assay.create_policy('asking', 'asking', '{id}'), assay.create_policy('asking_now', 'asking_now', '{id}');
SELECT s.id, x.state
FROM asking s, LATERAL (SELECT assay.state((assay.score('asking', s, at => s.received_at)).attribution, 'text_model', 'pills') AS state) x WHERE id IN (1, 30, 101) ORDER BY 1;
SELECT assay.state((assay.score('asking_now', s)).attribution, 'text_model', 'pills') = (SELECT to_char(max(day), 'YYYYMMDD')::bigint * 100000000 + 1 FROM pills_version) AS latest FROM asking_now s WHERE id = 101;
SELECT assay.create_detector('asking', 'pills', text_model => 'pills', text => $$'x'$$);
SELECT count(*) FROM asking s, assay.score('asking', s) x, assay.states(x.attribution) WHERE id = 101;

RESET ROLE;
SET client_min_messages = error;
DROP SCHEMA td, teacher CASCADE;
SELECT assay.drop_policy(p) FROM unnest('{words,other,asking,asking_now}'::text[]) p;
DROP OWNED BY td_owner, td_builder, td_teacher;
DROP ROLE td_owner, td_builder, td_teacher;
