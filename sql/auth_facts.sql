-- auth_facts: what trusted servers wrote into Authentication-Results
SET search_path = public, assay;
\pset format unaligned
\pset null (null)

-- what there is, by name
CREATE FUNCTION facts(f auth_facts) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(key || '=' || value, ' ' ORDER BY n)
	FROM json_each_text(row_to_json(f)) WITH ORDINALITY AS e (key, value, n)
	WHERE value NOT IN ('0', '[]') AND (key, value) <> ('conflict', 'false')
$$;
CREATE FUNCTION facts(header text, ids text[] DEFAULT '{mx.test}') RETURNS text LANGUAGE sql AS $$
	SELECT facts(auth_facts(jsonb_build_object('authentication-results', jsonb_build_array(header)), ids))
$$;

-- as servers write them
SELECT name, facts(header) FROM (VALUES
	('Gmail', 'mx.test; dkim=pass header.i=@a.example header.s=s1 header.b=Qp/4e+; arc=pass (i=1 spf=pass dkim=pass); spf=pass (mx.test: domain of b+x@m.a.example designates 192.0.2.1 as permitted sender) smtp.mailfrom="b+x@m.a.example"; dmarc=pass (p=REJECT sp=NONE dis=NONE) header.from=a.example'),
	('Yahoo', 'mx.test; dkim=pass header.i=@a.example header.s=k1; spf=pass smtp.mailfrom=m.a.example; dmarc=pass(p=REJECT,sp=REJECT) header.from=a.example;'),
	('OpenDKIM', 'mx.test; dkim=fail reason="signature verification failed" (1024-bit key) header.d=a.example header.i=@a.example header.b="Zx;y(z"'),
	('rspamd', E'mx.test;\n\tdkim=none;\n\tdmarc=fail reason="SPF not aligned (relaxed), No valid DKIM" header.from=a.example (policy=quarantine);\n\tspf=softfail (mx.test: 192.0.2.1 is neither) smtp.mailfrom=b@c.example'),
	('Fastmail', 'mx.test; iprev=pass policy.iprev=192.0.2.1 (a.example); dmarc=pass policy.published-domain-policy=reject policy.applied-disposition=none header.from=a.example; x-ptr=pass smtp.helo=a.example'),
	('RFC 8601, B.6', 'mx.test; dkim=pass reason="good signature" header.i=@mail-router.example.net; dkim=fail reason="bad signature" header.i=@newyork.example.com'),
	('comments everywhere', E'(a (nested \\) one)) mx.test (x) 1 (y) ; (z) spf (a) / (b) 1 (c) = (d) pass (e) smtp (f) . (g) mailfrom (h) = (i) a.example (j) ; dkim=pass (k) header.d=b.example(l)'),
	('no result', 'mx.test 1; none'), ('no method at all', 'mx.test'), ('version', 'mx.test 1; spf=pass smtp.mailfrom=a.example'),
	('caseless', 'MX.Test; SPF=Pass SMTP.MailFrom=B@A.EXAMPLE'), ('quoted id', '"mx.test"; spf=pass'),
	('bounce', 'mx.test; spf=none smtp.mailfrom=<>; spf=pass smtp.helo=relay.a.example'),
	('HELO and MAIL FROM', 'mx.test; spf=pass smtp.helo=relay.b.example; spf=fail smtp.mailfrom=x@a.example'),
	('U-label', 'mx.test; spf=pass smtp.mailfrom=x@bücher.example'), ('an address for a domain', 'mx.test; spf=pass smtp.mailfrom=x@[192.0.2.1] smtp.helo=192.0.2.1'),
	('signatures', 'mx.test; dkim=none; dkim=fail header.d=a.example; dkim=pass header.d=b.example; dkim=pass header.d=c.example; dkim=pass header.d=b.example')
	) AS v (name, header);
-- Microsoft names nobody: '' trusts that
SELECT facts(header, ids) FROM (VALUES (
	'spf=fail (sender IP is 192.0.2.1) smtp.mailfrom=a.example; dkim=none (message not signed) header.d=none;dmarc=fail action=oreject header.from=b.example;compauth=fail reason=000')) AS v (header), (VALUES ('{""}'::text[]), ('{mx.test}')) AS i (ids);

-- whom to trust
SELECT ids, facts('mx7.in.test; spf=pass', ids) FROM (VALUES ('{}'::text[]), ('{mx7.in.test}'), ('{other,MX7.IN.TEST}'), ('{*.test}'), ('{*.in.test}'), ('{*.x7.in.test}'), ('{*.mx7.in.test}'), ('{in.test}'), ('{NULL,*}'), ('{""}')) AS i (ids);
SELECT facts(auth_facts(h, '{mx.test}')) FROM (VALUES
	('{"authentication-results": ["mx.test; spf=fail", "evil.test; spf=pass; dkim=pass header.d=a.example", "mx.test; dkim=none"]}'::jsonb),
	('{"authentication-results": "mx.test; spf=fail"}'), ('{"Authentication-Results": ["mx.test; spf=fail", null, 1, {"a": "mx.test; spf=pass"}, ["mx.test; spf=pass"]]}'),
	('{"authentication-results": null}'), ('{"authentication-results": {"x": "mx.test; spf=pass"}}'), ('{}')) AS v (h);
