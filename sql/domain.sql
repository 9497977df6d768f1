-- registrable domains and the domains of addresses
SET search_path = public, assay;

-- psql's idea of how wide a character of no width is differs between versions
\pset format unaligned
SELECT host, registrable_domain(host) FROM unnest(ARRAY[
	'example.com', 'www.example.com', 'WWW.Example.CO.UK', 'example.com.', ' example.com ',
	'co.uk', 'com', 'localhost', 'mail.internal', 'a.b.corp',
	'foo.github.io', 'github.io', 'www.city.kawasaki.jp', 'x.y.kawasaki.jp', 'www.ck',
	'www.bücher.example.de', 'www.BÜCHER.de', 'xn--bcher-kva.de', 'bücher。de', 'www.食狮.公司.cn',
	'192.168.1.1', '1.2.3', '256.1.1.1', '[192.168.1.1]', '::1', '[IPv6:::1]', 'example.com:25',
	'', '.', '..', 'foo..com', '.example.com', 'a b.com', '-a.com', '_dmarc.example.com', 'exa<mple.com', 'xn--a.com',
	E'exam\u200bple.com']::text[]) AS host;
\pset format aligned

-- limits: a label of 63, a name of 253 bytes
SELECT length(registrable_domain(repeat('a', 63) || '.com')), registrable_domain(repeat('a', 64) || '.com') IS NULL AS label;
SELECT length(registrable_domain(repeat('a.', 121) || 'example.com')), registrable_domain('a' || repeat('a.', 121) || 'example.com') IS NULL AS name;
SELECT registrable_domain(repeat('ü', 1000000) || '.de') IS NULL AS huge, registrable_domain(repeat('a', 1000000)) IS NULL;
SELECT registrable_domain(NULL) IS NULL AS null_in;

SELECT address, domain_of(address), registrable_domain(domain_of(address)) FROM unnest(ARRAY[
	'bob@example.com', 'Bob <bob@Mail.Example.CO.UK>', '"a@b"@example.com', 'bob@', '@example.com', 'bob', '', 'bob@[127.0.0.1]',
	'bob@bücher.de ', 'bob@example.com.', 'bob@localhost', 'a@b@c.org']) AS address;

SELECT library_version <> '' AS version, list_time > '2015-01-01' AS list_time, suffixes > 5000 AS suffixes FROM public_suffix_list();

-- may be indexed
CREATE TABLE host (name text);
CREATE INDEX ON host (registrable_domain(name));
INSERT INTO host VALUES ('www.example.com'), ('x.org');
SELECT * FROM host WHERE registrable_domain(name) = 'example.com';
DROP TABLE host;
