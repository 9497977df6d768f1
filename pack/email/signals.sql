-- ---------------------------------------------------------------------------
-- facts and signals: what the views that create_email_policy() makes consist of
-- ---------------------------------------------------------------------------

-- What a message table has, or what stands in for it: assay_load fills all of
-- these columns; a table without one gets it computed, once a message. There, m is
-- the message, t, s and n are text_facts() of body, subject and display name, a
-- auth_facts(), r received_facts(), u url_facts().
CREATE TABLE assay.email_fact (
	fact text COLLATE "C" PRIMARY KEY,
	type regtype NOT NULL,
	otherwise text
);
COMMENT ON TABLE assay.email_fact IS 'columns that the e-mail signals are made from, and expressions for message tables without them; NULL: nothing stands in';
GRANT SELECT ON assay.email_fact TO PUBLIC;

INSERT INTO assay.email_fact VALUES
	('received_at', 'timestamptz', NULL), ('sent_at', 'timestamptz', NULL), ('message_id', 'text', NULL),
	('from_addr', 'text', NULL), ('from_name', 'text', NULL), ('from_domain', 'text', 'assay.domain_of(m.from_addr)'),
	('reply_to', 'text', NULL), ('return_path', 'text', NULL), ('recipients', 'text[]', NULL),
	('subject', 'text', NULL), ('body_text', 'text', NULL), ('hidden_text', 'text', NULL), ('hidden_share', 'float8', NULL),
	('has_html', 'boolean', NULL), ('urls', 'text[]', NULL), ('link_texts', 'text[]', NULL), ('link_hrefs', 'text[]', NULL),
	('attachments', 'jsonb', NULL), ('in_reply_to', 'text', NULL), ('reference_ids', 'text[]', NULL), ('list_id', 'text', NULL),
	('relay_ip', 'inet', NULL), ('headers', 'jsonb', NULL), ('size_bytes', 'bigint', NULL), ('defects', 'text[]', NULL),
	('dkim_domains', 'text[]', NULL),
	-- authentication
	('auth_server', 'text', '(x.a).authserv_id'), ('auth_spf', 'text', '(x.a).spf'), ('auth_spf_domain', 'text', '(x.a).spf_domain'),
	('auth_spf_aligned', 'boolean', '(x.a).spf_aligned'), ('auth_dkim', 'text', '(x.a).dkim'), ('auth_dkim_domain', 'text', '(x.a).dkim_domain'),
	('auth_dkim_domains', 'text[]', '(x.a).dkim_domains'), ('auth_dkim_aligned', 'boolean', '(x.a).dkim_aligned'),
	('auth_dmarc', 'text', '(x.a).dmarc'), ('auth_dmarc_policy', 'text', '(x.a).dmarc_policy'), ('auth_dmarc_action', 'text', '(x.a).dmarc_action'),
	('auth_arc', 'text', '(x.a).arc'), ('auth_compauth', 'text', '(x.a).compauth'), ('auth_conflict', 'boolean', '(x.a).conflict'),
	('auth_headers', 'int', '(x.a).trusted_headers'), ('auth_untrusted_headers', 'int', '(x.a).untrusted_headers'),
	('auth_malformed_headers', 'int', '(x.a).malformed_headers'),
	-- the way
	('relay_name', 'text', '(x.r).name'), ('relay_helo', 'text', '(x.r).helo'), ('relay_encrypted', 'boolean', '(x.r).encrypted'),
	('relay_authenticated', 'boolean', '(x.r).authenticated'), ('relay_helo_matches', 'boolean', '(x.r).helo_matches_name'),
	('relay_aligned', 'boolean', 'assay.registrable_domain((x.r).name) = assay.registrable_domain(m.from_domain)'),
	('relay_hops', 'int', '(x.r).hops'),
	-- addresses
	('from_org', 'text', 'coalesce(assay.registrable_domain(m.from_domain), m.from_domain)'),
	('from_name_domain', 'text', 'assay.registrable_domain(lower(substring(m.from_name FROM ''[[:alnum:]](?:[[:alnum:]-]*[[:alnum:]])?(?:\.[[:alnum:]-]+)*\.[[:alpha:]]{2,}'')))'),
	('reply_to_org', 'text', 'assay.registrable_domain(assay.domain_of(m.reply_to))'),
	('reply_to_is_from', 'boolean', 'lower(m.reply_to) = m.from_addr'),
	('reply_to_aligned', 'boolean', 'assay.registrable_domain(assay.domain_of(m.reply_to)) = assay.registrable_domain(m.from_domain)'),
	('return_path_org', 'text', 'assay.registrable_domain(assay.domain_of(m.return_path))'),
	('return_path_aligned', 'boolean', 'assay.registrable_domain(assay.domain_of(m.return_path)) = assay.registrable_domain(m.from_domain)'),
	('message_id_org', 'text', 'assay.registrable_domain(lower(split_part(m.message_id, ''@'', 2)))'),
	('message_id_aligned', 'boolean', 'assay.registrable_domain(lower(split_part(m.message_id, ''@'', 2))) = assay.registrable_domain(m.from_domain)'),
	('recipient_count', 'int', 'coalesce(cardinality(m.recipients), 0)'),
	('from_is_recipient', 'boolean', 'm.from_addr = ANY (m.recipients)'),
	-- text of body, subject and display name
	('body_characters', 'int', '(x.t).characters'), ('body_words', 'int', '(x.t).words'), ('body_lines', 'int', '(x.t).lines'), ('body_letters', 'int', '(x.t).letters'),
	('body_exclamations', 'int', '(x.t).exclamations'), ('body_currency', 'int', '(x.t).currency'), ('body_non_ascii', 'int', '(x.t).non_ascii'),
	('body_uppercase_words', 'int', '(x.t).uppercase_words'), ('body_quoted_lines', 'int', '(x.t).quoted_lines'),
	('body_longest_token', 'int', '(x.t).longest_token'), ('body_longest_gap', 'int', '(x.t).longest_gap'), ('body_emoji', 'int', '(x.t).emoji'),
	('body_math_letters', 'int', '(x.t).math_letters'), ('body_enclosed_letters', 'int', '(x.t).enclosed_letters'),
	('body_fullwidth_letters', 'int', '(x.t).fullwidth_letters'), ('body_invisible', 'int', '(x.t).invisible'),
	('body_invisible_words', 'int', '(x.t).invisible_words'), ('body_bidi_overrides', 'int', '(x.t).bidi_overrides'),
	('body_tag_characters', 'int', '(x.t).tag_characters'), ('body_control_characters', 'int', '(x.t).control_characters'),
	('body_replacements', 'int', '(x.t).replacements'), ('body_stacked_marks', 'int', '(x.t).stacked_marks'),
	('body_mixed_script_words', 'int', '(x.t).mixed_script_words'), ('body_uppercase_share', 'real', '(x.t).uppercase_share'),
	('body_digit_share', 'real', '(x.t).digit_share'), ('body_whitespace_share', 'real', '(x.t).whitespace_share'), ('body_quoted_share', 'real', '(x.t).quoted_share'),
	('body_entropy', 'real', '(x.t).entropy'), ('body_scripts', 'text[]', '(x.t).scripts'),
	('subject_characters', 'int', '(x.s).characters'), ('subject_words', 'int', '(x.s).words'), ('subject_letters', 'int', '(x.s).letters'), ('subject_digits', 'int', '(x.s).digits'),
	('subject_exclamations', 'int', '(x.s).exclamations'), ('subject_questions', 'int', '(x.s).questions'), ('subject_currency', 'int', '(x.s).currency'),
	('subject_uppercase_words', 'int', '(x.s).uppercase_words'), ('subject_longest_gap', 'int', '(x.s).longest_gap'), ('subject_emoji', 'int', '(x.s).emoji'),
	('subject_math_letters', 'int', '(x.s).math_letters'), ('subject_enclosed_letters', 'int', '(x.s).enclosed_letters'),
	('subject_fullwidth_letters', 'int', '(x.s).fullwidth_letters'), ('subject_invisible', 'int', '(x.s).invisible'),
	('subject_invisible_words', 'int', '(x.s).invisible_words'), ('subject_bidi_controls', 'int', '(x.s).bidi_controls'), ('subject_tag_characters', 'int', '(x.s).tag_characters'),
	('subject_mixed_script_words', 'int', '(x.s).mixed_script_words'), ('subject_uppercase_share', 'real', '(x.s).uppercase_share'),
	('subject_punctuation_share', 'real', '(x.s).punctuation_share'), ('subject_scripts', 'text[]', '(x.s).scripts'),
	('from_name_characters', 'int', '(x.n).characters'), ('from_name_words', 'int', '(x.n).words'), ('from_name_uppercase_words', 'int', '(x.n).uppercase_words'),
	('from_name_digits', 'int', '(x.n).digits'), ('from_name_emoji', 'int', '(x.n).emoji'), ('from_name_math_letters', 'int', '(x.n).math_letters'),
	('from_name_enclosed_letters', 'int', '(x.n).enclosed_letters'), ('from_name_fullwidth_letters', 'int', '(x.n).fullwidth_letters'),
	('from_name_invisible', 'int', '(x.n).invisible'), ('from_name_bidi_controls', 'int', '(x.n).bidi_controls'),
	('from_name_mixed_script_words', 'int', '(x.n).mixed_script_words'), ('from_name_scripts', 'text[]', '(x.n).scripts'),
	-- links
	('url_count', 'int', 'coalesce(cardinality(m.urls), 0)'), ('url_host_count', 'int', '(x.u).hosts'), ('url_domain_count', 'int', '(x.u).domains'),
	('url_foreign_domains', 'int', '(x.u).foreign_domains'), ('url_of_sender', 'int', '(x.u).sender_urls'),
	('url_ip', 'int', '(x.u).ip_urls'), ('url_punycode', 'int', '(x.u).punycode_urls'), ('url_userinfo', 'int', '(x.u).userinfo_urls'), ('url_port', 'int', '(x.u).port_urls'),
	('url_obfuscated', 'int', '(x.u).obfuscated_urls'), ('url_insecure', 'int', '(x.u).insecure_urls'), ('url_email', 'int', '(x.u).email_urls'),
	('url_recipient', 'int', NULL), ('url_nested', 'int', '(x.u).nested_urls'), ('url_redirects', 'int', NULL),
	('url_longest', 'int', '(x.u).longest_url'), ('url_longest_host', 'int', '(x.u).longest_host'), ('url_most_labels', 'int', '(x.u).most_labels'),
	('url_hosts', 'text[]', '(x.u).host_names'), ('url_domains', 'text[]', '(x.u).domain_names'), ('url_redirect_domains', 'text[]', NULL),
	('link_count', 'int', '(x.u).links'), ('link_mismatches', 'int', '(x.u).link_mismatches'), ('link_url_texts', 'int', '(x.u).url_texts'),
	('link_empty_texts', 'int', '(x.u).empty_texts'), ('link_mailto', 'int', '(x.u).mailto_links'), ('link_phone', 'int', '(x.u).phone_links'), ('link_script', 'int', '(x.u).script_links'),
	-- HTML and attachments
	('image_only', 'boolean', 'm.has_html AND (x.t).words < 5 AND cardinality(m.urls) > 0'),
	('html_images', 'int', NULL), ('html_forms', 'int', NULL), ('html_password_inputs', 'int', NULL), ('html_scripts', 'int', NULL),
	('attachment_count', 'int', 'CASE WHEN jsonb_typeof(m.attachments) = ''array'' THEN jsonb_array_length(m.attachments) END'),
	('attachment_names', 'text[]', 'CASE WHEN jsonb_typeof(m.attachments) = ''array'' AND m.attachments <> ''[]'' THEN (SELECT array_agg(j.e->>''name'') FROM jsonb_array_elements(m.attachments) j(e)) END'),
	('attachment_types', 'text[]', 'CASE WHEN jsonb_typeof(m.attachments) = ''array'' AND m.attachments <> ''[]'' THEN (SELECT array_agg(lower(j.e->>''type'')) FROM jsonb_array_elements(m.attachments) j(e)) END'),
	('attachment_suffixes', 'text[]', 'CASE WHEN jsonb_typeof(m.attachments) = ''array'' AND m.attachments <> ''[]'' THEN (SELECT array_agg(DISTINCT lower(substring(j.e->>''name'' FROM ''[.]([^.]{1,20})$''))) FROM jsonb_array_elements(m.attachments) j(e)) END'),
	('attachment_sha256', 'text[]', NULL), ('attachment_archives', 'int', NULL), ('attachment_encrypted', 'int', NULL), ('attachment_macros', 'int', NULL),
	('attachment_type_mismatches', 'int', NULL), ('attachment_entries', 'text[]', NULL), ('attachment_text', 'text', NULL), ('qr_texts', 'text[]', NULL);

