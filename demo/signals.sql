-- The signals view: everything that detectors, the GBDT and the training
-- export know about a message, one row a message, one column a signal.
--
-- The same view serves the trigger (one id, or a batch of them) and the
-- export (all of them). What needs no other row is one LATERAL, of steps within
-- one another, the first innermost, each of which prepares what later ones
-- share: joins of LATERALs would cost more. An OFFSET keeps the planner from
-- copying a step's expressions into every place where they are used, and naming
-- m.id in it from keeping results by value in a Memoize node: no two messages
-- share them. A history probe is one descent of a unique index.
--
-- Nothing here knows more than was known when the message came: histories end
-- with the day before its own, labels count from the day they became known,
-- and the two looks into the message table take only what was received before.
--
-- Left out on purpose, since it tells how a corpus was collected rather than
-- what a message is: hosts of the receiving side in Received, the number of
-- hops, Delivered-To, X-Spam and mailbox status headers, the calendar date.

-- Regular expressions over the headers and links that matter, as one text with
-- a tag in front of each line: one pass finds all of them. The view knows them by
-- their numbers in what phrase_counts() gives.
INSERT INTO assay.phrase (set, name, pattern, kind)
SELECT 'traits', name, '(?m)' || pattern, 'regex'
FROM (VALUES
	('subject_money',     '^subject: .*([$£€] ?\d|\d ?[$£€%])'),
	('subject_padding',   '^subject: .*(\s{4,}\S|[a-z!?.]\s+[a-z]*\d[a-z0-9]*$|\d{4,}\W*$)'),
	('subject_list_tag',  '^subject: .*\[[a-z0-9 _-]+\]'),
	('subject_reply',     '^subject: \s*(re|fwd?|aw|sv)(\[\d+\])?\s*:'),
	('subject_adv',       '^subject: \W*adv?\W*[:\]]'),
	('mailer_desktop',    '^mailer: .*(mutt|kmail|evolution|sylpheed|gnus|exmh|pine|mozilla|\belm\b|squirrelmail|apple mail|emacs|balsa|nmh)'),
	('mailer_outlook',    '^mailer: .*outlook'),
	('mailer_bulk',       '^mailer: .*(mass|bulk|blast|sender|group ?mail|storm|direct|campaign|dundas|cdo|mailer|promot)'),
	('mailer_garbled',    '^(?-i)mailer: ([A-Za-z]{2,}[a-z][A-Z][A-Za-z]*|[B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{4,})$'),
	('charset_unusual',   '^type: .*charset="?(gb2312|big5|ks_c|euc-kr|iso-2022|koi8|windows-125[1-8]|default|unknown)'),
	('boundary_outlook',  '^type: .*boundary="?-*=?_?nextpart_\w{3}_\w{4}_\w{8}\.\w{8}"?'),
	('message_id_hex',    '^id: ((?-i)[0-9A-F]{8}|[0-9a-z]{12,}\$\w+\$)'),
	('message_id_queue',  '^id: \d{12}\.\w+@'),
	('message_id_bare',   '^id: [^@]*(@[^.]*)?$'),
	('relay_forged',      '^relay: .*\(may be forged\)'),
	('relay_unknown',     '^relay: .*(from unknown|\(unknown \[|unverified)'),
	('relay_dialup',      '^relay: .*((dial|dsl|ppp|pool|dhcp|cable|modem)[a-z]*[-.0-9]|\d+[-.]\d+[-.]\d+[-.]\d+\.[a-z])'),
	('relay_bad_date',    '^relay: .*with \w+; [a-z]{3}, \d\d \d{4}'),
	('helo_numeric',      '^relay: from \[?\d+\.\d+\.\d+\.\d+\]? \('),
	('helo_bare',         '^relay: .*(helo|from) (localhost\.com|mx\d*\.hotmail\.com|mail\.com|\w+) \(\['),
	('url_numeric_host',  '^url: \w+://(\S*@)?[\d.]+([:/?]|$)'),
	('url_obfuscated',    '^url: \w+://[^/\s]*[%@]'),
	('url_port',          '^url: \w+://[^/\s]*:\d'),
	('url_opt_out',       '^url: .*(remove|unsub|opt-?out)'),
	('url_tracking',      '^url: .*\?.*='),
	('url_free_host',     '^url: (\w+://)?[^/\s]*(geocities|tripod|angelfire|hypermart|virtualave|freewebs|netfirms|topcities|yahoo\.com|tinyurl|bit\.ly)'),
	('url_odd_tld',       '^url: (\w+://)?[^/:\s]*\.(cn|kr|tw|ru|br|ar|mx|hk|th|biz|info|nu|to|ws|cc|tv)([:/?]|$)'),
	('from_odd_tld',      '^domain: .*\.(cn|kr|tw|ru|br|ar|mx|jp|hk|th|id|pl|ro|biz|info)$'),
	('date_zone',         '^date: .*[+-]\d{4}'),
	('to_undisclosed',    '^to: .*undisclosed')
) AS trait (name, pattern);