-- of two results the upper one, unless it is good for the sender
SELECT facts(auth_facts(h, '{mx.test}')) FROM (VALUES
	('{"authentication-results": ["mx.test; spf=pass smtp.mailfrom=a.example", "mx.test; spf=fail smtp.mailfrom=b.example"]}'::jsonb),
	('{"authentication-results": ["mx.test; dmarc=fail header.from=a.example", "mx.test; dmarc=pass header.from=a.example"]}'),
	('{"authentication-results": ["mx.test; dmarc=none header.from=a.example", "mx.test; dmarc=fail header.from=b.example"]}'),
	('{"authentication-results": ["mx.test; arc=pass", "mx.test; arc=pass"]}')) AS v (h);

-- alignment with the author's domain
SELECT d, (f).spf_aligned, (f).dkim_aligned FROM unnest(ARRAY['a.co.uk', 'x.a.co.uk', 'b.co.uk', 'co.uk', 'Bob@A.co.uk', 'c.example', 'no host', NULL]) d,
	LATERAL (SELECT auth_facts('{"authentication-results": ["mx.test; spf=pass smtp.mailfrom=m.a.co.uk; dkim=pass header.d=c.example; dmarc=pass header.from=a.co.uk"]}', '{mx.test}', d) f) x;
SELECT h, (f).spf_aligned, (f).dkim_aligned FROM unnest(ARRAY['spf=fail smtp.mailfrom=a.test; dkim=fail header.d=a.test', 'dkim=pass', 'spf=pass; dkim=none', 'dmarc=pass']) h,
	LATERAL (SELECT auth_facts(jsonb_build_object('authentication-results', 'mx.test; ' || h), '{mx.test}', 'a.test') f) x;
SELECT (f).spf_aligned, (f).dkim_aligned FROM auth_facts('{"authentication-results": ["mx.test; spf=pass smtp.mailfrom=a.test; dkim=pass header.d=a.test"]}', '{mx.test}') f;

-- what senders try: to be believed, or to hide
SELECT name, facts(header) FROM (VALUES
	('in a string', 'mx.test; spf=fail smtp.mailfrom="a; dmarc=pass header.from=bank.example"@evil.example; dmarc=fail header.from=bank.example'),
	('escaped', 'mx.test; spf=fail smtp.mailfrom="a\"; dmarc=pass"@evil.example'),
	('not quoted by the server', 'mx.test; spf=fail smtp.mailfrom=a; dmarc=pass@evil.example; dmarc=fail header.from=bank.example'),
	('not quoted, with a blank', 'mx.test; spf=fail smtp.mailfrom=a; dmarc=pass x@evil.example; dmarc=fail'),
	('whole, before the true one', 'mx.test; spf=fail smtp.mailfrom=a; dmarc=pass header.from=bank.example; x=y@evil.example; dmarc=fail header.from=bank.example'),
	('whole, and well-formed', 'mx.test; spf=fail smtp.mailfrom=a; dmarc=pass header.from=bank.example; x=pass y=z@evil.example; dmarc=fail header.from=bank.example'),
	('out of a comment', 'mx.test; spf=fail (mx.test: domain of a) ; dmarc=pass (@evil.example does not designate) smtp.mailfrom=x'),
	('a comment without an end', 'mx.test; dkim=fail; spf=fail (oops; dmarc=fail'), ('in front', '(mx.test; spf=pass'),
	('a string without an end', 'mx.test; spf=pass smtp.mailfrom="x; dmarc=pass'),
	('the id as a comment', '(mx.test;) evil.test; spf=pass'), ('the id in another', 'mx.test.evil.test; spf=pass'), ('a method for the id', 'mx.test=pass; spf=pass'),
	('two ids', 'mx.test evil.test; spf=pass'), ('nothing', ''), ('a word too long', 'mx.test; spf=' || repeat('p', 33)), ('as long as may be', 'mx.test; spf=' || repeat('p', 32)),
	('escape at the end', 'mx.test; spf=fail (\'), ('control characters', E'mx.test;\x01spf=pass'), ('no equals sign', 'mx.test; spf pass; dkim=pass')) AS v (name, header);
-- limits: 32 domains, a value of 1024 bytes
SELECT n, cardinality((f).dkim_domains), (f).dkim_passed FROM unnest(ARRAY[32, 33, 100000]) n,
	LATERAL (SELECT auth_facts(jsonb_build_object('authentication-results', 'mx.test' || string_agg('; dkim=pass header.d=d' || i || '.example', '')), '{mx.test}') f FROM generate_series(1, n) i) x;
SELECT n, facts('mx.test; spf=pass smtp.mailfrom=' || repeat('a', n) || '@a.example') FROM unnest(ARRAY[1014, 1015, 1024 * 1024 - 42, 1024 * 1024 - 41]) n;
SELECT facts('mx.test; spf=pass ' || repeat('(', 500000) || repeat(')', 500000) || ' smtp.mailfrom=a.example') AS nested;
SELECT facts(auth_facts(jsonb_build_object('authentication-results', array_agg('mx.test; spf=pass smtp.mailfrom=a.example'::text)), '{mx.test}')) AS many FROM generate_series(1, 10000);

-- NULL in, NULL out; what is no object is refused
SELECT auth_facts(NULL, '{x}') IS NULL AS headers, auth_facts('{}', NULL) IS NULL AS ids, auth_facts('{}', '{x}', NULL) IS NULL AS domain;
SELECT auth_facts('null', '{x}') = auth_facts('{}', '{x}') AS json_null;
SELECT auth_facts('[]', '{x}');
SELECT auth_facts('"x"', '{x}');
DROP FUNCTION facts(text, text[]), facts(auth_facts);
