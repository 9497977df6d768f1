/*
 * address.c
 *	  The addresses in a header, as a reader's program takes them.
 *
 * Senders write what no grammar has: two addresses in brackets, an address in
 * the display name, dots that don't belong, semicolons for commas.  What a
 * mail program shows and answers to is what stands in the last angle
 * brackets.  One pass over the header, whatever is in it.
 */
#define _GNU_SOURCE				/* memrchr */
#include <string.h>

#include "assay_load.h"

/* Decoded once more, a header can't hide addresses any deeper */
#define MAX_ADDRESS_BYTES	8192

/* A name before an address without brackets, or brackets without an address: there may be many of these */
#define MAX_BARE_NAME	256

/* One entry between separators, while it is read */
typedef struct Entry
{
	const char *start;
	const char *end;
	const char *name;			/* where its name begins, as a rule at start */
	const char *angle;			/* after the last < with an address */
	const char *angle_end;
	bool		at;				/* has an @ as in an address, not in quotes or
								 * a comment */
} Entry;

/* White space and comments out of an address, as in "a @(x) b"; quotes are kept */
static char *
squeeze(const char *s, size_t len)
{
	char	   *out = g_malloc(len + 1);
	size_t		n = 0;
	bool		quoted = false;
	const char *last_paren = memrchr(s, ')', len);

	for (size_t i = 0; i < len; i++)
	{
		if (s[i] == '"')
			quoted = !quoted;
		if (s[i] == '(' && !quoted && last_paren != NULL && s + i < last_paren)
			i = (const char *) memchr(s + i, ')', len - i) - s;
		/* a no-break space is one, too */
		else if (i + 1 < len && memcmp(s + i, "\xC2\xA0", 2) == 0 && !quoted)
			i++;
		else if (quoted || !g_ascii_isspace(s[i]))
			out[n++] = s[i];
	}
	out[n] = '\0';
	return out;
}

/* A display name: without quotes around, escapes and outer blanks; comments in it are shown, too */
static char *
display_name(const char *s, size_t len)
{
	GString    *out = g_string_sized_new(len + 1);
	const char *end = s + len;

	for (; s < end; s++)
	{
		if (*s == '\\' && s + 1 < end)
			s++;
		else if (*s == '"')
			continue;
		if (!(g_ascii_isspace(*s) && out->len > 0 && out->str[out->len - 1] == ' '))
			g_string_append_c(out, g_ascii_isspace(*s) ? ' ' : *s);
	}
	return g_strstrip(g_string_free(out, FALSE));
}

/* What stands in the last comment, (…), or NULL */
static char *
comment(const char *s, size_t len)
{
	const char *close = memrchr(s, ')', len);
	const char *open = close;
	int			depth = 1;

	if (close == NULL)
		return NULL;
	while (open > s && depth > 0)
	{
		open--;
		depth += *open == ')' ? 1 : *open == '(' ? -1 : 0;
	}
	return *open == '(' ? display_name(open + 1, close - open - 1) : NULL;
}

/*
 * Where a word goes on behind the blanks and comments at p: they may stand
 * around its one @, and comments alone at dots of its domain.  Else NULL.
 */
static const char *
within_word(const char *word, const char *p, const char *end, const char *last_paren)
{
	const char *next = p;
	bool		has_at = memchr(word, '@', p - word) != NULL;
	bool		blanks = false;

	while (next < end && (g_ascii_isspace(*next) || (*next == '(' && last_paren != NULL && next < last_paren)))
	{
		blanks |= *next != '(';
		next = *next == '(' ? (const char *) memchr(next, ')', end - next) + 1 : next + 1;
	}
	if (next == end || next == p || p == word)
		return NULL;
	if ((p[-1] == '@' && p - word > 1) || (*next == '@' && !has_at))
		return next;
	return has_at && !blanks && (p[-1] == '.' || *next == '.') ? next : NULL;
}

