-- message_facts(): all facts of a message in one call, and the same as those of each engine

\pset null -

-- a message with something of everything
CREATE TABLE message AS SELECT
	'{"authentication-results": ["mx.example.org; spf=pass smtp.mailfrom=b@mailer.test; dkim=pass header.d=news.bank.test; dmarc=fail (p=REJECT) header.from=bank.test",
		"mx.bank.test; spf=pass smtp.mailfrom=bank.test"],
	  "received": ["from edge.example.org (edge.example.org [192.0.2.1]) by box.example.org with ESMTPS",
		"from mail.bank.test (dsl-9.isp.test [203.0.113.9]) by edge.example.org with ESMTP"]}'::jsonb AS headers,
	'news@bank.test' AS from_addr, 'PayPal.com Support' AS from_name, 'x@gmail.com' AS reply_to, 'b@mailer.test' AS return_path,
	'1@mail.bank.test' AS message_id, '{ann@example.org,bob@sub.bank.test,news@bank.test}'::text[] AS recipients,
	'URGENT: your Pay​Pal account!' AS subject, E'Dear customer,\n> quoted\nPAY now' AS body_text,
	'{https://a.bank.test/x?u=ann%40example.org,http://r.test/?to=https%3A%2F%2Fevil.example%2Fa&x=1,http://3325256711/pay}'::text[] AS urls,
	'{http://3325256711/pay,mailto:x@y.test}'::text[] AS link_hrefs, '{https://www.bank.test/,write}'::text[] AS link_texts;

\x
SELECT (f).* FROM (SELECT assay.message_facts(headers, from_addr, from_name, reply_to, return_path, message_id, recipients, subject,
	body_text, urls, link_hrefs, link_texts, '{mx.example.org}', '{192.0.2.0/24}') AS f FROM message OFFSET 0) s;
