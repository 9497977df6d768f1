/*
 * html_tree.c
 *	  The tree that html_plain.c makes of a document, what of it is open, and the
 *	  formatting that goes on.
 */
#include <string.h>

#include "html_plain.h"

#define T(tag, ...)		{GUMBO_TAG_##tag, __VA_ARGS__}
#define BLOCK(tag)		T(tag, START_BLOCK, END_BLOCK, SPECIAL)
#define UNKNOWN(tag, flags)	T(tag, START_UNKNOWN, END_UNKNOWN, flags)
#define FORMAT(tag)		T(tag, START_FORMATTING, END_FORMATTING, 0)
#define VOID(tag, start)	T(tag, start, END_ANY, SPECIAL)

/* Those of which there is more to say than that they are inline */
static const TagRule tag_rules[] = {
	BLOCK(ADDRESS), BLOCK(ARTICLE), BLOCK(ASIDE), BLOCK(BLOCKQUOTE), BLOCK(CENTER), BLOCK(DETAILS),
	BLOCK(DIR), BLOCK(DIV), BLOCK(DL), BLOCK(FIELDSET), BLOCK(FIGCAPTION), BLOCK(FIGURE),
	BLOCK(FOOTER), BLOCK(HEADER), BLOCK(HGROUP), BLOCK(MENU), BLOCK(NAV), BLOCK(OL),
	BLOCK(SECTION), BLOCK(SUMMARY), BLOCK(UL),
	T(MAIN, START_BLOCK, END_BLOCK, 0),
	T(P, START_BLOCK, END_P, SPECIAL | IMPLIED),
	T(H1, START_HEADING, END_HEADING, SPECIAL), T(H2, START_HEADING, END_HEADING, SPECIAL),
	T(H3, START_HEADING, END_HEADING, SPECIAL), T(H4, START_HEADING, END_HEADING, SPECIAL),
	T(H5, START_HEADING, END_HEADING, SPECIAL), T(H6, START_HEADING, END_HEADING, SPECIAL),
	T(PRE, START_PRE, END_BLOCK, SPECIAL), T(LISTING, START_PRE, END_BLOCK, SPECIAL),
	T(FORM, START_FORM, END_FORM, SPECIAL),
	T(LI, START_LI, END_LI, SPECIAL | IMPLIED),
	T(DD, START_DD, END_BLOCK, SPECIAL | IMPLIED), T(DT, START_DD, END_BLOCK, SPECIAL | IMPLIED),
	T(BUTTON, START_BUTTON, END_BLOCK, SPECIAL),
	FORMAT(A), FORMAT(B), FORMAT(BIG), FORMAT(CODE), FORMAT(EM), FORMAT(FONT), FORMAT(I), FORMAT(S),
	FORMAT(SMALL), FORMAT(STRIKE), FORMAT(STRONG), FORMAT(TT), FORMAT(U),
	T(NOBR, START_UNKNOWN, END_FORMATTING, 0),
	VOID(AREA, START_VOID), VOID(BR, START_VOID), VOID(EMBED, START_VOID), VOID(IMG, START_VOID),
	VOID(INPUT, START_VOID), VOID(WBR, START_VOID), VOID(PARAM, START_VOID),
	T(KEYGEN, START_VOID, END_ANY, 0), T(SOURCE, START_VOID, END_ANY, 0), T(TRACK, START_VOID, END_ANY, 0),
	VOID(HR, START_HR),
	VOID(BASE, START_META), VOID(BASEFONT, START_META), VOID(BGSOUND, START_META), VOID(LINK, START_META),
	VOID(META, START_META),
	T(TITLE, START_RAW, END_ANY, SPECIAL), T(STYLE, START_RAW, END_ANY, SPECIAL), T(SCRIPT, START_RAW, END_ANY, SPECIAL),
	T(TABLE, START_TABLE, END_CELLS, SPECIAL | SCOPE),
	T(TBODY, START_CELLS, END_CELLS, SPECIAL), T(THEAD, START_CELLS, END_CELLS, SPECIAL),
	T(TFOOT, START_CELLS, END_CELLS, SPECIAL), T(TR, START_CELLS, END_CELLS, SPECIAL),
	T(TD, START_CELLS, END_CELLS, SPECIAL | SCOPE), T(TH, START_CELLS, END_CELLS, SPECIAL | SCOPE),
	T(COL, START_CELLS, END_CELLS, SPECIAL), T(COLGROUP, START_CELLS, END_CELLS, SPECIAL),
	UNKNOWN(CAPTION, SPECIAL | SCOPE), UNKNOWN(HTML, SPECIAL | SCOPE), T(HEAD, START_UNKNOWN, END_ANY, SPECIAL), UNKNOWN(BODY, SPECIAL),
	UNKNOWN(APPLET, SPECIAL | SCOPE), UNKNOWN(MARQUEE, SPECIAL | SCOPE), UNKNOWN(OBJECT, SPECIAL | SCOPE),
	UNKNOWN(TEMPLATE, SPECIAL | SCOPE), UNKNOWN(FRAME, SPECIAL), UNKNOWN(FRAMESET, SPECIAL), UNKNOWN(NOFRAMES, SPECIAL),
	UNKNOWN(IFRAME, SPECIAL), UNKNOWN(NOEMBED, SPECIAL), UNKNOWN(NOSCRIPT, SPECIAL), UNKNOWN(PLAINTEXT, SPECIAL),
	UNKNOWN(XMP, SPECIAL), UNKNOWN(TEXTAREA, SPECIAL), UNKNOWN(SELECT, SPECIAL), UNKNOWN(ISINDEX, SPECIAL),
	UNKNOWN(MENUITEM, SPECIAL), UNKNOWN(OPTION, IMPLIED), UNKNOWN(OPTGROUP, IMPLIED), UNKNOWN(RB, IMPLIED),
	UNKNOWN(RP, IMPLIED), UNKNOWN(RT, IMPLIED), UNKNOWN(RTC, IMPLIED), UNKNOWN(IMAGE, 0), UNKNOWN(SVG, 0),
	UNKNOWN(MATH, 0),
};

