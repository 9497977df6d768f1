/*
 * style.c
 *	  Which text of an HTML message a reader can't see.
 *
 * Senders hide text from readers, not from filters: words that make a message
 * look harmless, or letters in the middle of a brand's name.  This is no CSS
 * engine.  It reads the declarations that hide text, in the forms that are
 * used, and leaves text visible where it is not sure.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "html.h"

/* Colours that differ by less in each channel are the same to the eye */
#define SAME_COLOR		12

/* Letters of this many pixels and less are specks */
#define TINY_PIXELS		2.0

/* Nobody sees what is this far outside of the page */
#define FAR_PIXELS		500.0

/* A part of the reader's screen, of a length that is relative to it */
#define SCREEN_PIXELS	2000.0

/* Bytes of text that style sheets make before or behind an element */
#define MAX_MADE		4096

void
style_init(Style *style)
{
	memset(style, 0, sizeof(*style));
	style->color = 0x000000;
	style->background = 0xFFFFFF;
	style->font = 16;
}

/* The same for a word that is written out */
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

	return len >= n && (s[0] | 0x20) == word[0] && g_ascii_strncasecmp(s, word, n) == 0;
}

/* "rgb", "rrggbb", each with an alpha channel or not; false where it is none */
static bool
hex_color(const char *s, size_t len, int *color, double *alpha)
{
	int			digits[8] = {0};

	if (len != 3 && len != 4 && len != 6 && len != 8)
		return false;
	for (size_t n = 0; n < len; n++)
	{
		if (!g_ascii_isxdigit(s[n]))
			return false;
		digits[n] = g_ascii_xdigit_value(s[n]);
	}
	*alpha = 1;
	if (len <= 4)
	{
		*color = (digits[0] * 17) << 16 | (digits[1] * 17) << 8 | digits[2] * 17;
		if (len == 4)
			*alpha = digits[3] / 15.0;
	}
	else
	{
		*color = (digits[0] * 16 + digits[1]) << 16 | (digits[2] * 16 + digits[3]) << 8 |
			(digits[4] * 16 + digits[5]);
		if (len == 8)
			*alpha = (digits[6] * 16 + digits[7]) / 255.0;
	}
	return true;
}

/* The number at the beginning, and its length, 0 where there is none */
static size_t
number(const char *s, size_t len, double *value)
{
	char		buf[32];
	char	   *end;
	size_t		n = 0;

	/* most are of a few digits */
	*value = 0;
	while (n < len && n < 9 && g_ascii_isdigit(s[n]))
		*value = *value * 10 + (s[n++] - '0');
	if (n > 0 && (n == len || (s[n] != '.' && (s[n] | 0x20) != 'e' && !g_ascii_isdigit(s[n]))))
		return n;
	/* no infinity, NaN or hexadecimal number */
	n = MIN(len, sizeof(buf) - 1);
	memcpy(buf, s, n);
	buf[n] = '\0';
	*value = g_ascii_strtod(buf, &end);
	return strspn(buf, "+-.0123456789eE") < (size_t) (end - buf) ? 0 : end - buf;
}

/*
 * What is in "rgb(255, 255, 255)", "rgb(100% 100% 100% / 50%)", "hsl(0, 0%, 100%)"
 * behind the bracket; false where it is no such numbers
 */
static bool
numbers_color(const char *s, size_t len, bool is_hsl, int *color, double *alpha)
{
	char		buf[64];
	char	   *p = buf;
	double		v[4] = {0, 0, 0, 1};
	int			n;

	if (len >= sizeof(buf) || len == 0 || s[len - 1] != ')')
		return false;
	memcpy(buf, s, len - 1);
	buf[len - 1] = '\0';
	for (n = 0; n < 4; n++)
	{
		char	   *end;

		p += strspn(p, " ,/\t\r\n");
		end = p + number(p, strlen(p), &v[n]);
		if (end == p)
			break;
		if (*end == '%')
		{
			v[n] *= n == 3 ? 0.01 : is_hsl ? 1 : 2.55;
			end++;
		}
		p = end;
	}
	p += strspn(p, " \t\r\n");
	if (n < 3 || *p != '\0')
		return false;
	*alpha = n == 4 ? v[3] : 1;
	if (is_hsl)
	{
		/* white, black, and what has no colour */
		if (v[2] <= 0 || v[2] >= 100)
			v[1] = 0;
		*color = v[1] == 0 ? (int) (CLAMP(v[2], 0, 100) * 2.55) * 0x010101 : COLOR_UNKNOWN;
	}
	else
		*color = (int) CLAMP(v[0], 0, 255) << 16 | (int) CLAMP(v[1], 0, 255) << 8 |
			(int) CLAMP(v[2], 0, 255);
	return true;
}

