/*
 * html.c
 *	  HTML to the text that a reader sees, what is hidden from him, and links.
 *
 * libgumbo, an HTML5 parser, makes of a document what a browser makes of it,
 * however broken it is; most documents need less (html_plain.c).  Its memory comes from an arena here, which makes it
 * fast, bounds what a document may cost, and frees a tree of any depth
 * without recursion.  What would take it quadratic time (very deep nesting,
 * very many attributes) is found in a scan before; such a document goes to a
 * plain stripper of tags, which keeps its links, with the defect noted.
 *
 * This file, html_plain.h and html_reference.c include libgumbo.
 */
#include <stdlib.h>
#include <string.h>
#include <gumbo.h>

#include "html.h"

/* Documents in one another, by comments and frames */
#define MAX_LEVELS		5

/* Bytes of text that a line far to the left may have without reaching the page */
#define MAX_INDENTED	1000

/* Bytes of text that style sheets make in a message, however many elements and parts it has */
#define MAX_MADE_BYTES	(1024 * 1024)

/* What a link has, whatever the colour of the text that it is in */
#define LINK_COLOR		0x0000EE

/* ---- the tree ------------------------------------------------------------ */

/* An element on the way down the tree */
typedef struct Frame
{
	const GumboNode *node;
	unsigned	next;			/* child to visit */
	Style		style;
	bool		pre;
	bool		link;			/* began a link */
	bool		apart;			/* its text has an order of its own */
	bool		maybe_apart;	/* or may have one */
	int			first_turned;	/* to come back to at its end */
	int			num_turned;		/* by characters before it */
	Turned		turned;
} Frame;

/* How an element interrupts the text around it */
static Break
element_break(GumboTag tag)
{
	switch (tag)
	{
		case GUMBO_TAG_SCRIPT:
		case GUMBO_TAG_STYLE:
		case GUMBO_TAG_TITLE:
		case GUMBO_TAG_TEMPLATE:
		case GUMBO_TAG_NOFRAMES:
		case GUMBO_TAG_NOEMBED:
			return BREAK_SKIP;
		case GUMBO_TAG_BLOCKQUOTE:
		case GUMBO_TAG_DL:
		case GUMBO_TAG_H1:
		case GUMBO_TAG_H2:
		case GUMBO_TAG_H3:
		case GUMBO_TAG_H4:
		case GUMBO_TAG_H5:
		case GUMBO_TAG_H6:
		case GUMBO_TAG_OL:
		case GUMBO_TAG_P:
		case GUMBO_TAG_PRE:
		case GUMBO_TAG_UL:
			return BREAK_PARAGRAPH;
		case GUMBO_TAG_ADDRESS:
		case GUMBO_TAG_ARTICLE:
		case GUMBO_TAG_ASIDE:
		case GUMBO_TAG_BODY:
		case GUMBO_TAG_BR:
		case GUMBO_TAG_CAPTION:
		case GUMBO_TAG_CENTER:
		case GUMBO_TAG_DD:
		case GUMBO_TAG_DIR:
		case GUMBO_TAG_DIV:
		case GUMBO_TAG_DT:
		case GUMBO_TAG_FIELDSET:
		case GUMBO_TAG_FIGURE:
		case GUMBO_TAG_FOOTER:
		case GUMBO_TAG_FORM:
		case GUMBO_TAG_HEADER:
		case GUMBO_TAG_HR:
		case GUMBO_TAG_IFRAME:
		case GUMBO_TAG_LEGEND:
		case GUMBO_TAG_LI:
		case GUMBO_TAG_MAIN:
		case GUMBO_TAG_MENU:
		case GUMBO_TAG_NAV:
		case GUMBO_TAG_OPTION:
		case GUMBO_TAG_SECTION:
		case GUMBO_TAG_SELECT:
		case GUMBO_TAG_TABLE:
		case GUMBO_TAG_TEXTAREA:
		case GUMBO_TAG_TR:
			return BREAK_LINE;
		case GUMBO_TAG_TD:
		case GUMBO_TAG_TH:
			return BREAK_SPACE;
		default:
			return BREAK_NONE;
	}
}