TagRule		plain_rules[GUMBO_TAG_LAST + 1];

/* The rules by tag, and those of the many others */
void
plain_rules_make(void)
{
	if (plain_rules[GUMBO_TAG_P].end == END_P)
		return;
	for (int i = 0; i <= GUMBO_TAG_LAST; i++)
		plain_rules[i].tag = i;
	for (size_t i = 0; i < G_N_ELEMENTS(tag_rules); i++)
		plain_rules[tag_rules[i].tag] = tag_rules[i];
}

/* ---- strings ---------------------------------------------------------------- */

/* Line ends are one character */
static size_t
copy_lines(char *to, const char *s, size_t len)
{
	size_t		n = 0;

	for (size_t i = 0; i < len; i++)
		if (s[i] != '\r')
			to[n++] = s[i];
		else if (i + 1 == len || s[i + 1] != '\n')
			to[n++] = '\n';
	return n;
}

/*
 * A piece of source as the parser would have it, or NULL where only that knows.
 * References stand for other characters.
 */
char	   *
plain_take_string(Plain *pl, const char *s, size_t len, bool references, bool attribute, size_t *made_len)
{
	char	   *made = arena_alloc(pl->arena, len + 1);
	size_t		n = len;

	if (len > 0 && memchr(s, '\r', len) != NULL)
		n = copy_lines(made, s, len);
	else if (len > 0)
		memcpy(made, s, len);
	made[n] = '\0';
	if (references && n > 0 && memchr(made, '&', n) != NULL)
	{
		const char *source = made;

		/* no reference stands for more than twice its length */
		made = arena_alloc(pl->arena, 2 * n + 8);
		if (!html_references(source, n, attribute, made, &n))
			return NULL;
		made[n] = '\0';
	}
	*made_len = n;
	return made;
}

/* ---- the tree ---------------------------------------------------------------- */

void
plain_append_child(Plain *pl, GumboNode *parent, GumboNode *child)
{
	GumboVector *children = parent->type == GUMBO_NODE_DOCUMENT ? &parent->v.document.children : &parent->v.element.children;

	if (children->length == children->capacity)
	{
		unsigned	capacity = children->capacity > 0 ? children->capacity * 2 : 4;
		void	  **data = arena_alloc(pl->arena, sizeof(void *) * capacity);

		if (children->length > 0)
			memcpy(data, children->data, sizeof(void *) * children->length);
		children->data = data;
		children->capacity = capacity;
	}
	children->data[children->length++] = child;
	child->parent = parent;
	pl->text = NULL;
}

