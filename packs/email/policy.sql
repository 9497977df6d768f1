-- ---------------------------------------------------------------------------
-- create_email_policy: views, histories, indexes and a policy, all the user's own
-- ---------------------------------------------------------------------------

-- keys of campaigns

-- Each is one expression without SET, so that queries have it in their own. What it is made of is found now, not
-- where whoever inserts looks: an operator of his own would go into the indexes.
CREATE FUNCTION assay.email_subject_key(subject text) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 20
	RETURN pg_catalog.hashtextextended(pg_catalog."substring"(pg_catalog.btrim(pg_catalog.regexp_replace(pg_catalog.lower(pg_catalog."left"(subject, 200)),
		'(\m(re|fw|fwd|aw|wg|sv|tr|rv|enc|res|antw)\s*:\s*)|\S*[@\d]\S*|[^[:alpha:]]+', ' ', 'g')), '^.+ .+$'), 0);
COMMENT ON FUNCTION assay.email_subject_key(text) IS
	'what copies of a subject have in common: its words, without numbers, addresses and Re:; NULL for less than two words';

CREATE FUNCTION assay.email_foreign_org(orgs text[], own text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 5
	RETURN pg_catalog."left"(CASE WHEN orgs[1] IS DISTINCT FROM own THEN orgs[1] ELSE orgs[2] END, 320);
COMMENT ON FUNCTION assay.email_foreign_org(text[], text) IS 'the first organization that a message links to and that is not the sender''s, as far as an index takes it';

CREATE FUNCTION assay.email_signature_keys(signature assay.text_signature, received_at timestamptz, days_before int DEFAULT 0) RETURNS bigint[]
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 20
	RETURN (assay.signature_bands(signature, (received_at AT TIME ZONE 'UTC')::date - days_before))[1:4];
COMMENT ON FUNCTION assay.email_signature_keys(assay.text_signature, timestamptz, int) IS
	'four of a day''s twenty keys of a signature: enough to find nine of ten texts that are alike by .8';

-- An index refuses a value of some kilobytes, and with it the INSERT: whatever a sender writes, its beginning fits.
CREATE FUNCTION assay.email_indexed(relation regclass, col text, alias text DEFAULT '') RETURNS text LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT format(CASE WHEN coalesce(nullif(t.typbasetype, 0), t.oid) IN ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype)
		THEN '"left"(%s%I, 320)' ELSE '%s%I' END, alias, col)
	FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid WHERE a.attrelid = relation AND a.attname = col AND NOT a.attisdropped
	$$;
COMMENT ON FUNCTION assay.email_indexed(regclass, text, text) IS 'private: expression by which an index has a column of messages, and by which it is looked up';

CREATE FUNCTION assay.email_same(relation regclass, col text) RETURNS text LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT format('%s = %s AND o.%3$I = m.%3$I', assay.email_indexed($1, $2, 'o.'), assay.email_indexed($1, $2, 'm.'), $2)
	$$;
COMMENT ON FUNCTION assay.email_same(regclass, text) IS 'private: condition that message "o" has the same in a column as "m", in words that its index knows';

-- private: pieces of the views

CREATE FUNCTION assay.email_columns(messages regclass) RETURNS text[] LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT array(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped)
	$$;
COMMENT ON FUNCTION assay.email_columns(regclass) IS 'private: columns of a table or view';

-- What an expression asks of a column that the table doesn't have is NULL; one of another type is cast.
CREATE FUNCTION assay.email_expression(expression text, messages regclass) RETURNS text LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	f record;
BEGIN
	FOR f IN SELECT e.fact, e.type, a.attname IS NOT NULL AS given
		FROM assay.email_fact e LEFT JOIN pg_attribute a ON a.attrelid = messages AND a.attname = e.fact AND a.attnum > 0 AND NOT a.attisdropped
		WHERE a.atttypid IS DISTINCT FROM e.type AND expression LIKE '%m.' || e.fact || '%'
	LOOP
		expression := regexp_replace(expression, '\mm\.' || f.fact || '\M', CASE WHEN f.given THEN format('m.%I::%s', f.fact, f.type) ELSE format('NULL::%s', f.type) END, 'g');
	END LOOP;
	RETURN expression;
END $$;
COMMENT ON FUNCTION assay.email_expression(text, regclass) IS
	'private: an expression over message columns, with NULL for those that are not there, and casts of those of another type';

CREATE FUNCTION assay.email_facts_query(messages regclass, key text[], authserv_ids text[], trusted inet[], tenant text DEFAULT NULL) RETURNS text LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	has text[] := assay.email_columns(messages);
	barrier text := format('OFFSET 0 * num_nulls(m.%I)', key[1]);
	given text;
	computed text;
	functions text;
	-- all facts by one call, where this pg_assay has it
	at_once text[] := array(SELECT a.attname::text FROM pg_type t JOIN pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0
		WHERE t.oid = to_regtype('assay.message_facts') AND EXISTS (SELECT FROM pg_proc c WHERE c.pronamespace = t.typnamespace AND c.proname = 'message_facts'));
BEGIN
	SELECT string_agg(CASE WHEN NOT f.fact = ANY (has) THEN format('y.%I', f.fact)
			WHEN a.atttypid = f.type THEN format('m.%I', f.fact) ELSE format('m.%I::%s AS %1$I', f.fact, f.type) END, E',\n\t' ORDER BY f.fact),
		string_agg(format('%s AS %I', CASE WHEN f.fact = ANY (at_once) THEN format('(x.f).%I', f.fact)
				ELSE coalesce(assay.email_expression(f.otherwise, messages), format('NULL::%s', f.type)) END, f.fact), E',\n\t\t' ORDER BY f.fact)
			FILTER (WHERE NOT f.fact = ANY (has))
	INTO given, computed
	FROM assay.email_fact f LEFT JOIN pg_attribute a ON a.attrelid = messages AND a.attname = f.fact AND a.attnum > 0 AND NOT a.attisdropped;
	SELECT string_agg(format('%s AS %s', assay.email_expression(v.call, messages), v.alias), E',\n\t\t') INTO functions
	FROM (VALUES ('t', 'assay.text_facts(m.body_text)'), ('s', 'assay.text_facts(m.subject)'), ('n', 'assay.text_facts(m.from_name)'),
		('a', format('assay.auth_facts(m.headers, %L::text[], m.from_domain)', authserv_ids)),
		('r', format('assay.received_facts(m.headers, %L::inet[])', trusted)),
		('u', 'assay.url_facts(m.urls, m.link_hrefs, m.link_texts, m.from_domain)'),
		('f', format('assay.message_facts(m.headers, m.from_addr, m.from_name, m.reply_to, m.return_path, m.message_id, m.recipients, m.subject,'
			' m.body_text, m.urls, m.link_hrefs, m.link_texts, %L::text[], %L::inet[])', authserv_ids, trusted))) v (alias, call)
	WHERE computed LIKE '%(x.' || v.alias || ').%';
	RETURN format(E'SELECT %s%s\nFROM %s m',
		(SELECT string_agg(format('m.%I, ', k), '') FROM unnest(key || CASE WHEN NOT tenant = ANY (key) THEN ARRAY[tenant] ELSE '{}' END || CASE WHEN 'signature' = ANY (has) THEN '{signature}'::text[] END) k
		 WHERE NOT EXISTS (SELECT FROM assay.email_fact f WHERE f.fact = k)), given, messages)
		|| coalesce(format(E'\nCROSS JOIN LATERAL (\n\tSELECT %s%s\n\t%s) y', computed, format(E'\n\tFROM (SELECT %s\n\t\t%s) x', functions, barrier), barrier), '');