/* Does an element have an order of its own, that characters direct, though it breaks no line? */
static bool
is_apart(GumboTag tag)
{
	static const GumboTag tags[] = {
		GUMBO_TAG_BDO, GUMBO_TAG_BDI, GUMBO_TAG_OUTPUT, GUMBO_TAG_RUBY, GUMBO_TAG_RT, GUMBO_TAG_BUTTON, GUMBO_TAG_INPUT,
		GUMBO_TAG_IMG, GUMBO_TAG_MARQUEE, GUMBO_TAG_DETAILS, GUMBO_TAG_SUMMARY, GUMBO_TAG_FIGCAPTION, GUMBO_TAG_HGROUP
	};

	for (size_t i = 0; i < G_N_ELEMENTS(tags); i++)
		if (tag == tags[i])
			return true;
	return element_break(tag) != BREAK_NONE;
}

/* A string of the tree as it stood in the source */
static const char *
whole(const HtmlState *st, const char *s)
{
	return st->runs != NULL ? html_expand(s, st->runs, arena_alloc, st->arena) : s;
}

/* All values of an element, before they are looked at */
static void
expand_attributes(const HtmlState *st, const GumboElement *e)
{
	for (unsigned i = 0; i < e->attributes.length; i++)
	{
		GumboAttribute *a = e->attributes.data[i];

		a->value = whole(st, a->value);
	}
}

/* The value of an element's attribute, or NULL */
static const char *
attribute(const GumboElement *e, const char *name)
{
	for (unsigned i = 0; i < e->attributes.length; i++)
	{
		const GumboAttribute *a = e->attributes.data[i];

		if (strcmp(a->name, name) == 0)
			return a->value;
	}
	return NULL;
}

/* A <template> that is shown in place of what is in the element around it */
static bool
is_shadow(const GumboNode *node)
{
	return node->type == GUMBO_NODE_TEMPLATE &&
		(attribute(&node->v.element, "shadowrootmode") != NULL || attribute(&node->v.element, "shadowroot") != NULL);
}

/* How it does that where it is */
static Break
node_break(const GumboNode *node)
{
	return is_shadow(node) ? BREAK_LINE : element_break(node->v.element.tag);
}

/* How is it laid out? */
static Box
element_box(GumboTag tag)
{
	Break		brk = element_break(tag);

	if (tag == GUMBO_TAG_TABLE || tag == GUMBO_TAG_TR || tag == GUMBO_TAG_TD || tag == GUMBO_TAG_TH || tag == GUMBO_TAG_CAPTION)
		return BOX_TABLE;
	return brk == BREAK_LINE || brk == BREAK_PARAGRAPH ? BOX_BLOCK : BOX_LINE;
}

/* The style of an element, by its attributes and the style sheets */
static void
element_style(HtmlState *st, const GumboElement *e, Style *style)
{
	const char *inline_style = NULL;
	const char *classes = NULL;
	const char *id = NULL;
	Own			own;

	style_begin(&own, style, element_box(e->tag));
	if (e->tag == GUMBO_TAG_BDO || e->tag == GUMBO_TAG_BDI)
		style_direction(style, &own, NULL, e->tag == GUMBO_TAG_BDO);
	for (unsigned i = 0; i < e->attributes.length; i++)
	{
		const GumboAttribute *a = e->attributes.data[i];

		switch (a->name[0])
		{
			case 's':
				if (strcmp(a->name, "style") == 0)
					inline_style = a->value;
				else if (strcmp(a->name, "size") == 0 && e->tag == GUMBO_TAG_FONT)
					style->font = 16;
				break;
			case 'c':
				if (strcmp(a->name, "class") == 0)
					classes = a->value;
				else if (strcmp(a->name, "color") == 0 && e->tag == GUMBO_TAG_FONT)
					style_color(&style->color, a->value, strlen(a->value));
				break;
			case 't':
				if (strcmp(a->name, "text") == 0 && e->tag == GUMBO_TAG_BODY)
					style_color(&style->color, a->value, strlen(a->value));
				break;
			case 'i':
				if (strcmp(a->name, "id") == 0)
					id = a->value;
				break;
			case 'b':
				if (strcmp(a->name, "bgcolor") == 0)
					style_color(&style->background, a->value, strlen(a->value));
				else if (strcmp(a->name, "background") == 0 && a->value[0] != '\0')
					style->background = COLOR_UNKNOWN;
				break;
			case 'd':
				if (strcmp(a->name, "dir") == 0)
					style_direction(style, &own, a->value, e->tag == GUMBO_TAG_BDO);
				break;
			case 'h':
				if (strcmp(a->name, "hidden") == 0)
					style_hidden(&own);
				else if (strcmp(a->name, "href") == 0 && e->tag == GUMBO_TAG_A)
					style->color = LINK_COLOR;
				break;
			default:
				break;
		}
	}
	if (st->sheets.rules != NULL)
		sheet_apply(&st->sheets, style, &own, gumbo_normalized_tagname(e->tag), classes, id, "");
	if (inline_style != NULL)
	{
		style_declarations(style, &own, RANK_INLINE, inline_style, strlen(inline_style));
		if (strchr(inline_style, '(') != NULL)
			link_css(st, inline_style);
	}
	style_end(style, &own);
}

