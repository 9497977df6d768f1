-- suggest_exclusion(): what frees a false positive; suggest_detector(): what tells missed messages from the rest
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE SCHEMA suggest;
SET search_path = suggest;
CREATE TABLE message (tenant text, id int, domain text, list_id text, kind int, score float8, money boolean, urls text[], note text COLLATE "C", at timestamptz DEFAULT now(), PRIMARY KEY (tenant, id));
CREATE VIEW signals AS SELECT * FROM message;
SELECT assay.create_policy('s', 'signals', '{tenant,id}', prior => -3, log_signals => true);
SELECT assay.create_detector('s', 'money', 'money', weight => 4, mode => 'live');
SELECT assay.create_detector('s', 'high', 'score > 1', weight => 2.5, mode => 'live');
SELECT assay.create_detector('s', 'watch', 'kind = 7', weight => 1, mode => 'shadow');
CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('s');
INSERT INTO message
SELECT CASE WHEN i % 2 = 0 THEN 'a' ELSE 'b' END, i,
	CASE WHEN i % 10 = 0 THEN 'payroll.example' ELSE 'd' || i % 7 || '.example' END,
	CASE WHEN i % 3 = 0 THEN 'l''ist' END, i % 9, i % 20 / 10.0, i % 5 = 0, ARRAY['u' || i % 4, 'u' || i % 6], 'n' || i
FROM generate_series(1, 400) i;
-- labels: one of the same sender is malicious
INSERT INTO s_label (tenant, id, malicious, source) VALUES ('a', 20, true, 'test'), ('a', 50, false, 'test'), ('a', 30, false, 'test');
SELECT verdict, count(*) FROM s_decision GROUP BY 1 ORDER BY 1;