END $$;
COMMENT ON FUNCTION assay.email_facts_query(regclass, text[], text[], inet[], text) IS 'private: the view of the facts of a message table';

-- In an expression, the evidence is all one: h.x is e.h_x.
CREATE FUNCTION assay.email_flat(expression text) RETURNS text LANGUAGE sql IMMUTABLE STRICT
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT regexp_replace($1, '\m([hwtvblix])\.([a-z_]+)\M', 'e.\1_\2', 'g')
	$$;
COMMENT ON FUNCTION assay.email_flat(text) IS 'private: an expression over the evidence, as columns of one subquery';

-- Phrases by their numbers in what phrase_counts() gives, as columns w_, t_, v_ and x_
CREATE FUNCTION assay.email_phrase_columns(wanted text[], shapes text[]) RETURNS text LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	WITH name AS (SELECT p.meaning, row_number() OVER (ORDER BY p.meaning) AS n FROM assay.email_meaning p),
		theme AS (SELECT p.theme, row_number() OVER (ORDER BY p.theme) AS n FROM assay.email_meaning p GROUP BY p.theme),
		number AS (SELECT (SELECT count(*) FROM name) AS names, (SELECT count(*) FROM theme) AS themes),
		col AS (SELECT 'w_' || p.meaning AS name, format('(p.counts)[%s] > 0', p.n) AS value FROM name p
			UNION ALL SELECT 't_' || p.theme, format('(p.counts)[%s]', c.names + p.n) FROM theme p, number c
			UNION ALL SELECT 't_all_meanings', format('(p.counts)[%s]', c.names + c.themes + 1) FROM number c
			UNION ALL SELECT 't_all_themes', format('(p.counts)[%s]', c.names + c.themes + 2) FROM number c
			UNION ALL SELECT 'x_' || p.shape, format('(s.counts)[%s] > 0', p.n) FROM unnest($2) WITH ORDINALITY p(shape, n)
			UNION ALL SELECT 'v_' || p.theme, format('coalesce((v.counts)[%s] > 0, false)', p.n) FROM theme p)
	SELECT string_agg(format('%s AS %I', c.value, c.name), ', ' ORDER BY c.name) FROM col c WHERE c.name = ANY ($1)
	$$;
COMMENT ON FUNCTION assay.email_phrase_columns(text[], text[]) IS 'private: columns of the evidence that phrases make';

-- Headers in use, phrases, brands and lists: one subquery with the columns that
-- are wanted. The body is fetched and uncompressed once, as h.body. OFFSET 0
-- keeps what is used twice from being computed twice; the barrier besides keeps
-- the planner from remembering results by message texts.
CREATE FUNCTION assay.email_evidence(policy text, own_domains text[], wanted text[], barrier text) RETURNS text LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	meanings text := (SELECT array_agg(p.meaning ORDER BY p.meaning)::text FROM assay.email_meaning p);
	themes text := (SELECT array_agg(DISTINCT p.theme ORDER BY p.theme)::text FROM assay.email_meaning p);
	callback int := cardinality(meanings::text[]) + array_position(themes::text[], 'callback');
	shapes text[] := array(SELECT substr(c, 3) FROM unnest(wanted) c WHERE c LIKE 'x\_%' ORDER BY c);
	brands text;
	columns text := (SELECT string_agg(format('%s.%I AS %I', left(c, 1), substr(c, 3), c), ', ' ORDER BY c) FROM unnest(wanted) c WHERE c ~ '^[hlbi]_');
