/*
 * html_shrink.c
 *	  A document with less for the parser to look at.
 *
 * libgumbo takes some 25 ns for each byte, most of it for bytes that mean
 * nothing to it: text, addresses, styles.  Here each run of these becomes a
 * mark, which html.c turns back into what it stands for wherever it
 * meets one in the tree; attributes that nothing here asks for, scripts and
 * plain comments are left out.  What is kept makes the same tree.
 *
 * That holds as long as tags are told from text as the parser does it: this
 * follows the tokenizer of the HTML standard.  Where the parser changes how it
 * reads by what it has built (foreign content, <select>, <frameset>), there is
 * nothing to be saved, and the document stays as it is.
 */
#include <string.h>

#include "html.h"

/*
 * A mark is one character, U+F0000 and up, of which nobody writes any; a
 * document with one of them, spelt out or by its number, stays as it is.
 */
#define MARK_FIRST		'\xF3'
#define MARK_BYTES		4
#define MARK_CHAR		0xF0000
#define MAX_MARKS		0xFFFE	/* what follows are no characters */

/* Shortest run that is worth a mark */
#define LEAST_RUN		6

/* Attributes that are wanted, and may come each once */
#define MAX_NAMES		32

/* How the text of an element is read */
typedef enum ShrinkContent
{
	CONTENT_USUAL,
	CONTENT_KEPT,				/* no tags in it, taken as it is */
	CONTENT_STYLE,				/* no tags in it, and one mark */
	CONTENT_SCRIPT,				/* left out */
	CONTENT_UNKNOWN				/* the document can't be shrunk */
} ShrinkContent;

typedef struct ShrinkScan
{
	const char *p;
	const char *end;
	GString    *out;
	GArray	   *runs;			/* of HtmlRun */
	bool		keeps_space;	/* <pre> was met */
	/* the tag at hand */
	const char *tag;
	size_t		tag_len;
	/* and its attributes, of which a second one doesn't count */
	int			num_names;
	struct
	{
		const char *s;
		size_t		len;
	}			names[MAX_NAMES];
} ShrinkScan;

/* A name of a tag or attribute, and what there is to know of it */
typedef struct ShrinkWord
{
	const char *name;
	unsigned char len;
	unsigned char content;		/* of a tag */
	bool		formatting;		/* an element whose copies the parser counts */
	bool		keeps_space;
	const char *only;			/* the element that has the attribute, or NULL
								 * for any */
} ShrinkWord;

#define NAME(s)			.name = s, .len = sizeof(s) - 1

/* Chains of those words that begin with a letter, from the first of it (1 and up) */
typedef struct WordIndex
{
	bool		ready;
	unsigned char first[26];
	unsigned char next[64];
} WordIndex;

/* What is said of a name, or NULL where it isn't there */
static const ShrinkWord *
find_word(const ShrinkWord *words, size_t n, WordIndex *index, const char *name, size_t len)
{
	unsigned	letter = (name[0] | 0x20) - 'a';

	if (!index->ready)
		for (size_t i = n; i-- > 0;)
		{
			index->next[i] = index->first[words[i].name[0] - 'a'];
			index->first[words[i].name[0] - 'a'] = i + 1;
		}
	index->ready = true;
	if (letter < 26)
		for (int i = index->first[letter]; i > 0; i = index->next[i - 1])
			if (words[i - 1].len == len && g_ascii_strncasecmp(words[i - 1].name, name, len) == 0)
				return &words[i - 1];
	return NULL;
}

/* ---- runs ---------------------------------------------------------------- */

/* Bytes of which the parser need not know more than that they are there */
static void
add_run(ShrinkScan *scan, const char *s, size_t len, bool as_is)
{
	if (len < LEAST_RUN || scan->runs->len >= MAX_MARKS)
		text_put(scan->out, s, len);
	else
	{
		HtmlRun		run = {s, len, as_is};
		unsigned	c = MARK_CHAR + scan->runs->len;
		char		mark[MARK_BYTES] = {MARK_FIRST, 0x80 | (c >> 12 & 0x3F), 0x80 | (c >> 6 & 0x3F), 0x80 | (c & 0x3F)};

		g_array_append_val(scan->runs, run);
		text_put(scan->out, mark, MARK_BYTES);
	}
}

/* The end of a character reference, and of what decides how it is read */
static const char *
reference_end(const char *p, const char *end)
{
	p++;
	while (p < end && (g_ascii_isalnum(*p) || *p == '#'))
		p++;
	/* a line's end is one character, of two bytes or one */
	if (end - p >= 2 && p[0] == '\r' && p[1] == '\n')
		return p + 2;
	return p < end && (unsigned char) *p < 0x80 ? p + 1 : p;
}

