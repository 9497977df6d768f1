-- label_sources: labels from reports and from views; what is known, what stays, who may
\set SHOW_CONTEXT never
SET timezone = 'UTC';
CREATE SCHEMA sources;
SET search_path = sources, public;
CREATE TABLE message (id int PRIMARY KEY, message_id text, received_at timestamptz, from_addr text, recipients text[], return_path text, relay_ip inet);
SELECT assay.create_policy('in', 'message', '{id}');
CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('in');
INSERT INTO message VALUES
	(1, 'a@x', '2024-01-01', 'bank@b.example', '{ann@o.example,bob@o.example}', 'bounce@b.example', '192.0.2.1'),
	(2, 'b@x', '2024-01-02', 'eve@e.example', '{ann@o.example}', 'eve@e.example', '203.0.113.9'),
	-- another's message with an id that is taken, later
	(3, 'a@x', '2024-01-03', 'eve@e.example', '{ann@o.example}', 'eve@e.example', '203.0.113.9'),
	-- delivered twice, and again after the report
	(4, 'c@x', '2024-01-04 10:00', 'news@n.example', '{bob@o.example}', '', NULL),
	(5, 'c@x', '2024-01-04 11:00', 'news@n.example', '{bob@o.example}', '', NULL),
	(6, 'c@x', '2024-01-06', 'news@n.example', '{bob@o.example}', '', NULL),
	(7, NULL, '2024-01-07', NULL, NULL, NULL, NULL);

