/*
 * tnef.c
 *	  What is in a winmail.dat (TNEF), in which Outlook packs a message where
 *	  other programs would send parts: the names of attachments, and the body.
 *
 * A signature, a key, then attributes: a level, a tag, a length, so many bytes,
 * and a check sum.  Two of them are lists of MAPI properties: a count, then a
 * type, an id and a value each.  What does not add up ends the reading; the
 * bytes are a stranger's.  A body in compressed RTF is not read.
 */
#include <string.h>

#include "attachment.h"
#include "mail.h"

#define TNEF_SIGNATURE	0x223E9F78
#define TNEF_HEAD		6		/* signature, key */
#define ATTRIBUTE_HEAD	9		/* level, tag, length */
#define ATTRIBUTE_TAIL	2		/* check sum */

#define LEVEL_MESSAGE		1
#define LEVEL_ATTACHMENT	2
#define TAG_TITLE			0x00018010
#define TAG_BODY			0x0002800C
#define TAG_CODEPAGE		0x00069007
#define TAG_MESSAGE_PROPS	0x00069003
#define TAG_ATTACHED_PROPS	0x00069005

/* Types of MAPI properties */
#define PROP_STRING			0x001E
#define PROP_UNICODE		0x001F
#define PROP_BINARY			0x0102
#define PROP_MULTIPLE		0x1000

/* Their ids */
#define PROP_BODY			0x1000
#define PROP_BODY_HTML		0x1013
#define PROP_SHORT_NAME		0x3704
#define PROP_LONG_NAME		0x3707
#define PROP_NAMED			0x8000	/* and above: a name follows */

static guint32
uint32_at(const char *s)
{
	const unsigned char *u = (const unsigned char *) s;

	return u[0] | u[1] << 8 | u[2] << 16 | (guint32) u[3] << 24;
}

bool
is_tnef(const char *s, size_t len)
{
	return len >= TNEF_HEAD && uint32_at(s) == TNEF_SIGNATURE;
}

/* An attribute */
typedef struct TnefAttribute
{
	int			level;
	guint32		tag;
	const char *s;
	size_t		len;
} TnefAttribute;

/* The attribute at *s, and *s behind it; false where none is whole */
static bool
next_attribute(const char **s, const char *end, TnefAttribute *a)
{
	const char *p = *s;

	if (end - p < ATTRIBUTE_HEAD + ATTRIBUTE_TAIL)
		return false;
	a->level = *p;
	a->tag = uint32_at(p + 1);
	a->len = uint32_at(p + 5);
	a->s = p + ATTRIBUTE_HEAD;
	if (a->len > (size_t) (end - a->s))
		return false;
	*s = (size_t) (end - a->s) - a->len < ATTRIBUTE_TAIL ? end : a->s + a->len + ATTRIBUTE_TAIL;
	return true;
}

/* ---- MAPI properties ------------------------------------------------------ */

typedef void (*PropFn) (int type, int id, const char *s, size_t len, void *arg);

/* Bytes of a value of fixed size, filled up to four, or 0 */
static size_t
fixed_size(int type)
{
	switch (type)
	{
		case 0x0002:			/* short, long, float, error, boolean */
		case 0x0003:
		case 0x0004:
		case 0x000A:
		case 0x000B:
			return 4;
		case 0x0005:			/* double, currency, times, long long */
		case 0x0006:
		case 0x0007:
		case 0x0014:
		case 0x0040:
			return 8;
		case 0x0048:			/* a GUID */
			return 16;
		default:
			return 0;
	}
}

/* Take so many bytes at *s, filled up to four; NULL where they are not there */
static const char *
take_bytes(const char **s, const char *end, size_t n)
{
	const char *from = *s;

	if (n > (size_t) (end - from))
		return NULL;
	*s = from + MIN((n + 3) & ~(size_t) 3, (size_t) (end - from));
	return from;
}

static bool
take_uint32(const char **s, const char *end, guint32 * n)
{
	const char *from = take_bytes(s, end, 4);

	if (from != NULL)
		*n = uint32_at(from);
	return from != NULL;
}

/* The name of a property that has one: a GUID, and a number or a text */
static bool
skip_name(const char **s, const char *end)
{
	guint32		kind;
	guint32		n;

	return take_bytes(s, end, 16) != NULL && take_uint32(s, end, &kind) && take_uint32(s, end, &n) &&
		(kind == 0 || take_bytes(s, end, n) != NULL);
}