CREATE VIEW message_signals AS
SELECT
	m.id,
	m.received_at,

	-- message: subject
	length(m.title)                                              AS subject_chars,
	e.subject_capitals::real / greatest(length(m.title), 10)     AS subject_upper,
	e.subject_exclaims,
	position('?' IN m.title) > 0                                 AS subject_question,
	octet_length(m.title) > length(m.title)                      AS subject_non_ascii,
	e.traits[1] > 0                                              AS subject_money,
	e.traits[2] > 0                                              AS subject_padding,
	e.traits[3] > 0                                              AS subject_list_tag,
	e.traits[5] > 0                                              AS subject_adv,
	e.traits[4] > 0 AND NOT e.threaded                           AS fake_reply,

	-- message: body
	e.chars                                                      AS body_chars,
	e.start_uppercase / greatest(least(e.chars, 1000), 40)::real AS body_upper,
	e.start_digits / greatest(least(e.chars, 1000), 40)::real    AS body_digits,
	(octet_length(m.body) - e.chars) / greatest(e.chars, 40)::real AS body_non_ascii,
	e.counts[1] * 1000 / greatest(e.chars, 200)::real            AS body_exclaims,
	e.counts[2] * 1000 / greatest(e.chars, 200)::real            AS body_dollars,
	e.counts[3]                                                  AS body_lines,
	e.counts[4]                                                  AS quoted_lines,
	e.chars / greatest(e.counts[3], 1)::real                     AS line_chars,
	e.counts[5] > 0                                              AS has_signature,
	e.chars / greatest(m.size_bytes, 100)::real                  AS text_share,

	-- message: phrases by theme, and the linear text model over single words
	e.themes[1] AS money_phrases, e.themes[2] AS stock_phrases, e.themes[3] AS loan_phrases, e.themes[4] AS pharmacy_phrases, e.themes[5] AS adult_phrases,
	e.themes[6] AS advance_fee_phrases, e.themes[7] AS lottery_phrases, e.themes[8] AS credentials_phrases, e.themes[9] AS call_phrases, e.themes[10] AS urgency_phrases,
	e.themes[11] AS guarantee_phrases, e.themes[12] AS bulk_phrases, e.themes[13] AS opt_out_phrases, e.themes[14] AS greeting_phrases, e.themes[15] AS reply_phrases,
	e.themes[16] AS list_phrases, e.themes[17] AS technical_phrases, e.themes[18] AS discussion_phrases,
	-- themes that sell or lure
	e.themes[21] - (e.themes[15] > 0)::int - (e.themes[16] > 0)::int - (e.themes[17] > 0)::int - (e.themes[18] > 0)::int - (e.themes[19] > 0)::int AS pitch_themes,
	e.themes[19]                                                 AS words_known,
	e.word_margin,

	-- message: what the text model that learns sees; its detector asks it
	m.text_content,

	-- message: facts of the text: letters that pass for others, or hide
	e.invisible_words,
	e.mixed_script_words,
	e.body_entropy,

	-- message: MIME structure
	coalesce(m.has_html, false)                                  AS has_html,
	coalesce(m.has_html, false) AND m.content_type LIKE 'text/html%' AS html_only,
	m.content_type IS NULL                                       AS content_type_missing,
	m.content_type IS NOT NULL AND NOT m.has_mime_version        AS mime_version_missing,
	m.content_type LIKE 'multipart/alternative%'                 AS multipart_alternative,
	m.content_type LIKE 'multipart/mixed%'                       AS multipart_mixed,
	m.content_type LIKE 'multipart/signed%'                      AS pgp_signed,
	e.traits[10] > 0                                             AS charset_unusual,
	e.traits[11] > 0                                             AS boundary_outlook,
	m.transfer_encoding = 'base64' AND m.content_type LIKE 'text/%' AS text_in_base64,
	coalesce(jsonb_array_length(m.attachments), 0)               AS attachments,
	coalesce(m.attachments <> '[]' AND m.attachments @? '$[*].name ? (@ like_regex "[.](exe|scr|pif|bat|com|vbs|js|lnk|hta|cpl)$" flag "i")', false)
	                                                             AS attachment_executable,
	coalesce(m.attachments <> '[]' AND m.attachments @? '$[*].type ? (@ starts with "image/")', false) AS attachment_image,
	coalesce(m.defects <> '{}' AND m.defects && '{nul_byte,broken_headers,unknown_charset,bad_charset,broken_mime,broken_html}', false)
	                                                             AS malformed,

	-- message: links
	coalesce(cardinality(m.urls), 0)                             AS urls,
	e.url[1]                                                     AS url_hosts,
	e.url[2]                                                     AS url_longest,
	e.url[3] > 0                                                 AS url_of_sender,
	e.traits[21] > 0                                             AS url_numeric_host,
	e.traits[22] > 0                                             AS url_obfuscated,
	e.traits[23] > 0                                             AS url_port,
	e.traits[24] > 0                                             AS url_opt_out,
	e.traits[25] > 0                                             AS url_tracking,
	e.traits[26] > 0                                             AS url_free_host,
	e.traits[27] > 0                                             AS url_odd_tld,
	coalesce(cardinality(m.link_hrefs), 0)                       AS links,
	e.link[2]                                                    AS link_mismatches,
	e.link[1]                                                    AS mailto_links,
	coalesce(m.url_domain_count, (e.urls).domains)               AS url_domains,
	coalesce(m.url_foreign_domains, (e.urls).foreign_domains)    AS url_foreign_domains,
	coalesce(m.url_obfuscated + m.url_userinfo, (e.urls).obfuscated_urls + (e.urls).userinfo_urls) AS url_hidden_hosts,
	coalesce(m.url_nested, (e.urls).nested_urls)                 AS url_nested,
	assay.in_list('brand_domain', coalesce(m.url_domains, (e.urls).domain_names)) AS url_of_brand,

	-- message: header shape
	m.mailer IS NULL                                             AS mailer_missing,
	e.traits[6] > 0                                              AS mailer_desktop,
	e.traits[7] > 0                                              AS mailer_outlook,
	e.traits[8] > 0 AND e.traits[6] = 0 AND e.traits[7] = 0      AS mailer_bulk,
	e.traits[9] > 0                                              AS mailer_garbled,
	e.traits[7] > 0 AND (m.mime_ole IS NULL OR NOT m.msmail_priority)
		AND coalesce(m.message_id, '') NOT LIKE '%$%$%@%'        AS outlook_forged,
	m.msmail_priority AND m.mime_ole IS NULL                     AS msmail_forged,
	coalesce(m.priority LIKE '1%' OR m.importance = 'high', false) AS priority_high,
	m.organization                                               AS has_organization,
	m.precedence                                                 AS precedence_bulk,
	m.list_mail                                                  AS list_mail,
	m.list_unsubscribe                                           AS has_list_unsubscribe,
	e.threaded                                                   AS threaded,
	coalesce(cardinality(m.reference_ids), 0)                    AS thread_depth,
	m.message_id IS NULL                                         AS message_id_missing,
	e.traits[14] > 0                                             AS message_id_bare,
	e.traits[12] > 0                                             AS message_id_hex,
	e.traits[13] > 0
		AND position(split_part(split_part(m.message_id, '@', 1), '.', 2) IN e.head) > 0
		                                                         AS message_id_by_relay,
	m.message_id LIKE '%$%@%'                                    AS message_id_dollars,
	position('@' IN m.message_id) - 1                            AS message_id_chars,
	coalesce(position(e.domain IN lower(split_part(m.message_id, '@', 2))) > 0, false)
	                                                             AS message_id_of_sender,
	m.sent_at IS NULL                                            AS date_missing,
	CASE WHEN m.sent_at IS NOT NULL THEN
		least(greatest(extract(epoch FROM m.received_at - m.sent_at) / 3600, -100), 200)::real
	END                                                          AS date_skew_hours,
	CASE WHEN m.date IS NOT NULL THEN e.traits[29] = 0 END       AS date_zone_missing,

	-- message: the way it took, as its Received headers tell
	e.traits[15] > 0                                             AS relay_forged,
	e.traits[16] > 0                                             AS relay_unknown,
	e.traits[17] > 0                                             AS relay_dialup,
	e.traits[18] > 0                                             AS relay_bad_date,
	e.traits[19] > 0                                             AS helo_numeric,
	e.traits[20] > 0                                             AS helo_bare,
	coalesce(position(e.domain IN m.relays) > 0, false)          AS relay_of_sender,

	-- message: sender and recipients as written
	m.from_addr IS NULL                                          AS from_missing,
	coalesce(m.from_name, '') = ''                               AS from_name_missing,
	position('@' IN m.from_name) > 0                             AS from_name_is_address,
	m.from_name = upper(m.from_name) AND m.from_name ~ '[A-Z]{3}' AS from_name_upper,
	position(' ' IN m.from_name) > 0                             AS from_name_two_words,
	regexp_count(split_part(m.from_addr, '@', 1), '\d')          AS from_digits,
	position('@' IN m.from_addr) - 1                             AS from_chars,
	coalesce(e.free_mail, false)                                 AS from_free_mail,
	CASE WHEN m.from_domain IS NOT NULL THEN e.traits[28] > 0 END     AS from_odd_tld,
	m.reply_to IS NOT NULL AND m.reply_to <> m.from_addr         AS reply_to_differs,
	m.reply_to IS NOT NULL AND split_part(m.reply_to, '@', 2) <> m.from_domain AS reply_to_other_domain,
	m.return_path IS NOT NULL AND m.return_path <> m.from_addr   AS return_path_differs,
	coalesce(cardinality(m.recipients), 0)                       AS recipients,
	coalesce(m.from_addr = ANY (m.recipients), false)            AS to_self,
	e.traits[30] > 0                                             AS to_undisclosed,
	m.addressed IS NULL                                          AS to_missing,

	-- message: whom its sender claims to be, and who authenticated it
	(e.claim).claim IS NOT NULL                                  AS claims_name,
	coalesce(assay.in_list('brand_domain', m.from_domain), false) AS from_brand,
	(e.looks).how IS NOT NULL                                    AS lookalike_domain,
	coalesce(coalesce(m.auth_dmarc, (e.auth).dmarc) = 'fail', false) AS dmarc_failed,
	coalesce(m.auth_spf_aligned OR m.auth_dkim_aligned OR (e.auth).spf_aligned OR (e.auth).dkim_aligned, false) AS authenticated,

	-- sender: the address's history up to the day before
	assay.events((e.sender_past).history)                        AS sender_events,
	assay.days_known((e.sender_past).history, m.received_at)     AS sender_days_known,
	assay.days_since((e.sender_past).history, m.received_at)     AS sender_days_since,
	assay.rate((e.sender_past).history, m.received_at, interval '7 days')    AS sender_rate,
	assay.attack_rate((e.sender_past).labels, 0.3, 2)            AS sender_attack_rate,
	assay.labels((e.sender_past).labels)                         AS sender_labels,
	-- and its head: the last hour, today included
	(SELECT count(*) FROM message r
	 WHERE r.from_addr = m.from_addr AND r.received_at < m.received_at
	   AND r.received_at >= m.received_at - interval '1 hour')   AS sender_last_hour,

	-- sender: messages alike in the day before, and of how many addresses
	y.alike, y.alike_senders,

	-- sender: the history of the domain
	assay.events((e.domain_past).history)                        AS domain_events,
	assay.days_known((e.domain_past).history, m.received_at)     AS domain_days_known,
	assay.attack_rate((e.domain_past).labels, 0.3, 2)            AS domain_attack_rate,
	assay.labels((e.domain_past).labels)                         AS domain_labels,

	-- recipient
	assay.events((e.recipient_past).history)                     AS recipient_events,
	assay.days_known((e.recipient_past).history, m.received_at)  AS recipient_days_known,
	assay.hour_affinity((e.recipient_past).history, m.received_at)              AS recipient_hour_affinity,

	-- pair: this sender to this recipient, and the thread that it answers
	assay.events((e.pair_past).history)                          AS pair_events,
	assay.days_since((e.pair_past).history, m.received_at)       AS pair_days_since,
	assay.attack_rate((e.pair_past).labels, 0.3, 2)              AS pair_attack_rate,
	e.threaded AND EXISTS (
	        SELECT FROM message r
	        WHERE r.message_id = ANY (m.in_reply_to || m.reference_ids[greatest(cardinality(m.reference_ids) - 3, 1):])
	          AND r.received_at < m.received_at)                 AS thread_known