BEGIN
	-- names of four letters and less look like too much
	SELECT array_agg(DISTINCT d ORDER BY d)::text INTO brands
	FROM assay.email_brand b, unnest(b.domains) d
	WHERE length(split_part(d, '.', 1)) >= 5 AND d = assay.registrable_domain(d) AND NOT assay.in_list('email.free_mail', d);
	RETURN format($query$CROSS JOIN LATERAL (
SELECT %2$s,
	%12$s
FROM (
	SELECT (m.received_at AT TIME ZONE 'UTC')::date AS day, m.headers IS NOT NULL AS has_headers, m.body_text || '' AS body, lower(m.subject) AS subject,
		lower(m.recipients[1]) AS recipient, lower(split_part(m.recipients[1], '@', 1)) AS recipient_local, split_part(m.from_addr, '@', 1) AS from_local,
		lower(q.v[1]) AS content_type, lower(q.v[2]) AS encoding, coalesce(q.v[3], q.v[4]) AS mailer, q.v[5] IS NOT NULL AS mime_version,
		coalesce(q.v[6] ILIKE 'high%%' OR q.v[7] ~ '^\s*[12]' OR q.v[8] ILIKE 'high%%', false) AS urgent,
		q.v[9] IS NOT NULL AS receipt, q.v[10] IS NOT NULL OR q.v[11] IS NOT NULL AS script,
		q.v[12] IS NOT NULL AS list_post, q.v[13] IS NOT NULL AS unsubscribe, q.v[14] IS NOT NULL AS unsubscribe_click,
		coalesce(q.v[15] ~* 'bulk|list|junk', false) AS bulk, coalesce(q.v[16] !~* '^no', false) AS automatic,
		q.v[17] IS NOT NULL AS feedback, coalesce(q.v[18], q.v[19]) AS addressed
	FROM (SELECT assay.header_values(m.headers, '{content-type,content-transfer-encoding,user-agent,x-mailer,mime-version,importance,x-priority,x-msmail-priority,disposition-notification-to,x-php-originating-script,x-php-script,list-post,list-unsubscribe,list-unsubscribe-post,precedence,auto-submitted,feedback-id,to,cc}') AS v
		OFFSET 0) q
	OFFSET 0) h
CROSS JOIN LATERAL (
	SELECT assay.phrase_counts('email.phrases', coalesce(m.subject, '') || E'\n' || coalesce(h.body, '')
		|| CASE WHEN m.attachment_types && '{text/calendar,text/html,image/svg+xml}' THEN coalesce(E'\n' || left(m.attachment_text, 4000), '') ELSE '' END, %13$L, %14$L) AS counts OFFSET 0) p
CROSS JOIN LATERAL (
	SELECT assay.phrase_counts('email.shapes', concat(E'\nL', h.from_local, E'\nD', m.from_domain, E'\nO', m.from_org, E'\nR', m.relay_name, E'\nG', m.relay_helo,
		E'\nS', m.subject, CASE WHEN m.url_count > 0 THEN E'\nH' || array_to_string(m.url_hosts[1:20], ' ') END,
		CASE WHEN m.url_count > 0 THEN E'\nU' || array_to_string(m.urls[1:20], ' ') END, E'\n'), %17$L) AS counts OFFSET 0) s
CROSS JOIN LATERAL (
	SELECT CASE WHEN m.subject <> '' AND (p.counts)[%15$s] > 0 THEN assay.phrase_counts('email.phrases', m.subject, '{}', %14$L) END AS counts OFFSET 0) v
CROSS JOIN LATERAL (
	SELECT coalesce(assay.in_list('email.free_mail', m.from_domain) OR assay.in_list(%3$L, m.from_domain), false) AS free_mail,
		coalesce(assay.in_list('email.brand_domain', m.from_domain), false) AS from_brand,
		coalesce(assay.in_list('email.shortener', m.url_hosts) OR assay.in_list(%4$L, m.url_hosts), false) AS shortener,
		coalesce(assay.in_list('email.free_host', m.url_hosts) OR assay.in_list(%5$L, m.url_hosts), false) AS free_host,
		coalesce(assay.in_list('email.file_share', m.url_hosts), false) AS file_share,
		coalesce(assay.in_list('email.object_storage', m.url_hosts), false) AS object_storage,
		coalesce(assay.in_list('email.tunnel', m.url_hosts), false) AS tunnel,
		coalesce(assay.in_list('email.form_host', m.url_hosts), false) AS form_host,
		coalesce(assay.in_list('email.abused_tld', m.url_hosts), false) AS abused_tld,
		coalesce(assay.in_list('email.suspect_tld', m.url_hosts), false) AS suspect_tld,
		coalesce(assay.in_list('email.messenger', m.url_hosts), false) AS messenger,
		coalesce(assay.in_list('email.redirector', m.url_hosts), false) AS redirector,
		coalesce(assay.in_list('email.brand_domain', m.url_hosts), false) AS url_brand,
		coalesce(assay.in_list('email.social', m.url_hosts), false) AS social,
		coalesce(assay.in_list('email.file_program', m.attachment_suffixes), false) AS file_program,
		coalesce(assay.in_list('email.file_script', m.attachment_suffixes), false) AS file_script,
		coalesce(assay.in_list('email.file_web', m.attachment_suffixes), false) AS file_web,
		coalesce(assay.in_list('email.file_archive', m.attachment_suffixes), false) AS file_archive,
		coalesce(assay.in_list('email.file_disk', m.attachment_suffixes), false) AS file_disk,
		coalesce(assay.in_list('email.file_macro', m.attachment_suffixes), false) AS file_macro,
		coalesce(assay.in_list('email.file_office', m.attachment_suffixes), false) AS file_office,
		coalesce(assay.in_list('email.file_shortcut', m.attachment_suffixes), false) AS file_shortcut
	OFFSET 0) l
CROSS JOIN LATERAL (
	SELECT (assay.phrase_hits('email.brand', coalesce(m.from_name, '')))[1] AS name_brand,
		(assay.phrase_hits('email.brand', coalesce(m.subject, '')))[1] AS subject_brand,
		(assay.phrase_hits('email.brand', CASE WHEN m.url_count > 0 OR (p.counts)[%16$s] > 0 THEN left(h.body, 400) ELSE '' END))[1] AS text_brand,
		assay.lookalike_domain(CASE WHEN NOT l.from_brand THEN m.from_domain END, %6$L::text[]) AS near
	OFFSET 0) bb
CROSS JOIN LATERAL (
	SELECT bb.name_brand, bb.subject_brand, bb.text_brand, (bb.near).domain AS imitates, (bb.near).how AS imitates_how,
		coalesce(NOT l.free_mail AND assay.in_list('email.brand_owner', bb.name_brand || '|' || m.from_org), false) AS owned,
		coalesce(NOT l.free_mail AND assay.in_list('email.brand_owner', bb.subject_brand || '|' || m.from_org), false) AS subject_owned,
		coalesce(NOT l.free_mail AND assay.in_list('email.brand_owner', bb.text_brand || '|' || m.from_org), false) AS text_owned,
		CASE WHEN bb.name_brand IS NOT NULL OR bb.subject_brand IS NOT NULL OR bb.text_brand IS NOT NULL THEN l.url_brand AND coalesce(assay.in_list('email.brand_owner',
			array(SELECT n.brand || '|' || d FROM unnest(ARRAY[bb.name_brand, bb.subject_brand, bb.text_brand]) n(brand), unnest(m.url_domains[1:20]) d)), false) ELSE false END AS linked,
		coalesce(NOT l.from_brand AND assay.phrase_hits('email.brand', translate(m.from_addr, '.-_+@', '     ')) <> '{}', false) AS local_brand
	OFFSET 0) b
CROSS JOIN LATERAL (
	SELECT coalesce(assay.in_list(%7$L, m.from_addr), false) AS own, coalesce(assay.in_list(%8$L, m.from_addr), false) AS trusted,
		coalesce(assay.in_list(%9$L, m.from_addr), false) AS blocked, coalesce(assay.in_list(%9$L, m.url_hosts), false) AS url_blocked,
		coalesce(assay.in_list(%10$L, btrim(m.from_name)), false) AND NOT coalesce(assay.in_list(%7$L, m.from_addr), false) AS vip,
		%11$s AS imitates_own
	OFFSET 0) i
%1$s) e
$query$, barrier, columns, policy || '.free_mail', policy || '.shortener', policy || '.free_host', brands,
		policy || '.own', policy || '.trusted', policy || '.blocked', policy || '.vip',
		CASE WHEN own_domains = '{}' THEN 'false' ELSE format('assay.lookalike_domain(m.from_domain, %L::text[]) IS NOT NULL', own_domains) END,
		assay.email_phrase_columns(wanted, shapes), meanings, themes, cardinality(meanings::text[]) + cardinality(themes::text[]) + 1, callback, shapes);
