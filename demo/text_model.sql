-- The text model `mail`: what the words of a message say, learnt from the labels.
-- Each label counts from the day after it became known, so a message is judged by
-- what was known before its day. assay.learn('mail') takes up what came since.
--
-- Left out, as in the signals: what tells how a corpus was collected. The publishers
-- of the public corpus masked readers and their hosts with the names below.

CREATE FUNCTION unmasked(content text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN regexp_replace(content,
	'(zzzz|yyyy|qqqq|xxxx)\w*|jm\w*@[\w.]+|(jmason|netnoteinc|spamassassin|taint|webnote|slashnull|dogma|spamtrap|fork-admin)\w*|justin mason|@example\.\w+|example\.(com|org|net)|localhost\w*|127\.0\.0\.1',
	' ', 'gi');

-- The text that the sender wrote, its first 20,000 characters. What a mailing
-- list appends is not the sender's: spam that came by a list carries the same
-- footer as everything else there.
CREATE FUNCTION authored(body text, by_list boolean) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN by_list
            THEN regexp_replace(left(coalesce(body, ''), 20000), '\n(_{20,}|-+ ?Yahoo! Groups Sponsor).*$', '')
            ELSE left(coalesce(body, ''), 20000)
       END;

-- What the model sees of a message: parts as in docs/text_model.md, and as tokens
-- of our own what is attached, and to how many it went.
CREATE FUNCTION text_content(m message) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
RETURN jsonb_build_object(
	'subject', unmasked(regexp_replace(coalesce(m.subject, ''), '\[[\w\-. ]{2,20}\]', ' ', 'g')),
	'body', unmasked(authored(m.body_text, m.list_id IS NOT NULL OR m.headers ? 'mailing-list')),
	-- the concatenation unpacks them once for all
	'headers', (SELECT h || jsonb_strip_nulls(jsonb_build_object('from', unmasked(h -> 'from' ->> 0),
			'reply-to', unmasked(h -> 'reply-to' ->> 0), 'message-id', unmasked(h -> 'message-id' ->> 0),
			'mail-followup-to', unmasked(h -> 'mail-followup-to' ->> 0), 'organization', unmasked(h -> 'organization' ->> 0)))
		FROM (SELECT coalesce(m.headers, '{}') || '{}' AS h OFFSET 0) x),
	'urls', (SELECT coalesce(jsonb_agg(DISTINCT unmasked(u)), '[]') FROM unnest(m.urls || m.link_hrefs) u),
	'tokens', to_jsonb(
		ARRAY(SELECT 'attachment:' || (t.a ->> 'type') FROM jsonb_array_elements(m.attachments) t(a) WHERE t.a ->> 'type' IS NOT NULL)
		|| ARRAY(SELECT 'extension:' || lower(substring(t.a ->> 'name' FROM '\.(\w{1,8})$'))
			FROM jsonb_array_elements(m.attachments) t(a) WHERE t.a ->> 'name' ~ '\.\w{1,8}$')
		|| ('html:' || coalesce(m.has_html, false))
		|| ('recipients:' || CASE WHEN coalesce(cardinality(m.recipients), 0) < 2 THEN coalesce(cardinality(m.recipients), 0)::text
			WHEN cardinality(m.recipients) < 6 THEN '2-5' ELSE '6+' END)));

SELECT assay.create_text_model('mail', 'message', 'text_content(message)', 'inbound_label', at => 'received_at', half_life => '90 days'),
       assay.learn('mail')
\g /dev/null
