-- Baselines: the history of a sender, a sender's domain, a recipient and a
-- (sender, recipient) pair. Each is a materialized view with one row for each
-- key and active day (UTC): the cumulative history and labels up to the end of
-- that day.
--
-- The signals probe the last row *before* the message's own day, so they see
-- what was known then: now for the trigger, and for a message of last March
-- what was known last March. A label counts from the day on which it became
-- known (labelled_at), not from the message's day.
--
-- Senders are known by their address. A domain is the registrable one, and
-- shared domains (free-mail providers) have no history. On mail to a list, the
-- recipient is the list.

CREATE VIEW message_key AS
SELECT m.id, m.received_at,
       m.from_addr AS sender,
       CASE WHEN NOT assay.in_list('free_mail', m.from_domain) AND NOT assay.in_list('shared_domain', m.from_domain)
            THEN assay.registrable_domain(m.from_domain) END AS domain,
       m.recipients[1] AS recipient
FROM message m;

COMMENT ON VIEW message_key IS 'keys under which a message counts in the baselines';

SELECT assay.create_baseline('sender_baseline', 'message_key', '{sender}', 'received_at', outcome => 'inbound_label', incremental => false),
       assay.create_baseline('domain_baseline', 'message_key', '{domain}', 'received_at', outcome => 'inbound_label', incremental => false),
       assay.create_baseline('recipient_baseline', 'message_key', '{recipient}', 'received_at', incremental => false),
       assay.create_baseline('pair_baseline', 'message_key', '{sender,recipient}', 'received_at', outcome => 'inbound_label', incremental => false)
\g /dev/null
