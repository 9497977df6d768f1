-- what senders, tenants, builders and strangers could do to what onboard() makes
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION IF NOT EXISTS pg_assay_email;
CREATE ROLE onboard_chief;
CREATE ROLE onboard_heir;
CREATE ROLE onboard_outsider;
CREATE SCHEMA onb AUTHORIZATION onboard_chief;
GRANT ALL ON SCHEMA onb TO onboard_outsider, onboard_heir;
SET search_path = onb;
SET ROLE onboard_chief;
-- letters that no index takes, and none can be compressed
CREATE FUNCTION junk(n int) RETURNS text LANGUAGE sql AS $$ SELECT left(string_agg(md5(i::text), ''), n) FROM generate_series(1, n / 32 + 1) i $$;

-- no value that a sender chooses refuses the INSERT
CREATE TABLE mail (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant_id text, received_at timestamptz NOT NULL, sender varchar, reply_to text, "to" text,
	subject text, body text, message_id text, in_reply_to text, url_domains text[], from_org text);
INSERT INTO mail (tenant_id, received_at, sender, subject, body)
SELECT 'acme', timestamptz '2024-03-01' + i * interval '1 hour', 'u' || i % 20 || '@partner.example', 'Meeting ' || i % 30, 'Shall we talk?' FROM generate_series(1, 400) i;
CALL assay.onboard('mail', 'mail', tenant => 'tenant_id');
INSERT INTO mail (tenant_id, received_at, sender) VALUES ('acme', '2024-04-01', junk(8000) || '@x.example'), ('acme', '2024-04-01', 'A <' || junk(8000) || '@x.example>');
INSERT INTO mail (tenant_id, received_at, sender) VALUES (junk(8000), '2024-04-01', 'a@x.example');
INSERT INTO mail (tenant_id, received_at, sender, reply_to, "to", subject, body, message_id, in_reply_to, url_domains, from_org)
VALUES ('acme', '2024-04-01', 'a@x.example', junk(9000), junk(9000), junk(9000), junk(9000), junk(9000), junk(9000), ARRAY[junk(9000), junk(9001)], junk(9000));
SELECT count(*) AS undecided FROM mail LEFT JOIN mail_verdict v USING (id) WHERE v.id IS NULL;
-- a sender of a long address is told from another, and found again
INSERT INTO mail (tenant_id, received_at, sender) VALUES ('acme', '2024-04-01 01:00', junk(8000) || '@x.example'), ('acme', '2024-04-01 01:00', junk(8000) || '@y.example');
SELECT right(sender, 10) AS sender, sender_last_day FROM mail_signals JOIN mail USING (id) ORDER BY id DESC LIMIT 2;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM mail_messages o WHERE "left"(o.from_addr, 320) = "left"('a@x.example', 320) AND o.from_addr = 'a@x.example' AND received_at > '2024-03-01';
RESET enable_seqscan;
RESET enable_bitmapscan;
-- nor does a name keep tenants from being looked at
CALL assay.maintain();
SELECT state, note FROM assay.maintenance WHERE step = 'learning' AND object = 'mail';
SELECT tenant, state FROM assay.tenant_status WHERE policy = 'mail';

-- a tenant that is called like the digest of another is another
SELECT assay.go_live('mail', 'Globex', ahead => true);
INSERT INTO mail (tenant_id, received_at, sender, subject, body) SELECT t, '2024-04-02', 'PayPal <service@pay-alerts.top>', 'Your account has been limited',
	'Dear customer, please verify your account within 24 hours. Click here' FROM unnest(ARRAY['Globex', 'globex', 'md5:' || md5('Globex')]) t;
SELECT tenant_id, verdict <> 'safe' AS live FROM mail JOIN mail_verdict USING (id) ORDER BY id DESC LIMIT 3;

-- nobody else's lock holds up the owner's
RESET ROLE;
SET ROLE onboard_outsider;
SELECT assay_internal.lock_onboarding('mail');
SELECT pg_advisory_lock(hashtext('assay.onboard'), hashtext('mail'));
RESET ROLE;
SELECT count(*) AS advisory FROM pg_proc p WHERE p.pronamespace IN ('assay'::regnamespace, 'assay_internal'::regnamespace) AND p.prosrc ~ 'advisory';
SELECT pg_advisory_unlock_all();
SET ROLE onboard_chief;
SELECT assay.offboard('mail');