FROM message_text m

CROSS JOIN LATERAL (
SELECT f.*, (f.wording).counts AS themes, (f.wording).weight::real AS word_margin,
	-- Links: the first 30 addresses, the first 50 links; many messages have none.
	-- Hosts, characters of the longest address, is one the sender's?
	CASE WHEN m.urls[1] IS NULL THEN '{0,0,0}' ELSE (
		SELECT ARRAY[count(DISTINCT n.host)::int, coalesce(max(length(n.url)), 0), coalesce(bool_or(right(n.host, length(f.domain)) = f.domain), false)::int]
		FROM (SELECT l.url, lower(split_part(l.url, '/', CASE WHEN l.url LIKE '%://%' THEN 3 ELSE 1 END)) AS host
		      FROM (SELECT unnest(m.urls[1:30]) AS url OFFSET 0) l OFFSET 0) n)
	END AS url,
	-- those that write a message, those whose text shows another domain than they lead to
	CASE WHEN m.link_hrefs[1] IS NULL THEN '{0,0}' ELSE (
		SELECT ARRAY[count(*) FILTER (WHERE a.href ILIKE 'mailto:%'),
			count(*) FILTER (WHERE a.label ~* '^(https?://|www\.)' AND a.href ~* '^https?://'
				AND assay.registrable_domain(substring(lower(a.label) FROM '^(?:https?://)?([a-z0-9.-]+)'))
				 <> assay.registrable_domain(substring(lower(a.href) FROM '^https?://(?:[^/@]*@)?([a-z0-9.-]+)')))]::int[]
		FROM (SELECT unnest(m.link_texts[1:50]) AS label, unnest(m.link_hrefs[1:50]) AS href OFFSET 0) a)
	END AS link,

	-- counts, by the loader or else by us, of all that the sender wrote and of its first 1,000 characters
	CASE WHEN f.whole THEN m.body_characters ELSE (f.text).characters END AS chars,
	CASE WHEN octet_length(m.body) > 1000 THEN (f.start).uppercase WHEN f.whole THEN m.body_uppercase ELSE (f.text).uppercase END AS start_uppercase,
	CASE WHEN octet_length(m.body) > 1000 THEN (f.start).digits WHEN f.whole THEN m.body_digits ELSE (f.text).digits END AS start_digits,
	CASE WHEN f.whole THEN m.body_invisible_words ELSE (f.text).invisible_words END AS invisible_words,
	CASE WHEN f.whole THEN m.body_mixed_script_words ELSE (f.text).mixed_script_words END AS mixed_script_words,
	CASE WHEN f.whole THEN m.body_entropy ELSE (f.text).entropy END AS body_entropy,

	-- histories as of the day before
	assay.as_of(NULL::sender_baseline, m.received_at, m.from_addr) AS sender_past,
	assay.as_of(NULL::domain_baseline, m.received_at, CASE WHEN NOT (f.free_mail OR f.shared) THEN f.domain END) AS domain_past,
	assay.as_of(NULL::recipient_baseline, m.received_at, f.recipient) AS recipient_past,
	assay.as_of(NULL::pair_baseline, m.received_at, m.from_addr, f.recipient) AS pair_past
FROM (
	SELECT w.*,
		assay.phrase_counts('traits', w.head, '{subject_money, subject_padding, subject_list_tag, subject_reply, subject_adv,
			mailer_desktop, mailer_outlook, mailer_bulk, mailer_garbled, charset_unusual,
			boundary_outlook, message_id_hex, message_id_queue, message_id_bare, relay_forged,
			relay_unknown, relay_dialup, relay_bad_date, helo_numeric, helo_bare,
			url_numeric_host, url_obfuscated, url_port, url_opt_out, url_tracking,
			url_free_host, url_odd_tld, from_odd_tld, date_zone, to_undisclosed}', '{}') AS traits,
		-- how many phrases of each theme occur, and what all weigh
		assay.phrase_totals('wording', m.title || E'\n' || m.body, '{}',
			'{money, stock, loan, pharmacy, adult, advance_fee, lottery, credentials, call_to_action, urgency, guarantee, bulk_software, opt_out, greeting,
			reply, list_footer, technical, discussion, word}') AS wording,
		assay.occurrences(m.body, ARRAY['!', '$', E'\n', E'\n>', E'\n-- \n']) AS counts,
		-- what the loader did not find, or found of more than the sender wrote
		CASE WHEN NOT w.whole THEN assay.text_facts(m.body) END AS text,
		CASE WHEN octet_length(m.body) > 1000 THEN assay.text_facts(left(m.body, 1000)) END AS start,
		CASE WHEN m.url_domain_count IS NULL THEN assay.url_facts(m.urls, m.link_hrefs, m.link_texts, m.from_domain) END AS urls,
		-- here and for the loader, write the names of your own servers, which authenticate mail, in place of mx.example.org
		CASE WHEN m.auth_headers IS NULL THEN assay.auth_facts(m.headers, '{mx.example.org}', m.from_domain) END AS auth
	FROM (
		SELECT
			-- the tagged lines that traits are looked for in
			concat('to: ' || m.addressed || E'\n', 'date: ' || m.date || E'\n', 'domain: ' || m.from_domain || E'\n',
			       'subject: ', replace(m.title, E'\n', ' '), E'\nmailer: ' || m.mailer, E'\ntype: ' || m.content_type,
			       E'\nid: ' || m.message_id, E'\nrelay: ' || m.relays,
			       E'\nurl: ' || array_to_string(m.urls[1:30], E'\nurl: ')) AS head,
			m.in_reply_to IS NOT NULL OR coalesce(cardinality(m.reference_ids), 0) > 0 AS threaded,
			-- the loader counts letters and marks of all scripts
			CASE WHEN m.subject_uppercase IS NOT NULL AND octet_length(m.title) = length(m.title)
			     THEN m.subject_uppercase ELSE regexp_count(m.title, '[A-Z]') END AS subject_capitals,
			CASE WHEN m.subject_exclamations IS NOT NULL AND octet_length(m.title) = length(m.title)
			     THEN m.subject_exclamations ELSE regexp_count(m.title, '!') END AS subject_exclaims,
			-- are the loader's counts those of what the sender wrote?
			m.body_characters IS NOT NULL AND octet_length(m.body) = octet_length(m.body_text) AS whole,
			-- parts of addresses
			assay.registrable_domain(m.from_domain) AS domain,
			assay.in_list('free_mail', m.from_domain) AS free_mail,
			assay.in_list('shared_domain', m.from_domain) AS shared,
			m.recipients[1] AS recipient,
			-- whom its sender claims to be
			assay.display_name_claim(m.from_name, 'people', 'brand') AS claim,
			assay.lookalike_domain(m.from_domain, 'brand_domain') AS looks
		OFFSET 0) w
	OFFSET 0) f
OFFSET 0 * m.id
) e