/* References that are decoded here, being most of all; what they are is no longer than they */
static size_t
plain_reference(const char *p, const char *end, const char **is)
{
	if (end - p >= 5 && memcmp(p, "&amp;", 5) == 0)
	{
		*is = "&";
		return 5;
	}
	if (end - p >= 6 && memcmp(p, "&nbsp;", 6) == 0)
	{
		*is = "\xC2\xA0";
		return 6;
	}
	return 0;
}

/* Text or a value, whose other references the parser decodes */
static void
add_decoded(ShrinkScan *scan, const char *s, const char *end)
{
	const char *p = s;

	while (s < end)
	{
		const char *is;
		const char *next;
		size_t		n;

		p = memchr(p, '&', end - p);
		if (p == NULL)
			p = end;
		else if ((n = plain_reference(p, end, &is)) > 0)
		{
			p += n;
			if (p < end)
				continue;
		}
		add_run(scan, s, p - s, false);
		if (p == end)
			break;
		next = reference_end(p, end);
		/* what ends one may begin another */
		if (next > p + 1 && next[-1] == '&')
			next--;
		text_put(scan->out, p, next - p);
		s = p = next;
	}
}

/* Text: white space at its beginning decides where it may stand */
static void
add_text(ShrinkScan *scan, const char *s, const char *end)
{
	const char *p = s;

	while (p < end && is_space(*p))
		p++;
	if (scan->keeps_space)
		text_put(scan->out, s, p - s);
	else if (p > s)
		g_string_append_c(scan->out, ' ');
	add_decoded(scan, p, end);
}

/* ---- tags ---------------------------------------------------------------- */

/* Attributes that html.c asks for, or the parser */
static const ShrinkWord wanted[] = {
	{NAME("style")}, {NAME("class")}, {NAME("href")}, {NAME("src")}, {NAME("id")},
	{NAME("width"),.only = "img"}, {NAME("height"),.only = "img"}, {NAME("alt")},
	{NAME("bgcolor")}, {NAME("background")}, {NAME("hidden")}, {NAME("color"),.only = "font"},
	{NAME("text"),.only = "body"}, {NAME("size"),.only = "font"}, {NAME("media"),.only = "style"}, {NAME("type")}, {NAME("action")}, {NAME("formaction")},
	{NAME("poster")}, {NAME("srcset")}, {NAME("data")}, {NAME("lowsrc")}, {NAME("dynsrc")}, {NAME("http-equiv")},
	{NAME("content"),.only = "meta"}, {NAME("prompt")}, {NAME("value"),.only = "input"}, {NAME("placeholder"),.only = "input"},
	{NAME("srcdoc"),.only = "iframe"}, {NAME("dir")},
};

/* Tags that are more than a name and attributes */
static const ShrinkWord tags[] = {
	{NAME("style"),.content = CONTENT_STYLE}, {NAME("script"),.content = CONTENT_SCRIPT},
	{NAME("title"),.content = CONTENT_KEPT}, {NAME("textarea"),.content = CONTENT_KEPT,.keeps_space = true},
	{NAME("xmp"),.content = CONTENT_KEPT}, {NAME("iframe"),.content = CONTENT_KEPT},
	{NAME("noembed"),.content = CONTENT_KEPT}, {NAME("noframes"),.content = CONTENT_KEPT},
	{NAME("svg"),.content = CONTENT_UNKNOWN}, {NAME("math"),.content = CONTENT_UNKNOWN},
	{NAME("select"),.content = CONTENT_UNKNOWN}, {NAME("frameset"),.content = CONTENT_UNKNOWN},
	{NAME("plaintext"),.content = CONTENT_UNKNOWN}, {NAME("template"),.content = CONTENT_UNKNOWN},
	{NAME("noscript"),.content = CONTENT_UNKNOWN}, {NAME("isindex"),.content = CONTENT_UNKNOWN},
	{NAME("image"),.content = CONTENT_UNKNOWN},
	{NAME("pre"),.keeps_space = true}, {NAME("listing"),.keeps_space = true},
	{NAME("b"),.formatting = true}, {NAME("big"),.formatting = true}, {NAME("code"),.formatting = true},
	{NAME("em"),.formatting = true}, {NAME("font"),.formatting = true}, {NAME("i"),.formatting = true},
	{NAME("nobr"),.formatting = true}, {NAME("s"),.formatting = true}, {NAME("small"),.formatting = true},
	{NAME("strike"),.formatting = true}, {NAME("strong"),.formatting = true}, {NAME("tt"),.formatting = true},
	{NAME("u"),.formatting = true},
};

/* The name of an attribute in lower case, if it is wanted of that tag, else NULL */
const char *
html_wanted(const char *name, size_t len, const char *tag, size_t tag_len)
{
	static WordIndex index;
	const ShrinkWord *word = find_word(wanted, G_N_ELEMENTS(wanted), &index, name, len);

	return word != NULL && (word->only == NULL || tag_is(tag, tag_len, word->only)) ? word->name : NULL;
}

