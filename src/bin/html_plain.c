/*
 * html_plain.c
 *	  The tree of a document whose tags say what it is.
 *
 * Most documents of most mail are nested as they should be, or wrong in ways
 * that have one meaning: ends that are left out, or that nothing began.  Of
 * these the tree is made here, in a seventh of the time that libgumbo takes, and
 * is the same: this follows its rules (which are the HTML standard's), as far as
 * they go.  What asks for more (misnested formatting, text in tables that
 * belongs before them, foreign content, frames ...) is told, and goes to libgumbo.
 *
 * The tree is of libgumbo's types, with what html.c looks at: tags, wanted
 * attributes, text, and conditional comments.
 */
#include <string.h>

#include "html_plain.h"

/* Attributes of one element in all */
#define MAX_ATTRIBUTES	500

/* What a document may cost libgumbo, as html_tags.c counts it: surely no more than that here */
#define SURE_COST		(150 * 1000 * 1000)

/* Characters that the parser takes for others, or that are none */
static bool
has_oddities(const char *s, size_t len, bool clean)
{
	const char *end = s + len;
	const unsigned char *u;

	if ((!clean && html_has_controls(s, len)) || memchr(s, 0x7F, len) != NULL)
		return true;
	/* controls beyond ASCII */
	for (const char *p = s; (p = memchr(p, '\xC2', end - p)) != NULL; p++)
		if (end - p > 1 && (unsigned char) p[1] < 0xA0)
			return true;
	/* U+FDD0 to U+FDEF, and the last two of each plane */
	for (const char *p = s; (p = memchr(p, '\xEF', end - p)) != NULL; p++)
		if (end - p > 2 && (unsigned char) p[1] == 0xB7 && (unsigned char) p[2] >= 0x90 && (unsigned char) p[2] <= 0xAF)
			return true;
	for (const char *p = s; (p = memchr(p, '\xBF', end - p)) != NULL; p++)
	{
		u = (const unsigned char *) p;
		if (end - p > 1 && u[1] >= 0xBE && p - s >= 1 &&
			(u[-1] == 0xEF || (p - s >= 2 && (u[-1] & 0xCF) == 0x8F && u[-2] >= 0xF0)))
			return true;
	}
	return false;
}

/* ---- tables -------------------------------------------------------------------- */

/* The part of a table that the current element is, or is in */
static inline GumboTag
part_of_table(const Plain *pl)
{
	return pl->part[pl->depth - 1];
}

/* Pop down to that part */
static void
pop_to_part(Plain *pl)
{
	int			i = pl->depth - 1;

	while (tag_at(pl, i) != pl->part[i])
		i--;
	if (is_cell(tag_at(pl, i)))
		plain_pop_cell(pl, i);
	else if (i < pl->depth - 1)
		plain_pop_to(pl, i + 1);
}

/* A start tag of a table's parts, with those that it ends and begins along with it */
static bool
start_cells(Plain *pl, GumboTag tag)
{
	/* outside of tables the tag is ignored */
	if (part_of_table(pl) == GUMBO_TAG_LAST)
		return true;
	/* a cell ends with what is in it */
	pop_to_part(pl);
	if (current_tag(pl) == GUMBO_TAG_COLGROUP)
	{
		if (tag == GUMBO_TAG_COL)
			return plain_push_void(pl, tag);
		plain_pop(pl);
	}
	if (current_tag(pl) == GUMBO_TAG_TR && !is_cell(tag))
		plain_pop(pl);
	if (is_section(current_tag(pl)) && !is_cell(tag) && tag != GUMBO_TAG_TR)
		plain_pop(pl);
	if (tag == GUMBO_TAG_COL)
		return plain_push(pl, GUMBO_TAG_COLGROUP, false) && plain_push_void(pl, tag);
	if (current_tag(pl) == GUMBO_TAG_TABLE && (is_cell(tag) || tag == GUMBO_TAG_TR) && !plain_push(pl, GUMBO_TAG_TBODY, false))
		return false;
	if (current_tag(pl) != GUMBO_TAG_TR && is_cell(tag) && !plain_push(pl, GUMBO_TAG_TR, false))
		return false;
	return is_cell(tag) ? plain_push_cell(pl, tag) : plain_push(pl, tag, true);
}