END $$;
COMMENT ON FUNCTION assay.email_evidence(text, text[], text[], text) IS 'private: the part of the signals view that reads headers, phrases, brands and lists';

-- Histories as of the day before, and the thread that is answered
CREATE FUNCTION assay.email_history(policy text, messages regclass, place text, history boolean, own boolean, barrier text, tenant text) RETURNS text LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	has text[] := assay.email_columns(messages);
	probe text := E'LEFT JOIN LATERAL (\n\tSELECT %s FROM %s%I z WHERE %s AND z.day < e.h_day ORDER BY z.day DESC LIMIT 1) %s ON true\n';
	laterals text := '';
	columns text := '';
	-- a tenant sees its own histories and threads only
	z_same text := CASE WHEN tenant IS NULL THEN '' ELSE format('z.%1$I = m.%1$I AND ', tenant) END;
	-- no index goes by this: the threads of a message are few, and the tenant's messages are many
	o_same text := CASE WHEN tenant IS NULL THEN '' ELSE format('(o.%1$I = m.%1$I) IS TRUE AND ', tenant) END;
	p record;
BEGIN
	FOR p IN SELECT * FROM (VALUES
		('ks', 'sender', 'z.sender = m.from_addr', 'sender', true, true),
		('ko', 'org', 'z.org = CASE WHEN NOT e.l_free_mail THEN m.from_org END', 'org', true, true),
		('kp', 'pair', 'z.sender = m.from_addr AND z.reader = e.h_recipient', 'pair', false, 'recipients' = ANY (has)),
		('ka', 'pair', 'z.sender = e.h_recipient AND z.reader = m.from_addr', 'answer', false, 'recipients' = ANY (has)),
		('ki', 'inside', 'z.inside = CASE WHEN m.from_name <> '''' AND NOT e.i_own THEN assay.skeleton(m.from_name) END', 'inside', false, own)) v (alias, baseline, condition, prefix, labels, wanted)
	LOOP
		IF history AND p.wanted THEN
			laterals := laterals || format(probe, CASE WHEN p.labels THEN 'z.history, z.labels' ELSE 'z.history' END, place, policy || '_' || p.baseline, z_same || p.condition, p.alias);
			columns := columns || format('%s.history AS %s_history, ', p.alias, p.prefix) || CASE WHEN p.labels THEN format('%s.labels AS %s_labels, ', p.alias, p.prefix) ELSE '' END;
		ELSE
			columns := columns || format('NULL::assay.activity AS %s_history, ', p.prefix) || CASE WHEN p.labels THEN format('NULL::assay.outcome AS %s_labels, ', p.prefix) ELSE '' END;
		END IF;
	END LOOP;
	IF '{message_id,in_reply_to}' <@ has THEN
		laterals := laterals || format($query$CROSS JOIN LATERAL (
	SELECT count(*) > 0 AS thread, coalesce(bool_or(o.from_addr = m.from_addr OR %2$s), false) AS thread_party
	FROM %1$s o
	WHERE %3$so.message_id = ANY (CASE WHEN m.in_reply_to IS NOT NULL OR m.reference_ids <> '{}' THEN
			ARRAY[m.in_reply_to] || m.reference_ids[greatest(cardinality(m.reference_ids) - 3, 1):] END)
		AND o.received_at < m.received_at) kt
$query$, messages, CASE WHEN 'recipients' = ANY (has) THEN 'm.from_addr = ANY (o.recipients)' ELSE 'false' END, o_same);
		columns := columns || 'kt.thread, kt.thread_party, ';
	ELSE
		columns := columns || 'false AS thread, false AS thread_party, ';
	END IF;
	RETURN format(E'CROSS JOIN LATERAL (\nSELECT %s\n\t%s AS cold\nFROM (SELECT %s) one\n%s%s) k\n', columns, CASE WHEN history THEN
		format('coalesce((SELECT min(o.received_at) FROM %s o%s) >= m.received_at - interval ''14 days'', true)', messages,
			CASE WHEN tenant IS NULL THEN '' ELSE ' WHERE ' || assay.email_same(messages, tenant) END) ELSE 'true' END,
		'1', laterals, barrier);
END $$;
COMMENT ON FUNCTION assay.email_history(text, regclass, text, boolean, boolean, text, text) IS 'private: the part of the signals view that looks up histories';

-- What came within the last hour and day, by indexes, at most a hundred of each
CREATE FUNCTION assay.email_campaigns(messages regclass, key text[], labels text, campaigns boolean, barrier text) RETURNS text LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	has text[] := assay.email_columns(messages);
	counted text := $query$CROSS JOIN LATERAL (
	SELECT count(*) FILTER (WHERE o.received_at >= m.received_at - interval '1 hour')::int AS %1$s_hour, count(*)::int AS %1$s_day,
		count(DISTINCT o.who)::int AS %1$s_%2$s
	FROM (SELECT o.received_at, %3$s AS who FROM %4$s o
		WHERE %5$s AND o.received_at < m.received_at AND o.received_at >= m.received_at - interval '1 day'
		ORDER BY o.received_at DESC LIMIT 100) o) %6$s
$query$;
	none text := E'CROSS JOIN LATERAL (SELECT NULL::int AS %1$s_hour, NULL::int AS %1$s_day, NULL::int AS %1$s_%2$s) %3$s\n';
	laterals text;
BEGIN
	laterals := CASE WHEN campaigns THEN
			format(counted, 'sender', 'readers', CASE WHEN 'recipients' = ANY (has) THEN 'o.recipients[1]' ELSE 'NULL::text' END, messages, assay.email_same(messages, 'from_addr'), 'cs')
		ELSE format(none, 'sender', 'readers', 'cs') END;
	laterals := laterals || CASE WHEN campaigns AND 'subject' = ANY (has) THEN
			format(counted, 'subject', 'senders', 'o.from_addr', messages, 'assay.email_subject_key(o.subject) = assay.email_subject_key(m.subject)', 'cj')
		ELSE format(none, 'subject', 'senders', 'cj') END;
	laterals := laterals || CASE WHEN campaigns AND '{url_domains,from_org}' <@ has THEN
			format(counted, 'host', 'senders', 'o.from_addr', messages,
				'assay.email_foreign_org(o.url_domains, o.from_org) = assay.email_foreign_org(m.url_domains, m.from_org)', 'ch')
		ELSE format(none, 'host', 'senders', 'ch') END;
	IF campaigns AND 'signature' = ANY (has) THEN
		laterals := laterals || format($query$CROSS JOIN LATERAL (
	SELECT count(*) FILTER (WHERE o.received_at >= m.received_at - interval '1 hour')::int AS alike_hour, count(*)::int AS alike_day,
		count(DISTINCT o.from_addr)::int AS alike_senders, (count(*) FILTER (WHERE o.malicious))::int AS alike_malicious,
		(extract(epoch FROM m.received_at - min(o.received_at)) / 60)::real AS alike_minutes
	FROM (SELECT o.received_at, o.from_addr, EXISTS (SELECT FROM %2$s g WHERE %3$s AND g.malicious AND g.labelled_at <= m.received_at) AS malicious
		FROM %1$s o
		WHERE assay.email_signature_keys(o.signature, o.received_at) && CASE WHEN assay.signature_length(m.signature) >= 12 THEN
				assay.email_signature_keys(m.signature, m.received_at) || assay.email_signature_keys(m.signature, m.received_at, 1) END
			AND o.received_at < m.received_at AND o.received_at >= m.received_at - interval '1 day' AND assay.similar(o.signature, m.signature) >= 0.6
		LIMIT 100) o) ca
$query$, messages, labels, (SELECT string_agg(format('g.%I = o.%1$I', k), ' AND ') FROM unnest(key) k));
	ELSE
		laterals := laterals || format(none, 'alike', 'senders, NULL::int AS alike_malicious, NULL::real AS alike_minutes', 'ca');
	END IF;
	RETURN format(E'CROSS JOIN LATERAL (\nSELECT cs.*, cj.*, ch.*, ca.*\nFROM (SELECT 1) one\n%s%s) c\n', laterals, barrier);
END $$;
COMMENT ON FUNCTION assay.email_campaigns(regclass, text[], text, boolean, text) IS 'private: the part of the signals view that counts campaigns';

CREATE FUNCTION assay.email_make_lists(policy text, own_domains text[], vips text[]) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	l record;
BEGIN
	FOR l IN SELECT * FROM (VALUES
		('own', 'domain', own_domains, 'domains of our organization'),
		('trusted', 'domain', '{}', 'senders and domains that we trust where they are authenticated'),
		('blocked', 'domain', '{}', 'senders, domains and hosts that we block'),
		('vip', 'exact', vips, 'names that others pass themselves off as'),
		('free_mail', 'domain', '{}', 'more domains where anyone gets an address'),
		('shortener', 'domain', '{}', 'more hosts whose links lead elsewhere'),
		('free_host', 'domain', '{}', 'more hosts where anyone puts up a page')) v (list, kind, "values", description)
	LOOP
		PERFORM assay.create_list(policy || '.' || l.list, description => l.description);
		INSERT INTO assay.list (set, value, kind, note)
		SELECT DISTINCT policy || '.' || l.list, v, l.kind, 'given to create_email_policy()' FROM unnest(l."values") v WHERE v <> '';
	END LOOP;
END $$;
COMMENT ON FUNCTION assay.email_make_lists(text, text[], text[]) IS 'private: makes a policy''s own lists';

CREATE FUNCTION assay.email_make_history(policy text, messages regclass, key text[], place text, own boolean, base regclass, tenant text) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	has text[] := assay.email_columns(messages);
	keys text := (SELECT string_agg(format('m.%I', k), ', ') FROM unnest(key || CASE WHEN NOT tenant = ANY (key) THEN ARRAY[tenant] ELSE '{}' END) k);
	-- incremental where a sequence numbers the messages
	numbered boolean := cardinality(key) = 1 AND pg_get_serial_sequence(base::text, key[1]) IS NOT NULL;
	senders regclass;
	pairs regclass;
	b record;
BEGIN
	EXECUTE format($view$CREATE VIEW %1$s%2$I AS
SELECT %3$s, m.received_at%4$s, m.from_addr AS sender,
	CASE WHEN NOT assay.in_list('email.free_mail', m.from_addr) AND NOT assay.in_list(%5$L, m.from_addr) THEN
		coalesce(assay.registrable_domain(assay.domain_of(m.from_addr)), assay.domain_of(m.from_addr)) END AS org,
	%6$s AS inside
FROM %7$s m$view$, place, policy || '_senders', keys, CASE WHEN 'received_at' = ANY (key) THEN ' AS at' ELSE '' END, policy || '.free_mail',
		CASE WHEN 'from_name' = ANY (has) THEN
			format('CASE WHEN m.from_name <> '''' AND assay.in_list(%L, m.from_addr) THEN assay.skeleton(m.from_name) END', policy || '.own')
			ELSE 'NULL::text' END, messages);
	senders := (place || quote_ident(policy || '_senders'))::regclass;
	EXECUTE format('COMMENT ON VIEW %s IS %L', senders, 'who writes, for the histories');
	IF 'recipients' = ANY (has) THEN
		EXECUTE format($view$CREATE VIEW %1$s%2$I AS
SELECT %3$s, m.received_at%4$s, m.from_addr AS sender, lower(r) AS reader
FROM %5$s m LEFT JOIN LATERAL unnest(m.recipients[1:50]) r ON true$view$,
			place, policy || '_pairs', keys, CASE WHEN 'received_at' = ANY (key) THEN ' AS at' ELSE '' END, messages);
		pairs := (place || quote_ident(policy || '_pairs'))::regclass;
		EXECUTE format('COMMENT ON VIEW %s IS %L', pairs, 'who writes to whom, for the histories');
	END IF;
	FOR b IN SELECT * FROM (VALUES ('sender', senders, '{sender}'::text[], true), ('org', senders, '{org}', true), ('pair', pairs, '{sender,reader}', false),
		('inside', CASE WHEN own THEN senders END, '{inside}', false)) v (baseline, source, columns, labels) WHERE v.source IS NOT NULL
	LOOP
		PERFORM assay.create_baseline(policy || '_' || b.baseline, b.source, CASE WHEN tenant IS NULL THEN b.columns ELSE tenant || b.columns END, CASE WHEN 'received_at' = ANY (key) THEN 'at' ELSE 'received_at' END,
			outcome => CASE WHEN b.labels THEN (place || quote_ident(policy || '_label'))::regclass END,
			incremental => numbered, arrival => key[1], schema => (SELECT n.nspname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = senders),
			search_path => 'pg_catalog, assay, pg_temp');
	END LOOP;
