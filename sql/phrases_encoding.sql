-- phrases in databases whose encoding is not UTF-8
SET client_min_messages = warning;
\set regress :DBNAME
DROP DATABASE IF EXISTS assay_regress_ascii;
DROP DATABASE IF EXISTS assay_regress_latin1;
CREATE DATABASE assay_regress_ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C';
CREATE DATABASE assay_regress_latin1 TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C';

\c assay_regress_ascii
SET client_encoding = 'SQL_ASCII';
CREATE EXTENSION pg_assay;
SET search_path = public, assay;
-- any bytes are text here; what is UTF-8 is taken as such
SELECT phrase_hits(phrases('{a,b}', ARRAY['gift card', E'caf\xc3\xa9']), E'\xff\xfe\xc3 gift\xc2\xa0card\xe2\x82 CAF\xc3\x89\xf0');
SELECT phrase_hits(phrases('{bytes}', ARRAY[E'\xff\xfe']), E'x\xff\xfe');
SELECT phrase_hits(phrases('{a}', ARRAY['ca.d'], 'regex'), E'\xff\xfe\xc3 ca\xe9d \xe2\x82'),
	phrase_hits(phrases('{a}', ARRAY['ca.d'], 'regex'), E'\xff\xfe\xc3 ca\xc3\xa9d \xe2\x82');
SELECT phrases('{bad}', ARRAY[E'\xff'], 'regex');
SELECT name, start_pos, end_pos, matched FROM phrase_matches(phrases('{a}', ARRAY['card']), E'\xff card \xc3\xa9card card');
SELECT registrable_domain(E'\xff.com') IS NULL, registrable_domain(E'b\xc3\xbccher.de');
-- random bytes (a generator in SQL): no failure, and the phrase is found where it was put
CREATE TABLE noise AS
SELECT n, string_agg(chr(1 + ((n::bigint * 7919 + i) * (n + i * 104729) % 251)::int), '' ORDER BY i) AS t
FROM generate_series(1, 300) n, generate_series(1, 1 + n % 97) i GROUP BY n;
SELECT count(*), count(*) FILTER (WHERE phrase_hits(p, t || E' \t gift  card ' || t) <> '{a}') AS wrong,
	count(*) FILTER (WHERE phrase_hits(r, t || ' gift card ' || t) <> '{a}') AS wrong_regex,
	sum((SELECT count(*) FROM phrase_matches(p, t || E' \t gift \n card ' || t) m
		WHERE substr(t || E' \t gift \n card ' || t, start_pos, end_pos - start_pos + 1) = E'gift \n card'))
FROM noise, (SELECT phrases('{a}', '{gift card}') AS p, phrases('{a}', ARRAY['gift\s+card'], 'regex') AS r) s;

\c assay_regress_latin1
SET client_encoding = 'UTF8';
CREATE EXTENSION pg_assay;
SET search_path = public, assay;
SELECT phrases('{a,b}', '{café,groß}');
SELECT phrase_hits(phrases('{a,b}', '{café,groß}'), 'CAFÉ x groß'), phrase_hits(phrases('{a}', '{c.fé}', 'regex'), 'CÄFÉ');
SELECT name, start_pos, end_pos, matched FROM phrase_matches(phrases('{a,b}', '{café,groß}'), 'é CAFÉ x groß');
SELECT name, start_pos, end_pos, matched FROM phrase_matches(phrases('{a}', '{c.fé}', 'regex'), 'é CÄFÉ x groß');
SELECT registrable_domain('www.bücher.de');

\c :regress
DROP DATABASE assay_regress_ascii;
DROP DATABASE assay_regress_latin1;
