-- Messages for bench/facts.sh: 5,000 of 500 to 3,000 bytes, with headers and links. Run by it.
CREATE TABLE word AS
SELECT i, (ARRAY['the', 'of', 'and', 'to', 'in', 'is', 'that', 'for', 'it', 'with'])[i] AS w FROM generate_series(1, 10) i UNION ALL
SELECT i, (SELECT string_agg(substr('etaoinshrdlucmfwypvbgkjqxz', 1 + abs(hashint4extended(i * 16 + j, 3) % 14)::int, 1), '') FROM generate_series(1, 3 + i % 7) j) FROM generate_series(11, 2000) i;
CREATE INDEX ON word (i);
ANALYZE word;
CREATE TABLE line AS
SELECT seed, (SELECT CASE WHEN seed % 6 = 0 THEN '> ' ELSE '' END || initcap(string_agg(w, ' ' ORDER BY j)) || CASE WHEN seed % 9 = 0 THEN '! Only $' || seed % 1000 ELSE '.' END || CASE WHEN seed % 40 = 0 THEN ' Grüße 😀' ELSE '' END
	FROM generate_series(1, 11) j, LATERAL (SELECT w FROM word WHERE word.i = 1 + abs(hashint4extended(seed * 32 + j, 1)) % CASE WHEN j % 2 = 0 THEN 10 ELSE 2000 END) x) AS l
FROM generate_series(0, 3999) seed;
CREATE INDEX ON line (seed);
ANALYZE line;
CREATE TABLE message AS
SELECT i AS id, 'sender' || i % 300 || '.example' AS from_domain,
	(SELECT string_agg(l, E'\n') FROM line WHERE seed IN (SELECT abs(hashint4extended(i * 64 + k, 5)) % 4000 FROM generate_series(1, 10 + i % 40) k)) AS body_text,
	jsonb_build_object(
		'from', jsonb_build_array('x@sender' || i % 300 || '.example'),
		'authentication-results', jsonb_build_array(
			'mx.example; spf=pass (mx.example: domain of x@m.sender' || i % 300 || '.example designates 198.51.100.' || i % 250 || ' as permitted sender) smtp.mailfrom="x@m.sender' || i % 300 ||
			'.example"; dkim=pass header.i=@sender' || i % 300 || '.example header.s=s1 header.b=Qp4eVn; dmarc=pass (p=REJECT sp=REJECT dis=NONE) header.from=sender' || i % 300 || '.example'),
		'received', jsonb_build_array(
			'from mx.example (mx.example [192.0.2.1]) by box.example (Postfix) with ESMTPS id 4QmqXv for <y@example>; Tue, 27 Jun 2023 00:58:07 +0000 (UTC)',
			'from out' || i % 9 || '.sender' || i % 300 || '.example (out.sender' || i % 300 || '.example [198.51.100.' || i % 250 || ']) (using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)) by mx.example (Postfix) with ESMTPS id 4QmqXw; Tue, 27 Jun 2023 00:58:06 +0000 (UTC)',
			'from pc.local (unknown [10.1.2.3]) by out.sender.example with ESMTPA; Tue, 27 Jun 2023 00:58:05 +0000')) AS headers,
	(SELECT array_agg('https://' || (ARRAY['www', 'cdn', 'click'])[1 + k % 3] || '.host' || (i * k) % 500 || '.example/path/' || md5(i::text || k)) FROM generate_series(1, 1 + i % 12) k) AS urls,
	(SELECT array_agg('https://www.host' || (i * k) % 500 || '.example/path/' || md5(i::text || k)) FROM generate_series(1, 1 + i % 8) k) AS link_hrefs,
	(SELECT array_agg(CASE WHEN k % 4 = 0 THEN 'https://www.host' || i % 500 || '.example' ELSE 'Read more' END) FROM generate_series(1, 1 + i % 8) k) AS link_texts
FROM generate_series(1, 5000) i;
