-- The policy `inbound`: rules with weights, a GBDT, and the trigger.
--
-- How the parts add up. The margin is prior + sum of the weights of the live
-- rules that hit + margin of the GBDT, all with the GBDT's weight of 1, and is
-- meant to be log-odds:
--
--   * The rules' weights come from one ridge regression over all of them on the
--     labelled history (train.py rules). Log-odds of each rule by itself would
--     count shared evidence as often as there are rules that see it.
--   * The GBDT was trained on the same history, starting from the rules' margin
--     (base_margin), so that it learned what the rules leave over and nothing is
--     counted twice. Change the weights by much, and it should be trained anew.
--   * Rules that added nothing to the others, or that the history had no case
--     of, stay in shadow: recorded in each ledger, of no effect.
--   * The prior is lower than the one that fits the history by PRIOR_SHIFT of
--     train.py, since there is less spam towards the history's end.
--
-- Some rules look at one sign of the field's folklore that is wrong by itself:
-- a sender never seen before is common in legitimate mail, and a Return-Path
-- that differs from From is what mailing lists do. Such signals only appear
-- together with others, and history mostly speaks *for* a message.

-- schema.sql made the policy over the message table, since the baselines need
-- its label table; from here on it reads the signals.
SELECT assay.alter_policy('inbound', prior => -3.4, signals => 'message_signals') \g /dev/null

SELECT assay.create_detector('inbound', name, condition => condition, weight => weight,
                             mode => mode, description => description)