-- names of detectors that look like what statements are made of
CREATE TABLE ticket (id bigint PRIMARY KEY, received_at timestamptz, tenant text, words text);
CREATE VIEW ticket_signals AS SELECT id, received_at, tenant, length(words) AS len FROM ticket;
INSERT INTO ticket SELECT i, timestamptz '2024-03-01' + i * interval '1 hour', 'ten' || i % 3, repeat('x', i % 100) FROM generate_series(1, 500) i;
CALL assay.onboard('ticket', 'ticket', pack => NULL, signals => 'ticket_signals', tenant => 'tenant', options => '{"document": {"pg_assay_policy": 1, "settings": {"prior": -3}, "detectors": [
	{"name": "key", "condition": "len > 90", "weight": 6, "mode": "live", "force_verdict": "malicious"}, {"name": "{source}", "condition": "len > 80", "weight": 6, "mode": "live"}]}}');
SELECT step, state FROM assay.onboarding WHERE policy = 'ticket' AND state = 'failed';
SELECT name, value FROM assay.onboarding_report WHERE policy = 'ticket' AND part = 'detector';

-- another's relation of a name that was kept: none of its code runs with the owner's rights
ALTER TABLE ticket RENAME TO ticket_then;
RESET ROLE;
SET ROLE onboard_outsider;
CREATE TABLE got (who name);
GRANT ALL ON got TO PUBLIC;
CREATE FUNCTION spy(t text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN INSERT INTO onb.got VALUES (current_user); RETURN t; END $$;
CREATE VIEW ticket AS SELECT 1::bigint AS id, now() AS received_at, onb.spy('ten0') AS tenant, ''::text AS words, onb.spy('x') = 'x' AS malicious;
GRANT ALL ON ticket TO PUBLIC;
RESET ROLE;
SET client_min_messages = error;
CALL assay.maintain();
SET client_min_messages = warning;
SELECT state, note FROM assay.maintenance WHERE step = 'learning' AND object = 'ticket';
SET ROLE onboard_chief;
SELECT * FROM assay.erase_tenant('ticket', 'ten0', messages => true) WHERE what = 'messages';
SELECT assay.go_live('ticket');
CREATE TABLE third (id bigint PRIMARY KEY, received_at timestamptz);
CREATE VIEW third_signals AS SELECT * FROM third;
CALL assay.onboard('third', 'third', pack => NULL, signals => 'third_signals', labels => 'ticket');
SELECT count(*) AS spied FROM got;
RESET ROLE;
DROP VIEW ticket;
ALTER TABLE ticket_then RENAME TO ticket;

-- it goes with the policy, to whom that goes
ALTER TABLE ticket OWNER TO onboard_heir;
ALTER VIEW ticket_signals OWNER TO onboard_heir;
SELECT assay.alter_policy('ticket', owner => 'onboard_heir') > 0 AS given;
SET ROLE onboard_chief;
SELECT count(*) AS seen FROM assay.onboarding WHERE policy = 'ticket';
SELECT assay.go_live('ticket', 'ten0');
RESET ROLE;
SET ROLE onboard_heir;
SELECT count(*) > 0 AS seen FROM assay.onboarding WHERE policy = 'ticket';
-- nor is a name of who only says that he onboards it: it goes to who begins next, and is of who makes the policy
RESET ROLE;
SET ROLE onboard_outsider;
SELECT assay_internal.keep_onboarding('named', 'plan', '{"messages": "onb.got", "source": "onb.got", "key": ["id"], "at": "at", "columns": {}, "options": {}, "budget": {}, "go_live": "auto", "checks": {},
	"started_at": "2024-01-01"}');
SELECT assay_internal.keep_onboarding('named', 'step', '{"step": "policy", "n": 2, "state": "failed"}');
SET ROLE onboard_chief;
SELECT assay_internal.keep_onboarding('named', 'step', '{"step": "policy", "n": 2, "state": "done"}');
SELECT assay_internal.keep_onboarding('named', 'plan', '{"messages": "onb.third_signals", "source": "onb.third_signals", "key": ["id"], "at": "at", "columns": {}, "options": {}, "budget": {}, "go_live": "auto", "checks": {},
	"started_at": "2024-01-01"}');
RESET ROLE;
SELECT role, messages, (SELECT count(*) FROM assay_internal.onboarding_step s WHERE s.policy = o.policy) AS steps FROM assay_internal.onboarding o WHERE policy = 'named';
SET ROLE onboard_chief;
SELECT assay.create_policy('named', 'third_signals', '{id}');
SET ROLE onboard_outsider;
SELECT assay_internal.keep_onboarding('named', 'plan', '{"messages": "onb.got", "source": "onb.got", "key": ["id"], "at": "at", "columns": {}, "options": {}, "budget": {}, "go_live": "auto", "checks": {},
	"started_at": "2024-01-01"}');
SET ROLE onboard_chief;
SELECT assay.drop_policy('named', true);
SELECT assay.offboard('named');
-- who planted a row before there was a policy has none of it
RESET ROLE;
SET ROLE onboard_outsider;
SELECT assay_internal.keep_onboarding('planted', 'plan', '{"messages": "onb.got", "source": "onb.got", "key": ["id"], "at": "at", "columns": {}, "options": {}, "budget": {}, "go_live": "auto", "checks": {},
	"started_at": "2024-01-01", "decision": "pg_class", "role": "postgres"}');
SELECT assay_internal.keep_onboarding('planted', 'made', '{}');
RESET ROLE;
SELECT role, decision FROM assay_internal.onboarding WHERE policy = 'planted';
SET ROLE onboard_chief;
SELECT assay.create_policy('planted', 'third_signals', '{id}');
SELECT count(*) AS mine FROM assay_internal.own_onboarding WHERE policy = 'planted';
RESET ROLE;
SET ROLE onboard_outsider;
SELECT assay_internal.keep_onboarding('planted', 'made', '{}');
SELECT assay.go_live('planted');
RESET ROLE;
SELECT role, decision FROM assay_internal.onboarding WHERE policy = 'planted';
-- a member that may not act as the role lets it begin nothing of the member's
ALTER ROLE onboard_heir NOINHERIT;
GRANT onboard_outsider TO onboard_heir;
SET ROLE onboard_outsider;
SELECT assay_internal.keep_onboarding('lent', 'plan', '{"messages": "onb.ticket", "source": "onb.ticket", "key": ["id"], "at": "at", "columns": {}, "options": {}, "budget": {}, "go_live": "told", "checks": {},
	"started_at": "2024-01-01"}');
RESET ROLE;
REVOKE onboard_outsider FROM onboard_heir;
ALTER ROLE onboard_heir INHERIT;
GRANT onboard_outsider TO onboard_heir;
SET ROLE onboard_outsider;
SELECT assay_internal.keep_onboarding('lent', 'plan', '{"messages": "onb.ticket", "source": "onb.ticket", "key": ["id"], "at": "at", "columns": {}, "options": {}, "budget": {}, "go_live": "told", "checks": {},
	"started_at": "2024-01-01"}');
SELECT assay.offboard('lent');
RESET ROLE;
REVOKE onboard_outsider FROM onboard_heir;
-- no order of tables is lost by a parallel restore
SELECT count(*) AS foreign_keys FROM pg_constraint c, pg_extension x WHERE c.contype = 'f' AND c.conrelid = ANY (x.extconfig) AND x.extname LIKE 'pg\_assay%';
SET ROLE onboard_heir;
SELECT assay.offboard('ticket');
RESET ROLE;
SELECT policy FROM assay_internal.onboarding UNION SELECT policy FROM assay_internal.onboarding_step UNION SELECT policy FROM assay_internal.tenant ORDER BY 1;
SELECT assay.drop_policy('planted', true);
SET ROLE onboard_outsider;
SELECT assay.offboard('planted');
RESET ROLE;
DROP SCHEMA onb CASCADE;
SELECT assay.drop_set('ticket.live');
DELETE FROM assay_internal.maintenance WHERE step = 'learning' OR object LIKE 'onb.%' OR object IN ('mail', 'ticket', 'third', 'planted');
DELETE FROM assay_internal.onboarding;
DELETE FROM assay_internal.onboarding_step;
DROP ROLE onboard_chief, onboard_heir, onboard_outsider;
DROP EXTENSION pg_assay_email;
DELETE FROM assay.named_set WHERE set LIKE 'email.%';
