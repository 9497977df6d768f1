-- onboard(), offboard(), go_live(), tenants: from a message table to a live policy
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION IF NOT EXISTS pg_assay_email;
CREATE ROLE onboard_owner;
CREATE ROLE onboard_stranger;
CREATE SCHEMA "On Board" AUTHORIZATION onboard_owner;
GRANT USAGE ON SCHEMA "On Board" TO onboard_stranger;
SET search_path = "On Board";
SET ROLE onboard_owner;

-- a table of its own: names, types and a boolean that says what was spam
CREATE TABLE "Inbox" ("Mail id" bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, received timestamp NOT NULL, sender varchar(200), "to" text,
	subject text, body text, spam boolean);
INSERT INTO "Inbox" (received, sender, "to", subject, body, spam)
SELECT timestamp '2024-01-01' + i * interval '20 minutes',
	CASE WHEN i % 20 = 0 THEN 'PayPal Service <service' || i || '@Pay-Alerts' || i % 7 || '.top>' ELSE 'User ' || i % 50 || ' <u' || i % 50 || '@partner' || i % 9 || '.example>' END,
	'ann@corp.example, bob@corp.example', CASE WHEN i % 20 = 0 THEN 'Your account has been limited' ELSE 'Meeting ' || i % 30 END,
	CASE WHEN i % 20 = 0 THEN 'Dear customer, please verify your account within 24 hours. Click here http://bit.ly/x' || i ELSE 'Shall we talk about project ' || i % 40 || '? Cheers' END,
	CASE WHEN i % 2 = 0 THEN i % 20 = 0 END
FROM generate_series(1, 2000) i;
CALL assay.onboard('inbox', messages => '"Inbox"', labels => '"Inbox"', columns => '{"malicious": "spam"}');
SELECT step, state, CASE WHEN step <> 'policy' THEN rows END AS rows FROM assay.onboarding;
SELECT note FROM assay.onboarding WHERE step IN ('columns', 'labels', 'live') ORDER BY n;
SELECT "Mail id", received_at, from_addr, from_name, recipients, subject FROM inbox_messages WHERE "Mail id" IN (19, 20) ORDER BY 1;
-- decided and recorded, without effect
SELECT verdict, count(*) FROM inbox_verdict GROUP BY 1;
-- each number is what its query gives
CREATE FUNCTION again(query text) RETURNS numeric LANGUAGE plpgsql SET search_path = pg_catalog AS $$ DECLARE n float8; BEGIN EXECUTE query INTO n; RETURN n::numeric; END $$;
SELECT count(*) AS numbers, count(*) FILTER (WHERE value = again(query)) AS same FROM assay.onboarding_report WHERE policy = 'inbox' AND query IS NOT NULL;
SELECT part, name, round(value, 2) AS value, detail FROM assay.onboarding_report
WHERE policy = 'inbox' AND part IN ('history', 'would have been', 'label', 'column', 'check');
SELECT count(*) AS examples FROM assay.onboarding_report WHERE policy = 'inbox' AND part = 'example';
-- of the labels a tenth are malicious, of all messages a twentieth: for these the prior is made
SELECT split_part(note, ',', 1) AS labels, substring(note FROM 'about ([\d.]+) %')::numeric BETWEEN 4.5 AND 5.5 AS messages FROM assay.onboarding WHERE policy = 'inbox' AND step = 'weights';
-- what was fitted knew nothing of what it was tried on, and the text model nothing of its message
SELECT count(DISTINCT d.revision) AS revisions FROM inbox_decision d;
SELECT min(m.received_at) FILTER (WHERE d.decided_at >= o.held_back) > max(m.received_at) FILTER (WHERE d.decided_at < o.held_back) AS apart
FROM inbox_decision d JOIN inbox_messages m USING ("Mail id"), assay_internal.own_onboarding o WHERE o.policy = 'inbox' AND d.revision = (SELECT min(revision) FROM inbox_decision);
SELECT count(*) AS judged_on_the_first_day FROM inbox_decision d, assay.ledger(d.attribution) l WHERE d."Mail id" < 70 AND l.detector = 'words' AND l.contribution <> 0;
-- again: nothing is done twice, and it says how things stand; with another budget thresholds and report are
SET client_min_messages = notice;
CALL assay.onboard('inbox', messages => '"Inbox"', labels => '"Inbox"', columns => '{"malicious": "spam"}');
SET client_min_messages = warning;
SELECT severity, detail, hint FROM assay.health WHERE kind = 'onboarding';
SELECT count(*) AS revisions FROM assay.revisions WHERE policy = 'inbox';
CALL assay.onboard('inbox', messages => '"Inbox"', labels => '"Inbox"', columns => '{"malicious": "spam"}', budget => '{"alerts_per_day": 2}');
SELECT step, state, rows FROM assay.onboarding WHERE policy = 'inbox' AND step IN ('thresholds', 'report', 'live');
SELECT name, value <= 2 AS within FROM assay.onboarding_report WHERE policy = 'inbox' AND name = 'alerts a day' AND part = 'would have been';
SELECT count(*) AS numbers, count(*) FILTER (WHERE value = again(query)) AS same FROM assay.onboarding_report WHERE policy = 'inbox' AND query IS NOT NULL;
CALL assay.onboard('inbox', messages => '"Inbox"', labels => '"Inbox"', columns => '{"malicious": "spam"}', tenant => 'subject');
-- a step that fails, or whose session is gone, is seen; the hint is the call as it was
RESET ROLE;
BEGIN;
UPDATE assay_internal.onboarding_step SET state = 'failed', note = 'out of space (SQLSTATE 53100)', at = '2024-01-01' WHERE policy = 'inbox' AND step = 'report';
SELECT severity, detail, hint FROM assay.health WHERE kind = 'onboarding';
UPDATE assay_internal.onboarding_step SET state = 'running', pid = 0 WHERE policy = 'inbox' AND step = 'history again';
SELECT severity, detail, hint FROM assay.health WHERE kind = 'onboarding';
UPDATE assay_internal.onboarding_step SET state = 'pending', pid = pg_backend_pid() WHERE policy = 'inbox' AND step = 'history again';
SELECT severity, detail FROM assay.health WHERE kind = 'onboarding';
ROLLBACK;
SET ROLE onboard_owner;
-- live
SELECT assay.go_live('inbox'), assay.go_live('inbox') AS again;
SELECT severity, regexp_replace(detail, '\d\d+[-0-9:+ ]*', '...') AS detail, hint FROM assay.health WHERE kind = 'onboarding';
INSERT INTO "Inbox" (received, sender, subject, body) VALUES ('2024-02-01', 'PayPal <a@pay-alerts3.top>', 'Your account has been limited', 'Dear customer, please verify your account within 24 hours. Click here');
SELECT verdict FROM inbox_verdict ORDER BY "Mail id" DESC LIMIT 1;
SELECT assay.back_to_learning('inbox'), assay.back_to_learning('inbox') AS again;
INSERT INTO "Inbox" (received, sender, subject, body) VALUES ('2024-02-01', 'PayPal <a@pay-alerts3.top>', 'Your account has been limited', 'Dear customer, please verify your account within 24 hours. Click here');
SELECT verdict, score > 0.5 AS would_have_been FROM inbox_verdict ORDER BY "Mail id" DESC LIMIT 1;
SELECT * FROM assay.check('inbox') WHERE severity = 'error';
-- labels that are no sample: one in five of them is malicious, and one in fifty messages; the message of which nothing is known is safe
CREATE TABLE drawn AS SELECT i AS id, timestamptz '2024-01-01' + i * interval '10 minutes' AS received_at, i % 50 = 0 AS bad,
	abs(hashint4(i)) % 100 < CASE WHEN i % 50 = 0 THEN 60 ELSE 5 END AS a, abs(hashint4(-i)) % 100 < CASE WHEN i % 50 = 0 THEN 30 ELSE 10 END AS b FROM generate_series(1, 10000) i;