/* An end tag of a table or of its parts; one that ends nothing is ignored */
static bool
end_cells(Plain *pl, GumboTag tag)
{
	if (part_of_table(pl) == GUMBO_TAG_COLGROUP)
	{
		if (tag == GUMBO_TAG_COL)
			return true;
		plain_pop(pl);
		if (tag == GUMBO_TAG_COLGROUP)
			return true;
	}
	if (tag == GUMBO_TAG_COL || tag == GUMBO_TAG_COLGROUP || part_of_table(pl) == GUMBO_TAG_LAST)
		return true;
	/* of cells only the one that is open */
	if (is_cell(tag) ? part_of_table(pl) != tag : IN_TABLE_SCOPE(pl, tag) < 0)
		return true;
	if (is_cell(part_of_table(pl)))
		pop_to_part(pl);
	if (is_cell(tag))
		return true;
	pop_to_part(pl);
	while (current_tag(pl) != tag)
		plain_pop(pl);
	plain_pop(pl);
	return true;
}

/* ---- start tags ------------------------------------------------------------------ */

/* <li> ends the one before it, unless that is of another list */
static void
close_list_item(Plain *pl, bool is_li)
{
	for (int i = pl->depth - 1; i >= 0; i--)
	{
		GumboTag	tag = tag_at(pl, i);

		if (is_li ? tag == GUMBO_TAG_LI : tag == GUMBO_TAG_DD || tag == GUMBO_TAG_DT)
			plain_pop_to(pl, i);
		else if ((plain_rules[tag].flags & SPECIAL) == 0 || tag == GUMBO_TAG_ADDRESS || tag == GUMBO_TAG_DIV || tag == GUMBO_TAG_P)
			continue;
		break;
	}
}

/* Does a table end a paragraph?  Not in documents that say nothing of their kind. */
static bool
start_table(Plain *pl)
{
	if (IN_BUTTON_SCOPE(pl, GUMBO_TAG_P) >= 0 && pl->doctype != NULL)
	{
		/* others may be of either kind */
		if (pl->doctype_len != 14 || g_ascii_strncasecmp(pl->doctype, "<!doctype html", 14) != 0)
			return false;
		plain_close_p(pl);
	}
	return plain_push(pl, GUMBO_TAG_TABLE, true);
}

/* Over the attributes of a tag, of which none is wanted */
static bool
skip_attributes(Plain *pl)
{
	HtmlAttribute a;
	int64_t		attributes = 0;
	int			more;

	while ((more = html_attribute(&pl->p, pl->end, &a)) > 0)
		attributes++;
	pl->tags++;
	pl->cost += attributes * attributes;
	return more == 0 && attributes <= MAX_ATTRIBUTES;
}

/* An element without tags in it, with its text and its end tag */
static bool
start_raw(Plain *pl, GumboNode *parent, GumboTag tag, const char *name, size_t len)
{
	const char *from = pl->p;
	const char *end_tag = html_end_tag(from, pl->end, name, len);
	const char *close = end_tag != NULL ? end_tag : pl->end;
	GumboNode  *node;
	size_t		n;
	const char *s;

	for (s = from; (s = memchr(s, '<', close - s)) != NULL; s++)
	{
		/* a script in a comment in a script has rules of its own */
		if (tag == GUMBO_TAG_SCRIPT && (s[1] == '!' || end_tag == NULL))
			return false;
		pl->unsure |= s[1] != '!';
	}
	node = plain_add_element(pl, parent, tag, true);
	if (tag == GUMBO_TAG_STYLE && close > from)
	{
		GumboNode  *content = plain_new_node(pl, GUMBO_NODE_WHITESPACE);

		content->v.text.text = plain_take_string(pl, from, close - from, false, false, &n);
		for (s = content->v.text.text; is_space(*s); s++)
			;
		if (*s != '\0')
			content->type = GUMBO_NODE_TEXT;
		plain_append_child(pl, node, content);
		pl->text = NULL;
	}
	pl->text = NULL;
	/* the end tag is read, and closes it */
	pl->p = end_tag != NULL ? end_tag + 2 + len : pl->end;
	return end_tag == NULL || skip_attributes(pl);
}