/* The last word with an @ of an entry without brackets, else its only word */
static bool
bare_address(const Entry *e, const char **from, size_t *len)
{
	const char *p = e->start;
	const char *last_paren = memrchr(p, ')', e->end - p);
	int			words = 0;

	*len = 0;
	while (p < e->end)
	{
		const char *word;
		bool		quoted = false;

		while (p < e->end && g_ascii_isspace(*p))
			p++;
		if (p < e->end && *p == '(')
		{
			p = last_paren != NULL && p < last_paren ? (char *) memchr(p, ')', e->end - p) + 1 : p + 1;
			continue;
		}
		word = p;
		while (p < e->end)
		{
			if (!quoted && (g_ascii_isspace(*p) || *p == '('))
			{
				const char *next = within_word(word, p, e->end, last_paren);

				if (next == NULL)
					break;
				p = next;
				continue;
			}
			if (*p == '\\' && p + 1 < e->end)
				p++;
			else if (*p == '"' && (quoted || memchr(p + 1, '"', e->end - p - 1) != NULL))
				quoted = !quoted;
			p++;
		}
		if (p == word)
			continue;
		words++;
		if (memchr(word, '@', p - word) != NULL && (*word != '@' || *len == 0))
		{
			*from = word;
			*len = p - word;
		}
		else if (*len == 0 && words == 1)
			*from = word;
	}
	if (*len > 0)
		return true;
	/* a single word is a local user's name, unless it is quoted */
	if (words == 1 && **from != '"')
	{
		/* no further than the entry: there may be many in a header */
		while (*from + *len < e->end && strchr(" \t()<>", (*from)[*len]) == NULL)
			(*len)++;
	}
	return *len > 0;
}

/* Characters out of an address that leave no mark: a reader sees the domain without them */
static void
drop_markless(char *s)
{
	static const struct
	{
		const char *from;
		const char *to;
	}			marks[] =
	{
		{"\xC2\xAD", "\xC2\xAD"}, {"\xE2\x80\x8B", "\xE2\x80\x8F"}, {"\xE2\x80\xAA", "\xE2\x80\xAE"},
		{"\xE2\x81\xA0", "\xE2\x81\xAF"}, {"\xEF\xBB\xBF", "\xEF\xBB\xBF"}
	};
	char	   *out = s;

	while (*s != '\0')
	{
		size_t		n = 0;

		for (size_t i = 0; (unsigned char) *s >= 0x80 && i < G_N_ELEMENTS(marks) && n == 0; i++)
			if (strncmp(s, marks[i].from, strlen(marks[i].from)) >= 0 && strncmp(s, marks[i].to, strlen(marks[i].to)) <= 0)
				n = strlen(marks[i].from);
		if (n == 0)
			*out++ = *s++;
		else
			s += n;
	}
	*out = '\0';
}

/* Decode what was hidden in a piece, and make it clean */
static char *
shown(Message *m, char *raw, GPtrArray *words)
{
	char	   *decoded;
	char	   *clean;

	if (raw == NULL)
		return NULL;
	decoded = words_show(m, raw, words);
	clean = text_clean(decoded, -1, m, DEFECT_BAD_CHARSET);
	g_free(decoded);
	g_free(raw);
	return clean;
}

/* Take separators and blanks off both ends. */
static void
strip_separators(char *name)
{
	static const char separators[] = ",;: \t";
	size_t		lead = strspn(name, separators);
	size_t		len = strlen(name + lead);

	while (len > 0 && strchr(separators, name[lead + len - 1]) != NULL)
		len--;
	memmove(name, name + lead, len);
	name[len] = '\0';
}