/* Has an element anything before and behind its content? */
static bool
takes_made_text(GumboTag tag)
{
	static const GumboTag none[] = {
		GUMBO_TAG_HEAD, GUMBO_TAG_BR, GUMBO_TAG_IMG, GUMBO_TAG_INPUT, GUMBO_TAG_META, GUMBO_TAG_LINK, GUMBO_TAG_BASE,
		GUMBO_TAG_WBR, GUMBO_TAG_AREA, GUMBO_TAG_COL, GUMBO_TAG_IFRAME
	};

	for (size_t i = 0; i < G_N_ELEMENTS(none); i++)
		if (tag == none[i])
			return false;
	return true;
}

/* What style sheets put before or behind the text of an element */
static void
made_text(HtmlState *st, const Frame *f, const char *pseudo)
{
	static GString *made;
	const GumboElement *e = &f->node->v.element;
	Style		style = f->style;
	Turned		turned;
	Out		   *out;
	Own			own;

	if (!st->sheets.makes_text || st->links_only || !takes_made_text(e->tag) || st->m->made_bytes > MAX_MADE_BYTES)
		return;
	if (made == NULL)
		made = g_string_new(NULL);
	g_string_truncate(made, 0);
	style_begin(&own, &f->style, BOX_LINE);
	own.made = made;
	sheet_apply(&st->sheets, &style, &own, gumbo_normalized_tagname(e->tag), attribute(e, "class"), attribute(e, "id"), pseudo);
	if (made->len == 0)
		return;
	if ((st->m->made_bytes += made->len) > MAX_MADE_BYTES)
	{
		ADD_DEFECT(st->m, DEFECT_BROKEN_HTML);
		return;
	}
	style_end(&style, &own);
	out = style_hides(&style) ? &st->hidden : &st->seen;
	if (own.box != BOX_LINE)
		shown_break(st, BREAK_LINE, &style);
	if (style.turn != f->style.turn)
		shown_turn(st, &turned, style.turn);
	shown_add(st, out, f->pre, f->style.keeps_lines, made->str, made->len);
	if (style.turn != f->style.turn)
		shown_turn_end(st, &turned);
	if (own.box != BOX_LINE)
		shown_break(st, BREAK_LINE, &style);
}

/* The attributes that lead somewhere, other than a link's href */
static void
note_attributes(HtmlState *st, const GumboElement *e)
{
	static const char *const names[] = {
		"src", "action", "formaction", "background", "poster", "data", "lowsrc", "dynsrc"
	};

	for (unsigned i = 0; i < e->attributes.length; i++)
	{
		const GumboAttribute *a = e->attributes.data[i];

		for (size_t k = 0; k < G_N_ELEMENTS(names); k++)
			if (a->name[0] == names[k][0] && strcmp(a->name, names[k]) == 0)
				link_attribute(st, a->value);
		if (a->name[0] == 's' && strcmp(a->name, "srcset") == 0)
			link_srcset(st, a->value);
	}
}

/* Text of the style sheet, script … in an element */
static const char *
raw_text(const HtmlState *st, const GumboElement *e)
{
	if (e->children.length == 1)
	{
		const GumboNode *child = e->children.data[0];

		if (child->type == GUMBO_NODE_TEXT)
			return whole(st, child->v.text.text);
	}
	return NULL;
}

/* Is a picture so small that it shows nothing? */
static bool
is_pixel(const GumboElement *e)
{
	const char *width = attribute(e, "width");
	const char *height = attribute(e, "height");

	return (width != NULL && strspn(width, "012") == strlen(width) && atoi(width) <= 2) ||
		(height != NULL && strspn(height, "012") == strlen(height) && atoi(height) <= 2);
}

static void parse_frame(HtmlState *st, const char *s, bool hidden);

