/*
 * plain_types.c
 *		Types by which signals are read without what belongs to strangers.
 *
 * Who owns the type of a signal may give it casts and checks at any time.  The view's
 * owner chose the column; what reads it for a report runs as that owner, and may be
 * asked for by a superuser.  So a value of a domain is taken as one of the type that
 * the domain is of, which it is already, and one of any other type as its text,
 * unless the type's owner may act as the view's.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "owner.h"
#include "plain_types.h"
#include "utils/lsyscache.h"

/* Whose rights a row of this type brings: its relation's owner's; of others who is current counts */
static Oid
OwnerOfRows(Oid row_type)
{
	Oid			relid = OidIsValid(row_type) && row_type != RECORDOID ? get_typ_typrelid(row_type) : InvalidOid;
	Oid			owner = OidIsValid(relid) ? RelationOwner(relid) : InvalidOid;

	return OidIsValid(owner) ? owner : GetUserId();
}

/*
 * The type by whose input a value of a column is made without a stranger's checks, with
 * its modifier: the column's own, or what a domain is of.  InvalidOid: there is none
 */
Oid
PlainInput(TupleDesc desc, int column, int32 *typmod)
{
	Oid			type = TupleDescAttr(desc, column)->atttypid;
	Oid			owner = OwnerOfRows(desc->tdtypeid);

	*typmod = TupleDescAttr(desc, column)->atttypmod;
	if (!InputRunsCode(type) || TypeIsTrusted(owner, type))
		return type;
	type = getBaseTypeAndTypmod(type, typmod);
	return !InputRunsCode(type) || TypeIsTrusted(owner, type) ? type : InvalidOid;
}

/* The columns that no stranger's code can show: others are of the type that a domain is of, or texts */
TupleDesc
PlainDesc(TupleDesc desc)
{
	TupleDesc	plain = CreateTemplateTupleDesc(desc->natts);
	Oid			owner = OwnerOfRows(desc->tdtypeid);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		int32		typmod = att->atttypmod;
		Oid			base = att->attisdropped ? InvalidOid : getBaseTypeAndTypmod(att->atttypid, &typmod);

		TupleDescCopyEntry(plain, i + 1, desc, i + 1);
		if (att->attisdropped || TypeIsTrusted(owner, att->atttypid))
			continue;
		if (TypeIsTrusted(owner, base))
			TupleDescInitEntry(plain, i + 1, NameStr(att->attname), base, typmod, 0);
		else
			TupleDescInitEntry(plain, i + 1, NameStr(att->attname), TEXTOID, -1, 0);
	}
	return plain;
}

/* Has PlainDesc() made a column, of another type, the text of its values? */
bool
BecameText(TupleDesc desc, TupleDesc plain, int column)
{
	Form_pg_attribute att = TupleDescAttr(desc, column);

	return !att->attisdropped && TupleDescAttr(plain, column)->atttypid == TEXTOID && getBaseType(att->atttypid) != TEXTOID;
}