-- reports: an object each
CREATE FUNCTION report(text, "from" text, recipients text DEFAULT NULL, more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_array(jsonb_strip_nulls(jsonb_build_object('message_id', $1, 'from_addr', $2, 'recipients', $3::text[], 'malicious', true,
		'source', 'user report', 'confidence', 0.7, 'author', 'ann@o.example', 'reported_at', '2024-01-05')) || more) $$;
CREATE VIEW labels AS SELECT id, malicious, source, labelled_at, author, confidence, category FROM in_label;
SELECT * FROM assay.label_reported('in', 'message', report('b@x', 'eve@e.example', '{ann@o.example}', '{"category": "phishing"}'));
TABLE labels;
-- once more: known; another says it, too
SELECT * FROM assay.label_reported('in', 'message', report('b@x', 'EVE@e.example'));
SELECT * FROM assay.label_reported('in', 'message', report('b@x', 'eve@e.example', NULL, '{"author": "bob@o.example"}') || report('b@x', 'eve@e.example', NULL, '{"author": "bob@o.example"}'));
-- which: of several the latest before the report; a sender that isn't the reported one's is none of them
SELECT * FROM assay.label_reported('in', 'message', report('c@x', 'news@n.example', '{bob@o.example}'));
SELECT * FROM assay.label_reported('in', 'message', report('a@x', 'bank@b.example'));
SELECT * FROM assay.label_reported('in', 'message', report('a@x', 'eve@e.example', NULL, '{"malicious": false}'));
SELECT * FROM assay.label_reported('in', 'message', report('a@x', 'other@b.example'));
-- who did not get it can't report it
SELECT * FROM assay.label_reported('in', 'message', report('a@x', 'bank@b.example', '{mallory@o.example}'));
SELECT * FROM assay.label_reported('in', 'message', report('none@x', NULL) || report('b@x', NULL, NULL, '{"reported_at": "2024-01-01"}'));
-- without an id: recipient, time, and envelope sender or address
SELECT r.outcome, r.key FROM assay.label_reported('in', 'message',
	report(NULL, NULL, '{ann@o.example}', '{"arrived_at": "2024-01-02 00:04", "mail_from": "EVE@e.example", "author": "fbl"}')
	|| report(NULL, NULL, '{ann@o.example}', '{"arrived_at": "2024-01-03 00:05", "source_ip": "203.0.113.9", "author": "fbl"}')
	|| report(NULL, NULL, '{ann@o.example}', '{"arrived_at": "2024-01-03 00:05:01", "source_ip": "203.0.113.9", "author": "fbl"}')
	|| report(NULL, NULL, '{bob@o.example}', '{"arrived_at": "2024-01-02 00:00", "mail_from": "eve@e.example", "author": "fbl"}')
	|| report(NULL, NULL, NULL, '{"arrived_at": "2024-01-02 00:00", "mail_from": "eve@e.example", "author": "fbl"}')
	|| report(NULL, NULL, '{bob@o.example}', '{"arrived_at": "2024-01-04 10:30", "mail_from": "", "author": "fbl"}')) r;
UPDATE message SET received_at = '2024-01-04 10:03' WHERE id = 5;
SELECT r.outcome, r.key FROM assay.label_reported('in', 'message',
	report(NULL, NULL, '{bob@o.example}', '{"arrived_at": "2024-01-04 10:01", "mail_from": "", "author": "fbl"}')) r;
SELECT * FROM labels ORDER BY id, labelled_at;

-- what is known more surely stays, unless label_order says that the source is better
DELETE FROM in_label;
INSERT INTO in_label VALUES (1, false, 'analyst', '2024-01-02', 'ann', 1), (2, true, 'analyst', '2024-01-20', 'ann', 1);
SELECT r.outcome, r.key FROM assay.label_reported('in', 'message', report('a@x', 'bank@b.example') || report('b@x', 'eve@e.example', NULL, '{"malicious": false}')) r;
SELECT * FROM labels ORDER BY id, labelled_at;
SELECT id, source, malicious FROM in_label_latest ORDER BY id;
SELECT assay.set_labels('in', '{analyst,user report}');
SELECT r.outcome FROM assay.label_reported('in', 'message', report('a@x', 'bank@b.example')) r;
SELECT id, source, malicious FROM in_label_latest ORDER BY id;
SELECT assay.set_labels('in', '{user report,analyst}');
SELECT r.outcome FROM assay.label_reported('in', 'message', report('a@x', 'bank@b.example', NULL, '{"author": "bob@o.example"}')) r;
SELECT id, source, malicious FROM in_label_latest ORDER BY id;
SELECT assay.set_labels('in', '{}');
-- also within one call, and by rank
SELECT assay.set_labels('in', '{review}');
SELECT r.outcome FROM assay.label_reported('in', 'message', report('c@x', 'news@n.example', NULL, '{"source": "review", "confidence": 0.5}')
	|| report('c@x', 'news@n.example', NULL, '{"source": "complaint", "malicious": false}')) r;
SELECT assay.set_labels('in', '{}');
DELETE FROM in_label WHERE id = 5;
SELECT r.outcome FROM assay.label_reported('in', 'message', report('c@x', 'news@n.example', NULL, '{"source": "complaint", "confidence": 0.8, "malicious": false}')
	|| report('c@x', 'news@n.example', NULL, '{"source": "bounce", "confidence": 0.3}')
	|| report('c@x', 'news@n.example', NULL, '{"source": "review", "confidence": 1}')
	|| report('c@x', 'news@n.example', NULL, '{"source": "review", "confidence": 1}')
	|| report('c@x', 'news@n.example', NULL, '{"source": "review", "confidence": 1, "malicious": false}')) r;
SELECT * FROM labels WHERE id = 5 ORDER BY labelled_at;

-- what is no report
SELECT r.report, r.outcome, r.key FROM assay.label_reported('in', 'message', report('b@x', NULL, NULL, '{"malicious": null}')
	|| report('b@x', NULL, NULL, '{"source": ""}') || report('b@x', NULL, NULL, '{"source": null}') || report('b@x', NULL, NULL, '{"confidence": 0}')
	|| report('b@x', NULL, NULL, '{"confidence": 1.01}') || report('b@x', NULL, NULL, '{"confidence": "NaN"}') || report('b@x', NULL, NULL, '{"confidence": null}')
	|| report('b@x', NULL, NULL, '{"reported_at": "infinity"}') || report('b@x', NULL, NULL, '{"reported_at": null}') || '[{}]') r;
SELECT * FROM assay.label_reported('in', 'message', '[]');
SELECT * FROM assay.label_reported('in', 'message', NULL);
\set VERBOSITY terse
SELECT * FROM assay.label_reported('in', 'message', '{}');
SELECT * FROM assay.label_reported('in', 'message', '[1]');
SELECT * FROM assay.label_reported('in', 'message', '[{"recipients": 1, "message_id": "x"}]');
SELECT * FROM assay.label_reported('in', 'message', '[{"reported_at": "x"}]');
SELECT * FROM assay.label_reported('nobody', 'message', '[]');
SELECT * FROM assay.label_reported('in', 'in_label', '[]');
SELECT * FROM assay.label_reported('in', 'message_pkey', '[]');
SELECT * FROM assay.label_reported('in', 0, '[]');
\set VERBOSITY default
-- a report of a time to come is known now
SELECT r.outcome FROM assay.label_reported('in', 'message', report('a@x', 'eve@e.example', NULL, '{"reported_at": "2999-01-01"}')) r;
SELECT id, labelled_at BETWEEN now() - interval '1 hour' AND now() AS now FROM labels WHERE id = 3;

-- views: what is not said is that of the call
DELETE FROM in_label;
CREATE VIEW trapped AS SELECT id FROM message WHERE id IN (2, 3);
SELECT * FROM assay.labels_from('in', 'trap', 'trapped', malicious => true, confidence => 0.9, category => 'spam');
SELECT id, malicious, source, labelled_at BETWEEN now() - interval '1 hour' AND now() AS now, author = current_user AS me, confidence, category FROM labels ORDER BY id;
SELECT * FROM assay.labels_from('in', 'trap', 'trapped', malicious => true, confidence => 0.9, category => 'spam');
SELECT * FROM assay.labels_from('in', 'trap', 'trapped', malicious => false);
CREATE VIEW answered AS SELECT id::bigint AS id, '2024-02-01'::timestamptz + id * interval '1 day' AS labelled_at, id % 2 = 0 AS malicious, 'a' || id AS author, 0.5 AS confidence,
	CASE id WHEN 4 THEN 'x' END AS category FROM message CROSS JOIN generate_series(1, 2) WHERE id < 6;
SELECT * FROM assay.labels_from('in', 'reply', 'answered', since => '2024-02-05');
SELECT * FROM assay.labels_from('in', 'reply', 'answered');
SELECT * FROM labels WHERE source = 'reply' ORDER BY id, labelled_at;
SELECT * FROM assay.labels_from('in', 'reply', 'answered');
CREATE VIEW undated AS SELECT 1 AS id, NULL::timestamptz AS labelled_at;
SELECT * FROM assay.labels_from('in', 'undated', 'undated', true, since => '2000-01-01');
SELECT * FROM assay.labels_from('in', 'undated', 'undated', true);
CREATE VIEW released AS SELECT 1 AS id, NULL::boolean AS malicious UNION ALL SELECT NULL, true UNION ALL SELECT 4, false;
SELECT * FROM assay.labels_from('in', 'release', 'released');
SELECT * FROM assay.labels_from('in', 'release 2', 'released', malicious => false);
\set VERBOSITY terse
SELECT * FROM assay.labels_from('in', 'trap', 'trapped');
SELECT * FROM assay.labels_from('in', '', 'trapped', true);
SELECT * FROM assay.labels_from('in', NULL, 'trapped', true);
SELECT * FROM assay.labels_from('in', 'x', NULL, true);
SELECT * FROM assay.labels_from('in', 'x', 'trapped', true, 0);
SELECT * FROM assay.labels_from('in', 'x', 'trapped', true, 1.1);
SELECT * FROM assay.labels_from('in', 'x', 'trapped', true, 'NaN');
SELECT * FROM assay.labels_from('in', 'x', 'trapped', true, since => NULL);
CREATE VIEW half AS SELECT 1 AS message;
SELECT * FROM assay.labels_from('in', 'x', 'half', true);
CREATE VIEW bad AS SELECT 1 AS id, 2.0 AS confidence;
SELECT * FROM assay.labels_from('in', 'x', 'bad', true);
\set VERBOSITY default

-- a label for each that is said, however close the moments, beside those that are there; keys of any name
DELETE FROM in_label;
INSERT INTO in_label (id, malicious, source, labelled_at) VALUES (1, true, 'there', '2024-05-01 00:00:00.000011+00'), (1, true, 'there', '2024-05-01 00:00:00.000014+00');
CREATE VIEW close AS SELECT 1 AS id, i % 2 = 0 AS malicious, 'a' || i AS author, '2024-05-01 00:00:00+00'::timestamptz + (i / 3) * interval '1 microsecond' AS labelled_at FROM generate_series(1, 30) i;
SELECT * FROM assay.labels_from('in', 'close', 'close');
SELECT count(*), count(DISTINCT author), max(labelled_at) - min(labelled_at) AS within FROM in_label WHERE source = 'close';
CREATE TABLE odd (ord int, outcome text, rank int, found int, at int, malicious boolean, message_id text, received_at timestamptz, from_addr text, recipients text[], PRIMARY KEY (ord, outcome, rank, found, at));
INSERT INTO odd VALUES (1, 'x', 2, 3, 4, true, 'o@x', '2020-05-01', 'eve@e.example', '{}');
SELECT assay.create_policy('odd', 'odd', '{ord,outcome,rank,found,at}');
SELECT * FROM assay.labels_from('odd', 'trap', 'odd');
SELECT * FROM assay.label_reported('odd', 'odd', report('o@x', 'eve@e.example'));
SELECT assay.drop_policy('odd', true);

-- a key that is too long for a domain is not the one that it would be cut to
CREATE DOMAIN short AS varchar(3);
CREATE TABLE brief (id short PRIMARY KEY);
INSERT INTO brief VALUES ('abc');
CREATE VIEW long AS SELECT 'abcd'::text AS id, true AS malicious;
SELECT assay.create_policy('brief', 'brief', '{id}');
\set VERBOSITY terse
SELECT * FROM assay.labels_from('brief', 'trap', 'long');
CREATE OR REPLACE VIEW long AS SELECT 'abc'::text AS id, true AS malicious;
SELECT * FROM assay.labels_from('brief', 'trap', 'long');
SELECT assay.drop_policy('brief', true);
-- nor is one that would be rounded
CREATE DOMAIN cents AS numeric(6,2);
CREATE TABLE rounded (n cents, at timestamp(0), PRIMARY KEY (n, at));
INSERT INTO rounded VALUES (1, '2026-01-01 10:00');
SELECT assay.create_policy('rounded', 'rounded', '{n,at}');
CREATE VIEW fine AS SELECT 1.004 AS n, '2026-01-01 10:00'::timestamp AS at, true AS malicious;
SELECT * FROM assay.labels_from('rounded', 'trap', 'fine');
CREATE OR REPLACE VIEW fine AS SELECT 1.0 AS n, '2026-01-01 10:00:00.4'::timestamp AS at, true AS malicious;
SELECT * FROM assay.labels_from('rounded', 'trap', 'fine');
CREATE OR REPLACE VIEW fine AS SELECT 1.0 AS n, '2026-01-01 10:00'::timestamp AS at, true AS malicious;
SELECT * FROM assay.labels_from('rounded', 'trap', 'fine');
SELECT n, at, malicious, source FROM rounded_label;
\set VERBOSITY default
SELECT assay.drop_policy('rounded', true);

-- who may: members of the owner, and who may read the labels, write them, and read the relation
CREATE ROLE sources_feed;
GRANT USAGE ON SCHEMA sources TO sources_feed;
SET ROLE sources_feed;
SELECT * FROM assay.labels_from('in', 'x', 'trapped', true);
RESET ROLE;
GRANT SELECT ON in_label TO sources_feed;
SET ROLE sources_feed;
SELECT * FROM assay.labels_from('in', 'x', 'trapped', true);
RESET ROLE;
GRANT INSERT ON in_label TO sources_feed;
SET ROLE sources_feed;
SELECT * FROM assay.labels_from('in', 'x', 'trapped', true);
SELECT * FROM assay.label_reported('in', 'message', '[]');
RESET ROLE;
GRANT SELECT ON trapped, message TO sources_feed;
SET ROLE sources_feed;
SELECT * FROM assay.labels_from('in', 'x', 'trapped', true);
SELECT r.outcome, r.key FROM assay.label_reported('in', 'message', report('a@x', 'bank@b.example')) r;
RESET ROLE;
SELECT id, author FROM labels WHERE source = 'x' ORDER BY id;
SET client_min_messages = warning;
DROP SCHEMA sources CASCADE;
SELECT assay.drop_policy('in');
DROP ROLE sources_feed;
