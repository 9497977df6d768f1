/*
 * digest.h
 *		Digests of values that may be large.
 */
#ifndef ASSAY_DIGEST_H
#define ASSAY_DIGEST_H

/* Bytes that are digested one after the other */
typedef struct DigestPiece
{
	const void *bytes;
	Size		size;
} DigestPiece;

extern void Digest(const DigestPiece *pieces, int npieces, uint8 *digest, int len);

#endif							/* ASSAY_DIGEST_H */