/* A colour of CSS, COLOR_UNKNOWN for what may be one; false where no browser takes it for one */
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
		{"ghostwhite", 0xF8F8FF}, {"whitesmoke", 0xF5F5F5}, {"floralwhite", 0xFFFAF0}, {"mintcream", 0xF5FFFA},
		{"red", 0xFF0000}, {"blue", 0x0000FF}, {"green", 0x008000}, {"yellow", 0xFFFF00},
		{"gray", 0x808080}, {"grey", 0x808080}, {"silver", 0xC0C0C0}, {"navy", 0x000080},
		{"maroon", 0x800000}, {"orange", 0xFFA500}, {"purple", 0x800080}, {"teal", 0x008080},
	};

	*alpha = 1;
	if (len > 0 && s[0] == '#')
		return hex_color(s + 1, len - 1, color, alpha);
	if (begins(s, len, "rgb(") || begins(s, len, "rgba(") || begins(s, len, "hsl(") || begins(s, len, "hsla("))
	{
		const char *open = memchr(s, '(', len);

		return numbers_color(open + 1, s + len - open - 1, (s[0] | 0x20) == 'h', color, alpha);
	}
	*color = COLOR_UNKNOWN;
	if (is_word(s, len, "transparent"))
		*alpha = 0;
	else
		for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
			if (is_word(s, len, names[i].name))
				*color = names[i].color;
	return true;
}

/* The colour that an attribute gives, color="…" or bgcolor="…" */
void
style_color(int *color, const char *s, size_t len)
{
	double		alpha;

	while (len > 0 && g_ascii_isspace(*s))
		s++, len--;
	while (len > 0 && g_ascii_isspace(s[len - 1]))
		len--;
	/* "ffffff" is one, too; others are made of the digits that are in them */
	if (len > 0 && ((len == 6 && hex_color(s, len, color, &alpha)) || parse_color(s, len, color, &alpha)))
		return;
	if (len > 0)
		*color = COLOR_UNKNOWN;
}

/* What a length depends on */
typedef enum Unit
{
	UNIT_NONE,					/* it is none, or unknown */
	UNIT_PIXELS,
	UNIT_FONT,					/* pixels of a font of 1 pixel */
	UNIT_PART					/* of something, 1 being all */
} Unit;

/* The length that is at the beginning; what follows is put into *rest */
static Unit
length(const char *s, size_t len, double *value, const char **rest)
{
	static const struct
	{
		const char *name;
		double		size;
		Unit		unit;
	}			units[] =
	{
		{"", 1, UNIT_PIXELS}, {"px", 1, UNIT_PIXELS}, {"pt", 4.0 / 3, UNIT_PIXELS}, {"pc", 16, UNIT_PIXELS},
		{"in", 96, UNIT_PIXELS}, {"cm", 37.8, UNIT_PIXELS}, {"mm", 3.78, UNIT_PIXELS}, {"q", 0.945, UNIT_PIXELS},
		{"rem", 16, UNIT_PIXELS}, {"em", 1, UNIT_FONT}, {"ex", 0.5, UNIT_FONT}, {"ch", 0.5, UNIT_FONT},
		{"%", 0.01, UNIT_PART}, {"vw", 0.01, UNIT_PART}, {"vh", 0.01, UNIT_PART}, {"vmin", 0.01, UNIT_PART},
		{"vmax", 0.01, UNIT_PART},
	};
	size_t		digits = number(s, len, value);
	const char *unit = s + digits;
	size_t		n = 0;

	if (digits == 0)
		return UNIT_NONE;
	while (digits + n < len && strchr(" \t\r\n\f/,)", unit[n]) == NULL)
		n++;
	*rest = unit + n;
	if (n == 2 && unit[0] == 'p' && unit[1] == 'x')
		return UNIT_PIXELS;
	for (size_t i = 0; i < G_N_ELEMENTS(units); i++)
		if (is_word(unit, n, units[i].name))
		{
			*value *= units[i].size;
			return units[i].unit;
		}
	return UNIT_NONE;
}

/* Is a value one length from 0 to so many pixels? */
static bool
is_up_to(const char *s, size_t len, double most)
{
	double		value;
	const char *rest;
	Unit		unit = length(s, len, &value, &rest);

	if (unit == UNIT_FONT)
		value *= 16;
	return unit != UNIT_NONE && rest == s + len && value >= 0 && value <= (unit == UNIT_PART ? 0 : most);
}

