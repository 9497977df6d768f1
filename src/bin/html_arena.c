/*
 * html_arena.c
 *	  Memory for the tree of a document: taken in chunks, freed all at once, and
 *	  bounded.
 */
#include "html.h"

#define MAX_ARENA		((size_t) 512 * 1024 * 1024)
#define ARENA_CHUNK		((size_t) 1024 * 1024)

/* Called by libgumbo, which can't handle a failure: leave it altogether */
void	   *
arena_alloc(void *userdata, size_t size)
{
	Arena	   *arena = userdata;
	void	   *p;

	size = (size + 15) & ~(size_t) 15;
	if (size > arena->left)
	{
		size_t		chunk = MAX(size, ARENA_CHUNK);

		if (size > MAX_ARENA || arena->total + chunk > MAX_ARENA)
			longjmp(arena->full, 1);
		arena->next = g_malloc(chunk);
		arena->left = chunk;
		arena->total += chunk;
		g_ptr_array_add(arena->chunks, arena->next);
	}
	p = arena->next;
	arena->next += size;
	arena->left -= size;
	return p;
}

/* One by one nothing is freed: arena_reset frees all */
void
arena_free(void *userdata, void *p)
{
}

/* Everything back, but the first chunk: the next document needs one too */
void
arena_reset(Arena *arena)
{
	if (arena->chunks->len > 1)
		g_ptr_array_set_size(arena->chunks, 1);
	arena->total = arena->chunks->len > 0 ? ARENA_CHUNK : 0;
	arena->next = arena->chunks->len > 0 ? arena->chunks->pdata[0] : NULL;
	arena->left = arena->total;
}
