-- names that lie: skeletons, the nearest name, domains that imitate others, links
SET client_min_messages = warning;
SET search_path = public, assay;
\pset format unaligned
SELECT t, skeleton(t) FROM unnest(ARRAY['', 'paypal', 'pаypаl', 'PayPaI', 'microsoft', 'rnicrosoft', '0O1lI|', E'a\u200bb\u00ad', '𝐏𝐚𝐲',
	E'a\u0301', 'á', '食狮']::text[]) t;
SELECT skeleton(NULL) IS NULL, skeleton('Сбер') = skeleton('C6ep') AS six, skeleton('а') = 'a' AS cyrillic;
-- a long text is taken in pieces, which can't be told from the whole
SELECT n, skeleton(repeat('á', n)) = repeat(skeleton('á'), n) AS accents, skeleton(repeat('m', n)) = repeat('rn', n) AS letters,
	length(skeleton(repeat(E'\u0301', n))) AS marks, skeleton(repeat(E'\u200b', n)) = '' AS invisible
FROM unnest('{511,512,513,1023,1024,1025,100000}'::int[]) n;

-- folded: case, look, accents, compatibility forms, spaces, punctuation, what can't be seen
CREATE TABLE brand AS SELECT ARRAY['PayPal', 'Microsoft', NULL, 'Bank of America', 'Bank of Amerika', 'ING', '', '***', 'Сбербанк', '招商银行'] AS names;
SELECT t, n.* FROM brand, unnest(ARRAY['PayPal', 'pаypаl', 'PayPaI', 'PAYPAL', 'Pay Pal', ' P.a.y-P_a.l ', 'paypa1', 'Payapl', 'rnicrosoft', 'MICROSOFT',
	'Ⓟⓐⓨⓟⓐⓛ', 'ＰａｙＰａｌ', 'Pàypäl', 'papal', 'paal', 'bank of amercia', 'Bank of Amrca', 'Bnk of Amrca', 'Bank of Amerixa', 'nobody', E'pay\u200bpal\u202e', '✅ PayPal',
	'Paypa|', 'Pay | Pal', 'ing', 'IN6', 'lNG', 'inn', 'сбербанк', 'СБЕРБАНК', 'C6epбaнк', 'МІСRОSОFТ', 'Воf А', 'ВАNК ОF АМЕRІСА', '招商銀行', '招商银行', '', '!!!']) WITH ORDINALITY u(t, i), nearest_name(t, names) n ORDER BY i;
SELECT nearest_name('paypal', '{}') IS NULL AS none, nearest_name(NULL, '{a}') IS NULL AS no_text, nearest_name('a', NULL) IS NULL AS no_names,
	nearest_name('paypal', '{{x,y},{paypal,PAYPAL}}'), nearest_name('paypal', '{NULL,NULL}') IS NULL AS nulls;
-- how far off a name may be: none below 4, 1 below 8 letters, then 2
SELECT nearest_name(t, '{abc}') AS three, nearest_name(t, '{abcd}') AS four, nearest_name(t, '{abcdefg}') AS seven, nearest_name(t, '{abcdefgh}') AS eight
FROM unnest('{abc,abd,abcd,abcde,abcxe,abcdefg,abcxefg,xbcxefg,abcdefgh,xbcdefgx,xbcxefgx,bacdfegh,badcfegh}'::text[]) t;
-- limits
SELECT nearest_name(repeat('a', 256), ARRAY[repeat('a', 255)]), nearest_name(repeat('a', 257), ARRAY[repeat('a', 256)]) IS NULL AS long_text,
	nearest_name(repeat(' ', 8188) || 'abcd', '{abcd}'), nearest_name(repeat(' ', 8189) || 'abcd', '{abcd}') IS NULL AS padded,
	nearest_name('abcd' || repeat(E'\u0301', 2000), '{abcd}') AS marks, nearest_name(repeat('ﷺ', 256), '{abcd}') IS NULL AS expands;