ALTER TABLE drawn ADD PRIMARY KEY (id);
CREATE VIEW drawn_signals AS SELECT id, received_at, a, b FROM drawn;
CREATE VIEW drawn_labels AS SELECT id, bad AS malicious FROM drawn WHERE CASE WHEN bad THEN id % 100 = 0 ELSE abs(hashint4(id + 20000)) % 24 = 0 END;
CALL assay.onboard('drawn', messages => 'drawn', pack => NULL, signals => 'drawn_signals', labels => 'drawn_labels', options => '{"document": {"pg_assay_policy": 1, "settings": {"prior": 0},
	"detectors": [{"name": "a", "condition": "a", "weight": 1, "mode": "live"}, {"name": "b", "condition": "b", "weight": 1, "mode": "live"}]}}');
SELECT avg(malicious::int) BETWEEN 0.18 AND 0.22 AS labels, (SELECT avg(bad::int) FROM drawn) = 0.02 AS messages FROM drawn_labels;
SELECT substring(note FROM 'about ([\d.]+) %')::numeric BETWEEN 1 AND 4 AS messages, note LIKE '%fitted ones are taken' AS taken FROM assay.onboarding WHERE policy = 'drawn' AND step = 'weights';
SELECT prior BETWEEN -6 AND -4 AS prior FROM assay.policies WHERE policy = 'drawn';
SELECT abs(avg(score) - 0.02) < 0.015 AS as_often_as_it_is, max(score) FILTER (WHERE NOT a AND NOT b) < 0.02 AS nothing_known FROM drawn_verdict JOIN drawn USING (id);
SELECT assay.offboard('drawn');
-- where most messages have something that speaks for them, a fit would make of one without it an alert: its prior is bounded, and other weights do what it did
UPDATE drawn SET bad = id % 5 = 0, a = abs(hashint4(id)) % 100 < CASE WHEN id % 5 = 0 THEN 90 ELSE 5 END;
CREATE OR REPLACE VIEW drawn_labels AS SELECT id, bad AS malicious FROM drawn WHERE id % 3 = 0;
CALL assay.onboard('drawn', messages => 'drawn', pack => NULL, signals => 'drawn_signals', labels => 'drawn_labels', budget => '{"alerts_per_day": 100}', options => '{"document":
	{"pg_assay_policy": 1, "settings": {"prior": -1}, "detectors": [{"name": "loud", "condition": "a", "weight": 0.001, "mode": "live"},
	{"name": "quiet", "condition": "NOT a", "weight": -4, "mode": "live"}]}}');