/* The attributes of a second <html> or <body> that the first didn't have belong to that */
static bool
merge_attributes(Plain *pl, GumboNode *node)
{
	GumboVector *vector = &node->v.element.attributes;
	void	  **data = arena_alloc(pl->arena, sizeof(void *) * (vector->length + pl->num_taken + 1));

	if (vector->length > 0)
		memcpy(data, vector->data, sizeof(void *) * vector->length);
	vector->data = data;
	for (int i = 0; i < pl->num_taken; i++)
	{
		bool		found = false;

		for (unsigned k = 0; k < vector->length; k++)
			found |= ((GumboAttribute *) data[k])->name == pl->taken[i]->name;
		if (!found)
			data[vector->length++] = pl->taken[i];
	}
	return true;
}

/* A start tag that has nothing to do with tables, but may begin one */
static bool
start_as_in_body(Plain *pl, GumboTag tag, const char *name, size_t len)
{
	switch (plain_rules[tag].start)
	{
		case START_INLINE:
			return plain_reconstruct(pl) && plain_push(pl, tag, true);
		case START_BLOCK:
			plain_close_p(pl);
			return plain_push(pl, tag, true);
		case START_HEADING:
			plain_close_p(pl);
			if (rule_at(pl, pl->depth - 1)->start == START_HEADING)
				plain_pop(pl);
			return plain_push(pl, tag, true);
		case START_PRE:
			pl->skip_newline = true;
			plain_close_p(pl);
			return plain_push(pl, tag, true);
		case START_FORM:
			if (pl->form != NULL)
				return true;
			plain_close_p(pl);
			if (!plain_push(pl, tag, true))
				return false;
			pl->form = current(pl);
			return true;
		case START_LI:
		case START_DD:
			close_list_item(pl, tag == GUMBO_TAG_LI);
			plain_close_p(pl);
			return plain_push(pl, tag, true);
		case START_BUTTON:
			return IN_SCOPE(pl, tag) < 0 && plain_reconstruct(pl) && plain_push(pl, tag, true);
		case START_FORMATTING:
			return plain_start_formatting(pl, tag);
		case START_VOID:
			/* three of these are no text */
			if (tag != GUMBO_TAG_PARAM && tag != GUMBO_TAG_SOURCE && tag != GUMBO_TAG_TRACK && !plain_reconstruct(pl))
				return false;
			return plain_push_void(pl, tag);
		case START_META:
			return plain_push_void(pl, tag);
		case START_HR:
			plain_close_p(pl);
			return plain_push_void(pl, tag);
		case START_RAW:
			return start_raw(pl, NULL, tag, name, len);
		case START_TABLE:
			return start_table(pl);
		default:
			return false;
	}
}

static bool start_in_body(Plain *pl, GumboTag tag, const char *name, size_t len);

static bool
is_hidden_input(const Plain *pl, GumboTag tag)
{
	for (int i = 0; tag == GUMBO_TAG_INPUT && i < pl->num_taken; i++)
		if (strcmp(pl->taken[i]->name, "type") == 0)
			return g_ascii_strcasecmp(pl->taken[i]->value, "hidden") == 0;
	return false;
}

/* Between the parts of a table some things may stand, others go before it */
static bool
start_between_cells(Plain *pl, GumboTag tag, const char *name, size_t len)
{
	bool		good;

	if (tag == GUMBO_TAG_STYLE || tag == GUMBO_TAG_SCRIPT)
		return start_raw(pl, current(pl), tag, name, len);
	if (is_hidden_input(pl, tag))
		return plain_push_void(pl, tag);
	if (tag == GUMBO_TAG_FORM)
	{
		if (pl->form == NULL)
			pl->form = plain_add_element(pl, NULL, tag, true);
		return true;
	}
	if (tag == GUMBO_TAG_TABLE)
	{
		/* it ends the one that is open */
		plain_pop_to(pl, IN_TABLE_SCOPE(pl, tag));
		return start_in_body(pl, tag, name, len);
	}
	pl->foster = true;
	good = start_as_in_body(pl, tag, name, len);
	pl->foster = false;
	return good;
}