SELECT nearest_name('a', ARRAY['b', repeat('a', 257)]);
SELECT (nearest_name('name50000', array_agg('name' || i))).distance FROM generate_series(1, 50000) i;
SELECT nearest_name('a', array_agg('name' || i)) FROM generate_series(1, 50001) i;

-- the same as by the definition, by the index (one array), and one by one (another array for each)
CREATE FUNCTION edits(a text, b text) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	d int[];
	w int := length(b) + 1;
	c int;
BEGIN
	d := array_fill(0, ARRAY[(length(a) + 1) * w]);
	FOR i IN 0 .. length(a) LOOP
		FOR j IN 0 .. length(b) LOOP
			IF i = 0 OR j = 0 THEN
				c := i + j;
			ELSE
				c := least(d[(i - 1) * w + j + 1] + 1, d[i * w + j] + 1,
					d[(i - 1) * w + j] + (substr(a, i, 1) <> substr(b, j, 1))::int);
				IF i > 1 AND j > 1 AND substr(a, i, 1) = substr(b, j - 1, 1) AND substr(a, i - 1, 1) = substr(b, j, 1) THEN
					c := least(c, d[(i - 2) * w + j - 1] + 1);
				END IF;
			END IF;
			d[i * w + j + 1] := c;
		END LOOP;
	END LOOP;
	RETURN d[length(a) * w + w];
END $$;
CREATE TABLE known AS
SELECT n, string_agg(substr('abcd', 1 + abs(hashint8(n * 1000 + i)) % 4, 1), '' ORDER BY i) AS t
FROM generate_series(1, 60) n, generate_series(1, 1 + n % 15) i GROUP BY n;
CREATE TABLE asked AS
SELECT q, CASE q % 4
	WHEN 0 THEN overlay(k.t PLACING substr('abcd', 1 + q % 4, 1) FROM at FOR 1)
	WHEN 1 THEN overlay(overlay(k.t PLACING '' FROM at FOR 1) PLACING 'c' FROM at + 2 FOR 0)
	WHEN 2 THEN overlay(k.t PLACING reverse(substr(k.t, at, 2)) FROM at FOR 2)
	ELSE overlay(overlay(k.t PLACING reverse(substr(k.t, at, 2)) FROM at FOR 2) PLACING 'd' FROM 1 + abs(hashint8(-q)) % length(k.t) FOR 1) END AS t
FROM generate_series(1, 240) q JOIN known k ON k.n = 1 + q % 60, LATERAL (SELECT 1 + abs(hashint8(q)) % length(k.t) AS at) a;
CREATE TABLE answer AS
SELECT q, t, (SELECT ROW(k.t, e) FROM known k, LATERAL (SELECT edits(k.t, a.t) AS e OFFSET 0) x
	WHERE abs(length(k.t) - length(a.t)) <= 2 AND e <= CASE WHEN length(k.t) < 4 THEN 0 WHEN length(k.t) < 8 THEN 1 ELSE 2 END ORDER BY e, n LIMIT 1)::text AS by_definition
FROM asked a;
SELECT count(*), count(by_definition) > 100 AS some, count(*) - count(by_definition) > 5 AS some_not FROM answer;
SELECT q, t, by_definition, n FROM answer, LATERAL (SELECT nearest_name(t, (SELECT array_agg(t ORDER BY n) FROM known))::text AS n) x WHERE n IS DISTINCT FROM by_definition;
SELECT q, t, by_definition, n FROM answer, LATERAL (SELECT nearest_name(t, (SELECT array_agg(t ORDER BY n) FROM known) || ('zzzzzz' || q))::text AS n) x WHERE n IS DISTINCT FROM by_definition;

