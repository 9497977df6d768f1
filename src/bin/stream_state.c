/*
 * stream_state.c
 *	  What all parts of assay_stream look at: options, the source, what was
 *	  counted, and what is to be called again and again.
 */
#include "stream.h"

StreamOptions stream_options = {
	.group = "assay",
	.payload = "auto",
	.first = -1,
	.linger = -1,
	.patience = 120,
	.max_dead = 100,
};

const Source *source;
bool		stream_failed = false;
StreamStats stats;
void		(*stream_tick) (bool server);