/* Pixels of a length: those of one that is relative to the page are a guess */
static double
pixels(Unit unit, double value, const Style *style)
{
	return unit == UNIT_FONT ? value * MAX(style->font, 16) : unit == UNIT_PART ? value * SCREEN_PIXELS : value;
}

/* How far a value moves something out of the page, as a number over 0; 0 where it does not, or not surely */
static double
moves_away(const Style *style, const char *s, size_t len)
{
	double		value;
	const char *rest;
	Unit		unit = length(s, len, &value, &rest);

	if (unit == UNIT_NONE || unit == UNIT_PART || rest != s + len)
		return 0;
	value = -pixels(unit, value, style);
	return value >= FAR_PIXELS ? value : 0;
}

/* How far the lengths of a value can bring something back into the page; what is not known can by any distance */
static double
moves_back(const Style *style, const char *s, size_t len)
{
	const char *end = s + len;
	double		sum = 0;

	while (s < end)
	{
		double		value;
		const char *rest;
		Unit		unit = length(s, end - s, &value, &rest);

		if (unit != UNIT_NONE)
		{
			sum += MAX(pixels(unit, value, style), 0);
			s = rest;
		}
		else if (*s == '(')
			return HUGE_VAL;
		while (s < end && strchr(" \t\r\n\f/,)", *s) == NULL && *s != '(')
			s++;
		while (s < end && strchr(" \t\r\n\f/,)", *s) != NULL)
			s++;
	}
	return sum;
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

/* font-size */
static void
font_size(Style *style, Own *own, const char *s, size_t len, bool alone)
{
	double		value;
	const char *rest;
	double		size;
	Unit		unit = length(s, len, &value, &rest);

	if (unit != UNIT_NONE && alone && rest != s + len)
		return;
	if (unit == UNIT_FONT || unit == UNIT_PART)
		size = own->outer.font * value;
	else if (unit == UNIT_PIXELS)
		size = value;
	else if (begins(s, len, "inherit") || begins(s, len, "unset"))
		size = own->outer.font;
	else if (begins(s, len, "larger") || begins(s, len, "smaller"))
		size = own->outer.font * ((s[0] | 0x20) == 'l' ? 1.2 : 1 / 1.2);
	else if (len > 0 && g_ascii_isalpha(s[0]))
		size = 16;
	else
		return;
	if (size >= 0 && say(own, SAID_FONT_SIZE, size <= TINY_PIXELS))
		style->font = size;
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
			font_size(style, own, p, end - p, false);
			return;
		}
	/* "caption": one of the system's */
	font_size(style, own, s, len, false);
}

/* Is there a picture, "url(…)" or a gradient, in a background? */
static bool
has_picture(const char *s, size_t len)
{
	const char *open = memchr(s, '(', len);

	if (open != NULL && (begins(s, len, "rgb") || begins(s, len, "hsl")))
		open = memchr(open + 1, '(', s + len - open - 1);
	return open != NULL;
}

/* background, background-color: a picture makes it unknown */
static void
background(Style *style, Own *own, const char *s, size_t len, bool is_color)
{
	double		alpha = 1;
	int			color = COLOR_UNKNOWN;

	/* one of several words, "url(…) center", is not looked for */
	if (begins(s, len, "none") || is_word(s, len, "initial") || is_word(s, len, "unset"))
		alpha = 0;
	else if (memchr(s, ' ', len) == NULL && !parse_color(s, len, &color, &alpha))
		return;
	else if (memchr(s, ' ', len) != NULL && !(begins(s, len, "rgb") || begins(s, len, "hsl")))
	{
		size_t		n = css_find(s, s + len, CSS_BLANK) - s;

		if (is_color || memchr(s + n, '(', len - n) != NULL || !parse_color(s, n, &color, &alpha))
			color = COLOR_UNKNOWN, alpha = 1;
	}
	else if (memchr(s, ' ', len) != NULL && !parse_color(s, len, &color, &alpha))
		color = COLOR_UNKNOWN, alpha = 1;
	if (!say(own, SAID_BACKGROUND, false))
		return;
	/* a picture stays over the colour that is named after it */
	if (!is_color)
		own->picture = has_picture(s, len);
	if (own->maybe || (is_word(s, len, "inherit") && own->outer.background != style->background) || (alpha > 0.05 && alpha < 0.9))
		style->background = COLOR_UNKNOWN;
	else if (alpha <= 0.05)
		style->background = own->outer.background;
	else
		style->background = color;
}

