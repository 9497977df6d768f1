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
#include <gumbo.h>

#include "html.h"

/* Elements that are open at once */
#define MAX_OPEN		400

/* Attributes of one element that are wanted */
#define MAX_TAKEN		24

/* What a document may cost libgumbo, as html_tags.c counts it: surely no more than that here */
#define SURE_COST		(150 * 1000 * 1000)

/* Attributes of one element in all */
#define MAX_ATTRIBUTES	500

/* What a start tag does, in the body of a document */
typedef enum StartKind
{
	START_INLINE,				/* an element like any other */
	START_UNKNOWN,				/* ask libgumbo */
	START_BLOCK,				/* ends a paragraph */
	START_HEADING,
	START_PRE,
	START_FORM,
	START_LI,
	START_DD,
	START_FORMATTING,
	START_VOID,
	START_HR,
	START_META,					/* a void one that may stand in the head, too */
	START_RAW,					/* holds text that is no markup */
	START_TABLE,
	START_CELLS,				/* tbody, tr, td and their like, col and
								 * colgroup */
	START_BUTTON
} StartKind;

/* What an end tag closes */
typedef enum EndKind
{
	END_ANY,					/* its element, where nothing special is in
								 * between */
	END_UNKNOWN,
	END_BLOCK,					/* its element, with all in it */
	END_P,
	END_LI,
	END_HEADING,
	END_FORM,
	END_FORMATTING,
	END_CELLS
} EndKind;

typedef struct TagRule
{
	GumboTag	tag;
	unsigned char start;
	unsigned char end;
	unsigned char flags;
} TagRule;

/* Flags */
#define SPECIAL			1		/* an end tag from within doesn't reach out of
								 * it */
#define SCOPE			2		/* nor that of a block */
#define IMPLIED			4		/* its own end may be left out */

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

static TagRule rules[GUMBO_TAG_LAST + 1];

/* Where in a document we are */
typedef enum Phase
{
	BEFORE_HTML, BEFORE_HEAD, IN_HEAD, AFTER_HEAD, IN_BODY, AFTER_BODY, AFTER_HTML
} Phase;

typedef struct Plain
{
	const char *p;
	const char *end;
	void	   *arena;
	GumboNode  *document;
	GumboNode  *html;
	GumboNode  *head;
	GumboNode  *form;
	Phase		phase;
	GumboNode  *open[MAX_OPEN];
	GumboTag	part[MAX_OPEN]; /* of a table, that each is or is in;
								 * GUMBO_TAG_LAST for none */
	int			depth;
	bool		foster;			/* what has no place in a table goes before it */
	/* formatting that goes on until it is ended; NULL is where a cell begins */
	GumboNode  *active[MAX_OPEN];
	int			num_active;
	GumboNode  *text;			/* that what comes next belongs to, or NULL */
	char	   *text_bytes;
	size_t		text_len;
	size_t		text_room;
	bool		skip_newline;	/* right behind <pre> */
	bool		unsure;			/* whether tags are counted as here */
	const char *doctype;		/* or NULL */
	size_t		doctype_len;
	bool		no_doctype;		/* one that comes now is too late */
	int64_t		tags;
	int64_t		cost;
	/* the attributes of the tag at hand */
	int			num_taken;
	GumboAttribute *taken[MAX_TAKEN];
} Plain;

static inline bool
is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f';
}