/* What has no place between the parts of a table goes before the table */
static void
place_child(Plain *pl, GumboNode *child)
{
	GumboVector *children;
	GumboNode  *table = NULL;
	unsigned	at;

	if (!pl->foster || !is_table_part(tag_at(pl, pl->depth - 1)))
	{
		plain_append_child(pl, current(pl), child);
		return;
	}
	for (int i = pl->depth - 1; table == NULL; i--)
		if (tag_at(pl, i) == GUMBO_TAG_TABLE)
			table = pl->open[i];
	plain_append_child(pl, table->parent, child);
	children = &table->parent->v.element.children;
	for (at = children->length - 1; at > 0 && children->data[at] != table; at--)
		children->data[at] = children->data[at - 1];
	children->data[at] = child;
	children->data[at + 1] = table;
}

GumboNode  *
plain_new_node(Plain *pl, GumboNodeType type)
{
	GumboNode  *node = arena_alloc(pl->arena, sizeof(GumboNode));

	memset(node, 0, sizeof(*node));
	node->type = type;
	return node;
}

/* An element, with the attributes that were taken, into a parent or where it belongs */
GumboNode  *
plain_add_element(Plain *pl, GumboNode *parent, GumboTag tag, bool attributes)
{
	GumboNode  *node = plain_new_node(pl, GUMBO_NODE_ELEMENT);

	node->v.element.tag = tag;
	if (attributes && pl->num_taken > 0)
	{
		GumboVector *vector = &node->v.element.attributes;

		vector->data = arena_alloc(pl->arena, sizeof(void *) * pl->num_taken);
		memcpy(vector->data, pl->taken, sizeof(void *) * pl->num_taken);
		vector->length = vector->capacity = pl->num_taken;
	}
	if (parent != NULL)
		plain_append_child(pl, parent, node);
	else
		place_child(pl, node);
	return node;
}

bool
plain_push(Plain *pl, GumboTag tag, bool attributes)
{
	int			i = pl->depth;

	if (i == MAX_OPEN)
		return false;
	pl->open[i] = plain_add_element(pl, i > 0 ? NULL : pl->document, tag, attributes);
	pl->part[i] = is_table_part(tag) || is_cell(tag) || tag == GUMBO_TAG_COLGROUP ? tag :
		i > 0 ? pl->part[i - 1] : GUMBO_TAG_LAST;
	pl->depth++;
	return true;
}

void
plain_pop(Plain *pl)
{
	pl->depth--;
	pl->text = NULL;
}

bool
plain_push_void(Plain *pl, GumboTag tag)
{
	plain_add_element(pl, NULL, tag, true);
	return true;
}

/* Text, to that right before it if there is some */
void
plain_add_text(Plain *pl, char *s, size_t len, bool blank)
{
	GumboNode  *node = pl->text;

	if (len == 0)
		return;
	if (node == NULL)
	{
		node = plain_new_node(pl, GUMBO_NODE_WHITESPACE);
		place_child(pl, node);
		pl->text = node;
		pl->text_len = 0;
		pl->text_room = len;
		pl->text_bytes = s;
	}
	else
	{
		if (pl->text_len + len > pl->text_room)
		{
			char	   *all = arena_alloc(pl->arena, 2 * (pl->text_len + len) + 1);

			memcpy(all, pl->text_bytes, pl->text_len);
			pl->text_bytes = all;
			pl->text_room = 2 * (pl->text_len + len);
		}
		memcpy(pl->text_bytes + pl->text_len, s, len);
		pl->text_bytes[pl->text_len + len] = '\0';
	}
	pl->text_len += len;
	node->v.text.text = pl->text_bytes;
	if (!blank)
		node->type = GUMBO_NODE_TEXT;
}

/* ---- what is open -------------------------------------------------------------- */

/* The topmost open element of a tag, or -1 where one of those flags (or tags) comes first */
int
plain_find_open(const Plain *pl, GumboTag tag, int flags, GumboTag other, GumboTag another)
{
	for (int i = pl->depth - 1; i >= 0; i--)
	{
		GumboTag	is = tag_at(pl, i);

		if (is == tag)
			return i;
		if ((plain_rules[is].flags & flags) != 0 || is == other || is == another)
			return -1;
	}
	return -1;
}

