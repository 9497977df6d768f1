-- received_facts: who handed a message over
SET search_path = public, assay;
\pset format unaligned
\pset null (null)

-- what there is, by name
CREATE FUNCTION facts(f received_facts) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(key || '=' || value, ' ' ORDER BY n)
	FROM json_each_text(row_to_json(f)) WITH ORDINALITY AS e (key, value, n)
	WHERE (key, value) NOT IN (('encrypted', 'false'), ('authenticated', 'false'), ('hop', '1'), ('hops', '1'))
$$;
CREATE FUNCTION facts(header text) RETURNS text LANGUAGE sql AS $$
	SELECT facts(received_facts(jsonb_build_object('received', jsonb_build_array(header || '; Tue, 5 Mar 2024 08:00:00 +0000')), '{192.0.2.0/24}'))
$$;

-- as servers write them
SELECT name, facts(header) FROM (VALUES
	('Postfix', 'from mail.a.example (out1.a.example [198.51.100.7]) (using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)) (No client certificate requested) by mx.test (Postfix) with ESMTPS id 4 for <x@test>'),
	('Postfix, no name', 'from [203.0.113.9] (unknown [198.51.100.7]) by mx.test (Postfix) with SMTP id 4'),
	('Postfix, logged in', 'from pc.local (dsl-7.isp.example [198.51.100.7]) (Authenticated sender: bob) by mx.test with ESMTPSA id 4'),
	('Sendmail', 'from a.example (bob@out.a.example. [198.51.100.7] (may be forged)) by mx.test (8.17/8.17) with ESMTP id 4'),
	('Sendmail, no name', 'from a.example ([198.51.100.7]) by mx.test with ESMTP id 4'),
	('Exim', 'from out.a.example ([198.51.100.7]:25 helo=mail.a.example) by mx.test with esmtps (TLS1.3) tls TLS_AES (Exim 4.96)'),
	('Exim, no name', 'from [198.51.100.7] (helo=203.0.113.9) by mx.test with esmtp (Exim 4.96)'),
	('qmail', 'from unknown (HELO 203.0.113.9) (198.51.100.7) by mx.test with SMTP'),
	('qmail, with name', 'from out.a.example (HELO mail.a.example) (bob@198.51.100.7) by mx.test with SMTP'),
	('Exchange', 'from out.a.example (198.51.100.7) by mx.test (10.0.0.1) with Microsoft SMTP Server (version=TLS1_2, cipher=TLS_ECDHE) id 15.20'),
	('Gmail', 'from mail.a.example (mail.b.example. [2001:db8::7]) by mx.google.com with ESMTPS id x (version=TLS1_3 cipher=TLS bits=256/256)'),
	('IPv6', 'from a.example (b.example [IPv6:2001:db8::7]) by mx.test with UTF8SMTPS id 4'),
	('mapped', 'from a.example (b.example [::ffff:198.51.100.7]) by mx.test with LMTPS id 4'),
	('web', 'from [198.51.100.7] by web.test with HTTP'),
	('nothing but an address', 'from 198.51.100.7'),
	('U-label', 'from bücher.example (bücher.example [198.51.100.7]) by mx.test with ESMTP'),
	('no host names', 'from a_b!c (d<e [198.51.100.7]) by f,g with h/i')) AS v (name, header);

-- none of these is a hop from outside
SELECT header, facts(header) FROM unnest(ARRAY[
	'by mx.test with SMTP id 4', '(qmail 17 invoked by uid 0)', '', 'from', 'fromage (x [198.51.100.7]) by y',
	'from a (b [10.1.2.3]) by c', 'from a (localhost [127.0.0.1]) by c', 'from a (b [fe80::1]) by c', 'from a (b [::1]) by c', 'from a (b [192.0.2.7]) by c',
	'from a (b [100.64.0.1]) by c', 'from a (b [999.1.1.1]) by c', 'from 1.2.3.4.5.example (x) by y', 'from a (b [1.2.3]) by y', 'from <unknown> (<unknown> []) by c',
	'from a (b [198.51.100.7]) by localhost with POP3 (fetchmail-6.4)', 'from a (b [198.51.100.7]) by c with IMAP']) AS header;

