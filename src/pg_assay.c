/*
 * pg_assay.c
 *		Module magic and initialisation.
 *
 * Each module registers its own settings and hooks in a function that is
 * called from here; nothing else lives in this file.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/guc.h"

#include "budget.h"
#include "compile.h"
#include "cursors.h"
#include "evaluate.h"
#include "fault.h"
#include "invalidation.h"
#include "ledger.h"
#include "lists.h"
#include "new_rows.h"
#include "notify.h"
#include "phrase_sets.h"
#include "phrases.h"
#include "policy_cache.h"
#include "predict.h"
#include "relation_news.h"
#include "security.h"
#include "session_guard.h"
#include "signals_shape.h"
#include "snapshot_mark.h"
#include "stats.h"
#include "trusted.h"

PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	SnapshotMarkInit();
	ModelInit();
	PhrasesInit();
	ListsInit();
	PhraseSetsInit();
	TrustedInit();
	RelationNewsInit();
	InvalidationInit();
	CursorsInit();
	SecurityInit();
	SessionGuardInit();
	BudgetInit();
	FaultInit();
	SignalsShapeInit();
	NewRowsInit();
	NotifyInit();
	CompileInit();
	PolicyCacheInit();
	LedgerInit();
	EvaluateInit();
	StatsInit();
	MarkGUCPrefixReserved("assay");
}
