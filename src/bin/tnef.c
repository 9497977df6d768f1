/*
 * tnef.c
 *	  The names of what is in a winmail.dat (TNEF), in which Outlook packs the
 *	  attachments of a message where other programs would send parts.
 *
 * A signature, a key, then attributes: a level, a tag, a length, so many bytes,
 * and a check sum.  The title of an attachment is one of them.  What does not
 * add up ends the reading; the bytes are a stranger's.
 */
#include <string.h>

#include "attachment.h"

#define TNEF_SIGNATURE	0x223E9F78
#define TNEF_HEAD		6		/* signature, key */
#define ATTRIBUTE_HEAD	9		/* level, tag, length */
#define ATTRIBUTE_TAIL	2		/* check sum */

#define LEVEL_ATTACHMENT	2
#define TAG_TITLE			0x00018010

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

/* Add the names of the attachments in it */
void
tnef_look(const char *s, size_t len, Findings *f)
{
	const char *end = s + len;

	f->archive = true;
	s += TNEF_HEAD;
	while (end - s >= ATTRIBUTE_HEAD + ATTRIBUTE_TAIL)
	{
		int			level = *s;
		guint32		tag = uint32_at(s + 1);
		guint32		n = uint32_at(s + 5);

		s += ATTRIBUTE_HEAD;
		if (n > (size_t) (end - s))
			break;
		if (level == LEVEL_ATTACHMENT && tag == TAG_TITLE)
		{
			/* a NUL ends it; its charset is nowhere said for sure */
			char	   *title = g_strndup(s, n);

			if (*title != '\0')
				findings_add_entry(f, title);
			g_free(title);
		}
		if (n + (size_t) ATTRIBUTE_TAIL > (size_t) (end - s))
			break;
		s += n + (size_t) ATTRIBUTE_TAIL;
	}
}
