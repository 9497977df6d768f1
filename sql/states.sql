-- the states of lists, phrase sets and text models in a ledger, and what a replay says of them
SET client_min_messages = warning;
\pset format unaligned
\pset tuples_only on
CREATE ROLE st_owner;
CREATE ROLE st_other;
CREATE ROLE st_reader;
CREATE SCHEMA st AUTHORIZATION st_owner;
SET ROLE st_other;
SELECT assay.create_list('st_others', readers => '{public}'), assay.create_list('st_secret');
SET ROLE st_owner;
SET search_path = st, public;
SELECT assay.create_list('st_blocked'), assay.create_list('st_brands'), assay.create_list('st_nested'), assay.create_list('st_asof'), assay.create_list('st_condition');
SELECT assay.create_phrase_set('st_bec');
INSERT INTO assay.list (set, value) VALUES ('st_blocked', 'bad.test'), ('st_nested', 'x');
INSERT INTO assay.phrase (set, name, pattern) VALUES ('st_bec', 'wire', 'wire transfer');
CREATE TABLE message (id int PRIMARY KEY, received_at timestamptz NOT NULL DEFAULT now(), domain text, body text);
CREATE VIEW inner_view AS SELECT id, assay.in_list(set => 'st_nested', value => domain) AS nested FROM message;
CREATE VIEW signals AS
SELECT m.id, m.received_at, m.domain, m.body, i.nested, assay.in_list('st_blocked', m.domain) AS blocked,
	CASE WHEN m.id < 0 THEN assay.list_match('st_others', m.domain) END AS never,
	assay.in_list('st_asof', m.domain, at => m.received_at) AS as_of,
	(SELECT count(*) FROM unnest(assay.phrase_hits('st_bec', m.body)) h) AS hits,
	assay.in_list('st_' || left(m.domain, 0) || 'blocked', m.domain) AS computed