/* A field of a form, or a button, with the text that stands in it */
static void
show_input(HtmlState *st, const GumboElement *e, Out *out)
{
	static const char *const silent[] = {"hidden", "checkbox", "radio", "file", "range", "color"};
	const char *type = attribute(e, "type");
	const char *value = attribute(e, "value");
	bool		password = type != NULL && g_ascii_strcasecmp(type, "password") == 0;

	if (password)
		st->m->html_password_inputs++;
	for (size_t i = 0; type != NULL && i < G_N_ELEMENTS(silent); i++)
		if (g_ascii_strcasecmp(type, silent[i]) == 0)
			return;
	if (type != NULL && g_ascii_strcasecmp(type, "image") == 0)
		value = attribute(e, "alt");
	else if (password || value == NULL || value[0] == '\0')
		value = attribute(e, "placeholder");
	if (value == NULL)
		return;
	out->pending_space = true;
	shown_add(st, out, false, false, value, strlen(value));
	out->pending_space = true;
}

/* What an element leads to or shows by its attributes; out is where its text goes */
static void
element_attributes(HtmlState *st, Frame *f, Out *out)
{
	const GumboElement *e = &f->node->v.element;
	const char *value;

	note_attributes(st, e);
	switch (e->tag)
	{
		case GUMBO_TAG_A:
		case GUMBO_TAG_UNKNOWN:
			if ((value = attribute(e, "href")) != NULL)
			{
				link_begin(st, value, strlen(value));
				f->link = true;
			}
			break;
		case GUMBO_TAG_AREA:
			if ((value = attribute(e, "href")) != NULL)
			{
				link_begin(st, value, strlen(value));
				st->link_alt = g_strdup(attribute(e, "alt"));
				link_end(st);
			}
			break;
		case GUMBO_TAG_INPUT:
			show_input(st, e, out);
			break;
		case GUMBO_TAG_IMG:
			if (out == &st->seen && (attribute(e, "src") != NULL || attribute(e, "srcset") != NULL) && !is_pixel(e))
				st->m->html_images++;
			if ((value = attribute(e, "alt")) != NULL && value[0] != '\0')
			{
				if (st->in_link && st->link_alt == NULL)
					st->link_alt = g_strdup(value);
				out->pending_space = true;
				shown_add(st, out, false, false, value, strlen(value));
				out->pending_space = true;
				if (out == &st->seen)
					st->m->alt_bytes += strlen(value);
			}
			break;
		case GUMBO_TAG_IFRAME:
			if ((value = attribute(e, "srcdoc")) != NULL)
				parse_frame(st, value, out != &st->seen);
			break;
		case GUMBO_TAG_BASE:
			if (st->base == NULL && (value = attribute(e, "href")) != NULL)
				link_base(st, value);
			break;
		case GUMBO_TAG_META:
			value = attribute(e, "http-equiv");
			if (value != NULL && g_ascii_strcasecmp(value, "refresh") == 0 &&
				(value = attribute(e, "content")) != NULL)
				link_refresh(st, value);
			break;
		default:
			break;
	}
}

/* The order of an element's text, of what has the order "outer" */
static void
begin_turn(HtmlState *st, Frame *f, Turn outer, bool laid_out)
{
	Turn		turn = f->style.turn;

	f->apart = f->style.apart || is_apart(f->node->v.element.tag);
	f->maybe_apart = !f->apart && (f->style.maybe_apart || laid_out);
	if (f->maybe_apart && (st->num_turned > st->first_turned || (turn == TURN_ROUND && outer == turn)))
		turn = f->style.turn = TURN_MAYBE;
	if (turn != outer || (f->apart && turn != st->turn))
	{
		f->apart = true;
		shown_turn(st, &f->turned, turn);
	}
	f->first_turned = st->first_turned;
	f->num_turned = st->num_turned;
	if (f->apart)
		st->first_turned = st->num_turned;
}

static void
end_turn(HtmlState *st, Frame *f)
{
	bool		doubt = f->maybe_apart && shown_are_turned(st, f->num_turned);

	if (f->apart)
	{
		shown_turns_end(st, st->first_turned);
		if (f->turned.on)
			shown_turn_end(st, &f->turned);
		st->first_turned = f->first_turned;
	}
	/* what characters in it began may go on behind it, or not */
	if (doubt)
		shown_turns_doubt(st, f->num_turned);
}

