/*
 * text_facts.c
 *		Counts of a text, in one pass; see facts.h.
 *
 * Most of most texts is ASCII.  There, 64 bytes become one bit each in a word
 * for every class of character, and counting is arithmetic on these words.
 * What isn't ASCII, and the few characters after it, go one by one.  Both ways
 * leave off and go on in the same state, which is what ends at no boundary:
 * the word, token, gap and line at hand.
 *
 * How often each byte occurs is counted apart, for the entropy; what can be
 * known from these counts (digits, capitals of ASCII ...) is not counted again.
 */
#include <math.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "facts.h"

/* Of word_scripts, beside the bits by ScriptKind */
#define OTHER_TWICE		0x10000 /* two scripts that are SCRIPT_OTHER */

#define BIT(kind)		(1u << (kind))

#define BLOCK			64

/* ASCII characters after which a text counts as plain again */
#define PLAIN_AGAIN		2

/* Bytes between which the counts of bytes are made, to stay in the cache */
#define STRETCH			8192

typedef struct BlockMasks
{
	uint64_t	high;			/* beyond ASCII */
	uint64_t	space;
	uint64_t	newline;
	uint64_t	quote;			/* > */
	uint64_t	letter;
	uint64_t	upper;
	uint64_t	word;			/* letter, digit, underscore */
} BlockMasks;

void
TextFactsBegin(TextScan *scan)
{
	memset(scan, 0, sizeof(*scan));
	scan->line_begins = true;
}

/* ---- plain blocks -------------------------------------------------------------- */

#if defined(__SSE2__)
static inline __m128i
InRange(__m128i bytes, char from, char to)
{
	__m128i		above = _mm_sub_epi8(bytes, _mm_set1_epi8(from));

	return _mm_cmpeq_epi8(_mm_min_epu8(above, _mm_set1_epi8(to - from)), above);
}

static inline void
MakeMasks(const unsigned char *p, BlockMasks *m)
{
	memset(m, 0, sizeof(*m));
	for (int at = 0; at < BLOCK; at += 16)
	{
		__m128i		bytes = _mm_loadu_si128((const __m128i *) (p + at));
		__m128i		letter = InRange(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), 'a', 'z');
		__m128i		upper = InRange(bytes, 'A', 'Z');
		__m128i		newline = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\n'));
		__m128i		space = _mm_or_si128(InRange(bytes, '\t', '\r'), _mm_cmpeq_epi8(bytes, _mm_set1_epi8(' ')));
		__m128i		word = _mm_or_si128(_mm_or_si128(letter, InRange(bytes, '0', '9')),
										_mm_cmpeq_epi8(bytes, _mm_set1_epi8('_')));

#define BITS(v) ((uint64_t) (unsigned) _mm_movemask_epi8(v) << at)
		m->high |= BITS(bytes);
		m->space |= BITS(space);
		m->newline |= BITS(newline);
		m->quote |= BITS(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('>')));
		m->letter |= BITS(letter);
		m->upper |= BITS(upper);
		m->word |= BITS(word);
#undef BITS
	}
}
#else
static inline void
MakeMasks(const unsigned char *p, BlockMasks *m)
{
	memset(m, 0, sizeof(*m));
	for (int i = 0; i < BLOCK; i++)
	{
		unsigned char c = p[i];
		uint64_t	letter = (unsigned char) ((c | 0x20) - 'a') <= 'z' - 'a';
		uint64_t	digit = (unsigned char) (c - '0') <= 9;

		m->high |= (uint64_t) (c >> 7) << i;
		m->space |= (uint64_t) (c == ' ' || (unsigned char) (c - '\t') <= '\r' - '\t') << i;
		m->newline |= (uint64_t) (c == '\n') << i;
		m->quote |= (uint64_t) (c == '>') << i;
		m->letter |= letter << i;
		m->upper |= (letter & ~(c >> 5)) << i;
		m->word |= (letter | digit | (c == '_')) << i;
	}
}
#endif

/* Set bits: without an instruction for it, the compiler's own is a call */
static inline int
CountOnes(uint64_t bits)
{
	bits -= bits >> 1 & UINT64_C(0x5555555555555555);
	bits = (bits & UINT64_C(0x3333333333333333)) + (bits >> 2 & UINT64_C(0x3333333333333333));
	bits = (bits + (bits >> 4)) & UINT64_C(0x0F0F0F0F0F0F0F0F);
	return bits * UINT64_C(0x0101010101010101) >> 56;
}