/* A start tag in the body; false where libgumbo is needed */
static bool
start_in_body(Plain *pl, GumboTag tag, const char *name, size_t len)
{
	if (plain_rules[tag].start == START_CELLS)
		return start_cells(pl, tag);
	if (tag == GUMBO_TAG_HTML)
		return merge_attributes(pl, pl->html);
	if (part_of_table(pl) == GUMBO_TAG_COLGROUP)
		plain_pop(pl);
	if (tag == GUMBO_TAG_BODY)
		return merge_attributes(pl, pl->open[1]);
	if (tag == GUMBO_TAG_HEAD)
		return true;
	return is_table_part(part_of_table(pl)) ? start_between_cells(pl, tag, name, len) :
		start_as_in_body(pl, tag, name, len);
}

/* The parts of a document that need not be written, up to the body */
static bool
begin_body(Plain *pl)
{
	if (pl->phase == BEFORE_HTML)
	{
		if (!plain_push(pl, GUMBO_TAG_HTML, false))
			return false;
		pl->html = current(pl);
		pl->phase = BEFORE_HEAD;
	}
	if (pl->phase == BEFORE_HEAD)
	{
		if (!plain_push(pl, GUMBO_TAG_HEAD, false))
			return false;
		pl->head = current(pl);
		pl->phase = IN_HEAD;
	}
	if (pl->phase == IN_HEAD)
		plain_pop(pl);
	pl->phase = IN_BODY;
	return plain_push(pl, GUMBO_TAG_BODY, false);
}

/* A start tag before the body */
static bool
start_before_body(Plain *pl, GumboTag tag, const char *name, size_t len)
{
	if (pl->phase == BEFORE_HTML)
	{
		if (!plain_push(pl, GUMBO_TAG_HTML, tag == GUMBO_TAG_HTML))
			return false;
		pl->html = current(pl);
		pl->phase = BEFORE_HEAD;
		if (tag == GUMBO_TAG_HTML)
			return true;
	}
	if (pl->phase == BEFORE_HEAD)
	{
		if (!plain_push(pl, GUMBO_TAG_HEAD, tag == GUMBO_TAG_HEAD))
			return false;
		pl->head = current(pl);
		pl->phase = IN_HEAD;
		if (tag == GUMBO_TAG_HEAD)
			return true;
	}
	if (tag == GUMBO_TAG_HTML)
		return merge_attributes(pl, pl->html);
	if (tag == GUMBO_TAG_HEAD)
		return true;
	if (tag == GUMBO_TAG_NOSCRIPT)
		return false;
	if (plain_rules[tag].start == START_META || plain_rules[tag].start == START_RAW)
	{
		/* behind the head, they belong to it all the same */
		if (plain_rules[tag].start == START_RAW)
			return start_raw(pl, pl->head, tag, name, len);
		plain_add_element(pl, pl->head, tag, true);
		return true;
	}
	if (tag == GUMBO_TAG_BODY)
	{
		if (pl->phase == IN_HEAD)
			plain_pop(pl);
		pl->phase = IN_BODY;
		return plain_push(pl, tag, true);
	}
	return begin_body(pl) && start_in_body(pl, tag, name, len);
}

/* ---- end tags -------------------------------------------------------------------- */

static bool
end_heading(Plain *pl)
{
	int			i = pl->depth - 1;

	while (i >= 0 && rule_at(pl, i)->end != END_HEADING && (rule_at(pl, i)->flags & SCOPE) == 0)
		i--;
	if (i < 0 || rule_at(pl, i)->end != END_HEADING)
		return true;
	plain_pop_to(pl, i);
	return true;
}