SELECT note LIKE '%for which the prior is made, with a prior no higher than that; %fitted ones are taken' AS bounded FROM assay.onboarding WHERE policy = 'drawn' AND step = 'weights';
SELECT round(1 / (1 + exp(-prior))::numeric, 1) AS nothing_known FROM assay.policies WHERE policy = 'drawn';
SELECT avg((score >= 0.5)::int) FILTER (WHERE bad) > 0.8 AS caught, avg((score >= 0.5)::int) FILTER (WHERE NOT bad) < 0.1 AS false_alerts FROM drawn_verdict JOIN drawn USING (id);
SELECT assay.offboard('drawn');
-- all that is malicious is held back: nothing can be fitted, and the rest goes on
UPDATE drawn SET bad = id > 8500;
CALL assay.onboard('drawn', messages => 'drawn', pack => NULL, signals => 'drawn_signals', labels => 'drawn_labels', options => '{"document":
	{"pg_assay_policy": 1, "settings": {"prior": -1}, "detectors": [{"name": "loud", "condition": "a", "weight": 1, "mode": "live"}]}}');
SELECT step, state, note FROM assay.onboarding WHERE policy = 'drawn' AND step IN ('weights', 'history again', 'live') ORDER BY n;
SELECT name, value, detail FROM assay.onboarding_report WHERE policy = 'drawn' AND name LIKE '% to fit to' ORDER BY n;
SELECT assay.offboard('drawn');
-- of 19 malicious ones that are older nothing is learned, of 20 it is
CREATE OR REPLACE VIEW drawn_labels AS SELECT id, bad AS malicious FROM drawn WHERE id % 5 = 0;
UPDATE drawn SET bad = id BETWEEN 1001 AND 1095 OR id > 9500, a = abs(hashint4(id)) % 100 < CASE WHEN id BETWEEN 1001 AND 1095 OR id > 9500 THEN 90 ELSE 5 END;
CALL assay.onboard('drawn', messages => 'drawn', pack => NULL, signals => 'drawn_signals', labels => 'drawn_labels', options => '{"document":
	{"pg_assay_policy": 1, "settings": {"prior": -1}, "detectors": [{"name": "loud", "condition": "a", "weight": 1, "mode": "live"}]}}');
SELECT step, state, note FROM assay.onboarding WHERE policy = 'drawn' AND step IN ('weights', 'history again') ORDER BY n;
SELECT prior, weight FROM assay.policies JOIN assay.detectors USING (policy) WHERE policy = 'drawn';
SELECT name, value FROM assay.onboarding_report WHERE policy = 'drawn' AND name LIKE '% to fit to' ORDER BY n;
SELECT assay.offboard('drawn');
UPDATE drawn SET bad = true, a = true WHERE id = 1100;
CALL assay.onboard('drawn', messages => 'drawn', pack => NULL, signals => 'drawn_signals', labels => 'drawn_labels', options => '{"document":
	{"pg_assay_policy": 1, "settings": {"prior": -1}, "detectors": [{"name": "loud", "condition": "a", "weight": 1, "mode": "live"}]}}');
