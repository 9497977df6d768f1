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

-- functions

CREATE FUNCTION assay.text_facts(content text) RETURNS assay.text_facts
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION assay.text_facts(text) IS 'counts of a text in one pass: characters, words, lines, scripts, emoji, letters that pretend, characters that hide';
