/*
 * detoast_once.c
 *		A stored value that several functions read, decompressed once.
 *
 * A body is read by each phrase set, by text facts, by models and by conditions,
 * and headers by each function that looks for one; each would decompress it anew.
 * The last two, a body and headers, are kept with what they were made of: the
 * compressed bytes, which are compared as a whole, or a pointer to a value that is
 * stored out of line, which means the same value within a transaction.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "compat.h"
#include "detoast_once.h"
#include "storage/proc.h"
#include "utils/memutils.h"

/* Larger values are not kept; smaller ones cost nothing to decompress. */
#define KEPT_MAX	(256 * 1024)

/* Values that are kept: a message's body and its headers, by turns */
#define KEPT	2

typedef struct KeptValue
{
	bool		valid;
	LocalTransactionId lxid;	/* of a pointer, or 0 */
	Size		stored_len;
	Size		len;
	Size		stored_room;
	Size		room;
	char	   *stored;
	char	   *plain;
} KeptValue;

static KeptValue kept[KEPT];
static int	latest = 0;			/* the one that was asked for last */

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

/* The kept value that was made of this, or NULL */
static KeptValue *
FindKept(struct varlena *v, LocalTransactionId lxid)
{
	Size		len = VARSIZE_ANY(v);

	for (int i = 0; i < KEPT; i++)
	{
		KeptValue  *k = &kept[(latest + i) % KEPT];

		if (k->valid && k->stored_len == len && k->lxid == lxid && memcmp(k->stored, v, len) == 0)
			return k;
	}
	return NULL;
}

/* The value in its plain form, kept or not */
static struct varlena *
PlainOf(struct varlena *v)
{
	struct varlena *plain;
	LocalTransactionId lxid = VARATT_IS_EXTERNAL(v) ? CurrentLocalTransaction() : InvalidLocalTransactionId;
	KeptValue  *k = FindKept(v, lxid);

	if (k == NULL)
	{
		/* It takes the place of the one that was not asked for last. */
		k = &kept[(latest + 1) % KEPT];
		k->valid = false;
		plain = detoast_attr(v);
		k->stored_len = VARSIZE_ANY(v);
		k->len = VARSIZE_ANY(plain);
		k->lxid = lxid;
		Fill(&k->stored, &k->stored_room, v, k->stored_len);
		Fill(&k->plain, &k->room, plain, k->len);
		k->valid = true;
		pfree(plain);
	}
	latest = k - kept;
	return (struct varlena *) k->plain;
}

text	   *
DetoastOnce(Datum value)
{
	struct varlena *v = (struct varlena *) DatumGetPointer(value);

	return IsKept(v) ? (text *) PlainOf(v) : DatumGetTextPP(value);
}

text	   *
DetoastCopy(Datum value)
{
	struct varlena *v = (struct varlena *) DatumGetPointer(value);
	text	   *plain;

	if (!IsKept(v))
		return DatumGetTextPP(value);
	plain = (text *) PlainOf(v);

	return memcpy(palloc(VARSIZE(plain)), plain, VARSIZE(plain));
}

Jsonb	   *
DetoastJsonbOnce(Datum value)
{
	struct varlena *v = (struct varlena *) DatumGetPointer(value);

	return IsKept(v) ? (Jsonb *) PlainOf(v) : DatumGetJsonbP(value);
}
