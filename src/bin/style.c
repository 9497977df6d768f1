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

/* A length in pixels; false where it is relative to something or none */
static bool
pixels(const char *s, size_t len, double *px)
{
	char		buf[32];
	char	   *end;

	len = MIN(len, sizeof(buf) - 1);
	memcpy(buf, s, len);
	buf[len] = '\0';
	*px = g_ascii_strtod(buf, &end);
	if (end == buf)
		return false;
	if (g_ascii_strncasecmp(end, "pt", 2) == 0)
		*px *= 4.0 / 3;
	else if (g_ascii_strncasecmp(end, "em", 2) == 0 || g_ascii_strncasecmp(end, "rem", 3) == 0)
		*px *= 16;
	else if (*end == '%' || g_ascii_strncasecmp(end, "v", 1) == 0)
		return *px == 0;
	return true;
}

/* What the declarations of one element say about clipping, until all are read */
typedef struct Clip
{
	bool		no_height;
	bool		no_width;
	bool		overflow;
	bool		absolute;
	bool		far;
} Clip;

/* font-size: relative sizes leave a tiny font tiny */
static void
font_size(Style *style, const char *s, size_t len)
{
	double		px;

	if (!pixels(s, len, &px))
	{
		if (len > 0 && g_ascii_isalpha(s[0]) && !begins(s, len, "inherit"))
			style->tiny = false;
		return;
	}
	if (px <= TINY_PIXELS)
		style->tiny = true;
	else if (memchr(s, 'e', len) == NULL && memchr(s, 'E', len) == NULL)
		style->tiny = false;
}

/* background, background-color: a picture makes it unknown */
static void
background(Style *style, const char *s, size_t len)
{
	double		alpha;
	int			color = style->background;

	if (g_strstr_len(s, len, "url(") != NULL || g_strstr_len(s, len, "gradient") != NULL)
	{
		style->background = COLOR_UNKNOWN;
		return;
	}
	if (begins(s, len, "none") || begins(s, len, "inherit") || begins(s, len, "initial"))
		return;
	parse_color(s, len, &color, &alpha);
	if (alpha >= 0.9)
		style->background = color;
	else if (alpha > 0.05)
		style->background = COLOR_UNKNOWN;
}

/* One declaration, "name: value" */
static void
declaration(Style *style, Clip *clip, const char *name, size_t n, const char *s, size_t len)
{
	double		px;

	if (IS_WORD(name, n, "display"))
		style->gone |= begins(s, len, "none");
	else if (IS_WORD(name, n, "visibility"))
		style->invisible = begins(s, len, "hidden") || begins(s, len, "collapse") ||
			(begins(s, len, "inherit") && style->invisible);
	else if (IS_WORD(name, n, "font-size"))
		font_size(style, s, len);
	else if (IS_WORD(name, n, "font"))
	{
		/* "bold 0/0 a": the size stands before the family */
		const char *end = s + len;

		for (const char *p = s; p < end; p++)
			if (g_ascii_isdigit(*p) && (p == s || g_ascii_isspace(p[-1])))
			{
				/* a weight is a number of three digits */
				if (end - p >= 3 && p[1] == '0' && p[2] == '0' &&
					(end - p == 3 || g_ascii_isspace(p[3])))
					continue;
				font_size(style, p, end - p);
				break;
			}
	}
	else if (IS_WORD(name, n, "color"))
	{
		double		alpha = 1;

		if (begins(s, len, "inherit"))
			return;
		parse_color(s, len, &style->color, &alpha);
		if (alpha < 0.05)
			style->color = style->background;
	}
	else if (IS_WORD(name, n, "background") || IS_WORD(name, n, "background-color") ||
			 IS_WORD(name, n, "background-image"))
		background(style, s, len);
	else if (IS_WORD(name, n, "opacity"))
	{
		if (pixels(s, len, &px) && px < 0.05)
			style->gone = true;
	}
	else if (IS_WORD(name, n, "max-height") || IS_WORD(name, n, "height"))
		clip->no_height = pixels(s, len, &px) && px <= 1;
	else if (IS_WORD(name, n, "max-width") || IS_WORD(name, n, "width"))
		clip->no_width = pixels(s, len, &px) && px <= 1;
	else if (IS_WORD(name, n, "overflow") || IS_WORD(name, n, "overflow-y"))
		clip->overflow = begins(s, len, "hidden") || begins(s, len, "clip");
	else if (IS_WORD(name, n, "position"))
		clip->absolute = begins(s, len, "absolute") || begins(s, len, "fixed");
	else if (IS_WORD(name, n, "left") || IS_WORD(name, n, "top") ||
			 IS_WORD(name, n, "right") || IS_WORD(name, n, "bottom"))
		clip->far |= pixels(s, len, &px) && px <= -FAR_PIXELS;
	else if (IS_WORD(name, n, "text-indent") || IS_WORD(name, n, "margin-left") ||
			 IS_WORD(name, n, "margin-top"))
		style->off_page |= pixels(s, len, &px) && px <= -FAR_PIXELS;
	else if (IS_WORD(name, n, "clip") || IS_WORD(name, n, "clip-path"))
		style->off_page |= g_strstr_len(s, len, "rect(0") != NULL ||
			g_strstr_len(s, len, "inset(100%") != NULL || g_strstr_len(s, len, "inset(50%") != NULL;
	else if (IS_WORD(name, n, "transform"))
		style->off_page |= g_strstr_len(s, len, "scale(0)") != NULL;
}