/* Characters that the parser takes for others, or that are none */
static bool
has_oddities(const char *s, size_t len)
{
	const char *end = s + len;
	const unsigned char *u;

	if (html_has_controls(s, len) || memchr(s, 0x7F, len) != NULL)
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
static char *
take_string(Plain *pl, const char *s, size_t len, bool references, bool attribute, size_t *made_len)
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

static inline GumboNode *
current(const Plain *pl)
{
	return pl->open[pl->depth - 1];
}

static inline GumboTag
tag_at(const Plain *pl, int i)
{
	return pl->open[i]->v.element.tag;
}

static inline GumboTag
current_tag(const Plain *pl)
{
	return tag_at(pl, pl->depth - 1);
}

static inline const TagRule *
rule_at(const Plain *pl, int i)
{
	return &rules[tag_at(pl, i)];
}

static inline bool
is_section(GumboTag tag)
{
	return tag == GUMBO_TAG_TBODY || tag == GUMBO_TAG_THEAD || tag == GUMBO_TAG_TFOOT;
}

static inline bool
is_cell(GumboTag tag)
{
	return tag == GUMBO_TAG_TD || tag == GUMBO_TAG_TH;
}

/* Between the cells of a table, where text has no place */
static inline bool
is_table_part(GumboTag tag)
{
	return tag == GUMBO_TAG_TABLE || tag == GUMBO_TAG_TR || is_section(tag);
}

static void
append_child(Plain *pl, GumboNode *parent, GumboNode *child)
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
		append_child(pl, current(pl), child);
		return;
	}
	for (int i = pl->depth - 1; table == NULL; i--)
		if (tag_at(pl, i) == GUMBO_TAG_TABLE)
			table = pl->open[i];
	append_child(pl, table->parent, child);
	children = &table->parent->v.element.children;
	for (at = children->length - 1; at > 0 && children->data[at] != table; at--)
		children->data[at] = children->data[at - 1];
	children->data[at] = child;
	children->data[at + 1] = table;
}

static GumboNode *
new_node(Plain *pl, GumboNodeType type)
{
	GumboNode  *node = arena_alloc(pl->arena, sizeof(GumboNode));

	memset(node, 0, sizeof(*node));
	node->type = type;
	return node;
}

/* An element, with the attributes that were taken, into a parent or where it belongs */
static GumboNode *
add_element(Plain *pl, GumboNode *parent, GumboTag tag, bool attributes)
{
	GumboNode  *node = new_node(pl, GUMBO_NODE_ELEMENT);

	node->v.element.tag = tag;
	if (attributes && pl->num_taken > 0)
	{
		GumboVector *vector = &node->v.element.attributes;

		vector->data = arena_alloc(pl->arena, sizeof(void *) * pl->num_taken);
		memcpy(vector->data, pl->taken, sizeof(void *) * pl->num_taken);
		vector->length = vector->capacity = pl->num_taken;
	}
	if (parent != NULL)
		append_child(pl, parent, node);
	else
		place_child(pl, node);
	return node;
}

static bool
push(Plain *pl, GumboTag tag, bool attributes)
{
	int			i = pl->depth;

	if (i == MAX_OPEN)
		return false;
	pl->open[i] = add_element(pl, i > 0 ? NULL : pl->document, tag, attributes);
	pl->part[i] = is_table_part(tag) || is_cell(tag) || tag == GUMBO_TAG_COLGROUP ? tag :
		i > 0 ? pl->part[i - 1] : GUMBO_TAG_LAST;
	pl->depth++;
	return true;
}

static void
pop(Plain *pl)
{
	pl->depth--;
	pl->text = NULL;
}

static bool
push_void(Plain *pl, GumboTag tag)
{
	add_element(pl, NULL, tag, true);
	return true;
}