-- Signals: columns of the view <policy>_signals. Their expressions see
--   m   the facts above (message, or its stand-in)
--   h   headers in use          w   does a phrase of subject and body mean this?
--   t   how many meanings of a theme they have        v   has the subject a phrase of the theme?
--   x   how names of sender, relay and links look         b   brands       l   lists
--   i   what people inside are called, and what the policy's own lists say
--   k   histories               c   campaigns
-- Of h to i, create_email_policy() makes one subquery with the columns that are
-- named, e.h_..., e.w_...: a view of few FROM items is planned as a whole.
CREATE TABLE assay.email_signal (
	signal text COLLATE "C" PRIMARY KEY,
	level text NOT NULL CHECK (level IN ('message', 'sender', 'relation', 'campaign')),
	expression text NOT NULL,
	description text NOT NULL
);
COMMENT ON TABLE assay.email_signal IS 'columns of the signals view that assay.create_email_policy() makes';
GRANT SELECT ON assay.email_signal TO PUBLIC;

-- Facts that are signals as they are
INSERT INTO assay.email_signal
SELECT f.fact, CASE WHEN f.fact ~ '^(auth_|relay_|from_|reply_to|return_path|message_id)' THEN 'sender' ELSE 'message' END, 'm.' || f.fact,
	'as in assay_load''s column of this name'
