/*
 * style.c
 *	  Which text of an HTML message a reader can't see.
 *
 * Senders hide text from readers, not from filters: words that make a message
 * look harmless, or letters in the middle of a brand's name.  This is no CSS
 * engine.  It reads the declarations that hide text, in the forms that are
 * used, and leaves text visible where it is not sure.
 */
#include <stdlib.h>
#include <string.h>

#include "html.h"

/* Colours that differ by less in each channel are the same to the eye */
#define SAME_COLOR		12

/* Letters of this many pixels and less are specks */
#define TINY_PIXELS		2.0

/* Nobody sees what is this far outside of the page */
#define FAR_PIXELS		500.0

#define MAX_RULES		2000	/* of style sheets */

/* What goes over what, of declarations of an element */
#define RANK_ATTRIBUTE	1
#define RANK_ELEMENT	2
#define RANK_CLASS		3
#define RANK_BOTH		4
#define RANK_ID			5
#define RANK_INLINE		6
#define RANK_IMPORTANT	10

#define MAX_BLOCK		4096	/* bytes of a rule, or of those before it */
#define MAX_CLASSES		16		/* of one element */
#define MAX_APPLIED		(64 * 1024 * 1024)	/* bytes of declarations, to all
											 * elements */

void
style_init(Style *style)
{
	memset(style, 0, sizeof(*style));
	style->color = 0x000000;
	style->background = 0xFFFFFF;
}

/* The same of a word that is written out */
#define IS_WORD(s, len, word) \
	((len) == sizeof(word) - 1 && ((s)[0] | 0x20) == (word)[0] && g_ascii_strncasecmp(s, word, len) == 0)

/* Is that piece of text this word? */
static bool
is_word(const char *s, size_t len, const char *word)
{
	return len == strlen(word) && (len == 0 || (s[0] | 0x20) == word[0]) &&
		g_ascii_strncasecmp(s, word, len) == 0;
}

/* Does a value begin with that word? */
static bool
begins(const char *s, size_t len, const char *word)
{
	size_t		n = strlen(word);

	return len >= n && g_ascii_strncasecmp(s, word, n) == 0;
}

/* "#rgb" or "#rrggbb", or unknown */
static int
hex_color(const char *s, size_t len)
{
	int			digits[8];
	size_t		n = 0;

	while (n < len && n < 8 && g_ascii_isxdigit(s[n]))
	{
		digits[n] = g_ascii_xdigit_value(s[n]);
		n++;
	}
	if (n == 3 || n == 4)
		return (digits[0] * 17) << 16 | (digits[1] * 17) << 8 | digits[2] * 17;
	if (n == 6 || n == 8)
		return (digits[0] * 16 + digits[1]) << 16 | (digits[2] * 16 + digits[3]) << 8 |
			(digits[4] * 16 + digits[5]);
	return COLOR_UNKNOWN;
}

/* "rgb(255, 255, 255)", "rgb(100% 100% 100%)"; sets *alpha where it is given */
static int
rgb_color(const char *s, size_t len, double *alpha)
{
	char		buf[64];
	char	   *p = buf;
	double		v[4] = {0, 0, 0, 1};
	int			n;

	len = MIN(len, sizeof(buf) - 1);
	memcpy(buf, s, len);
	buf[len] = '\0';
	for (n = 0; n < 4; n++)
	{
		char	   *end;

		p += strspn(p, " ,/\t\n");
		v[n] = g_ascii_strtod(p, &end);
		if (end == p)
			break;
		if (*end == '%')
		{
			v[n] *= n < 3 ? 2.55 : 0.01;
			end++;
		}
		p = end;
	}
	if (n < 3)
		return COLOR_UNKNOWN;
	if (n == 4)
		*alpha = v[3];
	return (int) CLAMP(v[0], 0, 255) << 16 | (int) CLAMP(v[1], 0, 255) << 8 |
		(int) CLAMP(v[2], 0, 255);
}