/* Text, to that right before it if there is some */
static void
add_text(Plain *pl, char *s, size_t len, bool blank)
{
	GumboNode  *node = pl->text;

	if (len == 0)
		return;
	if (node == NULL)
	{
		node = new_node(pl, GUMBO_NODE_WHITESPACE);
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
static int
find_open(const Plain *pl, GumboTag tag, int flags, GumboTag other, GumboTag another)
{
	for (int i = pl->depth - 1; i >= 0; i--)
	{
		GumboTag	is = tag_at(pl, i);

		if (is == tag)
			return i;
		if ((rules[is].flags & flags) != 0 || is == other || is == another)
			return -1;
	}
	return -1;
}

#define IN_SCOPE(pl, tag)			find_open(pl, tag, SCOPE, GUMBO_TAG_LAST, GUMBO_TAG_LAST)
#define IN_BUTTON_SCOPE(pl, tag)	find_open(pl, tag, SCOPE, GUMBO_TAG_BUTTON, GUMBO_TAG_LAST)
#define IN_LIST_SCOPE(pl, tag)		find_open(pl, tag, SCOPE, GUMBO_TAG_OL, GUMBO_TAG_UL)
#define IN_TABLE_SCOPE(pl, tag)		find_open(pl, tag, 0, GUMBO_TAG_HTML, GUMBO_TAG_TABLE)

/* Pop all down to the element at i, and it */
static void
pop_to(Plain *pl, int i)
{
	pl->depth = i;
	pl->text = NULL;
}

static void
pop_implied(Plain *pl, GumboTag but)
{
	while ((rule_at(pl, pl->depth - 1)->flags & IMPLIED) != 0 && tag_at(pl, pl->depth - 1) != but)
		pop(pl);
}

/* A paragraph ends where a block begins */
static void
close_p(Plain *pl)
{
	int			i = IN_BUTTON_SCOPE(pl, GUMBO_TAG_P);

	if (i >= 0)
		pop_to(pl, i);
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
static bool
reconstruct(Plain *pl)
{
	int			i = pl->num_active;

	while (i > 0 && pl->active[i - 1] != NULL && !is_open(pl, pl->active[i - 1]))
		i--;
	for (; i < pl->num_active; i++)
	{
		GumboNode  *was = pl->active[i];

		if (!push(pl, was->v.element.tag, false))
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
static bool
push_cell(Plain *pl, GumboTag tag)
{
	if (pl->num_active == MAX_OPEN || !push(pl, tag, true))
		return false;
	pl->active[pl->num_active++] = NULL;
	return true;
}

static void
pop_cell(Plain *pl, int i)
{
	pop_to(pl, i);
	while (pl->num_active > 0 && pl->active[--pl->num_active] != NULL)
		;
}

/*
 * The end tag of formatting.  False where something special is open in it, which
 * would move out of it.
 */
static bool
end_formatting(Plain *pl, GumboTag tag)
{
	int			a = find_active(pl, tag);
	int			i;

	if (a < 0)
	{
		if (tag_at(pl, pl->depth - 1) == tag)
			pop(pl);
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
		pop_to(pl, i);
	}
	remove_active(pl, a);
	return true;
}

static bool
start_formatting(Plain *pl, GumboTag tag)
{
	int			same = 0;

	/* a link ends the one before it */
	if (tag == GUMBO_TAG_A && find_active(pl, tag) >= 0 && !end_formatting(pl, tag))
		return false;
	if (tag == GUMBO_TAG_A && find_active(pl, tag) >= 0)
		return false;
	for (int i = pl->num_active - 1; i >= 0 && pl->active[i] != NULL; i--)
		same += pl->active[i]->v.element.tag == tag;
	/* of more than three alike the first is forgotten */
	if (same >= 3 || pl->num_active == MAX_OPEN)
		return false;
	if (!reconstruct(pl) || !push(pl, tag, true))
		return false;
	pl->active[pl->num_active++] = current(pl);
	return true;
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
		pop_cell(pl, i);
	else if (i < pl->depth - 1)
		pop_to(pl, i + 1);
}

/* A start tag of a table's parts, with those that it ends and begins along with it */
static bool
start_cells(Plain *pl, GumboTag tag)
{
	/* outside of tables it is none */
	if (part_of_table(pl) == GUMBO_TAG_LAST)
		return true;
	/* a cell ends with what is in it */
	pop_to_part(pl);
	if (current_tag(pl) == GUMBO_TAG_COLGROUP)
	{
		if (tag == GUMBO_TAG_COL)
			return push_void(pl, tag);
		pop(pl);
	}
	if (current_tag(pl) == GUMBO_TAG_TR && !is_cell(tag))
		pop(pl);
	if (is_section(current_tag(pl)) && !is_cell(tag) && tag != GUMBO_TAG_TR)
		pop(pl);
	if (tag == GUMBO_TAG_COL)
		return push(pl, GUMBO_TAG_COLGROUP, false) && push_void(pl, tag);
	if (current_tag(pl) == GUMBO_TAG_TABLE && (is_cell(tag) || tag == GUMBO_TAG_TR) && !push(pl, GUMBO_TAG_TBODY, false))
		return false;
	if (current_tag(pl) != GUMBO_TAG_TR && is_cell(tag) && !push(pl, GUMBO_TAG_TR, false))
		return false;
	return is_cell(tag) ? push_cell(pl, tag) : push(pl, tag, true);
}

/* An end tag of a table or of its parts; one that ends nothing is ignored */
static bool
end_cells(Plain *pl, GumboTag tag)
{
	if (part_of_table(pl) == GUMBO_TAG_COLGROUP)
	{
		if (tag == GUMBO_TAG_COL)
			return true;
		pop(pl);
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
		pop(pl);
	pop(pl);
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
			pop_to(pl, i);
		else if ((rules[tag].flags & SPECIAL) == 0 || tag == GUMBO_TAG_ADDRESS || tag == GUMBO_TAG_DIV || tag == GUMBO_TAG_P)
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
		close_p(pl);
	}
	return push(pl, GUMBO_TAG_TABLE, true);
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
	node = add_element(pl, parent, tag, true);
	if (tag == GUMBO_TAG_STYLE && close > from)
	{
		GumboNode  *content = new_node(pl, GUMBO_NODE_WHITESPACE);

		content->v.text.text = take_string(pl, from, close - from, false, false, &n);
		for (s = content->v.text.text; is_space(*s); s++)
			;
		if (*s != '\0')
			content->type = GUMBO_NODE_TEXT;
		append_child(pl, node, content);
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
	switch (rules[tag].start)
	{
		case START_INLINE:
			return reconstruct(pl) && push(pl, tag, true);
		case START_BLOCK:
			close_p(pl);
			return push(pl, tag, true);
		case START_HEADING:
			close_p(pl);
			if (rule_at(pl, pl->depth - 1)->start == START_HEADING)
				pop(pl);
			return push(pl, tag, true);
		case START_PRE:
			pl->skip_newline = true;
			close_p(pl);
			return push(pl, tag, true);
		case START_FORM:
			if (pl->form != NULL)
				return true;
			close_p(pl);
			if (!push(pl, tag, true))
				return false;
			pl->form = current(pl);
			return true;
		case START_LI:
		case START_DD:
			close_list_item(pl, tag == GUMBO_TAG_LI);
			close_p(pl);
			return push(pl, tag, true);
		case START_BUTTON:
			return IN_SCOPE(pl, tag) < 0 && reconstruct(pl) && push(pl, tag, true);
		case START_FORMATTING:
			return start_formatting(pl, tag);
		case START_VOID:
			/* three of these are no text */
			if (tag != GUMBO_TAG_PARAM && tag != GUMBO_TAG_SOURCE && tag != GUMBO_TAG_TRACK && !reconstruct(pl))
				return false;
			return push_void(pl, tag);
		case START_META:
			return push_void(pl, tag);
		case START_HR:
			close_p(pl);
			return push_void(pl, tag);
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
		return push_void(pl, tag);
	if (tag == GUMBO_TAG_FORM)
	{
		if (pl->form == NULL)
			pl->form = add_element(pl, NULL, tag, true);
		return true;
	}
	if (tag == GUMBO_TAG_TABLE)
	{
		/* it ends the one that is open */
		pop_to(pl, IN_TABLE_SCOPE(pl, tag));
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
	if (rules[tag].start == START_CELLS)
		return start_cells(pl, tag);
	if (tag == GUMBO_TAG_HTML)
		return merge_attributes(pl, pl->html);
	if (part_of_table(pl) == GUMBO_TAG_COLGROUP)
		pop(pl);
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
		if (!push(pl, GUMBO_TAG_HTML, false))
			return false;
		pl->html = current(pl);
		pl->phase = BEFORE_HEAD;
	}
	if (pl->phase == BEFORE_HEAD)
	{
		if (!push(pl, GUMBO_TAG_HEAD, false))
			return false;
		pl->head = current(pl);
		pl->phase = IN_HEAD;
	}
	if (pl->phase == IN_HEAD)
		pop(pl);
	pl->phase = IN_BODY;
	return push(pl, GUMBO_TAG_BODY, false);
}

/* A start tag before the body */
static bool
start_before_body(Plain *pl, GumboTag tag, const char *name, size_t len)
{
	if (pl->phase == BEFORE_HTML)
	{
		if (!push(pl, GUMBO_TAG_HTML, tag == GUMBO_TAG_HTML))
			return false;
		pl->html = current(pl);
		pl->phase = BEFORE_HEAD;
		if (tag == GUMBO_TAG_HTML)
			return true;
	}
	if (pl->phase == BEFORE_HEAD)
	{
		if (!push(pl, GUMBO_TAG_HEAD, tag == GUMBO_TAG_HEAD))
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
	if (rules[tag].start == START_META || rules[tag].start == START_RAW)
	{
		/* behind the head, they belong to it all the same */
		if (rules[tag].start == START_RAW)
			return start_raw(pl, pl->head, tag, name, len);
		add_element(pl, pl->head, tag, true);
		return true;
	}
	if (tag == GUMBO_TAG_BODY)
	{
		if (pl->phase == IN_HEAD)
			pop(pl);
		pl->phase = IN_BODY;
		return push(pl, tag, true);
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
	pop_to(pl, i);
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
	pop_implied(pl, GUMBO_TAG_LAST);
	/* what is open in it would stay so */
	if (pl->depth - 1 != i)
		return false;
	pl->depth--;
	if (pl->text !=NULL)
	{
		/* libgumbo has not put the text right before it anywhere yet */
		GumboNode  *text = pl->text;

		form->v.element.children.length--;
		append_child(pl, current(pl), text);
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
			pop_to(pl, i);
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

	switch (rules[tag].end)
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
				add_element(pl, NULL, tag, false);
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
			return end_formatting(pl, tag);
		default:
			return false;
	}
	if (i >= 0)
		pop_to(pl, i);
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
			pop(pl);
		if (IN_SCOPE(pl, GUMBO_TAG_BODY) >= 0)
			pl->phase = tag == GUMBO_TAG_BODY ? AFTER_BODY : AFTER_HTML;
		return true;
	}
	if (rules[tag].end == END_CELLS)
		return end_cells(pl, tag);
	if (part_of_table(pl) == GUMBO_TAG_COLGROUP)
		pop(pl);
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
		pop(pl);
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
	a->value = take_string(pl, value, len, true, true, &n);
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
			made = take_string(pl, s, p - s, false, false, &n);
			add_text(pl, made, n, true);
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
	made = take_string(pl, s, end - s, true, false, &n);
	if (made == NULL)
		return false;
	if (!is_table_part(part_of_table(pl)))
	{
		if (part_of_table(pl) != GUMBO_TAG_COLGROUP && !reconstruct(pl))
			return false;
		add_text(pl, made, n, p == end);
		return true;
	}
	/* a reference may be white space, too */
	pl->foster = strspn(made, " \t\r\n\f") < n;
	good = !pl->foster || reconstruct(pl);
	if (good)
		add_text(pl, made, n, p == end);
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
	node = new_node(pl, GUMBO_NODE_COMMENT);
	node->v.text.text = take_string(pl, s, close - s, false, false, &n);
	parent = pl->phase == BEFORE_HTML || pl->phase == AFTER_HTML ? pl->document :
		pl->phase == AFTER_BODY ? pl->html : current(pl);
	append_child(pl, parent, node);
	return true;
}

/* The rules by tag, and those of the many others */
static void
make_rules(void)
{
	if (rules[GUMBO_TAG_P].end == END_P)
		return;
	for (int i = 0; i <= GUMBO_TAG_LAST; i++)
		rules[i].tag = i;
	for (size_t i = 0; i < G_N_ELEMENTS(tag_rules); i++)
		rules[tag_rules[i].tag] = tag_rules[i];
}

/*
 * The tree of a document, which ends in a NUL, or NULL where it takes libgumbo.  Its root
 * is in *root.
 */
GumboNode  *
html_plain(const char *s, size_t len, void *arena, GumboNode **root)
{
	static Plain pl;

	make_rules();
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
	if (has_oddities(s, len))
		return NULL;
	pl.document = new_node(&pl, GUMBO_NODE_DOCUMENT);
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