/* The n lowest bits */
static inline uint64_t
Low(int n)
{
	return n >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << n) - 1;
}

/* How many of the n lowest bits are set before the first that isn't */
static inline int
OnesBelow(uint64_t bits, int n)
{
	uint64_t	zeroes = ~bits & Low(n);

	return zeroes == 0 ? n : __builtin_ctzll(zeroes);
}

/* The same from the n-th down */
static inline int
OnesAbove(uint64_t bits, int n)
{
	uint64_t	zeroes = ~bits & Low(n);

	return zeroes == 0 ? n : n - 64 + __builtin_clzll(zeroes);
}

/* Lengthen *longest to the longest run of set bits. */
static inline void
LongestRun(uint64_t bits, int32_t * longest)
{
	/* a bit that stays is the first of so many */
	for (int have = 1; have <= *longest && bits != 0;)
	{
		int			more = have <= *longest - have + 1 ? have : *longest - have + 1;

		bits &= more < 64 ? bits >> more : 0;
		have += more;
	}
	for (; bits != 0; bits &= bits >> 1)
		(*longest)++;
}

/*
 * The longest run of one class.  *run is how long the one at hand is before
 * and after the n characters that bits tell of.
 */
static inline void
FollowRun(uint64_t bits, int n, int32_t * run, int32_t * longest)
{
	int			ones = OnesBelow(bits, n);

	*run += ones;
	if (*run > *longest)
		*longest = *run;
	if (ones == n)
		return;
	LongestRun(bits, longest);
	*run = OnesAbove(bits, n);
}

static void
EndWord(TextScan *scan)
{
	TextFacts  *f = &scan->facts;
	uint32_t	scripts = scan->word_scripts;

	if (!scan->in_word)
		return;
	f->uppercase_words += scan->word_uppercase >= 2 && !scan->word_small;

	/*
	 * Latin may stand beside one living script that isn't mistaken for it;
	 * otherwise a word is of one (the moderately restrictive level of UTS
	 * #39).
	 */
	if ((scripts & (scripts - 1)) != 0 &&
		scripts != (BIT(SCRIPT_LATIN) | BIT(SCRIPT_EAST_ASIAN)) &&
		scripts != (BIT(SCRIPT_LATIN) | BIT(SCRIPT_OTHER)))
		f->mixed_script_words++;
	f->invisible_words += scan->word_hidden;
	scan->in_word = false;
}

static inline void
BeginWord(TextScan *scan)
{
	scan->in_word = true;
	scan->word_hides = scan->word_hidden = scan->word_small = false;
	scan->word_uppercase = 0;
	scan->word_scripts = 0;
	scan->facts.words++;
}

/* Letters of ASCII in the word at hand */
static inline void
AddPlainLetters(TextScan *scan, uint64_t letters, uint64_t upper)
{
	if (scan->word_hides)
		scan->word_hidden = true;
	if (letters == 0)
		return;
	scan->word_small |= letters != upper;
	if (upper != 0 && scan->word_uppercase < 2)
		scan->word_uppercase += (upper & (upper - 1)) != 0 ? 2 : 1;
	scan->word_scripts |= BIT(SCRIPT_LATIN);
}

/*
 * Words of two capitals or more, and no small letter.  A bit that is added at the
 * first of a run of ones is carried to the place behind the run, or to where a
 * one was taken out: so that tells for all words at once whether a letter of a
 * kind is in it, and where the first is.
 */
static inline int
CountUppercaseWords(uint64_t word, uint64_t letter, uint64_t upper)
{
	uint64_t	starts = word & ~(word << 1);
	uint64_t	small = letter & ~upper;
	uint64_t	first = ((word & ~upper) + starts) & upper;
	uint64_t	no_small = (word & ~small) + starts;
	uint64_t	no_second = (word & ~(upper & ~first)) + starts;
	uint64_t	ends = no_small & ~no_second & ~word;

	return ends == 0 ? 0 : CountOnes(ends);
}

