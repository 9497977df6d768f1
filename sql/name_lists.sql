-- names that lie, of lists: nearest_name, lookalike_domain, display_name_claim
SET client_min_messages = warning;
SET search_path = public, assay;
\pset format unaligned
\pset tuples_only on
CREATE ROLE nl_reader;
SELECT create_list('nl_names'), create_list('nl_domains'), create_list('nl_people'), create_list('nl_brands'), create_phrase_set('nl_phrases');
SELECT nearest_name('paypal', 'nl_names') IS NULL AS empty, lookalike_domain('paypa1.com', 'nl_domains') IS NULL AS empty;
INSERT INTO list (set, value) VALUES ('nl_names', 'PayPal'), ('nl_names', 'Bank of America'), ('nl_names', repeat('x', 257));
INSERT INTO list (set, value, kind) VALUES ('nl_names', 'microsoft.com', 'domain'), ('nl_names', 'Microsof', 'prefix'), ('nl_names', '10.0.0.0/8', 'cidr');
INSERT INTO list (set, value, tenant) VALUES ('nl_names', 'Tenant Bank', 't');
INSERT INTO list (set, value, kind) VALUES ('nl_domains', 'paypal.com', 'domain'), ('nl_domains', 'apple.com', 'exact'), ('nl_domains', 'boss@example.com', 'exact'), ('nl_domains', 'com', 'domain'), ('nl_domains', '10.0.0.1/32', 'cidr');
-- as of an array of the same
SELECT t, n.*, n.name IS NOT DISTINCT FROM (nearest_name(t, ARRAY['Bank of America', 'PayPal'])).name AS same FROM unnest('{PаyPal,PayPaI,paypol,bank of amerca,nobody,Tenant Bank,Microsof,microsoft.com}'::text[]) t, nearest_name(t, 'nl_names') n;
SELECT t, n.*, n.how IS NOT DISTINCT FROM (lookalike_domain(t, ARRAY['apple.com', 'paypal.com'])).how AS same FROM unnest('{paypa1.com,www.paypal.com,apple-id.com,paypal.co.uk,example.org,boss@example.com}'::text[]) t, lookalike_domain(t, 'nl_domains') n;
-- a change is live for the next statement, and for its own transaction
BEGIN;
DELETE FROM list WHERE set = 'nl_names' AND value = 'PayPal';
SELECT nearest_name('paypal', 'nl_names') IS NULL AS gone;
ROLLBACK;
SELECT nearest_name('paypal', 'nl_names');
INSERT INTO list (set, value) VALUES ('nl_names', 'Contoso');
SELECT nearest_name('Cont0so', 'nl_names'), nearest_name('Cont0so', 'nl_names'), nearest_name('Cont0so', 'nl_names');
-- an expiry needs no change
INSERT INTO list (set, value, expires_at) VALUES ('nl_names', 'Fabrikam', clock_timestamp() + interval '0.3 s'), ('nl_names', 'Northwind', now() + interval '1 day');
SELECT nearest_name('Fabrikan', 'nl_names') \g /dev/null
DO $$ BEGIN WHILE clock_timestamp() <= (SELECT expires_at FROM assay.list WHERE set = 'nl_names' AND value = 'Fabrikam') LOOP PERFORM pg_sleep(0.05); END LOOP; END $$;
SELECT nearest_name('Fabrikan', 'nl_names') IS NULL AS expired, nearest_name('Northwlnd', 'nl_names');
-- what is none; a literal without a type may be an array
\set VERBOSITY terse
SELECT nearest_name('x', 'nl_nothing');
SELECT lookalike_domain('x.com', 'nl_phrases');
SELECT nearest_name('x', '');
SELECT nearest_name('x', '{broken');
SELECT nearest_name('paypa1', '{PayPal}'), nearest_name(NULL, 'nl_names') IS NULL, nearest_name('x', NULL::text) IS NULL;
SELECT s, nearest_name('paypa1', s), lookalike_domain('paypa1.com', d) FROM (VALUES ('{PayPal}', '{paypal.com}'), ('nl_names', 'nl_domains'), ('{x}', '{x.com}')) v(s, d);
SELECT nearest_name('paypa1', '{PayPal}'::text), count(*) FROM generate_series(1, 3) GROUP BY 1;
-- rights
SET ROLE nl_reader;
SELECT nearest_name('x', 'nl_names');
RESET ROLE;
SELECT grant_set('nl_names', 'nl_reader');
SET ROLE nl_reader;
SELECT nearest_name('paypa1', 'nl_names');
RESET ROLE;
-- limits at n and n + 1
SELECT create_list('nl_many');
INSERT INTO list (set, value) SELECT 'nl_many', 'name' || i FROM generate_series(1, 50000) i;
SELECT (nearest_name('name50000', 'nl_many')).distance;
INSERT INTO list (set, value) VALUES ('nl_many', 'name50001');
SELECT nearest_name('name50000', 'nl_many');
DELETE FROM list WHERE set = 'nl_many' AND value = 'name1';
SELECT (nearest_name('name50000', 'nl_many')).distance;