/* Hand over the address of an entry; returns how many there were, 0 or 1 */
static int
take_entry(Message *m, const Entry *e, GPtrArray *words, AddressFn fn, void *arg)
{
	const char *from = e->angle;
	size_t		len = from != NULL ? (size_t) (e->angle_end - from) : 0;
	bool		angle = from != NULL;
	char	   *raw_name = NULL;
	char	   *addr;
	char	   *name;
	char	   *bare;

	if (angle)
	{
		raw_name = display_name(e->name, from - 1 - e->name);
		/* "Acme, <a@b>", ", Acme <a@b>" */
		if (e->name < e->start)
			strip_separators(raw_name);
		/* a source route ends at the colon */
		if (len > 0 && *from == '@' && memchr(from, ':', len) != NULL)
		{
			const char *colon = memrchr(from, ':', len);

			len -= colon + 1 - from;
			from = colon + 1;
		}
	}
	else if (!bare_address(e, &from, &len))
		return 0;
	/* a comment is the name where there is no other */
	if (raw_name != NULL && raw_name[0] == '(' && strcspn(raw_name, ")") == strlen(raw_name) - 1)
	{
		raw_name[strlen(raw_name) - 1] = '\0';
		memmove(raw_name, raw_name + 1, strlen(raw_name));
	}
	if (raw_name == NULL || raw_name[0] == '\0')
	{
		g_free(raw_name);
		raw_name = comment(e->start, e->end - e->start);
	}
	/* "Acme a@b", "Acme: a@b;" */
	if (raw_name == NULL && !angle && from > e->name && from - e->name < MAX_BARE_NAME && memchr(from, '@', len) != NULL)
	{
		raw_name = display_name(e->name, from - e->name);
		strip_separators(raw_name);
	}
	bare = squeeze(from, MIN(len, MAX_ADDRESS_BYTES));
	/* "'a@b'", "mailto:a@b", "\"a@b\"" */
	if (g_ascii_strncasecmp(bare, "mailto:", 7) == 0)
	{
		memmove(bare, bare + 7, strlen(bare + 7) + 1);
		bare[strcspn(bare, "?")] = '\0';
	}
	if ((bare[0] == '\'' || bare[0] == '"') && bare[1] != '\0' && bare[strlen(bare) - 1] == bare[0])
	{
		bare[strlen(bare) - 1] = '\0';
		memmove(bare, bare + 1, strlen(bare));
	}
	addr = shown(m, bare, words);
	drop_markless(addr);
	name = shown(m, raw_name, words);
	if (addr[0] != '\0')
		fn(m, addr, name != NULL && name[0] != '\0' ? name : NULL, angle, arg);
	len = strlen(addr);
	g_free(addr);
	g_free(name);
	return len > 0;
}

/* Note the brackets that open at p, unless those before hold an address and these none */
static const char *
take_angle(Entry *e, const char *p, const char *end)
{
	const char *from = p + 1;
	const char *close;

	/* what is quoted before the @ may hold brackets */
	if (from < end && *from == '"')
	{
		for (close = from + 1; close < end && *close != '"'; close++)
			if (*close == '\\' && close + 1 < end)
				close++;
		if (end - close > 1 && close[1] == '@')
			from = close + 1;
	}
	for (close = from; close < end && *close != '>' && *close != '<'; close++)
		if ((*close == ',' || *close == ';') && p[1] != '@')
			break;
	if (e->angle == NULL || memchr(p + 1, '@', close - p - 1) != NULL)
	{
		e->angle = p + 1;
		e->angle_end = close;
	}
	return close < end && *close == '>' ? close + 1 : close;
}

/* Are there only blanks? */
static bool
is_blank(const char *s, const char *end)
{
	while (s < end && g_ascii_isspace(*s))
		s++;
	return s == end;
}

