-- ---------------------------------------------------------------------------
-- facts: what a message shows without knowing anyone or anything else
-- ---------------------------------------------------------------------------

-- types

CREATE TYPE assay.text_facts AS (
	characters integer,
	words integer,
	lines integer,
	letters integer,
	uppercase integer,
	digits integer,
	punctuation integer,
	whitespace integer,
	exclamations integer,
	questions integer,
	currency integer,
	non_ascii integer,
	uppercase_words integer,
	quoted_lines integer,
	longest_token integer,
	longest_line integer,
	longest_gap integer,
	emoji integer,
	math_letters integer,
	enclosed_letters integer,
	fullwidth_letters integer,
	invisible integer,
	invisible_words integer,
	bidi_controls integer,
	bidi_overrides integer,
	tag_characters integer,
	control_characters integer,
	private_use integer,
	replacements integer,
	stacked_marks integer,
	mixed_script_words integer,
	uppercase_share real,
	digit_share real,
	punctuation_share real,
	whitespace_share real,
	non_ascii_share real,
	quoted_share real,
	entropy real,
	scripts text[]
);
COMMENT ON TYPE assay.text_facts IS 'what a text consists of; made by text_facts(text)';
COMMENT ON COLUMN assay.text_facts.characters IS 'characters (code points)';
COMMENT ON COLUMN assay.text_facts.words IS 'runs of letters, marks, digits and _';
COMMENT ON COLUMN assay.text_facts.lines IS 'lines';
COMMENT ON COLUMN assay.text_facts.letters IS 'letters';
COMMENT ON COLUMN assay.text_facts.uppercase IS 'upper-case letters';
COMMENT ON COLUMN assay.text_facts.digits IS 'decimal digits';
COMMENT ON COLUMN assay.text_facts.punctuation IS 'punctuation marks and symbols';
COMMENT ON COLUMN assay.text_facts.whitespace IS 'white space, line ends included';
COMMENT ON COLUMN assay.text_facts.exclamations IS 'exclamation marks';
COMMENT ON COLUMN assay.text_facts.questions IS 'question marks';
COMMENT ON COLUMN assay.text_facts.currency IS 'currency signs';
COMMENT ON COLUMN assay.text_facts.non_ascii IS 'characters beyond ASCII';
COMMENT ON COLUMN assay.text_facts.uppercase_words IS 'words of two letters or more, all of them upper case';
COMMENT ON COLUMN assay.text_facts.quoted_lines IS 'lines that begin with >';
COMMENT ON COLUMN assay.text_facts.longest_token IS 'characters of the longest run without white space';
COMMENT ON COLUMN assay.text_facts.longest_line IS 'characters of the longest line';
COMMENT ON COLUMN assay.text_facts.longest_gap IS 'characters of the longest run of white space';
COMMENT ON COLUMN assay.text_facts.emoji IS 'emoji, each sequence once';
COMMENT ON COLUMN assay.text_facts.math_letters IS 'letters and digits in mathematical fonts';
COMMENT ON COLUMN assay.text_facts.enclosed_letters IS 'letters in circles, squares and parentheses';
COMMENT ON COLUMN assay.text_facts.fullwidth_letters IS 'letters and digits of ASCII in their wide form';
COMMENT ON COLUMN assay.text_facts.invisible IS 'invisible characters where no spelling needs them';
COMMENT ON COLUMN assay.text_facts.invisible_words IS 'words with an invisible character inside';
COMMENT ON COLUMN assay.text_facts.bidi_controls IS 'characters that direct the order of others';
COMMENT ON COLUMN assay.text_facts.bidi_overrides IS 'those of them that turn it round';
COMMENT ON COLUMN assay.text_facts.tag_characters IS 'invisible ASCII (U+E0001 to U+E007F)';
COMMENT ON COLUMN assay.text_facts.control_characters IS 'control characters other than white space';
COMMENT ON COLUMN assay.text_facts.private_use IS 'characters that Unicode leaves to private use';
COMMENT ON COLUMN assay.text_facts.replacements IS 'U+FFFD, which stands for what could not be read';
COMMENT ON COLUMN assay.text_facts.stacked_marks IS 'most combining marks on one character';
COMMENT ON COLUMN assay.text_facts.mixed_script_words IS 'words of scripts that don''t belong together';
COMMENT ON COLUMN assay.text_facts.uppercase_share IS 'upper-case letters of all letters';
COMMENT ON COLUMN assay.text_facts.digit_share IS 'digits of all characters';
COMMENT ON COLUMN assay.text_facts.punctuation_share IS 'punctuation of all characters';
COMMENT ON COLUMN assay.text_facts.whitespace_share IS 'white space of all characters';
COMMENT ON COLUMN assay.text_facts.non_ascii_share IS 'characters beyond ASCII of all';
COMMENT ON COLUMN assay.text_facts.quoted_share IS 'quoted lines of all lines';
COMMENT ON COLUMN assay.text_facts.entropy IS 'Shannon''s entropy, bits a byte of the text in UTF-8';
COMMENT ON COLUMN assay.text_facts.scripts IS 'scripts that letters are of, most frequent first';