/* Words of n plain characters */
static inline void
CountPlainWords(TextScan *scan, const BlockMasks *m, int n)
{
	uint64_t	word = m->word;
	uint64_t	upper = m->upper;
	int			tail;

	/* the rest of the word at hand */
	if (scan->in_word)
	{
		int			head = OnesBelow(word, n);

		if (head > 0)
			AddPlainLetters(scan, m->letter & Low(head), upper & Low(head));
		if (head == n)
			return;
		EndWord(scan);
		word &= ~Low(head);
	}
	/* the beginning of the one that goes on */
	tail = OnesAbove(word, n);
	if (tail > 0)
		word &= Low(n - tail);
	scan->facts.words += CountOnes(word & ~(word << 1));

	scan->facts.uppercase_words += CountUppercaseWords(word, m->letter & word, upper & word);
	if (tail > 0)
	{
		uint64_t	last = Low(n) & ~Low(n - tail);

		BeginWord(scan);
		AddPlainLetters(scan, m->letter & last, m->upper & last);
	}
}

/* Lines of n plain characters at p */
static inline void
CountPlainLines(TextScan *scan, const BlockMasks *m, int n, const unsigned char *p)
{
	TextFacts  *f = &scan->facts;
	uint64_t	newline = m->newline;
	int			from = 0;

	if (m->quote != 0)
		f->quoted_lines += CountOnes(m->quote & (newline << 1 | (scan->line_begins ? 1 : 0)));
	scan->line_begins = (newline >> (n - 1) & 1) != 0;
	while (newline != 0)
	{
		int			at = __builtin_ctzll(newline);
		int32_t		length = scan->line + at - from;

		/* CR LF ends a line, too */
		if (at > 0 ? p[at - 1] == '\r' : scan->before == '\r' && length > 0)
			length--;
		if (length > f->longest_line)
			f->longest_line = length;
		f->lines++;
		scan->line = 0;
		from = at + 1;
		newline &= newline - 1;
	}
	scan->line += n - from;
}

/* As many plain characters as there are at p, at most a block; returns how many */
static inline int
AddBlock(TextScan *scan, const unsigned char *p, const unsigned char *end)
{
	BlockMasks	m;
	int			n = BLOCK;

	if (end - p < BLOCK)
	{
		unsigned char last[BLOCK] = {0};

		n = end - p;
		memcpy(last, p, n);
		MakeMasks(last, &m);
	}
	else
		MakeMasks(p, &m);
	if (m.high != 0)
	{
		int			plain = __builtin_ctzll(m.high);

		n = plain < n ? plain : n;
	}
	if (n == 0)
		return 0;
	if (n < BLOCK)
	{
		m.space &= Low(n);
		m.newline &= Low(n);
		m.quote &= Low(n);
		m.letter &= Low(n);
		m.upper &= Low(n);
		m.word &= Low(n);
	}
	scan->facts.characters += n;
	FollowRun(m.space, n, &scan->gap, &scan->facts.longest_gap);
	FollowRun(~m.space & Low(n), n, &scan->token, &scan->facts.longest_token);
	CountPlainLines(scan, &m, n, p);
	CountPlainWords(scan, &m, n);
	scan->before = p[n - 1];
	scan->before_facts = CharFacts(scan->before);
	scan->tag_sequence = false;
	scan->emoji = EMOJI_NONE;
	scan->marks = 0;
	return n;
}

/* ---- one by one ------------------------------------------------------------------ */

/* One more emoji, of which the first part was seen as punctuation if pending */
static void
CountEmoji(TextScan *scan)
{
	scan->facts.emoji++;
	if (scan->emoji == EMOJI_PENDING && (scan->before_facts & FACT_PUNCTUATION) != 0)
		scan->facts.punctuation--;
}

