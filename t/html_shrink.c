/*
 * html_shrink.c
 *		Documents that are thrown together: their tree as html_plain.c makes it,
 *		and as libgumbo does, shrunk for it and as they are.  The same must come
 *		out.  Run by t/html_shrink.pl, under sanitizers where there are some.
 */
#include <stdio.h>

#include "../src/bin/html.h"

/* Documents are taken as they are, or only shrunk; those in comments too */
static bool as_is;
static bool no_plain;

static bool
ShrinkOrNot(const char *s, size_t len, GString *out, GArray *runs)
{
	return !as_is && html_shrink(s, len, out, runs);
}

struct GumboInternalNode;

static struct GumboInternalNode *
PlainOrNot(const char *s, size_t len, bool clean, void *arena, struct GumboInternalNode **root)
{
	return as_is || no_plain ? NULL : html_plain(s, len, clean, arena, root);
}

#define html_shrink		ShrinkOrNot
#define html_plain		PlainOrNot
#include "../src/bin/html.c"
#undef html_shrink
#undef html_plain

#define ROUNDS		20000

static const char *const common[] = {
	"<p>", "</p>", "<div style=\"display:none;color:#ffffff;padding:0 0 0 0\">", "</div>",
	"<a href=\"https://www.example.com/a/long/path\?x=1&amp;y=2&copy=3\">", "</a>", "<b>", "</b>",
	"<font color=\"#ffffff\" face=\"Arial, Helvetica\">", "</font>", "<table>", "<tr>",
	"<td bgcolor=#000000 width=10>", "</td>", "</tr>", "</table>", "text ",
	"a long run of text that is worth a mark, isn't it\? ", "&amp;", "&nbsp;", "&amp", "&nbsp", "&AMP;", "&amp;&amp;", "<style>.xxxxxxxxxxxxxxxxxxxxxx&amp;,.x{color:#fff}</style>", "&copy", "&notit;", "&#x41;", "&#65533;", "&#8203;",
	"\n", "   \n  ", "<!-- a comment -->", "<!-->", "<!--->",
	"<!--[if mso]><a href=\"http://mso.example/very/long/path/for/it\">x</a><![endif]-->", "<![if !mso]>",
	"<!--[if gte mso 9]><style>.x{background:url(http://mso.example/b.png)}</style><v:rect href=\"http://mso.example/?a=1&amp;b=2\" style='width:99px' class=x>",
	"<![endif]-->", "<!--[if mso]><table><tr><td background=\"http://mso.example/c.png\"><form action=rel/action><![endif]-->",
	"<![endif]>", "<!doctype html>", "<\?xml version=\"1.0\"\?>", "</ x>", "</>", "<1", "< ",
	"<style>.x{display:none}.yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy{color:#fff}</style>",
	"<script>var a = \"<b>\";</script>", "<title>A title that is longer than a mark</title>", "<pre>\n",
	"</pre>", "<img alt=\"An alternative text that is long\" src=\"https://i.example/picture.png\" width=1>",
	"<img src=x alt=y/>", "<br/>", "<br />", "<input type=password>", "<input type=\"hidden\">", "<table><input type=hidden value=\"a long value of it\">x",
	"<form action=\"https://f.example/aaaaaaaaaaaaaaaaaaaaaaaa\">", "</form>", "</select>", "</svg>", "</math>",
	"<p class=\"x y\">", "<span hidden title=\"a > b\">", "</span>", "<span style='font-size:0px;x:\"y\"'>",
	"<p =x>", "<p a=>", "<p a=\"x\"b=\"y\">", "<p style=color:red;font-size:0>", "<li>", "<ul>", "</ul>",
	"<h1>", "</h1>", "<body bgcolor=white text=\"#000000\">", "<html>", "</body>", "</html>", "<head>",
	"<base href=\"https://base.example/x/\">", "<a href=rel/path>",
	"<meta http-equiv=refresh content=\"0; url=https://r.example/abcdefghijklmnop\">", "\303\251",
	"\344\270\255\346\226\207\345\255\227\347\254\246\345\222\214\346\233\264\345\244\232\347\232\204\345\255\227\347\254\246\345\234\250\350\277\231\351\207\214\345\207\272\347\216\260",
	"\342\200\213", "<iframe src=\"https://if.example/aaaaaaaaaaaaaaaaaaaaaaaaaa\">x</iframe>", "<caption>",
	"<col>", "<center>", "<nobr>", "<a name=x>", "<button>", "\r\n", "-->", "--", "\"", "'", ">", "<", "&", "=",
	"<tbody>", "</tbody>", "<thead>", "<tr><td>", "</td></tr>", "<th>", "</th>", "<colgroup>", "</colgroup>", "<tr>\n<td>", "</td>\n</tr>\n",
	"<i>", "</i>", "<u>", "<small>", "</small>", "<strong>", "</strong>", "<em>", "</em>", "</ul>", "</li>", "<ol>", "</ol>", "<dl>", "<dt>", "<dd>", "</dd>",
	"</h1>", "<h2>", "</h2>", "<blockquote>", "</blockquote>", "</center>", "<label>", "</label>", "<hr>", "<wbr>", "</form>", "</button>",
	"</head>", "<body>", "<body style=\"color:#fff\" class=z>", "<html class=\"k\">", "</br>", "</img>", "<link href=https://l.example/x.css>",
	"<table><tbody><tr><td>", "</td></tr></tbody></table>", "<div>", "<span>", "</table>\n", "<p>text</p>", "&eacute;&#8217;&quot;&lt;b&gt;", "&ampx;", "&copy;", "&lt",
	"\302\240", "<object>", "</object>", "<option>", "<!-->x-->", "<!--[if mso]>", "<![endif]-->\n",
	"/", "</style>", "<o:p>", "</o:p>", "\363\260\200\200", "data"
};