static bool
end_form(Plain *pl)
{
	GumboNode  *form = pl->form;
	int			i = pl->depth - 1;

	pl->form = NULL;
	if (form == NULL)
		return true;
	while (i >= 0 && pl->open[i] != form && (rule_at(pl, i)->flags & SCOPE) == 0)
		i--;
	if (i < 0 || pl->open[i] != form)
		return true;
	plain_pop_implied(pl, GUMBO_TAG_LAST);
	/* what is open in it would stay so */
	if (pl->depth - 1 != i)
		return false;
	pl->depth--;
	if (pl->text !=NULL)
	{
		/* libgumbo has not put the text right before it anywhere yet */
		GumboNode  *text = pl->text;

		form->v.element.children.length--;
		plain_append_child(pl, current(pl), text);
		pl->text = text;
	}
	return true;
}

/* The end of any other element, unless something special is in between */
static bool
end_any(Plain *pl, GumboTag tag)
{
	for (int i = pl->depth - 1; i >= 0; i--)
	{
		if (tag_at(pl, i) == tag)
			plain_pop_to(pl, i);
		else if ((rule_at(pl, i)->flags & SPECIAL) == 0)
			continue;
		break;
	}
	return true;
}

/* An end tag that has nothing to do with tables */
static bool
end_as_in_body(Plain *pl, GumboTag tag)
{
	int			i;

	switch (plain_rules[tag].end)
	{
		case END_ANY:
			/* </br> is <br> */
			return tag != GUMBO_TAG_BR && end_any(pl, tag);
		case END_BLOCK:
			i = IN_SCOPE(pl, tag);
			break;
		case END_P:
			i = IN_BUTTON_SCOPE(pl, tag);
			if (i < 0)
			{
				plain_add_element(pl, NULL, tag, false);
				return true;
			}
			break;
		case END_LI:
			i = IN_LIST_SCOPE(pl, tag);
			break;
		case END_HEADING:
			return end_heading(pl);
		case END_FORM:
			return end_form(pl);
		case END_FORMATTING:
			return plain_end_formatting(pl, tag);
		default:
			return false;
	}
	if (i >= 0)
		plain_pop_to(pl, i);
	return true;
}

/* An end tag in the body; false where libgumbo is needed */
static bool
end_in_body(Plain *pl, GumboTag tag)
{
	bool		good;

	if (tag == GUMBO_TAG_BODY || tag == GUMBO_TAG_HTML)
	{
		if (part_of_table(pl) == GUMBO_TAG_COLGROUP)
			plain_pop(pl);
		if (IN_SCOPE(pl, GUMBO_TAG_BODY) >= 0)
			pl->phase = tag == GUMBO_TAG_BODY ? AFTER_BODY : AFTER_HTML;
		return true;
	}
	if (plain_rules[tag].end == END_CELLS)
		return end_cells(pl, tag);
	if (part_of_table(pl) == GUMBO_TAG_COLGROUP)
		plain_pop(pl);
	pl->foster = is_table_part(part_of_table(pl));
	good = end_as_in_body(pl, tag);
	pl->foster = false;
	return good;
}

/* An end tag before the body, where most end nothing */
static bool
end_before_body(Plain *pl, GumboTag tag)
{
	if (tag == GUMBO_TAG_TEMPLATE || tag == GUMBO_TAG_BR)
		return false;
	pl->no_doctype = true;
	if (pl->phase == IN_HEAD && tag == GUMBO_TAG_HEAD)
	{
		plain_pop(pl);
		pl->phase = AFTER_HEAD;
		return true;
	}
	if (tag == GUMBO_TAG_BODY || tag == GUMBO_TAG_HTML)
		return begin_body(pl) && end_in_body(pl, tag);
	return tag != GUMBO_TAG_HEAD || pl->phase == AFTER_HEAD;
}

/* ---- tokens ---------------------------------------------------------------------- */

