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

/* The type that GMime gets to see of a message in a transfer encoding, which it does not decode; as long as "message" */
#define CODED_MESSAGE		"x-coded"

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
extern const char *skip_comments(const char *s, const char *blanks);

/* lines.c */
extern void lines_normalize(GString *s, size_t from);
extern void lines_unfold_calendar(GString *s);
extern void lines_unflow(GString *s);

/* transfer.c */
extern GMimeContentEncoding encoding_by_name(const char *s);
extern int64_t decode_content(const char *s, size_t len, GMimeContentEncoding encoding,
							  GString *out, size_t max, bool *cut);

/* params.c */
extern char *param_file_name(Message *m, const char *disposition, const char *type);

/* tnef.c */

/* The body of a winmail.dat, where it has one */
typedef struct TnefBody
{
	const char *html;			/* or NULL */
	size_t		html_len;
	bool		html_wide;		/* in UTF-16 */
	const char *plain;			/* or NULL */
	size_t		plain_len;
	bool		plain_wide;
	guint32		codepage;		/* of what is not, or 0 */
	bool		several;		/* others of these: the last ones count */
} TnefBody;

extern bool tnef_body(const char *s, size_t len, TnefBody *body);

/* smime.c */
extern bool smime_content(const char *s, size_t len, GString *content, bool *cut);

/* mime_guard.c */
extern char *find_boundary(const char *s, size_t len, size_t *at);
extern GString *separate_bodies(Message *m, const char *types, const char *body, size_t len, size_t room);
extern void reopen_boundaries(Message *m, char *body, size_t len);
extern size_t guard_mime(Message *m, char *body, size_t len, bool in_message);

/* content_headers.c */
extern GMimeContentEncoding part_encoding(GMimeObject *object);
extern const char *part_header(GMimeObject *object, const char *name);
extern char *part_name(Message *m, GMimeObject *object);
extern bool part_is_html(GMimeObject *object);
extern bool part_has_broken_type(GMimeObject *object);
extern bool part_is_broken_multipart(GMimeObject *object, const char *type);
extern bool type_is_multipart(const Header *h);
extern bool type_is_leaf(const Header *type);
extern GString *content_headers(Message *m, GArray *headers, Header *type);
extern int	choose_types(GArray *headers, Header *types[2]);
extern char *other_boundary(const Header *type);

/* body.c */
extern void parse_body(Message *m, GArray *headers, RawMessage *raw, const char *body);

#endif							/* ASSAY_MAIL_H */