CREATE TYPE assay.auth_facts AS (
	authserv_id text,
	spf text,
	spf_domain text,
	spf_identity text,
	spf_aligned boolean,
	dkim text,
	dkim_domain text,
	dkim_domains text[],
	dkim_signatures integer,
	dkim_passed integer,
	dkim_aligned boolean,
	dmarc text,
	dmarc_domain text,
	dmarc_policy text,
	dmarc_action text,
	arc text,
	compauth text,
	compauth_reason text,
	iprev text,
	conflict boolean,
	trusted_headers integer,
	untrusted_headers integer,
	malformed_headers integer
);
COMMENT ON TYPE assay.auth_facts IS 'what trusted servers found when they authenticated a message; made by auth_facts(headers, authserv_ids)';
COMMENT ON COLUMN assay.auth_facts.authserv_id IS 'which of the trusted ids it is about; NULL if no header is by one';
COMMENT ON COLUMN assay.auth_facts.spf IS 'result of SPF: pass, fail, softfail, neutral, none, temperror, permerror ...';
COMMENT ON COLUMN assay.auth_facts.spf_domain IS 'domain that SPF was checked for';
COMMENT ON COLUMN assay.auth_facts.spf_identity IS 'mailfrom or helo: whose domain that is';
COMMENT ON COLUMN assay.auth_facts.spf_aligned IS 'SPF passed for the organization of the From domain';
COMMENT ON COLUMN assay.auth_facts.dkim IS 'result of DKIM: pass if any signature passed, else that of the first';
COMMENT ON COLUMN assay.auth_facts.dkim_domain IS 'signing domain of that signature';
COMMENT ON COLUMN assay.auth_facts.dkim_domains IS 'distinct signing domains of signatures that passed, at most 32';
COMMENT ON COLUMN assay.auth_facts.dkim_signatures IS 'signatures that results are of';
COMMENT ON COLUMN assay.auth_facts.dkim_passed IS 'signatures that passed';
COMMENT ON COLUMN assay.auth_facts.dkim_aligned IS 'a signature passed of the organization of the From domain';
COMMENT ON COLUMN assay.auth_facts.dmarc IS 'result of DMARC';
COMMENT ON COLUMN assay.auth_facts.dmarc_domain IS 'From domain as the server saw it (header.from)';
COMMENT ON COLUMN assay.auth_facts.dmarc_policy IS 'policy that the domain publishes: none, quarantine, reject';
COMMENT ON COLUMN assay.auth_facts.dmarc_action IS 'what the server did about it';
COMMENT ON COLUMN assay.auth_facts.arc IS 'result of the ARC chain';
COMMENT ON COLUMN assay.auth_facts.compauth IS 'composite authentication of Microsoft';
COMMENT ON COLUMN assay.auth_facts.compauth_reason IS 'its three digits';
COMMENT ON COLUMN assay.auth_facts.iprev IS 'result of the reverse look-up of the client''s address';
COMMENT ON COLUMN assay.auth_facts.conflict IS 'trusted headers give two results of one method';
COMMENT ON COLUMN assay.auth_facts.trusted_headers IS 'headers by a trusted id';
COMMENT ON COLUMN assay.auth_facts.untrusted_headers IS 'headers by others, or that name nobody';
COMMENT ON COLUMN assay.auth_facts.malformed_headers IS 'trusted headers that end in something else than the grammar has';

CREATE TYPE assay.received_facts AS (
	ip inet,
	name text,
	helo text,
	by text,
	protocol text,
	encrypted boolean,
	authenticated boolean,
	helo_matches_name boolean,
	hop integer,
	hops integer
);
COMMENT ON TYPE assay.received_facts IS 'who handed a message over; made by received_facts(headers, trusted)';
COMMENT ON COLUMN assay.received_facts.ip IS 'address of the first host from outside, as the receiving server saw it';
COMMENT ON COLUMN assay.received_facts.name IS 'name that the server found for the address; NULL if none';
COMMENT ON COLUMN assay.received_facts.helo IS 'name that the host gave itself';
COMMENT ON COLUMN assay.received_facts.by IS 'server that received from it';
COMMENT ON COLUMN assay.received_facts.protocol IS 'how: ESMTPS, ESMTPSA, HTTP ...';
COMMENT ON COLUMN assay.received_facts.encrypted IS 'by TLS';
COMMENT ON COLUMN assay.received_facts.authenticated IS 'the host logged in';
COMMENT ON COLUMN assay.received_facts.helo_matches_name IS 'helo and name are of one registrable domain; NULL if one is none';
COMMENT ON COLUMN assay.received_facts.hop IS 'number of its header, from the top; NULL if there is no such host';
COMMENT ON COLUMN assay.received_facts.hops IS 'Received headers';

