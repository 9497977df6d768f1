/*
 * tile.h
 *		Tiles of time that baselines have rows for.
 */
#ifndef ASSAY_TILE_H
#define ASSAY_TILE_H

#include "datatype/timestamp.h"
#include "utils/date.h"

/* tile.c */
extern int64 TileLength(const Interval *tile);
extern TimestampTz TileBegin(TimestampTz at, int64 length);
extern TimestampTz TileEnd(TimestampTz at, int64 length);
extern DateADT TileDay(TimestampTz at);

#endif							/* ASSAY_TILE_H */
