/*
 * sheet.c
 *	  The style sheets of an HTML message: which declarations hold for an
 *	  element.
 *
 * Of rules with a simple selector (a class, an id, an element, or an element
 * with a class) that is known.  Others may hold or not, as may those in blocks
 * that depend on the reader's screen: they may show text, but hide none.  So is
 * it with all of them where some were left out.
 */
#include <string.h>

#include "html.h"

#define MAX_RULES		2000	/* of style sheets */
#define MAX_BLOCK		4096	/* bytes of a rule, or of those before it */
#define MAX_CLASSES		16		/* of one element */
#define MAX_NESTED		8		/* blocks of rules in one another */
#define MAX_APPLIED		(64 * 1024 * 1024)	/* bytes of declarations, to all
											 * elements */

/* On which screens do rules count? */
typedef enum Media
{
	MEDIA_ALL, MEDIA_SOME, MEDIA_NONE
} Media;

static Media
media_of(const char *s, const char *end)
{
	css_trim(&s, &end);
	if (end - s >= 5 && g_ascii_strncasecmp(s, "only ", 5) == 0)
		s += 5;
	css_trim(&s, &end);
	if (s == end || (end - s == 3 && g_ascii_strncasecmp(s, "all", 3) == 0) ||
		(end - s == 6 && g_ascii_strncasecmp(s, "screen", 6) == 0))
		return MEDIA_ALL;
	if (end - s >= 5 && g_ascii_strncasecmp(s, "print", 5) == 0 && (end - s == 5 || g_ascii_isspace(s[5])) &&
		memchr(s, ',', end - s) == NULL)
		return MEDIA_NONE;
	return MEDIA_SOME;
}

/* Is each of a list of selectors one?  Where one is not, browsers ignore them all. */
static bool
are_selectors(const char *s, const char *end)
{
	for (;;)
	{
		css_trim(&s, &end);
		if (s == end || (!g_ascii_isalpha(*s) && strchr(".#*[:_\\-&>+~", *s) == NULL && (unsigned char) *s < 0x80))
			return false;
		s = css_find(s, end, CSS_COMMA);
		if (s == end)
			return true;
		s++;
	}
}

/* Keep a rule's declarations behind those that its selector has already. */
static void
keep_rule(Sheets *sheets, bool maybe, const char *key, const char *block, size_t len)
{
	GHashTable *rules = maybe ? sheets->maybe : sheets->rules;
	const char *old = g_hash_table_lookup(rules, key);

	if (old == NULL && g_hash_table_size(rules) >= MAX_RULES)
		sheets->partial = true;
	else if (len > MAX_BLOCK || (old != NULL && strlen(old) > MAX_BLOCK))
		g_hash_table_insert(rules, g_strdup(key), g_strdup("all: initial !important"));
	else if (old == NULL)
		g_hash_table_insert(rules, g_strdup(key), g_strndup(block, len));
	else
		g_hash_table_insert(rules, g_strdup(key), g_strdup_printf("%s;%.*s", old, (int) len, block));
}

static bool
has_upper(const char *s)
{
	while (*s != '\0' && !g_ascii_isupper(*s))
		s++;
	return *s != '\0';
}

/* Append the class of "[class=x]" or "[class~="x"]" as ".x", and return what is behind it; s where it is another */
static const char *
class_name(GString *key, const char *s, const char *end)
{
	const char *p = s + 6;
	const char *name;
	gsize		len = key->len;
	char		quote = '\0';

	if (end - s < 9 || g_ascii_strncasecmp(s, "[class", 6) != 0)
		return s;
	p += *p == '~';
	if (*p++ != '=')
		return s;
	if (*p == '"' || *p == '\'')
		quote = *p++;
	g_string_append_c(key, '.');
	name = p;
	p = css_name(key, p, end);
	if (p == name || (quote != '\0' && (p >= end || *p++ != quote)) || p >= end || *p != ']')
	{
		g_string_truncate(key, len);
		return s;
	}
	return p + 1;
}

/*
 * Keep a rule by one selector.  One of another kind, "div > p.a:first-child", is
 * kept by what the element itself must be, a class, id or element, or anything.
 */
