/*
 * transfer.c
 *	  Transfer encodings: by their names, and undone.
 */
#include <string.h>

#include "mail.h"

/* The transfer encoding by its name, whatever stands around it */
GMimeContentEncoding
encoding_by_name(const char *s)
{
	static const struct
	{
		const char *name;
		GMimeContentEncoding encoding;
	}			names[] =
	{
		{"base64", GMIME_CONTENT_ENCODING_BASE64},
		{"quoted-printable", GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE},
		{"x-uuencode", GMIME_CONTENT_ENCODING_UUENCODE},
		{"x-uue", GMIME_CONTENT_ENCODING_UUENCODE},
		{"uuencode", GMIME_CONTENT_ENCODING_UUENCODE},
		{"7bit", GMIME_CONTENT_ENCODING_7BIT},
		{"8bit", GMIME_CONTENT_ENCODING_8BIT},
		{"binary", GMIME_CONTENT_ENCODING_BINARY},
	};
	size_t		n;

	s = skip_comments(s, " \t\r\n\"'");
	n = strcspn(s, " \t\r\n\"';,(");
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (n == strlen(names[i].name) && g_ascii_strncasecmp(s, names[i].name, n) == 0)
			return names[i].encoding;
	return GMIME_CONTENT_ENCODING_DEFAULT;
}

/*
 * Decoders for the two encodings that matter, which take what senders write.
 * At most max bytes go to out, which may be NULL; returns the whole size.
 */

/* Not GMime's, which loses all that follows padding in the middle */
static int64_t
decode_base64(const char *s, size_t len, GString *out, size_t max, bool *cut)
{
	static signed char values[256];
	static bool ready = false;
	const char *end = s + len;
	char		buf[3072];
	size_t		n = 0;
	int64_t		total = 0;
	unsigned	bits = 0;
	int			have = 0;

	if (!ready)
	{
		static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

		memset(values, -1, sizeof(values));
		for (int i = 0; i < 64; i++)
			values[(unsigned char) alphabet[i]] = i;
		values['='] = -2;
		ready = true;
	}
	for (; s <= end; s++)
	{
		int			v;

		/* four at once, as most of them stand */
		while (have == 0 && end - s >= 4 && n <= sizeof(buf) - 12)
		{
			int			a = values[(unsigned char) s[0]];
			int			b = values[(unsigned char) s[1]];
			int			c = values[(unsigned char) s[2]];
			int			d = values[(unsigned char) s[3]];

			if ((a | b | c | d) < 0)
				break;
			buf[n++] = a << 2 | b >> 4;
			buf[n++] = b << 4 | c >> 2;
			buf[n++] = c << 6 | d;
			s += 4;
		}
		v = s < end ? values[(unsigned char) *s] : -2;
		if (v >= 0)
		{
			bits = bits << 6 | v;
			if (++have < 4)
				continue;
			buf[n++] = bits >> 16;
			buf[n++] = bits >> 8;
			buf[n++] = bits;
			have = 0;
		}
		else if (v == -2)
		{
			/* padding, or the end without it */
			if (have == 2)
				buf[n++] = bits >> 4;
			else if (have == 3)
			{
				buf[n++] = bits >> 10;
				buf[n++] = bits >> 2;
			}
			have = 0;
		}
		if (n > sizeof(buf) - 8 || s == end)
		{
			total += n;
			if (out != NULL)
			{
				size_t		room = max - MIN(max, out->len);

				g_string_append_len(out, buf, MIN(n, room));
				if (n > room)
				{
					*cut = true;
					break;
				}
			}
			n = 0;
		}
	}
	return total;
}

/* Not GMime's, which takes blanks behind a soft line end for text */
static int64_t
decode_quoted_printable(const char *s, size_t len, GString *out, size_t max, bool *cut)
{
	const char *end = s + len;
	int64_t		total = 0;

	while (s < end)
	{
		const char *p = memchr(s, '=', end - s);
		const char *q;
		char		c = '=';

		if (p == NULL)
			p = end;
		total += p - s;
		if (out != NULL)
			text_put(out, s, p - s);
		if (out != NULL && out->len > max)
		{
			g_string_truncate(out, max);
			*cut = true;
			break;
		}
		if (p == end)
			break;
		/* a soft line end, blanks behind it or not */
		for (q = p + 1; q < end && (*q == ' ' || *q == '\t'); q++)
			;
		if (q < end && *q == '\r')
			q++;
		if (q == end || *q == '\n' || (q > p + 1 && q[-1] == '\r'))
		{
			s = q < end && *q == '\n' ? q + 1 : q;
			continue;
		}
		s = p + 1;
		if (end - p > 2 && g_ascii_isxdigit(p[1]) && g_ascii_isxdigit(p[2]))
		{
			c = g_ascii_xdigit_value(p[1]) * 16 + g_ascii_xdigit_value(p[2]);
			s = p + 3;
		}
		total++;
		if (out != NULL)
			text_put(out, &c, 1);
	}
	return total;
}

/*
 * Undo the transfer encoding, into out (at most max bytes), or only count
 * where out is NULL.  Returns the decoded size; sets *cut.
 */
int64_t
decode_content(const char *s, size_t len, GMimeContentEncoding encoding,
			   GString *out, size_t max, bool *cut)
{
	GMimeFilter *filter;
	char	   *decoded = NULL;
	size_t		decoded_len = 0;
	size_t		prespace = 0;
	int64_t		total = 0;

	*cut = false;
	if (encoding == GMIME_CONTENT_ENCODING_BASE64)
		return decode_base64(s, len, out, max, cut);
	if (encoding == GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE)
		return decode_quoted_printable(s, len, out, max, cut);
	if (encoding != GMIME_CONTENT_ENCODING_UUENCODE)
	{
		if (out != NULL)
		{
			*cut = len > max;
			g_string_append_len(out, s, MIN(len, max));
		}
		return len;
	}
	filter = g_mime_filter_basic_new(encoding, FALSE);
	for (bool last = false; !last;)
	{
		size_t		n = MIN(len, 65536);

		/* complete() alone would not look for the "begin" of uuencode */
		last = len == 0;
		if (last)
			g_mime_filter_complete(filter, (char *) "", 0, 0, &decoded, &decoded_len, &prespace);
		else
			g_mime_filter_filter(filter, (char *) s, n, 0, &decoded, &decoded_len, &prespace);
		s += n;
		len -= n;
		total += decoded_len;
		if (out != NULL && out->len + decoded_len > max)
		{
			g_string_append_len(out, decoded, max - out->len);
			*cut = true;
			break;
		}
		if (out != NULL)
			g_string_append_len(out, decoded, decoded_len);
	}
	g_object_unref(filter);
	return total;
}
