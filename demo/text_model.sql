-- The text model `mail`: what the words of a message say, learnt from the labels.
-- Each label counts from the day after it became known, so a message is judged by
-- what was known before its day. assay.learn('mail') takes up what came since.
--
-- Left out, as in the signals: what tells how a corpus was collected. The publishers
-- of the public corpus masked readers and their hosts with the names below.
SELECT assay.create_phrase_set('masked', description => 'what text_content() leaves out') \g /dev/null
INSERT INTO assay.phrase (set, name, pattern, kind)
VALUES ('masked', 'masked', '(zzzz|yyyy|qqqq|xxxx)\w*|jm\w*@[\w.]+|(jmason|netnoteinc|spamassassin|taint|webnote|slashnull|dogma|spamtrap|fork-admin)\w*|justin mason|@example\.\w+|example\.(com|org|net)|localhost\w*|127\.0\.0\.1', 'regex');

-- The text that the sender wrote, of the first 20,000 characters. What a mailing
-- list appends is not the sender's: spam that came by a list carries the same
-- footer as everything else there.
CREATE FUNCTION authored(body text, by_list boolean) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN body IS NULL THEN ''
            WHEN NOT by_list THEN body
            WHEN position('Yahoo! Groups Sponsor' IN body) > 0
            THEN regexp_replace(body, '\n(_{20,}|-+ ?Yahoo! Groups Sponsor).*$', '')
            ELSE split_part(body, E'\n____________________', 1)
       END;

-- Messages with what both the model and the signals make of them: the headers in
-- use, looked up once, the text, and what the model sees: parts as in
-- docs/text_model.md, and as tokens of our own what is attached, and to how many
-- it went. Of its OFFSETs says signals.sql.
CREATE VIEW message_text AS
SELECT m.*,
       h.mailer, h.content_type, h.transfer_encoding, h.has_mime_version, h.mime_ole, h.msmail_priority, h.priority, h.importance,
       h.organization, h.precedence, h.list_mail, h.list_unsubscribe, h.addressed, h.date, h.relays,
       t.title, t.body,
       assay.text_content(
           CASE WHEN position('[' IN t.title) > 0 THEN regexp_replace(t.title, '\[[\w\-. ]{2,20}\]', ' ', 'g') ELSE t.title END,
           t.body, coalesce(m.headers, '{}'), coalesce(m.urls, '{}'),
           CASE WHEN m.attachments <> '[]' THEN
                   ARRAY(SELECT 'attachment:' || (a ->> 'type') FROM jsonb_array_elements(m.attachments) t(a) WHERE a ->> 'type' IS NOT NULL)
                   || ARRAY(SELECT 'extension:' || lower(substring(a ->> 'name' FROM '\.(\w{1,8})$'))
                       FROM jsonb_array_elements(m.attachments) t(a) WHERE a ->> 'name' ~ '\.\w{1,8}$') END
               || ARRAY['html:' || coalesce(m.has_html, false),
                   'recipients:' || CASE WHEN coalesce(cardinality(m.recipients), 0) < 2 THEN coalesce(cardinality(m.recipients), 0)::text
                       WHEN cardinality(m.recipients) < 6 THEN '2-5' ELSE '6+' END],
           without => 'masked') AS text_content
FROM message m

CROSS JOIN LATERAL (
	SELECT coalesce(q.v[1], q.v[2]) AS mailer,
	       lower(q.v[3]) AS content_type,
	       lower(q.v[4]) AS transfer_encoding,
	       q.v[5] IS NOT NULL AS has_mime_version,
	       q.v[6] AS mime_ole,
	       q.v[7] IS NOT NULL AS msmail_priority,
	       q.v[8] AS priority,
	       lower(q.v[9]) AS importance,
	       q.v[10] IS NOT NULL AS organization,
	       coalesce(lower(q.v[11]) IN ('bulk', 'list', 'junk'), false) AS precedence,
	       m.list_id IS NOT NULL OR q.v[12] IS NOT NULL AS list_mail,
	       q.v[13] IS NOT NULL AS list_unsubscribe,
	       coalesce(q.v[14], q.v[15]) AS addressed,
	       q.v[16] AS date,
	       q.relays, q.start
	FROM (SELECT assay.header_values(coalesce(m.headers, '{}'), '{user-agent, x-mailer, content-type, content-transfer-encoding, mime-version, x-mimeole,
	                 x-msmail-priority, x-priority, importance, organization, precedence, mailing-list, list-unsubscribe, to, cc, date}') AS v,
	             nullif(array_to_string(assay.header_lines(m.headers, 'received'), E'\nrelay: '), '') AS relays,
	             -- the concatenation unpacks it once for all
	             CASE WHEN octet_length(m.body_text) <= 20000 THEN m.body_text || '' ELSE left(m.body_text, 20000) END AS start
	      OFFSET 0) q
	OFFSET 0) h
CROSS JOIN LATERAL (
	SELECT coalesce(m.subject, '') AS title, authored(h.start, h.list_mail) AS body
	OFFSET 0 * m.id
) t;

COMMENT ON VIEW message_text IS 'messages with their headers in use, their text, and what the text model sees of them';

SELECT assay.create_text_model('mail', 'message_text', 'text_content', 'inbound_label', at => 'received_at', half_life => '90 days'),
       assay.learn('mail')
\g /dev/null
