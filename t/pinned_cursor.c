/*
 * pinned_cursor.c
 *		What PL/Perl's spi_query() does: a cursor that is pinned until it is closed,
 *		which is forgotten here (t/policy_pinned_cursor.pl).
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "utils/portal.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(leave_pinned);
Datum
leave_pinned(PG_FUNCTION_ARGS)
{
	SPIPlanPtr	plan;

	SPI_connect();
	plan = SPI_prepare("SELECT 1", 0, NULL);
	PinPortal(SPI_cursor_open(NULL, plan, NULL, NULL, true));
	SPI_finish();
	PG_RETURN_BOOL(true);
}
