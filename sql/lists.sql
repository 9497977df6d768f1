-- lists: what matches, history, rights, limits
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT assay.create_list('free_mail', '{public}');
SELECT assay.list_state('free_mail'), assay.in_list('free_mail', 'a');

-- kinds
INSERT INTO assay.list (set, value, kind) VALUES
	('free_mail', 'Gmail.com', 'domain'), ('free_mail', '*.bücher.de', 'domain'), ('free_mail', 'Boss@Evil.COM', DEFAULT),
	('free_mail', 'ÉCOLE', 'exact'), ('free_mail', 'Sales-', 'prefix'), ('free_mail', '10.1.2.3/8', 'cidr'),
	('free_mail', '10.2.0.0/16', 'cidr'), ('free_mail', '2001:db8::/32', 'cidr');
SELECT v, assay.in_list('free_mail', v), assay.list_match('free_mail', v)
FROM unnest('{gmail.com,GMAIL.COM.,mail.gmail.com,notgmail.com,com,alice@Gmail.com,"Alice <alice@mail.gmail.com>",bücher.de,www.xn--bcher-kva.de,
	boss@evil.com,x@evil.com,école,ecole,SALES-1,sales,10.200.0.1,10.2.0.1,10.0.0.0/7,10.2.0.0/15,11.0.0.1,2001:db8::1,2001:db9::1,::ffff:10.2.0.1,"",.,@,/,:}'::text[]) WITH ORDINALITY u(v, n) ORDER BY n;
SELECT assay.in_list('free_mail', inet '10.9.9.9'), assay.list_match('free_mail', inet '10.2.9.9'), assay.in_list('free_mail', inet '10.0.0.0/7'),
	assay.in_list('free_mail', inet '::ffff:10.2.0.1'), assay.in_list('free_mail', inet '::/0');
SELECT assay.in_list('free_mail', '{a,NULL,b.gmail.com}'::text[]), assay.list_match('free_mail', '{a,b.gmail.com,boss@evil.com}'::text[]),
	assay.in_list('free_mail', '{}'::text[]), assay.in_list('free_mail', NULL::text), assay.in_list(NULL, 'a'), assay.list_match('free_mail', 'none');
SELECT value, kind, tenant, note, author = session_user AS mine, added_state FROM assay.list ORDER BY kind, value COLLATE "C";

-- a value that comes again is the same entry; a changed one is another
INSERT INTO assay.list (set, value) VALUES ('free_mail', 'Boss@Evil.COM');
INSERT INTO assay.list (set, value, note) VALUES ('free_mail', 'BOSS@evil.com', 'again');
UPDATE assay.list SET value = 'chef@evil.com' WHERE note = 'again';
DELETE FROM assay.list WHERE kind = 'prefix';
DELETE FROM assay.list WHERE kind = 'prefix';
SELECT value, note, added_state, removed_state FROM assay.list_history WHERE kind IN ('exact', 'prefix') ORDER BY added_state, value COLLATE "C";
SELECT assay.list_state('free_mail');
-- as it was
SELECT s, assay.in_list('free_mail', 'boss@evil.com', state => s) AS boss, assay.in_list('free_mail', 'chef@evil.com', state => s) AS chef,
	assay.in_list('free_mail', 'sales-7', state => s) AS sales, assay.in_list('free_mail', 'x.gmail.com', state => s) AS gmail,
	assay.list_match('free_mail', '10.2.1.1', state => s) AS net
FROM generate_series(0, assay.list_state('free_mail')) s;
-- what is none yet, or never was one, is not answered as if it were now
SELECT assay.in_list('free_mail', 'boss@evil.com', state => assay.list_state('free_mail') + 1);
SELECT assay.list_match('free_mail', 'boss@evil.com', state => -1);
SELECT assay.in_list('free_mail', 'boss@evil.com', '-infinity'), assay.in_list('free_mail', 'boss@evil.com', 'infinity'),
	assay.in_list('free_mail', 'boss@evil.com', min(added_at)), assay.in_list('free_mail', 'boss@evil.com', min(added_at) - interval '1 us'),
	assay.in_list('free_mail', 'sales-7', max(removed_at)), assay.in_list('free_mail', 'sales-7', max(removed_at) - interval '1 us')
FROM assay.list_history;

