-- Looking for the substrings of all conditions in one pass changes no result.
CREATE TABLE pre_message (id int PRIMARY KEY, subject text, body varchar, n int);
CREATE VIEW pre_signals AS SELECT * FROM pre_message;
SELECT assay.create_policy('pre', 'pre_signals', '{id}', prior => 0);
CREATE TABLE pre_condition (i int GENERATED ALWAYS AS IDENTITY, c text);
INSERT INTO pre_condition (c) VALUES
	($$body ILIKE '%invoice%'$$), ($$body LIKE '%invoice%'$$), ($$body NOT ILIKE '%invoice%'$$), ($$NOT body ILIKE '%invoice%'$$),
	($$body ILIKE 'invoice%'$$), ($$body ILIKE '%invoice'$$), ($$body ILIKE '%in_oice%'$$), ($$body ILIKE '%inv%pay%due%'$$),
	($$body ILIKE '%100\%%'$$), ($$body LIKE '%a\_b%'$$), ($$body LIKE '%a!%b%' ESCAPE '!'$$), ($$body ILIKE '%two  words%'$$), ($$body ILIKE '%two words%'$$),
	($$body ILIKE '%kelvin%'$$), ($$body ILIKE '%istanbul%'$$), ($$body ILIKE '%ISTANBUL%'$$), ($$body ILIKE '%straße%'$$), ($$body ILIKE '%STRASSE%'$$),
	($$body ILIKE '%ſilver%'$$), ($$body ILIKE '%silver%'$$), ($$body ILIKE '%ÉTÉ%'$$), ($$body ILIKE '%été%'$$), ($$body ILIKE '%Ωmega%'$$), ($$body ILIKE '%日本語%'$$),
	($$body ~* 'pay.*now'$$), ($$body ~ 'pay.*now'$$), ($$body ~* 'colou?r'$$), ($$body ~* 'colou*r'$$), ($$body ~* 'colo{0}r'$$), ($$body ~* 'ab+cde'$$), ($$body ~* '^urgent'$$), ($$body ~* 'urgent$'$$),
	($$body ~* 'cat|dog'$$), ($$body ~* '(cat)'$$), ($$body ~* '[c]at'$$), ($$body ~* 'c\at'$$), ($$body ~* '***=cat.'$$), ($$body ~* '***:cat'$$), ($$body ~* '(?i)cat'$$), ($$body ~* 'kelvin'$$),
	($$body ~~* ANY ('{%invoice%,%kelvin%}')$$), ($$body ~~ ANY ('{%invoice%,%ab%}')$$), ($$body ~~* ANY ('{%invoice%,NULL}')$$), ($$body ~~* ALL ('{%invoice%,%pay%}')$$), ($$body ~~* ANY ('{}')$$),
	($$body ILIKE '%invoice%' OR subject ILIKE '%invoice%'$$), ($$subject ILIKE '%pay%' AND n > 1$$), ($$(body ILIKE '%invoice%') IS NULL$$), ($$(body ILIKE '%invoice%') IS NOT TRUE$$),
	($$CASE WHEN body ILIKE '%invoice%' THEN n > 1 ELSE n = 1 END$$), ($$coalesce(body ILIKE '%invoice%', true)$$), ($$body ILIKE '%' || subject || '%'$$), ($$body ILIKE NULL$$), ($$body ILIKE ''$$), ($$body ILIKE '%'$$),
	($$body ILIKE '%  %'$$), ($$body ILIKE '%...%'$$), ($$body ILIKE '%soft-hyphen%'$$), ($$body ILIKE '%softhyphen%'$$), ($$body COLLATE "C" ILIKE '%été%'$$), ($$body COLLATE "C" ILIKE '%ÉTÉ%'$$),
	($$body COLLATE "und-x-icu" ILIKE '%invoice%'$$), ($$body COLLATE "und-x-icu" ILIKE '%istanbul%'$$), ($$body COLLATE "und-x-icu" ILIKE '%ISTANBUL%'$$), ($$body COLLATE "und-x-icu" ILIKE '%kelvin%'$$), ($$body COLLATE "und-x-icu" ILIKE '%été%'$$), ($$body COLLATE "und-x-icu" ILIKE '%ÉTÉ%'$$), ($$body COLLATE "und-x-icu" ILIKE '%straße%'$$), ($$body COLLATE "und-x-icu" ILIKE '%Ωmega%'$$), ($$body COLLATE "und-x-icu" ILIKE '%silver%'$$), ($$body COLLATE "und-x-icu" ~* 'kelvin'$$), ($$body COLLATE "und-x-icu" ~* 'istanbul'$$),
	($$body COLLATE "tr-x-icu" ILIKE '%invoice%'$$), ($$body COLLATE "tr-x-icu" ILIKE '%istanbul%'$$), ($$body COLLATE "tr-x-icu" ILIKE '%ISTANBUL%'$$), ($$body COLLATE "tr-x-icu" ILIKE '%kelvin%'$$), ($$body COLLATE "tr-x-icu" ILIKE '%été%'$$), ($$body COLLATE "tr-x-icu" ILIKE '%ÉTÉ%'$$), ($$body COLLATE "tr-x-icu" ILIKE '%straße%'$$), ($$body COLLATE "tr-x-icu" ILIKE '%Ωmega%'$$), ($$body COLLATE "tr-x-icu" ILIKE '%silver%'$$), ($$body COLLATE "tr-x-icu" ~* 'kelvin'$$), ($$body COLLATE "tr-x-icu" ~* 'istanbul'$$),
	($$body COLLATE "lt-x-icu" ILIKE '%invoice%'$$), ($$body COLLATE "lt-x-icu" ILIKE '%istanbul%'$$), ($$body COLLATE "lt-x-icu" ILIKE '%ISTANBUL%'$$), ($$body COLLATE "lt-x-icu" ILIKE '%kelvin%'$$), ($$body COLLATE "lt-x-icu" ILIKE '%été%'$$), ($$body COLLATE "lt-x-icu" ILIKE '%ÉTÉ%'$$), ($$body COLLATE "lt-x-icu" ILIKE '%straße%'$$), ($$body COLLATE "lt-x-icu" ILIKE '%Ωmega%'$$), ($$body COLLATE "lt-x-icu" ILIKE '%silver%'$$), ($$body COLLATE "lt-x-icu" ~* 'kelvin'$$), ($$body COLLATE "lt-x-icu" ~* 'istanbul'$$),
	($$body COLLATE "tr-x-icu" ILIKE '%ıstanbul%'$$), ($$body COLLATE "tr-x-icu" ILIKE '%İSTANBUL%'$$), ($$body COLLATE "tr-x-icu" ILIKE '%İstanbul%'$$), ($$body COLLATE "tr-x-icu" ~* 'ıstanbul'$$), ($$body COLLATE "tr-x-icu" ~* 'İSTANBUL'$$), ($$body COLLATE "und-x-icu" ILIKE '%ıstanbul%'$$), ($$body COLLATE "und-x-icu" ILIKE '%İSTANBUL%'$$), ($$body COLLATE "und-x-icu" ILIKE '%İstanbul%'$$), ($$body COLLATE "und-x-icu" ~* 'ıstanbul'$$), ($$body COLLATE "und-x-icu" ~* 'İSTANBUL'$$), ($$body COLLATE "lt-x-icu" ILIKE '%ıstanbul%'$$), ($$body COLLATE "lt-x-icu" ILIKE '%İSTANBUL%'$$), ($$body COLLATE "lt-x-icu" ILIKE '%İstanbul%'$$), ($$body COLLATE "lt-x-icu" ~* 'ıstanbul'$$), ($$body COLLATE "lt-x-icu" ~* 'İSTANBUL'$$);
