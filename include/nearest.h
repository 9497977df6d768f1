/*
 * nearest.h
 *		Of several names the one that a misspelt one may have meant.
 */
#ifndef ASSAY_NEAREST_H
#define ASSAY_NEAREST_H

typedef struct Nearest
{
	const char *wanted;
	int			len;
	int			limit;			/* a name is taken when it is less far away */
	const char *name;			/* the nearest so far, or NULL */
} Nearest;

extern void NearestBegin(Nearest *n, const char *wanted);
extern void NearestTry(Nearest *n, const char *name);

#endif							/* ASSAY_NEAREST_H */