/* What keeps a document from being shrunk, or ends it */
static const char *const rare[] = {
	"<script><!-- x </script> --></script>", "<textarea>\n text <b> in it that is long enough</textarea>",
	"<select><option>x", "<svg><title>t</title>", "<math><mi>", "<noscript>n</noscript>", "<xmp><b></xmp>",
	"<template>", "<frameset>", "<plaintext>", "&#xF0000;", "&#983041", "&#x00F0002;", "&#4295950336;", "&#x1000F0001;", "<p title=\"&#xF0000;\">", "<title>&#xF0000;</title>", "&#xF8FE;", "\357\243\276\060\357\243\277", "<p", "<a href=\"", "<!--", "<style>", "\357\243\276"
};

static GString *
MakeDocument(void)
{
	GString    *made = g_string_new(NULL);

	for (int n = rand() % 60 + 1; n > 0; n--)
		g_string_append(made, rand() % 300 == 0 ? rare[rand() % G_N_ELEMENTS(rare)] : common[rand() % G_N_ELEMENTS(common)]);
	return made;
}

/* ---- trees -------------------------------------------------------------------- */

/* Is an attribute one that html.c looks at? */
static bool
IsWanted(const GumboAttribute *a, const GumboNode *node)
{
	const char *tag = gumbo_normalized_tagname(node->v.element.tag);

	return html_wanted(a->name, strlen(a->name), tag, strlen(tag)) != NULL;
}

/* Is a node one that html.c looks at? */
static bool
IsSeen(const GumboNode *node)
{
	return node->type != GUMBO_NODE_COMMENT || strncmp(node->v.text.text + strspn(node->v.text.text, " \t\r\n"), "[if", 3) == 0;
}

/* A tree as text, as far as html.c looks at it */
static void
ShowNode(GString *out, const GumboNode *node)
{
	const GumboVector *children = node->type == GUMBO_NODE_DOCUMENT ? &node->v.document.children : &node->v.element.children;

	if (node->type == GUMBO_NODE_COMMENT)
	{
		const char *s = node->v.text.text + strspn(node->v.text.text, " \t\r\n");

		/* what holds no tag leads nowhere */
		if (strchr(s, '>') != NULL)
			g_string_append_printf(out, "<!--%s-->", s);
		return;
	}
	if (node->type != GUMBO_NODE_ELEMENT && node->type != GUMBO_NODE_DOCUMENT)
	{
		g_string_append_printf(out, "[%s]", node->v.text.text);
		return;
	}
	if (node->type == GUMBO_NODE_ELEMENT)
	{
		g_string_append_printf(out, "<%s", gumbo_normalized_tagname(node->v.element.tag));
		for (unsigned i = 0; i < node->v.element.attributes.length; i++)
		{
			const GumboAttribute *a = node->v.element.attributes.data[i];

			if (IsWanted(a, node))
				g_string_append_printf(out, " %s=\"%s\"", a->name, a->value);
		}
		g_string_append_c(out, '>');
		/* what is in these is looked at by nobody */
		if (node->v.element.tag == GUMBO_TAG_SCRIPT || node->v.element.tag == GUMBO_TAG_TITLE)
			return;
	}
	for (unsigned i = 0; i < children->length; i++)
		if (IsSeen(children->data[i]))
			ShowNode(out, children->data[i]);
	if (node->type == GUMBO_NODE_ELEMENT)
		g_string_append(out, "</>");
}

/* Is the tree that html_plain() makes, if any, the parser's?  Counts those that it makes. */
static bool
SameTree(const char *s, size_t len, long *plain)
{
	static Arena arena;
	GumboNode  *root;
	GumboNode  *made;
	GumboOptions gumbo = kGumboDefaultOptions;
	GumboOutput *output;
	GString    *a = g_string_new(NULL);
	GString    *b = g_string_new(NULL);
	bool		same = true;

	if (arena.chunks == NULL)
		arena.chunks = g_ptr_array_new_with_free_func(g_free);
	arena_reset(&arena);
	made = html_plain(s, len, false, &arena, &root);
	if (made != NULL)
	{
		(*plain)++;
		gumbo.max_errors = 0;
		output = gumbo_parse_with_options(&gumbo, s, len);
		ShowNode(a, made);
		ShowNode(b, output->document);
		same = g_string_equal(a, b) && root != NULL && root->v.element.tag == GUMBO_TAG_HTML;
		if (!same)
			printf("%s\nplain:  %s\nparser: %s\n", s, a->str, b->str);
		gumbo_destroy_output(&gumbo, output);
	}
	g_string_free(a, TRUE);
	g_string_free(b, TRUE);
	return same;
}

