-- Conditions: what is a condition, and what is refused with which words.
CREATE TABLE rule_message (id int PRIMARY KEY, subject text, n int, tags text[], "odd ""name""" boolean);
CREATE VIEW rule_signals AS SELECT *, length(subject) AS subject_length FROM rule_message;
SELECT assay.create_policy('rule', 'rule_signals', '{id}');
CREATE FUNCTION try(condition text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	h text;
BEGIN
	PERFORM assay_internal.check_condition('rule', condition, 'detector "d"', true);
	RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS h = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', SQLSTATE, SQLERRM, nullif(h, ''));
END $$;
SELECT c AS condition, try(c) FROM unnest(ARRAY[
	'n > 1', 'n', 'NULL', 'true', '"odd ""name"""', 'subject ~* ''x'' AND tags && ''{a,b}''', 'n IN (1, 2)', 'n = ANY (ARRAY[1, 2])',
	'CASE WHEN n > 1 THEN true ELSE n = 0 END', 'coalesce(n, 0) BETWEEN 1 AND 2', 'now() > ''2020-01-01''', 'subject IS NULL',
	'n + 1', 'subject', '''no''', 'N > 1', '"N" > 1', 'subject_len > 1', 'zzz', 'rule_message.n > 1', 'id.n > 1', '(tags).x', '*',
	'', ' ', '--', 'n > 1;', 'n > 1; DROP TABLE rule_message', 'n > 1) OR (true', 'n > 1 AS x', 'n > 1, n > 2', 'n > 1 FROM pg_class', 'n > 1 WHERE true',
	'n > 1 ORDER BY 1', 'n > 1 LIMIT 1', 'n > 1 UNION SELECT true', 'SELECT true', 'n > (SELECT 1)', 'EXISTS (SELECT 1)', 'n IN (SELECT 1)', 'n > ANY (SELECT 1)',
	'count(*) > 1', 'max(n) > 1', 'row_number() OVER () > 1', 'generate_series(1, 2) > 1', 'unnest(tags) = ''a''', 'random() > 0.5', 'clock_timestamp() > now()',
	'nextval(''s'') > 1', 'pg_sleep(1) IS NULL', '$1', '$1 > n', 'nofunction(n)', 'n = ''x''', 'n > 1 AND', 'subject LIKE', 'current_setting(''role'') = ''x''',
	'n > 99999999999999999999', '1 / 0 > 1', 'n::nosuchtype > 1', 'grouping(n) > 1', 'DEFAULT', 'current_user = ''x''', 'set_config(''role'', ''x'', true) IS NULL'
	]) WITH ORDINALITY u(c, i) ORDER BY i;

-- length: the limit and one more
SELECT try(rpad('n > 1 --', 65536, '-')), try(rpad('n > 1 --', 65537, '-'));
-- depth: an error, not a crash
SELECT left(try(repeat('(', 30000) || 'n' || repeat(')', 30000)), 30);
SELECT left(try(repeat('not ', 16000) || 'true'), 30);
-- the position is in the condition
\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT assay.create_detector('rule', 'd', 'n > 1 AND subjct = ''x''');
SELECT assay.create_detector('rule', 'd', 'n > 1 AND AND n > 2');

-- regular expressions that are constants are compiled, not left to fail on every message
SELECT assay.create_detector('rule', 'd', 'n > 1 AND subject ~ ''(''');
SELECT c AS condition, try(c) FROM unnest(ARRAY[
	'subject !~ ''a**''', 'subject ~* (''['' || ''a'')', 'subject !~* ''\\''', 'subject ~ ANY (''{a,NULL,[}'')', 'subject ~ ANY (''{[}''::varchar[])', 'NOT (n > 1 OR subject ~ ''[b-a]'')',
	'subject ~ ''\(''', 'subject ~ NULL', 'subject ~ subject', 'subject ~ ANY (tags)', 'subject ~ ANY (NULL::text[])', 'subject ~* ALL (''{}'')', 'subject LIKE ''(%'''
	]) WITH ORDINALITY u(c, i) ORDER BY i;
SELECT try(format('subject ~ %L', repeat('(a|b){1,250}', 200)));

-- guards are boolean names, and only names of guards
SELECT assay.create_guard('rule', 'trusted', 'n > 100', 'known for long');
SELECT try('NOT trusted'), try('trusted > 1'), try('trusteds');
SELECT assay.create_guard('rule', 'subject', 'n > 100');
SELECT assay.create_guard('rule', 'nested', 'trusted OR n > 2');

SELECT assay.drop_policy('rule', true);
DROP FUNCTION try;
DROP VIEW rule_signals;
DROP TABLE rule_message;
