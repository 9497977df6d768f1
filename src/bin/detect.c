/*
 * detect.c
 *	  The type of an attachment by its bytes, whatever it is declared as.
 *
 * The work is libmagic's, but for the pictures that most attachments are.
 * Without libmagic these are all that is known.
 *
 * This file alone includes libmagic.
 */
#include <string.h>

#include "attachment.h"

#ifdef HAVE_LIBMAGIC
#include <magic.h>

/* Bytes that libmagic gets to see */
#define MAX_LOOKED_AT	((size_t) 256 * 1024)

/* libmagic with its rules, read when first needed; NULL where it has none */
static magic_t
get_magic(void)
{
	static magic_t magic = NULL;
	static bool tried = false;

	if (!tried)
	{
		tried = true;
		magic = magic_open(MAGIC_MIME_TYPE | MAGIC_NO_CHECK_COMPRESS | MAGIC_NO_CHECK_ELF);
		if (magic != NULL && magic_load(magic, NULL) != 0)
		{
			report("warning: types of attachments are not detected: %s", magic_error(magic));
			magic_close(magic);
			magic = NULL;
		}
	}
	return magic;
}
#endif

/* The MIME type, valid until the next call, or NULL */
const char *
detect_type(const char *s, size_t len)
{
	if (len >= 8 && memcmp(s, "\x89PNG\r\n\x1A\n", 8) == 0)
		return "image/png";
	if (len >= 3 && memcmp(s, "\xFF\xD8\xFF", 3) == 0)
		return "image/jpeg";
	if (len >= 6 && (memcmp(s, "GIF87a", 6) == 0 || memcmp(s, "GIF89a", 6) == 0))
		return "image/gif";
#ifdef HAVE_LIBMAGIC
	if (get_magic() != NULL)
	{
		const char *found = magic_buffer(get_magic(), s, MIN(len, MAX_LOOKED_AT));

		if (found != NULL && text_is_clean(found, strlen(found)))
			return found;
	}
#endif
	return NULL;
}