/* A colour of CSS or of an attribute; unknown ones leave *color as it is */
static bool
parse_color(const char *s, size_t len, int *color, double *alpha)
{
	static const struct
	{
		const char *name;
		int			color;
	}			names[] =
	{
		{"white", 0xFFFFFF}, {"black", 0x000000}, {"snow", 0xFFFAFA}, {"ivory", 0xFFFFF0},
		{"ghostwhite", 0xF8F8FF}, {"whitesmoke", 0xF5F5F5}, {"floralwhite", 0xFFFAF0},
		{"red", 0xFF0000}, {"blue", 0x0000FF}, {"green", 0x008000}, {"yellow", 0xFFFF00},
		{"gray", 0x808080}, {"grey", 0x808080}, {"silver", 0xC0C0C0}, {"navy", 0x000080},
		{"maroon", 0x800000}, {"orange", 0xFFA500}, {"purple", 0x800080}, {"teal", 0x008080},
	};

	*alpha = 1;
	if (len > 0 && s[0] == '#')
		*color = hex_color(s + 1, len - 1);
	else if (begins(s, len, "rgb(") || begins(s, len, "rgba("))
	{
		const char *open = memchr(s, '(', len);

		*color = rgb_color(open + 1, s + len - open - 1, alpha);
	}
	else if (begins(s, len, "transparent"))
		*alpha = 0;
	else
	{
		size_t		n = 0;

		while (n < len && g_ascii_isalpha(s[n]))
			n++;
		*color = COLOR_UNKNOWN;
		for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
			if (is_word(s, n, names[i].name))
				*color = names[i].color;
		if (*color == COLOR_UNKNOWN && n == 0 && len >= 6)
			*color = hex_color(s, len);
		/* "ffffff", as in old attributes */
		if (*color == COLOR_UNKNOWN && len == 6)
			*color = hex_color(s, len);
	}
	return true;
}

/* The colour that an attribute gives, color="…" or bgcolor="…" */
void
style_color(int *color, const char *s, size_t len)
{
	double		alpha;

	while (len > 0 && g_ascii_isspace(*s))
		s++, len--;
	if (len > 0)
		parse_color(s, len, color, &alpha);
}

/* A length in pixels; false where it is relative to something or none. *scales: to the font */
static bool
pixels(const char *s, size_t len, double *px, bool *scales)
{
	static const struct
	{
		const char *name;
		double		px;
		bool		scales;
	}			units[] =
	{
		{"", 1, false}, {"px", 1, false}, {"pt", 4.0 / 3, false}, {"pc", 16, false}, {"in", 96, false},
		{"cm", 37.8, false}, {"mm", 3.78, false}, {"q", 0.945, false},
		{"em", 16, true}, {"rem", 16, false}, {"ex", 8, true}, {"ch", 8, true},
	};
	char		buf[32];
	char	   *end;
	size_t		n;

	len = MIN(len, sizeof(buf) - 1);
	memcpy(buf, s, len);
	buf[len] = '\0';
	*scales = false;
	*px = g_ascii_strtod(buf, &end);
	if (end == buf)
		return false;
	n = strcspn(end, " \t\r\n\f/,");
	if (*end == '%' || (n > 1 && g_ascii_strncasecmp(end, "v", 1) == 0))
		return *px == 0;
	for (size_t i = 0; i < G_N_ELEMENTS(units); i++)
		if (is_word(end, n, units[i].name))
		{
			*px *= units[i].px;
			*scales = units[i].scales;
			return true;
		}
	return false;
}

/* Is it a length of so many pixels at most? */
static bool
is_up_to(const char *s, size_t len, double most)
{
	double		px;
	bool		scales;

	return pixels(s, len, &px, &scales) && px <= most;
}

/*
 * May a declaration have its way, after what was said before?  Of those of equal
 * rank the later, but the order of rules of different selectors is not known:
 * what shows text wins over what hides it.
 */
static bool
wins(const Own *own, Said what, bool hides)
{
	int			before = own->said[what].rank;

	if (own->rank != before)
		return own->rank > before;
	return own->list == own->said[what].list || own->said[what].hides || !hides;
}