/* An element begins; false where nothing inside is for a reader */
static bool
begin_element(HtmlState *st, Frame *f)
{
	const GumboElement *e = &f->node->v.element;
	Break		brk = node_break(f->node);
	Turn		outer = f->style.turn;
	bool		laid_out = f->style.lays_out;

	f->style.apart = f->style.maybe_apart = f->style.lays_out = false;
	if (st->runs != NULL)
		expand_attributes(st, e);
	if (brk == BREAK_SKIP)
	{
		const char *css = e->tag == GUMBO_TAG_STYLE ? raw_text(st, e) : NULL;

		if (css != NULL)
			link_css(st, css);
		if (e->tag == GUMBO_TAG_SCRIPT)
		{
			note_attributes(st, e);
			st->m->html_scripts++;
		}
		return false;
	}
	if (e->tag == GUMBO_TAG_MARK)
	{
		f->style.color = 0x000000;
		f->style.background = 0xFFFF00;
	}
	if (e->attributes.length > 0 || st->sheets.rules != NULL || e->tag == GUMBO_TAG_BDO || e->tag == GUMBO_TAG_BDI || outer != TURN_NONE)
		element_style(st, e, &f->style);
	shown_break(st, brk, &f->style);
	begin_turn(st, f, outer, laid_out);
	if (e->tag == GUMBO_TAG_PRE)
		f->pre = true;
	else if (e->tag == GUMBO_TAG_TEXTAREA || e->tag == GUMBO_TAG_LISTING || e->tag == GUMBO_TAG_XMP || e->tag == GUMBO_TAG_PLAINTEXT)
		f->style.keeps_lines = true;
	else if (e->tag == GUMBO_TAG_FORM)
		st->m->html_forms++;
	if (e->attributes.length > 0)
		element_attributes(st, f, style_hides(&f->style) ? &st->hidden : &st->seen);
	made_text(st, f, "::before");
	return true;
}

/* It ends */
static void
end_element(HtmlState *st, Frame *f)
{
	GumboTag	tag = f->node->v.element.tag;

	made_text(st, f, "::after");
	end_turn(st, f);
	if (tag != GUMBO_TAG_BR)
		shown_break(st, node_break(f->node), &f->style);
	if (f->link)
		link_end(st);
}

static void parse_conditional(HtmlState *st, const char *s);

/* One node that is no element; a comment may be in none, too (f is NULL) */
static void
leaf(HtmlState *st, const GumboNode *node, const Frame *f)
{
	const char *s = node->v.text.text;

	if (node->type == GUMBO_NODE_COMMENT)
	{
		/* Outlook shows what stands in there */
		if (!st->links_only && strncmp(s + strspn(s, " \t\r\n"), "[if", 3) == 0)
			parse_conditional(st, s);
	}
	else
	{
		s = whole(st, s);
		shown_add(st, style_hides(&f->style) ? &st->hidden : &st->seen, f->pre, f->style.keeps_lines, s, strlen(s));
	}
}

/* The style sheets of a document, which hold for what stands before them, too */
static void
read_sheets(HtmlState *st, const GumboNode *root)
{
	GPtrArray  *stack = g_ptr_array_new();

	g_ptr_array_add(stack, (gpointer) root);
	while (stack->len > 0)
	{
		const GumboNode *node = g_ptr_array_remove_index_fast(stack, stack->len - 1);
		const GumboElement *e = &node->v.element;

		if (e->tag == GUMBO_TAG_STYLE)
		{
			const char *css = raw_text(st, e);
			const char *type = attribute(e, "type");
			const char *media = attribute(e, "media");

			if (css != NULL)
				sheet_read(&st->sheets, css, type != NULL ? whole(st, type) : NULL, media != NULL ? whole(st, media) : NULL);
		}
		for (unsigned i = e->children.length; i > 0; i--)
			if (((GumboNode *) e->children.data[i - 1])->type == GUMBO_NODE_ELEMENT)
				g_ptr_array_add(stack, e->children.data[i - 1]);
	}
	g_ptr_array_free(stack, TRUE);
}

/* A text-indent ends with its line */
static void
end_indent(HtmlState *st, GArray *frames)
{
	st->indented_bytes = 0;
	for (guint i = 0; i < frames->len; i++)
		g_array_index(frames, Frame, i).style.indented = false;
}