/* Pictures, which are made of up to a dozen characters */
static void
FollowEmoji(TextScan *scan, uint32_t c, uint32_t facts)
{
	EmojiState	was = scan->emoji;
	EmojiState	is = EMOJI_NONE;

	if (was == EMOJI_NONE && c < 0x80)
		return;
	if (c == 0xFE0F)
	{
		if (was == EMOJI_PENDING)
			CountEmoji(scan);
		if (was == EMOJI_PENDING || was == EMOJI_OPEN)
			is = EMOJI_OPEN;
		else if (scan->before == '#' || scan->before == '*' || (scan->before >= '0' && scan->before <= '9'))
			is = EMOJI_KEY;
	}
	else if (c == 0x20E3 && was == EMOJI_KEY)
	{
		CountEmoji(scan);
		is = EMOJI_OPEN;
	}
	else if (c == 0x200D && (was == EMOJI_OPEN || was == EMOJI_PENDING))
	{
		if (was == EMOJI_PENDING)
			CountEmoji(scan);
		is = EMOJI_JOINED;
	}
	else if (facts & FACT_MODIFIER)
	{
		if (was != EMOJI_OPEN)
			CountEmoji(scan);
		is = EMOJI_OPEN;
	}
	else if (facts & FACT_REGIONAL)
	{
		if (was != EMOJI_HALF_FLAG)
			CountEmoji(scan);
		is = was == EMOJI_HALF_FLAG ? EMOJI_OPEN : EMOJI_HALF_FLAG;
	}
	else if (facts & FACT_EMOJI)
	{
		if (was != EMOJI_JOINED)
			scan->facts.emoji++;
		is = EMOJI_OPEN;
	}
	else if (facts & FACT_PICTOGRAPH)
		is = was == EMOJI_JOINED ? EMOJI_OPEN : EMOJI_PENDING;
	else if ((facts & FACT_TAG) && scan->tag_sequence)
		is = was;
	scan->emoji = is;
}

/* Is an invisible character where writing has one? */
static bool
IsSpelling(const TextScan *scan, uint32_t c, uint32_t facts)
{
	/*
	 * one selector after what can be seen, a joiner within a picture or a
	 * script that joins
	 */
	if (facts & FACT_SELECTOR)
		return scan->before != 0 && (scan->before_facts & (FACT_SPACE | FACT_SELECTOR | FACT_INVISIBLE | FACT_BIDI)) == 0;
	if (c == 0x200D && (scan->emoji == EMOJI_OPEN || scan->emoji == EMOJI_PENDING))
		return true;
	if (c == 0x200C || c == 0x200D)
		return (scan->before_facts & FACT_JOINS) != 0;
	/* the flags of England, Scotland and Wales */
	return (facts & FACT_TAG) != 0 && scan->tag_sequence;
}

/* What isn't seen: selectors, joiners, fillers, bidi controls, tags */
static void
AddUnseen(TextScan *scan, uint32_t c, uint32_t facts)
{
	TextFacts  *f = &scan->facts;

	if (IsSpelling(scan, c, facts))
		return;
	if (facts & FACT_BIDI)
	{
		f->bidi_controls++;
		f->bidi_overrides += (facts & FACT_OVERRIDE) != 0;
	}
	else
	{
		f->invisible++;
		f->tag_characters += (facts & FACT_TAG) != 0;
	}
	if (scan->in_word)
		scan->word_hides = true;
}

/* A character of a word */
static void
AddWordCharacter(TextScan *scan, uint32_t facts)
{
	ScriptKind	kind;

	if (!scan->in_word)
		BeginWord(scan);
	if (scan->word_hides)
		scan->word_hidden = true;
	if ((facts & FACT_LETTER) == 0)
		return;
	if (facts & FACT_UPPER)
		scan->word_uppercase = scan->word_uppercase < 2 ? scan->word_uppercase + 1 : 2;
	else
		scan->word_small = true;
	kind = ScriptKindOf(FACT_SCRIPT(facts));
	if (kind == SCRIPT_NONE)
		return;
	if (kind >= SCRIPT_OTHER)
	{
		if ((scan->word_scripts & (BIT(SCRIPT_OTHER) | BIT(SCRIPT_LIMITED))) != 0 &&
			scan->word_other != FACT_SCRIPT(facts))
			scan->word_scripts |= OTHER_TWICE;
		scan->word_other = FACT_SCRIPT(facts);
	}
	scan->word_scripts |= BIT(kind);
}

/* So many letters of a script */
static void
AddLetters(TextScan *scan, int script, int32_t n)
{
	scan->letters[script] += n;
	scan->scripts[script / 64] |= UINT64_C(1) << script % 64;
}