static bool
say(Own *own, Said what, bool hides)
{
	if ((own->maybe && hides) || !wins(own, what, hides))
		return false;
	own->said[what].hides = hides;
	own->said[what].rank = own->rank;
	own->said[what].list = own->list;
	return true;
}

/* font-size: relative sizes leave a tiny font tiny */
static void
font_size(Style *style, Own *own, const char *s, size_t len)
{
	double		px;
	bool		scales;

	if (!pixels(s, len, &px, &scales))
	{
		if (len > 0 && g_ascii_isalpha(s[0]) && !begins(s, len, "inherit") && !begins(s, len, "larger") &&
			!begins(s, len, "smaller") && say(own, SAID_FONT_SIZE, false))
			style->tiny = false;
	}
	else if (px >= 0 && px <= TINY_PIXELS)
		style->tiny = say(own, SAID_FONT_SIZE, true) || style->tiny;
	else if (px > 0 && !scales && say(own, SAID_FONT_SIZE, false))
		style->tiny = false;
}

/* "bold 0/0 a": the size stands before the family */
static void
font(Style *style, Own *own, const char *s, size_t len)
{
	const char *end = s + len;

	for (const char *p = s; p < end; p++)
		if (g_ascii_isdigit(*p) && (p == s || g_ascii_isspace(p[-1])))
		{
			/* a weight is a number of three digits */
			if (end - p >= 3 && p[1] == '0' && p[2] == '0' && (end - p == 3 || g_ascii_isspace(p[3])))
				continue;
			font_size(style, own, p, end - p);
			return;
		}
	/* "caption": one of the system's */
	font_size(style, own, s, len);
}

/* background, background-color: a picture makes it unknown */
static void
background(Style *style, Own *own, const char *s, size_t len)
{
	double		alpha;
	int			color = style->background;

	if (begins(s, len, "none") || begins(s, len, "inherit") || begins(s, len, "initial") || !say(own, SAID_BACKGROUND, false))
		return;
	if (own->maybe || g_strstr_len(s, len, "url(") != NULL || g_strstr_len(s, len, "gradient") != NULL)
	{
		style->background = COLOR_UNKNOWN;
		return;
	}
	parse_color(s, len, &color, &alpha);
	if (alpha >= 0.9)
		style->background = color;
	else if (alpha > 0.05)
		style->background = COLOR_UNKNOWN;
}

static void
text_color(Style *style, Own *own, const char *s, size_t len)
{
	double		alpha = 1;
	bool		again = own->said[SAID_COLOR].rank > 0;

	if (!say(own, SAID_COLOR, false))
		return;
	if (own->maybe)
	{
		style->color = COLOR_UNKNOWN;
		return;
	}
	if (begins(s, len, "inherit"))
	{
		if (again)
			style->color = COLOR_UNKNOWN;
		return;
	}
	parse_color(s, len, &style->color, &alpha);
	if (alpha < 0.05)
		style->color = style->background;
}

/* "all: initial" and its like: nothing of what was said before holds */
static void
all(Style *style, Own *own)
{
	for (Said what = 0; what < NUM_SAID; what++)
		(void) say(own, what, false);
	style->invisible = style->tiny = style->indented = false;
	style->color = COLOR_UNKNOWN;
}