/* Down and up the tree; without recursion, since it may be deep */
static void
walk_tree(HtmlState *st, const GumboNode *root)
{
	GArray	   *frames = g_array_new(FALSE, FALSE, sizeof(Frame));
	Frame		top = {.node = root};

	style_init(&top.style);
	if (!st->links_only)
		read_sheets(st, root);
	if (begin_element(st, &top))
		g_array_append_val(frames, top);
	while (frames->len > 0)
	{
		Frame	   *f = &g_array_index(frames, Frame, frames->len - 1);
		const GumboElement *e = &f->node->v.element;

		if (f->next < e->children.length)
		{
			const GumboNode *child = e->children.data[f->next++];

			if (child->type == GUMBO_NODE_ELEMENT || is_shadow(child))
			{
				Frame		inner = *f;

				inner.node = child;
				inner.next = 0;
				inner.link = false;
				inner.turned.on = false;
				if (f->style.indented && child->v.element.tag == GUMBO_TAG_BR)
					end_indent(st, frames);
				if (begin_element(st, &inner))
					g_array_append_val(frames, inner);
			}
			else if (child->type != GUMBO_NODE_TEMPLATE)
			{
				leaf(st, child, f);
				if (f->style.indented && child->type == GUMBO_NODE_TEXT &&
					(st->indented_bytes += strlen(child->v.text.text)) > MAX_INDENTED)
					end_indent(st, frames);
			}
			continue;
		}
		end_element(st, f);
		g_array_set_size(frames, frames->len - 1);
	}
	shown_turns_end(st, 0);
	g_array_free(frames, TRUE);
}

/* The elements of a document, and comments that stand before or behind all of them */
static void
walk_document(HtmlState *st, const GumboNode *tree, const GumboNode *root)
{
	const		GumboVector *children = &tree->v.document.children;

	for (unsigned i = 0; i < children->length; i++)
	{
		const GumboNode *node = children->data[i];

		if (node->type == GUMBO_NODE_COMMENT)
			leaf(st, node, NULL);
		else if (node == root)
			walk_tree(st, node);
	}
}

/* The names in the source of a tree that took the values of others with them; false where there are none */
static bool
blank_repeated(const GumboNode *root, char *source, size_t len)
{
	GPtrArray  *stack = g_ptr_array_new();
	bool		found = false;

	g_ptr_array_add(stack, (gpointer) root);
	while (stack->len > 0)
	{
		const GumboNode *node = g_ptr_array_remove_index_fast(stack, stack->len - 1);
		const GumboElement *e = &node->v.element;
		size_t		at = e->original_tag.data != NULL ? e->original_tag.data - source : len;

		/* a tag without attributes repeats none */
		if (at < len && e->original_tag.length <= len - at && e->attributes.length > 0)
		{
			const char *end = source + at + e->original_tag.length;
			char	   *s = source + at + 1;

			while (s < end && !g_ascii_isspace(*s) && *s != '/' && *s != '>')
				s++;
			found |= html_blank_repeated(s, end);
		}
		for (unsigned i = 0; i < e->children.length; i++)
			if (((GumboNode *) e->children.data[i])->type == GUMBO_NODE_ELEMENT)
				g_ptr_array_add(stack, e->children.data[i]);
	}
	g_ptr_array_free(stack, TRUE);
	return found;
}

/* Parse and walk a document; false where it took too much memory */
static bool
parse_document(HtmlState *st, Arena *arena, char *s, size_t len)
{
	GumboOptions gumbo = kGumboDefaultOptions;
	GumboOutput *output;

	gumbo.allocator = arena_alloc;
	gumbo.deallocator = arena_free;
	gumbo.userdata = arena;
	gumbo.max_errors = 0;
	st->arena = arena;
	if (setjmp(arena->full) != 0)
		return false;
	output = gumbo_parse_with_options(&gumbo, s, len);
	if (blank_repeated(output->root, s, len))
		output = gumbo_parse_with_options(&gumbo, s, len);
	walk_document(st, output->document, output->root);
	return true;
}

/* The same for one whose tree is what its tags say; false where it is not, or memory is short */
static bool
parse_plain(HtmlState *st, Arena *arena, const char *s, size_t len)
{
	GumboNode  *root;
	GumboNode  *tree;

	if (setjmp(arena->full) != 0)
		return false;
	st->arena = arena;

	/*
	 * controls are out of a document, but may be written as references in one
	 * within it
	 */
	tree = html_plain(s, len, st->level == 0, arena, &root);
	if (tree == NULL)
		return false;
	walk_document(st, tree, root);
	return true;
}

/*
 * Parse and walk a document, shrunk where that can be.  False where it takes too
 * much of anything.
 */