-- a call site notices another array: by rows, stored, in a parameter, in a variable
SELECT i, nearest_name('paypal', CASE WHEN i % 2 = 0 THEN ARRAY['paypal'] ELSE ARRAY['pavpal'] END) FROM generate_series(1, 4) i;
CREATE TABLE stored (i int, names text[]);
ALTER TABLE stored ALTER COLUMN names SET STORAGE EXTERNAL;
INSERT INTO stored SELECT i, (SELECT array_agg('name' || j * i) FROM generate_series(1, 1000) j) FROM generate_series(1, 3) i;
SELECT i, nearest_name('name999', names) AS a, nearest_name('name2997', names) AS b FROM stored, generate_series(1, 2) ORDER BY i;
PREPARE ask(text[]) AS SELECT nearest_name('paypal', $1) FROM generate_series(1, 2);
SET plan_cache_mode = force_generic_plan;
EXECUTE ask('{paypal}');
EXECUTE ask('{pavpal}');
RESET plan_cache_mode;
DO $$
DECLARE
	names text[];
	found text;
BEGIN
	FOR i IN 1 .. 3 LOOP
		names := ARRAY['name' || i, 'paypal' || i];
		found := (nearest_name('paypal', names)).name;
		RAISE WARNING '%', found;
		names[2] := 'paypa' || i;
		found := (nearest_name('paypal', names)).name;
		RAISE WARNING '%', found;
	END LOOP;
END $$;
DROP TABLE brand, known, asked, answer, stored;
DROP FUNCTION edits;

-- domains: each way, and what is none
SELECT t, n.* FROM unnest(ARRAY['paypal.com', 'www.PayPal.com', 'alice@mail.paypal.com', 'paypa1.com', 'pаypal.com', 'xn--pypal-4ve.com', 'pаypol.com', 'paypal.co', 'paypal.co.uk',
	'paypol.com', 'payapl.net', 'pay-pal.com', 'paypal-login.com', 'mypaypal.net', 'loginpaypal.com', 'paypal24.net', 'paypalxyz.net', 'xyz-paypal.net',
	'paypal.com.example.net', 'paypal.example.net', 'www.paypal.com-secure.example.net', 'a.b.c.d.e.f.g.paypal.example.net', 'paypal.a.b.c.d.e.f.g.h.example.net',
	'rnicrosoft.com', 'micros0ft.org', 'microsoftstore.biz', 'ourmicrosofter.biz', 'micorsoft-help.com', 'america-bankof.com', 'bank-of-america.net', 'bankofamercai.net', 'apple.com.example.org',
	'apple.example.org', 'pineapple.com', 'apple-id.com', 'apple-pie.com', 'app1e.com', 'aple.com', 'wallet-ledger.com', 'ing.de', 'lng.com', 'ing.org', 'inn.com', 'bob.github.io', 'alice.github.io', 'alice.github.org', 'al1ce.github.io',
	'metamasks.io', 'metamsk.io', 'metamsks.io', 'metamask-io.evil.com',
	'Bob <bob@paypai.com>', 'x', '', '@', '1.2.3.4', 'com', 'co.uk', 'paypal', 'a b.com', 'xn--.com', 'xn--99999999999.com', '-.com', '_dmarc.paypa1.com']) WITH ORDINALITY u(t, o),
	lookalike_domain(t, ARRAY['paypal.com', 'www.microsoft.com', NULL, 'bankofamerica.com', 'Apple.com', 'ledgerwallet.com', 'ing.com', 'alice.github.io', 'metamask.io']) n ORDER BY o;
-- a protected one that looks like another is none; a public suffix may be protected; among equals the first
SELECT lookalike_domain('paypa1.com', '{paypal.com,paypa1.com}') IS NULL AS own, lookalike_domain('g1thub.io', '{github.io}'), lookalike_domain('a.github.io', '{github.io}') IS NULL AS below,
	lookalike_domain('amaz0n.fr', '{amazon.com,amazon.de}'), lookalike_domain('amazon.fr', '{amaz0n.com,amazon.de}'), lookalike_domain('bücher.de', '{bücher.com}'), lookalike_domain('xn--bcher-kva.de', '{bucher.com}');