SELECT count(assay.create_detector('pre', to_char(i, 'FM000'), c, weight => i, mode => 'live')) FROM (SELECT * FROM pre_condition ORDER BY i) c;
INSERT INTO pre_message SELECT row_number() OVER (), s, b, row_number() OVER () % 3 FROM (VALUES
	(NULL, NULL), ('', ''), ('Invoice', 'Your INVOICE is due'), ('pay', 'invoice'), ('x', 'an inVoice'), ('invoice', 'in' || chr(173) || 'voice'), ('pay', 'inv pay due'),
	('a', '100% free'), ('b', '100 free'), ('c', 'a_b'), ('d', 'axb'), ('e', 'a%b'), ('f', 'two words'), ('g', 'two  words'), ('h', E'two\n\twords'), ('i', E'TWO  WORDS'),
	('k', chr(8490) || 'elvin'), ('l', 'KELVIN'), ('m', 'İstanbul'), ('n', 'ıstanbul'), ('o', 'ISTANBUL'), ('p', 'istanbul'), ('q', 'STRASSE'), ('r', 'straße'), ('s', 'STRAẞE'),
	('t', 'ſilver'), ('u', 'SILVER'), ('v', 'ÉTÉ'), ('w', 'été'), ('x', 'E' || chr(769) || 'TE' || chr(769)), ('y', 'ΩMEGA'), ('z', chr(8486) || 'mega'), ('aa', 'ωmega'), ('bb', '日本語です'),
	('cc', 'PAY it NOW'), ('dd', 'pay' || repeat(' much', 500) || ' now'), ('ee', 'color'), ('ff', 'COLOUR'), ('gg', 'colouur'), ('hh', 'colr'), ('ii', 'abbbcde'), ('jj', 'acde'), ('kk', 'URGENT: x'), ('ll', 'x urgent'),
	('mm', 'a cat'), ('nn', 'dog'), ('oo', 'cat.'), ('pp', 'soft-hyphen'), ('qq', 'softhyphen'), ('rr', 'soft' || chr(173) || 'hyphen'), ('ss', 'a...b'), ('tt', 'a  b'), ('uu', repeat('filler ', 3000) || 'invoice')) v(s, b);
-- what PostgreSQL itself says of each condition, one by one
CREATE TABLE pre_truth (i int, id int);
DO $$ DECLARE r record; BEGIN
	FOR r IN SELECT * FROM pre_condition LOOP EXECUTE format('INSERT INTO pre_truth SELECT %s, id FROM pre_message WHERE %s', r.i, r.c); END LOOP; END $$;
CREATE VIEW pre_seen AS SELECT l.detector::int AS i, s.id FROM pre_signals s, assay.score('pre', s) x, assay.ledger(x.attribution) l WHERE l.hit;
SELECT * FROM (SELECT c COLLATE "C" AS c, id, 'not seen' AS what FROM (SELECT * FROM pre_truth EXCEPT SELECT * FROM pre_seen) d JOIN pre_condition USING (i)
UNION ALL SELECT c, id, 'seen' FROM (SELECT * FROM pre_seen EXCEPT SELECT * FROM pre_truth) d JOIN pre_condition USING (i)) t ORDER BY 1, 2;
SELECT count(*) > 200 AS enough FROM pre_truth;
-- and without the pass
SET assay.prefilter = off;
SELECT assay.alter_detector('pre', '001', weight => 1.5);
SELECT count(*) AS differ FROM (TABLE pre_truth EXCEPT SELECT * FROM pre_seen) d;
RESET assay.prefilter;
\set VERBOSITY terse
DROP VIEW pre_seen;
SELECT assay.drop_policy('pre', true);
DROP VIEW pre_signals;
DROP TABLE pre_message, pre_condition, pre_truth;