-- in a transaction: its own changes are seen, and go with it
BEGIN;
INSERT INTO assay.list (set, value) VALUES ('free_mail', 'own');
SELECT assay.in_list('free_mail', 'own');
SAVEPOINT a;
INSERT INTO assay.list (set, value) VALUES ('free_mail', 'sub');
DELETE FROM assay.list WHERE value = 'own';
SELECT assay.in_list('free_mail', 'sub') AS sub, assay.in_list('free_mail', 'own') AS own;
ROLLBACK TO a;
SELECT assay.in_list('free_mail', 'sub') AS sub, assay.in_list('free_mail', 'own') AS own;
INSERT INTO assay.list (set, value) VALUES ('free_mail', 'sub2');
DELETE FROM assay.list WHERE value = 'sub2';
INSERT INTO assay.list (set, value) VALUES ('free_mail', 'sub2');
SELECT assay.in_list('free_mail', 'sub2') AS sub2, assay.in_list('free_mail', 'own') AS own;
ROLLBACK;
SELECT assay.in_list('free_mail', 'sub2') AS sub2, assay.in_list('free_mail', 'own') AS own, assay.list_state('free_mail');

-- a part that fails while values are written takes along only what it did: one state, and a base where there is much
CREATE FUNCTION pg_temp.try_last(i int) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	IF i < 2000 THEN
		RETURN true;
	END IF;
	INSERT INTO assay.list (set, value) VALUES ('parts', 'nested');
	RAISE division_by_zero;
EXCEPTION WHEN division_by_zero THEN
	RETURN false;
END $$;
SELECT assay.create_list('parts');
INSERT INTO assay.list (set, value) SELECT 'parts', 'v' || i FROM generate_series(1, 2000) i WHERE pg_temp.try_last(i);
SELECT assay.list_state('parts'), assay.in_list('parts', 'v1999'), assay.in_list('parts', 'v2000'), assay.in_list('parts', 'nested'),
	(SELECT count(*) FROM assay.list_base WHERE set = 'parts');
BEGIN;
INSERT INTO assay.list (set, value) VALUES ('parts', 'a');
SAVEPOINT a;
INSERT INTO assay.list (set, value) VALUES ('parts', 'b');
ROLLBACK TO a;
INSERT INTO assay.list (set, value) VALUES ('parts', 'c');
DELETE FROM assay.list WHERE set = 'parts' AND value IN ('a', 'v1');
COMMIT;
SELECT value, added_state, removed_state FROM assay.list_history WHERE set = 'parts' AND value IN ('a', 'b', 'c', 'v1') ORDER BY value;
-- what this transaction has open is forgotten at its end, whatever triggers fired
BEGIN;
ALTER TABLE assay.named_set DISABLE TRIGGER changed;
INSERT INTO assay.list (set, value) VALUES ('parts', 'c');
ALTER TABLE assay.named_set ENABLE ALWAYS TRIGGER changed;
COMMIT;
INSERT INTO assay.list (set, value) VALUES ('parts', 'd');
SELECT assay.list_state('parts'), assay.in_list('parts', 'd');
SELECT assay.drop_set('parts');

-- what follows a merge in the same transaction is of another state, since loaded is what comes after the base's
SELECT assay.create_list('more');
BEGIN;
INSERT INTO assay.list (set, value) SELECT 'more', 'v' || i FROM generate_series(1, 1500) i;
INSERT INTO assay.list (set, value) VALUES ('more', 'late');
DELETE FROM assay.list WHERE set = 'more' AND value = 'v7';
SELECT assay.in_list('more', 'late') AS late, assay.in_list('more', 'v7') AS v7;
SAVEPOINT a;
SELECT assay.rebuild_list('more');
INSERT INTO assay.list (set, value) VALUES ('more', 'undone');
SELECT assay.in_list('more', 'late') AS late, assay.in_list('more', 'undone') AS undone, assay.list_state('more');
ROLLBACK TO a;
INSERT INTO assay.list (set, value) VALUES ('more', 'later');
SAVEPOINT b;
SELECT assay.rebuild_list('more');
RELEASE b;
INSERT INTO assay.list (set, value) VALUES ('more', 'last');
COMMIT;
SELECT v, assay.in_list('more', v), assay.in_list('more', v, state => s.state - 1) AS one_before,
	EXISTS (SELECT FROM assay.list l WHERE l.set = 'more' AND l.value = v) AS stands
