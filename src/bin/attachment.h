/*
 * attachment.h
 *	  What attachment.c, which looks into attachments, shares with the files
 *	  that each ask one library.
 */
#ifndef ASSAY_ATTACHMENT_H
#define ASSAY_ATTACHMENT_H

#include "assay_load.h"

/* Names of entries that are kept, in all archives of a message */
#define MAX_ENTRIES			1000
#define MAX_ENTRY_BYTES		(256 * 1024)

/* What was found in an attachment */
typedef struct Findings
{
	Message    *m;
	bool		archive;
	bool		office;			/* an archive that is a document */
	bool		encrypted;
	bool		macros;
	GPtrArray  *entries;
	int64_t		unpacked;		/* bytes of all archives of the message */
} Findings;

/* attached.c */
extern char *attached_suffix(const char *name);
extern void findings_add_entry(Findings *f, const char *name);

/* bounded.c */
extern void bounded_tell(char kind, const char *s, size_t len);
extern bool bounded_run(Message *m, void (*work) (void *arg),
						void (*take) (char kind, const char *s, size_t len, void *arg), void *arg);

/* archive.c */
extern bool is_archive(const char *s, size_t len);
extern void archive_look(const char *bytes, size_t len, Findings *f);

/* tnef.c */
extern bool is_tnef(const char *s, size_t len);
extern void tnef_look(const char *s, size_t len, Findings *f);

/* detect.c */
extern const char *detect_type(const char *bytes, size_t len);

/* qr.c */
extern void qr_look(Message *m, const char *bytes, size_t len);

#endif							/* ASSAY_ATTACHMENT_H */