/* Counts of a character beyond ASCII, of which the bytes tell nothing */
static void
CountBeyondAscii(TextScan *scan, uint32_t c, uint32_t facts)
{
	TextFacts  *f = &scan->facts;

	f->non_ascii++;
	if (facts & FACT_LETTER)
	{
		f->letters++;
		f->uppercase += (facts & FACT_UPPER) != 0;
		AddLetters(scan, FACT_SCRIPT(facts), 1);
	}
	f->digits += (facts & FACT_DIGIT) != 0;
	f->punctuation += (facts & FACT_PUNCTUATION) != 0;
	f->whitespace += (facts & FACT_SPACE) != 0;
	f->currency += (facts & FACT_CURRENCY) != 0;
	f->math_letters += (facts & FACT_MATH) != 0;
	f->enclosed_letters += (facts & FACT_ENCLOSED) != 0;
	f->fullwidth_letters += (facts & FACT_FULLWIDTH) != 0;
	f->control_characters += (facts & FACT_CONTROL) != 0;
	f->private_use += (facts & FACT_PRIVATE) != 0;
	f->exclamations += c == 0xFF01;
	f->questions += c == 0xFF1F;
	f->replacements += c == 0xFFFD;
}

/* Runs and lines */
static void
FollowCharacter(TextScan *scan, uint32_t c, uint32_t facts)
{
	TextFacts  *f = &scan->facts;

	f->characters++;
	if (facts & FACT_SPACE)
	{
		scan->token = 0;
		if (++scan->gap > f->longest_gap)
			f->longest_gap = scan->gap;
	}
	else
	{
		scan->gap = 0;
		if (++scan->token > f->longest_token)
			f->longest_token = scan->token;
	}
	if (scan->line_begins)
		f->quoted_lines += c == '>';
	scan->line_begins = c == '\n';
	if (c == '\n')
	{
		int32_t		length = scan->line - (scan->before == '\r' && scan->line > 0);

		f->lines++;
		if (length > f->longest_line)
			f->longest_line = length;
		scan->line = 0;
	}
	else
		scan->line++;
}

static void
AddCharacter(TextScan *scan, uint32_t c, uint32_t facts)
{
	if (c >= 0x80)
		CountBeyondAscii(scan, c, facts);
	FollowCharacter(scan, c, facts);
	if (facts & (FACT_INVISIBLE | FACT_SELECTOR | FACT_BIDI))
		AddUnseen(scan, c, facts);
	else
	{
		scan->marks = (facts & FACT_MARK) != 0 ? scan->marks + 1 : 0;
		if (scan->marks > scan->facts.stacked_marks)
			scan->facts.stacked_marks = scan->marks;
		if (facts & FACT_WORD)
			AddWordCharacter(scan, facts);
		else
			EndWord(scan);
	}
	FollowEmoji(scan, c, facts);
	scan->tag_sequence = c == 0x1F3F4 || ((facts & FACT_TAG) != 0 && scan->tag_sequence && c != 0xE007F);
	scan->before = c;
	scan->before_facts = facts;
}

/* Characters one by one, until some of ASCII follow one another */
static const unsigned char *
AddSlowly(TextScan *scan, const unsigned char *p, const unsigned char *end)
{
	int			plain = 0;

	while (p < end && plain < PLAIN_AGAIN)
	{
		uint32_t	c;
		int			len = Utf8Decode(p, end, &c);

		plain = len == 1 ? plain + 1 : 0;

		/*
		 * a byte that is no character, as SQL_ASCII has it, is no letter
		 * either
		 */
		if (len == 0)
			AddCharacter(scan, 0xFFFD, 0);
		else
			AddCharacter(scan, c, CharFacts(c));
		p += len == 0 ? 1 : len;
	}
	return p;
}

/* ---- all of it ------------------------------------------------------------------- */

/* How often each byte occurs; four sums, since equal ones follow one another */
static void
CountBytes(TextScan *scan, const unsigned char *p, const unsigned char *end)
{
	for (; end - p >= 8; p += 8)
	{
		uint64_t	eight;

		memcpy(&eight, p, 8);
		scan->bytes[0][eight & 0xFF]++;
		scan->bytes[1][eight >> 8 & 0xFF]++;
		scan->bytes[2][eight >> 16 & 0xFF]++;
		scan->bytes[3][eight >> 24 & 0xFF]++;
		scan->bytes[0][eight >> 32 & 0xFF]++;
		scan->bytes[1][eight >> 40 & 0xFF]++;
		scan->bytes[2][eight >> 48 & 0xFF]++;
		scan->bytes[3][eight >> 56]++;
	}
	for (; p < end; p++)
		scan->bytes[0][*p]++;
}