FROM assay.named_set s, unnest('{v1,v7,late,undone,later,last}'::text[]) v WHERE s.set = 'more';
SELECT b.state, s.state FROM assay.list_base b JOIN assay.named_set s USING (set) WHERE s.set = 'more';
-- also where the base comes while a statement goes on, by another that it runs
CREATE FUNCTION pg_temp.add(prefix text, n int) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO assay.list (set, value) SELECT 'more', prefix || i FROM generate_series(1, n) i;
	RETURN true;
END $$;
INSERT INTO assay.list (set, value) SELECT 'more', 'x' || i FROM generate_series(1, 3) i WHERE i <> 2 OR pg_temp.add('y', 2000);
SELECT v, assay.in_list('more', v) FROM unnest('{x1,x2,x3,y1,y2000,y2001}'::text[]) v;
SELECT assay.drop_set('more');

-- expiry, at its very moment
INSERT INTO assay.list (set, value, expires_at) VALUES ('free_mail', 'gone', now() - interval '1 s'), ('free_mail', 'stays', now() + interval '1 day'), ('free_mail', 'ever', 'infinity');
SELECT v, assay.in_list('free_mail', v) FROM unnest('{gone,stays,ever}'::text[]) v;
SELECT assay.in_list('free_mail', 'stays', expires_at), assay.in_list('free_mail', 'stays', expires_at - interval '1 us') FROM assay.list WHERE value = 'stays';
SELECT assay.in_list('free_mail', 'stays', expires_at, state => added_state), assay.in_list('free_mail', 'stays', expires_at - interval '1 us', state => added_state) FROM assay.list WHERE value = 'stays';

-- tenants
INSERT INTO assay.list (set, value, tenant, kind) VALUES ('free_mail', 'shared', NULL, 'exact'), ('free_mail', 'only', 'acme', 'exact'), ('free_mail', 'acme.test', 'acme', 'domain');
SELECT v, assay.in_list('free_mail', v) AS nobody, assay.in_list('free_mail', v, tenant => 'acme') AS acme, assay.in_list('free_mail', v, tenant => 'other') AS other,
	assay.in_list('free_mail', v, tenant => 'acme', state => assay.list_state('free_mail')) AS acme_then
FROM unnest('{shared,only,www.acme.test}'::text[]) v;

-- merged into a base, by threshold; the same answers
SELECT assay.create_list('big');
INSERT INTO assay.list (set, value, expires_at) SELECT 'big', 'v' || i, CASE i % 10 WHEN 0 THEN now() + interval '1 day' WHEN 1 THEN now() - interval '1 day' END FROM generate_series(1, 1000) i;
SELECT count(*) FROM assay.list_base;
INSERT INTO assay.list (set, value, expires_at) SELECT 'big', 'v' || i, CASE i % 10 WHEN 0 THEN now() + interval '1 day' WHEN 1 THEN now() - interval '1 day' END FROM generate_series(1001, 5000) i;
SELECT set, state FROM assay.list_base;
SELECT count(*), count(*) FILTER (WHERE assay.in_list('big', 'V' || i)), bool_and(assay.in_list('big', 'v' || i) = (i BETWEEN 1 AND 5000 AND i % 10 <> 1)) FROM generate_series(-5000, 10000) i;
DELETE FROM assay.list WHERE set = 'big' AND value LIKE 'v%7';
INSERT INTO assay.list (set, value) SELECT 'big', 'w' || i FROM generate_series(1, 700) i;
SELECT b.state, c.state, c."values", c.changes FROM assay.list_base b, assay.list_cache() c WHERE c.set = 'big';
SELECT bool_and(assay.in_list('big', 'v' || i) = (i BETWEEN 1 AND 5000 AND i % 10 NOT IN (1, 7))), bool_and(assay.in_list('big', 'w' || i) = (i BETWEEN 1 AND 700)) FROM generate_series(-5000, 10000) i;
SELECT b.state, c.state, c."values", c.changes FROM assay.list_base b, assay.list_cache() c WHERE c.set = 'big';
SELECT assay.rebuild_list('big');
SELECT bool_and(assay.in_list('big', 'v' || i) = (i BETWEEN 1 AND 5000 AND i % 10 NOT IN (1, 7))), bool_and(assay.in_list('big', 'w' || i) = (i BETWEEN 1 AND 700)) FROM generate_series(-5000, 10000) i;
SELECT b.state, c.state, c."values", c.changes FROM assay.list_base b, assay.list_cache() c WHERE c.set = 'big';