/* One declaration, "name: value" */
static void
declaration(Style *style, Own *own, const char *name, size_t n, const char *s, size_t len)
{
	bool		hides;

	if (IS_WORD(name, n, "display"))
		(void) say(own, SAID_DISPLAY, is_word(s, len, "none"));
	else if (IS_WORD(name, n, "visibility"))
	{
		hides = is_word(s, len, "hidden") || is_word(s, len, "collapse") ||
			(is_word(s, len, "inherit") && style->invisible);
		if (say(own, SAID_VISIBILITY, hides))
			style->invisible = hides;
	}
	else if (IS_WORD(name, n, "font-size"))
		font_size(style, own, s, len);
	else if (IS_WORD(name, n, "font"))
		font(style, own, s, len);
	else if (IS_WORD(name, n, "color"))
		text_color(style, own, s, len);
	else if (IS_WORD(name, n, "text-shadow") || IS_WORD(name, n, "-webkit-text-fill-color") ||
			 IS_WORD(name, n, "-webkit-text-stroke") || IS_WORD(name, n, "-webkit-text-stroke-color"))
	{
		/* letters in two colours, or in another */
		if (!is_word(s, len, "none"))
			style->lined = true;
	}
	else if (IS_WORD(name, n, "background") || IS_WORD(name, n, "background-color") ||
			 IS_WORD(name, n, "background-image"))
		background(style, own, s, len);
	else if (IS_WORD(name, n, "opacity"))
		(void) say(own, SAID_OPACITY, is_up_to(s, len, 0.05));
	else if (IS_WORD(name, n, "max-height") || IS_WORD(name, n, "height"))
		(void) say(own, SAID_HEIGHT, is_up_to(s, len, 1));
	else if (IS_WORD(name, n, "max-width") || IS_WORD(name, n, "width"))
		(void) say(own, SAID_WIDTH, is_up_to(s, len, 1));
	else if (IS_WORD(name, n, "min-height") || begins(name, n, "padding"))
		(void) say(own, SAID_ROOM, !is_up_to(s, len, 1));
	else if (IS_WORD(name, n, "overflow") || IS_WORD(name, n, "overflow-y"))
		(void) say(own, SAID_OVERFLOW, begins(s, len, "hidden") || begins(s, len, "clip"));
	else if (IS_WORD(name, n, "position"))
		(void) say(own, SAID_POSITION, is_word(s, len, "absolute") || is_word(s, len, "fixed"));
	else if (IS_WORD(name, n, "float"))
		(void) say(own, SAID_FLOAT, !is_word(s, len, "none"));
	else if (IS_WORD(name, n, "left") || IS_WORD(name, n, "right"))
		(void) say(own, SAID_LEFT, is_up_to(s, len, -FAR_PIXELS));
	else if (IS_WORD(name, n, "top") || IS_WORD(name, n, "bottom"))
		(void) say(own, SAID_TOP, is_up_to(s, len, -FAR_PIXELS));
	else if (IS_WORD(name, n, "text-indent"))
	{
		hides = is_up_to(s, len, -FAR_PIXELS);
		if ((hides || !begins(s, len, "inherit")) && say(own, SAID_INDENT, hides))
			style->indented = hides;
	}
	else if (IS_WORD(name, n, "margin-left"))
		(void) say(own, SAID_MARGIN_LEFT, is_up_to(s, len, -FAR_PIXELS));
	else if (IS_WORD(name, n, "margin-top"))
		(void) say(own, SAID_MARGIN_TOP, is_up_to(s, len, -FAR_PIXELS));
	else if (IS_WORD(name, n, "clip"))
		(void) say(own, SAID_CLIP, g_strstr_len(s, len, "rect(0") != NULL);
	else if (IS_WORD(name, n, "clip-path"))
		(void) say(own, SAID_CLIP_PATH, g_strstr_len(s, len, "rect(0") != NULL ||
				   g_strstr_len(s, len, "inset(100%") != NULL || g_strstr_len(s, len, "inset(50%") != NULL);
	else if (IS_WORD(name, n, "transform"))
		(void) say(own, SAID_TRANSFORM, g_strstr_len(s, len, "scale(0)") != NULL);
	else if (IS_WORD(name, n, "all") && !is_word(s, len, "inherit"))
		all(style, own);
}

/* Behind a string, a comment or what is in brackets that begins here; else the next character */
static const char *
behind(const char *s, const char *end)
{
	const char *close;
	int			depth = 0;

	if (*s == '"' || *s == '\'')
	{
		/* it ends with its line at the latest */
		for (close = s + 1; close < end && *close != *s && *close != '\n'; close++)
			if (*close == '\\' && close + 1 < end)
				close++;
		return close < end ? close + 1 : end;
	}
	if (*s == '/' && end - s > 1 && s[1] == '*')
	{
		close = g_strstr_len(s + 2, end - s - 2, "*/");
		return close != NULL ? close + 2 : end;
	}
	if (*s != '(')
		return s + 1;
	for (close = s; close < end; close++)
		if (*close == '(')
			depth++;
		else if (*close == ')' && --depth == 0)
			return close + 1;
	return end;
}

