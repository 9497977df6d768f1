/*
 * skeleton.h
 *		What a text looks like: confusable skeletons, and names folded by them.
 *
 * Plain C: usable outside of the server.
 */
#ifndef ASSAY_SKELETON_H
#define ASSAY_SKELETON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of UTF-8 that a piece of a text may have at most ... */
#define SKELETON_PIECE	1024

/* ... and room for its skeleton */
#define SKELETON_ROOM	(64 * SKELETON_PIECE)

/* A name of more bytes is none, as is one of more characters once folded */
#define FOLD_BYTES_MAX	8192
#define FOLD_CHARS_MAX	256

/*
 * Capitals look like other letters than small ones do: a Cyrillic capital En
 * like H, the small one like none.  So there are two ways to fold, which give
 * the same for ASCII: case first is right for the name in other capitals, the
 * look first for letters of another script among its capitals.
 */
typedef enum FoldWay
{
	FOLD_CASE_FIRST,
	FOLD_LOOK_FIRST				/* nothing for what is all ASCII */
} FoldWay;

/* What FoldName() says of a name that is too long */
#define FOLD_TOO_LONG	(-1)

extern size_t SkeletonPieceLength(const char *utf8, size_t len);
extern int	SkeletonPiece(const char *utf8, size_t len, char *skeleton);
extern int	FoldName(const char *utf8, size_t len, FoldWay way, uint32_t *folded);

#endif							/* ASSAY_SKELETON_H */