-- a base that is damaged is not used: each byte of its header, its end, its length
CREATE FUNCTION pg_temp.with_base(b bytea) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	UPDATE assay.list_base SET base = b WHERE set = 'big';
	RETURN CASE WHEN assay.in_list('big', 'v5') AND NOT assay.in_list('big', 'v7') THEN 'right' ELSE 'wrong' END
		|| (SELECT CASE WHEN c."values" = 0 THEN ', from the rows' ELSE ', from the base' END FROM assay.list_cache() c WHERE c.set = 'big');
END $$;
BEGIN;
SET LOCAL client_min_messages = error;
CREATE TEMP TABLE good AS SELECT base FROM assay.list_base WHERE set = 'big';
SELECT pg_temp.with_base(set_byte(base, i, get_byte(base, i) # 255)), count(*) FROM good, generate_series(0, 130) i GROUP BY 1 ORDER BY 1;
SELECT pg_temp.with_base(substr(base, 1, n)), count(*) FROM good, unnest('{0,1,3,4,8,123,124,125,1000}'::int[]) n GROUP BY 1;
SELECT pg_temp.with_base(base || '\x00'), pg_temp.with_base(set_byte(base, length(base) - 1, get_byte(base, length(base) - 1) # 255)), pg_temp.with_base(''), pg_temp.with_base(base) FROM good;
ROLLBACK;

-- limits
SELECT assay.in_list('free_mail', repeat('x', 1000000)), assay.in_list('free_mail', repeat('x.', 1000000)), assay.in_list('free_mail', repeat('1', 63)), assay.in_list('free_mail', repeat('1', 64));
INSERT INTO assay.list (set, value) VALUES ('free_mail', repeat('x', 1024));
SELECT assay.in_list('free_mail', repeat('X', 1024)), assay.in_list('free_mail', repeat('x', 1023)), assay.in_list('free_mail', repeat('x', 1025));
INSERT INTO assay.list (set, value) VALUES ('free_mail', repeat('x', 1025));
INSERT INTO assay.list (set, value, kind) VALUES ('free_mail', repeat('p', 255), 'prefix');
SELECT assay.in_list('free_mail', repeat('P', 2000)), assay.in_list('free_mail', repeat('P', 254));
INSERT INTO assay.list (set, value, kind) VALUES ('free_mail', repeat('p', 256), 'prefix');
INSERT INTO assay.list (set, value, tenant) VALUES ('free_mail', 'tenants', repeat('t', 255));
SELECT n, assay.in_list('free_mail', 'tenants', tenant => repeat('t', n)), assay.in_list('free_mail', 'tenants', tenant => repeat('t', n), state => assay.list_state('free_mail'))
FROM unnest('{254,255,256,1000000}'::int[]) n;
INSERT INTO assay.list (set, value, tenant) VALUES ('free_mail', 'x', repeat('t', 256));
INSERT INTO assay.list (set, value, kind) VALUES ('free_mail', (SELECT string_agg(repeat('h', 62), '.') FROM generate_series(1, 4)) || '.h', 'domain');
INSERT INTO assay.list (set, value, kind) VALUES ('free_mail', (SELECT string_agg(repeat('h', 62), '.') FROM generate_series(1, 4)) || '.hh', 'domain');
SELECT assay.create_list(repeat('n', 63));
SELECT assay.in_list(repeat('n', 63), 'x');
SELECT assay.drop_set(repeat('n', 63));

-- errors
\set SHOW_CONTEXT never
INSERT INTO assay.list (set, value) VALUES ('none', 'x');
INSERT INTO assay.list (set, value) VALUES (NULL, 'x');
INSERT INTO assay.list (set, value) VALUES ('free_mail', NULL);
INSERT INTO assay.list (set, value) VALUES ('free_mail', '');
INSERT INTO assay.list (set, value, kind) VALUES ('free_mail', 'x', 'like');
INSERT INTO assay.list (set, value, kind) VALUES ('free_mail', 'not a host', 'domain');
INSERT INTO assay.list (set, value, kind) VALUES ('free_mail', '10.0.0.0/33', 'cidr');
SELECT assay.in_list('none', 'x');
SELECT assay.in_list('', 'x');
SELECT assay.in_list(repeat('n', 64), 'x');
SELECT assay.list_state('none');
SELECT assay.create_list(repeat('n', 63));
SELECT assay.in_list(repeat('n', 63), 'x');
SELECT assay.drop_set(repeat('n', 63));
SELECT assay.create_list('free_mail');
SELECT assay.create_list('{x');
SELECT assay.create_list(repeat('n', 64));
SELECT assay.create_list('x', owner => 'nobody at all');
UPDATE assay.list_entry SET value = 'other' WHERE set = 'big' AND value = 'v5';
UPDATE assay.list_entry SET removed_state = NULL WHERE set = 'big' AND value = 'v7';
SELECT assay_internal.list_write();
-- nor does a bad name cost memory for ever
CREATE FUNCTION pg_temp.ask_badly(times int) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	ask text;
BEGIN
	FOREACH ask IN ARRAY ARRAY['in_list(%L, %L)', 'list_state(repeat(%2$L, 64))', 'phrase_hits(%L, %L)', 'phrase_state(repeat(%2$L, 64))'] LOOP
		FOR i IN 1..times LOOP
			BEGIN
				EXECUTE 'SELECT assay.' || format(ask, '', 'x');
			EXCEPTION WHEN undefined_object THEN
				NULL;
			END;
		END LOOP;
	END LOOP;
	RETURN (SELECT sum(used_bytes) FROM pg_backend_memory_contexts WHERE name = 'CacheMemoryContext');
END $$;
SELECT pg_temp.ask_badly(10) AS before \gset
SELECT pg_temp.ask_badly(500) - :before < 100000 AS bounded;
-- what is not found is not kept
SELECT count(*) FROM assay.list_cache() WHERE set IN ('none', '');

-- rights: the owner's members change a list, its readers may ask it
CREATE ROLE regress_list_owner;
CREATE ROLE regress_list_reader;
CREATE ROLE regress_list_other;
SET ROLE regress_list_owner;
SELECT assay.create_list('vips', '{regress_list_reader}');
INSERT INTO assay.list (set, value) VALUES ('vips', 'ceo');
SELECT assay.in_list('vips', 'ceo'), (SELECT count(*) FROM assay.list), (SELECT count(*) FROM assay.list_history), (SELECT count(*) FROM assay.named_sets);
INSERT INTO assay.list (set, value) VALUES ('free_mail', 'mine');
DELETE FROM assay.list WHERE set = 'free_mail';
SELECT assay.create_list('theirs', owner => 'regress_list_other');
SELECT assay.alter_set('vips', 'regress_list_other');
SELECT assay.drop_set('free_mail');
SELECT assay.grant_set('free_mail', 'regress_list_owner');
SELECT count(*) FROM assay.list_entry;
UPDATE assay.named_sets SET state = 99;
SELECT assay.rebuild_list('big');
SET ROLE regress_list_reader;
SELECT assay.in_list('vips', 'ceo'), assay.list_match('vips', '{ceo}'::text[]), assay.in_list('vips', 'ceo', 'infinity'), assay.list_state('vips'), (SELECT count(*) FROM assay.list);
SELECT assay.in_list('free_mail', 'gmail.com');
INSERT INTO assay.list (set, value) VALUES ('vips', 'me');
SET ROLE regress_list_other;
SELECT assay.in_list('vips', 'ceo');
SELECT assay.in_list('vips', 'ceo', state => 1);
RESET ROLE;
SELECT assay.revoke_set('vips', 'regress_list_reader'), assay.grant_set('vips', 'public'), assay.grant_set('vips', 'regress_list_other');
SELECT readers FROM assay.named_sets WHERE set = 'vips';
SELECT assay.revoke_set('vips', 'public');
SET ROLE regress_list_reader;
SELECT assay.in_list('vips', 'ceo');
RESET ROLE;
ALTER ROLE regress_list_owner RENAME TO regress_list_boss;
SET ROLE regress_list_boss;
SELECT assay.in_list('vips', 'ceo');
RESET ROLE;
-- one session, two users
SET ROLE regress_list_other;
SELECT assay.in_list('vips', 'ceo');
RESET ROLE;
GRANT regress_list_boss TO regress_list_reader;
SET ROLE regress_list_reader;
SELECT assay.in_list('vips', 'ceo');
RESET ROLE;

-- a reader that was dropped goes with the next change, whatever the number now means; the owner's place can be given anew
CREATE ROLE regress_list_gone;
SELECT assay.create_list('orphan', '{regress_list_gone,public,regress_list_other}', 'regress_list_gone');
DROP ROLE regress_list_gone;
SELECT cardinality(readers), owner::text ~ '^\d+$' AS orphaned FROM assay.named_sets WHERE set = 'orphan';
SELECT assay.grant_set('orphan', 'regress_list_reader');
SELECT assay.alter_set('orphan', session_user);
SELECT readers, owner::text = session_user AS adopted FROM assay.named_sets WHERE set = 'orphan';
SELECT assay.revoke_set('orphan', 'public'), assay.drop_set('orphan');

-- a dropped list takes its rows along; one of its name is another
SELECT assay.drop_set('vips');
SELECT count(*) FROM assay.list_entry WHERE set = 'vips';
SELECT assay.in_list('vips', 'ceo');
SELECT assay.create_list('vips');
SELECT assay.in_list('vips', 'ceo'), assay.list_state('vips');
DROP ROLE regress_list_boss, regress_list_reader, regress_list_other;

-- the cache is bounded
SET assay.list_cache_size = '1MB';
SELECT assay.create_list('c' || i) FROM generate_series(1, 3) i;
INSERT INTO assay.list (set, value) SELECT 'c' || i % 3 + 1, 'v' || i FROM generate_series(1, 15000) i;
SELECT assay.rebuild_list('c' || i) FROM generate_series(1, 3) i;
SELECT bool_and(assay.in_list('c' || i % 3 + 1, 'v' || i)), bool_or(assay.in_list('c' || i % 3 + 1, 'w' || i)) FROM generate_series(1, 15000) i;
SELECT sum(bytes) <= 1024 * 1024 * 1.2 FROM assay.list_cache();
\set VERBOSITY sqlstate
SET assay.list_cache_size = 0;
\set VERBOSITY default
RESET assay.list_cache_size;

-- in parallel workers
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
CREATE TABLE list_probe AS SELECT 'v' || i AS v, i FROM generate_series(1, 20000) i;
ALTER TABLE list_probe SET (parallel_workers = 2);
EXPLAIN (COSTS OFF) SELECT count(*) FROM list_probe WHERE assay.in_list('big', v);
SELECT count(*) FROM list_probe WHERE assay.in_list('big', v);
BEGIN;
INSERT INTO assay.list (set, value) SELECT 'big', 'v' || i FROM generate_series(10001, 10010) i;
SELECT count(*) FROM list_probe WHERE assay.in_list('big', v);
ROLLBACK;
SELECT count(*) FROM list_probe WHERE assay.in_list('big', v);

-- rows without a new state, as a restored dump brings them
SELECT count(*) FROM list_probe WHERE assay.in_list('c1', v);
TRUNCATE assay.list_entry, assay.list_base;
SELECT count(*) FROM list_probe WHERE assay.in_list('c1', v);
INSERT INTO assay.list_entry (set, kind, key, value, added_state, added_at, author) VALUES ('c1', 'exact', assay.list_key('exact', 'V5'), 'V5', 1, now(), 'x');
SELECT count(*) FROM list_probe WHERE assay.in_list('c1', v);
DROP TABLE list_probe;
-- merged after each of several parts of a transaction that dropped it and failed
CREATE FUNCTION pg_temp.try_drop() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM assay.drop_set('tried');
	RAISE division_by_zero;
EXCEPTION WHEN division_by_zero THEN
END $$;
SELECT assay.create_list('tried');
DO $$
BEGIN
	FOR i IN 1..4 LOOP
		INSERT INTO assay.list (set, value) SELECT 'tried', i || md5(j::text) FROM generate_series(1, 3000 * i) j;
		PERFORM pg_temp.try_drop();
	END LOOP;
END $$;
SELECT assay.in_list('tried', '1' || md5('1')), assay.in_list('tried', '4' || md5('12000')), assay.in_list('tried', '4' || md5('12001'));
SELECT assay.drop_set(set) FROM assay.named_sets;