/* Is an attribute the first of its name, and wanted? */
static bool
is_taken(ShrinkScan *scan, const char *name, size_t len)
{
	if (html_wanted(name, len, scan->tag, scan->tag_len) == NULL)
		return false;
	for (int i = 0; i < scan->num_names; i++)
		if (scan->names[i].len == len && g_ascii_strncasecmp(scan->names[i].s, name, len) == 0)
			return false;
	if (scan->num_names == MAX_NAMES)
		return false;
	scan->names[scan->num_names].s = name;
	scan->names[scan->num_names++].len = len;
	return true;
}

/* One attribute, if it is kept */
static void
take_attribute(ShrinkScan *scan, const HtmlAttribute *a)
{
	if (!is_taken(scan, a->name, a->name_len))
		return;
	g_string_append_c(scan->out, ' ');
	text_put(scan->out, a->name, a->name_len);
	if (a->value == NULL)
		return;
	/* what has no quotes needs none, whatever is in it */
	g_string_append_c(scan->out, '=');
	if (a->quote != '\0')
		g_string_append_c(scan->out, a->quote);
	/* the parser itself asks for the type of an <input> */
	if (tag_is(a->name, a->name_len, "type"))
		text_put(scan->out, a->value, a->value_len);
	else
		add_decoded(scan, a->value, a->value + a->value_len);
	if (a->quote != '\0')
		g_string_append_c(scan->out, a->quote);
	else if (a->value_len == 0)
		g_string_append(scan->out, "\"\"");
}

/* Over a tag's attributes up to its end; false where it has none */
static bool
take_attributes(ShrinkScan *scan, bool kept)
{
	HtmlAttribute a;
	int			more;

	scan->num_names = 0;
	while ((more = html_attribute(&scan->p, scan->end, &a)) > 0)
		if (kept)
			take_attribute(scan, &a);
	if (more < 0)
		return false;
	if (a.closed && kept)
		g_string_append(scan->out, " /");
	g_string_append_c(scan->out, '>');
	return true;
}

/* What is in an element without tags; false where that can't be told */
static bool
take_content(ShrinkScan *scan, ShrinkContent content, const char *name, size_t len)
{
	const char *close = html_end_tag(scan->p, scan->end, name, len);

	if (close == NULL)
		return false;
	if (content == CONTENT_STYLE)
		add_run(scan, scan->p, close - scan->p, true);
	else if (content == CONTENT_KEPT)
		text_put(scan->out, scan->p, close - scan->p);
	/* a script in a comment in a script has rules of its own */
	else if (g_strstr_len(scan->p, close - scan->p, "<!--") != NULL)
		return false;
	scan->p = close;
	return true;
}

/* A tag from its < on; false where the document can't be shrunk */
static bool
take_tag(ShrinkScan *scan)
{
	static WordIndex index;
	const char *start = scan->p;
	bool		closing = start[1] == '/';
	const char *name = start + (closing ? 2 : 1);
	size_t		len;
	gsize		out_len = scan->out->len;
	const ShrinkWord *word;
	ShrinkContent content;

	scan->p = name;
	while (scan->p < scan->end && !is_space(*scan->p) && *scan->p != '/' && *scan->p != '>')
		scan->p++;
	len = scan->p - name;
	scan->tag = name;
	scan->tag_len = len;
	word = find_word(tags, G_N_ELEMENTS(tags), &index, name, len);
	content = word != NULL ? word->content : CONTENT_USUAL;
	if (content == CONTENT_UNKNOWN)
		return false;
	if (word != NULL && word->keeps_space)
		scan->keeps_space = true;
	text_put(scan->out, start, scan->p - start);
	if (!take_attributes(scan, !closing))
		return false;
	if (!closing && word != NULL && word->formatting)
	{
		g_string_truncate(scan->out, out_len);
		text_put(scan->out, start, scan->p - start);
	}
	return closing || content == CONTENT_USUAL || take_content(scan, content, name, len);
}

/* <!-- … -->, <!…>, <?…>, </…>; false where it has no end */
static bool
take_comment(ShrinkScan *scan)
{
	const char *start = scan->p;
	const char *s = start + 4;
	const char *close;

	if (scan->end - start >= 4 && memcmp(start, "<!--", 4) == 0)
	{
		close = html_comment_end(s, scan->end);
		if (close == NULL)
			return false;
		while (s < close && is_space(*s))
			s++;
		if (close - s < 3 || memcmp(s, "[if", 3) != 0)
		{
			g_string_append(scan->out, "<!---->");
			scan->p = close;
			return true;
		}
	}
	else
	{
		close = memchr(start, '>', scan->end - start);
		if (close == NULL)
			return false;
		close++;
	}
	text_put(scan->out, start, close - start);
	scan->p = close;
	return true;
}