static bool
parse_source(HtmlState *st, Arena *arena, char *s, size_t len)
{
	/* of a document, and of those in its comments and frames */
	static GString *smaller[MAX_LEVELS];
	static GArray *runs[MAX_LEVELS];
	int			k = st->level;

	if (parse_plain(st, arena, s, len))
		return true;
	if (tags_cost_too_much(s, len))
		return false;
	if (smaller[k] == NULL)
	{
		smaller[k] = g_string_new(NULL);
		runs[k] = g_array_new(FALSE, FALSE, sizeof(HtmlRun));
	}
	if (!html_shrink(s, len, smaller[k], runs[k]))
		return parse_document(st, arena, s, len);
	st->runs = runs[k];
	return parse_document(st, arena, smaller[k]->str, smaller[k]->len);
}

/* Does an element begin there anywhere? */
static bool
has_tags(const char *s)
{
	while ((s = strchr(s, '<')) != NULL)
		if (g_ascii_isalpha(*++s))
			return true;
	return false;
}

static void parse_or_strip(HtmlState *st, Arena *arena, char *s, size_t len);

/* A document in another; what it takes of memory and styles is the outer one's */
static void
parse_inner(HtmlState *st, HtmlState *inner, char *s)
{
	Arena	   *arena = st->arena;
	jmp_buf		outer;

	if (st->level + 1 >= MAX_LEVELS)
		return;
	memcpy(&outer, &arena->full, sizeof(outer));
	inner->m = st->m;
	inner->level = st->level + 1;
	inner->link_text = g_string_new(NULL);
	inner->base = st->base;
	inner->sheets.applied = st->sheets.applied;
	inner->turned_bytes = st->turned_bytes;
	parse_or_strip(inner, arena, s, strlen(s));
	link_end(inner);
	if (inner->base != st->base)
		g_free(inner->base);
	sheet_free(&inner->sheets);
	st->sheets.applied = inner->sheets.applied;
	st->turned_bytes = inner->turned_bytes;
	st->sheets.exhausted |= inner->sheets.exhausted;
	g_string_free(inner->link_text, TRUE);
	memcpy(&arena->full, &outer, sizeof(outer));
}

/* <!--[if mso]> … <![endif]-->: the links in it count, the text is not seen */
static void
parse_conditional(HtmlState *st, const char *s)
{
	HtmlState	inner = {0};
	char	   *from = (char *) strchr(s, '>'); /* the parser's own memory */

	if (from == NULL || !has_tags(from))
		return;
	inner.links_only = true;
	inner.seen.s = st->seen.s;
	inner.hidden.s = st->hidden.s;
	parse_inner(st, &inner, from + 1);
}

/* <iframe srcdoc="…">: shown in its place */
static void
parse_frame(HtmlState *st, const char *s, bool hidden)
{
	HtmlState	inner = {0};
	Out		   *to = hidden ? &st->hidden : &st->seen;

	inner.links_only = st->links_only;
	inner.seen = *to;
	inner.hidden = st->hidden;
	/* the parser's own memory */
	parse_inner(st, &inner, (char *) s);
	*to = inner.seen;
	if (!hidden)
		st->hidden = inner.hidden;
}

/* ---- the plain stripper -------------------------------------------------- */

/* A piece of source with its entities decoded, by libgumbo */
static char *
decode_entities(Arena *arena, const char *s, size_t len)
{
	GumboOptions gumbo = kGumboDefaultOptions;
	GumboOutput *output;
	const GumboElement *body;
	GString    *out;

	if (memchr(s, '&', len) == NULL)
		return g_strndup(s, len);
	arena_reset(arena);
	gumbo.allocator = arena_alloc;
	gumbo.deallocator = arena_free;
	gumbo.userdata = arena;
	gumbo.max_errors = 0;
	gumbo.fragment_context = GUMBO_TAG_TEXTAREA;
	if (setjmp(arena->full) != 0)
		return g_strndup(s, len);
	output = gumbo_parse_with_options(&gumbo, s, len);
	body = &output->root->v.element;
	out = g_string_new(NULL);
	for (unsigned i = 0; i < body->children.length; i++)
	{
		const GumboNode *child = body->children.data[i];

		if (child->type == GUMBO_NODE_TEXT || child->type == GUMBO_NODE_WHITESPACE)
			g_string_append(out, child->v.text.text);
	}
	return g_string_free(out, FALSE);
}

