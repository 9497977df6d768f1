/*
 * digest.c
 *		SHA-256 of values that may be large: it can be cancelled.
 */
#include "postgres.h"

#include "common/cryptohash.h"
#include "common/sha2.h"
#include "digest.h"
#include "miscadmin.h"

#define CHUNK	((Size) 1 << 20)	/* bytes between looks for a cancel */

/*
 * The first len bytes of the digest of the pieces.  Who is cancelled leaves
 * the context to his resource owner or memory context.
 */
void
Digest(const DigestPiece *pieces, int npieces, uint8 *digest, int len)
{
	pg_cryptohash_ctx *context = pg_cryptohash_create(PG_SHA256);
	uint8		whole[PG_SHA256_DIGEST_LENGTH];
	bool		done = context != NULL && pg_cryptohash_init(context) >= 0;

	Assert(len <= sizeof(whole));
	for (int i = 0; i < npieces && done; i++)
		for (Size at = 0; at < pieces[i].size && done; at += CHUNK)
		{
			CHECK_FOR_INTERRUPTS();
			done = pg_cryptohash_update(context, (const uint8 *) pieces[i].bytes + at,
										Min(pieces[i].size - at, CHUNK)) >= 0;
		}
	if (!done || pg_cryptohash_final(context, whole, sizeof(whole)) < 0)
		elog(ERROR, "could not compute a digest");
	pg_cryptohash_free(context);
	memcpy(digest, whole, len);
}