SELECT step, state, note LIKE '%fitted ones are taken%' AS taken FROM assay.onboarding WHERE policy = 'drawn' AND step IN ('weights', 'history again') ORDER BY n;
SELECT name, value FROM assay.onboarding_report WHERE policy = 'drawn' AND name LIKE '% to fit to' ORDER BY n;
SELECT assay.offboard('drawn');
DROP TABLE drawn CASCADE;
-- names that look like places in a statement, and a collation for which there are no regular expressions
CREATE COLLATION lax (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE odd (id int PRIMARY KEY, "{source}" timestamptz NOT NULL, "{at}" text COLLATE lax, n int);
INSERT INTO odd SELECT i, timestamptz '2024-01-01' + i * interval '1 hour', 'tenant ' || i % 2, i FROM generate_series(1, 48) i;
CREATE VIEW odd_signals AS SELECT * FROM odd;
CREATE VIEW odd_labels AS SELECT id, n > 40 AS malicious FROM odd;
CALL assay.onboard('odd', messages => 'odd', pack => NULL, signals => 'odd_signals', at => '{source}', tenant => '{at}', labels => 'odd_labels',
	options => '{"document": {"pg_assay_policy": 1, "settings": {}, "detectors": [{"name": "{label}", "condition": "n > 40", "mode": "live", "force_verdict": "malicious"}]}}');
SELECT step, state, rows FROM assay.onboarding WHERE policy = 'odd' AND state <> 'done';
SELECT name, value FROM assay.onboarding_report WHERE policy = 'odd' AND part = 'label' AND value = again(query) ORDER BY n;
SELECT tenant, messages, alerts FROM assay.tenant_status WHERE policy = 'odd' ORDER BY 1;
SELECT name, value FROM assay.onboarding_report WHERE policy = 'odd' AND part = 'detector';
SELECT assay.offboard('odd');
DROP TABLE odd CASCADE;
DROP COLLATION lax;
-- what is not mine
RESET ROLE;
SET ROLE onboard_stranger;
SELECT * FROM assay.onboarding;
SELECT * FROM assay.onboarding_report;
SELECT assay.go_live('inbox');
SELECT assay.back_to_learning('inbox');
SELECT assay.offboard('inbox');
SELECT assay_internal.as_policy_owner('inbox', 'keep', '{}');
SELECT assay_internal.keep_onboarding('inbox', 'end', '{}');
SELECT assay_internal.keep_onboarding('inbox', 'plan', '{"role": "onboard_owner"}');
CALL assay.onboard('inbox', messages => '"Inbox"');
RESET ROLE;
CALL assay.onboard('inbox', messages => '"Inbox"', labels => '"Inbox"', columns => '{"malicious": "spam"}');
SET ROLE onboard_owner;
-- undone
SELECT assay.offboard('inbox');
SELECT count(*) AS steps FROM assay.onboarding;
SELECT c.relname, c.relkind FROM pg_class c WHERE c.relnamespace = '"On Board"'::regnamespace AND c.relkind <> 'i' ORDER BY 1;
SELECT count(*) AS indexes FROM pg_index WHERE indrelid = '"Inbox"'::regclass;
SELECT count(*) AS triggers FROM pg_trigger WHERE tgrelid = '"Inbox"'::regclass;
SELECT count(*) AS sets FROM assay.named_sets WHERE set LIKE 'inbox.%';
SELECT count(*) AS models FROM assay.text_models WHERE name LIKE 'inbox%';

-- tenants: what comes later learns
CREATE TABLE message (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant_id text, received_at timestamptz NOT NULL, from_addr text, from_name text,
	from_domain text, recipients text[], subject text, body_text text);
CREATE FUNCTION fill(tenant text, n int, share int) RETURNS void LANGUAGE sql AS $$
	INSERT INTO message (tenant_id, received_at, from_addr, from_name, from_domain, recipients, subject, body_text)
	SELECT tenant, timestamptz '2024-03-01' + i * interval '1 hour', CASE WHEN i % share = 0 THEN 'service@pay-alerts.top' ELSE 'u' || i % 20 || '@partner.example' END,
		CASE WHEN i % share = 0 THEN 'PayPal' ELSE 'User ' || i % 20 END, CASE WHEN i % share = 0 THEN 'pay-alerts.top' ELSE 'partner.example' END, ARRAY['ann@corp.example'],
		CASE WHEN i % share = 0 THEN 'Your account has been limited' ELSE 'Meeting ' || i % 30 END,
		CASE WHEN i % share = 0 THEN 'Dear customer, please verify your account within 24 hours. Click here' ELSE 'Shall we talk about it?' END FROM generate_series(1, n) i $$;
SELECT fill('acme', 500, 50);
CALL assay.onboard('inbound', 'message', tenant => 'tenant_id', go_live => 'auto', budget => '{"alerts_per_day": 2}', options => '{"own_domains": ["corp.example"]}');
SELECT step, state, rows, note FROM assay.onboarding WHERE step IN ('tenants', 'live');
SELECT tenant, state, messages, alerts, alerts_per_day, note FROM assay.tenant_status;
SELECT baseline::text, key_columns FROM assay.baseline_info i JOIN assay.baseline b ON b.relation = i.baseline WHERE key_columns @> '{tenant_id}' ORDER BY 1;
-- "Beta" is not "beta", and nobody's is nobody's
SELECT fill('Beta', 100, 10), fill('beta', 500, 50), fill('noisy', 500, 3), fill(NULL, 50, 10);
SELECT tenant_id, verdict, count(*) FROM inbound_verdict v JOIN message USING (id) WHERE score > 0.5 GROUP BY 1, 2 ORDER BY 1, 2;
-- by maintain(), whoever calls it; with the rights of the owner
RESET ROLE;
SET client_min_messages = error;
CALL assay.maintain();
SET client_min_messages = warning;
SELECT step, object, state, rows, note FROM assay.maintenance WHERE step = 'learning' AND role = (SELECT oid FROM pg_roles WHERE rolname = current_user);
SET ROLE onboard_owner;
SELECT tenant, state, messages, alerts, alerts_per_day, note FROM assay.tenant_status ORDER BY tenant COLLATE "C";
SELECT value, note FROM assay.list WHERE set = 'inbound.live' ORDER BY 1;
SELECT fill('Beta', 10, 10), fill('beta', 10, 10), fill('acme', 10, 10), fill(NULL, 10, 10);
SELECT tenant_id, count(*) FROM inbound_verdict v JOIN message USING (id) WHERE verdict <> 'safe' GROUP BY 1 ORDER BY 1;
-- a threshold of its own: as exact as margins
SELECT assay.tenant_threshold('inbound', 'noisy', 'suspicious', 0.9);
SELECT assay.go_live('inbound', 'noisy'), assay.go_live('inbound', 'noisy') AS again;
SELECT fill('noisy', 3, 3);
SELECT v.verdict, abs(assay.margin(v.attribution) - assay.margin(w.attribution) - (ln(0.5 / 0.5) - ln(0.9 / 0.1))) < 1e-9 AS moved
FROM (SELECT v.* FROM inbound_verdict v JOIN message m USING (id) WHERE m.tenant_id = 'noisy' AND from_name = 'PayPal' ORDER BY id DESC LIMIT 1) v,
	inbound_signals s, assay.score('inbound', s, revision => 4) w WHERE s.id = v.id;
SELECT assay.tenant_threshold('inbound', 'noisy', 'suspicious', 0.6) < 0 AS changed, assay.tenant_threshold('inbound', 'noisy', 'suspicious', NULL) AS gone;
SELECT count(*) AS detectors FROM assay.detectors WHERE policy = 'inbound' AND 'tenant' = ANY (tags);
SELECT assay.tenant_threshold('inbound', 'noisy', 'suspicious', 1);
SELECT assay.tenant_threshold('inbound', 'noisy', 'nothing', 0.5);
SELECT assay.tenant_threshold('inbound', NULL, 'suspicious', 0.5);
-- exclusions, detectors and lists of one tenant
SELECT assay.exclude('inbound', 'beta: partner', 'tenant_id = ''beta'' AND from_domain = ''pay-alerts.top''', verdict => 'safe', reason => 'theirs') > 0 AS made;
SELECT assay.create_list('inbound.blocked.beta');
INSERT INTO assay.list (set, value, kind) VALUES ('inbound.blocked.beta', 'competitor.example', 'domain');
SELECT assay.create_detector('inbound', 'beta: blocked', 'tenant_id = ''beta'' AND in_list(''inbound.blocked.beta'', from_domain)', weight => 9, mode => 'live') > 0 AS made;
INSERT INTO message (tenant_id, received_at, from_addr, from_domain) SELECT t, '2024-04-01', 'x@competitor.example', 'competitor.example' FROM unnest('{acme,beta}'::text[]) t;
SELECT fill('beta', 10, 10);
SELECT tenant_id, from_domain, verdict FROM inbound_verdict JOIN message USING (id) WHERE id > (SELECT max(id) - 12 FROM message) AND (verdict <> 'safe' OR from_domain <> 'partner.example') ORDER BY id;
SELECT assay.back_to_learning('inbound', 'noisy'), assay.back_to_learning('inbound', 'noisy') AS again;
SELECT assay.back_to_learning('inbound');
SELECT tenant, state FROM assay.tenant_status WHERE tenant = 'noisy';
-- a tenant's name has up to 1000 bytes; who is called longer is decided, and stays in learning
BEGIN;
SELECT fill(repeat('é', 500), 1, 2), fill(repeat('é', 500) || 'x', 1, 2);
SELECT assay_internal.as_policy_owner('inbound', 'look', '{}') AS tenants;
SELECT octet_length(tenant) AS bytes, state, messages FROM assay.tenant_status WHERE tenant ~ 'é';
SELECT octet_length(m.tenant_id) AS bytes, count(d.id) AS decisions FROM message m LEFT JOIN inbound_decision d USING (id) WHERE m.tenant_id ~ 'é' GROUP BY 1 ORDER BY 1;
ROLLBACK;
-- erased, with a receipt
SELECT relation, what, rows, done FROM assay.erase_tenant('inbound', 'Beta', messages => true) WHERE relation !~ 'inbound_(pair|sender|org|inside)';
SELECT count(*) AS there FROM message WHERE tenant_id = 'Beta';
SELECT relation, what, rows, done FROM assay.erase_tenant('inbound', 'Beta', messages => true, dry_run => false) WHERE relation !~ 'inbound_(pair|sender|org|inside)';
SELECT (SELECT count(*) FROM message WHERE tenant_id = 'Beta') AS messages, (SELECT count(*) FROM inbound_decision LEFT JOIN message USING (id) WHERE message.id IS NULL) AS decisions,
	(SELECT count(*) FROM inbound_sender WHERE tenant_id = 'Beta') AS histories, (SELECT count(*) FROM assay.tenant_status WHERE tenant = 'Beta') AS status,
	(SELECT count(*) > 500 FROM message WHERE tenant_id = 'beta') AS others;
SELECT * FROM assay.erase_tenant('inbound', NULL);
-- again: no error, and it says that there is nothing
SET client_min_messages = notice;
SELECT count(*) AS relations, sum(rows) AS rows FROM assay.erase_tenant('inbound', 'Beta', messages => true, dry_run => false);
SELECT sum(rows) AS rows FROM assay.erase_tenant('inbound', 'nobody');
SELECT sum(rows) > 0 AS something FROM assay.erase_tenant('inbound', 'beta');
SET client_min_messages = warning;
-- of a name that nobody has nothing goes live, unless that is said
SELECT assay.go_live('inbound', 'acmee');
SELECT assay.go_live('inbound', repeat('x', 2000)) IS NULL;
SELECT assay.back_to_learning('inbound', 'acmee');
SELECT assay.go_live('inbound', 'acmee', ahead => NULL);
SELECT assay.go_live('inbound', 'newcomer', ahead => true), assay.go_live('inbound', 'newcomer') AS again, assay.back_to_learning('inbound', 'newcomer'), assay.back_to_learning('inbound', 'acme') AS known;
SELECT assay.go_live('inbound', 'acme');
-- of a tenant whose messages came since the last look
INSERT INTO message (tenant_id, received_at, from_addr) VALUES ('since', '2024-04-02', 'x@y.example');
SELECT count(*) AS looked_at FROM assay.tenant_status WHERE tenant = 'since';
SELECT assay.go_live('inbound', 'since');
-- the empty name is one like others
SELECT fill('', 6, 2);
SELECT assay.tenant_threshold('inbound', '', 'suspicious', 0.6) < 0 AS set, assay.tenant_threshold('inbound', '', 'suspicious', NULL) AS reset;
SELECT assay.go_live('inbound', ''), assay.back_to_learning('inbound', ''), assay.go_live('inbound', '') AS again;
SELECT tenant, state, messages FROM assay.tenant_status WHERE policy = 'inbound' AND tenant IN ('', 'since') ORDER BY 1;
SELECT fill('', 6, 2);
SELECT verdict, count(*) FROM inbound_verdict v JOIN message USING (id) WHERE tenant_id = '' GROUP BY 1 ORDER BY 1;
SELECT what, rows FROM assay.erase_tenant('inbound', '', messages => true, dry_run => false) WHERE what IN ('messages', 'live tenants') ORDER BY 1, 2;
SELECT count(*) AS there FROM message WHERE tenant_id = '';
-- rows that a stranger writes count for nothing where the policy is another's, and names in them are no more than names
RESET ROLE;
SET ROLE onboard_stranger;
-- 15 raises it as a wrong name, later ones as another's table
DO $$ BEGIN PERFORM assay_internal.keep_onboarding('later', 'plan', '{"messages": "x; SELECT 1 / 0", "source": "x; SELECT 1 / 0", "key": ["id"], "at": "at", "columns": {}, "options": {}, "budget": {}, "go_live": "auto", "checks": {}, "started_at": "2024-01-01", "tenant": "t"}'); RAISE 'not refused'; EXCEPTION WHEN invalid_name OR insufficient_privilege THEN NULL; END $$;
SELECT assay_internal.keep_onboarding('later', 'plan', '{"messages": "pg_catalog.pg_class", "source": "x; SELECT 1 / 0", "key": ["id"], "at": "at", "columns": {}, "options": {}, "budget": {}, "go_live": "auto", "checks": {}, "started_at": "2024-01-01", "tenant": "t"}');
RESET ROLE;
CREATE TABLE lure (id int);
ALTER TABLE lure OWNER TO onboard_stranger;
SET ROLE onboard_stranger;
SELECT assay_internal.keep_onboarding('later', 'plan', '{"messages": "\"On Board\".lure", "source": "x; SELECT 1 / 0", "key": ["id"], "at": "at", "columns": {}, "options": {}, "budget": {}, "go_live": "auto", "checks": {}, "started_at": "2024-01-01", "tenant": "t"}');
SELECT assay_internal.keep_onboarding('later', 'step', '{"step": "trigger", "n": 3, "state": "done"}');
SELECT assay_internal.keep_onboarding('later', 'step', '{"step": "another", "n": 3, "state": "done"}');
SELECT assay_internal.keep_onboarding('later', 'step', jsonb_build_object('step', 'trigger', 'n', 3, 'state', 'failed', 'note', repeat('x', 70000)));
SELECT assay_internal.keep_onboarding('later', 'report', '{"n": 1, "part": "p", "name": "n"}');
SELECT assay_internal.keep_onboarding('later', 'tenant', '{"tenant": "t", "state": "live", "at": "2024-01-01"}');
SELECT assay_internal.keep_onboarding('later', 'nothing', '{}');
SELECT assay_internal.keep_onboarding('later', 'step', '[1]');
-- a hundred policies that are not made, and none more
CREATE FUNCTION pg_temp.begin_onboarding(n int) RETURNS void LANGUAGE sql AS $$
	SELECT assay_internal.keep_onboarding('begun ' || n, 'plan', '{"messages": "\"On Board\".lure", "source": "x", "key": ["id"], "at": "at", "columns": {}, "options": {}, "budget": {}, "go_live": "auto", "checks": {}, "started_at": "2024-01-01"}') $$;
SELECT count(pg_temp.begin_onboarding(n)) FROM generate_series(2, 100) n;
SELECT pg_temp.begin_onboarding(101);
SELECT pg_temp.begin_onboarding(100);
SELECT assay.offboard('begun 100');
SELECT pg_temp.begin_onboarding(101);
SELECT count(assay.offboard('begun ' || n)) FROM generate_series(2, 101) n WHERE n <> 100;
DROP FUNCTION pg_temp.begin_onboarding(int);
RESET ROLE;
DROP TABLE lure;
SELECT assay.offboard('later');
SELECT assay.go_live('later');
SET ROLE onboard_owner;
CREATE VIEW later AS SELECT * FROM message;
SELECT assay.create_policy('later', 'later', '{id}');
RESET ROLE;
SELECT assay.go_live('later', 'a');
SELECT assay_internal.as_policy_owner('later', 'keep', '{}');
SET ROLE onboard_owner;
CALL assay.onboard('later', 'message', tenant => 'tenant_id');
SELECT assay.offboard('later');
SELECT assay.drop_policy('later', true);
DROP VIEW later;
-- a view of the user's stands on it: nothing is dropped
CREATE VIEW mine AS SELECT id FROM inbound_signals;
SELECT assay.offboard('inbound');
SELECT count(*) AS triggers FROM pg_trigger WHERE tgrelid = 'message'::regclass;
DROP VIEW mine;
SELECT assay.drop_set('inbound.blocked.beta');
SELECT assay.drop_policy('inbound');
DROP TRIGGER inbound_decide ON message;
SELECT assay.offboard('inbound', keep_tables => true);
SELECT c.relname FROM pg_class c WHERE c.relnamespace = '"On Board"'::regnamespace AND c.relkind IN ('r', 'v', 'm') ORDER BY 1;
DROP TABLE inbound_decision, inbound_label CASCADE;

-- without a pack: signals and detectors of one's own
CREATE VIEW signals AS SELECT id, received_at, from_domain, subject, to_jsonb(body_text) #>> '{}' AS content FROM message;
CREATE TABLE known (id bigint, malicious boolean, labelled_at timestamptz, source text);
INSERT INTO known SELECT id, from_domain = 'pay-alerts.top', received_at + interval '2 hours', 'analyst' FROM message WHERE id % 2 = 0;
CALL assay.onboard('own', 'message', pack => NULL, signals => 'signals', labels => 'known', go_live => 'auto', options => '{
	"document": {"pg_assay_policy": 1, "settings": {"prior": -3}, "detectors": [{"name": "limited", "condition": "subject ~ ''limited''", "weight": 2, "mode": "live"}]}}');
SELECT step, state, rows FROM assay.onboarding;
SELECT detector, kind, mode FROM assay.detectors WHERE policy = 'own' ORDER BY 1;
SELECT count(*) AS numbers, count(*) FILTER (WHERE value = again(query)) AS same FROM assay.onboarding_report WHERE policy = 'own' AND query IS NOT NULL;
SELECT name, detail FROM assay.onboarding_report WHERE policy = 'own' AND part = 'check';
SELECT assay.offboard('own');

-- 0 messages, 50 messages in partitions with a key of two columns, and no table at all
CREATE TABLE empty (id uuid PRIMARY KEY, received_at timestamptz, from_addr text);
CALL assay.onboard('empty', 'empty', go_live => 'auto');
SELECT step, state, rows, note FROM assay.onboarding WHERE step NOT IN ('columns', 'policy');
SELECT assay.offboard('empty');
CREATE TABLE parted (id bigint GENERATED ALWAYS AS IDENTITY, received_at timestamptz NOT NULL, from_addr text, subject text, body_text text, PRIMARY KEY (received_at, id))
	PARTITION BY RANGE (received_at);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
INSERT INTO parted (received_at, from_addr, subject) SELECT timestamptz '2024-01-02' + i * interval '1 hour', 'u@x.example', 'Hi' FROM generate_series(1, 50) i;
CALL assay.onboard('parted', 'parted', checks => '{"days": 2}', go_live => 'auto');
SELECT step, state, rows, note FROM assay.onboarding WHERE step NOT IN ('columns', 'policy');
INSERT INTO parted (received_at, from_addr, subject, body_text)
VALUES ('2024-01-05', 'PayPal@pay-alerts.top', 'Your account has been limited', 'Dear customer, please verify your account within 24 hours. Click here: act now');
SELECT count(*) AS decisions FROM parted_verdict;
SELECT assay.offboard('parted');
CREATE VIEW only_a_view AS SELECT * FROM empty;
CALL assay.onboard('viewed', 'only_a_view', key => '{id}');
SELECT step, state, rows, note FROM assay.onboarding WHERE step = 'trigger';
SELECT assay.offboard('viewed');

-- a key that is called as something in the statements of the steps
CREATE TABLE called (h int, known int, received_at timestamptz, from_addr text, subject text, body text, spam boolean, PRIMARY KEY (h, known));
INSERT INTO called SELECT i, i, timestamptz '2024-01-01' + i * interval '1 hour', 'a@b.example', 'Meeting', 'Shall we talk?', i % 2 = 0 FROM generate_series(1, 10) i;
CALL assay.onboard('called', 'called', labels => 'called', columns => '{"malicious": "spam"}');
SELECT step, state FROM assay.onboarding WHERE policy = 'called' AND (step IN ('labels', 'report') OR state = 'failed') ORDER BY n;
SELECT assay.offboard('called', keep_tables => false);
DROP TABLE called;

-- what can't be
CREATE TABLE bare (id int, a text, whenever timestamptz);
CALL assay.onboard('x', 'bare');
CALL assay.onboard('x', 'bare', key => '{nothing}');
CALL assay.onboard('x', 'bare', key => '{id}');
SELECT step, state, note FROM assay.onboarding WHERE state = 'failed';
SELECT assay.go_live('x');
CALL assay.onboard('x', 'bare', key => '{id}', columns => '{"from_addr": "b"}');
CALL assay.onboard('x', 'bare', key => '{id}', columns => '{"from_adr": "a"}');
CALL assay.onboard('x', 'bare', key => '{id}', columns => '{"from_addr": "id"}');
CALL assay.onboard('x', 'bare', key => '{id}', columns => '["a"]');
CALL assay.onboard('x', 'bare', key => '{id}', columns => '{"from_addr": "a", "received_at": "whenever"}', tenant => 'tenant_id');
CALL assay.onboard('x', 'bare', key => '{id}', columns => '{"from_addr": "a", "received_at": "whenever"}', labels => 'known');
CALL assay.onboard('x', 'bare', key => '{id}', columns => '{"from_addr": "a", "received_at": "whenever"}', labels => 'bare');
CALL assay.onboard('x', 'bare', key => '{id}', columns => '{"from_addr": "a", "received_at": "whenever"}', options => '{"own_domain": "x"}');
CALL assay.onboard('x', 'bare', key => '{id}', columns => '{"from_addr": "a", "received_at": "whenever"}');
SELECT assay.offboard('x');
CALL assay.onboard('x', 'bare', pack => 'sms', key => '{id}');
CALL assay.onboard('x', 'bare', pack => 'email''; DROP TABLE bare', key => '{id}');
CALL assay.onboard('x', 'bare', pack => NULL, key => '{id}');
CALL assay.onboard('x', 'bare', signals => 'signals', key => '{id}');
CALL assay.onboard('x', 'bare', pack => NULL, signals => 'signals', key => '{id}', at => 'subject');
CALL assay.onboard('x', 'bare', budget => '{"alerts": 3}');
CALL assay.onboard('x', 'bare', budget => '{"alerts_per_day": 0}');
CALL assay.onboard('x', 'bare', budget => '{"alerts_per_day": 1, "tenant_alerts_per_day": "1"}');
CALL assay.onboard('x', 'bare', go_live => 'never');
CALL assay.onboard('x', 'bare', checks => '{"day": 3}');
CALL assay.onboard('x', 'bare', batch => 0);
CALL assay.onboard(repeat('x', 41), 'bare');
CALL assay.onboard(NULL, 'bare');
CALL assay.onboard('x', NULL);
BEGIN;
CALL assay.onboard('x', 'empty');
ROLLBACK;
DO $$ BEGIN CALL assay.onboard('x', 'empty'); EXCEPTION WHEN division_by_zero THEN NULL; END $$;
CREATE FUNCTION calls() RETURNS void LANGUAGE plpgsql AS $$ BEGIN CALL assay.onboard('x', 'empty'); END $$;
SELECT calls();
SELECT assay_internal.may_commit();
SELECT assay.go_live('x');
SELECT assay.go_live(NULL);
SELECT count(*) AS steps FROM assay.onboarding;
RESET ROLE;
CALL assay.onboard('x', 'pg_temp.nothing');
SELECT assay.offboard('nowhere');
-- the step after the first part of the history decides all that is left, also what has no time
CREATE TABLE untimed (id int PRIMARY KEY, received_at timestamptz, malicious boolean);
INSERT INTO untimed VALUES (1, '2024-03-01', true), (2, '2024-03-02', false), (3, NULL, true), (4, 'infinity', NULL), (5, '-infinity', NULL);
CREATE VIEW untimed_signals AS SELECT id, received_at FROM untimed;
CALL assay.onboard('untimed', 'untimed', pack => NULL, signals => 'untimed_signals', labels => 'untimed');
SELECT step, rows FROM assay.onboarding WHERE policy = 'untimed' AND step ~ 'history';
SELECT * FROM assay.undecided('untimed');
SELECT assay.offboard('untimed');
CREATE VIEW plain_signals AS SELECT * FROM bare;
SELECT assay.create_policy('plain', 'plain_signals', '{id}', prior => -3);
SELECT assay.offboard('plain');
SELECT assay.drop_policy('plain', true);
DELETE FROM assay_internal.maintenance WHERE step = 'learning' OR object LIKE '%On Board%' OR object LIKE 'inbound%';
DROP SCHEMA "On Board" CASCADE;
DROP ROLE onboard_owner, onboard_stranger;
DROP EXTENSION pg_assay_email;
DELETE FROM assay.named_set WHERE set LIKE 'email.%';
-- by what a tenant goes in the list of those that are live, as the expression said that had been in its place
SELECT count(*), count(*) FILTER (WHERE v = t) AS plain, count(*) FILTER (WHERE v IS DISTINCT FROM CASE WHEN t COLLATE "C" ~ '^(?!md5:)[!-@[-~]{1,100}$' THEN t ELSE 'md5:' || md5(t) END) AS differ
FROM (SELECT u.t, assay_internal.tenant_value(u.t) AS v FROM (SELECT repeat('a', n) AS t FROM unnest('{0,1,99,100,101}'::int[]) n UNION ALL SELECT chr(c) || 'x' FROM generate_series(1, 300) c
	UNION ALL SELECT unnest('{md5:,md5:x,md5,md,xmd5:,MD5:x,a b}'::text[])) u) x;