static void
text_color(Style *style, Own *own, const char *s, size_t len)
{
	double		alpha = 1;
	int			color;
	bool		again = own->said[SAID_COLOR].rank > 0;

	if (!parse_color(s, len, &color, &alpha) || !say(own, SAID_COLOR, false))
		return;
	if (own->maybe)
		style->color = COLOR_UNKNOWN;
	else if (begins(s, len, "inherit"))
	{
		if (again)
			style->color = COLOR_UNKNOWN;
	}
	else
		style->color = alpha < 0.05 ? COLOR_CLEAR : color;
}

/* "all: initial" and its like: nothing of what was said before holds, but for the direction */
static void
all(Style *style, Own *own)
{
	for (Said what = 0; what < SAID_DIRECTION; what++)
		(void) say(own, what, false);
	style->invisible = style->indented = false;
	style->font = 16;
	style->color = COLOR_UNKNOWN;
}

/* direction, whose own element need not be said to have an order of its own */
static void
direction(Style *style, Own *own, const char *s, size_t len)
{
	Turn		said = is_word(s, len, "rtl") ? TURN_ROUND :
	is_word(s, len, "inherit") || is_word(s, len, "unset") ? own->outer.to_left : TURN_NONE;

	if ((said == TURN_NONE && !is_word(s, len, "ltr") && !is_word(s, len, "initial")) || !say(own, SAID_DIRECTION, false))
		return;
	style->to_left = !own->maybe || said == style->to_left ? said : TURN_MAYBE;
}

/* unicode-bidi */
static void
unicode_bidi(Own *own, const char *s, size_t len)
{
	Turn		said = TURN_NONE;
	bool		embeds = true;

	if (begins(s, len, "-webkit-"))
		s += 8, len -= 8;
	else if (begins(s, len, "-moz-"))
		s += 5, len -= 5;
	if (is_word(s, len, "bidi-override") || is_word(s, len, "isolate-override"))
		said = TURN_ROUND;
	else if (is_word(s, len, "normal") || is_word(s, len, "initial") || is_word(s, len, "unset"))
		embeds = false;
	else if (!is_word(s, len, "embed") && !is_word(s, len, "isolate") && !is_word(s, len, "plaintext"))
		return;
	if (!say(own, SAID_BIDI, false))
		return;
	own->overrides = !own->maybe || said == own->overrides ? said : TURN_MAYBE;
	own->maybe_apart |= own->maybe;
	if (!own->maybe)
		own->embeds = embeds;
}

/* Append the strings of "content"; false where it is "none" or "normal" */
static bool
content_strings(GString *to, const char *s, size_t len)
{
	const char *end = s + len;

	while (s < end)
	{
		if (*s == '"' || *s == '\'')
			s = css_string(to, s, end);
		else if (*s == '/')
			break;				/* what is read aloud */
		else if (g_ascii_isspace(*s))
			s++;
		else if (is_word(s, MIN((size_t) (end - s), 4), "none") || is_word(s, MIN((size_t) (end - s), 6), "normal"))
			return false;
		else
			s = css_behind(s, s, end);
	}
	return true;
}

/* content: of what may hold, and of what is said elsewhere with the same weight, there is all */
static void
content(Own *own, const char *s, size_t len)
{
	static GString *strings;
	bool		again = own->said[SAID_CONTENT].rank == own->rank && own->said[SAID_CONTENT].list != own->list;

	if (own->made == NULL)
		return;
	if (strings == NULL)
		strings = g_string_new(NULL);

	g_string_truncate(strings, 0);
	if (!content_strings(strings, s, len))
		g_string_truncate(strings, 0);
	if (strings->len == 0 && (own->maybe || again))
		return;
	if (!own->maybe && !say(own, SAID_CONTENT, false))
		return;
	if (!own->maybe && !again)
		g_string_truncate(own->made, 0);
	if (strcmp(strings->str, own->made->str) == 0)
		return;
	if (own->made->len > 0)
		g_string_append_c(own->made, ' ');
	g_string_append_len(own->made, strings->str, strings->len);
	if (own->made->len > MAX_MADE)
		g_string_truncate(own->made, g_utf8_find_prev_char(own->made->str, own->made->str + MAX_MADE + 1) - own->made->str);
}