FROM assay.email_fact f
WHERE f.fact IN ('received_at', 'subject', 'from_addr', 'from_name', 'from_domain', 'from_org', 'reply_to', 'has_html', 'list_id', 'hidden_share', 'size_bytes', 'recipient_count', 'from_is_recipient',
	'auth_spf', 'auth_dkim', 'auth_dmarc', 'auth_dmarc_policy', 'auth_compauth', 'auth_arc', 'auth_spf_aligned', 'auth_dkim_aligned', 'auth_conflict',
	'relay_name', 'relay_helo_matches', 'relay_aligned', 'relay_encrypted', 'relay_hops', 'relay_authenticated',
	'reply_to_is_from', 'reply_to_aligned', 'return_path_aligned', 'message_id_aligned',
	'body_characters', 'body_words', 'body_lines', 'body_exclamations', 'body_currency', 'body_uppercase_share', 'body_digit_share', 'body_quoted_lines', 'body_quoted_share',
	'body_longest_token', 'body_emoji', 'body_invisible_words', 'body_mixed_script_words', 'body_bidi_overrides', 'body_tag_characters', 'body_replacements',
	'subject_characters', 'subject_words', 'subject_emoji', 'subject_exclamations', 'subject_currency', 'subject_digits', 'subject_uppercase_share', 'subject_mixed_script_words', 'subject_invisible_words',
	'subject_longest_gap', 'subject_questions',
	'from_name_words', 'from_name_emoji', 'from_name_digits', 'from_name_mixed_script_words', 'from_name_domain',
	'url_count', 'url_host_count', 'url_domain_count', 'url_foreign_domains', 'url_of_sender', 'url_ip', 'url_punycode', 'url_userinfo', 'url_port', 'url_obfuscated', 'url_insecure',
	'url_email', 'url_recipient', 'url_nested', 'url_redirects', 'url_longest', 'url_longest_host', 'url_most_labels', 'url_hosts',
	'link_count', 'link_mismatches', 'link_url_texts', 'link_empty_texts', 'link_mailto', 'link_phone', 'link_script',
	'image_only', 'html_images', 'html_forms', 'html_password_inputs', 'html_scripts',
	'attachment_count', 'attachment_suffixes', 'attachment_archives', 'attachment_encrypted', 'attachment_macros', 'attachment_type_mismatches');

-- What the text means: one signal for each meaning that phrases have
INSERT INTO assay.email_signal
SELECT 'says_' || p.meaning, 'message', format('w.%I', p.meaning), 'a phrase says so, in any language: ' || replace(p.meaning, '_', ' ')
FROM assay.email_meaning p;
-- and by theme, in the subject
INSERT INTO assay.email_signal
SELECT 'subject_' || p.theme, 'message', format('v.%I', p.theme), 'a phrase of the subject is of theme ' || p.theme
FROM assay.email_meaning p WHERE p.theme NOT IN ('legal', 'address') GROUP BY p.theme;