END $$;
COMMENT ON FUNCTION assay.email_make_history(text, regclass, text[], text, boolean, regclass, text) IS 'private: makes a policy''s histories';

CREATE FUNCTION assay.email_make_indexes(policy text, messages regclass, history boolean, campaigns boolean, base regclass, mapped jsonb, tenant text) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	has text[] := assay.email_columns(messages);
	x record;
BEGIN
	FOR x IN SELECT * FROM (VALUES
		('by_time', CASE WHEN tenant IS NULL THEN '(received_at)' ELSE format('(%s, received_at)', assay.email_indexed(messages, tenant)) END, history, '{}'::text[]),
		('by_message_id', 'USING hash (message_id)', true, '{message_id,in_reply_to}'),
		('by_sender', format('(%s, received_at)', assay.email_indexed(messages, 'from_addr')), campaigns, '{}'),
		('by_subject', '(assay.email_subject_key(subject), received_at)', campaigns, '{subject}'),
		('by_host', '(assay.email_foreign_org(url_domains, from_org), received_at)', campaigns, '{url_domains,from_org}'),
		('alike', 'USING gin (assay.email_signature_keys(signature, received_at)) WITH (fastupdate = off)', campaigns, '{signature}')) v (name, definition, wanted, columns)
	LOOP
		IF x.wanted AND x.columns <@ has AND EXISTS (SELECT FROM pg_class c WHERE c.oid = base AND c.relkind IN ('r', 'p')) THEN
			EXECUTE format('CREATE INDEX %I ON %s %s', policy || '_' || x.name, base, assay.email_mapped(x.definition, mapped));
		END IF;
	END LOOP;