/* The end of a declaration, a ';' that is in no string, comment or bracket */
static const char *
declaration_end(const char *s, const char *end)
{
	while (s < end && *s != ';')
		s = strchr("\"'(/", *s) != NULL && *s != '\0' ? behind(s, end) : s + 1;
	return s;
}

/* White space and comments before and behind a name or value go. */
static void
trim(const char **s, const char **end)
{
	const char *comment;

	for (;;)
	{
		while (*s < *end && g_ascii_isspace(**s))
			(*s)++;
		if (*end - *s < 2 || (*s)[0] != '/' || (*s)[1] != '*')
			break;
		*s = behind(*s, *end);
	}
	if ((comment = g_strstr_len(*s, *end - *s, "/*")) != NULL)
		*end = comment;
	while (*end > *s && g_ascii_isspace((*end)[-1]))
		(*end)--;
}

/* Apply "name: value; …", declarations of some rank */
static void
declarations(Style *style, Own *own, int rank, const char *s, size_t len)
{
	const char *end = s + len;

	own->list++;
	while (s < end)
	{
		const char *stop = declaration_end(s, end);
		const char *colon = memchr(s, ':', stop - s);

		if (colon != NULL)
		{
			const char *name = s;
			const char *name_end = colon;
			const char *value = colon + 1;
			const char *value_end = stop;
			const char *important = memchr(value, '!', stop - value);

			trim(&name, &name_end);
			if (important != NULL)
				value_end = important;
			trim(&value, &value_end);
			own->rank = rank + (important != NULL ? RANK_IMPORTANT : 0);
			declaration(style, own, name, name_end - name, value, value_end - value);
		}
		s = stop + 1;
	}
}

/* An element begins, with the style of what it is in */
void
style_begin(Own *own, bool in_line)
{
	memset(own, 0, sizeof(*own));
	own->in_line = in_line;
}

/* The attribute "hidden", over which any declaration goes */
void
style_hidden(Own *own)
{
	own->rank = RANK_ATTRIBUTE;
	(void) say(own, SAID_DISPLAY, true);
}

/* Its attribute "style" */
void
style_inline(Style *style, Own *own, const char *s)
{
	declarations(style, own, RANK_INLINE, s, strlen(s));
}

/* All is read: what is hidden of it is so for all that is in it */
void
style_end(Style *style, const Own *own)
{
	bool		is_box = !own->in_line || own->said[SAID_DISPLAY].rank > 0 ||
	own->said[SAID_POSITION].hides || own->said[SAID_FLOAT].hides;

	if (own->said[SAID_DISPLAY].hides || own->said[SAID_OPACITY].hides)
		style->gone = true;
	if ((own->said[SAID_HEIGHT].hides || own->said[SAID_WIDTH].hides) && own->said[SAID_OVERFLOW].hides &&
		!own->said[SAID_ROOM].hides && is_box)
		style->off_page = true;
	if (own->said[SAID_POSITION].hides &&
		(own->said[SAID_LEFT].hides || own->said[SAID_TOP].hides || own->said[SAID_CLIP].hides))
		style->off_page = true;
	if ((own->said[SAID_MARGIN_LEFT].hides || own->said[SAID_MARGIN_TOP].hides) && !own->said[SAID_ROOM].hides)
		style->off_page = true;
	if (own->said[SAID_CLIP_PATH].hides || own->said[SAID_TRANSFORM].hides)
		style->off_page = true;
}

/* Is text in the colour of what is behind it? */
static bool
same_color(int a, int b)
{
	if (a == COLOR_UNKNOWN || b == COLOR_UNKNOWN)
		return false;
	return abs((a >> 16 & 255) - (b >> 16 & 255)) <= SAME_COLOR &&
		abs((a >> 8 & 255) - (b >> 8 & 255)) <= SAME_COLOR &&
		abs((a & 255) - (b & 255)) <= SAME_COLOR;
}