/* Go through a list of properties; those with bytes of any length are told */
static void
each_prop(const char *s, size_t len, PropFn fn, void *arg)
{
	const char *end = s + len;
	guint32		props;

	if (!take_uint32(&s, end, &props))
		return;
	/* each takes bytes of the list, which ends the loops */
	for (guint32 i = 0; i < props; i++)
	{
		guint32		head;
		guint32		values = 1;
		int			type;
		int			id;
		size_t		fixed;

		if (!take_uint32(&s, end, &head))
			return;
		type = head & 0xFFFF & ~PROP_MULTIPLE;
		id = head >> 16;
		if (id >= PROP_NAMED && !skip_name(&s, end))
			return;
		fixed = fixed_size(type);
		if ((fixed == 0 || (head & PROP_MULTIPLE) != 0) && !take_uint32(&s, end, &values))
			return;
		for (guint32 k = 0; k < values; k++)
		{
			const char *value;
			guint32		n = fixed;

			if ((fixed == 0 && !take_uint32(&s, end, &n)) || (value = take_bytes(&s, end, n)) == NULL)
				return;
			if (fixed == 0)
				fn(type, id, value, n, arg);
		}
	}
}

/* ---- names ----------------------------------------------------------------- */

/* A name, which a NUL ends; its charset is nowhere said for sure */
static void
add_name(const char *s, size_t len, Findings *f)
{
	char	   *name = g_strndup(s, len);

	if (*name != '\0')
		findings_add_entry(f, name);
	g_free(name);
}

/* The names of an attachment, in a PropFn */
static void
take_name(int type, int id, const char *s, size_t len, void *arg)
{
	char	   *name;

	if (id != PROP_LONG_NAME && id != PROP_SHORT_NAME)
		return;
	if (type == PROP_STRING)
		add_name(s, len, arg);
	else if (type == PROP_UNICODE)
	{
		name = g_convert(s, MIN(len, 2048) & ~(size_t) 1, "UTF-8", "UTF-16LE", NULL, NULL, NULL);
		if (name != NULL)
			add_name(name, strlen(name), arg);
		g_free(name);
	}
}

/* Add the names of the attachments in it */
void
tnef_look(const char *s, size_t len, Findings *f)
{
	const char *end = s + len;
	TnefAttribute a;

	f->archive = true;
	s += TNEF_HEAD;
	while (next_attribute(&s, end, &a))
	{
		if (a.level != LEVEL_ATTACHMENT)
			continue;
		if (a.tag == TAG_TITLE)
			add_name(a.s, a.len, f);
		else if (a.tag == TAG_ATTACHED_PROPS)
			each_prop(a.s, a.len, take_name, f);
	}
}

/* ---- the body --------------------------------------------------------------- */

/* The texts of the message, in a PropFn */
static void
take_text(int type, int id, const char *s, size_t len, void *arg)
{
	TnefBody   *body = arg;
	bool		wide = type == PROP_UNICODE;

	if (type != PROP_STRING && !wide && type != PROP_BINARY)
		return;
	if (id == PROP_BODY_HTML)
	{
		body->several |= body->html != NULL;
		body->html = s;
		body->html_len = len;
		body->html_wide = wide;
	}
	else if (id == PROP_BODY && type != PROP_BINARY)
	{
		body->several |= body->plain != NULL;
		body->plain = s;
		body->plain_len = len;
		body->plain_wide = wide;
	}
}

/* The length of a text without what ends it */
static size_t
trimmed(const char *s, size_t len, bool wide)
{
	size_t		n = wide ? 2 : 1;

	while (len >= n && s[len - 1] == '\0' && s[len - n] == '\0')
		len -= n;
	return len;
}

/* The body in it, over the same bytes; false where there is none */
bool
tnef_body(const char *s, size_t len, TnefBody *body)
{
	const char *end = s + len;
	TnefAttribute a;

	memset(body, 0, sizeof(*body));
	if (!is_tnef(s, len))
		return false;
	s += TNEF_HEAD;
	while (next_attribute(&s, end, &a))
	{
		if (a.level != LEVEL_MESSAGE)
			continue;
		if (a.tag == TAG_MESSAGE_PROPS)
			each_prop(a.s, a.len, take_text, body);
		else if (a.tag == TAG_CODEPAGE && a.len >= 4)
			body->codepage = uint32_at(a.s);
		else if (a.tag == TAG_BODY && body->plain == NULL)
		{
			body->plain = a.s;
			body->plain_len = a.len;
		}
	}
	body->html_len = trimmed(body->html, body->html_len, body->html_wide);
	body->plain_len = trimmed(body->plain, body->plain_len, body->plain_wide);
	return body->plain_len > 0 || body->html_len > 0;
}
