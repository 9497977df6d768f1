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
RETURN CASE WHEN body IS NULL THEN ''
            -- the concatenation unpacks it once for all
            WHEN octet_length(body) <= 20000 AND NOT (by_list AND (position('____________________' IN body) > 0 OR position('Yahoo! Groups Sponsor' IN body) > 0))
            THEN body || ''
            WHEN by_list
            THEN regexp_replace(left(body, 20000), '\n(_{20,}|-+ ?Yahoo! Groups Sponsor).*$', '')
            ELSE left(body, 20000)
       END;

-- Whether there is anything to take out is found for many parts of a message at once
SELECT assay.create_phrase_set('masked', description => 'what unmasked() may take out') \g /dev/null
INSERT INTO assay.phrase (set, name, pattern, kind)
VALUES ('masked', 'masked', 'zzzz|yyyy|qqqq|xxxx|jm|netnoteinc|spamassassin|taint|webnote|slashnull|dogma|spamtrap|fork-admin|justin mason|@example\.|example\.(com|org|net)|localhost|127\.0\.0\.1', 'regex');

CREATE FUNCTION unmasked(content text, masked boolean) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN masked THEN unmasked(content) ELSE content END;

-- What is attached, as tokens
CREATE FUNCTION attachment_tokens(attachments jsonb) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ARRAY(SELECT 'attachment:' || (t.a ->> 'type') FROM jsonb_array_elements(attachments) t(a) WHERE t.a ->> 'type' IS NOT NULL)
	|| ARRAY(SELECT 'extension:' || lower(substring(t.a ->> 'name' FROM '\.(\w{1,8})$'))
		FROM jsonb_array_elements(attachments) t(a) WHERE t.a ->> 'name' ~ '\.\w{1,8}$');

-- Messages with what both the model and the signals make of them: the headers in
-- use, unpacked once, the text, and what the model sees: parts as in
-- docs/text_model.md, and as tokens of our own what is attached, and to how many
-- it went. Of its OFFSETs says signals.sql.
CREATE VIEW message_text AS
SELECT m.*,
       h.mailer, h.content_type, h.transfer_encoding, h.has_mime_version, h.mime_ole, h.msmail_priority, h.priority, h.importance,
       h.organization, h.precedence, h.list_mail, h.list_unsubscribe, h.addressed, h.date, h.relays,
       t.title, t.body,
       jsonb_build_object(
           'subject', unmasked(CASE WHEN position('[' IN t.title) > 0 THEN regexp_replace(t.title, '\[[\w\-. ]{2,20}\]', ' ', 'g') ELSE t.title END, t.masked),
           'body', unmasked(t.body, t.masked),
           'headers', jsonb_strip_nulls(h.written || jsonb_build_object('from', unmasked(h.from_line, t.lines_masked), 'reply-to', unmasked(h.reply_line, t.lines_masked),
               'message-id', unmasked(h.id_line, t.lines_masked), 'mail-followup-to', unmasked(h.followup_line, t.lines_masked),
               'organization', unmasked(h.organization_line, t.lines_masked))),
           'urls', CASE WHEN NOT t.masked THEN to_jsonb(coalesce(m.urls, '{}'))
               ELSE to_jsonb(string_to_array(unmasked(array_to_string(m.urls, chr(1))), chr(1))) END,
           'tokens', to_jsonb(CASE WHEN m.attachments <> '[]' THEN attachment_tokens(m.attachments) END
               || ('html:' || coalesce(m.has_html, false))
               || ('recipients:' || CASE WHEN coalesce(cardinality(m.recipients), 0) < 2 THEN coalesce(cardinality(m.recipients), 0)::text
                   WHEN cardinality(m.recipients) < 6 THEN '2-5' ELSE '6+' END))) AS text_content
FROM message m

