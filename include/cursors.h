/*
 * cursors.h
 *		Keep the session's cursors and keys from whoever's code runs for a while.
 */
#ifndef ASSAY_CURSORS_H
#define ASSAY_CURSORS_H

#include "utils/portal.h"

/* How a cursor of ours begins, which stays in reach */
#define OUR_CURSOR	"pg_assay cursor "

extern void CursorsInit(void);

/*
 * The cursors that are open, and for an owner's code the keys by which the session
 * has logged in, are out of reach until ShowSession(), which is given what this
 * returns, and closes what was opened meanwhile and is open yet.  An error needs
 * none: the end of the (sub)transaction shows them.
 */
extern int	HideSession(void);
extern void ShowSession(int before);

/* Pin one of ours, and run it to its end as a commit would; not those that are hidden. */
extern void HoldCursor(Portal portal);
extern void CloseHeldCursor(Portal portal);

#endif							/* ASSAY_CURSORS_H */