FROM message m JOIN inner_view i USING (id);
SELECT assay.create_policy('st', 'signals', '{id}');
SELECT assay.create_detector('st', 'blocked', 'blocked', weight => 5, mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('st');
INSERT INTO message VALUES (1, '2024-01-01 00:00Z', 'bad.test', 'x'), (2, '2024-01-01 00:00Z', 'good.test', 'wire transfer');
SELECT id, s.* FROM st_decision d, assay.states(d.attribution) s ORDER BY id, kind, name COLLATE "C";
SELECT assay.hits(attribution), pg_column_size(attribution) - pg_column_size((attribution::jsonb - 'states')::text::assay.attribution) AS bytes FROM st_decision WHERE id = 1;

-- conditions, guards, and named arguments
SELECT assay.create_guard('st', 'listed', 'assay.in_list(''st_condition'', domain, tenant => ''t'')');
SELECT assay.create_detector('st', 'brand', 'in_list(value => domain, set => ''st_brands'') OR listed', mode => 'live');
INSERT INTO message VALUES (3, '2024-01-02 00:00Z', 'good.test', 'x');
SELECT s.* FROM st_decision d, assay.states(d.attribution) s WHERE id = 3 ORDER BY kind, name COLLATE "C";

-- a set that is gone, or another's, has no state
SELECT assay.create_detector('st', 'secret', 'in_list(''st_secret'', domain)');
SELECT assay.alter_detector('st', 'secret', 'domain = ''x'' AND in_list(''st_nothing'', domain)');
INSERT INTO message VALUES (4, '2024-01-03 00:00Z', 'good.test', 'x');
SELECT degraded, array_agg(s.name ORDER BY s.name COLLATE "C") FROM st_decision d, assay.states(d.attribution) s WHERE id = 4 GROUP BY 1;
SELECT assay.drop_detector('st', 'secret');

-- every change is a state; those of one transaction are one
SET client_min_messages = notice;
SELECT r.key, r.verdict FROM assay.replay('st') r ORDER BY 1;
DELETE FROM assay.list WHERE set = 'st_blocked';
BEGIN;
INSERT INTO assay.list (set, value) VALUES ('st_blocked', 'other.test');
INSERT INTO message VALUES (5, '2024-01-04 00:00Z', 'other.test', 'x');
INSERT INTO assay.list (set, value) VALUES ('st_blocked', 'third.test');
INSERT INTO message VALUES (6, '2024-01-04 00:00Z', 'third.test', 'x');
COMMIT;
SELECT id, verdict, assay.state(attribution, 'list', 'st_blocked') AS state FROM st_decision WHERE id > 3 ORDER BY id;
-- an older snapshot sees the older state
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT assay.list_state('st_blocked');
SELECT assay.state(x.attribution, 'list', 'st_blocked') FROM signals s, assay.score('st', s) x WHERE s.id = 1;
COMMIT;
INSERT INTO assay.phrase (set, name, pattern) VALUES ('st_bec', 'gift', 'gift card');

-- a replay tells once what it can't reproduce
SELECT r.key, r.verdict, d.verdict AS was FROM assay.replay('st') r JOIN st_decision d ON d.id = (r.key[1])::int ORDER BY 1;
SELECT r.key FROM assay.replay('st', since => '2024-01-04 00:00Z') r ORDER BY 1;
SELECT change, messages FROM assay.compare('st', 2, 3) WHERE messages > 0;
SELECT key FROM assay.replay('st', since => '2025-01-01');
-- by which a decision is made again: the state of then, in the view or by hand
SELECT m.id, d.verdict, assay.in_list('st_blocked', m.domain) AS now, assay.in_list('st_blocked', m.domain, state => assay.state(d.attribution, 'list', 'st_blocked')) AS as_it_was
FROM message m JOIN st_decision d USING (id) ORDER BY 1;
SELECT assay.phrase_hits(assay.phrases_of('st_bec', assay.state(d.attribution, 'phrases', 'st_bec')), 'gift card, wire transfer') FROM st_decision d WHERE id = 1;
CREATE OR REPLACE VIEW signals AS
SELECT m.id, m.received_at, m.domain, m.body, i.nested, assay.in_list('st_blocked', m.domain, state => assay.state(d.attribution, 'list', 'st_blocked'), at => d.decided_at) AS blocked,
	NULL::text AS never, assay.in_list('st_asof', m.domain, at => m.received_at) AS as_of, 0::bigint AS hits, false AS computed
FROM message m JOIN inner_view i USING (id) LEFT JOIN LATERAL (SELECT * FROM st_decision d WHERE d.id = m.id ORDER BY revision DESC LIMIT 1) d ON true;
SELECT r.key, r.verdict = d.verdict AS same FROM assay.replay('st') r JOIN st_decision d ON d.id = (r.key[1])::int ORDER BY 1;
SELECT s.name FROM signals m, assay.score('st', m) x, assay.states(x.attribution) s WHERE id = 1 ORDER BY 1;

-- a view below is replaced: the policy notices
CREATE OR REPLACE VIEW inner_view AS SELECT id, assay.in_list('st_others', domain) AS nested FROM message;
SELECT s.name FROM signals m, assay.score('st', m) x, assay.states(x.attribution) s WHERE id = 1 ORDER BY 1;

-- logged signals are what they were: then only conditions look into anything
CREATE OR REPLACE VIEW signals AS
SELECT m.id, m.received_at, m.domain, m.body, i.nested, assay.in_list('st_blocked', m.domain) AS blocked,
	NULL::text AS never, true AS as_of, 0::bigint AS hits, false AS computed FROM message m JOIN inner_view i USING (id);
SELECT assay.alter_policy('st', log_signals => true);
INSERT INTO message VALUES (7, '2024-01-07 00:00Z', 'third.test', 'x');
DELETE FROM assay.list WHERE set = 'st_blocked';
SELECT r.key, r.verdict FROM assay.replay('st', since => '2024-01-06') r;
SELECT r.key, r.verdict FROM assay.replay('st', since => '2024-01-06', signals => 'logged') r;
INSERT INTO assay.list (set, value) VALUES ('st_brands', 'x');
SELECT r.key, r.verdict FROM assay.replay('st', since => '2024-01-06', signals => 'logged') r;
-- with rights of one's own
SELECT assay.grant_access('st', 'st_reader', 'builder');
GRANT USAGE ON SCHEMA st TO st_reader;
SET ROLE st_reader;
SELECT count(*) FROM assay.replay('st');

RESET ROLE;
SET client_min_messages = error;
DROP SCHEMA st CASCADE;
SELECT assay.drop_policy('st');
SELECT assay.drop_set(s) FROM unnest('{st_others,st_secret,st_blocked,st_brands,st_nested,st_asof,st_condition,st_bec}'::text[]) s;
DROP OWNED BY st_owner, st_other, st_reader;
DROP ROLE st_owner, st_other, st_reader;