static void
keep_selector(Sheets *sheets, const char *s, const char *end, const char *block, size_t len, bool maybe)
{
	static GString *key;
	static GString *word;
	const char *from = s;
	const char *pseudo = "";
	int			parts = 0;

	if (key == NULL)
	{
		key = g_string_new(NULL);
		word = g_string_new(NULL);
	}
	/* the last of what is combined */
	for (const char *p = s; p < end;)
	{
		if (g_ascii_isspace(*p) || *p == '>' || *p == '+' || *p == '~')
			from = ++p;
		else
			p = css_behind(s, p, end);
	}
	maybe |= from > s;
	if (end - from > 1 && from[0] == '*' && from[1] == ':')
		from++;
	s = css_name(g_string_truncate(key, 0), from, end);
	g_string_ascii_down(key);
	while (s < end && (*s == '.' || *s == '#'))
	{
		g_string_truncate(word, 0);
		g_string_append_c(word, *s);
		s = css_name(word, s + 1, end);
		/* of several the last; an id alone is what it is */
		if (parts++ > 0 || word->str[0] == '#')
		{
			maybe |= parts > 1 || (key->len > 0 && word->str[0] == '#');
			g_string_truncate(key, 0);
		}
		g_string_append_len(key, word->str, word->len);
	}
	/* newsletters name classes so; all other attributes are any */
	if (parts == 0 && s < end && *s == '[')
	{
		maybe = true;
		s = class_name(key, s, end);
	}
	/* text before or behind the element, which has a style of its own */
	if (s < end && *s == ':')
	{
		const char *name = s + 1 + (end - s > 1 && s[1] == ':');

		if (end - name == 6 && g_ascii_strncasecmp(name, "before", 6) == 0)
			pseudo = "::before";
		else if (end - name == 5 && g_ascii_strncasecmp(name, "after", 5) == 0)
			pseudo = "::after";
	}
	if (pseudo[0] != '\0')
	{
		sheets->makes_text = sheets->makes_text || style_makes_text(block, len);
		s = end;
	}
	maybe |= s < end || key->len == 0;
	if (key->len == 0)
		g_string_append_c(key, '*');
	g_string_append(key, pseudo);
	keep_rule(sheets, maybe, key->str, block, len);
	if (has_upper(key->str))
	{
		/* some programs take the case of names for nothing */
		g_string_ascii_down(key);
		keep_rule(sheets, true, key->str, block, len);
	}
}

static void read_rules(Sheets *sheets, const char *s, const char *end, bool maybe, int depth);

/* The rule "selectors {block}" */
static void
read_rule(Sheets *sheets, const char *s, const char *open, const char *block, size_t len, bool maybe, int depth)
{
	static GString *plain;
	const char *end = open;
	const char *inner = css_find(block, block + len, CSS_BRACE);

	if (!are_selectors(s, open))
		return;
	if (memchr(s, '/', open - s) != NULL)
	{
		/* without comments; escapes stay */
		if (plain == NULL)
			plain = g_string_new(NULL);
		g_string_truncate(plain, 0);
		for (const char *p = s; p < open;)
		{
			const char *behind = css_behind(s, p, open);

			if (*p != '/')
				g_string_append_len(plain, p, behind - p);
			p = behind;
		}
		s = plain->str;
		end = s + plain->len;
	}
	while (s < end)
	{
		const char *stop = css_find(s, end, CSS_COMMA);
		const char *last = stop;

		css_trim(&s, &last);
		if (s < last)
			keep_selector(sheets, s, last, block, len, maybe);
		s = stop + 1;
	}
	/* rules within it: newer browsers read them */
	if (inner < block + len)
	{
		const char *name = inner;

		while (name > block && name[-1] != ';' && name[-1] != '}')
			name--;
		read_rules(sheets, name, block + len, true, depth + 1);
	}
}

/* The rules in a piece of a style sheet, of which it may be known that they hold */
static void
read_rules(Sheets *sheets, const char *s, const char *end, bool maybe, int depth)
{
	static const char *const groups[] = {
		"@supports", "@layer", "@container", "@scope", "@document", "@-moz-document", "@starting-style"
	};

	if (depth > MAX_NESTED)
	{
		sheets->partial = true;
		return;
	}
	while (s < end)
	{
		const char *open;
		const char *close;
		const char *block_end;
		size_t		word;
		Media		media = MEDIA_NONE;

		css_trim(&s, &end);
		if (end - s >= 4 && memcmp(s, "<!--", 4) == 0)
		{
			s += 4;
			continue;
		}
		if (end - s >= 3 && memcmp(s, "-->", 3) == 0)
		{
			s += 3;
			continue;
		}
		if (s == end)
			break;
		open = css_find(s, end, *s == '@' ? CSS_BRACE | CSS_SEMICOLON : CSS_BRACE);
		if (open == end || *open == ';')
		{
			s = open + 1;
			continue;
		}
		close = css_behind(s, open, end);
		block_end = close[-1] == '}' && close - open > 1 ? close - 1 : close;
		if (*s != '@')
			read_rule(sheets, s, open, open + 1, block_end - open - 1, maybe, depth);
		else
		{
			for (word = 1; s + word < open && (g_ascii_isalnum(s[word]) || s[word] == '-'); word++)
				;
			if (word == 6 && g_ascii_strncasecmp(s, "@media", 6) == 0)
				media = media_of(s + word, open);
			else if (word >= 10 && g_ascii_strncasecmp(s + word - 9, "keyframes", 9) == 0)
				sheets->animated = true;
			for (size_t i = 0; i < G_N_ELEMENTS(groups); i++)
				if (word == strlen(groups[i]) && g_ascii_strncasecmp(s, groups[i], word) == 0)
					media = MEDIA_SOME;
			if (media != MEDIA_NONE)
				read_rules(sheets, open + 1, block_end, maybe || media == MEDIA_SOME, depth + 1);
		}
		s = close;
	}
}