-- nothing at all
SELECT * FROM assay.message_facts(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
\x

-- each engine says the same
SELECT count(*) AS differ FROM message m,
	assay.message_facts(headers, from_addr, from_name, reply_to, return_path, message_id, recipients, subject, body_text, urls,
		link_hrefs, link_texts, '{mx.example.org}', '{192.0.2.0/24}') f,
	assay.auth_facts(headers, '{mx.example.org}', from_addr) a, assay.received_facts(headers, '{192.0.2.0/24}') r,
	assay.text_facts(body_text) b, assay.text_facts(m.subject) s, assay.text_facts(from_name) n,
	assay.url_facts(urls, link_hrefs, link_texts, from_addr) u
WHERE (f.auth_server, f.auth_spf, f.auth_spf_domain, f.auth_spf_aligned, f.auth_dkim, f.auth_dkim_domain, f.auth_dkim_domains,
		f.auth_dkim_aligned, f.auth_dmarc, f.auth_dmarc_policy, f.auth_conflict, f.auth_headers, f.auth_untrusted_headers)
	IS DISTINCT FROM (a.authserv_id, a.spf, a.spf_domain, a.spf_aligned, a.dkim, a.dkim_domain, a.dkim_domains,
		a.dkim_aligned, a.dmarc, a.dmarc_policy, a.conflict, a.trusted_headers, a.untrusted_headers)
	OR (f.relay_name, f.relay_helo, f.relay_by, f.relay_protocol, f.relay_encrypted, f.relay_helo_matches, f.relay_hop, f.relay_hops)
	IS DISTINCT FROM (r.name, r.helo, r.by, r.protocol, r.encrypted, r.helo_matches_name, r.hop, r.hops)
	OR (f.body_words, f.body_uppercase_share, f.body_quoted_share, f.body_entropy, f.body_scripts, f.body_longest_line)
	IS DISTINCT FROM (b.words, b.uppercase_share, b.quoted_share, b.entropy, b.scripts, b.longest_line)
	OR (f.subject_words, f.subject_invisible_words, f.subject_digit_share, f.subject_scripts)
	IS DISTINCT FROM (s.words, s.invisible_words, s.digit_share, s.scripts)
	OR (f.from_name_words, f.from_name_scripts) IS DISTINCT FROM (n.words, n.scripts)
	OR (f.url_count, f.url_host_count, f.url_foreign_domains, f.url_of_sender, f.url_ip, f.url_email, f.url_nested, f.url_hosts,
		f.url_domains, f.link_count, f.link_mismatches, f.link_mailto)
	IS DISTINCT FROM (u.urls, u.hosts, u.foreign_domains, u.sender_urls, u.ip_urls, u.email_urls, u.nested_urls, u.host_names,
		u.domain_names, u.links, u.link_mismatches, u.mailto_links);

-- a recipient's address in a URL, in each form, at each place of Base64
SELECT url, url_recipient FROM unnest(ARRAY[
	'https://x.test/ann@example.org', 'https://x.test/?e=ANN%40Example.org', 'https://x.test/#ann@example.org',
	'https://x.test/' || encode('ann@example.org', 'hex'), 'https://x.test/' || encode('ann@example.org', 'base64'),
	'https://x.test/' || encode('xann@example.orgx', 'base64'), 'https://x.test/' || encode('xxann@example.org', 'base64'),
	'https://x.test/' || encode('{"e":"ann@example.org"}', 'base64'), 'https://x.test/joann@example.orgs',
	'https://x.test/ann@example.com', 'https://x.test/ann', 'https://ann@example.org/',
	'https://x.test/' || encode('bnn@example.org', 'base64')]) url,
	assay.message_facts(NULL, NULL, NULL, NULL, NULL, NULL, '{ann@example.org}', NULL, NULL, ARRAY[url], NULL, NULL);

-- where URLs in URLs lead
SELECT url, url_nested, url_redirects, url_redirect_domains FROM unnest(ARRAY[
	'https://r.test/https://www.evil.example/', 'https://r.test/?u=https%3A%2F%2Fwww.evil.example%2Fx&y=1',
	'https://r.test/?u=https%253A%252F%252Fwww.evil.example', 'https://r.test/?u=' || encode('https://www.evil.example/', 'base64'),
	'https://r.test/?u=a1' || encode('http://www.evil.example/abc', 'base64'), 'https://r.test/?u=https://www.r.test/a',
	'https://r.test/?u=https://', 'https://r.test/?u=http', 'https://r.test/?u=https://198.51.100.7/',
	'https://r.test/?u=aHR0cHM6Ly', 'https://r.test/?u=https%3A%2F%2F%E4%B8%AD.example']) url,
	assay.message_facts(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, ARRAY[url], NULL, NULL);

-- hosts that a display name shows
SELECT name, from_name_domain, from_name_mismatch FROM unnest(ARRAY[
	'Bank', 'service@bank.test', 'service@paypal.com', '"support@paypal.com" via X', 'Booking.com', 'St.Louis', 'J. R. Smith',
	'node.js', 'www.bank.co.uk', 'paypal.com', '<x@www.paypal.com>', '', '....', 'a@', '@paypal.com', '1.2.3.4', 'Amazon.de - news']) name,
	assay.message_facts(NULL, 'x@booking.com', name, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

-- how addresses relate
SELECT r, reply_to_org, reply_to_is_from, reply_to_aligned, return_path_org, return_path_is_from, return_path_aligned, message_id_org, message_id_aligned
FROM unnest(ARRAY['a@x.bank.co.uk', 'A@X.Bank.co.uk', 'b@bank.co.uk', 'b@evil.co.uk', '', NULL, 'nobody', '@', '1@localhost']) r,
	assay.message_facts(NULL, 'a@x.bank.co.uk', NULL, r, r, r, NULL, NULL, NULL, NULL, NULL, NULL);

-- first values of headers
SELECT assay.header_values(h, '{to,x,absent,NULL,to}') FROM unnest(ARRAY['{"to": ["a", "b"], "x": "é"}', '{"to": [], "x": 1}', '{"to": [1, "b"], "x": {"a": "b"}}', '{}', 'null', '[]', '"to"', NULL]::jsonb[]) h;
SELECT assay.header_values('{"a": ["b"]}', '{}'), assay.header_values('{"a": ["b"]}', NULL), assay.header_values('{"a": [""]}', '{a}');
SELECT assay.header_values('{"a": ["b"]}', '{{a,b}}');

SELECT assay.message_facts('[]', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
DROP TABLE message;