INSERT INTO assay.email_signal VALUES
	-- text
	('themes', 'message', 't.all_themes', 'how many themes have a phrase'),
	('meanings', 'message', 't.all_meanings', 'how many meanings have a phrase'),
	('credential_meanings', 'message', 't.credentials', 'how many meanings of theme credentials'),
	('prize_meanings', 'message', 't.prize', 'how many meanings of theme prize'),
	('payment_meanings', 'message', 't.payment', 'how many meanings of theme payment'),
	('delivery_meanings', 'message', 't.delivery', 'how many meanings of theme delivery'),
	('callback_meanings', 'message', 't.callback', 'how many meanings of theme callback'),
	('extortion_meanings', 'message', 't.extortion', 'how many meanings of theme extortion'),
	('bec_meanings', 'message', 't.bec', 'how many meanings of theme bec'),
	('lure_meanings', 'message', 't.credentials + t.prize + t.payment + t.delivery + t.callback + t.extortion + t.bec', 'how many meanings of all that lures'),
	('scam_meanings', 'message', 't.advance_fee', 'how many meanings of theme advance_fee'),
	('pressure', 'message', 'w.urgency OR w.consequence', 'presses for time, or threatens'),
	('phone_numbers', 'message', 'CASE WHEN t.callback > 0 THEN regexp_count(left(h.body, 4000), ''(?:\+?1[ .-]?)?(?:\(\d{3}\)|\m\d{3})[ .\u00a0-]{0,3}\d{3}[ .\u00a0-]{1,3}\d{4}\M'') ELSE 0 END', 'telephone numbers in the text, where it wants to be called'),
	('bitcoin_address', 'message', 'CASE WHEN w.cryptocurrency OR t.extortion > 0 THEN left(h.body, 8000) ~ ''\m(bc1[a-z0-9]{25,60}|[13][a-km-zA-HJ-NP-Z1-9]{25,34}|0x[0-9a-fA-F]{40}|T[A-Za-z1-9]{33})\M'' ELSE false END', 'an address of a cryptocurrency, where it speaks of these'),
	('styled_letters', 'message', 'coalesce(m.body_math_letters + m.body_enclosed_letters, 0)', 'letters in mathematical fonts or circles in the body'),
	('subject_styled_letters', 'message', 'coalesce(m.subject_math_letters + m.subject_enclosed_letters + m.subject_fullwidth_letters, 0)', 'letters in mathematical fonts, circles or wide form in the subject'),
	('from_name_styled_letters', 'sender', 'coalesce(m.from_name_math_letters + m.from_name_enclosed_letters + m.from_name_fullwidth_letters, 0)', 'the same in the display name'),
	('subject_hides', 'message', 'coalesce(m.subject_invisible + m.subject_bidi_controls + m.subject_tag_characters, 0) > 0', 'invisible or direction characters in the subject'),
	('from_name_hides', 'sender', 'coalesce(m.from_name_invisible + m.from_name_bidi_controls, 0) > 0', 'invisible or direction characters in the display name'),
	('subject_foreign_script', 'message', 'm.subject_mixed_script_words > 0 OR cardinality(m.subject_scripts) > 1 AND m.subject_scripts && ''{Cyrillic,Greek}'' AND m.subject_scripts && ''{Latin}''', 'Latin beside Cyrillic or Greek in the subject'),
	('says_recipient', 'message', 'coalesce(position(h.recipient IN h.subject) > 0 OR position(h.recipient IN h.body) > 0, false)', 'the reader''s address stands in subject or text'),
	('says_recipient_name', 'message', 'coalesce(length(h.recipient_local) >= 4 AND position(h.recipient_local IN h.subject) > 0, false)', 'the part of the address before @ stands in the subject'),
	('subject_reply', 'message', 'x.reply', 'the subject says Re:'),
	('subject_forward', 'message', 'x.forward', 'the subject says Fwd:'),
	('subject_reference', 'message', 'm.subject ~ ''[#:№-] ?[A-Z]*\d{4,}|\m[A-Z]{2,}-?\d{3,}|\d{6,}\M''', 'a number of a case or order in the subject'),
	('subject_bracket', 'message', 'm.subject ~ ''^\W{0,3}[\[(【]''', 'the subject begins with a bracket'),
	('subject_missing', 'message', 'coalesce(m.subject, '''') = ''''', 'no subject'),
	('text_short', 'message', 'coalesce(m.body_words, 0) < 60', 'less than 60 words'),
	('text_missing', 'message', 'coalesce(m.body_words, 0) = 0', 'no text'),
	('hidden_much', 'message', 'coalesce(m.hidden_share > 0.5 AND octet_length(m.hidden_text) > 200, false)', 'more text is hidden from the reader than shown'),
	('hidden_foreign', 'message', 'CASE WHEN octet_length(m.hidden_text) > 300 AND m.hidden_share > 0.1 THEN assay.similar(assay.signature(left(m.hidden_text, 4000)), assay.signature(left(h.body, 4000))) < 0.05 ELSE false END', 'hidden text that has nothing of what is shown'),
	('latin_expected', 'message', 'm.body_scripts[1] = ''Latin''', 'the text is in Latin script'),

	-- structure
	('html_only', 'message', 'coalesce(m.has_html AND h.content_type LIKE ''text/html%'', false)', 'HTML without a text alternative'),
	('text_base64', 'message', 'coalesce(h.encoding = ''base64'' AND h.content_type LIKE ''text/%'', false)', 'text in base64'),
	('is_calendar', 'message', 'coalesce(m.attachment_suffixes && ''{ics}'' OR h.content_type LIKE ''text/calendar%'', false)', 'an invitation'),
	('is_signed', 'message', 'coalesce(h.content_type LIKE ''multipart/signed%'' OR h.content_type LIKE ''%pkcs7-mime%'', false)', 'signed by S/MIME or PGP'),
	('is_report', 'message', 'coalesce(h.content_type LIKE ''multipart/report%'' OR m.return_path = '''', false)', 'a bounce or report'),
	('is_encrypted', 'message', 'coalesce(h.content_type LIKE ''multipart/encrypted%'', false)', 'encrypted'),
	('malformed', 'message', 'coalesce(m.defects && ''{nul_byte,broken_headers,unknown_charset,bad_charset,broken_mime,broken_html,duplicate_header,bad_from}'', false)', 'against the standards in a way that programs are not'),
	('multiple_from', 'message', 'coalesce(m.defects && ''{multiple_from}'', false)', 'several addresses in From'),
	('date_missing', 'message', 'coalesce(m.defects && ''{no_date,bad_date,absurd_date}'', false)', 'Date is missing or impossible'),
	('date_skew', 'message', 'CASE WHEN m.sent_at IS NOT NULL THEN least(greatest(extract(epoch FROM m.received_at - m.sent_at) / 3600, -1000), 1000)::real END', 'hours from Date to receipt'),
	('mime_version_missing', 'message', 'coalesce(h.content_type IS NOT NULL AND NOT h.mime_version, false)', 'Content-Type without MIME-Version'),
	('priority_high', 'message', 'h.urgent', 'headers claim importance'),
	('receipt_wanted', 'message', 'h.receipt', 'wants to know when it is read'),
	('mailer', 'message', 'h.mailer', 'User-Agent or X-Mailer'),
	('mailer_script', 'message', 'coalesce(h.mailer ~* ''phpmailer|php/|leaf|python|mass|bulk|blast|sender|smtp|swift|the bat|cdo|indy|chilkat|nodemailer'' OR h.script, false)', 'sent by a script or a bulk program'),
	('mailer_person', 'message', 'coalesce(h.mailer ~* ''^(mozilla|thunderbird|apple mail|iphone mail|ipad mail|mutt|neomutt|evolution|kmail|alpine|gnus|claws|k-9|microsoft outlook 1|microsoft office outlook|aerc|b4)'', false)', 'sent with a mailer that people use'),
	('list_mail', 'message', 'm.list_id IS NOT NULL OR h.list_post', 'a discussion list'),
	('unsubscribe', 'message', 'h.unsubscribe', 'List-Unsubscribe'),
	('unsubscribe_click', 'message', 'h.unsubscribe_click', 'List-Unsubscribe by one click (RFC 8058)'),
	('precedence_bulk', 'message', 'h.bulk', 'Precedence: bulk, list or junk'),
	('auto_submitted', 'message', 'h.automatic', 'Auto-Submitted'),
	('feedback_id', 'message', 'h.feedback', 'Feedback-ID, which services of bulk mail set'),
	('to_missing', 'message', 'coalesce(h.addressed ~* ''undisclosed'' OR h.has_headers AND h.addressed IS NULL, false)', 'no To, or undisclosed recipients'),
	('threaded', 'message', 'm.in_reply_to IS NOT NULL OR coalesce(cardinality(m.reference_ids), 0) > 0', 'names what it answers'),
	('thread_depth', 'message', 'coalesce(cardinality(m.reference_ids), 0)', 'messages that References names'),
	('fake_reply', 'message', 'x.reply AND m.in_reply_to IS NULL AND coalesce(cardinality(m.reference_ids), 0) = 0', 'the subject says Re:, and nothing is answered'),
	('fake_forward', 'message', 'x.forward AND m.in_reply_to IS NULL AND coalesce(cardinality(m.reference_ids), 0) = 0 AND NOT w.conversation', 'the subject says Fwd:, and nothing is forwarded'),
	('message_id_missing', 'message', 'h.has_headers AND m.message_id IS NULL', 'no Message-ID'),
	('message_id_bare', 'message', 'coalesce(m.message_id NOT LIKE ''%@_%.%'', false)', 'Message-ID without a domain'),
	('message_id_added', 'message', 'coalesce(m.message_id_org IS DISTINCT FROM m.from_org AND m.message_id ~* ''@[^@]*(outlook|google|yahoo|amazon|prod)[^@]*$'', false)', 'Message-ID of a service on the way'),

	-- authentication
	('auth_known', 'sender', 'm.auth_server IS NOT NULL', 'a trusted server looked at who sent it'),
	('auth_aligned', 'sender', 'coalesce(m.auth_spf_aligned OR m.auth_dkim_aligned OR m.auth_dmarc = ''pass'', false)', 'authenticated for the From domain'),
	('auth_none', 'sender', 'm.auth_server IS NOT NULL AND NOT coalesce(m.auth_spf_aligned OR m.auth_dkim_aligned OR m.auth_dmarc IN (''pass'', ''bestguesspass''), false)', 'not authenticated for the From domain'),
	('auth_nothing', 'sender', 'm.auth_server IS NOT NULL AND coalesce(m.auth_spf, ''none'') <> ''pass'' AND coalesce(m.auth_dkim, ''none'') <> ''pass''', 'neither SPF nor DKIM passed'),
	('spf_bad', 'sender', 'coalesce(m.auth_spf IN (''fail'', ''softfail'', ''permerror''), false)', 'SPF failed'),
	('dmarc_fail', 'sender', 'coalesce(m.auth_dmarc = ''fail'', false)', 'DMARC failed'),
	('dmarc_reject', 'sender', 'coalesce(m.auth_dmarc = ''fail'' AND (m.auth_dmarc_policy IN (''reject'', ''quarantine'') OR m.auth_dmarc_action IN (''reject'', ''quarantine'', ''oreject'')), false)', 'DMARC failed, and the domain asks for it to be refused'),
	('compauth_fail', 'sender', 'coalesce(m.auth_compauth IN (''fail'', ''softfail''), false)', 'composite authentication failed'),
	('dkim_foreign', 'sender', 'coalesce(m.auth_dkim = ''pass'' AND NOT m.auth_dkim_aligned, false)', 'signed by another domain only'),
	('auth_claims', 'sender', 'coalesce(m.auth_malformed_headers, 0)', 'results that break the grammar'),

	-- sender as written
	('from_missing', 'sender', 'm.from_addr IS NULL', 'no address in From'),
	('from_name_missing', 'sender', 'coalesce(m.from_name, '''') = ''''', 'no display name'),
	('from_name_is_address', 'sender', 'coalesce(position(''@'' IN m.from_name) > 0, false)', 'the display name is, or has, an address'),
	('from_name_lies', 'sender', 'coalesce(m.from_name_domain <> m.from_org AND NOT m.from_name_domain = ANY (''{}''::text[]), false)', 'the display name shows another domain than the address has'),
	('from_name_upper', 'sender', 'coalesce(m.from_name_uppercase_words >= 2 AND m.from_name_uppercase_words = m.from_name_words, false)', 'the display name is in capitals'),
	('from_name_odd', 'sender', 'coalesce(m.from_name ~ ''^[\W_]|[|*!~•★✅⚠_]|\d{4,}'', false)', 'the display name begins with, or has, a sign or a number that names don''t have'),
	('from_name_is_recipient', 'sender', 'coalesce(m.from_name <> '''' AND (lower(m.from_name) = h.recipient OR lower(m.from_name) = split_part(h.recipient, ''@'', 1) OR lower(m.from_name) = split_part(h.recipient, ''@'', 2)), false)', 'the display name is the reader''s address or domain'),
	('from_name_role', 'sender', 'coalesce(assay.in_list(''email.role_name'', btrim(m.from_name)), false)', 'the display name is a function'),
	('from_local_digits', 'sender', 'coalesce(length(h.from_local) - length(translate(h.from_local, ''0123456789'', '''')), 0)', 'digits before @'),
	('from_local_random', 'sender', 'x.local_random', 'letters before @ that no word has'),
	('from_local_long', 'sender', 'coalesce(length(h.from_local) > 30, false)', 'more than 30 characters before @'),
	('from_local_noreply', 'sender', 'x.local_noreply', 'an address of a function'),
	('from_domain_digits', 'sender', 'coalesce(length(m.from_org) - length(translate(m.from_org, ''0123456789'', '''')), 0)', 'digits in the domain'),
	('from_domain_hyphens', 'sender', 'coalesce(length(m.from_org) - length(replace(m.from_org, ''-'', '''')), 0)', 'hyphens in the domain'),
	('from_domain_random', 'sender', 'x.domain_random', 'a domain that no word is'),
	('from_domain_long', 'sender', 'coalesce(length(m.from_org) > 28, false)', 'a domain of more than 28 characters'),
	('from_domain_labels', 'sender', 'coalesce(cardinality(string_to_array(m.from_domain, ''.'')), 0)', 'labels of the domain'),
	('from_domain_lure', 'sender', 'x.domain_lure', 'words of lures in the domain'),
	('from_dotless', 'sender', 'coalesce(position(''.'' IN m.from_domain) = 0, false)', 'a domain without a dot'),
	('from_gov_edu', 'sender', 'x.gov_edu', 'a school or office, whose accounts are often taken over'),
	('relay_generic', 'sender', 'x.relay_generic', 'handed over by a host with a name of a customer''s machine'),
	('relay_nameless', 'sender', 'm.relay_ip IS NOT NULL AND m.relay_name IS NULL AND coalesce(m.relay_hops, 0) > 0', 'handed over by a host without a name'),
	('relay_random', 'sender', 'm.relay_helo IS NOT NULL AND x.relay_random', 'the host greets with a name that is none'),
	('sender_mail_service', 'sender', 'coalesce(assay.in_list(''email.mail_service'', m.return_path), false) OR coalesce(assay.in_list(''email.mail_service'', m.auth_dkim_domain), false)', 'sent by a service for anyone who pays'),
	('from_free_mail', 'sender', 'l.free_mail', 'From a mail provider'),
	('from_disposable', 'sender', 'coalesce(assay.in_list(''email.disposable'', m.from_domain), false)', 'From a throw-away address'),
	('from_tenant_default', 'sender', 'coalesce(assay.in_list(''email.tenant_default'', m.from_domain), false)', 'From the domain that a service gives to new customers'),
	('from_free_host', 'sender', 'coalesce(assay.in_list(''email.free_host'', m.from_domain), false)', 'From a host where anyone puts up pages'),
	('from_abused_tld', 'sender', 'coalesce(assay.in_list(''email.abused_tld'', m.from_domain), false)', 'From a top-level domain where abuse is common'),
	('from_suspect_tld', 'sender', 'coalesce(assay.in_list(''email.suspect_tld'', m.from_domain), false)', 'From a top-level domain where abuse is more common than elsewhere'),
	('from_brand_domain', 'sender', 'l.from_brand', 'From a domain of a brand'),
	('reply_to_free_mail', 'sender', 'coalesce(assay.in_list(''email.free_mail'', m.reply_to), false)', 'answers go to a mail provider'),
	('reply_to_elsewhere', 'sender', 'coalesce(NOT m.reply_to_aligned, false)', 'answers go to another organization'),
	('return_path_elsewhere', 'sender', 'coalesce(NOT m.return_path_aligned, false)', 'the envelope is of another organization'),
	('return_path_random', 'sender', 'CASE WHEN NOT m.return_path_aligned THEN coalesce(m.return_path_org ~ ''[bcdfghjklmnpqrstvwxz]{6}|\d[a-z]+\d+[a-z]+\d'', false) ELSE false END', 'the envelope''s domain is no word'),
	('from_is_only_recipient', 'sender', 'coalesce(m.from_is_recipient AND m.recipient_count = 1, false)', 'from the reader to the reader'),

	-- brands
	('brand', 'sender', 'b.name_brand', 'brand that the display name has'),
	('brand_in_name', 'sender', 'b.name_brand IS NOT NULL', 'a brand in the display name'),
	('brand_in_subject', 'message', 'b.subject_brand IS NOT NULL', 'a brand in the subject'),
	('brand_in_text', 'message', 'b.text_brand IS NOT NULL', 'a brand in the beginning of the text'),
	('brand_owned', 'sender', 'b.owned', 'the brand''s own domain'),
	('brand_name_foreign', 'sender', 'b.name_brand IS NOT NULL AND NOT b.owned', 'a brand''s name, and not the brand''s domain'),
	('brand_subject_foreign', 'message', 'b.subject_brand IS NOT NULL AND NOT b.subject_owned', 'a brand in the subject, and not the brand''s domain'),
	('brand_text_foreign', 'message', 'b.text_brand IS NOT NULL AND NOT b.text_owned', 'a brand in the text, and not the brand''s domain'),
	('brand_linked', 'message', 'b.linked', 'a link goes to the brand that is named in display name, subject or text'),
	('brand_in_local', 'sender', 'b.local_brand', 'a brand''s domain name before @ or below another domain'),
	('imitates', 'sender', 'b.imitates', 'domain that the sender''s looks like'),
	('imitates_how', 'sender', 'b.imitates_how', 'how'),
	('imitates_brand', 'sender', 'b.imitates IS NOT NULL', 'the sender''s domain looks like a brand''s'),
	('imitates_own', 'sender', 'i.imitates_own', 'the sender''s domain looks like one of ours'),

	-- links by lists
	('url_shortener', 'message', 'l.shortener', 'a link goes through a shortener'),
	('url_free_host', 'message', 'l.free_host', 'a link goes to a page that anyone can put up'),
	('url_file_share', 'message', 'l.file_share', 'a link goes to a file that anyone can share'),
	('url_object_storage', 'message', 'l.object_storage', 'a link goes to object storage'),
	('url_tunnel', 'message', 'l.tunnel', 'a link goes to a tunnel or a dynamic address'),
	('url_form_host', 'message', 'l.form_host', 'a link goes to a form of anyone''s'),
	('url_abused_tld', 'message', 'l.abused_tld', 'a link goes to a top-level domain where abuse is common'),
	('url_suspect_tld', 'message', 'l.suspect_tld', 'a link goes to a top-level domain where abuse is more common'),
	('url_messenger', 'message', 'l.messenger', 'a link opens a chat'),
	('url_redirector', 'message', 'l.redirector AND coalesce(m.url_nested, 0) > 0', 'a link goes through a host that forwards anywhere'),
	('url_brand', 'message', 'l.url_brand', 'a link goes to a domain of a brand'),
	('url_social', 'message', 'l.social', 'links to social networks, as below newsletters'),
	('url_blocked', 'message', 'i.url_blocked', 'a link goes where we blocked'),
	('url_random', 'message', 'x.url_random', 'a link''s domain is no word'),
	('url_all_foreign', 'message', 'coalesce(m.url_count > 0 AND m.url_of_sender = 0, false)', 'no link is of the sender''s organization'),
	('url_single', 'message', 'coalesce(m.url_domain_count = 1, false)', 'all links lead to one organization'),
	('url_wordpress', 'message', 'x.url_wordpress', 'a link goes into the folders of a WordPress, as of a site that was broken into'),
	('url_fragment', 'message', 'x.url_fragment', 'a link carries much, or an address, behind #'),
	('url_lure', 'message', 'x.url_lure AND NOT l.url_brand', 'words of lures in a link''s host'),
	('qr_code', 'message', 'coalesce(cardinality(m.qr_texts) > 0, false)', 'a picture has a QR code'),
	('qr_link', 'message', 'coalesce(array_to_string(m.qr_texts, '' '') ~* ''https?:'', false)', 'a QR code has a link'),

	-- attachments
	('file_program', 'message', 'l.file_program', 'a program is attached, perhaps in an archive'),
	('file_script', 'message', 'l.file_script', 'a script is attached'),
	('file_web', 'message', 'l.file_web', 'HTML or SVG is attached'),
	('file_archive', 'message', 'l.file_archive', 'an archive is attached'),
	('file_disk', 'message', 'l.file_disk', 'a disk image is attached'),
	('file_macro', 'message', 'l.file_macro', 'an Office file that may hold macros is attached'),
	('file_office', 'message', 'l.file_office', 'a document is attached'),
	('file_shortcut', 'message', 'l.file_shortcut', 'a shortcut is attached'),
	('file_pdf', 'message', 'coalesce(m.attachment_suffixes && ''{pdf}'', false)', 'a PDF is attached'),
	('file_image', 'message', 'coalesce(m.attachment_suffixes && ''{png,jpg,jpeg,gif,bmp,webp}'', false)', 'a picture is attached'),
	('file_double', 'message', 'coalesce(m.attachment_count > 0 AND array_to_string(m.attachment_names, '' '') ~* ''[.](pdf|docx?|xlsx?|jpe?g|png|txt|zip)[ _.]*[.](exe|scr|com|js|vbs|html?|bat|cmd|lnk|iso|img)\M'', false)', 'an attachment with two suffixes, the first of a document'),
	('file_reversed', 'message', 'coalesce(m.attachment_count > 0 AND array_to_string(m.attachment_names, '''') ~ ''[\u202a-\u202e\u2066-\u2069]'', false)', 'a file name that is written backwards'),
	('file_of_recipient', 'message', 'coalesce(length(h.recipient_local) >= 4 AND position(h.recipient_local IN lower(array_to_string(m.attachment_names, '' ''))) > 0, false)', 'the reader''s name in a file''s name'),
	('file_only', 'message', 'coalesce(m.attachment_count > 0 AND m.body_words < 25, false)', 'an attachment and hardly a text'),
	('file_message', 'message', 'coalesce(m.attachment_types && ''{message/rfc822}'' OR m.attachment_suffixes && ''{eml,msg}'', false)', 'a message is attached'),

	-- relation: what we know of each other
	('own_sender', 'relation', 'i.own', 'From one of our domains'),
	('own_authenticated', 'relation', 'i.own AND coalesce(m.auth_spf_aligned OR m.auth_dkim_aligned OR m.auth_dmarc = ''pass'', false)', 'From one of our domains, and authenticated'),
	('own_forged', 'relation', 'i.own AND m.auth_server IS NOT NULL AND NOT coalesce(m.auth_spf_aligned OR m.auth_dkim_aligned OR m.auth_dmarc = ''pass'', false)', 'From one of our domains, and not authenticated'),
	('trusted', 'relation', 'i.trusted', 'sender or its domain is on our list of trusted ones'),
	('blocked', 'relation', 'i.blocked', 'sender or its domain is on our list of blocked ones'),
	('vip_name', 'relation', 'i.vip', 'the display name is one of those we protect'),
	('insider_name', 'relation', 'NOT i.own AND coalesce(assay.events(k.inside_history), 0) >= 3', 'the display name is that of somebody who writes from our domains, the address is not'),
	('cold_start', 'relation', 'k.cold', 'there is less than two weeks of mail before this message: no history says anything yet'),
	('sender_events', 'relation', 'assay.events(k.sender_history)', 'messages of this address before today'),
	('sender_days_known', 'relation', 'assay.days_known(k.sender_history, m.received_at)', 'days since its first'),
	('sender_days_since', 'relation', 'assay.days_since(k.sender_history, m.received_at)', 'days since its last'),
	('sender_attacks', 'relation', 'assay.attacks(k.sender_labels)', 'labelled malicious'),
	('sender_safe', 'relation', 'assay.safe(k.sender_labels)', 'labelled safe'),
	('sender_attack_rate', 'relation', 'assay.attack_rate(k.sender_labels, 0.05, 2)', 'share of malicious ones, of a prior of 5 % that is worth two labels'),
	('org_events', 'relation', 'assay.events(k.org_history)', 'messages of this organization before today'),
	('org_days_known', 'relation', 'assay.days_known(k.org_history, m.received_at)', 'days since its first'),
	('org_attacks', 'relation', 'assay.attacks(k.org_labels)', 'labelled malicious'),
	('org_safe', 'relation', 'assay.safe(k.org_labels)', 'labelled safe'),
	('org_attack_rate', 'relation', 'assay.attack_rate(k.org_labels, 0.05, 2)', 'share of malicious ones, as above'),
	('pair_events', 'relation', 'assay.events(k.pair_history)', 'messages of this sender to this reader before today'),
	('pair_days_since', 'relation', 'assay.days_since(k.pair_history, m.received_at)', 'days since the last'),
	('answered_events', 'relation', 'assay.events(k.answer_history)', 'messages of this reader to this sender before today'),
	('first_contact', 'relation', 'NOT k.cold AND k.pair_history IS NULL', 'this sender never wrote to this reader'),
	('new_sender', 'relation', 'NOT k.cold AND k.sender_history IS NULL', 'nobody here got anything from this address'),
	('new_org', 'relation', 'NOT k.cold AND NOT l.free_mail AND k.org_history IS NULL', 'nobody here got anything from this organization'),
	('known_sender', 'relation', 'coalesce(assay.events(k.sender_history) >= 3 AND assay.days_known(k.sender_history, m.received_at) >= 14 AND assay.attack_rate(k.sender_labels, 0.05, 2) <= 0.1, false)', 'wrote three times over two weeks, and nothing bad is known'),
	('correspondent', 'relation', 'coalesce(assay.events(k.answer_history) >= 1, false)', 'this reader wrote to this sender'),
	('thread_known', 'relation', 'k.thread', 'answers a message that we have'),
	('thread_of_other', 'relation', 'k.thread AND NOT k.thread_party', 'answers a message that we have, and the sender was no party to it'),
	('reply_lookalike', 'relation', 'k.thread AND NOT k.thread_party AND (i.imitates_own OR b.imitates IS NOT NULL OR k.org_history IS NULL AND NOT k.cold)', 'takes part in a thread under a name that it did not have'),
	('asked_for', 'relation', 'k.thread AND k.thread_party', 'answers what a reader of it wrote'),

	-- campaign: the same, to many, as of the message
	('sender_last_hour', 'campaign', 'c.sender_hour', 'messages of this address within the last hour'),
	('sender_last_day', 'campaign', 'c.sender_day', 'within the last day'),
	('sender_readers_day', 'campaign', 'c.sender_readers', 'readers that it wrote to within the last day (the first recipients)'),
	('subject_last_hour', 'campaign', 'c.subject_hour', 'messages whose subject is the same but for numbers and names of readers, within the last hour'),
	('subject_last_day', 'campaign', 'c.subject_day', 'within the last day'),
	('subject_senders_day', 'campaign', 'c.subject_senders', 'addresses that they came from'),
	('host_last_day', 'campaign', 'c.host_day', 'messages whose first foreign link leads to the same organization, within the last day'),
	('host_senders_day', 'campaign', 'c.host_senders', 'addresses that they came from'),
	('alike_last_hour', 'campaign', 'c.alike_hour', 'messages with nearly the same text within the last hour'),
	('alike_last_day', 'campaign', 'c.alike_day', 'within the last day'),
	('alike_senders_day', 'campaign', 'c.alike_senders', 'addresses that they came from'),
	('alike_malicious', 'campaign', 'c.alike_malicious', 'of these, labelled malicious by then'),
	('campaign_minutes', 'campaign', 'c.alike_minutes', 'minutes since the first of them');