SELECT lookalike_domain(NULL, '{a.com}') IS NULL, lookalike_domain('a.com', NULL) IS NULL, lookalike_domain('a.com', '{}') IS NULL AS none;
SELECT lookalike_domain('a.com', '{b.com,com}');
SELECT lookalike_domain('a.com', '{b.com,""}');
SELECT lookalike_domain('a.com', ARRAY['b.com', repeat('é', 1000)]);
SELECT lookalike_domain('a.com', array_agg('b.com'::text)) FROM generate_series(1, 50001);
-- limits of a label and a name; many protected; one by one and by the index
SELECT lookalike_domain(repeat('a', 62) || '.com', ARRAY[repeat('a', 63) || '.com']), lookalike_domain(repeat('a', 63) || '.com', ARRAY[repeat('a', 61) || '.com']),
	lookalike_domain('paypal.' || repeat('a.', 121) || 'com', '{paypal.com}') IS NULL AS deep, lookalike_domain(repeat('a', 100000), '{paypal.com}') IS NULL AS long;
SELECT t, count(DISTINCT n), min(n) FROM generate_series(1, 3), unnest('{brand77-login.com,brand-number-4999.net,brandnumbr490.com}'::text[]) t,
	LATERAL (SELECT lookalike_domain(t, (SELECT array_agg('brandnumber' || i || '.com' ORDER BY i) FROM generate_series(100, 5000) i))::text AS n) x GROUP BY t ORDER BY t;
SELECT lookalike_domain(t, ARRAY['brand' || t]) AS other_array FROM unnest('{a.com,b.com}'::text[]) t;

-- links: what they show, where they lead
SELECT t, h, link_mismatch(t, h) FROM (VALUES
	('https://www.paypal.com/login', 'https://paypal.com/'), ('https://www.paypal.com/login', 'http://evil.example.com/paypal.com'), ('HTTP://PayPal.com', 'hTTps://www.PAYPAL.com:443/x'),
	('www.paypal.com', 'http://evil.com'), ('www.paypal.com now', 'http://evil.com'), ('paypal.com', 'http://evil.com'), ('paypal.com/login?x=y', 'http://evil.com'), ('(paypal.com).', 'http://evil.com'),
	('paypal.com now', 'http://evil.com'), ('click here', 'http://evil.com'), ('e.g. this', 'http://evil.com'), ('node.js', 'http://evil.com'), ('report.pdf', 'http://evil.com'), ('README.md', 'http://evil.com'),
	('readme.md/x', 'http://evil.com'), ('1.2.3', 'http://evil.com'), ('bob@paypal.com', 'mailto:bob@evil.com'), ('bob@paypal.com', 'http://evil.com'), ('paypal.com', 'mailto:bob@evil.com'), ('paypal.com', '/login'), ('paypal.com', '#top'),
	('paypal.com', '//evil.com/x'), ('paypal.com', 'evil.com'), ('paypal.com', 'login.html'), ('paypal.com', 'javascript:alert(1)'), ('paypal.com', ''), ('', 'http://evil.com'), ('http://', 'http://evil.com'), ('https://x', 'http://evil.com'),
	('paypal.com', 'http://paypal.com@evil.com/'), ('paypal.com', 'http://evil.com@paypal.com/'), ('paypal.com', 'http://evil.com/@paypal.com'), ('paypal.com', 'http://evil.com\@paypal.com'), ('paypal.com', 'http:evil.com'), ('paypal.com', 'http:\\evil.com'),
	('paypal.com', 'http:////paypal.com'), ('paypal.com', 'http://pay%70al.com/'), ('paypal.com', 'http://evil%2ecom/'), ('paypal.com', 'http://paypal.com%00.evil.com/'), ('paypal.com', E'ht\ntp://pay\tpal.com/'), ('paypal.com', ' http://paypal.com '),
	('paypal.com', 'http://10.0.0.1/'), ('http://10.0.0.1/', 'http://10.0.0.1:80/x'), ('http://10.0.0.1/', 'http://10.0.0.2/'), ('paypal.com', 'http://2130706433/'), ('paypal.com', 'http://[::1]:80/'), ('http://[::1]/', 'http://[::1]:80/'),
	('http://bücher.de', 'http://xn--bcher-kva.de'), ('pаypal.com', 'http://paypal.com'), (E'pay\u200bpal.com', 'http://paypal.com'), (E'\u200bhttps://paypal.com', 'http://evil.com'), (E'paypal\u3002com', 'http://paypal.com'), ('bob.github.io', 'https://alice.github.io'),
	('http://localhost/', 'http://localhost:8080/'), ('http://localhost/', 'http://intranet/'), ('paypal.com:8080', 'http://paypal.com'), ('paypal.com:8080/x', 'http://evil.com'), ('www.a', 'http://evil.com'), ('www.paypal.nosuch', 'http://evil.com'), ('paypal.nosuch', 'http://evil.com'),
	('ftp://paypal.com', 'http://evil.com'), ('tel:1', 'http://evil.com'), ('http://:80/', 'http://evil.com'), ('http://@', 'http://evil.com'), (':', 'http://evil.com'), ('paypal.com', 'http://?x'), ('%70aypal.com', 'http://evil.com')) v (t, h);