CROSS JOIN LATERAL (
	SELECT coalesce(r."user-agent" ->> 0, r."x-mailer" ->> 0) AS mailer,
	       lower(r."content-type" ->> 0) AS content_type,
	       lower(r."content-transfer-encoding" ->> 0) AS transfer_encoding,
	       r."mime-version" IS NOT NULL AS has_mime_version,
	       r."x-mimeole" ->> 0 AS mime_ole,
	       r."x-msmail-priority" IS NOT NULL AS msmail_priority,
	       r."x-priority" ->> 0 AS priority,
	       lower(r.importance ->> 0) AS importance,
	       r.organization IS NOT NULL AS organization,
	       coalesce(lower(r.precedence ->> 0) IN ('bulk', 'list', 'junk'), false) AS precedence,
	       m.list_id IS NOT NULL OR r."mailing-list" IS NOT NULL AS list_mail,
	       r."list-unsubscribe" IS NOT NULL AS list_unsubscribe,
	       coalesce(r."to" ->> 0, r.cc ->> 0) AS addressed,
	       r.date ->> 0 AS date,
	       array_to_string(r.received, E'\nrelay: ') AS relays,
	       r."from" ->> 0 AS from_line, r."reply-to" ->> 0 AS reply_line, r."message-id" ->> 0 AS id_line,
	       r."mail-followup-to" ->> 0 AS followup_line, r.organization ->> 0 AS organization_line,
	       -- of those that the sender's side writes, what the model reads
	       jsonb_build_object('comments', r.comments, 'content-class', r."content-class", 'content-disposition', r."content-disposition",
	           'content-transfer-encoding', r."content-transfer-encoding", 'content-type', r."content-type",
	           'disposition-notification-to', r."disposition-notification-to", 'importance', r.importance, 'in-reply-to', r."in-reply-to",
	           'mime-version', r."mime-version", 'priority', r.priority, 'thread-index', r."thread-index", 'thread-topic', r."thread-topic",
	           'user-agent', r."user-agent", 'x-accept-language', r."x-accept-language", 'x-face', r."x-face", 'x-mailer', r."x-mailer",
	           'x-mimeole', r."x-mimeole", 'x-msmail-priority', r."x-msmail-priority", 'x-operating-system', r."x-operating-system",
	           'x-priority', r."x-priority") AS written
	FROM jsonb_to_record(coalesce(m.headers, '{}')) AS r (
		received text[], date jsonb, "from" jsonb, "to" jsonb, cc jsonb, "reply-to" jsonb, "message-id" jsonb, "mail-followup-to" jsonb,
		"user-agent" jsonb, "x-mailer" jsonb, "x-mimeole" jsonb, "x-msmail-priority" jsonb,
		"x-priority" jsonb, importance jsonb, organization jsonb, precedence jsonb,
		"list-unsubscribe" jsonb, "mailing-list" jsonb, "mime-version" jsonb, "content-type" jsonb,
		"content-transfer-encoding" jsonb, comments jsonb, "content-class" jsonb, "content-disposition" jsonb,
		"disposition-notification-to" jsonb, "in-reply-to" jsonb, priority jsonb, "thread-index" jsonb, "thread-topic" jsonb,
		"x-accept-language" jsonb, "x-face" jsonb, "x-operating-system" jsonb)
	OFFSET 0 * m.id
) h
CROSS JOIN LATERAL (
	SELECT t.title, t.body,
	       assay.phrase_hits('masked', concat_ws(E'\n', t.title, t.body, array_to_string(m.urls, E'\n'))) <> '{}' AS masked,
	       assay.phrase_hits('masked', concat_ws(E'\n', h.from_line, h.reply_line, h.id_line, h.followup_line, h.organization_line)) <> '{}' AS lines_masked
	FROM (SELECT coalesce(m.subject, '') AS title, authored(m.body_text, h.list_mail) AS body OFFSET 0) t
	OFFSET 0 * m.id
) t;

COMMENT ON VIEW message_text IS 'messages with their headers in use, their text, and what the text model sees of them';

SELECT assay.create_text_model('mail', 'message_text', 'text_content', 'inbound_label', at => 'received_at', half_life => '90 days'),
       assay.learn('mail')
\g /dev/null