/* Call back for each address of a header whose encoded words are hidden */
static int
each_entry(Message *m, const char *s, GPtrArray *words, AddressFn fn, void *arg)
{
	const char *end = s + strlen(s);
	const char *last_quote = memrchr(s, '"', end - s);
	const char *last_paren = memrchr(s, ')', end - s);
	Entry		e = {.start = s,.name = s};
	int			found = 0;
	const char *p = s;

	while (p <= end)
	{
		if (p == end || *p == ',' || *p == ';')
		{
			const char *name = e.name;

			e.end = p;
			if (p > e.start)
				found += take_entry(m, &e, words, fn, arg);

			/*
			 * "Acme, Inc. <a@b>": what has no address belongs to the name of
			 * what follows, if there is anything
			 */
			if ((e.angle != NULL && (p - name > MAX_BARE_NAME || memchr(e.angle, '@', e.angle_end - e.angle) != NULL)) ||
				e.at || (name == e.start && is_blank(name, p)))
				name = p + 1;
			memset(&e, 0, sizeof(e));
			e.start = ++p;
			e.name = name;
		}
		else if (*p == ':')
		{
			/* a group's name, or the scheme of a URL that is no address */
			if (e.angle == NULL && memchr(e.start, '@', MIN(p - e.start, 256)) == NULL &&
				g_ascii_strncasecmp(p - MIN(p - s, 6), "mailto:", 7) != 0)
				e.start = p + 1;
			p++;
		}
		else if (*p == '\\' && p + 1 < end)
			p += 2;
		else if (*p == '"' && p < last_quote)
		{
			/* a quote that is never closed is none */
			for (p++; p < last_quote && *p != '"'; p++)
				if (*p == '\\' && p + 1 < last_quote)
					p++;
			p++;
		}
		else if (*p == '(' && last_paren != NULL && p < last_paren)
		{
			int			depth = 1;

			for (p++; p < end && depth > 0; p++)
			{
				if (*p == '\\' && p + 1 < end)
					p++;
				else if (*p == '(')
					depth++;
				else if (*p == ')')
					depth--;
				else if (p > last_paren)
					break;
			}
		}
		else if (*p == '<')
			p = take_angle(&e, p, end);
		else
		{
			e.at |= *p == '@' && p > e.start && p + 1 < end && strchr(" \t,;", p[-1]) == NULL && strchr(" \t,;", p[1]) == NULL;
			p++;
		}
	}
	return found;
}

/* Call back for whatever looks like an address */
static int
scan_addresses(Message *m, const char *value, AddressFn fn, void *arg)
{
	static const char not_local[] = " \t<>()[]\",:;\\";
	int			found = 0;
	const char *from = value;
	const char *at;

	while ((at = strchr(from, '@')) != NULL)
	{
		const char *start = at;
		const char *end = at + 1;

		while (start > from && strchr(not_local, start[-1]) == NULL)
			start--;
		while (g_ascii_isalnum(*end) || *end == '.' || *end == '-' || *end == '_')
			end++;
		if (start < at && end > at + 1)
		{
			char	   *addr = g_strndup(start, MIN(end - start, MAX_ADDRESS_BYTES));

			fn(m, addr, NULL, false, arg);
			g_free(addr);
			found++;
		}
		from = end;
	}
	return found;
}

/*
 * Call back for each address in a header; returns how many there were.  Where
 * the header holds none as it stands, its encoded words may, and whatever
 * looks like an address is better than none.
 */
int
address_parse(Message *m, const char *value, AddressFn fn, void *arg)
{
	GPtrArray  *words;
	char	   *hidden;
	int			found;

	if (strstr(value, "=?") == NULL)
	{
		words = g_ptr_array_new();
		found = each_entry(m, value, words, fn, arg);
		g_ptr_array_free(words, TRUE);
		return found > 0 ? found : scan_addresses(m, value, fn, arg);
	}
	words = g_ptr_array_new_with_free_func(g_free);
	if (strchr(value, '@') != NULL)
	{
		hidden = words_hide(value, words);
		found = each_entry(m, hidden, words, fn, arg);
	}
	else
	{
		/* all of it is encoded, the address too */
		hidden = words_decode(m, value);
		found = each_entry(m, hidden, words, fn, arg);
	}
	g_free(hidden);
	g_ptr_array_free(words, TRUE);
	return found > 0 ? found : scan_addresses(m, value, fn, arg);
}