END $$;
COMMENT ON FUNCTION assay.email_make_indexes(text, regclass, boolean, boolean, regclass, jsonb, text) IS 'private: indexes that a policy''s signals look into the message table by';

CREATE FUNCTION assay.email_document(policy text, signals text, key text[]) RETURNS jsonb LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT jsonb_build_object('pg_assay_policy', 1, 'policy', $1, 'signals', $2, 'key', to_jsonb($3),
		'settings', jsonb_build_object('prior', -3.5, 'thresholds', '{"suspicious": 0.5, "malicious": 0.9}'::jsonb),
		'guards', (SELECT jsonb_agg(jsonb_build_object('name', g.guard, 'condition', g.condition, 'description', g.description) ORDER BY g.guard) FROM assay.email_guard g),
		'detectors', (SELECT jsonb_agg(jsonb_build_object('name', d.detector, 'mode', d.mode, 'condition', d.condition, 'weight', d.weight, 'severity', d.severity,
			'tags', jsonb_build_array(d.category), 'description', d.description || CASE WHEN d.false_positives LIKE 'none%' THEN '' ELSE ' (may be wrong: ' || d.false_positives || ')' END) ORDER BY d.category, d.detector) FROM assay.email_detector d))
	$$;
COMMENT ON FUNCTION assay.email_document(text, text, text[]) IS 'the policy of the e-mail pack as a document that assay.policy_import() reads';

CREATE FUNCTION assay.create_email_policy(policy text, messages regclass, key text[] DEFAULT NULL,
	own_domains text[] DEFAULT '{}', authserv_ids text[] DEFAULT '{}', trusted inet[] DEFAULT '{}', vips text[] DEFAULT '{}',
	history boolean DEFAULT true, campaigns boolean DEFAULT true, tenant text DEFAULT NULL, columns jsonb DEFAULT '{}',
	content boolean DEFAULT false, log_signals boolean DEFAULT false, partition text DEFAULT NULL) RETURNS int LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	base regclass := messages;
	has text[] := assay.email_columns(messages);
	mapped jsonb := '{}';
	owner oid;
	place text;
	barrier text;
	signals text;
	wanted text[];
	s record;
	made int;