/* Pop all down to the element at i, and it */
void
plain_pop_to(Plain *pl, int i)
{
	pl->depth = i;
	pl->text = NULL;
}

void
plain_pop_implied(Plain *pl, GumboTag but)
{
	while ((rule_at(pl, pl->depth - 1)->flags & IMPLIED) != 0 && tag_at(pl, pl->depth - 1) != but)
		plain_pop(pl);
}

/* A paragraph ends where a block begins */
void
plain_close_p(Plain *pl)
{
	int			i = IN_BUTTON_SCOPE(pl, GUMBO_TAG_P);

	if (i >= 0)
		plain_pop_to(pl, i);
}

/* ---- formatting ------------------------------------------------------------------ */

static bool
is_open(const Plain *pl, const GumboNode *node)
{
	for (int i = pl->depth - 1; i >= 0; i--)
		if (pl->open[i] == node)
			return true;
	return false;
}

/* Formatting whose element was closed, but not by its own end tag, begins again */
bool
plain_reconstruct(Plain *pl)
{
	int			i = pl->num_active;

	while (i > 0 && pl->active[i - 1] != NULL && !is_open(pl, pl->active[i - 1]))
		i--;
	for (; i < pl->num_active; i++)
	{
		GumboNode  *was = pl->active[i];

		if (!plain_push(pl, was->v.element.tag, false))
			return false;
		current(pl)->v.element.attributes = was->v.element.attributes;
		pl->active[i] = current(pl);
	}
	return true;
}

static void
remove_active(Plain *pl, int i)
{
	pl->num_active--;
	memmove(&pl->active[i], &pl->active[i + 1], sizeof(pl->active[0]) * (pl->num_active - i));
}

/* The last formatting of a tag in this cell, or -1 */
static int
find_active(const Plain *pl, GumboTag tag)
{
	for (int i = pl->num_active - 1; i >= 0 && pl->active[i] != NULL; i--)
		if (pl->active[i]->v.element.tag == tag)
			return i;
	return -1;
}

/* A cell has its own formatting */
bool
plain_push_cell(Plain *pl, GumboTag tag)
{
	if (pl->num_active == MAX_OPEN || !plain_push(pl, tag, true))
		return false;
	pl->active[pl->num_active++] = NULL;
	return true;
}

void
plain_pop_cell(Plain *pl, int i)
{
	plain_pop_to(pl, i);
	while (pl->num_active > 0 && pl->active[--pl->num_active] != NULL)
		;
}

/*
 * The end tag of formatting.  False where something special is open in it, which
 * would move out of it.
 */
bool
plain_end_formatting(Plain *pl, GumboTag tag)
{
	int			a = find_active(pl, tag);
	int			i;

	if (a < 0)
	{
		if (tag_at(pl, pl->depth - 1) == tag)
			plain_pop(pl);
		return true;
	}
	for (i = pl->depth - 1; i >= 0 && pl->open[i] != pl->active[a]; i--)
		;
	if (i >= 0)
	{
		if (IN_SCOPE(pl, tag) < 0)
			return true;
		for (int k = i + 1; k < pl->depth; k++)
			if ((rule_at(pl, k)->flags & SPECIAL) != 0)
				return false;
		plain_pop_to(pl, i);
	}
	remove_active(pl, a);
	return true;
}

bool
plain_start_formatting(Plain *pl, GumboTag tag)
{
	int			same = 0;

	/* a link ends the one before it */
	if (tag == GUMBO_TAG_A && find_active(pl, tag) >= 0 && !plain_end_formatting(pl, tag))
		return false;
	if (tag == GUMBO_TAG_A && find_active(pl, tag) >= 0)
		return false;
	for (int i = pl->num_active - 1; i >= 0 && pl->active[i] != NULL; i--)
		same += pl->active[i]->v.element.tag == tag;
	/* of more than three alike the first is forgotten */
	if (same >= 3 || pl->num_active == MAX_OPEN)
		return false;
	if (!plain_reconstruct(pl) || !plain_push(pl, tag, true))
		return false;
	pl->active[pl->num_active++] = current(pl);
	return true;
}
