-- url_facts: where links lead
SET search_path = public, assay;
\pset format unaligned
\pset null (null)

-- what there is, by name
CREATE FUNCTION facts(f url_facts) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(key || '=' || value, ' ' ORDER BY n)
	FROM json_each_text(row_to_json(f)) WITH ORDINALITY AS e (key, value, n)
	WHERE value NOT IN ('0', '[]') AND key NOT IN ('longest_url', 'longest_host', 'most_labels')
$$;
CREATE FUNCTION facts(url text) RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(' ', coalesce((f).host_names[1], 'none'), nullif(substring(facts(f) FROM 'urls=1 (?:hosts=1 ?(?:domains=1 ?)?)?(.*?) ?(?:host_names=.*)?$'), ''))
	FROM (SELECT url_facts(ARRAY[url]) f) x
$$;

SELECT facts(url_facts('{https://www.a.example/x,http://b.example,https://A.example/?y,https://cdn.a.example,https://198.51.100.7:8080/z}', sender_domain => 'news@mail.a.example'));
SELECT (f).longest_url, (f).longest_host, (f).most_labels, (f).foreign_domains, (f).sender_urls FROM url_facts('{https://www.a.example/äöü,https://a.b.c.d.e.example}') f;

-- hosts as browsers take them, and what makes them hard to see
SELECT url, ': ' || (facts(url)) AS host FROM unnest(ARRAY[
	'https://www.a.example/', 'HTTPS://WWW.A.Example', 'https://a.example.', 'https://a.example:443/', 'http://a.example:080', 'http://a.example:443', 'https://a.example:', 'ftp://a.example:21/x',
	'https://bank.example@evil.example/', 'https://bank.example%2Flogin@evil.example', 'https://user:pass@evil.example:444', 'https://a@b@c.example', 'https://evil.example/@bank.example', 'https://evil.example?@bank.example', 'https://evil.example#@bank.example', 'https://evil.example\@bank.example',
	'https:\\evil.example\x', 'https:evil.example', 'https:/evil.example', 'https:////evil.example', E'ht\ntps://ev\til.example/', E'https://evil.example/a\nb', E' \x01 https://evil.example ',
	'https://%65vil.example', 'https://evil%2Eexample', 'https://evil%00.example', 'https://ｅｖｉｌ．ｅｘａｍｐｌｅ', 'https://evil。example', 'https://xn--pypal-4ve.example', 'https://pаypal.example', E'https://ev\u00ADil.example',
	'http://198.51.100.7', 'http://3325256711/', 'http://0xC6336407', 'http://0306.063.0144.07', 'http://198.3367943', 'http://198.51.100.7.', 'http://198.51.100.256', 'http://1.2.3.4.5', 'http://a.1', 'http://4294967296', 'http://0x', 'http://[2001:DB8::7]:80/', 'http://[::ffff:1.2.3.4]', 'http://[::g]', 'http://[', 'http://09.1.1.1',
	'www.a.example.com/x', 'a.com/x', 'page.html', '/path', '#top', '?q', '//a.example/x', 'a.com:8080/x', '', ' ', 'https://', 'https:///', 'https://-', 'https://a b.example', 'https://a,b.example', 'http://bank.example&login.evil.example/', 'http://x!.evil.example', 'http://evil.example,b', 'https://..', 'https://localhost', 'localhost',
	'https://a.example/?u=bob@b.example', 'https://a.example/#bob%40b.example', 'https://a.example/@bob', 'https://a.example/a@b', 'https://a.example/a@1.2', 'https://a.example/?q=@b.example',
	'https://a.example/?u=https://b.example', 'https://a.example/?u=https%3A%2F%2Fb.example', 'https://a.example/http%253a%252f%252fb', 'https://a.example/http', 'https://http://b.example',
	'mailto:bob@a.example', 'tel:+49', 'javascript:alert(1)', 'data:text/html,x', 'cid:x@y', 'about:blank', 'custom://a.example']) WITH ORDINALITY AS u (url, n) ORDER BY n;

