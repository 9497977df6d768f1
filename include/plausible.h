/*
 * plausible.h
 *		Values of a policy's own tables that reports can count with: who may
 *		UPDATE these may write any.
 */
#ifndef ASSAY_PLAUSIBLE_H
#define ASSAY_PLAUSIBLE_H

/* Times whose hours and days have a beginning, an end and four digits of a year */
#define TIME_MIN	"'1000-01-01 00:00:00+00'::pg_catalog.timestamptz"
#define TIME_MAX	"'9999-01-01 00:00:00+00'::pg_catalog.timestamptz"
#define PLAUSIBLE_TIME(column)	"(" column " >= " TIME_MIN " AND " column " < " TIME_MAX ")"

/*
 * A group of rows drawn for review, of one round and stratum: there are no more
 * than were drawn from, and all say how many these were
 */
#define PLAUSIBLE_STRATUM(alias) \
	"pg_catalog.count(*) <= pg_catalog.max(" alias ".population::pg_catalog.int8) AND " \
	"pg_catalog.min(" alias ".population::pg_catalog.int8) = pg_catalog.max(" alias ".population::pg_catalog.int8) AND " \
	"pg_catalog.max(" alias ".population::pg_catalog.int8) <= 1000000000000000 AND " \
	"pg_catalog.min(" alias ".stratum) IS NOT NULL AND pg_catalog.min(" alias ".verdict) IS NOT NULL AND " \
	"pg_catalog.min(" alias ".level) IS NOT NULL AND " \
	"pg_catalog.min(" alias ".round) BETWEEN 1 AND 2000000000 AND pg_catalog.min(" alias ".since) < pg_catalog.min(" alias ".until)"

#endif							/* ASSAY_PLAUSIBLE_H */