BEGIN
	IF num_nulls(policy, messages, own_domains, authserv_ids, trusted, vips, history, campaigns, columns, content, log_signals) > 0 THEN
		RAISE EXCEPTION 'arguments of create_email_policy must not be null' USING ERRCODE = 'null_value_not_allowed',
			HINT = 'Only the key may be left to be found out, and tenant and partition be none.';
	END IF;
	IF octet_length(policy) > 40 THEN
		RAISE EXCEPTION 'an e-mail policy needs a name of at most 40 bytes' USING ERRCODE = 'invalid_name',
			DETAIL = 'Its views, histories and lists are named after it.';
	END IF;
	key := coalesce(key, array(SELECT a.attname::text FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
		WHERE i.indrelid = messages AND i.indisprimary ORDER BY array_position(i.indkey::int2[], a.attnum)));
	IF cardinality(key) = 0 OR NOT key <@ has THEN
		RAISE EXCEPTION 'relation "%" has no primary key, or not the key columns that are named', messages USING ERRCODE = 'undefined_column';
	END IF;
	IF tenant IS NOT NULL AND NOT tenant = ANY (has) THEN
		RAISE EXCEPTION 'relation "%" has no column "%" of tenants', messages, tenant USING ERRCODE = 'undefined_column';
	END IF;
	mapped := coalesce((SELECT jsonb_object_agg(c.fact, c.expression) FROM assay.email_map_columns(messages, columns) c
		WHERE c.expression IS NOT NULL AND NOT c.fact = ANY (key)), '{}');
	-- The views and histories become the caller's, so that the policy must, too, and what hangs on the table runs with
	-- these rights whenever a history is refreshed. The view between, where there is one, is the caller's.
	SELECT c.relowner INTO owner FROM pg_class c WHERE c.oid = base;
	IF owner <> (SELECT r.oid FROM pg_roles r WHERE r.rolname = current_user)
		AND (mapped = '{}' OR NOT pg_has_role(owner, (SELECT r.oid FROM pg_roles r WHERE r.rolname = current_user), 'USAGE')) THEN
		RAISE EXCEPTION 'the owner of % must be the role that makes its policy', base USING ERRCODE = 'insufficient_privilege',
			HINT = format('Policies decide for who owns the messages: SET ROLE %I.', pg_get_userbyid(owner));
	END IF;
	IF mapped <> '{}' THEN
		messages := assay.email_messages_view(policy, base, mapped, key, tenant);
		has := assay.email_columns(messages);
	END IF;
	IF NOT '{received_at,from_addr}' <@ has THEN
		RAISE EXCEPTION 'relation "%" has no column that is taken for %', base,
			(SELECT string_agg(f, ' or for ') FROM unnest('{received_at,from_addr}'::text[]) f WHERE NOT f = ANY (has)) USING ERRCODE = 'undefined_column',
			HINT = 'Columns are looked for by the names that assay_load gives them; columns => ''{"from_addr": "sender"}'' says what they are called.';
	END IF;
	SELECT quote_ident(n.nspname) || '.' INTO place FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = messages;
	barrier := format('OFFSET 0 * num_nulls(m.%I)', key[1]);

	PERFORM assay.email_make_lists(policy, own_domains, vips);
	-- histories need the policy's label table, and the signals need the histories
	PERFORM assay.create_policy(policy, messages, key, schema => (SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = messages),
		log_signals => log_signals, partition => partition);
	IF history THEN
		PERFORM assay.email_make_history(policy, messages, key, place, own_domains <> '{}', base, tenant);
	END IF;
	PERFORM assay.email_make_indexes(policy, messages, history, campaigns, base, mapped, tenant);

	EXECUTE format('CREATE VIEW %s%I AS %s', place, policy || '_facts', assay.email_facts_query(messages, key, authserv_ids, trusted, tenant));
	EXECUTE format('COMMENT ON VIEW %s%I IS %L', place, policy || '_facts', 'what messages show by themselves');
	SELECT string_agg(format('%s AS %I', assay.email_flat(e.expression), e.signal), E',\n\t' ORDER BY array_position('{message,sender,relation,campaign}', e.level), e.signal) INTO signals
	FROM assay.email_signal e WHERE NOT e.signal = ANY (key) AND e.signal IS DISTINCT FROM tenant;
	IF content THEN
		signals := format(E'%s,\n\t%s AS content', signals, assay.email_content(messages, 'm.'));
	END IF;
	-- what signals and histories ask of the evidence
	wanted := array(SELECT DISTINCT c[1] FROM regexp_matches(signals || ' e.h_day e.h_recipient e.l_free_mail e.i_own', '\me\.([hwtvblix]_[a-z_]+)\M', 'g') c ORDER BY 1);
	EXECUTE format(E'CREATE VIEW %s%I AS\nSELECT %s,\n\t%s\nFROM %1$s%5$I m\n', place, policy || '_signals',
			(SELECT string_agg(format('m.%I', k), ', ') FROM unnest(key || CASE WHEN NOT tenant = ANY (key) THEN ARRAY[tenant] ELSE '{}' END) k), signals, policy || '_facts')
		|| assay.email_evidence(policy, own_domains, wanted, barrier)
		|| assay.email_history(policy, messages, place, history, own_domains <> '{}', barrier, tenant)
		|| assay.email_campaigns(messages, key, place || quote_ident(policy || '_label'), campaigns, barrier);
	EXECUTE format('COMMENT ON VIEW %s%I IS %L', place, policy || '_signals', 'what the detectors of policy ' || policy || ' know about each message');
	FOR s IN SELECT e.signal, e.level, e.description FROM assay.email_signal e WHERE NOT e.signal = ANY (key) AND e.signal IS DISTINCT FROM tenant LOOP
		EXECUTE format('COMMENT ON COLUMN %s%I.%I IS %L', place, policy || '_signals', s.signal, s.level || ': ' || s.description);
	END LOOP;

	PERFORM assay.alter_policy(policy, signals => (place || quote_ident(policy || '_signals'))::regclass);
	PERFORM i.kind FROM assay.policy_import(assay.email_document(policy, place || quote_ident(policy || '_signals'), key), policy, dry_run => false) i;
	SELECT max(r.revision) INTO made FROM assay.revisions r WHERE r.policy = create_email_policy.policy;
	RETURN made;
END $$;
COMMENT ON FUNCTION assay.create_email_policy(text, regclass, text[], text[], text[], inet[], text[], boolean, boolean, text, jsonb, boolean, boolean, text) IS
	'makes views, histories, lists and a policy for a table of e-mail messages, all of them the caller''s; returns the policy''s revision';

CREATE FUNCTION assay.email_place(policy text) RETURNS text LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	place text;
BEGIN
	-- beside the decision table, and by whom its owner may act, but that a superuser may act as anybody: what has such
	-- names elsewhere is anybody's, and so is that view of a policy which create_email_policy() did not make
	SELECT quote_ident(n.nspname) || '.' INTO place
	FROM assay.policies q JOIN pg_class d ON d.oid = q.decision JOIN pg_namespace n ON n.oid = d.relnamespace
		JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = q.policy || '_facts' AND c.relkind = 'v' AND pg_has_role(q.owner, c.relowner, 'USAGE')
		JOIN pg_roles o ON o.rolname = q.owner::name AND (NOT o.rolsuper OR pg_has_role(c.relowner, o.oid, 'USAGE'))
	WHERE q.policy = email_place.policy AND pg_has_role(q.owner, 'USAGE');
	IF NOT FOUND THEN
		RAISE EXCEPTION 'policy "%" is not an e-mail policy of yours', policy USING ERRCODE = 'undefined_object',
			HINT = 'assay.create_email_policy() makes one; assay.drop_policy() removes any other.';
	END IF;
	RETURN place;
END $$;
COMMENT ON FUNCTION assay.email_place(text) IS 'private: the schema in which create_email_policy() made a policy''s views';

-- Whatever create_email_policy() made for a policy, and nothing else: views, histories,
-- indexes, lists and the policy; RESTRICT refuses where something of the user's stands on it.
-- Without a history, such names may be another role's views and baselines.
CREATE FUNCTION assay.drop_email_policy(policy text, drop_tables boolean DEFAULT false) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	place oid;
	owner pg_roles;
	facts regclass;
	messages oid[];
	x record;