/* Are there characters that look like marks, spelt out or by their number? */
static bool
has_marks(const char *s, size_t len)
{
	if (memchr(s, MARK_FIRST, len) != NULL)
		return true;
	for (; (s = strstr(s, "&#")) != NULL; s += 2)
	{
		bool		hex = s[2] == 'x' || s[2] == 'X';
		guint64		c = g_ascii_strtoull(s + (hex ? 3 : 2), NULL, hex ? 16 : 10);

		/* of a number beyond all characters the parser keeps the low bits */
		if (c >= MARK_CHAR)
			return true;
	}
	return false;
}

/*
 * Shrink a document, which ends in a NUL, into out.  The runs point into it.  False where it has to
 * be taken as it is.
 */
bool
html_shrink(const char *s, size_t len, GString *out, GArray *runs)
{
	ShrinkScan	scan = {.p = s,.end = s + len,.out = out,.runs = runs};

	g_string_truncate(out, 0);
	g_array_set_size(runs, 0);
	if (has_marks(s, len) || html_has_controls(s, len))
		return false;
	while (scan.p < scan.end)
	{
		const char *from = scan.p;
		const char *lt = memchr(from, '<', scan.end - from);

		if (lt == NULL)
			lt = scan.end;
		add_text(&scan, from, lt);
		scan.p = lt;
		if (scan.end - lt < 2)
		{
			text_put(out, lt, scan.end - lt);
			break;
		}
		if (g_ascii_isalpha(lt[1]) || (lt[1] == '/' && scan.end - lt > 2 && g_ascii_isalpha(lt[2])))
		{
			if (!take_tag(&scan))
				return false;
		}
		else if (lt[1] == '!' || lt[1] == '?' || lt[1] == '/')
		{
			if (!take_comment(&scan))
				return false;
		}
		else
		{
			/* a < that begins nothing is text, and so is what follows */
			g_string_append_c(out, '<');
			scan.p++;
			if (scan.p[0] == '\r' && scan.p[1] == '\n')
				g_string_append_c(out, *scan.p++);
			if (is_space(*scan.p))
				g_string_append_c(out, *scan.p++);
		}
	}
	return true;
}

/* The run that a mark stands for, or NULL */
static const HtmlRun *
run_at(const char *s, const GArray *runs)
{
	unsigned	number = 0;

	for (int i = 1; i < MARK_BYTES; i++)
	{
		if (((unsigned char) s[i] & 0xC0) != 0x80)
			return NULL;
		number = number << 6 | (s[i] & 0x3F);
	}
	/* U+C0000 is the first character that begins as marks do */
	number -= MARK_CHAR - 0xC0000;
	return number < runs->len ? &g_array_index(runs, HtmlRun, number) : NULL;
}

/* A run as the parser would have made it; returns the length */
static size_t
copy_run(char *to, const HtmlRun *run)
{
	const char *end = run->s + run->len;
	const char *is;
	size_t		n = 0;
	size_t		skip;

	if (memchr(run->s, '\r', run->len) == NULL && memchr(run->s, '&', run->len) == NULL)
	{
		memcpy(to, run->s, run->len);
		return run->len;
	}
	for (const char *p = run->s; p < end; p++)
		if (*p == '&' && !run->as_is && (skip = plain_reference(p, end, &is)) > 0)
		{
			memcpy(to + n, is, strlen(is));
			n += strlen(is);
			p += skip - 1;
		}
		else if (*p != '\r')
			to[n++] = *p;
		else if (p + 1 == end || p[1] != '\n')
			to[n++] = '\n';
	return n;
}

/* A string of the tree with its marks turned back, in memory of that function */
const char *
html_expand(const char *s, const GArray *runs, void *(*alloc) (void *arg, size_t size), void *arg)
{
	const char *mark = strchr(s, MARK_FIRST);
	size_t		size;
	char	   *made;
	char	   *to;

	if (mark == NULL)
		return s;
	size = strlen(s) + 1;
	for (const char *p = mark; p != NULL; p = strchr(p + 1, MARK_FIRST))
	{
		const HtmlRun *run = run_at(p, runs);

		size += run != NULL ? run->len : 0;
	}
	made = to = alloc(arg, size);
	for (; mark != NULL; mark = strchr(mark + 1, MARK_FIRST))
	{
		const HtmlRun *run = run_at(mark, runs);

		if (run == NULL)
			continue;
		memcpy(to, s, mark - s);
		to += mark - s;
		to += copy_run(to, run);
		s = mark + MARK_BYTES;
	}
	strcpy(to, s);
	return made;
}