/*
 * Read the next piece of a text.  Pieces are of whole characters, and 2^31 - 1
 * bytes at most in all.
 */
void
TextFactsAdd(TextScan *scan, const char *bytes, size_t len)
{
	const unsigned char *p = (const unsigned char *) bytes;
	const unsigned char *end = p + len;
	const unsigned char *counted = p;

	scan->facts.bytes += len;
	while (p < end)
	{
		int			n;

		if (p >= counted)
		{
			const unsigned char *to = end - counted > STRETCH ? counted + STRETCH : end;

			CountBytes(scan, counted, to);
			counted = to;
		}
		n = AddBlock(scan, p, end);
		p += n;
		if (n < BLOCK)
			p = AddSlowly(scan, p, end);
	}
	if (counted < end)
		CountBytes(scan, counted, end);
}

/* Small n times log2 n */
#define LOGS_KEPT	1024
static float n_log_n[LOGS_KEPT];

static inline double
NLogN(uint32_t n)
{
	return n < LOGS_KEPT ? n_log_n[n] : n * log2(n);
}

/* The sum of counts of bytes */
static inline int32_t
SumOf(const uint32_t *counts, int from, int to)
{
	uint32_t	sum = 0;

	for (int c = from; c <= to; c++)
		sum += counts[c];
	return sum;
}

/* Shannon's entropy of the bytes, in bits */
static double
Entropy(const uint32_t *counts, int kinds, int32_t bytes)
{
	double		sum = 0;
	double		entropy;

	if (n_log_n[2] == 0)
		for (int n = 1; n < LOGS_KEPT; n++)
			n_log_n[n] = n * log2(n);
	for (int c = 0; c < kinds; c++)
		sum += NLogN(counts[c]);
	entropy = bytes > 0 ? log2(bytes) - sum / bytes : 0;
	/* one byte all along may come out a hair below zero */
	return entropy > 0 ? entropy : 0;
}

/* What the counts of bytes tell */
static void
SumBytes(TextScan *scan)
{
	TextFacts  *f = &scan->facts;
	uint32_t   *counts = scan->bytes[0];
	int			kinds = f->characters == f->bytes && f->non_ascii == 0 ? 128 : 256;
	int32_t		upper;
	int32_t		letters;
	int32_t		digits;
	int32_t		blanks;

	for (int c = 0; c < kinds; c++)
		counts[c] += scan->bytes[1][c] + scan->bytes[2][c] + scan->bytes[3][c];
	upper = SumOf(counts, 'A', 'Z');
	letters = upper + SumOf(counts, 'a', 'z');
	digits = SumOf(counts, '0', '9');
	blanks = SumOf(counts, '\t', '\r');
	f->uppercase += upper;
	f->letters += letters;
	f->digits += digits;
	f->whitespace += blanks + counts[' '];
	f->punctuation += SumOf(counts, ' ' + 1, 0x7E) - letters - digits;
	f->control_characters += SumOf(counts, 0, ' ' - 1) + counts[0x7F] - blanks;
	f->exclamations += counts['!'];
	f->questions += counts['?'];
	f->currency += counts['$'];
	if (letters > 0)
		AddLetters(scan, FACT_SCRIPT(CharFacts('a')), letters);
	f->entropy = Entropy(counts, kinds, f->bytes);
}

/* Scripts by how many letters are of each, most first */
static void
SortScripts(TextScan *scan)
{
	TextFacts  *f = &scan->facts;

	for (int word = 0; word < SCRIPTS_MAX / 64; word++)
		for (uint64_t left = scan->scripts[word]; left != 0; left &= left - 1)
		{
			int			script = word * 64 + __builtin_ctzll(left);
			int			at;

			if (ScriptKindOf(script) == SCRIPT_NONE)
				continue;
			for (at = f->nscripts++; at > 0 && scan->letters[f->scripts[at - 1]] < scan->letters[script]; at--)
				f->scripts[at] = f->scripts[at - 1];
			f->scripts[at] = script;
		}
}

/* What there was in all pieces; valid as long as the scan is */
const TextFacts *
TextFactsEnd(TextScan *scan)
{
	TextFacts  *f = &scan->facts;

	EndWord(scan);
	if (!scan->line_begins)
		f->lines++;
	if (scan->line > f->longest_line)
		f->longest_line = scan->line;
	SumBytes(scan);
	SortScripts(scan);
	return f;
}