BEGIN
	facts := (assay.email_place(policy) || quote_ident(policy || '_facts'))::regclass;
	SELECT c.relnamespace INTO place FROM pg_class c WHERE c.oid = facts;
	SELECT o.* INTO owner FROM assay.policies q JOIN pg_roles o ON o.rolname = q.owner::name WHERE q.policy = drop_email_policy.policy;
	-- the message table, and the view between that gives its columns our names
	messages := array(WITH RECURSIVE v(oid) AS (SELECT facts::oid UNION
			SELECT d.refobjid FROM v JOIN pg_rewrite r ON r.ev_class = v.oid JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
			WHERE d.refclassid = 'pg_class'::regclass)
		SELECT v.oid FROM v WHERE v.oid <> facts);
	-- what stands on others first
	FOR x IN SELECT c.oid::regclass AS relation, v.kind
		FROM (VALUES (1, '_signals', 'view'), (2, '_facts', 'view'), (3, '_sender', 'baseline'), (3, '_org', 'baseline'), (3, '_pair', 'baseline'), (3, '_inside', 'baseline'),
			(4, '_senders', 'view'), (4, '_pairs', 'view'),
			(5, '_messages', 'view')) v (step, suffix, kind)
		JOIN pg_class c ON c.relnamespace = place AND c.relname = policy || v.suffix AND c.relkind = CASE WHEN v.kind = 'view' THEN 'v' ELSE c.relkind END
		-- as email_place() knows the facts
		WHERE pg_has_role(owner.oid, c.relowner, 'USAGE') AND (NOT owner.rolsuper OR pg_has_role(c.relowner, owner.oid, 'USAGE'))
			AND (v.kind = 'view' OR EXISTS (SELECT FROM assay.baseline_info i WHERE i.baseline = c.oid::regclass))
			-- a view of the user's may be called so as well
			AND (v.suffix <> '_messages' OR c.oid = ANY (messages) AND obj_description(c.oid, 'pg_class') = assay.email_messages_comment())
		ORDER BY v.step, v.suffix
	LOOP
		IF x.kind = 'view' THEN
			EXECUTE format('DROP VIEW %s', x.relation);
		ELSE
			PERFORM assay.drop_baseline(x.relation);
		END IF;
	END LOOP;
	PERFORM assay.drop_policy(policy, drop_tables);
	FOR x IN SELECT c.oid::regclass AS relation FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
		WHERE i.indrelid = ANY (messages) AND c.relname = ANY (array(SELECT policy || n FROM unnest('{_by_time,_by_message_id,_by_sender,_by_subject,_by_host,_alike}'::text[]) n))
	LOOP
		EXECUTE format('DROP INDEX %s', x.relation);
	END LOOP;
	PERFORM assay.drop_set(n.set) FROM assay.named_sets n
	WHERE n.set = ANY (array(SELECT policy || l FROM unnest('{.own,.trusted,.blocked,.vip,.free_mail,.shortener,.free_host}'::text[]) l));
END $$;
COMMENT ON FUNCTION assay.drop_email_policy(text, boolean) IS
	'removes a policy with the views, histories, indexes and lists that create_email_policy() made; its decision and label tables only when asked';

-- the others of a campaign

-- Both run as the policy's owner, for who may act as that: the views are the owner's, and whatever they call.

CREATE FUNCTION assay.email_siblings(arguments text[]) RETURNS TABLE (sibling text, received_at timestamptz, similar_by real, verdict text, malicious boolean)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	policy text := arguments[1];
	place text := assay.email_place(policy);
	columns text[] := assay.email_columns((place || quote_ident(policy || '_facts'))::regclass);
BEGIN
	IF NOT 'signature' = ANY (columns) THEN
		RAISE EXCEPTION 'messages of policy "%" have no signatures', policy USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = 'Add the generated column "signature" (docs/signature.md) before create_email_policy().';
	END IF;
	IF NOT 'id' = ANY (columns) THEN
		RAISE EXCEPTION 'messages of policy "%" have no key column "id"', policy USING ERRCODE = 'undefined_column';
	END IF;
	RETURN QUERY EXECUTE format($query$SELECT o.id::text, o.received_at, assay.similar(o.signature, m.signature), v.verdict, l.malicious
		FROM %1$s%2$I m
		JOIN %1$s%2$I o ON assay.email_signature_keys(o.signature, o.received_at) && (
				SELECT array_agg(k) FROM generate_series(-$3, $3) d, unnest(assay.email_signature_keys(m.signature, m.received_at, d)) k)
			AND o.id <> m.id AND assay.similar(o.signature, m.signature) >= $2 AND o.received_at BETWEEN m.received_at - make_interval(days => $3) AND m.received_at + make_interval(days => $3)
		LEFT JOIN %1$s%3$I v ON v.id = o.id
		LEFT JOIN %1$s%4$I l ON l.id = o.id
		WHERE m.id::text = $1 ORDER BY o.received_at$query$, place, policy || '_facts', policy || '_verdict', policy || '_label_latest')
		USING arguments[2], arguments[3]::real, least(greatest(arguments[4]::int, 0), 30);
END $$;
COMMENT ON FUNCTION assay.email_siblings(text[]) IS 'private: siblings(), whoever asks';

CREATE FUNCTION assay.email_label_siblings(arguments text[]) RETURNS bigint LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	policy text := arguments[1];
	place text := assay.email_place(policy);
	labelled bigint;
BEGIN
	EXECUTE format('INSERT INTO %s (id, malicious, source) SELECT s.sibling::%s, $1, $2 FROM assay.email_siblings($3) s WHERE s.malicious IS DISTINCT FROM $1',
		place || quote_ident(policy || '_label'), (SELECT format_type(a.atttypid, NULL) FROM pg_attribute a
			WHERE a.attrelid = (place || quote_ident(policy || '_label'))::regclass AND a.attname = 'id'))
		USING arguments[5]::boolean, arguments[6], arguments;
	GET DIAGNOSTICS labelled = ROW_COUNT;
	RETURN labelled;
END $$;
COMMENT ON FUNCTION assay.email_label_siblings(text[]) IS 'private: label_siblings(), whoever asks';

CREATE FUNCTION assay.siblings(policy text, key text, similarity real DEFAULT 0.6, days int DEFAULT 1)
	RETURNS TABLE (sibling text, received_at timestamptz, similar_by real, verdict text, malicious boolean) LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM assay.email_place(policy);
	RETURN QUERY SELECT r.* FROM assay_internal.ask_as_owner(policy, 'email_siblings', ARRAY[policy, key, similarity::text, days::text]) j,
		jsonb_to_record(j) r (sibling text, received_at timestamptz, similar_by real, verdict text, malicious boolean);
END $$;
COMMENT ON FUNCTION assay.siblings(text, text, real, int) IS
	'messages whose text is nearly that of one message, some days before and after it, with their verdicts and labels; for a key column "id"';

CREATE FUNCTION assay.label_siblings(policy text, key text, malicious boolean, source text DEFAULT 'campaign', similarity real DEFAULT 0.8, days int DEFAULT 1)
	RETURNS bigint LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM assay.email_place(policy);
	RETURN (SELECT j::bigint FROM assay_internal.ask_as_owner(policy, 'email_label_siblings', ARRAY[policy, key, similarity::text, days::text, malicious::text, source]) j);
END $$;
COMMENT ON FUNCTION assay.label_siblings(text, text, boolean, text, real, int) IS
	'labels the siblings of a message that have no such label yet; returns how many';

-- what stands in these tables becomes conditions, and columns of views, of whoever makes a policy
SELECT assay_internal.keep_tables();
