-- What a text model sees of the demo's messages, as a table: message_content.
--
-- Runs over the database that `make demo` leaves. As for the demo's own words, the
-- names of the collectors and the masks of people and hosts are taken out, and of
-- headers only those count that the sender's side writes (text_model sees to that).
\set ON_ERROR_STOP 1
SET client_min_messages = warning;

CREATE OR REPLACE FUNCTION unmasked(content text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN regexp_replace(content,
	'(zzzz|yyyy|qqqq|xxxx)\w*|jm\w*@[\w.]+|(jmason|netnoteinc|spamassassin|taint|webnote|slashnull|dogma|spamtrap|fork-admin)\w*|justin mason|@example\.\w+|example\.(com|org|net)|localhost\w*|127\.0\.0\.1',
	' ', 'gi');

DROP TABLE IF EXISTS message_content;
CREATE TABLE message_content AS
SELECT m.id, m.received_at, a.malicious, a.history,
	jsonb_strip_nulls(jsonb_build_object(
		'subject', unmasked(regexp_replace(coalesce(m.subject, ''), '\[[\w\-. ]{2,20}\]', ' ', 'g')),
		'body', unmasked(authored(m.body_text, m.list_id IS NOT NULL OR m.headers ? 'mailing-list')),
		'headers', (SELECT coalesce(jsonb_object_agg(key, unmasked(value ->> 0)), '{}') FROM jsonb_each(m.headers)
			WHERE jsonb_typeof(value) = 'array' AND length(value ->> 0) < 1000),
		'urls', (SELECT coalesce(jsonb_agg(DISTINCT unmasked(u)), '[]') FROM unnest(m.urls || m.link_hrefs) u),
		'tokens', to_jsonb(
			ARRAY(SELECT 'attachment:' || (t.a ->> 'type') FROM jsonb_array_elements(m.attachments) t(a) WHERE t.a ->> 'type' IS NOT NULL)
			|| ARRAY(SELECT 'extension:' || lower(substring(t.a ->> 'name' FROM '\.(\w{1,8})$'))
				FROM jsonb_array_elements(m.attachments) t(a) WHERE t.a ->> 'name' ~ '\.\w{1,8}$')
			|| ('html:' || coalesce(m.has_html, false))
			|| ('recipients:' || CASE WHEN coalesce(cardinality(m.recipients), 0) < 2 THEN coalesce(cardinality(m.recipients), 0)::text
				WHEN cardinality(m.recipients) < 6 THEN '2-5' ELSE '6+' END)))) AS content
FROM message m JOIN arrival a USING (id);
ALTER TABLE message_content ADD PRIMARY KEY (id);
ANALYZE message_content;
