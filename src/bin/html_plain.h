/*
 * html_plain.h
 *	  What html_plain.c, which reads the tags of a document, and html_tree.c, which
 *	  makes its tree, share.
 */
#ifndef ASSAY_HTML_PLAIN_H
#define ASSAY_HTML_PLAIN_H

#include <gumbo.h>

#include "html.h"

/* Elements that are open at once */
#define MAX_OPEN		400

/* Attributes of one element that are wanted */
#define MAX_TAKEN		24

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

extern TagRule plain_rules[GUMBO_TAG_LAST + 1];

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
	return &plain_rules[tag_at(pl, i)];
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

/* html_tree.c */
extern GumboNode *plain_new_node(Plain *pl, GumboNodeType type);
extern void plain_append_child(Plain *pl, GumboNode *parent, GumboNode *child);
extern GumboNode *plain_add_element(Plain *pl, GumboNode *parent, GumboTag tag, bool attributes);
extern bool plain_push(Plain *pl, GumboTag tag, bool attributes);
extern void plain_pop(Plain *pl);
extern bool plain_push_void(Plain *pl, GumboTag tag);
extern void plain_add_text(Plain *pl, char *s, size_t len, bool blank);
extern int	plain_find_open(const Plain *pl, GumboTag tag, int flags, GumboTag other, GumboTag another);
extern void plain_pop_to(Plain *pl, int i);
extern void plain_pop_implied(Plain *pl, GumboTag but);
extern void plain_close_p(Plain *pl);
extern bool plain_reconstruct(Plain *pl);
extern bool plain_push_cell(Plain *pl, GumboTag tag);
extern void plain_pop_cell(Plain *pl, int i);
extern bool plain_end_formatting(Plain *pl, GumboTag tag);
extern bool plain_start_formatting(Plain *pl, GumboTag tag);
extern char *plain_take_string(Plain *pl, const char *s, size_t len, bool references, bool attribute, size_t *made_len);
extern void plain_rules_make(void);

#define IN_SCOPE(pl, tag)			plain_find_open(pl, tag, SCOPE, GUMBO_TAG_LAST, GUMBO_TAG_LAST)
#define IN_BUTTON_SCOPE(pl, tag)	plain_find_open(pl, tag, SCOPE, GUMBO_TAG_BUTTON, GUMBO_TAG_LAST)
#define IN_LIST_SCOPE(pl, tag)		plain_find_open(pl, tag, SCOPE, GUMBO_TAG_OL, GUMBO_TAG_UL)
#define IN_TABLE_SCOPE(pl, tag)		plain_find_open(pl, tag, 0, GUMBO_TAG_HTML, GUMBO_TAG_TABLE)

#endif							/* ASSAY_HTML_PLAIN_H */