CREATE TYPE assay.url_facts AS (
	urls integer,
	hosts integer,
	domains integer,
	foreign_domains integer,
	sender_urls integer,
	ip_urls integer,
	punycode_urls integer,
	userinfo_urls integer,
	port_urls integer,
	obfuscated_urls integer,
	insecure_urls integer,
	email_urls integer,
	nested_urls integer,
	longest_url integer,
	longest_host integer,
	most_labels integer,
	links integer,
	link_mismatches integer,
	url_texts integer,
	empty_texts integer,
	mailto_links integer,
	phone_links integer,
	script_links integer,
	host_names text[],
	domain_names text[]
);
COMMENT ON TYPE assay.url_facts IS 'where the links of a message lead; made by url_facts(urls, hrefs, texts, sender_domain)';
COMMENT ON COLUMN assay.url_facts.urls IS 'URLs given';
COMMENT ON COLUMN assay.url_facts.hosts IS 'distinct hosts';
COMMENT ON COLUMN assay.url_facts.domains IS 'distinct registrable domains';
COMMENT ON COLUMN assay.url_facts.foreign_domains IS 'those other than the sender''s; NULL if that isn''t known';
COMMENT ON COLUMN assay.url_facts.sender_urls IS 'URLs in the sender''s registrable domain, likewise';
COMMENT ON COLUMN assay.url_facts.ip_urls IS 'URLs whose host is an IP address, however it is written';
COMMENT ON COLUMN assay.url_facts.punycode_urls IS 'URLs whose host has letters beyond ASCII';
COMMENT ON COLUMN assay.url_facts.userinfo_urls IS 'URLs with a user name before the host';
COMMENT ON COLUMN assay.url_facts.port_urls IS 'URLs with a port other than the usual';
COMMENT ON COLUMN assay.url_facts.obfuscated_urls IS 'URLs that are written so that the host is hard to see';
COMMENT ON COLUMN assay.url_facts.insecure_urls IS 'URLs that begin with http:';
COMMENT ON COLUMN assay.url_facts.email_urls IS 'URLs with an e-mail address behind the host';
COMMENT ON COLUMN assay.url_facts.nested_urls IS 'URLs with another URL behind the host, as redirectors have';
COMMENT ON COLUMN assay.url_facts.longest_url IS 'characters of the longest URL';
COMMENT ON COLUMN assay.url_facts.longest_host IS 'bytes of the longest host name';
COMMENT ON COLUMN assay.url_facts.most_labels IS 'labels of the host name that has most';
COMMENT ON COLUMN assay.url_facts.links IS 'links of HTML';
COMMENT ON COLUMN assay.url_facts.link_mismatches IS 'links whose text shows another registrable domain than they lead to';
COMMENT ON COLUMN assay.url_facts.url_texts IS 'links whose text shows a URL or host name';
COMMENT ON COLUMN assay.url_facts.empty_texts IS 'links without a text';
COMMENT ON COLUMN assay.url_facts.mailto_links IS 'links that write a message';
COMMENT ON COLUMN assay.url_facts.phone_links IS 'links that call or send a short message';
COMMENT ON COLUMN assay.url_facts.script_links IS 'links of javascript:, vbscript:, data: and file:';
COMMENT ON COLUMN assay.url_facts.host_names IS 'distinct hosts, in order';
COMMENT ON COLUMN assay.url_facts.domain_names IS 'distinct registrable domains, in order';

-- functions

CREATE FUNCTION assay.text_facts(content text) RETURNS assay.text_facts
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION assay.text_facts(text) IS 'counts of a text in one pass: characters, words, lines, scripts, emoji, letters that pretend, characters that hide';

CREATE FUNCTION assay.auth_facts(headers jsonb, authserv_ids text[], from_domain text DEFAULT NULL) RETURNS assay.auth_facts
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 50;
COMMENT ON FUNCTION assay.auth_facts(jsonb, text[], text) IS 'results of SPF, DKIM, DMARC, ARC ... from the Authentication-Results headers of trusted servers';

CREATE FUNCTION assay.received_facts(headers jsonb, trusted inet[] DEFAULT '{}') RETURNS assay.received_facts
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION assay.received_facts(jsonb, inet[]) IS 'the first host from outside in the Received headers: the first that is in no trusted network';

CREATE FUNCTION assay.url_facts(urls text[], hrefs text[] DEFAULT NULL, texts text[] DEFAULT NULL, sender_domain text DEFAULT NULL) RETURNS assay.url_facts
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100;
COMMENT ON FUNCTION assay.url_facts(text[], text[], text[], text) IS 'hosts and domains of URLs, how they hide, and links whose text shows another domain';

CREATE FUNCTION assay.header_values(headers jsonb, names text[]) RETURNS text[]
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION assay.header_values(jsonb, text[]) IS 'the first value of each header of a message, as assay_load keeps them; null where it has none';

CREATE FUNCTION assay.header_lines(headers jsonb, name text) RETURNS text[]
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION assay.header_lines(jsonb, text) IS 'all values of a header of a message, from the top, as assay_load keeps them; empty where it has none';
