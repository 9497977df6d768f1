/*
 * pinned_cursor.c
 *		What PL/Perl's spi_query() does: a cursor that is pinned until it is closed,
 *		which is forgotten here; and its spi_cursor_close(), which takes the name of
 *		whatever cursor there is (t/policy_pinned_cursor.pl).
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
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

PG_FUNCTION_INFO_V1(close_cursor);
Datum
close_cursor(PG_FUNCTION_ARGS)
{
	Portal		portal;

	SPI_connect();
	portal = SPI_cursor_find(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	if (portal)
	{
		UnpinPortal(portal);
		SPI_cursor_close(portal);
	}
	SPI_finish();
	PG_RETURN_BOOL(portal != NULL);
}