FROM (VALUES
	-- What the text wants
	('money_offer', 1.0, 'live', 'money_phrases >= 2', 'promises income'),
	('loan_offer', 2.6, 'live', 'loan_phrases >= 2', 'offers loans, insurance or credit'),
	('pharmacy_offer', 1.7, 'live', 'pharmacy_phrases >= 2', 'offers drugs or weight loss'),
	('adult_offer', 1.0, 'live', 'adult_phrases >= 3', 'offers adult content'),
	('bulk_offer', 0.4, 'live', 'bulk_phrases >= 2', 'offers bulk mail, toner, diplomas and the like'),
	('stock_tip', 1.5, 'live', 'stock_phrases >= 2', 'recommends a stock'),
	('advance_fee', 2.1, 'live', 'advance_fee_phrases >= 5 AND urls <= 2', 'asks for help with a transfer of funds'),
	('prize', 0.7, 'shadow', 'lottery_phrases >= 2', 'says that the reader won or gets something'),
	('credentials_lure', 0.1, 'shadow', 'credentials_phrases >= 2 AND urls > 0 AND NOT url_of_sender', 'asks for account details, and links elsewhere'),
	('order_now', 0.5, 'live', 'call_phrases >= 2 AND guarantee_phrases >= 2', 'tells to order, with a guarantee'),
	('hurry', 1.0, 'shadow', 'urgency_phrases >= 2 AND call_phrases >= 1', 'puts the reader under pressure'),
	('opt_out_talk', 0.3, 'live', 'opt_out_phrases >= 3 AND NOT list_mail', 'explains why it is not spam and how to be removed'),
	('stranger_greets', 0.3, 'live', 'greeting_phrases >= 1 AND sender_events = 0', 'dear friend, from somebody never seen'),
	('stranger_pitches', 0.8, 'live', 'sender_events = 0 AND pitch_themes >= 4 AND NOT threaded', 'a first message that sells'),

	-- How the subject is written
	('shouting_subject', 1.3, 'live', 'subject_upper > 0.5', 'more capitals than not'),
	('excited_subject', 1.3, 'live', 'subject_exclaims >= 1 AND NOT threaded', 'exclamation marks in a new subject'),
	('money_subject', 0.7, 'live', 'subject_money', 'an amount or a percentage in the subject'),
	('padded_subject', 1.0, 'live', 'subject_padding AND NOT threaded', 'a code at the end, or a gap before it: made to differ'),
	('advertised', 2.9, 'live', 'subject_adv', 'says ADV: as some laws ask'),
	('fake_reply', 0.8, 'live', 'fake_reply AND sender_events = 0 AND NOT list_mail', 'Re: without a thread, from somebody never seen'),

	-- How it is made
	('stranger_html', 1.5, 'live', 'html_only AND sender_events = 0', 'HTML without a text part, from somebody never seen'),
	('bare_link', 0.5, 'live', 'has_html AND urls > 0 AND body_chars < 300', 'little more than a link'),
	('foreign_charset', 2.3, 'live', 'charset_unusual OR body_non_ascii > 0.2', 'in a script that is rare here'),
	('text_in_base64', 1.1, 'shadow', 'text_in_base64', 'text hidden in base64'),
	('executable', 0.1, 'shadow', 'attachment_executable', 'a program attached'),
	('dark_link', 1.3, 'live', 'url_numeric_host OR url_obfuscated OR url_port', 'a link whose host is hidden'),
	('false_link', 1.1, 'shadow', 'link_mismatches > 0', 'a link that shows one domain and leads to another'),
	('opt_out_link', 0.4, 'live', 'url_opt_out AND NOT list_mail', 'a link to be removed'),
	('free_host_link', 0.8, 'shadow', 'url_free_host AND NOT list_mail', 'links to a free web host'),
	('forged_mailer', 2.5, 'live', 'outlook_forged OR msmail_forged', 'claims to be Outlook and lacks its marks'),
	('bulk_mailer', 2.7, 'live', 'mailer_bulk OR mailer_garbled', 'sent with a bulk mailer, or one with a random name'),

	-- Where it comes from
	('relayed_message_id', 2.5, 'live', 'message_id_by_relay AND NOT message_id_of_sender', 'the sender gave no Message-ID'),
	('odd_message_id', 0.6, 'shadow', 'message_id_missing OR message_id_bare AND NOT list_mail AND NOT threaded', 'no Message-ID, or one without a domain'),
	('odd_date', 1.1, 'live', 'date_missing OR date_zone_missing OR date_skew_hours NOT BETWEEN -12 AND 72', 'a Date that cannot be'),
	('forged_route', 0.2, 'live', 'relay_bad_date OR helo_numeric AND NOT list_mail', 'Received lines that no server writes, or a host that calls itself by a number'),
	('unknown_relay', 0.4, 'live', '(relay_unknown OR relay_forged OR helo_bare) AND NOT relay_of_sender', 'from a host without a name, not of the sender''s domain'),
	('borrowed_domain', 1.4, 'live', 'from_free_mail AND NOT relay_of_sender', 'From a free-mail domain that it did not pass'),
	('random_sender', 0.7, 'shadow', 'from_digits >= 3 AND sender_events = 0', 'digits in the sender''s name'),
	('reply_elsewhere', 0.3, 'live', 'reply_to_other_domain AND NOT list_mail', 'answers go to another domain'),
	('hidden_recipients', 1.2, 'live', 'to_self OR to_undisclosed OR to_missing', 'the reader is not among the recipients'),
	('high_priority', 1.6, 'live', 'priority_high', 'claims to be important'),

	-- History
	('attacked_before', 2.4, 'live', 'sender_attack_rate > 0.5 OR domain_attack_rate > 0.6', 'most of what this sender or its domain sent before was malicious'),
	('known_sender', -1.0, 'live', 'sender_labels >= 2 AND sender_attack_rate < 0.2', 'earlier mail of this sender was safe'),
	('regular_sender', -1.8, 'live', 'sender_events >= 3 AND sender_days_known >= 2 AND sender_attack_rate <= 0.3', 'wrote on earlier days, and nothing bad is known'),
	('known_domain', -2.4, 'live', 'domain_labels >= 4 AND domain_attack_rate < 0.15', 'earlier mail of this domain was safe'),
	('correspondent', -1.9, 'live', 'pair_events >= 2 AND pair_attack_rate < 0.25', 'this sender wrote to this recipient before'),
	('known_thread', -1.3, 'live', 'thread_known', 'answers a message that was received before'),

	-- How people write
	('conversation', -2.1, 'live', 'threaded AND (quoted_lines >= 2 OR reply_phrases >= 2)', 'quotes what it answers'),
	('discussion', -1.9, 'live', 'discussion_phrases >= 4 AND pitch_themes <= 3', 'reads like one person writing to others'),
	('technical', -2.1, 'live', 'technical_phrases >= 5 AND pitch_themes <= 3', 'about the readers'' trade'),
	('desktop_mailer', -1.5, 'live', 'mailer_desktop', 'sent with a mailer that people use and bulk senders do not'),
	('own_servers', -0.6, 'live', 'message_id_of_sender AND relay_of_sender', 'Message-ID and route are of the sender''s domain'),
	('signed', -1.9, 'shadow', 'pgp_signed', 'PGP signature'),

	-- Names that lie, letters that hide, one text of many senders: what the public
	-- corpus has too few cases of
	('false_name', 1.0, 'shadow', 'claims_name AND NOT from_brand', 'claims to be a brand or one of our people, from another domain'),
	('lookalike', 2.0, 'shadow', 'lookalike_domain', 'From is of a domain that imitates a brand''s'),
	('brand_bait', 0.5, 'shadow', 'url_of_brand AND url_foreign_domains > 1 AND NOT from_brand', 'links to a brand and elsewhere, from neither'),
	('hidden_letters', 1.0, 'shadow', 'invisible_words > 0 OR mixed_script_words > 0', 'letters that pass for others, or cannot be seen'),
	('hidden_host', 1.0, 'shadow', 'url_hidden_hosts > 0', 'links whose host is hard to see'),
	('unauthenticated', 1.5, 'shadow', 'dmarc_failed', 'DMARC failed'),
	('campaign', 1.0, 'shadow', 'alike_senders >= 2 AND NOT list_mail', 'several senders sent the same text within a day')
) AS rule (name, weight, mode, condition, description)
\g /dev/null

\set gbdt `cat gbdt.json`
SELECT assay.create_detector('inbound', 'gbdt', model => assay.model_from_xgboost(convert_to(:'gbdt', 'UTF8')),
                             mode => 'live', description => 'what the rules leave over')
\g /dev/null

-- The text model goes in with the weight of 1, as what the others don't see: it
-- learns by itself, so nothing was trained to leave room for it.
SELECT assay.create_detector('inbound', 'text', text_model => 'mail', text => 'text_content',
                             mode => 'live', description => 'what the words say')
\g /dev/null

CREATE TRIGGER decide AFTER INSERT ON message
REFERENCING NEW TABLE AS arrived
FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('inbound');
