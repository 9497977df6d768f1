/*
 * uuencode.c
 *	  Files within plain text, "begin 644 NAME" up to "end": what mail had before
 *	  MIME, and Outlook still shows as an attachment.
 */
#define _GNU_SOURCE				/* memmem */
#include <string.h>

#include "assay_load.h"

/* Bytes that a line holds, most of them 45; 0 for the last line, -1 where it is none */
static int
line_bytes(const char *s, size_t len)
{
	int			n = len > 0 ? (s[0] - ' ') & 63 : 0;
	size_t		wanted = 1 + (n + 2) / 3 * 4;

	for (size_t i = 0; i < len; i++)
		if (s[i] < ' ' || s[i] > '`')
			return -1;
	/* blanks at the end get lost, and some programs add a checksum */
	if (n == 0)
		return len <= 2 ? 0 : -1;
	return n <= 45 && len <= wanted + 2 && len + 3 >= wanted ? n : -1;
}

static void
decode_line(GString *out, const char *s, size_t len, int n)
{
	for (size_t i = 1; n > 0; i += 4)
	{
		unsigned	bits = 0;

		for (size_t k = i; k < i + 4; k++)
			bits = bits << 6 | (k < len ? (s[k] - ' ') & 63 : 0);
		for (int shift = 16; shift >= 0 && n > 0; shift -= 8, n--)
			g_string_append_c(out, bits >> shift & 255);
	}
}

/* The name in "begin 644 name", or NULL where the line says something else */
static char *
begin_name(const char *s, size_t len)
{
	size_t		digits = 0;

	if (len < 11 || memcmp(s, "begin ", 6) != 0)
		return NULL;
	s += 6;
	len -= 6;
	while (len > 0 && *s == ' ')
		s++, len--;
	while (digits < len && s[digits] >= '0' && s[digits] <= '7')
		digits++;
	if (digits < 3 || digits > 4 || digits + 1 >= len || s[digits] != ' ')
		return NULL;
	return g_strstrip(g_strndup(s + digits + 1, len - digits - 1));
}

/* Each file in a text with \n for line ends is an attachment of the message */
void
uuencoded_files(Message *m, const char *s, size_t len)
{
	const char *end = s + len;

	while (s != NULL && s < end && (s = memmem(s, end - s, "begin ", 6)) != NULL)
	{
		const char *nl = memchr(s, '\n', end - s);
		char	   *name = nl != NULL && (s == end - len || s[-1] == '\n') ? begin_name(s, nl - s) : NULL;
		GString    *file;
		int			n = 1;

		if (name == NULL)
		{
			s = nl;
			continue;
		}
		file = g_string_new(NULL);
		for (s = nl + 1; s < end && n > 0; s = nl != NULL ? nl + 1 : end)
		{
			nl = memchr(s, '\n', end - s);
			n = line_bytes(s, (nl != NULL ? nl : end) - s);
			if (n < 0)
				break;
			decode_line(file, s, (nl != NULL ? nl : end) - s, n);
		}
		if (file->len > 0)
			attachment_look(m, name, "application/octet-stream", file->str, file->len);
		g_string_free(file, TRUE);
		g_free(name);
	}
}
