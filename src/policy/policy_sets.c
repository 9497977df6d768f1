/*
 * policy_sets.c
 *		Whose the lists, phrase sets and text models are that a policy looks into.
 *
 * Names of sets are anybody's to take.  Who has the set of a name that a policy
 * asks, decides for it: so check() says where that is somebody else, and where
 * the name is free.
 */
#include "postgres.h"

#include "access/table.h"
#include "batch.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "owner.h"
#include "policy_cache.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/rel.h"

/* The names of a policy's sets of one kind, as an array */
static Datum
SetNames(CompiledPolicy *p, AttributionSet kind)
{
	Datum	   *names = palloc((p->nsets + p->ndetectors + 1) * sizeof(Datum));
	int			n = 0;

	for (int i = 0; i < p->nsets; i++)
		if (p->sets[i].kind == kind)
			names[n++] = CStringGetTextDatum(p->sets[i].name);
	for (int i = 0; i < p->ndetectors && kind == ATTRIBUTION_TEXT_MODEL; i++)
		if (p->detectors[i].text_model)
			names[n++] = CStringGetTextDatum(p->detectors[i].text_model);
	return PointerGetDatum(construct_array(names, n, TEXTOID, -1, false, TYPALIGN_INT));
}

static CompiledPolicy *
Compiled(Source *s)
{
	Relation	rel = try_table_open(s->id->signals, AccessShareLock);
	PolicyEntry *entry;

	if (rel == NULL)
		return NULL;
	entry = PolicyGet(s->policy, 0, false, RelationGetDescr(rel), InvalidOid, CurrentMemoryContext);
	table_close(rel, AccessShareLock);
	return entry->policy;
}

/*
 * policy_sets(policy): lists and phrase sets that it names, each with its owner
 * (NULL: there is none), and text models that there are, and whether that is one
 * whom the policy's owner trusts; for who may act as that
 */
PG_FUNCTION_INFO_V1(assay_policy_sets);
Datum
assay_policy_sets(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Oid			types[] = {TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID};
	Datum		args[3];
	Source		s;
	CompiledPolicy *p;
	Security	security;

	InitMaterializedSRF(fcinfo, 0);
	InitSourceKeys(&s, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	if (!has_privs_of_role(GetUserId(), s.id->owner) || !OidIsValid(s.id->signals))
		return (Datum) 0;
	SPI_connect();
	p = Compiled(&s);
	if (p)
	{
		args[0] = SetNames(p, ATTRIBUTION_LIST);
		args[1] = SetNames(p, ATTRIBUTION_PHRASES);
		args[2] = SetNames(p, ATTRIBUTION_TEXT_MODEL);
		EnterConfiguration(&security);
		if (SPI_execute_with_args("SELECT w.kind, w.name, s.owner::pg_catalog.oid FROM "
								  "(SELECT 'list', n FROM pg_catalog.unnest($1) n UNION ALL SELECT 'phrases', n FROM pg_catalog.unnest($2) n) w(kind, name) "
								  "LEFT JOIN assay.named_set s ON s.set OPERATOR(pg_catalog.=) w.name AND s.content OPERATOR(pg_catalog.=) w.kind "
								  "UNION ALL SELECT 'text model', r.name, c.relowner FROM assay.text_model_registry r "
								  "JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) r.relation "
								  "WHERE r.name OPERATOR(pg_catalog.=) ANY ($3)",
								  lengthof(types), types, args, NULL, true, 0) != SPI_OK_SELECT)
			elog(ERROR, "could not read assay.named_set");
		LeaveSecurity(&security);
		for (uint64 i = 0; i < SPI_processed; i++)
		{
			Datum		values[4];
			bool		nulls[4] = {false};
			Oid			owner;

			for (int c = 0; c < 3; c++)
				values[c] = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, c + 1, &nulls[c]);
			owner = nulls[2] ? InvalidOid : DatumGetObjectId(values[2]);
			/* A superuser is everybody's member, and trusts nobody for that. */
			values[3] = BoolGetDatum(MayActAs(owner, s.id->owner) ||
									 (OidIsValid(owner) && is_member_of_role_nosuper(s.id->owner, owner) && has_privs_of_role(s.id->owner, owner)));
			tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
		}
	}
	SPI_finish();
	return (Datum) 0;
}