/* ---- what becomes of them ------------------------------------------------------- */

/* html_to_text(), but with the source as it is */
static void
Unshrunk(Message *m, GString *source, GString *text)
{
	as_is = true;
	html_to_text(m, source, text);
	as_is = false;
}

/* The same, but with the source shrunk */
static void
Shrunk(Message *m, GString *source, GString *text)
{
	no_plain = true;
	html_to_text(m, source, text);
	no_plain = false;
}

static bool
SameLists(const GPtrArray *a, const GPtrArray *b)
{
	for (guint i = 0; i < a->len && i < b->len; i++)
		if (strcmp(a->pdata[i], b->pdata[i]) != 0)
			return false;
	return a->len == b->len;
}

static bool
SameMessage(const Message *a, const Message *b)
{
	return g_string_equal(a->body_text, b->body_text) && g_string_equal(a->hidden_text, b->hidden_text) &&
		SameLists(a->urls, b->urls) && SameLists(a->link_texts, b->link_texts) && SameLists(a->link_hrefs, b->link_hrefs) &&
		a->html_images == b->html_images && a->html_forms == b->html_forms && a->html_scripts == b->html_scripts &&
		a->html_password_inputs == b->html_password_inputs && a->alt_bytes == b->alt_bytes && a->defects == b->defects;
}

/* All three ways of a document; false where they differ */
static bool
Check(const GString *source, long *shrunk, long *plain)
{
	static Message *messages[3];
	static void (*const ways[3]) (Message *m, GString *source, GString *text) = {html_to_text, Shrunk, Unshrunk};
	GString    *small = g_string_new(NULL);
	GArray	   *runs = g_array_new(FALSE, FALSE, sizeof(HtmlRun));
	bool		same = SameTree(source->str, source->len, plain);

	*shrunk += html_shrink(source->str, source->len, small, runs);
	for (int i = 0; i < 3; i++)
	{
		GString    *copy = g_string_new_len(source->str, source->len);

		if (messages[i] == NULL)
			messages[i] = message_new();
		message_reset(messages[i]);
		ways[i] (messages[i], copy, messages[i]->body_text);
		g_string_free(copy, TRUE);
	}
	if (!SameMessage(messages[0], messages[2]) || !SameMessage(messages[1], messages[2]))
	{
		printf("%s\nshrunk: %s\n[%s]\n[%s]\n[%s]\n", source->str, small->str, messages[0]->body_text->str,
			   messages[1]->body_text->str, messages[2]->body_text->str);
		same = false;
	}
	g_string_free(small, TRUE);
	g_array_free(runs, TRUE);
	return same;
}

/* A name that comes again without a value takes nothing with it, whoever makes the tree */
static bool
CheckRepeated(void)
{
	static const char *const parts[] = {"", "<svg></svg>", "<!--[if mso]><svg></svg>"};

	for (size_t i = 0; i < G_N_ELEMENTS(parts); i++)
	{
		Message    *m = message_new();
		GString    *source = g_string_new(parts[i]);

		message_reset(m);
		g_string_append(source, "<a x X href=\"http://a.example/\">a</a>");
		if (i == 2)
			g_string_append(source, "<![endif]-->");
		html_to_text(m, source, m->body_text);
		if (m->urls->len != 1 || strcmp(m->urls->pdata[0], "http://a.example/") != 0)
		{
			printf("no link: %s\n", source->str);
			return false;
		}
		g_string_free(source, TRUE);
	}
	return true;
}

/* References that somebody makes up leave later documents of others as they are */
static bool
CheckMadeUp(void)
{
	GString    *made_up = g_string_new("a");
	GString    *later = g_string_new("<p>&eacute;&uuml;&rarr;");
	long		plain[2] = {0, 0};

	for (int i = 0; i < 9000; i++)
		g_string_append_printf(made_up, "&x%x ", i);
	SameTree(made_up->str, made_up->len, &plain[0]);
	SameTree(later->str, later->len, &plain[1]);
	g_string_free(made_up, TRUE);
	g_string_free(later, TRUE);
	if (plain[1] != 1)
		printf("made-up references are kept\n");
	return plain[1] == 1;
}

/* Of a seed, if one is given */
int
main(int argc, char **argv)
{
	long		shrunk = 0;
	long		plain = 0;
	int			rounds = argc > 2 ? atoi(argv[2]) : ROUNDS;

	if (!CheckRepeated() || !CheckMadeUp())
		return 1;
	srand(argc > 1 ? atoi(argv[1]) : 1);
	for (int round = 0; round < rounds; round++)
	{
		GString    *source = MakeDocument();

		if (!Check(source, &shrunk, &plain))
		{
			printf("round %d\n", round);
			return 1;
		}
		g_string_free(source, TRUE);
	}
	printf("of %d, %ld were shrunk, and %ld took no parser\n", rounds, shrunk, plain);
	return shrunk > rounds / 3 && plain > rounds / 10 ? 0 : 1;
}