/* Do declarations make text that a reader can read?  Signs of fonts with pictures are none. */
bool
style_makes_text(const char *s, size_t len)
{
	static GString *strings;
	const char *end = s + len;

	if (strings == NULL)
		strings = g_string_new(NULL);

	while (s < end)
	{
		const char *stop = css_find(s, end, CSS_SEMICOLON);
		const char *value = css_find(s, stop, CSS_COLON);

		css_trim(&s, &value);
		if (value < stop && ((value - s >= 7 && g_ascii_strncasecmp(s, "content", 7) == 0) || memchr(s, '\\', value - s) != NULL))
		{
			value = css_find(s, stop, CSS_COLON) + 1;
			g_string_truncate(strings, 0);
			content_strings(strings, value, stop - value);
			for (const char *p = strings->str; *p != '\0'; p = g_utf8_next_char(p))
				if (g_unichar_isalnum(g_utf8_get_char(p)))
					return true;
		}
		s = stop + 1;
	}
	return false;
}

/* display */
static void
display(Own *own, const char *s, size_t len)
{
	if (!say(own, SAID_DISPLAY, is_word(s, len, "none")))
		return;
	own->box_said = true;
	own->maybe_apart |= own->maybe;
	own->lays_out |= begins(s, len, "flex") || begins(s, len, "inline-flex") ||
		begins(s, len, "grid") || begins(s, len, "inline-grid");
	if (own->maybe || is_word(s, len, "inline") || is_word(s, len, "contents") || begins(s, len, "ruby"))
		own->box = BOX_LINE;
	else if (begins(s, len, "table") || begins(s, len, "inline-table") || begins(s, len, "-"))
		own->box = BOX_TABLE;
	else if (is_word(s, len, "block") || is_word(s, len, "inline-block") || is_word(s, len, "list-item") ||
			 is_word(s, len, "flow-root") || begins(s, len, "flex") || begins(s, len, "inline-flex"))
		own->box = BOX_BLOCK;
	else if (!own->said[SAID_DISPLAY].hides)
		own->box = BOX_LINE;
}

/* The numbers behind a bracket, as many as there are up to four; each is -1 where it is no length */
static int
four(const char *s, size_t len, double v[4])
{
	const char *end = s + len;
	int			n = 0;

	while (s < end && n < 4)
	{
		double		value;
		const char *rest;
		Unit		unit;

		while (s < end && (g_ascii_isspace(*s) || *s == ','))
			s++;
		if (s == end || *s == ')' || g_ascii_isalpha(*s))
			break;
		unit = length(s, end - s, &value, &rest);
		if (unit == UNIT_NONE)
			return 0;
		/* a part is told from pixels by being many of them */
		v[n++] = unit == UNIT_PART ? value * SCREEN_PIXELS : unit == UNIT_FONT ? value * 16 : value;
		s = rest;
	}
	return n;
}

/* Is nothing left of what is clipped to rect(top, right, bottom, left)? */
static bool
is_empty_rect(const char *s, size_t len)
{
	double		v[4];

	return begins(s, len, "rect(") && four(s + 5, len - 5, v) == 4 && (v[1] - v[3] <= 1 || v[2] - v[0] <= 1);
}

/* The same for a shape */
static bool
is_empty_shape(const char *s, size_t len)
{
	double		v[4];
	int			n;

	if (is_empty_rect(s, len))
		return true;
	if (begins(s, len, "circle(") || begins(s, len, "ellipse("))
	{
		const char *open = memchr(s, '(', len);

		n = four(open + 1, s + len - open - 1, v);
		return n >= 1 && (v[0] == 0 || (n > 1 && v[1] == 0));
	}
	if (begins(s, len, "polygon("))
		return strspn(s + 8, " \t0px,%)") >= len - 8;
	if (!begins(s, len, "inset(") || (n = four(s + 6, len - 6, v)) == 0)
		return false;
	/* top, right, bottom, left, of which the latter may be left out */
	if (n == 1)
		v[1] = v[0];
	if (n <= 2)
		v[2] = v[0];
	if (n <= 3)
		v[3] = v[1];
	return v[0] + v[2] >= SCREEN_PIXELS || v[1] + v[3] >= SCREEN_PIXELS;
}

