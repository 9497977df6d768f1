/*
 * mail.h
 *	  What mail.c, which reads a message's headers, header.c and body.c share.
 */
#ifndef ASSAY_MAIL_H
#define ASSAY_MAIL_H

#include <gmime/gmime.h>

#include "assay_load.h"

/* What GMime may get of a Content-* header */
#define MAX_CONTENT_HEADER	65536

typedef struct Header
{
	char	   *name;			/* lower case */
	const char *raw;			/* after the colon, with folds */
	size_t		raw_len;
	char	   *value;			/* unfolded, clean; encoded words undecoded */
	char	   *decoded;		/* the same pointer where nothing was encoded */
} Header;

/* header.c */
extern size_t header_name_len(const char *s, const char *end);
extern const char *next_line(const char *s, const char *end);
extern bool is_blank_line(const char *s, const char *end);
extern char *unfold(Message *m, const char *s, size_t len, const char *charset);
extern Header *find_header(GArray *headers, const char *name);

/* params.c */
extern char *param_file_name(Message *m, const char *disposition, const char *type);

/* mime_guard.c */
extern void reopen_boundaries(Message *m, char *body, size_t len);
extern size_t guard_mime(Message *m, char *body, size_t len, bool in_message);

/* body.c */
extern void parse_body(Message *m, GArray *headers, RawMessage *raw, const char *body);

#endif							/* ASSAY_MAIL_H */
