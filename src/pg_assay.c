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

#include "lists.h"
#include "phrase_sets.h"
#include "phrases.h"
#include "predict.h"
#include "policy.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

void
_PG_init(void)
{
	ModelInit();
	PhrasesInit();
	ListsInit();
	PhraseSetsInit();
	PolicyInit();
	MarkGUCPrefixReserved("assay");
}
