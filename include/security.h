/*
 * security.h
 *		Whose rights and whose settings something runs with.
 *
 * All that a user wrote (conditions, signals views, what hangs on the decision
 * table) runs between EnterOwner() and LeaveSecurity(): as the policy's owner,
 * in a restricted operation, with the settings of the server and not of the
 * session, whose cursors and keys are out of reach.  An error needs no LeaveSecurity(): the
 * end of the (sub)transaction restores all of it.
 */
#ifndef ASSAY_SECURITY_H
#define ASSAY_SECURITY_H

#include "nodes/nodes.h"

/* Settings by what they may change */
#define SETTINGS_REFUSE	0x01	/* whether a row is taken, whatever it is */
#define SETTINGS_TIMES	0x02	/* the text form of times */
#define SETTINGS_FLOATS	0x04	/* ... of floating-point numbers */
#define SETTINGS_BYTES	0x08	/* ... of bytes */
#define SETTINGS_ZONES	0x10	/* which zone an abbreviation names */
#define SETTINGS_ROWS	0x20	/* the order of rows that are scanned or held,
								 * and limits of searches */
#define SETTINGS_OTHER	0x40
#define SETTINGS_ALL	0x7f

/* What to go back to */
typedef struct Security
{
	Oid			userid;
	int			context;
	int			nestlevel;		/* of settings; 0: none were changed */
	int			hidden;			/* of the session's, before: HideSession() */
} Security;

extern void EnterOwner(Security *s, Oid owner, const char *search_path);
extern void EnterToWrite(Security *s, Oid owner, const char *search_path);
extern void EnterToEvaluate(Security *s, Oid owner, const char *search_path,
							int settings);
extern void SecurityInit(void);
extern char *WithTempLast(const char *search_path);
extern int64 TimeLeft(void);
extern void WaitNoLonger(Security *s, int ms);
extern void EnterConfiguration(Security *s);
extern void WriteConfiguration(const char *table, const char *sql, int nargs, Oid *types,
							   Datum *values, const char *nulls);
extern void EnterCaller(Security *s);
extern void LeaveSecurity(Security *s);
extern void NoteExtensionSettings(void);

/* Which settings the text form of a type's values depends on */
extern int	SettingsOfText(Oid type);

/* Which settings what a node gives depends on, where it calls nothing but immutable functions */
extern int	SettingsOfNode(Node *node);

/* ... and a stable function of the server's */
extern int	SettingsOfStable(Oid function);

/* The relation whose invalidation says that the configuration changed */
extern Oid	ConfigurationRelid(void);

extern int	NoticeLevel(Oid owner);

#endif							/* ASSAY_SECURITY_H */
