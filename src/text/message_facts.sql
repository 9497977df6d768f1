-- ---------------------------------------------------------------------------
-- message_facts: all facts of a message, for tables that assay_load doesn't fill
-- ---------------------------------------------------------------------------

-- Fields are those of message_fields in message_facts.c, in its order.
CREATE TYPE assay.message_facts AS (
	auth_server text,
	auth_spf text,
	auth_spf_domain text,
	auth_spf_aligned boolean,
	auth_dkim text,
	auth_dkim_domain text,
	auth_dkim_domains text[],
	auth_dkim_aligned boolean,
	auth_dmarc text,
	auth_dmarc_policy text,
	auth_dmarc_action text,
	auth_arc text,
	auth_compauth text,
	auth_compauth_reason text,
	auth_iprev text,
	auth_conflict boolean,
	auth_headers integer,
	auth_untrusted_headers integer,
	auth_malformed_headers integer,
	relay_name text,
	relay_helo text,
	relay_by text,
	relay_protocol text,
	relay_encrypted boolean,
	relay_authenticated boolean,
	relay_helo_matches boolean,
	relay_aligned boolean,
	relay_hop integer,
	relay_hops integer,
	from_org text,
	from_name_domain text,
	from_name_mismatch boolean,
	reply_to_org text,
	reply_to_is_from boolean,
	reply_to_aligned boolean,
	return_path_org text,
	return_path_is_from boolean,
	return_path_aligned boolean,
	message_id_org text,
	message_id_aligned boolean,
	recipient_count integer,
	recipients_aligned integer,
	from_is_recipient boolean,
	body_characters integer,
	body_words integer,
	body_lines integer,
	body_letters integer,
	body_uppercase integer,
	body_digits integer,
	body_punctuation integer,
	body_whitespace integer,
	body_exclamations integer,
	body_questions integer,
	body_currency integer,
	body_non_ascii integer,
	body_uppercase_words integer,
	body_quoted_lines integer,
	body_longest_token integer,
	body_longest_line integer,
	body_longest_gap integer,
	body_emoji integer,
	body_math_letters integer,
	body_enclosed_letters integer,
	body_fullwidth_letters integer,
	body_invisible integer,
	body_invisible_words integer,
	body_bidi_controls integer,
	body_bidi_overrides integer,
	body_tag_characters integer,
	body_control_characters integer,
	body_private_use integer,
	body_replacements integer,
	body_stacked_marks integer,
	body_mixed_script_words integer,
	body_uppercase_share real,
	body_digit_share real,
	body_punctuation_share real,
	body_whitespace_share real,
	body_non_ascii_share real,
	body_quoted_share real,
	body_entropy real,
	body_scripts text[],
	subject_characters integer,
	subject_words integer,
	subject_letters integer,
	subject_uppercase integer,
	subject_digits integer,
	subject_punctuation integer,
	subject_exclamations integer,
	subject_questions integer,
	subject_currency integer,
	subject_non_ascii integer,
	subject_uppercase_words integer,
	subject_longest_gap integer,
	subject_emoji integer,
	subject_math_letters integer,
	subject_enclosed_letters integer,
	subject_fullwidth_letters integer,
	subject_invisible integer,
	subject_invisible_words integer,
	subject_bidi_controls integer,
	subject_tag_characters integer,
	subject_stacked_marks integer,
	subject_mixed_script_words integer,
	subject_uppercase_share real,
	subject_digit_share real,
	subject_punctuation_share real,
	subject_non_ascii_share real,
	subject_entropy real,
	subject_scripts text[],
	from_name_characters integer,
	from_name_words integer,
	from_name_uppercase_words integer,
	from_name_digits integer,
	from_name_non_ascii integer,
	from_name_emoji integer,
	from_name_math_letters integer,
	from_name_enclosed_letters integer,
	from_name_fullwidth_letters integer,
	from_name_invisible integer,
	from_name_bidi_controls integer,
	from_name_mixed_script_words integer,
	from_name_scripts text[],
	url_count integer,
	url_host_count integer,
	url_domain_count integer,
	url_foreign_domains integer,
	url_of_sender integer,
	url_ip integer,
	url_punycode integer,
	url_userinfo integer,
	url_port integer,
	url_obfuscated integer,
	url_insecure integer,
	url_email integer,
	url_recipient integer,
	url_nested integer,
	url_redirects integer,
	url_longest integer,
	url_longest_host integer,
	url_most_labels integer,
	url_hosts text[],
	url_domains text[],
	url_redirect_domains text[],
	link_count integer,
	link_mismatches integer,
	link_url_texts integer,
	link_empty_texts integer,
	link_mailto integer,
	link_phone integer,
	link_script integer
);
COMMENT ON TYPE assay.message_facts IS 'what a message shows by itself, as assay_load''s columns of the same names; made by message_facts(...)';
COMMENT ON COLUMN assay.message_facts.auth_server IS 'Trusted server whose results the next columns are; NULL if there are none';
COMMENT ON COLUMN assay.message_facts.auth_spf IS 'Result of SPF: pass, fail, softfail, neutral, none ...';
COMMENT ON COLUMN assay.message_facts.auth_spf_domain IS 'Domain that SPF was checked for';
COMMENT ON COLUMN assay.message_facts.auth_spf_aligned IS 'SPF passed for the organization of From';
COMMENT ON COLUMN assay.message_facts.auth_dkim IS 'Result of DKIM: pass if any signature passed, else that of the first';
COMMENT ON COLUMN assay.message_facts.auth_dkim_domain IS 'Signing domain of that signature';
COMMENT ON COLUMN assay.message_facts.auth_dkim_domains IS 'Distinct signing domains of signatures that passed';
COMMENT ON COLUMN assay.message_facts.auth_dkim_aligned IS 'A signature of the organization of From passed';
COMMENT ON COLUMN assay.message_facts.auth_dmarc IS 'Result of DMARC';
COMMENT ON COLUMN assay.message_facts.auth_dmarc_policy IS 'Policy that the domain in From publishes: none, quarantine, reject';
COMMENT ON COLUMN assay.message_facts.auth_dmarc_action IS 'What the server did about it';
COMMENT ON COLUMN assay.message_facts.auth_arc IS 'Result of the ARC chain';
COMMENT ON COLUMN assay.message_facts.auth_compauth IS 'Composite authentication of Microsoft';
COMMENT ON COLUMN assay.message_facts.auth_compauth_reason IS 'Its three digits';
COMMENT ON COLUMN assay.message_facts.auth_iprev IS 'Result of the reverse look-up of the client''s address';
COMMENT ON COLUMN assay.message_facts.auth_conflict IS 'Trusted headers give two results of one method';
COMMENT ON COLUMN assay.message_facts.auth_headers IS 'Authentication-Results headers of trusted servers';
COMMENT ON COLUMN assay.message_facts.auth_untrusted_headers IS 'Those of others, or that name nobody';
COMMENT ON COLUMN assay.message_facts.auth_malformed_headers IS 'Trusted ones that break the grammar';
COMMENT ON COLUMN assay.message_facts.relay_name IS 'Name that the receiving server found for relay_ip';
COMMENT ON COLUMN assay.message_facts.relay_helo IS 'Name that the relay gave itself';
COMMENT ON COLUMN assay.message_facts.relay_by IS 'Server that received from it';
COMMENT ON COLUMN assay.message_facts.relay_protocol IS 'How: esmtps, esmtpsa, http ...';
COMMENT ON COLUMN assay.message_facts.relay_encrypted IS 'By TLS';
COMMENT ON COLUMN assay.message_facts.relay_authenticated IS 'The relay logged in';
COMMENT ON COLUMN assay.message_facts.relay_helo_matches IS 'Both names are of one organization; NULL if one is no host name';
COMMENT ON COLUMN assay.message_facts.relay_aligned IS 'relay_name is of the organization of From; NULL without a name';
COMMENT ON COLUMN assay.message_facts.relay_hop IS 'Number of its Received header, from the top';
COMMENT ON COLUMN assay.message_facts.relay_hops IS 'Received headers';
COMMENT ON COLUMN assay.message_facts.from_org IS 'Registrable domain of From';
COMMENT ON COLUMN assay.message_facts.from_name_domain IS 'Registrable domain of an address or host that the display name shows';
COMMENT ON COLUMN assay.message_facts.from_name_mismatch IS 'That is another than From''s; NULL if it shows none';
COMMENT ON COLUMN assay.message_facts.reply_to_org IS 'Registrable domain of Reply-To';
COMMENT ON COLUMN assay.message_facts.reply_to_is_from IS 'Reply-To is From''s address; NULL without one';
COMMENT ON COLUMN assay.message_facts.reply_to_aligned IS 'Reply-To is of the organization of From; NULL without one';
COMMENT ON COLUMN assay.message_facts.return_path_org IS 'Registrable domain of Return-Path';
COMMENT ON COLUMN assay.message_facts.return_path_is_from IS 'Return-Path is From''s address; NULL without one';
COMMENT ON COLUMN assay.message_facts.return_path_aligned IS 'Return-Path is of the organization of From; NULL without one';
COMMENT ON COLUMN assay.message_facts.message_id_org IS 'Registrable domain in Message-ID';
COMMENT ON COLUMN assay.message_facts.message_id_aligned IS 'That is From''s; NULL if there is none';
COMMENT ON COLUMN assay.message_facts.recipient_count IS 'Recipients';
COMMENT ON COLUMN assay.message_facts.recipients_aligned IS 'Those of the organization of From';
COMMENT ON COLUMN assay.message_facts.from_is_recipient IS 'From is one of the recipients';
COMMENT ON COLUMN assay.message_facts.body_characters IS 'Characters of body_text';
COMMENT ON COLUMN assay.message_facts.body_words IS 'Words';
COMMENT ON COLUMN assay.message_facts.body_lines IS 'Lines';
COMMENT ON COLUMN assay.message_facts.body_letters IS 'Letters';
COMMENT ON COLUMN assay.message_facts.body_uppercase IS 'Upper-case letters';
COMMENT ON COLUMN assay.message_facts.body_digits IS 'Digits';
COMMENT ON COLUMN assay.message_facts.body_punctuation IS 'Punctuation marks and symbols';
COMMENT ON COLUMN assay.message_facts.body_whitespace IS 'White space';
COMMENT ON COLUMN assay.message_facts.body_exclamations IS 'Exclamation marks';
COMMENT ON COLUMN assay.message_facts.body_questions IS 'Question marks';
COMMENT ON COLUMN assay.message_facts.body_currency IS 'Currency signs';
COMMENT ON COLUMN assay.message_facts.body_non_ascii IS 'Characters beyond ASCII';
COMMENT ON COLUMN assay.message_facts.body_uppercase_words IS 'Words of two letters or more, all of them upper case';
COMMENT ON COLUMN assay.message_facts.body_quoted_lines IS 'Lines that begin with >';
COMMENT ON COLUMN assay.message_facts.body_longest_token IS 'Characters of the longest run without white space';
COMMENT ON COLUMN assay.message_facts.body_longest_line IS 'Characters of the longest line';
COMMENT ON COLUMN assay.message_facts.body_longest_gap IS 'Characters of the longest run of white space';
COMMENT ON COLUMN assay.message_facts.body_emoji IS 'Emoji';
COMMENT ON COLUMN assay.message_facts.body_math_letters IS 'Letters and digits in mathematical fonts';
COMMENT ON COLUMN assay.message_facts.body_enclosed_letters IS 'Letters in circles, squares and parentheses';
COMMENT ON COLUMN assay.message_facts.body_fullwidth_letters IS 'Letters and digits of ASCII in their wide form';
COMMENT ON COLUMN assay.message_facts.body_invisible IS 'Invisible characters where no spelling needs them';
COMMENT ON COLUMN assay.message_facts.body_invisible_words IS 'Words with an invisible character inside';
COMMENT ON COLUMN assay.message_facts.body_bidi_controls IS 'Characters that direct the order of others';
COMMENT ON COLUMN assay.message_facts.body_bidi_overrides IS 'Those of them that turn it round';
COMMENT ON COLUMN assay.message_facts.body_tag_characters IS 'Invisible ASCII';
COMMENT ON COLUMN assay.message_facts.body_control_characters IS 'Control characters other than white space';
COMMENT ON COLUMN assay.message_facts.body_private_use IS 'Characters that Unicode leaves to private use';
COMMENT ON COLUMN assay.message_facts.body_replacements IS 'U+FFFD, which stands for what could not be read';
COMMENT ON COLUMN assay.message_facts.body_stacked_marks IS 'Most combining marks on one character';
COMMENT ON COLUMN assay.message_facts.body_mixed_script_words IS 'Words of scripts that don''t belong together';
COMMENT ON COLUMN assay.message_facts.body_uppercase_share IS 'Upper-case letters of all letters';
COMMENT ON COLUMN assay.message_facts.body_digit_share IS 'Digits of all characters';
COMMENT ON COLUMN assay.message_facts.body_punctuation_share IS 'Punctuation of all characters';
COMMENT ON COLUMN assay.message_facts.body_whitespace_share IS 'White space of all characters';
COMMENT ON COLUMN assay.message_facts.body_non_ascii_share IS 'Characters beyond ASCII of all';
COMMENT ON COLUMN assay.message_facts.body_quoted_share IS 'Quoted lines of all lines';
COMMENT ON COLUMN assay.message_facts.body_entropy IS 'Entropy of body_text, bits a byte';
COMMENT ON COLUMN assay.message_facts.body_scripts IS 'Scripts of its letters, most frequent first';
COMMENT ON COLUMN assay.message_facts.subject_characters IS 'Characters of the subject';
COMMENT ON COLUMN assay.message_facts.subject_words IS 'Words';
COMMENT ON COLUMN assay.message_facts.subject_letters IS 'Letters';
COMMENT ON COLUMN assay.message_facts.subject_uppercase IS 'Upper-case letters';
COMMENT ON COLUMN assay.message_facts.subject_digits IS 'Digits';
COMMENT ON COLUMN assay.message_facts.subject_punctuation IS 'Punctuation marks and symbols';
COMMENT ON COLUMN assay.message_facts.subject_exclamations IS 'Exclamation marks';
COMMENT ON COLUMN assay.message_facts.subject_questions IS 'Question marks';
COMMENT ON COLUMN assay.message_facts.subject_currency IS 'Currency signs';
COMMENT ON COLUMN assay.message_facts.subject_non_ascii IS 'Characters beyond ASCII';
COMMENT ON COLUMN assay.message_facts.subject_uppercase_words IS 'Words of two letters or more, all of them upper case';
COMMENT ON COLUMN assay.message_facts.subject_longest_gap IS 'Characters of the longest run of white space';
COMMENT ON COLUMN assay.message_facts.subject_emoji IS 'Emoji';
COMMENT ON COLUMN assay.message_facts.subject_math_letters IS 'Letters and digits in mathematical fonts';
COMMENT ON COLUMN assay.message_facts.subject_enclosed_letters IS 'Letters in circles, squares and parentheses';
COMMENT ON COLUMN assay.message_facts.subject_fullwidth_letters IS 'Letters and digits of ASCII in their wide form';
COMMENT ON COLUMN assay.message_facts.subject_invisible IS 'Invisible characters where no spelling needs them';
COMMENT ON COLUMN assay.message_facts.subject_invisible_words IS 'Words with an invisible character inside';
COMMENT ON COLUMN assay.message_facts.subject_bidi_controls IS 'Characters that direct the order of others';
COMMENT ON COLUMN assay.message_facts.subject_tag_characters IS 'Invisible ASCII';
COMMENT ON COLUMN assay.message_facts.subject_stacked_marks IS 'Most combining marks on one character';
COMMENT ON COLUMN assay.message_facts.subject_mixed_script_words IS 'Words of scripts that don''t belong together';
COMMENT ON COLUMN assay.message_facts.subject_uppercase_share IS 'Upper-case letters of all letters';
COMMENT ON COLUMN assay.message_facts.subject_digit_share IS 'Digits of all characters';
COMMENT ON COLUMN assay.message_facts.subject_punctuation_share IS 'Punctuation of all characters';
COMMENT ON COLUMN assay.message_facts.subject_non_ascii_share IS 'Characters beyond ASCII of all';
COMMENT ON COLUMN assay.message_facts.subject_entropy IS 'Entropy of the subject, bits a byte';
COMMENT ON COLUMN assay.message_facts.subject_scripts IS 'Scripts of its letters, most frequent first';
COMMENT ON COLUMN assay.message_facts.from_name_characters IS 'Characters of the display name';
COMMENT ON COLUMN assay.message_facts.from_name_words IS 'Words';
COMMENT ON COLUMN assay.message_facts.from_name_uppercase_words IS 'Words of two letters or more, all of them upper case';
COMMENT ON COLUMN assay.message_facts.from_name_digits IS 'Digits';
COMMENT ON COLUMN assay.message_facts.from_name_non_ascii IS 'Characters beyond ASCII';
COMMENT ON COLUMN assay.message_facts.from_name_emoji IS 'Emoji';
COMMENT ON COLUMN assay.message_facts.from_name_math_letters IS 'Letters and digits in mathematical fonts';
COMMENT ON COLUMN assay.message_facts.from_name_enclosed_letters IS 'Letters in circles, squares and parentheses';
COMMENT ON COLUMN assay.message_facts.from_name_fullwidth_letters IS 'Letters and digits of ASCII in their wide form';
COMMENT ON COLUMN assay.message_facts.from_name_invisible IS 'Invisible characters where no spelling needs them';
COMMENT ON COLUMN assay.message_facts.from_name_bidi_controls IS 'Characters that direct the order of others';
COMMENT ON COLUMN assay.message_facts.from_name_mixed_script_words IS 'Words of scripts that don''t belong together';
COMMENT ON COLUMN assay.message_facts.from_name_scripts IS 'Scripts of its letters, most frequent first';
COMMENT ON COLUMN assay.message_facts.url_count IS 'URLs';
COMMENT ON COLUMN assay.message_facts.url_host_count IS 'Distinct hosts';
COMMENT ON COLUMN assay.message_facts.url_domain_count IS 'Distinct registrable domains';
COMMENT ON COLUMN assay.message_facts.url_foreign_domains IS 'Those other than From''s';
COMMENT ON COLUMN assay.message_facts.url_of_sender IS 'URLs in the registrable domain of From';
COMMENT ON COLUMN assay.message_facts.url_ip IS 'URLs whose host is an IP address';
COMMENT ON COLUMN assay.message_facts.url_punycode IS 'URLs whose host has letters beyond ASCII';
COMMENT ON COLUMN assay.message_facts.url_userinfo IS 'URLs with a user name before the host';
COMMENT ON COLUMN assay.message_facts.url_port IS 'URLs with a port other than the usual';
COMMENT ON COLUMN assay.message_facts.url_obfuscated IS 'URLs that are written so that the host is hard to see';
COMMENT ON COLUMN assay.message_facts.url_insecure IS 'URLs that begin with http:';
COMMENT ON COLUMN assay.message_facts.url_email IS 'URLs with an e-mail address behind the host';
COMMENT ON COLUMN assay.message_facts.url_recipient IS 'URLs with a recipient''s address behind the host, also encoded';
COMMENT ON COLUMN assay.message_facts.url_nested IS 'URLs with another URL behind the host';
COMMENT ON COLUMN assay.message_facts.url_redirects IS 'Those whose other URL leads to another registrable domain';
COMMENT ON COLUMN assay.message_facts.url_longest IS 'Characters of the longest URL';
COMMENT ON COLUMN assay.message_facts.url_longest_host IS 'Bytes of the longest host name';
COMMENT ON COLUMN assay.message_facts.url_most_labels IS 'Labels of the host name that has most';
COMMENT ON COLUMN assay.message_facts.url_hosts IS 'Distinct hosts, in order';
COMMENT ON COLUMN assay.message_facts.url_domains IS 'Distinct registrable domains, in order';
COMMENT ON COLUMN assay.message_facts.url_redirect_domains IS 'Registrable domains that the URLs in URLs lead to';
COMMENT ON COLUMN assay.message_facts.link_count IS 'Links of HTML';
COMMENT ON COLUMN assay.message_facts.link_mismatches IS 'Links whose text shows another registrable domain than they lead to';
COMMENT ON COLUMN assay.message_facts.link_url_texts IS 'Links whose text shows a URL or host name';
COMMENT ON COLUMN assay.message_facts.link_empty_texts IS 'Links without a text';
COMMENT ON COLUMN assay.message_facts.link_mailto IS 'Links that write a message';
COMMENT ON COLUMN assay.message_facts.link_phone IS 'Links that call or send a short message';
COMMENT ON COLUMN assay.message_facts.link_script IS 'Links of javascript:, vbscript:, data: and file:';

CREATE FUNCTION assay.message_facts(headers jsonb, from_addr text, from_name text, reply_to text, return_path text, message_id text,
		recipients text[], subject text, body_text text, urls text[], link_hrefs text[], link_texts text[],
		authserv_ids text[] DEFAULT '{}', trusted inet[] DEFAULT '{}') RETURNS assay.message_facts
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 300;
COMMENT ON FUNCTION assay.message_facts(jsonb, text, text, text, text, text, text[], text, text, text[], text[], text[], text[], inet[])
	IS 'all facts of a message in one call: authentication, the way it came, addresses, texts, links';