-- display names: people and brands, as arrays and as lists
INSERT INTO list (set, value) VALUES ('nl_people', 'John Smith'), ('nl_people', 'Anna Maria Muster'), ('nl_people', 'Bo Li'), ('nl_brands', 'PayPal'), ('nl_brands', 'Bank of America'), ('nl_brands', 'Apple'), ('nl_brands', 'Microsoft'), ('nl_brands', 'ING');
SELECT t, c.*, c.claim IS NOT DISTINCT FROM (display_name_claim(t, ARRAY['Anna Maria Muster', 'Bo Li', 'John Smith'], ARRAY['Apple', 'Bank of America', 'ING', 'Microsoft', 'PayPal'])).claim AS same
FROM unnest(ARRAY['John Smith', 'JOHN SMITH', 'Smith, John', 'Smith, John (CEO)', 'Dr. Smith, John', 'John Smith (CEO)', 'Jоhn Smіth', 'John Smyth', 'John  Q Smith', 'John.Smith', 'Dr. John Smith via Example', 'John Smith Bakery', 'Johnny Smithson',
	'PayPal', 'PayPаl', 'PayPal Support', 'PayPaI Security Team', 'Your PayPal account', 'PayPal, Inc.', 'The PayPal Store', 'Jane Doe PayPal fan', 'Microsoft', 'Mike from Microsoft Redmond', 'Rnicrosoft Teams', 'Micr0soft 365',
	'Bank of America Alerts', 'Bank of Amerca', 'bank-of-america', 'Apple', 'Apple Martin', 'Apple ID', 'Apple Pie Recipes', 'ING', 'lNG Support', 'Ingrid', 'Bo Li', 'Li, Bo', 'Bo Liu', 'Bob', '', '!!!', ' ', 'P a y P a l', 'P.a.y.P.a.l', E'Pay\u200bPal', '𝐏𝐚𝐲𝐏𝐚𝐥', 'ПаураІ',
	'PayPal' || repeat(' x', 20), repeat('x ', 11) || 'Microsoft', repeat('x ', 12) || 'Microsoft', repeat('m', 300), E'PayPal\u00a0Support', E'PayPal \u2013 Support', '食狮', 'support@paypal.com']) WITH ORDINALITY u(t, i), display_name_claim(t, 'nl_people', 'nl_brands') c ORDER BY i;
SELECT display_name_claim(NULL, 'nl_people', 'nl_brands') IS NULL, display_name_claim('PayPal', NULL::text[], '{PayPal}'::text[]), display_name_claim('PayPal', '{PayPal}', NULL), display_name_claim('PayPal', NULL::text, NULL) IS NULL,
	display_name_claim('PayPal', '{PayPal}', '{PayPal}'), display_name_claim('PayPal', '{Peypal}', '{PayPal}'), display_name_claim('PayPal', 'nl_people', '{Paypal}');
SELECT display_name_claim('x', 'nl_people', 'nl_nothing');
SELECT display_name_claim(repeat('x', 8192), 'nl_people', 'nl_brands') IS NULL, display_name_claim(repeat('x ', 5000), 'nl_people', 'nl_brands') IS NULL AS long;
-- the sets that a policy looks into
CREATE VIEW nl_signals AS SELECT i AS id, (nearest_name(t, 'nl_names')).name AS n, (lookalike_domain(t, '{x.com}')).how AS l, (display_name_claim(t, '{John}', 'nl_brands')).claim AS c FROM (VALUES (1, 'PayPal')) v(i, t);
SELECT create_policy('nl', 'nl_signals', '{id}');
SELECT s.kind, s.name FROM nl_signals v, score('nl', v) x, states(x.attribution) s ORDER BY 2;
-- names that cannot be protected fail for each message alike, not only for the first that asks them
CREATE VIEW nl_hosts AS SELECT i AS id, 'bank-login' || i || '.example' AS host FROM generate_series(1, 60) i;
SELECT create_policy('nl_hosts', 'nl_hosts', '{id}');
SELECT create_detector('nl_hosts', 'typo', $$(lookalike_domain(host, '{bank.example,no domain}')).how = 'label'$$, weight => 1, mode => 'live');
SELECT s.fault, count(*) FROM nl_hosts h, score('nl_hosts', h) x, ledger(x.attribution) s WHERE s.fault IS NOT NULL GROUP BY 1;
SELECT h.hit, count(*) FROM (SELECT assay_internal.condition_hit('nl_hosts', $$(lookalike_domain(host, '{bank.example,no domain}')).how = 'label'$$, v, true) AS hit FROM nl_hosts v OFFSET 0) h GROUP BY 1;

SET client_min_messages = error;
DROP VIEW nl_signals, nl_hosts CASCADE;
SELECT drop_policy('nl', true), drop_policy('nl_hosts', true);
SELECT drop_set(s) FROM unnest('{nl_names,nl_domains,nl_people,nl_brands,nl_phrases,nl_many}'::text[]) s;
DROP ROLE nl_reader;
