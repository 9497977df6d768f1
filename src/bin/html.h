/*
 * html.h
 *	  What the files share that make text of HTML: html.c, which walks the
 *	  document, and what it needs, html_plain.c, html_tree.c, html_reference.c,
 *	  html_shrink.c, html_tags.c, html_shown.c, html_links.c, css.c, style.c and
 *	  sheet.c.
 */
#ifndef ASSAY_HTML_H
#define ASSAY_HTML_H

#include <setjmp.h>

#include "assay_load.h"

#define COLOR_UNKNOWN	(-1)
#define COLOR_CLEAR		(-2)	/* transparent */

/* White space, as HTML defines it */
static inline bool
is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f';
}

/* Memory of a document */
typedef struct Arena
{
	GPtrArray  *chunks;
	char	   *next;
	size_t		left;
	size_t		total;
	jmp_buf		full;			/* where to go when it is too much */
} Arena;

/* Characters to find in CSS; strings, comments, escapes and brackets begin with special ones */
typedef enum CssChar
{
	CSS_SPECIAL = 1, CSS_BRACE = 2, CSS_SEMICOLON = 4, CSS_COLON = 8, CSS_MARK = 16, CSS_COMMA = 32, CSS_BLANK = 64
} CssChar;

/* In which order are letters shown?  Not as they stand where an override turns them round. */
typedef enum Turn
{
	TURN_NONE, TURN_ROUND,
	TURN_MAYBE					/* by a rule that may hold or not */
} Turn;

/* What an element's text inherits.  Any of the first five hides it. */
typedef struct Style
{
	bool		gone;			/* not shown, whatever is inside */
	bool		invisible;		/* visibility: hidden */
	bool		clipped;		/* cut away */
	bool		indented;		/* text-indent: far to the left, up to the end
								 * of a line */
	double		away;			/* so many pixels outside of the page */
	double		font;			/* size in pixels */
	bool		holds;			/* what is clipped or away takes elements with
								 * a position of their own with it */
	bool		lined;			/* letters may have another colour, too */
	bool		unsure;			/* rules were left out: nothing hides it */
	int			color;			/* 0xRRGGBB */
	int			background;		/* 0xRRGGBB, or unknown behind a picture */
	Turn		to_left;		/* direction: rtl */
	Turn		turn;			/* and letters follow it whatever they are */
	bool		apart;			/* the element's own: characters in it direct
								 * nothing around it, nor they it */
	bool		maybe_apart;	/* by what may hold */
	bool		lays_out;		/* what is in it may be apart */
	bool		keeps_lines;	/* line ends in the source may be some */
} Style;

/* What goes over what, of declarations of an element */
typedef enum StyleRank
{
	RANK_ATTRIBUTE = 1, RANK_ELEMENT, RANK_CLASS, RANK_BOTH, RANK_ID, RANK_INLINE, RANK_IMPORTANT = 10
} StyleRank;

/* How an element is laid out, unless declarations say otherwise */
typedef enum Box
{
	BOX_LINE,					/* a part of a line, which nothing clips */
	BOX_BLOCK,
	BOX_TABLE					/* as large as its content, whatever its
								 * height */
} Box;

/* What declarations say of an element for itself */
typedef enum Said
{
	SAID_DISPLAY,				/* none? */
	SAID_OPACITY,				/* none? */
	SAID_HEIGHT,				/* none? */
	SAID_WIDTH,
	SAID_MAX_HEIGHT,
	SAID_MAX_WIDTH,
	SAID_OVERFLOW,				/* cut off? */
	SAID_POSITION,				/* out of the flow? */
	SAID_FLOAT,
	SAID_LEFT,					/* far outside of the page? */
	SAID_TOP,
	SAID_MARGIN_LEFT,
	SAID_MARGIN_TOP,
	SAID_CLIP,					/* to nothing? */
	SAID_CLIP_PATH,
	SAID_TRANSFORM,				/* to nothing? */
	SAID_VISIBILITY,			/* these are the style's */
	SAID_FONT_SIZE,
	SAID_COLOR,
	SAID_BACKGROUND,
	SAID_INDENT,
	SAID_DIRECTION,
	SAID_BIDI,					/* unicode-bidi: overrides the order? */
	SAID_CONTENT,
	NUM_SAID
} Said;