/* transform: to nothing, or so far *away?  Anything else may bring back what is away. */
static bool
transforms_away(const Style *style, Own *own, const char *s, size_t len, double *away)
{
	static const char *const names[] = {"scale(", "scalex(", "scaley(", "scale3d("};
	static const char *const moves[] = {"translate(", "translatex(", "translatey(", "translate3d("};
	const char *open = memchr(s, '(', len);
	double		v[4];
	int			n;

	if (open == NULL)
		return false;
	n = four(open + 1, s + len - open - 1, v);
	/* of several functions none is looked at but by those that shrink */
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (begins(s, len, names[i]))
			return n > 0 && (v[0] == 0 || (n > 1 && v[1] == 0));
	for (size_t i = 0; i < G_N_ELEMENTS(moves); i++)
		if (begins(s, len, moves[i]) && n > 0 && memchr(open, ')', s + len - open) == s + len - 1 &&
			(v[0] <= -FAR_PIXELS || (n > 1 && v[1] <= -FAR_PIXELS)) && memchr(s, '%', len) == NULL)
		{
			*away = -MIN(v[0], n > 1 ? v[1] : 0);
			return true;
		}
	own->back += moves_back(style, s, len);
	return false;
}

/* A move to somewhere: "left: -9999px" */
static void
move(Style *style, Own *own, Said what, const char *s, size_t len)
{
	double		away = moves_away(style, s, len);

	own->back += moves_back(style, s, len);
	if (say(own, what, away > 0) && away > own->away)
		own->away = away;
}

/* One declaration, "name: value" */
static void
declaration(Style *style, Own *own, const char *name, size_t n, const char *s, size_t len)
{
	bool		hides;

	if (IS_WORD(name, n, "display"))
		display(own, s, len);
	else if (IS_WORD(name, n, "visibility"))
	{
		hides = is_word(s, len, "hidden") || is_word(s, len, "collapse") ||
			(is_word(s, len, "inherit") && style->invisible);
		if (say(own, SAID_VISIBILITY, hides))
			style->invisible = hides;
	}
	else if (IS_WORD(name, n, "font-size"))
		font_size(style, own, s, len, true);
	else if (IS_WORD(name, n, "font"))
		font(style, own, s, len);
	else if (IS_WORD(name, n, "color"))
		text_color(style, own, s, len);
	else if (IS_WORD(name, n, "text-shadow") || IS_WORD(name, n, "-webkit-text-fill-color") ||
			 IS_WORD(name, n, "-webkit-text-stroke") || IS_WORD(name, n, "-webkit-text-stroke-color") ||
			 IS_WORD(name, n, "filter") || IS_WORD(name, n, "backdrop-filter") || IS_WORD(name, n, "mix-blend-mode"))
	{
		/* letters in two colours, or in another */
		if (!is_word(s, len, "none"))
			style->lined = true;
	}
	else if (IS_WORD(name, n, "background"))
		background(style, own, s, len, false);
	else if (IS_WORD(name, n, "background-image"))
	{
		/* none leaves the colour */
		own->picture |= !is_word(s, len, "none");
	}
	else if (IS_WORD(name, n, "background-color"))
		background(style, own, s, len, true);
	else if (IS_WORD(name, n, "box-shadow"))
	{
		if (g_strstr_len(s, len, "inset") != NULL)
			style->lined = true;
	}
	else if (IS_WORD(name, n, "opacity"))
		(void) say(own, SAID_OPACITY, is_up_to(s, len, 0.05) && !g_ascii_isalpha(s[len - 1]));
	else if (IS_WORD(name, n, "height"))
		(void) say(own, SAID_HEIGHT, is_up_to(s, len, 1));
	else if (IS_WORD(name, n, "max-height"))
		(void) say(own, SAID_MAX_HEIGHT, is_up_to(s, len, 1));
	else if (IS_WORD(name, n, "width"))
	{
		(void) say(own, SAID_WIDTH, is_up_to(s, len, 1));
		own->back += moves_back(style, s, len);
	}
	else if (IS_WORD(name, n, "max-width"))
		(void) say(own, SAID_MAX_WIDTH, is_up_to(s, len, 1));
	else if (IS_WORD(name, n, "min-height") || IS_WORD(name, n, "min-width") || begins(name, n, "padding"))
	{
		double		room = moves_back(style, s, len);

		own->room |= room > 4;
		own->back += room;
	}
	else if (IS_WORD(name, n, "overflow") || IS_WORD(name, n, "overflow-y"))
		(void) say(own, SAID_OVERFLOW, begins(s, len, "hidden") || begins(s, len, "clip"));
	else if (IS_WORD(name, n, "position"))
	{
		own->fixed |= is_word(s, len, "fixed");
		hides = is_word(s, len, "absolute") || is_word(s, len, "fixed");
		own->positioned |= !own->maybe && (hides || is_word(s, len, "relative"));
		own->maybe_apart |= own->maybe && hides;
		(void) say(own, SAID_POSITION, hides);
	}
	else if (IS_WORD(name, n, "float"))
	{
		own->maybe_apart |= own->maybe;
		(void) say(own, SAID_FLOAT, !is_word(s, len, "none"));
	}
	else if (IS_WORD(name, n, "white-space") || IS_WORD(name, n, "white-space-collapse"))
		style->keeps_lines |= begins(s, len, "pre") || begins(s, len, "break-spaces") || begins(s, len, "var(");
	else if (IS_WORD(name, n, "left") || IS_WORD(name, n, "right"))
		move(style, own, SAID_LEFT, s, len);
	else if (IS_WORD(name, n, "top") || IS_WORD(name, n, "bottom"))
		move(style, own, SAID_TOP, s, len);
	else if (IS_WORD(name, n, "text-indent"))
	{
		hides = moves_away(style, s, len) > 0;
		own->back += moves_back(style, s, len);
		if ((hides || !begins(s, len, "inherit")) && say(own, SAID_INDENT, hides))
			style->indented = hides;
	}
	else if (IS_WORD(name, n, "margin-left"))
		move(style, own, SAID_MARGIN_LEFT, s, len);
	else if (IS_WORD(name, n, "margin-top"))
		move(style, own, SAID_MARGIN_TOP, s, len);
	else if (IS_WORD(name, n, "margin"))
	{
		const char *last = s + len;

		/* of four the last is left */
		while (last > s && !g_ascii_isspace(last[-1]))
			last--;
		move(style, own, SAID_MARGIN_LEFT, last, s + len - last);
		own->back += moves_back(style, s, last - s);
	}
	else if (IS_WORD(name, n, "clip"))
		(void) say(own, SAID_CLIP, is_empty_rect(s, len));
	else if (IS_WORD(name, n, "clip-path"))
		(void) say(own, SAID_CLIP_PATH, is_empty_shape(s, len));
	else if (IS_WORD(name, n, "transform"))
	{
		double		away = 0;

		hides = transforms_away(style, own, s, len, &away);
		if (say(own, SAID_TRANSFORM, hides))
			own->transform_away = away;
		/* tiny text that is scaled up may be read */
		if (!hides && memchr(s, '(', len) != NULL)
			style->font = MAX(style->font, 16);
	}
	else if (IS_WORD(name, n, "translate") || IS_WORD(name, n, "inset") || begins(name, n, "margin-") || begins(name, n, "inset-"))
		own->back += moves_back(style, s, len);
	else if (begins(name, n, "animation") || begins(name, n, "-webkit-animation"))
		own->animation |= !is_word(s, len, "none");
	else if (IS_WORD(name, n, "all") && !is_word(s, len, "inherit"))
		all(style, own);
	else if (IS_WORD(name, n, "direction"))
		direction(style, own, s, len);
	else if (IS_WORD(name, n, "unicode-bidi"))
		unicode_bidi(own, s, len);
	else if (IS_WORD(name, n, "content"))
		content(own, s, len);
	else if (IS_WORD(name, n, "zoom") || IS_WORD(name, n, "scale"))
		style->font = MAX(style->font, 16);
}

