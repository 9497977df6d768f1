/*
 * match_cost.c
 *		What match.c costs beside the library's bare scan of a text that was
 *		normalised before, for 10 to 5,000 literals over texts of 2 KB. CPU
 *		time, the best of some rounds. Prints a markdown table; run by lists.sh.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <hs.h>

#include "match.h"
#include "normalise.h"

#define TEXTS		400
#define TEXT_BYTES	2048
#define WORDS		20000
#define ROUNDS		15

#if defined(__x86_64__)
extern hs_error_t corei7_hs_scan_vector(const hs_database_t *, const char *const *, const unsigned *, unsigned, unsigned,
										hs_scratch_t *, match_event_handler, void *) __attribute__((weak));
#endif

static char words[WORDS][16];
static char texts[TEXTS][TEXT_BYTES + 64];
static unsigned char normalised[TEXTS][2 * TEXT_BYTES + 128];
static unsigned lengths[TEXTS];
static unsigned long state = 88172645463325252UL;

static unsigned
Random(unsigned n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 11) % n;
}

static double
Cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static int
OnHit(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *arg)
{
	(void) id, (void) from, (void) to, (void) flags;
	++*(long *) arg;
	return 0;
}

/* Made words, the frequent ones short; a line break every ten words */
static void
MakeTexts(void)
{
	for (int i = 0; i < WORDS; i++)
	{
		int			len = 3 + (i / 100 > 3 ? 3 : i / 100) + i % 5;

		for (int k = 0; k < len; k++)
			words[i][k] = "etaoinshrdlucmwfgypbvk"[Random(22)];
	}
	for (int t = 0; t < TEXTS; t++)
	{
		int			len = 0;

		for (int w = 1; len < TEXT_BYTES; w++)
		{
			double		u = Random(1 << 20) / 1048576.0;

			len += sprintf(texts[t] + len, "%s%c", words[(int) (WORDS * u * u * u)], w % 10 == 0 ? '\n' : ' ');
		}
		lengths[t] = Normalise((unsigned char *) texts[t], TEXT_BYTES, normalised[t] + 64);
	}
}

static void
Measure(int count)
{
	MatchSet   *set = MatchCreate(MATCH_VALID_UTF8);
	MatchError	error;
	const char **patterns = malloc(count * sizeof(char *));
	size_t	   *sizes = malloc(count * sizeof(size_t));
	unsigned   *flags = malloc(count * sizeof(unsigned));
	unsigned   *ids = malloc(count * sizeof(unsigned));
	uint64_t   *bits = calloc(count / 64 + 1, sizeof(uint64_t));
	hs_platform_info_t any = {0};
	hs_database_t *db;
	hs_compile_error_t *refused;
	hs_scratch_t *scratch = NULL;
	double		best[3] = {1e18, 1e18, 1e18};
	long		hits = 0;

	for (int p = 0; p < count; p++)
	{
		char	   *pattern = malloc(64);
		int			len = 0;

		for (int i = 0; i < 1 + p % 3; i++)
			len += sprintf(pattern + len, "%s%s", i ? " " : "", words[(p % 3 == 0 ? 15000 : 1000) + Random(5000)]);
		patterns[p] = pattern;
		sizes[p] = len;
		flags[p] = HS_FLAG_CASELESS;
		ids[p] = p;
		if (MatchAdd(set, pattern, len, MATCH_WORDS, &error) != MATCH_OK)
			exit(1);
	}
	if (MatchCompile(set, &error) != MATCH_OK ||
		hs_compile_lit_multi(patterns, flags, ids, sizes, count, HS_MODE_VECTORED, &any, &db, &refused) != HS_SUCCESS ||
		hs_alloc_scratch(db, &scratch) != HS_SUCCESS)
		exit(2);
	for (int round = 0; round < ROUNDS; round++)
	{
		for (int what = 0; what < 3; what++)
		{
			double		began = Cpu();

			for (int t = 0; t < TEXTS; t++)
			{
				const char *text = (const char *) normalised[t] + 64;
				MatchSpan  *spans;
				int			n;

				if (what == 0)
#if defined(__x86_64__)
					(corei7_hs_scan_vector ? corei7_hs_scan_vector : hs_scan_vector)
#else
					hs_scan_vector
#endif
						(db, &text, &lengths[t], 1, 0, scratch, OnHit, &hits);
				else if (what == 1)
					MatchScanBits(set, texts[t], TEXT_BYTES, bits);
				else
				{
					MatchFind(set, texts[t], TEXT_BYTES, 1000, &spans, &n);
					free(spans);
				}
			}
			if (Cpu() - began < best[what])
				best[what] = Cpu() - began;
		}
	}
	printf("| %d | %.2f | %.2f (%.2f) | %.2f (%.2f) | %.2f |\n", count, best[0] / TEXTS, best[1] / TEXTS, best[1] / best[0],
		   best[2] / TEXTS, best[2] / best[0], (double) hits / TEXTS / ROUNDS);
	MatchDestroy(set);
	hs_free_database(db);
	hs_free_scratch(scratch);
}

int
main(void)
{
	static const int counts[] = {10, 30, 100, 300, 500, 1000, 2000, 5000};

	MakeTexts();
	printf("| literals | bare scan, µs a text of 2 KB | which occur (ratio) | where they occur (ratio) | hits a text |\n"
		   "| --- | --- | --- | --- | --- |\n");
	for (int i = 0; i < (int) (sizeof(counts) / sizeof(counts[0])); i++)
		Measure(counts[i]);
	return 0;
}