/* Until all declarations are read: the one with the highest rank counts */
typedef struct Own
{
	Style		outer;			/* what it is in */
	Box			box;
	bool		box_said;		/* not the element's kind, but declared */
	bool		room;			/* a least size, or a padding, was named */
	double		back;			/* pixels that may bring it into the page
								 * again */
	double		away;			/* pixels that it is moved out of it */
	double		transform_away; /* the same by a transform */
	bool		fixed;
	bool		positioned;
	bool		picture;		/* behind the text */
	bool		animation;		/* one was named */
	bool		animated;		/* and there are some */
	int			list;			/* of declarations, at hand */
	int			rank;			/* of that list */
	bool		maybe;			/* it may not hold: nothing is hidden by it */
	bool		embeds;			/* has an order of its own */
	Turn		overrides;		/* and letters follow its direction */
	bool		maybe_apart;	/* it may have, by what may hold */
	bool		lays_out;		/* flex, grid */
	GString    *made;			/* text of "content", for ::before and ::after
								 * only */
	struct
	{
		bool		hides;
		signed char rank;
		int			list;
	}			said[NUM_SAID];
} Own;

/* The style sheets of a document */
typedef struct Sheets
{
	GHashTable *rules;			/* selector to declarations, or NULL */
	GHashTable *maybe;			/* the same, which may hold or not */
	bool		animated;		/* there are @keyframes */
	bool		partial;		/* rules were left out */
	bool		makes_text;		/* there are ::before or ::after with some */
	size_t		applied;		/* bytes of declarations, to all elements */
	bool		exhausted;		/* that was too much: some were left out */
} Sheets;

/* A piece of the source that the parser got a mark for */
typedef struct HtmlRun
{
	const char *s;
	size_t		len;
	bool		as_is;			/* & stands for itself */
} HtmlRun;

/* A tag as it stands in the source */
typedef struct Tag
{
	const char *name;
	size_t		name_len;
	bool		closing;
	int			attributes;
	/* the values of the attributes that lead somewhere */
	const char *href;
	size_t		href_len;
	const char *src;
	size_t		src_len;
	const char *end;			/* after the > */
} Tag;

/* An attribute as it stands in the source */
typedef struct HtmlAttribute
{
	const char *name;
	size_t		name_len;
	const char *value;			/* NULL where there is none */
	size_t		value_len;
	char		quote;			/* around it, or NUL */
	bool		closed;			/* none, but the end of a tag that closes
								 * itself */
} HtmlAttribute;

/* What a tag does to the elements that are open */
typedef enum TagKind
{
	TAG_INLINE,					/* closes nothing but its own kind */
	TAG_BLOCK,					/* its end tag closes what is open in it */
	TAG_BARRIER,				/* end tags within don't reach out of it */
	TAG_VOID,
	TAG_RAW						/* holds text that is no markup */
} TagKind;

/* Text that is being put together, with the white space that is due */
typedef struct Out
{
	GString    *s;
	bool		pending_space;
	int			pending_newlines;
	int			indent;			/* blanks after a line end in <pre> */
} Out;

/* From where on the text that is seen has another order than what is around it */
typedef struct Turned
{
	bool		on;
	Turn		turn;
	Turn		outer;
	bool		spaced;			/* a blank was due there */
	gsize		seen;
	gsize		link;
	guint		links;			/* before the one that is open */
} Turned;

/* Characters that begin such an order and have not been ended yet: more are ignored, as in Unicode */
#define MAX_TURNED		125

/* A document on its way to text */
typedef struct HtmlState
{
	Message    *m;
	Out			seen;
	Out			hidden;
	bool		links_only;		/* in a conditional comment */
	int			level;			/* of documents in one another */
	const GArray *runs;			/* that marks stand for, or NULL */
	Arena	   *arena;			/* that holds the tree */
	char	   *base;			/* <base href> */
	guint		links_before_base;	/* how many there were by then */
	Sheets		sheets;
	gsize		indented_bytes; /* of text behind a text-indent */
	Turned		turned[MAX_TURNED]; /* by characters */
	bool		isolates[MAX_TURNED];	/* these are ended by another one */
	int			num_turned;
	int			first_turned;	/* of those within the element that has
								 * another order */
	Turn		turn;			/* at hand */
	bool		turn_doubled;	/* text that may be turned is here in both
								 * orders */
	size_t		turned_bytes;
	bool		in_link;
	char	   *href;
	GString    *link_text;
	char	   *link_alt;
} HtmlState;