/* Is there an escape or a comment in it? */
static bool
is_written_oddly(const char *s, const char *end)
{
	return memchr(s, '\\', end - s) != NULL || g_strstr_len(s, end - s, "/*") != NULL;
}

/* Apply "name: value; …", declarations of some rank */
void
style_declarations(Style *style, Own *own, StyleRank rank, const char *s, size_t len)
{
	static GString *plain[2];
	const char *end = s + len;
	bool		is_odd = memchr(s, '\\', len) != NULL || memchr(s, '*', len) != NULL;

	if (plain[0] == NULL)
	{
		plain[0] = g_string_new(NULL);
		plain[1] = g_string_new(NULL);
	}
	own->list++;
	while (s < end)
	{
		const char *name = s;
		const char *name_end = css_find(s, end, CSS_COLON | CSS_SEMICOLON);
		const char *value = name_end + 1;
		const char *value_end;
		const char *stop;
		bool		important = false;
		bool		valid = true;

		s = name_end + 1;
		if (name_end == end || *name_end == ';')
			continue;
		value_end = stop = css_find(value, end, CSS_MARK | CSS_SEMICOLON);
		if (stop < end && *stop == '!')
		{
			const char *word = stop + 1;
			const char *word_end = stop = css_find(word, end, CSS_SEMICOLON);

			css_trim(&word, &word_end);
			valid = important = is_word(word, word_end - word, "important");
		}
		s = stop + 1;
		css_trim(&name, &name_end);
		css_trim(&value, &value_end);
		if (is_odd && is_written_oddly(name, name_end))
		{
			css_clean(plain[0], name, name_end);
			name = plain[0]->str;
			name_end = name + plain[0]->len;
		}
		if (is_odd && is_written_oddly(value, value_end))
		{
			css_clean(plain[1], value, value_end);
			value = plain[1]->str;
			value_end = value + plain[1]->len;
		}
		own->rank = rank + (important ? RANK_IMPORTANT : 0);
		if (valid && name < name_end && value < value_end)
			declaration(style, own, name, name_end - name, value, value_end - value);
	}
}