/* Tags out, entities decoded, links kept; linear in time whatever comes */
static void
strip_tags(HtmlState *st, const char *s, size_t len)
{
	/* that of the document may hold what it is in */
	static Arena pieces;
	Arena	   *arena = &pieces;
	const char *end = s + len;
	int			links = 0;

	if (arena->chunks == NULL)
		arena->chunks = g_ptr_array_new_with_free_func(g_free);
	while (s < end)
	{
		const char *p = memchr(s, '<', end - s);
		Tag			tag;
		char	   *piece;

		if (p == NULL)
			p = end;
		/* where something is left of it that is no tag, it is text */
		if (p > s)
		{
			piece = decode_entities(arena, s, p - s);
			shown_add(st, &st->seen, false, true, piece, strlen(piece));
			g_free(piece);
		}
		if (p == end)
			break;
		if (!tag_read(p, end, &tag))
		{
			const char *gt = memchr(p, '>', end - p);

			shown_break(st, BREAK_SPACE, NULL);
			s = gt != NULL ? gt + 1 : end;
			continue;
		}
		s = tag.end;
		if (tag_kind(tag.name, tag.name_len) != TAG_INLINE)
			shown_break(st, BREAK_SPACE, NULL);
		if (tag.closing && tag_is(tag.name, tag.name_len, "a"))
			link_end(st);
		if ((tag.src != NULL || tag.href != NULL) && links++ > MAX_URLS)
			continue;
		if (tag.src != NULL && tag.src_len <= MAX_URL_BYTES)
		{
			piece = decode_entities(arena, tag.src, tag.src_len);
			link_attribute(st, piece);
			g_free(piece);
		}
		if (tag.href != NULL && !tag.closing)
		{
			piece = decode_entities(arena, tag.href, MIN(tag.href_len, 8 * MAX_URL_BYTES));
			link_begin(st, piece, strlen(piece));
			g_free(piece);
		}
	}
	shown_turns_end(st, 0);
	arena_reset(arena);
}

/* The text of a document by its tree, or without its tags where it has none */
static void
parse_or_strip(HtmlState *st, Arena *arena, char *s, size_t len)
{
	Message    *m = st->m;
	gsize		seen = st->seen.s->len;
	gsize		hidden = st->hidden.s->len;
	guint		links = m->link_hrefs->len;

	html_bound_references(s, len);
	if (parse_source(st, arena, s, len))
		return;
	ADD_DEFECT(m, DEFECT_BROKEN_HTML);
	/* memory may end in mid-walk: what is there by then comes again */
	link_end(st);
	g_string_truncate(st->seen.s, seen);
	g_string_truncate(st->hidden.s, hidden);
	g_ptr_array_set_size(m->link_texts, links);
	g_ptr_array_set_size(m->link_hrefs, links);
	st->num_turned = st->first_turned = 0;
	st->turn = TURN_NONE;
	st->turn_doubled = false;
	strip_tags(st, s, len);
}

/*
 * A comment that is never closed would swallow the rest of the document.
 * That hides it from us, not from a reader whose program ends it at the next
 * ">": so do we.
 */
static void
close_comment(Message *m, GString *html)
{
	char	   *from = strstr(html->str, "<!--");
	char	   *open;

	if (from == NULL)
		return;
	/* skip what is closed; --!> ends a comment, too */
	for (char *p = html->str + html->len - 1; p > from; p--)
		if (*p == '>' && p[-1 - (p[-1] == '!')] == '-' && p[-2 - (p[-1] == '!')] == '-')
		{
			from = p + 1;
			break;
		}
	while ((open = strstr(from, "<!--")) != NULL)
	{
		memcpy(open, "<br ", 4);
		ADD_DEFECT(m, DEFECT_BROKEN_HTML);
		from = open + 4;
	}
}

/* Append the text of an HTML document, clean UTF-8; links go to the message */
void
html_to_text(Message *m, GString *source, GString *text)
{
	static Arena arena;
	HtmlState	st = {0};
	guint		links = m->link_hrefs->len;

	if (arena.chunks == NULL)
		arena.chunks = g_ptr_array_new_with_free_func(g_free);
	arena_reset(&arena);
	close_comment(m, source);
	st.m = m;
	st.seen.s = text;

	st.hidden.s = g_string_new(NULL);
	st.link_text = g_string_new(NULL);

	if (html_has_controls(source->str, source->len))
		html_drop_controls(source);
	parse_or_strip(&st, &arena, source->str, source->len);
	link_end(&st);
	link_rebase(&st, links);
	if (st.sheets.exhausted)
		ADD_DEFECT(m, DEFECT_BROKEN_HTML);
	text_make_clean(m, text);
	text_make_clean(m, st.hidden.s);
	message_add_hidden(m, st.hidden.s);
	g_string_free(st.hidden.s, TRUE);
	g_string_free(st.link_text, TRUE);
	g_free(st.base);
	sheet_free(&st.sheets);
	arena_reset(&arena);
}