-- what is long: 4,096 bytes of an address are read
SELECT link_mismatch(repeat(' ', 10000) || 'paypal.com', repeat(E'\n', 10000) || 'http://evil.com' || repeat('x/', 100000)) AS padded, link_mismatch('http://' || repeat('a', 4083) || '@x.com', 'http://x.com') AS user_in, link_mismatch('http://' || repeat('a', 4084) || '@x.com', 'http://x.com') AS user_cut,
	link_mismatch('http://' || repeat('a', 5000) || '@x.com', 'http://x.com') AS user_out, link_mismatch(repeat('a.', 2000) || 'com', 'http://x.com') AS name, link_mismatch('x.com', repeat(E'\u200b', 100000)) AS invisible,
	link_mismatch('http://' || repeat(E'\u0301', 4000), 'http://x.com') AS marks, link_mismatch(NULL, 'x') IS NULL AND link_mismatch('x', NULL) IS NULL AS nulls;

-- other encodings: what has no equivalent is a question mark
\set regress :DBNAME
DROP DATABASE IF EXISTS assay_regress_lookalike;
CREATE DATABASE assay_regress_lookalike TEMPLATE template0 ENCODING 'KOI8R' LC_COLLATE 'C' LC_CTYPE 'C';
\c assay_regress_lookalike
SET client_encoding = 'UTF8';
SET client_min_messages = warning;
CREATE EXTENSION pg_assay;
SELECT assay.skeleton('раураl'), skeleton.s ~ '^ab[?]' AS partly, (assay.nearest_name('раураl', '{Сбербанк,PayPal}')).*, assay.nearest_name('C6EPБAHK', '{СБЕРБАНК}'), assay.lookalike_domain('раураl.com', '{paypal.com}') FROM assay.skeleton('abй') AS skeleton(s);
\c :regress
DROP DATABASE assay_regress_lookalike;
CREATE DATABASE assay_regress_lookalike TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C';
\c assay_regress_lookalike
SET client_encoding = 'SQL_ASCII';
SET client_min_messages = warning;
CREATE EXTENSION pg_assay;
SELECT assay.skeleton(E'a\xffm\xd0'), (assay.nearest_name(E'p\xd0\xb0ypa1\xe2', '{PayPal}')).*, assay.link_mismatch(E'http://p\xd0\xb0ypal.com\xff', E'http://paypal.com/\xff'), assay.nearest_name(E'\xff\xfe', ARRAY[E'\xff']);
\c :regress
DROP DATABASE assay_regress_lookalike;
