/*
 * detoast_once.c
 *		A stored value that several functions read, decompressed once.
 *
 * A body is read by each phrase set, by text facts, by models and by conditions,
 * and is decompressed by each anew.  The last one is kept, with what it was made
 * of: the compressed bytes, which are compared as a whole, or a pointer to a value
 * that is stored out of line, which means the same value within a transaction.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "compat.h"
#include "detoast_once.h"
#include "storage/proc.h"
#include "utils/memutils.h"

/* Larger values are not kept; smaller ones cost nothing to decompress. */
#define KEPT_MAX	(256 * 1024)

static struct
{
	bool		valid;
	LocalTransactionId lxid;	/* of a pointer, or 0 */
	Size		stored_len;
	Size		len;
	Size		stored_room;
	Size		room;
	char	   *stored;
	char	   *plain;
}			last;

static LocalTransactionId
CurrentLocalTransaction(void)
{
#if PG_VERSION_NUM >= 170000
	return MyProc->vxid.lxid;
#else
	return MyProc->lxid;
#endif
}

/* Is it stored compressed or out of line, and not too large to keep? */
static bool
IsKept(struct varlena *value)
{
	if (!VARATT_IS_COMPRESSED(value) && !VARATT_IS_EXTERNAL_ONDISK(value))
		return false;
	return toast_raw_datum_size(PointerGetDatum(value)) <= KEPT_MAX;
}

/* So many bytes in a buffer that grows and stays */
static void
Fill(char **buffer, Size *room, const void *bytes, Size len)
{
	if (*room < len)
	{
		Size		wanted = Max(len, 8192);

		if (*buffer)
			pfree(*buffer);
		*buffer = NULL;
		*room = 0;
		*buffer = MemoryContextAlloc(TopMemoryContext, wanted);
		*room = wanted;
	}
	memcpy(*buffer, bytes, len);
}

text	   *
DetoastOnce(Datum value)
{
	struct varlena *v = (struct varlena *) DatumGetPointer(value);
	struct varlena *plain;
	LocalTransactionId lxid;

	if (!IsKept(v))
		return DatumGetTextPP(value);
	lxid = VARATT_IS_EXTERNAL(v) ? CurrentLocalTransaction() : InvalidLocalTransactionId;
	if (last.valid && last.stored_len == VARSIZE_ANY(v) && last.lxid == lxid &&
		memcmp(last.stored, v, last.stored_len) == 0)
		return (text *) last.plain;
	last.valid = false;
	plain = detoast_attr(v);
	last.stored_len = VARSIZE_ANY(v);
	last.len = VARSIZE_ANY(plain);
	last.lxid = lxid;
	Fill(&last.stored, &last.stored_room, v, last.stored_len);
	Fill(&last.plain, &last.room, plain, last.len);
	last.valid = true;
	pfree(plain);
	return (text *) last.plain;
}

text	   *
DetoastCopy(Datum value)
{
	text	   *t = DetoastOnce(value);

	if (t != (text *) last.plain)
		return t;
	return memcpy(palloc(last.len), t, last.len);
}