-- links: what the text shows, and where it leads
SELECT href, shown, substring(facts(url_facts(NULL, ARRAY[href], ARRAY[shown])) FROM 'links=1 ?(.*?) ?(?:host_names|$)') AS facts FROM (VALUES
	('https://evil.example', 'https://bank.example'), ('https://evil.example', 'Click here'), ('https://evil.example', 'bank.com'), ('https://evil.example', 'www.bank.com/login'), ('https://login.bank.com/x', 'www.Bank.com'),
	('https://evil.example', ' https://bank.example/ '), ('https://evil.example', 'https://bank.example for you'), ('https://evil.example', E'http://bank.example\n(new)'), ('https://evil.example', 'report.pdf'), ('https://evil.example', 'bob@bank.com'), ('mailto:bob@bank.com', 'www.bank.com'),
	('https://198.51.100.7', 'http://198.51.100.7/'), ('https://198.51.100.8', 'http://198.51.100.7/'), ('https://evil.example', '198.51.100.7'), ('https://evil.example', ''), ('https://evil.example', NULL), ('https://evil.example', E'\u00A0'), ('javascript:x', 'http://a.example'),
	('https://a.github.io', 'https://b.github.io'), ('https://xn--pypal-4ve.com', 'https://paypal.com'), ('https://bücher.com', 'xn--bcher-kva.com'), ('https://evil.example', 'https://'), ('#top', 'https://bank.example'), (E'JAVA\nSCRIPT:x', 'x'), ('sms:1', 'x')) AS v (href, shown);
SELECT facts(url_facts('{https://a.example}', '{https://b.example,NULL,mailto:x}', '{https://a.example}')) AS fewer_texts, facts(url_facts('{NULL,https://a.example}', NULL, '{x}', 'a.example')) AS nulls, facts(url_facts('{}', '{}', '{}', 'a.example')) AS empty;

-- the sender's own domain
SELECT sender, (f).foreign_domains, (f).sender_urls FROM unnest(ARRAY['a.co.uk', 'Bob <bob@x.A.co.uk>', 'co.uk', 'b.example', 'github.io', 'x.github.io', '198.51.100.7', 'no host', '', NULL]) sender,
	LATERAL (SELECT url_facts('{https://www.a.co.uk,https://a.co.uk,https://b.example,https://y.github.io,https://github.io,https://198.51.100.7}', sender_domain => sender) f) x;

-- large: linear in urls, and in one
SELECT (f).urls, (f).hosts, (f).domains, cardinality((f).host_names) FROM (SELECT url_facts(array_agg('https://h' || i || '.d' || i % 1000 || '.example/')) f FROM generate_series(1, 100000) i) x;
SELECT (f).longest_url, (f).hosts, (f).nested_urls, (f).email_urls FROM url_facts(ARRAY['https://a.example/' || repeat('http', 1000000) || '://', 'https://a.example/?' || repeat('a@', 1000000) || 'b.example', repeat('https://', 1000000)]) f;
-- limits: a host ends within 2048 bytes
SELECT n, (f).hosts, (f).userinfo_urls FROM unnest(ARRAY[2028, 2029, 2030, 1000000]) n, LATERAL (SELECT url_facts(ARRAY['https://' || repeat('u', n) || '@a.example/']) f) x;
SELECT n, (f).longest_host FROM unnest(ARRAY[253, 254]) n, LATERAL (SELECT url_facts(ARRAY['https://' || repeat('a.', (n - 9) / 2) || left('bb', 1 + (n - 9) % 2) || '.example/']) f) x;

-- NULL in, NULL out
SELECT url_facts(NULL) IS NULL AS urls, url_facts(NULL, NULL, '{x}', 'y') IS NULL AS both, url_facts('{}') IS NULL AS none;
DROP FUNCTION facts(text), facts(url_facts);