/* Read the style sheet in an element with these attributes, or NULL */
void
sheet_read(Sheets *sheets, const char *s, const char *type, const char *media)
{
	Media		on = media != NULL ? media_of(media, media + strlen(media)) : MEDIA_ALL;

	if ((type != NULL && *type != '\0' && g_ascii_strcasecmp(type, "text/css") != 0) || on == MEDIA_NONE)
		return;
	if (sheets->rules == NULL)
	{
		sheets->rules = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
		sheets->maybe = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	}
	read_rules(sheets, s, s + strlen(s), on == MEDIA_SOME, 0);
}

void
sheet_free(Sheets *sheets)
{
	if (sheets->rules == NULL)
		return;
	g_hash_table_destroy(sheets->rules);
	g_hash_table_destroy(sheets->maybe);
}

/* Apply what the style sheets say under that selector, if anything */
static void
apply_rule(Sheets *sheets, bool maybe, Style *style, Own *own, StyleRank rank, const char *key)
{
	const char *rules = g_hash_table_lookup(maybe ? sheets->maybe : sheets->rules, key);
	size_t		len;

	if (rules == NULL)
		return;
	len = strlen(rules);
	if (sheets->exhausted || sheets->applied + len > MAX_APPLIED)
	{
		/* nothing is sure from here on */
		sheets->exhausted = true;
		return;
	}
	sheets->applied += len;
	style_declarations(style, own, maybe ? RANK_ID : rank, rules, len);
}

/* The same for a class or id, "tag.class"; what programs may hold for the same when case is nothing may hold, too */
static void
apply_name(Sheets *sheets, bool maybe, Style *style, Own *own, StyleRank rank, const char *key)
{
	char	   *lower;

	apply_rule(sheets, maybe, style, own, rank, key);
	if (!maybe || !has_upper(key))
		return;
	lower = g_ascii_strdown(key, -1);
	apply_rule(sheets, true, style, own, rank, lower);
	apply_rule(sheets, false, style, own, RANK_ID, lower);
	g_free(lower);
}

/* The same for all selectors that are an element's, or of a pseudo-element of it, "::before", else "" */
static void
apply_selectors(Sheets *sheets, bool maybe, Style *style, Own *own, const char *tag, const char *classes, const char *id,
				const char *pseudo)
{
	static GString *key;
	size_t		tag_len = strlen(tag);
	int			n = 0;

	if (key == NULL)
		key = g_string_new(NULL);
	g_string_assign(key, tag);
	g_string_append(key, pseudo);
	apply_rule(sheets, maybe, style, own, RANK_ELEMENT, key->str);
	while (classes != NULL && *(classes += strspn(classes, " \t\r\n\f")) != '\0')
	{
		size_t		len = strcspn(classes, " \t\r\n\f");

		if (n++ == MAX_CLASSES)
		{
			style->unsure = true;
			break;
		}
		g_string_truncate(key, 0);
		g_string_append_len(key, tag, tag_len);
		g_string_append_c(key, '.');
		g_string_append_len(key, classes, len);
		g_string_append(key, pseudo);
		/* the class alone is the end of tag and class */
		apply_name(sheets, maybe, style, own, RANK_CLASS, key->str + tag_len);
		if (tag_len > 0)
			apply_name(sheets, maybe, style, own, RANK_BOTH, key->str);
		classes += len;
	}
	if (id != NULL && *id != '\0')
	{
		g_string_assign(key, "#");
		g_string_append(key, id);
		g_string_append(key, pseudo);
		apply_name(sheets, maybe, style, own, RANK_ID, key->str);
	}
}

/* What the style sheets say about an element; a rule that may hold or not weighs as one by an id does */
void
sheet_apply(Sheets *sheets, Style *style, Own *own, const char *tag, const char *classes, const char *id, const char *pseudo)
{
	/* rules for elements of unknown names are not found */
	own->maybe = *tag == '\0';
	apply_selectors(sheets, false, style, own, tag, classes, id, pseudo);
	own->maybe = true;
	if (g_hash_table_size(sheets->maybe) > 0)
		apply_rule(sheets, true, style, own, RANK_ID, pseudo[0] == '\0' ? "*" : pseudo[2] == 'b' ? "*::before" : "*::after");
	if (g_hash_table_size(sheets->maybe) > 0 || (classes != NULL && has_upper(classes)) || (id != NULL && has_upper(id)))
		apply_selectors(sheets, true, style, own, tag, classes, id, pseudo);
	own->maybe = false;
	own->animated = sheets->animated;
	style->unsure |= sheets->partial || sheets->exhausted;
}
