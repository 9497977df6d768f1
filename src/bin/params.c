/*
 * params.c
 *	  Parameters of Content-* headers: the name of an attachment.
 *
 * A file's name may be written twice, behind junk, without its closing quote,
 * in pieces, in percent or in encoded words, and in two headers; programs
 * differ in what they take.  All names are read here, and of different ones
 * the one is kept that does harm when it is opened.
 */
#include <stdlib.h>
#include <string.h>

#include "mail.h"

#define MAX_NAMES		32
#define MAX_PIECES		100

/* One parameter as it stands */
typedef struct Param
{
	const char *name;
	size_t		name_len;
	GString    *value;
} Param;

/* The next parameter after the semicolon at *s; false at the end */
static bool
next_param(const char **s, Param *param)
{
	const char *p = *s;

	for (;;)
	{
		while (*p != '\0' && *p != ';')
			p++;
		if (*p == '\0')
			return false;
		p++;
		p += strspn(p, " \t\r\n;");
		param->name = p;
		p += strcspn(p, "=;\"");
		if (*p != '=')
			continue;
		param->name_len = p - param->name;
		while (param->name_len > 0 && g_ascii_isspace(param->name[param->name_len - 1]))
			param->name_len--;
		break;
	}
	p++;
	p += strspn(p, " \t\r\n");
	param->value = g_string_new(NULL);
	if (*p == '"')
	{
		for (p++; *p != '\0' && *p != '"'; p++)
		{
			/* "C:\\file" is more often seen than an escape of a letter */
			if (*p == '\\' && (p[1] == '"' || p[1] == '\\'))
				p++;
			g_string_append_c(param->value, *p);
		}
		if (*p == '"')
			p++;
	}
	else
	{
		size_t		n = strcspn(p, ";");

		g_string_append_len(param->value, p, n);
		p += n;
	}
	*s = p;
	while (param->value->len > 0 && g_ascii_isspace(param->value->str[param->value->len - 1]))
		g_string_truncate(param->value, param->value->len - 1);
	return true;
}

/* Bytes of a value to a clean name: by its charset, else its encoded words */
static char *
decode_value(Message *m, GString *value, bool extended)
{
	GString    *out = g_string_new(NULL);
	char	   *charset = NULL;
	char	   *result;

	if (extended)
	{
		/* charset'language'text */
		char	   *first = strchr(value->str, '\'');
		char	   *second = first != NULL ? strchr(first + 1, '\'') : NULL;

		if (second != NULL)
		{
			charset = g_strndup(value->str, first - value->str);
			g_string_erase(value, 0, second + 1 - value->str);
		}
		text_percent_decode(value);
	}
	text_to_utf8(out, value->str, value->len, charset, m);
	g_free(charset);
	if (strstr(out->str, "=?") != NULL)
	{
		result = words_decode(m, out->str);
		g_string_free(out, TRUE);
	}
	else
		result = g_string_free(out, FALSE);
	return g_strstrip(g_strdelimit(result, "\r\n\t", ' '));
}

/* Add the values of one parameter in a header, in all the ways to write it */
static void
collect(Message *m, const char *header, const char *want, GPtrArray *names)
{
	size_t		want_len = strlen(want);
	GString    *pieces[MAX_PIECES] = {0};
	bool		extended = false;
	Param		param;

	while (next_param(&header, &param))
	{
		const char *rest = param.name + want_len;
		size_t		left = param.name_len - want_len;
		int			piece;

		if (param.name_len < want_len || g_ascii_strncasecmp(param.name, want, want_len) != 0 ||
			(left > 0 && *rest != '*'))
		{
			g_string_free(param.value, TRUE);
			continue;
		}
		if (left <= 1)
		{
			char	   *comment = left == 0 && g_str_has_suffix(param.value->str, ")") ? strrchr(param.value->str, '(') : NULL;

			/* "a.exe (x)" may be a name, or a name and a comment */
			if (comment != NULL && names->len < MAX_NAMES)
			{
				GString    *bare = g_string_new_len(param.value->str, comment - param.value->str);

				g_ptr_array_add(names, decode_value(m, param.value, false));
				g_string_assign(param.value, bare->str);
				g_string_free(bare, TRUE);
			}
			if (names->len < MAX_NAMES)
				g_ptr_array_add(names, decode_value(m, param.value, left == 1));
			g_string_free(param.value, TRUE);
			continue;
		}
		/* a piece: name*0=, name*0*= */
		piece = g_ascii_isdigit(rest[1]) ? atoi(rest + 1) : MAX_PIECES;
		if (piece < 0 || piece >= MAX_PIECES || pieces[piece] != NULL)
		{
			g_string_free(param.value, TRUE);
			continue;
		}
		pieces[piece] = param.value;
		if (rest[left - 1] == '*')
			extended = true;
	}
	/* up to the first that is missing, and all there are */
	for (int gaps = 0; gaps < 2; gaps++)
	{
		GString    *whole = g_string_new(NULL);

		for (int i = 0; i < MAX_PIECES && (pieces[i] != NULL || gaps > 0); i++)
			if (pieces[i] != NULL)
				g_string_append_len(whole, pieces[i]->str, pieces[i]->len);
		if (whole->len > 0 && names->len < MAX_NAMES)
			g_ptr_array_add(names, decode_value(m, whole, extended));
		g_string_free(whole, TRUE);
	}
	for (int i = 0; i < MAX_PIECES; i++)
		if (pieces[i] != NULL)
			g_string_free(pieces[i], TRUE);
}

/* Does a file of that name run, or show a page, when it is opened? */
static bool
is_active(const char *name)
{
	static const char *const suffixes[] = {
		"exe", "scr", "com", "pif", "bat", "cmd", "js", "jse", "vbs", "vbe", "wsf", "hta", "lnk",
		"jar", "msi", "ps1", "iso", "img", "vhd", "docm", "xlsm", "pptm", "html", "htm", "shtml",
		"svg", "xll", "chm", "cpl", "url", "one"
	};
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; dot != NULL && i < G_N_ELEMENTS(suffixes); i++)
		if (g_ascii_strcasecmp(dot + 1, suffixes[i]) == 0)
			return true;
	return false;
}

/* The name of an attachment by its two headers (either may be NULL), or NULL */
char	   *
param_file_name(Message *m, const char *disposition, const char *type)
{
	GPtrArray  *names = g_ptr_array_new_with_free_func(g_free);
	const char *best = NULL;
	char	   *result;

	if (disposition != NULL)
		collect(m, disposition, "filename", names);
	if (type != NULL)
		collect(m, type, "name", names);
	for (guint i = 0; i < names->len; i++)
	{
		const char *name = names->pdata[i];

		if (name[0] != '\0' && (best == NULL || (is_active(name) && !is_active(best))))
			best = name;
	}
	result = g_strdup(best);
	g_ptr_array_free(names, TRUE);
	return result;
}