/* Take the value of an attribute that is wanted, and was not there before */
static bool
take_attribute(Plain *pl, const char *name, const char *value, size_t len)
{
	GumboAttribute *a;
	size_t		n;

	for (int i = 0; i < pl->num_taken; i++)
		if (pl->taken[i]->name == name)
			return true;
	if (pl->num_taken == MAX_TAKEN)
		return false;
	a = arena_alloc(pl->arena, sizeof(GumboAttribute));
	memset(a, 0, sizeof(*a));
	a->name = name;
	a->value = plain_take_string(pl, value, len, true, true, &n);
	pl->taken[pl->num_taken++] = a;
	return a->value != NULL;
}

/* A tag from its < on */
static bool
take_tag(Plain *pl)
{
	bool		closing = pl->p[1] == '/';
	const char *name = pl->p + (closing ? 2 : 1);
	const char *p = name;
	HtmlAttribute a;
	GumboTag	tag;
	size_t		len;
	int			attributes = 0;
	int			more;

	while (p < pl->end && !is_space(*p) && *p != '/' && *p != '>')
		p++;
	len = p - name;
	tag = gumbo_tagn_enum(name, len);
	pl->num_taken = 0;
	while ((more = html_attribute(&p, pl->end, &a)) > 0)
	{
		const char *wanted = closing ? NULL : html_wanted(a.name, a.name_len, name, len);

		attributes++;
		if (wanted != NULL && !take_attribute(pl, wanted, a.value, a.value_len))
			return false;
	}
	if (more < 0)
		return false;
	pl->cost += (int64_t) attributes * attributes;
	pl->tags++;
	pl->p = p;
	if (attributes > MAX_ATTRIBUTES)
		return false;
	if (pl->phase > IN_BODY && tag != GUMBO_TAG_HTML)
		pl->phase = IN_BODY;
	if (pl->phase > IN_BODY)
	{
		if (!closing)
			return merge_attributes(pl, pl->html);
		pl->phase = AFTER_HTML;
		return true;
	}
	if (pl->phase < IN_BODY)
		return closing ? end_before_body(pl, tag) : start_before_body(pl, tag, name, len);
	return closing ? end_in_body(pl, tag) : start_in_body(pl, tag, name, len);
}

/* Text up to the next tag */
static bool
take_text(Plain *pl, const char *s, const char *end)
{
	const char *p = s;
	size_t		n;
	char	   *made;
	bool		good;

	while (p < end && is_space(*p))
		p++;
	if (pl->skip_newline)
	{
		if (p == s && *s == '&')
			return false;
		if (*s == '\r' || *s == '\n')
			s += end - s > 1 && s[0] == '\r' && s[1] == '\n' ? 2 : 1;
		if (s == end)
			return true;
	}
	if (pl->phase < IN_BODY)
	{
		if (pl->phase >= IN_HEAD && p > s)
		{
			made = plain_take_string(pl, s, p - s, false, false, &n);
			plain_add_text(pl, made, n, true);
		}
		s = p;
		if (s == end)
			return true;
		if (*s == '&')
			return false;
		if (!begin_body(pl))
			return false;
	}
	else if (pl->phase > IN_BODY && p < end)
		pl->phase = IN_BODY;
	if (p < end && part_of_table(pl) == GUMBO_TAG_COLGROUP)
		return false;
	made = plain_take_string(pl, s, end - s, true, false, &n);
	if (made == NULL)
		return false;
	if (!is_table_part(part_of_table(pl)))
	{
		if (part_of_table(pl) != GUMBO_TAG_COLGROUP && !plain_reconstruct(pl))
			return false;
		plain_add_text(pl, made, n, p == end);
		return true;
	}
	/* a reference may be white space, too */
	pl->foster = strspn(made, " \t\r\n\f") < n;
	good = !pl->foster || plain_reconstruct(pl);
	if (good)
		plain_add_text(pl, made, n, p == end);
	pl->foster = false;
	pl->text = NULL;
	return good;
}