/* An element begins, with the style of what it is in */
void
style_begin(Own *own, const Style *outer, Box box)
{
	memset(own, 0, sizeof(*own));
	own->outer = *outer;
	own->box = box;
}

/* The attribute "hidden", over which any declaration goes */
void
style_hidden(Own *own)
{
	own->rank = RANK_ATTRIBUTE;
	(void) say(own, SAID_DISPLAY, true);
}

/* An element with the attribute dir, which may be NULL, or <bdo> */
void
style_direction(Style *style, Own *own, const char *s, bool overrides)
{
	own->rank = RANK_ATTRIBUTE;
	if (s != NULL)
		direction(style, own, s, strlen(s));
	own->overrides = overrides ? TURN_ROUND : TURN_NONE;
	own->embeds = true;
}

/* All is read: what is hidden of it is so for all that is in it */
void
style_end(Style *style, const Own *own)
{
	bool		out_of_flow = own->said[SAID_POSITION].hides || own->said[SAID_FLOAT].hides;
	bool		is_block = (own->box == BOX_BLOCK || (own->box == BOX_LINE && out_of_flow)) &&
	(own->box_said || own->box != BOX_TABLE);
	bool		moved = own->said[SAID_MARGIN_LEFT].hides || own->said[SAID_MARGIN_TOP].hides ||
	(own->said[SAID_POSITION].hides && (own->said[SAID_LEFT].hides || own->said[SAID_TOP].hides));

	/* some elements leave what they are in */
	if (own->fixed || (own->said[SAID_POSITION].hides && !own->outer.holds))
	{
		style->clipped = false;
		style->away = 0;
	}
	if (own->said[SAID_DISPLAY].hides || own->said[SAID_OPACITY].hides)
		style->gone = true;
	if ((own->said[SAID_HEIGHT].hides || own->said[SAID_WIDTH].hides || own->said[SAID_MAX_HEIGHT].hides || own->said[SAID_MAX_WIDTH].hides) &&
		own->said[SAID_OVERFLOW].hides && !own->room && is_block)
		style->clipped = true;
	if (own->said[SAID_POSITION].hides && own->said[SAID_CLIP].hides)
		style->clipped = true;
	if (own->said[SAID_CLIP_PATH].hides || (own->said[SAID_TRANSFORM].hides && own->transform_away == 0))
		style->clipped = true;
	if (moved)
		style->away += own->away;
	if (own->said[SAID_TRANSFORM].hides)
		style->away += own->transform_away;
	style->away = MAX(style->away - own->back, 0);
	if (style->clipped != own->outer.clipped || style->away != own->outer.away)
		style->holds = own->positioned || own->said[SAID_TRANSFORM].rank > 0 || own->said[SAID_CLIP_PATH].hides;
	if (!is_block)
		style->indented = style->indented && own->outer.indented;
	if (own->picture)
		style->background = COLOR_UNKNOWN;
	/* the lines of a block have an order of their own */
	if (own->overrides != TURN_NONE)
		style->turn = style->to_left == TURN_NONE ? TURN_NONE :
			own->overrides == TURN_MAYBE ? TURN_MAYBE : style->to_left;
	else if (own->embeds || own->box != BOX_LINE || out_of_flow)
		style->turn = TURN_NONE;
	style->apart = own->overrides == TURN_ROUND || own->embeds || own->box != BOX_LINE || out_of_flow;
	style->maybe_apart = own->maybe_apart || own->lays_out || style->unsure;
	style->lays_out = own->lays_out;
	/* it may become visible */
	if (own->animation && own->animated)
		style->unsure = true;
}

/* Is text in the colour of what is behind it? */
static bool
same_color(int a, int b)
{
	if (a == COLOR_CLEAR)
		return true;
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
	return !style->unsure &&
		(style->gone || style->invisible || style->clipped || style->indented || style->away > 0 || style->font <= TINY_PIXELS ||
		 (!style->lined && same_color(style->color, style->background)));
}