/* Is text of that style one that no reader sees? */
bool
style_hides(const Style *style)
{
	return style->gone || style->invisible || style->tiny || style->off_page || style->indented ||
		(!style->lined && same_color(style->color, style->background));
}

/* ---- style sheets -------------------------------------------------------- */

/* The end of a block of CSS that begins at {, with the blocks in it */
static const char *
block_end(const char *s, const char *end)
{
	int			depth = 0;

	while (s < end)
	{
		if (*s == '{')
			depth++;
		else if (*s == '}' && --depth == 0)
			return s;
		s = *s == '"' || *s == '\'' || *s == '(' || *s == '/' ? behind(s, end) : s + 1;
	}
	return end;
}

/* Is a style sheet one, and not for print alone? */
bool
style_is_for_screens(const char *type, const char *media)
{
	if (type != NULL && *type != '\0' && g_ascii_strcasecmp(type, "text/css") != 0)
		return false;
	media += media != NULL ? strspn(media, " \t\r\n") : 0;
	return media == NULL || *media == '\0' || g_ascii_strncasecmp(media, "all", 3) == 0 ||
		g_ascii_strcasecmp(media, "screen") == 0;
}

/* Of selectors of which one is none, none counts. */
static bool
are_selectors(const char *s, const char *end)
{
	for (;;)
	{
		while (s < end && g_ascii_isspace(*s))
			s++;
		if (s == end || (!g_ascii_isalpha(*s) && strchr(".#*[:_\\-", *s) == NULL && (unsigned char) *s < 0x80))
			return false;
		while (s < end && *s != ',')
			s = behind(s, end);
		if (s == end)
			return true;
		s++;
	}
}

/* Is it a class, an id, an element, or an element with a class? */
static bool
is_simple(const char *s, size_t n)
{
	int			marks = 0;

	for (size_t i = 0; i < n; i++)
		marks += s[i] == '.' || s[i] == '#';
	return n > 0 && n < 100 && (marks == 0 || (marks == 1 && (s[0] == '#' || memchr(s, '.', n) != NULL)));
}

/* Keep a rule's declarations behind those that its selector has already. */
static void
keep_rule(GHashTable *rules, const char *selector, size_t n, const char *block, size_t len)
{
	char	   *key = g_ascii_strdown(selector, n);
	char	   *old = g_hash_table_lookup(rules, key);

	if (old == NULL && g_hash_table_size(rules) >= MAX_RULES)
		g_free(key);
	else if (len > MAX_BLOCK)
		g_hash_table_insert(rules, key, g_strdup("all: initial"));
	else if (old == NULL || strlen(old) > MAX_BLOCK)
		g_hash_table_insert(rules, key, g_strndup(block, len));
	else
		g_hash_table_insert(rules, key, g_strdup_printf("%s;%.*s", old, (int) len, block));
}

/*
 * A selector of another kind, "div > p.a:first-child": by what the element
 * itself must be, a class, id or element, or anything
 */
static void
keep_maybe(Sheets *sheets, const char *s, size_t n, const char *block, size_t len)
{
	size_t		word = 0;
	const char *last;

	while (n > 0 && g_ascii_isspace(s[n - 1]))
		n--;
	for (size_t i = n; i > 0; i--)
		if (strchr(" \t\r\n>+~", s[i - 1]) != NULL)
		{
			s += i;
			n -= i;
			break;
		}
	while (word < n && strchr(":[*", s[word]) == NULL)
		word++;
	/* of several classes the last */
	last = word > 0 ? g_strrstr_len(s, word, ".") : NULL;
	if (last != NULL)
		keep_rule(sheets->maybe, last, s + word - last, block, len);
	else if (word > 0 && word < 100)
		keep_rule(sheets->maybe, s, word, block, len);
	else
		keep_rule(sheets->maybe, "*", 1, block, len);
}