-- Messages alike in the day before, by keys of their days; short texts are alike by chance
CROSS JOIN LATERAL (
	SELECT count(*)::int AS alike, count(DISTINCT o.from_addr)::int AS alike_senders
	FROM message o
	WHERE (assay.signature_bands(o.signature, four_days(o.received_at)))[1:10]
	        && ((assay.signature_bands(m.signature, four_days(m.received_at)))[1:10]
	            || CASE WHEN four_days(m.received_at) <> four_days(m.received_at - interval '1 day')
	                    THEN (assay.signature_bands(m.signature, four_days(m.received_at - interval '1 day')))[1:10] END)
	  AND assay.signature_length(m.signature) >= 8
	  AND o.received_at < m.received_at AND o.received_at > m.received_at - interval '1 day'
	  AND assay.similar(o.signature, m.signature) >= 0.6
	OFFSET 0 * m.id
) y;

COMMENT ON VIEW message_signals IS 'what detectors know about each message; levels: message, sender, recipient, pair';

COMMENT ON COLUMN message_signals.id IS 'message: key';
COMMENT ON COLUMN message_signals.received_at IS 'message: when it was received';
COMMENT ON COLUMN message_signals.subject_chars IS 'message: length of the subject';
COMMENT ON COLUMN message_signals.subject_upper IS 'message: share of capital letters in the subject';
COMMENT ON COLUMN message_signals.subject_exclaims IS 'message: exclamation marks in the subject';
COMMENT ON COLUMN message_signals.subject_question IS 'message: a question mark in the subject';
COMMENT ON COLUMN message_signals.subject_non_ascii IS 'message: letters beyond ASCII in the subject';
COMMENT ON COLUMN message_signals.subject_money IS 'message: an amount of money or a percentage in the subject';
COMMENT ON COLUMN message_signals.subject_padding IS 'message: a wide gap, or a code at the end of the subject, as made to let copies differ';
COMMENT ON COLUMN message_signals.subject_list_tag IS 'message: [tag] in the subject, as mailing lists put there';
COMMENT ON COLUMN message_signals.subject_adv IS 'message: the subject says ADV:';
COMMENT ON COLUMN message_signals.fake_reply IS 'message: the subject says Re: or Fwd:, and no header names what it answers';
COMMENT ON COLUMN message_signals.body_chars IS 'message: length of the text, at most 20,000';
COMMENT ON COLUMN message_signals.body_upper IS 'message: share of capital letters in the first 1,000 characters';
COMMENT ON COLUMN message_signals.body_digits IS 'message: share of digits in the first 1,000 characters';
COMMENT ON COLUMN message_signals.body_non_ascii IS 'message: bytes beyond one a character, per character';
COMMENT ON COLUMN message_signals.body_exclaims IS 'message: exclamation marks per 1,000 characters';
COMMENT ON COLUMN message_signals.body_dollars IS 'message: dollar signs per 1,000 characters';
COMMENT ON COLUMN message_signals.body_lines IS 'message: lines of text';
COMMENT ON COLUMN message_signals.quoted_lines IS 'message: lines that begin with >';
COMMENT ON COLUMN message_signals.line_chars IS 'message: characters per line';
COMMENT ON COLUMN message_signals.has_signature IS 'message: the line "-- " before a signature';
COMMENT ON COLUMN message_signals.text_share IS 'message: characters of text per byte of the message';
COMMENT ON COLUMN message_signals.money_phrases IS 'message: distinct phrases that promise income';
COMMENT ON COLUMN message_signals.stock_phrases IS 'message: distinct phrases that recommend stocks';
COMMENT ON COLUMN message_signals.loan_phrases IS 'message: distinct phrases of loans, credit and insurance';
COMMENT ON COLUMN message_signals.pharmacy_phrases IS 'message: distinct phrases of drugs and weight loss';
COMMENT ON COLUMN message_signals.adult_phrases IS 'message: distinct phrases of adult content';
COMMENT ON COLUMN message_signals.advance_fee_phrases IS 'message: distinct phrases of advance-fee fraud';
COMMENT ON COLUMN message_signals.lottery_phrases IS 'message: distinct phrases of prizes and gambling';
COMMENT ON COLUMN message_signals.credentials_phrases IS 'message: distinct phrases that ask for account details';
COMMENT ON COLUMN message_signals.call_phrases IS 'message: distinct phrases that call to click, order or phone';
COMMENT ON COLUMN message_signals.urgency_phrases IS 'message: distinct phrases that press for time';
COMMENT ON COLUMN message_signals.guarantee_phrases IS 'message: distinct phrases of guarantees, bargains and secrets';
COMMENT ON COLUMN message_signals.bulk_phrases IS 'message: distinct phrases of what bulk mailers sell: lists, toner, diplomas';
COMMENT ON COLUMN message_signals.opt_out_phrases IS 'message: distinct phrases about being removed or not being spam';
COMMENT ON COLUMN message_signals.greeting_phrases IS 'message: distinct impersonal greetings';
COMMENT ON COLUMN message_signals.reply_phrases IS 'message: distinct phrases of replies and forwards';
COMMENT ON COLUMN message_signals.list_phrases IS 'message: distinct phrases of mailing lists and newsletters';
COMMENT ON COLUMN message_signals.technical_phrases IS 'message: distinct words of the readers'' trade';
COMMENT ON COLUMN message_signals.discussion_phrases IS 'message: distinct phrases of people in conversation';
COMMENT ON COLUMN message_signals.pitch_themes IS 'message: how many themes that sell or lure have a hit';
COMMENT ON COLUMN message_signals.words_known IS 'message: distinct words that the linear text model knows';
COMMENT ON COLUMN message_signals.word_margin IS 'message: log-odds of the linear text model, without its intercept';
COMMENT ON COLUMN message_signals.text_content IS 'message: what the text model that learns from labels sees';
COMMENT ON COLUMN message_signals.invisible_words IS 'message: words with an invisible character inside';
COMMENT ON COLUMN message_signals.mixed_script_words IS 'message: words of letters of scripts that do not belong together';
COMMENT ON COLUMN message_signals.body_entropy IS 'message: bits a byte of the text';
COMMENT ON COLUMN message_signals.has_html IS 'message: has an HTML part';
COMMENT ON COLUMN message_signals.html_only IS 'message: is HTML without a text alternative';
COMMENT ON COLUMN message_signals.content_type_missing IS 'message: no Content-Type';
COMMENT ON COLUMN message_signals.mime_version_missing IS 'message: Content-Type without MIME-Version';
COMMENT ON COLUMN message_signals.multipart_alternative IS 'message: multipart/alternative';
COMMENT ON COLUMN message_signals.multipart_mixed IS 'message: multipart/mixed';
COMMENT ON COLUMN message_signals.pgp_signed IS 'message: multipart/signed';
COMMENT ON COLUMN message_signals.charset_unusual IS 'message: a character set that is rare among the readers'' correspondents';
COMMENT ON COLUMN message_signals.boundary_outlook IS 'message: MIME boundary of Outlook''s shape';
COMMENT ON COLUMN message_signals.text_in_base64 IS 'message: text in base64';
COMMENT ON COLUMN message_signals.attachments IS 'message: number of attachments';
COMMENT ON COLUMN message_signals.attachment_executable IS 'message: a program attached';
COMMENT ON COLUMN message_signals.attachment_image IS 'message: an image attached';
COMMENT ON COLUMN message_signals.malformed IS 'message: the loader found broken MIME, headers or characters';
COMMENT ON COLUMN message_signals.urls IS 'message: links in text and HTML';
COMMENT ON COLUMN message_signals.url_hosts IS 'message: distinct hosts among the first 30 links';
COMMENT ON COLUMN message_signals.url_longest IS 'message: length of the longest of the first 30 links';
COMMENT ON COLUMN message_signals.url_of_sender IS 'message: a link to the sender''s own domain';
COMMENT ON COLUMN message_signals.url_numeric_host IS 'message: a link to an IP address';
COMMENT ON COLUMN message_signals.url_obfuscated IS 'message: a link with % or @ before the path';
COMMENT ON COLUMN message_signals.url_port IS 'message: a link with a port';
COMMENT ON COLUMN message_signals.url_opt_out IS 'message: a link to be removed';
COMMENT ON COLUMN message_signals.url_tracking IS 'message: a link with parameters';
COMMENT ON COLUMN message_signals.url_free_host IS 'message: a link to a free web host or shortener';
COMMENT ON COLUMN message_signals.url_odd_tld IS 'message: a link into a top-level domain that is rare here';
COMMENT ON COLUMN message_signals.links IS 'message: HTML links';
COMMENT ON COLUMN message_signals.link_mismatches IS 'message: links that show one domain and lead to another';
COMMENT ON COLUMN message_signals.mailto_links IS 'message: mailto: links';
COMMENT ON COLUMN message_signals.url_domains IS 'message: distinct registrable domains of links';
COMMENT ON COLUMN message_signals.url_foreign_domains IS 'message: those that are not the sender''s';
COMMENT ON COLUMN message_signals.url_hidden_hosts IS 'message: links that are written so that the host is hard to see';
COMMENT ON COLUMN message_signals.url_nested IS 'message: links with another link inside';
COMMENT ON COLUMN message_signals.url_of_brand IS 'message: a link to a domain of the list brand_domain';
COMMENT ON COLUMN message_signals.mailer_missing IS 'message: neither X-Mailer nor User-Agent';
COMMENT ON COLUMN message_signals.mailer_desktop IS 'message: a mailer that people use and bulk senders do not';
COMMENT ON COLUMN message_signals.mailer_outlook IS 'message: says it was sent with Outlook';
COMMENT ON COLUMN message_signals.mailer_bulk IS 'message: sent with a bulk mailer, by its name';
COMMENT ON COLUMN message_signals.mailer_garbled IS 'message: the mailer''s name looks random';
COMMENT ON COLUMN message_signals.outlook_forged IS 'message: says Outlook and lacks the marks that Outlook leaves';
COMMENT ON COLUMN message_signals.msmail_forged IS 'message: X-MSMail-Priority without X-MimeOLE';
COMMENT ON COLUMN message_signals.priority_high IS 'message: marked as important';
COMMENT ON COLUMN message_signals.has_organization IS 'message: an Organization header';
COMMENT ON COLUMN message_signals.precedence_bulk IS 'message: Precedence bulk, list or junk';
COMMENT ON COLUMN message_signals.list_mail IS 'message: came by a mailing list (List-Id or Mailing-List)';
COMMENT ON COLUMN message_signals.has_list_unsubscribe IS 'message: a List-Unsubscribe header';
COMMENT ON COLUMN message_signals.threaded IS 'message: In-Reply-To or References';
COMMENT ON COLUMN message_signals.thread_depth IS 'message: number of References';
COMMENT ON COLUMN message_signals.message_id_missing IS 'message: no Message-ID';
COMMENT ON COLUMN message_signals.message_id_bare IS 'message: a Message-ID without a domain';
COMMENT ON COLUMN message_signals.message_id_hex IS 'message: a Message-ID of long hexadecimal shape';
COMMENT ON COLUMN message_signals.message_id_by_relay IS 'message: the Message-ID is the queue id of a relay, so the sender gave none';
COMMENT ON COLUMN message_signals.message_id_dollars IS 'message: dollar signs in the Message-ID';
COMMENT ON COLUMN message_signals.message_id_chars IS 'message: length of the Message-ID''s left part';
COMMENT ON COLUMN message_signals.message_id_of_sender IS 'message: the Message-ID is of the sender''s registrable domain';
COMMENT ON COLUMN message_signals.date_missing IS 'message: no Date that can be read';
COMMENT ON COLUMN message_signals.date_skew_hours IS 'message: hours from Date to receipt, between -100 and 200';
COMMENT ON COLUMN message_signals.date_zone_missing IS 'message: Date without a numeric time zone';
COMMENT ON COLUMN message_signals.relay_forged IS 'message: a relay noted "may be forged"';
COMMENT ON COLUMN message_signals.relay_unknown IS 'message: a relay had no name for the host before';
COMMENT ON COLUMN message_signals.relay_dialup IS 'message: a host with a dial-up, DSL or numbered name';
COMMENT ON COLUMN message_signals.relay_bad_date IS 'message: a Received date that no mail server writes';
COMMENT ON COLUMN message_signals.helo_numeric IS 'message: a host called itself by an IP address';
COMMENT ON COLUMN message_signals.helo_bare IS 'message: a host without a name in DNS called itself by a bare name';
COMMENT ON COLUMN message_signals.relay_of_sender IS 'message: the sender''s registrable domain is among the relays';
COMMENT ON COLUMN message_signals.from_missing IS 'message: no From address';
COMMENT ON COLUMN message_signals.from_name_missing IS 'message: no name beside the From address';
COMMENT ON COLUMN message_signals.from_name_is_address IS 'message: an address in place of a name';
COMMENT ON COLUMN message_signals.from_name_upper IS 'message: the name is in capitals';
COMMENT ON COLUMN message_signals.from_name_two_words IS 'message: the name has more than one word';
COMMENT ON COLUMN message_signals.from_digits IS 'message: digits in the local part of From';
COMMENT ON COLUMN message_signals.from_chars IS 'message: length of the local part of From';
COMMENT ON COLUMN message_signals.from_free_mail IS 'message: From is of a free-mail provider';
COMMENT ON COLUMN message_signals.from_odd_tld IS 'message: From is of a top-level domain that is rare here';
COMMENT ON COLUMN message_signals.reply_to_differs IS 'message: Reply-To is another address than From';
COMMENT ON COLUMN message_signals.reply_to_other_domain IS 'message: Reply-To is of another domain than From';
COMMENT ON COLUMN message_signals.return_path_differs IS 'message: Return-Path is another address than From; usual with mailing lists';
COMMENT ON COLUMN message_signals.recipients IS 'message: addresses in To, Cc and Bcc';
COMMENT ON COLUMN message_signals.to_self IS 'message: From is among the recipients';
COMMENT ON COLUMN message_signals.to_undisclosed IS 'message: "undisclosed recipients"';
COMMENT ON COLUMN message_signals.to_missing IS 'message: neither To nor Cc';
COMMENT ON COLUMN message_signals.claims_name IS 'message: the name beside From is one of the lists people and brand, or nearly';
COMMENT ON COLUMN message_signals.from_brand IS 'message: From is of a domain of the list brand_domain';
COMMENT ON COLUMN message_signals.lookalike_domain IS 'message: From is of a domain that imitates one of the list brand_domain';
COMMENT ON COLUMN message_signals.dmarc_failed IS 'message: the receiving server says that DMARC failed';
COMMENT ON COLUMN message_signals.authenticated IS 'message: SPF or DKIM passed for the organization of From';
COMMENT ON COLUMN message_signals.sender_events IS 'sender: messages of this address before today';
COMMENT ON COLUMN message_signals.sender_days_known IS 'sender: days since its first message';
COMMENT ON COLUMN message_signals.sender_days_since IS 'sender: days since its last message before today';
COMMENT ON COLUMN message_signals.sender_rate IS 'sender: messages a day, decayed with a half-life of 7 days';
COMMENT ON COLUMN message_signals.sender_attack_rate IS 'sender: posterior rate of malicious labels, prior 0.3 with the weight of 2';
COMMENT ON COLUMN message_signals.sender_labels IS 'sender: labels known before today';
COMMENT ON COLUMN message_signals.sender_last_hour IS 'sender: messages of this address within the hour before this one';
COMMENT ON COLUMN message_signals.alike IS 'sender: messages with nearly the same text within the day before this one';
COMMENT ON COLUMN message_signals.alike_senders IS 'sender: addresses that these came from';
COMMENT ON COLUMN message_signals.domain_events IS 'sender: messages of the registrable domain before today; free-mail has none';
COMMENT ON COLUMN message_signals.domain_days_known IS 'sender: days since the domain''s first message';
COMMENT ON COLUMN message_signals.domain_attack_rate IS 'sender: posterior rate of malicious labels of the domain';
COMMENT ON COLUMN message_signals.domain_labels IS 'sender: labels of the domain known before today';
COMMENT ON COLUMN message_signals.recipient_events IS 'recipient: messages to this recipient before today';
COMMENT ON COLUMN message_signals.recipient_days_known IS 'recipient: days since the first message to this recipient';
COMMENT ON COLUMN message_signals.recipient_hour_affinity IS 'recipient: how usual mail at this hour of the week is';
COMMENT ON COLUMN message_signals.pair_events IS 'pair: messages of this sender to this recipient before today';
COMMENT ON COLUMN message_signals.pair_days_since IS 'pair: days since the last of them';
COMMENT ON COLUMN message_signals.pair_attack_rate IS 'pair: posterior rate of malicious labels among them';
COMMENT ON COLUMN message_signals.thread_known IS 'pair: answers a message that was received before';