-- what senders choose isn't believed: a greeting, a name that looks like an address
SELECT header, facts(header) FROM unnest(ARRAY[
	'from [203.0.113.9] (x [10.0.0.1]) by mx.test', 'from 203.0.113.9 (203.0.113.9 [198.51.100.7]) by mx.test', 'from a (203.0.113.9.x.example [198.51.100.7]) by mx.test',
	'from a (version=tls.using.tls.authenticated.example [198.51.100.7]) by mx.test with SMTP', 'from tls.authenticated.a (b [198.51.100.7]) by mx.test with SMTP',
	'from a (b [198.51.100.7] (c [203.0.113.9])) by mx.test', 'from a (unclosed [198.51.100.7] by mx.test', 'from a ) by (b [198.51.100.7]) by mx.test', 'from a (b \) [198.51.100.7]) by mx.test']) AS header;

-- the first from outside: below it anything may be written
CREATE TABLE way (id int, headers jsonb);
INSERT INTO way VALUES
	(1, '{"received": ["by mx.acme.example with LMTP id 1", "from mx.acme.example (localhost [127.0.0.1]) by mx.acme.example", "from edge.acme.example (edge.acme.example [198.51.100.1]) by mx.acme.example with ESMTPS", "from a.example (b.example [203.0.113.9]) by edge.acme.example with ESMTP", "from edge.acme.example (edge.acme.example [203.0.113.66]) by edge.acme.example"]}'),
	-- the sender says that it is one of ours
	(2, '{"received": ["from edge.acme.example (evil.example [203.0.113.9]) by mx.acme.example with SMTP", "from a.example (a.example [203.0.113.66]) by edge.acme.example"]}'),
	(3, '{"received": ["from edge.acme.example (unknown [203.0.113.9]) by mx.acme.example with SMTP", "from a.example (a.example [203.0.113.66]) by edge.acme.example"]}'),
	-- Exchange notes no other name; its servers are of two domains
	(4, '{"received": ["from a.prod.outlook.com (2603:10b6:1::1) by b.prod.outlook.com with HTTPS", "from c.eop.outlook.com (2603:10b6:2::1) by a.outlook.office365.com", "from out.a.example (203.0.113.9) by c.protection.outlook.com"]}'),
	-- only our own
	(5, '{"received": ["from edge.acme.example (edge.acme.example [198.51.100.1]) by mx.acme.example", "from pc.acme.example (pc.acme.example [198.51.100.2]) by edge.acme.example"]}'),
	(6, '{"received": []}'), (7, '{}'), (8, '{"Received": "from a.example (b.example [203.0.113.9]) by mx.acme.example"}'), (9, '{"received": [null, 7, {"x": "y"}, ["from a (b [203.0.113.9]) by c"]]}');
SELECT id, facts(received_facts(headers)) AS by_domain, facts(received_facts(headers, '{198.51.100.1,2603:1000::/24}')) = facts(received_facts(headers)) AS same,
	host((received_facts(headers, '{198.51.100.1,2603:1000::/24}')).ip) AS by_network FROM way ORDER BY id;
SELECT (received_facts(headers, nets)).ip FROM way, (VALUES ('{NULL}'::inet[]), ('{0.0.0.0/0}'), ('{203.0.113.8/31}'), ('{203.0.113.9/32,198.51.100.1}'), ('{::/0}'), ('{198.51.100.0/24}'::cidr[])) AS n (nets) WHERE id = 1;

-- large: a header of 1 MB is read, a longer one isn't; any number of headers
SELECT n, (f).ip, (f).hops, length((f).helo) FROM unnest(ARRAY[1000, 1024 * 1024 - 29, 1024 * 1024 - 28]) n,
	LATERAL (SELECT received_facts(jsonb_build_object('received', 'from ' || repeat('a', n) || ' (b [198.51.100.7]) by c'))f) x;
SELECT facts(received_facts(jsonb_build_object('received', array_agg('from a (b [10.0.0.1]) by c' || i || '.example'::text) || 'from a (b [198.51.100.7]) by c.example'::text))) FROM generate_series(1, 100000) i;
SELECT facts('from ' || repeat('(', 1000000) || ' [198.51.100.7] by c') AS nested, facts('from a ' || repeat('(helo=', 100000)) AS helo;

-- NULL in, NULL out; what is no object is refused
SELECT received_facts(NULL) IS NULL AS headers, received_facts('{}', NULL) IS NULL AS trusted;
SELECT received_facts('null') = received_facts('{}') AS json_null;
SELECT received_facts('[]');
DROP TABLE way;
DROP FUNCTION facts(text), facts(received_facts);