/* Apply "name: value; …" of one element */
void
style_declarations(Style *style, const char *s, size_t len)
{
	const char *end = s + len;
	Clip		clip = {0};

	while (s < end)
	{
		const char *semicolon = memchr(s, ';', end - s);
		const char *stop = semicolon != NULL ? semicolon : end;
		const char *colon = memchr(s, ':', stop - s);

		if (colon != NULL)
		{
			const char *name = s;
			const char *name_end = colon;
			const char *value = colon + 1;

			while (name < name_end && g_ascii_isspace(*name))
				name++;
			while (name_end > name && g_ascii_isspace(name_end[-1]))
				name_end--;
			while (value < stop && g_ascii_isspace(*value))
				value++;
			declaration(style, &clip, name, name_end - name, value, stop - value);
		}
		s = stop + 1;
	}
	if ((clip.no_height || clip.no_width) && clip.overflow)
		style->off_page = true;
	if (clip.absolute && clip.far)
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
	return style->gone || style->invisible || style->tiny || style->off_page ||
		same_color(style->color, style->background);
}

/* ---- style sheets -------------------------------------------------------- */

/* The end of a block of CSS that begins at {, with the blocks in it */
static const char *
block_end(const char *s)
{
	int			depth = 0;

	for (; *s != '\0'; s++)
	{
		if (*s == '{')
			depth++;
		else if (*s == '}' && --depth == 0)
			return s;
	}
	return s;
}

/*
 * The rules with a simple selector: a class, an id, an element, or an element
 * with a class.  Rules for some media only are left out.
 */
void
style_read_sheet(Sheets *sheets, const char *s)
{
	const char *open;

	if (sheets->rules == NULL)
		sheets->rules = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	while ((open = strchr(s, '{')) != NULL)
	{
		const char *close = block_end(open);
		const char *at = s;
		const char *comment;

		while ((comment = g_strstr_len(at, open - at, "*/")) != NULL)
			at = comment + 2;
		at += strspn(at, " \t\r\n;}<!->");
		while (at < open && *at != '@')
		{
			size_t		n = strcspn(at, ",{");
			size_t		word = strcspn(at, " \t\r\n,{>+~:[*");

			if (word > 0 && word + strspn(at + word, " \t\r\n") == n && word < 100 &&
				g_hash_table_size(sheets->rules) < MAX_RULES)
			{
				char	   *key = g_ascii_strdown(at, word);
				char	   *old = g_hash_table_lookup(sheets->rules, key);
				char	   *block = g_strndup(open + 1, MIN(close - open - 1, 4096));

				g_hash_table_insert(sheets->rules, key,
									old == NULL || strlen(old) > 4096 ? g_strdup(block) :
									g_strconcat(old, ";", block, NULL));
				g_free(block);
			}
			at += n;
			at += strspn(at, ", \t\r\n");
		}
		if (*close == '\0')
			break;
		s = close + 1;
	}
}

/* Apply what the style sheets say under that selector, if anything */
static void
apply_rule(Sheets *sheets, Style *style, const char *key)
{
	const char *declarations = g_hash_table_lookup(sheets->rules, key);
	size_t		len;

	if (declarations == NULL)
		return;
	len = strlen(declarations);
	if (sheets->applied + len > MAX_APPLIED)
	{
		sheets->exhausted = true;
		return;
	}
	sheets->applied += len;
	style_declarations(style, declarations, len);
}

/* What the style sheets say about an element */
void
style_apply_rules(Sheets *sheets, Style *style, const char *tag, const char *classes, const char *id)
{
	char		key[160];
	size_t		tag_len = strnlen(tag, 60);

	apply_rule(sheets, style, tag);
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
			apply_rule(sheets, style, key + tag_len);
			apply_rule(sheets, style, key);
		}
		classes += n;
	}
	if (id != NULL && strlen(id) < 100)
	{
		char	   *lower = g_ascii_strdown(id, -1);

		g_snprintf(key, sizeof(key), "#%s", lower);
		apply_rule(sheets, style, key);
		g_free(lower);
	}
}