-- of 30: a.30, payroll, list
SELECT verdict FROM s_decision WHERE id = 30;
SELECT rank, condition, mutes, others, malicious, safe FROM assay.suggest_exclusion('s', 'a', 30);
-- what it says others is so, and the statement frees the message
CREATE FUNCTION tried(in_tenant text, in_id int) RETURNS TABLE (condition text, others bigint, malicious bigint, now text, freed bigint, freed_malicious bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE s record;
BEGIN
	FOR s IN SELECT * FROM assay.suggest_exclusion('s', in_tenant, in_id) x LOOP
		BEGIN
			EXECUTE s.statement;
			RETURN QUERY SELECT s.condition, s.others, s.malicious, max(r.verdict) FILTER (WHERE r.key = ARRAY[in_tenant, in_id::text]),
				count(*) FILTER (WHERE r.verdict = 'safe' AND d.verdict <> 'safe' AND r.key <> ARRAY[in_tenant, in_id::text]),
				count(*) FILTER (WHERE r.verdict = 'safe' AND d.verdict <> 'safe' AND l.malicious AND r.key <> ARRAY[in_tenant, in_id::text])
			FROM assay.replay('s', at => NULL, signals => 'auto') r JOIN s_verdict d ON d.tenant = r.key[1] AND d.id = r.key[2]::int
			LEFT JOIN s_label_latest l ON l.tenant = d.tenant AND l.id = d.id;
			RAISE EXCEPTION SQLSTATE 'ZZZZZ';
		EXCEPTION WHEN SQLSTATE 'ZZZZZ' THEN NULL;
		END;
	END LOOP;
END $$;
SELECT count(*) > 3 AS some, count(*) FILTER (WHERE now IS DISTINCT FROM 'safe') AS not_freed, count(*) FILTER (WHERE others <> freed) AS others_wrong, count(*) FILTER (WHERE malicious <> freed_malicious) AS malicious_wrong
FROM tried('a', 30);
SELECT count(*) FILTER (WHERE now IS DISTINCT FROM 'safe') AS not_freed, count(*) FILTER (WHERE others <> freed) AS others_wrong FROM tried('b', 15);
SELECT statement FROM assay.suggest_exclusion('s', 'b', '15') WHERE rank = 1;
-- by the view, where nothing was logged
SELECT count(*) AS logged FROM assay.suggest_exclusion('s', 'a', 30);
BEGIN;
UPDATE s_decision SET signals = NULL;
SELECT rank, condition, mutes, others, malicious, safe FROM assay.suggest_exclusion('s', 'a', 30) WHERE rank <= 4;
-- a column of the decision table is called as the view is in the statement: the server ended
ALTER TABLE s_decision ADD message int DEFAULT 5;
SELECT count(*) > 3 AS by_the_view FROM assay.suggest_exclusion('s', 'a', 30);
ROLLBACK;
-- a message that the prior holds back: only a verdict frees it
BEGIN;
SELECT assay.alter_policy('s', prior => 1);
INSERT INTO message VALUES ('a', 1001, 'new.example', NULL, 1, 0, false, NULL, 'n');
SELECT condition, mutes, others, statement FROM assay.suggest_exclusion('s', 'a', 1001) WHERE condition LIKE 'domain%';
ROLLBACK;
-- errors
SELECT * FROM assay.suggest_exclusion('s', 'a', 2);
SELECT * FROM assay.suggest_exclusion('s', 'a', 99999);
SELECT * FROM assay.suggest_exclusion('s', 1);
SELECT * FROM assay.suggest_exclusion('nowhere', 1);
SELECT * FROM assay.suggest_exclusion('s', VARIADIC NULL::text[]);

-- missed: kind 8 from d3 with score of 0.5 or more, and the url u1
SELECT array_agg(ARRAY[tenant, id::text] ORDER BY id) AS missed FROM message WHERE domain = 'd3.example' AND kind = 8 \gset
SELECT draft, condition, caught, new_caught, hits, malicious, safe, round("precision"::numeric, 3) AS "precision", round(lower::numeric, 3) AS lower, round(upper::numeric, 3) AS upper, overlap
FROM assay.suggest_detector('s', :'missed');
SELECT statement FROM assay.suggest_detector('s', :'missed', n => 1) \gset
:statement
SELECT mode, condition FROM assay.detectors WHERE policy = 's' AND mode = 'draft';
-- two kinds of messages take two drafts; numbers by limits
SELECT array_agg(ARRAY[tenant, id::text] ORDER BY id) AS missed FROM message WHERE score >= 1.8 OR (domain = 'd1.example' AND list_id IS NOT NULL AND money) \gset
SELECT draft, condition, caught, new_caught, hits FROM assay.suggest_detector('s', :'missed');
-- what it says is so
SELECT count(*) AS drafts, count(*) FILTER (WHERE b.hits <> s.hits) AS hits_wrong,
	count(*) FILTER (WHERE (SELECT coalesce(jsonb_object_agg(o->>'detector', o->'both'), '{}') FROM jsonb_array_elements(b.overlap) o)
		IS DISTINCT FROM (SELECT coalesce(jsonb_object_agg(o->>'detector', o->'both'), '{}') FROM jsonb_array_elements(s.overlap) o)) AS overlap_wrong
FROM assay.suggest_detector('s', :'missed') s, assay.backtest('s', s.condition, at => 'at', signals => 'logged') b;
-- nothing to tell them from
SELECT draft, condition, caught, hits FROM assay.suggest_detector('s', :'missed', since => now() + interval '1 day', n => 2);
-- the given ones count once, whatever their labels say
BEGIN;
INSERT INTO s_label (tenant, id, malicious, source) SELECT tenant, id, true, 'missed' FROM message WHERE score >= 1.8 OR (domain = 'd1.example' AND list_id IS NOT NULL AND money);
SELECT draft, caught, hits, malicious, safe, "precision" <= 1 AS share FROM assay.suggest_detector('s', :'missed');
ROLLBACK;
-- one part only
SELECT condition FROM assay.suggest_detector('s', :'missed', parts => 1, n => 1);
-- quoting, nulls, odd values
BEGIN;
ALTER TABLE message ADD COLUMN "Odd "" name" text;
CREATE OR REPLACE VIEW signals AS SELECT * FROM message;
INSERT INTO message (tenant, id, domain, "Odd "" name", score) SELECT 'a', 2000 + i, NULL, E'it''s \\ odd', CASE WHEN i = 1 THEN float8 'NaN' WHEN i = 2 THEN 'Infinity' END FROM generate_series(1, 5) i;
SELECT condition, caught, hits FROM assay.suggest_detector('s', '{{a,2001},{a,2002},{a,2003}}');
SELECT condition, caught, hits FROM assay.suggest_detector('s', '{{a,2001},{a,2002}}', since => now() - interval '1 day');
ROLLBACK;
-- errors
SELECT assay.suggest_detector('s', '{}');
SELECT assay.suggest_detector('s', '{a,1}');
SELECT assay.suggest_detector('s', '{{a,1,2}}');
SELECT assay.suggest_detector('s', '{{a,x}}');
SELECT assay.suggest_detector('s', '{{a,99999}}');
SELECT assay.suggest_detector('s', '{{NULL,NULL}}');
SELECT assay.suggest_detector('s', NULL);
SELECT assay.suggest_detector('s', '{{a,2}}', n => 0);
SELECT assay.suggest_detector('s', '{{a,2}}', n => 21);
SELECT assay.suggest_detector('s', '{{a,2}}', parts => 7);
SELECT assay.suggest_detector('s', '{{a,2}}', confidence => 1);
SELECT assay.suggest_detector('nowhere', '{{a,2}}');
-- rights: a reader of the decisions and the view
CREATE ROLE assay_suggest;
GRANT USAGE ON SCHEMA suggest TO assay_suggest;
SET ROLE assay_suggest;
SELECT assay.suggest_detector('s', '{{a,2}}');
RESET ROLE;
SELECT assay.grant_access('s', 'assay_suggest', 'builder');
SET ROLE assay_suggest;
SELECT count(*) FROM assay.suggest_detector('s', '{{a,2}}', n => 1);
SELECT count(*) FROM assay.suggest_exclusion('s', 'a', 30) WHERE rank = 1;
RESET ROLE;
-- values of the view's types are made as the policy's owner: a domain's constraint is code
CREATE SCHEMA suggest_owner AUTHORIZATION assay_suggest;
SET ROLE assay_suggest;
CREATE FUNCTION suggest_owner.holds() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	IF current_user <> 'assay_suggest' THEN
		RAISE WARNING 'the owner''s code as %', current_user;
	END IF;
	RETURN true;
END $$;
CREATE DOMAIN suggest_owner.word AS text CHECK (suggest_owner.holds());
CREATE TABLE suggest_owner.message (id int PRIMARY KEY, word suggest_owner.word, kind int);
CREATE VIEW suggest_owner.signals AS SELECT * FROM suggest_owner.message;
SELECT assay.create_policy('d', 'suggest_owner.signals', '{id}', prior => -1, log_signals => true);
SELECT assay.create_detector('d', 'kind', condition => 'kind = 1', weight => 5, mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON suggest_owner.message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('d');
INSERT INTO suggest_owner.message SELECT i, 'w', 1 FROM generate_series(1, 20) i;
RESET ROLE;
SELECT condition FROM assay.suggest_exclusion('d', 3) WHERE rank = 1;
SELECT condition FROM assay.suggest_detector('d', '{3,4,5}', n => 1);
SET ROLE assay_suggest;
DROP TRIGGER decide ON suggest_owner.message;
SELECT assay.drop_policy('d', true);
RESET ROLE;
DROP SCHEMA suggest_owner CASCADE;
DROP TRIGGER decide ON message;
SELECT assay.drop_policy('s', true);
DROP SCHEMA suggest CASCADE;
DROP ROLE assay_suggest;