/* <!-- … -->, <!…>, <?…> */
static bool
take_comment(Plain *pl)
{
	const char *s = pl->p;
	const char *close;
	GumboNode  *parent;
	GumboNode  *node;
	size_t		n;

	if (pl->end - s < 4 || memcmp(s, "<!--", 4) != 0)
	{
		close = memchr(s, '>', pl->end - s);
		pl->unsure |= memchr(s + 1, '<', (close != NULL ? close : pl->end) - s - 1) != NULL;
		pl->p = close != NULL ? close + 1 : pl->end;
		if (pl->end - s < 9 || g_ascii_strncasecmp(s, "<!doctype", 9) != 0)
			pl->text = NULL;
		else if (close == NULL)
			return false;
		/* one that comes too late is nothing */
		else if (pl->phase == BEFORE_HTML && pl->doctype == NULL && !pl->no_doctype)
		{
			pl->doctype = s;
			pl->doctype_len = close - s;
		}
		return true;
	}
	pl->text = NULL;
	close = html_comment_end(s + 4, pl->end);
	if (close == NULL)
	{
		/* with nothing in it that could be anything */
		pl->p = pl->end;
		return memchr(s + 1, '<', pl->end - s - 1) == NULL && memchr(s, '[', pl->end - s) == NULL;
	}
	/* those that are counted in another way */
	if (close - s < 7)
	{
		pl->unsure = true;
		pl->p = close;
		return true;
	}
	pl->unsure |= s[4] == '-';
	pl->p = close;
	close -= close[-2] == '!' ? 4 : 3;
	for (s += 4; s < close && is_space(*s); s++)
		;
	if (close - s < 3 || memcmp(s, "[if", 3) != 0)
		return true;
	node = plain_new_node(pl, GUMBO_NODE_COMMENT);
	node->v.text.text = plain_take_string(pl, s, close - s, false, false, &n);
	parent = pl->phase == BEFORE_HTML || pl->phase == AFTER_HTML ? pl->document :
		pl->phase == AFTER_BODY ? pl->html : current(pl);
	plain_append_child(pl, parent, node);
	return true;
}

/*
 * The tree of a document, which ends in a NUL, or NULL where it takes libgumbo.  Its root
 * is in *root.
 */
GumboNode  *
html_plain(const char *s, size_t len, bool clean, void *arena, GumboNode **root)
{
	static Plain pl;

	plain_rules_make();
	memset(&pl, 0, offsetof(Plain, open));
	pl.p = s;
	pl.end = s + len;
	pl.arena = arena;
	pl.depth = 0;
	pl.text = NULL;
	pl.num_active = 0;
	pl.foster = false;
	pl.skip_newline = pl.unsure = false;
	pl.doctype = NULL;
	pl.no_doctype = false;
	pl.tags = pl.cost = 0;
	if (has_oddities(s, len, clean))
		return NULL;
	html_references_begin();
	pl.document = plain_new_node(&pl, GUMBO_NODE_DOCUMENT);
	while (pl.p < pl.end)
	{
		const char *from = pl.p;
		const char *lt = memchr(from, '<', pl.end - from);

		if (lt == NULL)
			lt = pl.end;
		if (lt > from)
		{
			if (!take_text(&pl, from, lt))
				return NULL;
			pl.skip_newline = false;
		}
		pl.p = lt;
		if (lt == pl.end)
			break;
		if (pl.end - lt < 3)
			return NULL;
		if (g_ascii_isalpha(lt[1]) || (lt[1] == '/' && g_ascii_isalpha(lt[2])))
		{
			pl.skip_newline = false;
			if (!take_tag(&pl))
				return NULL;
		}
		else if (lt[1] == '!' || lt[1] == '?')
		{
			pl.skip_newline = false;
			if (!take_comment(&pl))
				return NULL;
		}
		else
			return NULL;
	}
	if (pl.tags * pl.tags + pl.cost > SURE_COST || (pl.unsure && tags_cost_too_much(s, len)))
		return NULL;
	if (pl.phase < IN_BODY && !begin_body(&pl))
		return NULL;
	*root = pl.html;
	return pl.document;
}