/* How an element interrupts the text around it */
typedef enum Break
{
	BREAK_NONE, BREAK_SPACE, BREAK_LINE, BREAK_PARAGRAPH, BREAK_SKIP
} Break;

/* html_tags.c */
extern bool tag_is(const char *s, size_t len, const char *name);
extern bool tag_read(const char *s, const char *end, Tag *tag);
extern TagKind tag_kind(const char *s, size_t len);
extern bool tags_cost_too_much(const char *s, size_t len);
extern int	html_attribute(const char **p, const char *end, HtmlAttribute *a);
extern bool html_blank_repeated(char *s, const char *end);
extern const char *html_end_tag(const char *s, const char *end, const char *name, size_t len);
extern const char *html_comment_end(const char *s, const char *end);
extern void html_drop_controls(GString *html);
extern bool html_has_controls(const char *s, size_t len);

/* html_shrink.c */
extern bool html_shrink(const char *s, size_t len, GString *out, GArray *runs);
extern const char *html_expand(const char *s, const GArray *runs,
							   void *(*alloc) (void *arg, size_t size), void *arg);
extern const char *html_wanted(const char *name, size_t len, const char *tag, size_t tag_len);

/* html_plain.c */
struct GumboInternalNode;
extern struct GumboInternalNode *html_plain(const char *s, size_t len, bool clean, void *arena, struct GumboInternalNode **root);

/* html_reference.c */
extern void html_references_begin(void);
extern void html_bound_references(char *s, size_t len);
extern bool html_references(const char *s, size_t len, bool attribute, char *to, size_t *made);

/* html_arena.c */
extern void *arena_alloc(void *userdata, size_t size);
extern void arena_free(void *userdata, void *p);
extern void arena_reset(Arena *arena);

/* html_shown.c */
extern void shown_break(HtmlState *st, Break brk, const Style *style);
extern void shown_add(HtmlState *st, Out *out, bool in_pre, bool keeps_lines, const char *s, size_t len);
extern void shown_turn(HtmlState *st, Turned *t, Turn turn);
extern void shown_turn_end(HtmlState *st, Turned *t);
extern void shown_turn_behind(HtmlState *st, GString *s, gsize from, bool doubled);
extern void shown_turns_end(HtmlState *st, int from);
extern bool shown_are_turned(const HtmlState *st, int from);
extern void shown_turns_doubt(HtmlState *st, int from);

/* html_links.c */
extern void link_base(HtmlState *st, const char *value);
extern void link_rebase(HtmlState *st, guint first);
extern void link_attribute(HtmlState *st, const char *s);
extern void link_srcset(HtmlState *st, const char *s);
extern void link_css(HtmlState *st, const char *s);
extern void link_refresh(HtmlState *st, const char *s);
extern void link_begin(HtmlState *st, const char *value, size_t len);
extern void link_end(HtmlState *st);

/* css.c */
extern const char *css_behind(const char *begin, const char *s, const char *end);
extern const char *css_find(const char *s, const char *end, int chars);
extern void css_trim(const char **s, const char **end);
extern void css_clean(GString *to, const char *s, const char *end);
extern const char *css_name(GString *to, const char *s, const char *end);
extern const char *css_string(GString *to, const char *s, const char *end);

/* style.c */
extern void style_init(Style *style);
extern void style_begin(Own *own, const Style *outer, Box box);
extern void style_hidden(Own *own);
extern void style_direction(Style *style, Own *own, const char *s, bool overrides);
extern bool style_makes_text(const char *s, size_t len);
extern void style_declarations(Style *style, Own *own, StyleRank rank, const char *s, size_t len);
extern void style_end(Style *style, const Own *own);
extern void style_color(int *color, const char *s, size_t len);
extern bool style_hides(const Style *style);

/* sheet.c */
extern void sheet_read(Sheets *sheets, const char *s, const char *type, const char *media);
extern void sheet_free(Sheets *sheets);
extern void sheet_apply(Sheets *sheets, Style *style, Own *own, const char *tag, const char *classes, const char *id,
						const char *pseudo);

#endif							/* ASSAY_HTML_H */
