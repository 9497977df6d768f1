/*
 * html_shrink.c
 *		Documents that are thrown together, shrunk for the parser and as they are:
 *		the same must come out.  Run by t/html_shrink.pl, under sanitizers where
 *		there are some.
 */
#include <stdio.h>

#include "../src/bin/html.h"

/* Documents are taken as they are, those in comments too */
static bool as_is;

static bool
ShrinkOrNot(const char *s, size_t len, GString *out, GArray *runs)
{
	return !as_is && html_shrink(s, len, out, runs);
}

#define html_shrink		ShrinkOrNot
#include "../src/bin/html.c"
#undef html_shrink

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
	"/", "</style>", "<o:p>", "</o:p>", "\363\260\200\200", "data"
};

/* What keeps a document from being shrunk, or ends it */
static const char *const rare[] = {
	"<script><!-- x </script> --></script>", "<textarea>\n text <b> in it that is long enough</textarea>",
	"<select><option>x", "<svg><title>t</title>", "<math><mi>", "<noscript>n</noscript>", "<xmp><b></xmp>",
	"<template>", "<frameset>", "<plaintext>", "&#xF0000;", "&#983041", "&#x00F0002;", "<p title=\"&#xF0000;\">", "<title>&#xF0000;</title>", "&#xF8FE;", "\357\243\276\060\357\243\277", "<p", "<a href=\"", "<!--", "<style>", "\357\243\276"
};

static GString *
MakeDocument(void)
{
	GString    *made = g_string_new(NULL);

	for (int n = rand() % 60 + 1; n > 0; n--)
		g_string_append(made, rand() % 300 == 0 ? rare[rand() % G_N_ELEMENTS(rare)] : common[rand() % G_N_ELEMENTS(common)]);
	return made;
}

/* html_to_text(), but with the source as it is */
static void
Unshrunk(Message *m, GString *source, GString *text)
{
	static Arena arena;
	HtmlState	st = {0};

	if (arena.chunks == NULL)
		arena.chunks = g_ptr_array_new_with_free_func(g_free);
	arena_reset(&arena);
	close_comment(m, source);
	st.m = m;
	st.seen.s = text;
	st.hidden.s = g_string_new(NULL);
	st.link_text = g_string_new(NULL);
	as_is = true;
	if (tags_cost_too_much(source->str, source->len) || !parse_document(&st, &arena, source->str, source->len))
		strip_tags(&st, &arena, source->str, source->len);
	as_is = false;
	link_end(&st);
	message_add_hidden(m, st.hidden.s);
	g_string_free(st.hidden.s, TRUE);
	g_string_free(st.link_text, TRUE);
	g_free(st.base);
	if (st.sheets.rules != NULL)
		g_hash_table_destroy(st.sheets.rules);
}

static bool
SameLists(const GPtrArray *a, const GPtrArray *b)
{
	for (guint i = 0; i < a->len && i < b->len; i++)
		if (strcmp(a->pdata[i], b->pdata[i]) != 0)
			return false;
	return a->len == b->len;
}

int
main(void)
{
	Message    *a = message_new();
	Message    *b = message_new();
	long		shrunk = 0;

	srand(1);
	for (int round = 0; round < ROUNDS; round++)
	{
		GString    *source = MakeDocument();
		GString    *copy = g_string_new(source->str);
		GString    *small = g_string_new(NULL);
		GArray	   *runs = g_array_new(FALSE, FALSE, sizeof(HtmlRun));

		message_reset(a);
		message_reset(b);
		shrunk += html_shrink(source->str, source->len, small, runs);
		html_to_text(a, source, a->body_text);
		Unshrunk(b, copy, b->body_text);
		if (!g_string_equal(a->body_text, b->body_text) || !g_string_equal(a->hidden_text, b->hidden_text) ||
			!SameLists(a->urls, b->urls) || !SameLists(a->link_texts, b->link_texts) ||
			!SameLists(a->link_hrefs, b->link_hrefs) || a->html_images != b->html_images ||
			a->html_forms != b->html_forms || a->html_scripts != b->html_scripts || a->alt_bytes != b->alt_bytes)
		{
			printf("round %d: %s\nshrunk: %s\n[%s]\n[%s]\n", round, copy->str, small->str, a->body_text->str, b->body_text->str);
			return 1;
		}
		g_string_free(source, TRUE);
		g_string_free(copy, TRUE);
		g_string_free(small, TRUE);
		g_array_free(runs, TRUE);
	}
	printf("%ld of %d were shrunk\n", shrunk, ROUNDS);
	return shrunk > ROUNDS / 3 ? 0 : 1;
}
