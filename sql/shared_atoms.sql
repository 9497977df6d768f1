-- What conditions share: the same as each by itself, where it is easy to get wrong.
-- Random policies and rows: t/policy_shared_atoms.pl.
SET client_min_messages = warning;
CREATE SCHEMA shared_atoms;
SET search_path = shared_atoms, assay, public;
CREATE TABLE message (id int PRIMARY KEY, n int, z int, f float8, s text, p text[], body text);
ALTER TABLE message ALTER body SET STORAGE EXTERNAL;
INSERT INTO message VALUES (1, 1, 0, 'NaN', 'a', '{x,y}', 'short'), (2, NULL, 0, '-0', NULL, NULL, NULL), (3, 7, 2, 'Infinity', 'ABC', '{NULL}', repeat('long ', 400000)),
	(4, 2147483647, NULL, NULL, '', '{}', repeat('body ', 1000));
CREATE VIEW signals AS SELECT * FROM message;
SELECT assay.create_policy('shared', 'signals', '{id}', prior => 0);
SELECT assay.create_guard('shared', 'small', 'n < 5');
SELECT count(assay.create_detector('shared', d, c, weight => 1, mode => 'live')) FROM (VALUES
	-- a guard that is null, also in a row so large that each is evaluated by itself
	('not small', 'NOT small'), ('small or not', 'small OR NOT small'),
	-- null is not false: what stands behind it is evaluated
	('guarded', 'n = 1 AND 1 / z > 0'), ('guarded by null', 'n > 3 AND 1 / z >= 0'), ('not guarded', '1 / z >= 0 AND n = 1'),
	('nan', 'f > 1e308'), ('zero', 'f = 0'), ('nan itself', 'f = ''NaN'''), ('end of int', 'n > 2147483646'), ('none of int', 'n >= 2147483647 AND n <= 2147483647'),
	('one of', 's IN (''a'', ''b'')'), ('folded', 'lower(s) = ''abc'''), ('empty', 's = '''''),
	('has', 'p && ''{y}'''), ('any', '''y'' = ANY (p)'), ('null item', 'NOT ''y'' = ANY (p)'),
	('two of three', '(n = 1)::int + (s = ''a'')::int + (f = 0)::int >= 2'), ('null of three', '(n = 7)::int + (s IS NULL)::int + (f = 0)::int >= 2'),
	('long', 'length(body) > 100 AND body ILIKE ''%body body%'''), ('size', 'pg_column_size(body) > 4000')) v(d, c);
SET assay.shared_atoms = off;
CREATE TABLE plain AS SELECT m.id, x.* FROM signals m, assay.score('shared', m) x;
SET assay.shared_atoms = on;
CREATE TABLE shared AS SELECT m.id, x.* FROM signals m, assay.score('shared', m) x;
SELECT count(*) AS rows, count(*) FILTER (WHERE p.attribution::text <> s.attribution::text) AS different FROM plain p JOIN shared s USING (id);
SELECT s.id, array_agg(l.detector || coalesce(' ' || l.fault, '') ORDER BY l.detector COLLATE "C") AS hits FROM shared s, assay.ledger(s.attribution) l
	WHERE l.kind = 'rule' AND (l.hit OR l.fault IS NOT NULL) GROUP BY s.id ORDER BY s.id;
-- A condition that is suspended, or comes with a rollout, has no part in what is shared
SELECT assay.alter_detector('shared', 'one of', rollout => 0.000001);
SELECT m.id, count(*) FILTER (WHERE l.detector = 'one of') AS of_rollout, count(*) FILTER (WHERE l.detector = 'not small') AS of_others
	FROM signals m, assay.score('shared', m) x, assay.ledger(x.attribution) l WHERE m.id IN (1, 3) GROUP BY m.id ORDER BY m.id;
SELECT assay.drop_policy('shared');
DROP SCHEMA shared_atoms CASCADE;