/*
 * The rules with a simple selector: a class, an id, an element, or an element
 * with a class; of others we know that they may hold.  Rules for some media
 * only are left out.
 */
void
style_read_sheet(Sheets *sheets, const char *s)
{
	const char *end = s + strlen(s);
	const char *open;

	if (sheets->rules == NULL)
	{
		sheets->rules = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
		sheets->maybe = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	}
	while ((open = strchr(s, '{')) != NULL)
	{
		const char *close = block_end(open, end);
		const char *at = s;
		const char *comment;

		while ((comment = g_strstr_len(at, open - at, "*/")) != NULL)
			at = comment + 2;
		at += strspn(at, " \t\r\n;}<!->");
		if (at < open && *at != '@' && !are_selectors(at, open))
			at = open;
		while (at < open && *at != '@')
		{
			size_t		n = strcspn(at, ",{");
			size_t		word = strcspn(at, " \t\r\n,{>+~:[*");

			if (is_simple(at, word) && word + strspn(at + word, " \t\r\n") == n)
				keep_rule(sheets->rules, at, word, open + 1, close - open - 1);
			else if (n > 0)
				keep_maybe(sheets, at, n, open + 1, close - open - 1);
			at += n;
			at += strspn(at, ", \t\r\n");
		}
		if (*close == '\0')
			break;
		s = close + 1;
	}
}

void
style_free_sheets(Sheets *sheets)
{
	if (sheets->rules == NULL)
		return;
	g_hash_table_destroy(sheets->rules);
	g_hash_table_destroy(sheets->maybe);
}

/* Apply what the style sheets say under that selector, if anything */
static void
apply_rule(Sheets *sheets, Style *style, Own *own, int rank, const char *key)
{
	const char *rules = g_hash_table_lookup(own->maybe ? sheets->maybe : sheets->rules, key);
	size_t		len;

	if (rules == NULL)
		return;
	len = strlen(rules);
	if (sheets->applied + len > MAX_APPLIED)
	{
		sheets->exhausted = true;
		return;
	}
	sheets->applied += len;
	declarations(style, own, own->maybe ? RANK_ID : rank, rules, len);
}

/* The same of all selectors that are an element's */
static void
apply_selectors(Sheets *sheets, Style *style, Own *own, const char *tag, const char *classes, const char *id)
{
	char		key[160];
	size_t		tag_len = strnlen(tag, 60);

	apply_rule(sheets, style, own, RANK_ELEMENT, tag);
	memcpy(key, tag, tag_len);
	key[tag_len] = '.';
	for (int i = 0; classes != NULL && *classes != '\0' && i < MAX_CLASSES; i++)
	{
		size_t		n;

		classes += strspn(classes, " \t\r\n");
		n = strcspn(classes, " \t\r\n");
		if (n > 0 && n < 60)
		{
			/* the class alone is the end of tag and class */
			for (size_t k = 0; k < n; k++)
				key[tag_len + 1 + k] = g_ascii_tolower(classes[k]);
			key[tag_len + 1 + n] = '\0';
			apply_rule(sheets, style, own, RANK_CLASS, key + tag_len);
			apply_rule(sheets, style, own, RANK_BOTH, key);
		}
		classes += n;
	}
	if (id != NULL && strlen(id) < 100)
	{
		char	   *lower = g_ascii_strdown(id, -1);

		g_snprintf(key, sizeof(key), "#%s", lower);
		apply_rule(sheets, style, own, RANK_ID, key);
		g_free(lower);
	}
}

/* What the style sheets say about an element; what may hold is no more than an id's */
void
style_apply_rules(Sheets *sheets, Style *style, Own *own, const char *tag, const char *classes, const char *id)
{
	apply_selectors(sheets, style, own, tag, classes, id);
	if (g_hash_table_size(sheets->maybe) == 0)
		return;
	own->maybe = true;
	apply_rule(sheets, style, own, RANK_ID, "*");
	apply_selectors(sheets, style, own, tag, classes, id);
	own->maybe = false;
}
