/*
 * match_modes.c
 *		Which of Vectorscan's scans finds what a plain matcher finds?
 *
 * Random texts and patterns; each text is searched by match.c, by the
 * library's block and vectored scans for each CPU level that runs here, and by
 * a plain matcher (memmem for literals, the C library's regexec for
 * expressions). Counts texts in which a scan misses or invents a pattern.
 *
 *		match_modes literals 10000000
 *		match_modes expressions 1000000
 *
 * Block scans may crash (see match.c), so each variant runs in a process of
 * its own. Prints a markdown table; run by match_modes.sh.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <hs.h>

#include "match.h"

#define PATTERNS		64
#define TEXTS_A_SET		(literals ? 2000 : 250)
#define TEXT_MAX		400
#define MARGIN			128

typedef hs_error_t (*Block) (const hs_database_t *, const char *, unsigned, unsigned,
							 hs_scratch_t *, match_event_handler, void *);
typedef hs_error_t (*Vector) (const hs_database_t *, const char *const *, const unsigned *,
							  unsigned, unsigned, hs_scratch_t *, match_event_handler, void *);

#define VARIANT(cpu) \
	extern hs_error_t cpu##_hs_scan(const hs_database_t *, const char *, unsigned, unsigned, \
		hs_scratch_t *, match_event_handler, void *) __attribute__((weak)); \
	extern hs_error_t cpu##_hs_scan_vector(const hs_database_t *, const char *const *, const unsigned *, \
		unsigned, unsigned, hs_scratch_t *, match_event_handler, void *) __attribute__((weak));
VARIANT(corei7)
VARIANT(avx2)
VARIANT(avx512)

typedef struct Variant
{
	const char *name;
	Block		block;
	Vector		vector;
	int			runs;
} Variant;

static unsigned long state;

static unsigned
Random(unsigned n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 11) % n;
}

static int
OnHit(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *arg)
{
	(void) from, (void) to, (void) flags;
	*(uint64_t *) arg |= UINT64_C(1) << id;
	return 0;
}

/* Letters of a small alphabet, so that patterns occur */
static int
RandomWord(char *out, int len, int letters)
{
	for (int i = 0; i < len; i++)
		out[i] = "abcdeABCDE -1x"[Random(letters)];
	out[len] = '\0';
	return len;
}

/* An expression that regexec and the library read alike */
static void
RandomExpression(char *out)
{
	int			parts = 1 + Random(4);

	for (*out = '\0'; parts > 0; parts--)
	{
		char		word[8];

		RandomWord(word, 1 + Random(3), 5);
		out += strlen(out);
		switch (Random(6))
		{
			case 0:
				sprintf(out, "[%s]", word);
				break;
			case 1:
				sprintf(out, "(%s|%c)", word, "abcde"[Random(5)]);
				break;
			case 2:
				sprintf(out, "%s+", word);
				break;
			case 3:
				sprintf(out, "[%s]{1,3}", word);
				break;
			case 4:
				sprintf(out, "%s.{0,4}%c", word, "abcde"[Random(5)]);
				break;
			default:
				strcpy(out, word);
		}
	}
}

typedef struct Set
{
	int			count;
	char		patterns[PATTERNS][64];
	char		lower[PATTERNS][64];
	regex_t		regexes[PATTERNS];
	hs_database_t *block;
	hs_database_t *vector;
	MatchSet   *match;
} Set;

static hs_scratch_t *scratch;

static void
Build(Set *set, int literals)
{
	const char *texts[PATTERNS];
	size_t		lengths[PATTERNS];
	unsigned	flags[PATTERNS];
	unsigned	ids[PATTERNS];
	hs_platform_info_t any = {0};
	hs_compile_error_t *refused = NULL;
	hs_error_t	result = HS_SUCCESS;
	MatchError	error;

	/* Few patterns and many take different ways through the library. */
	set->count = Random(2) == 0 ? 1 + Random(4) : 1 + Random(literals ? PATTERNS : 16);
	set->match = MatchCreate((literals ? 0 : MATCH_REGEX) | MATCH_VALID_UTF8);
	for (int i = 0; i < set->count; i++)
	{
		if (literals)
			RandomWord(set->patterns[i], 2 + Random(Random(4) == 0 ? 24 : 5), 14);
		else
			RandomExpression(set->patterns[i]);
		texts[i] = set->patterns[i];
		lengths[i] = strlen(texts[i]);
		for (size_t k = 0; k <= lengths[i]; k++)
			set->lower[i][k] = tolower((unsigned char) texts[i][k]);
		flags[i] = HS_FLAG_CASELESS | (literals ? 0 : HS_FLAG_UTF8 | HS_FLAG_SINGLEMATCH);
		ids[i] = i;
		if (!literals && regcomp(&set->regexes[i], texts[i], REG_EXTENDED | REG_ICASE | REG_NOSUB) != 0)
			exit(3);
		/* match.c takes white space alone for no pattern, and runs of it as one. */
		if (literals && (strstr(texts[i], "  ") != NULL || strspn(texts[i], " ") == lengths[i]))
		{
			i--;
			continue;
		}
		if (MatchAdd(set->match, texts[i], lengths[i], 0, &error) != MATCH_OK)
			exit(4);
	}
	for (int vectored = 0; vectored < 2; vectored++)
	{
		unsigned	mode = vectored ? HS_MODE_VECTORED : HS_MODE_BLOCK;
		hs_database_t **db = vectored ? &set->vector : &set->block;

		if (literals)
			result = hs_compile_lit_multi(texts, flags, ids, lengths, set->count, mode, &any, db, &refused);
		else
			result = hs_compile_multi(texts, flags, ids, set->count, mode, &any, db, &refused);
		if (result != HS_SUCCESS || hs_alloc_scratch(*db, &scratch) != HS_SUCCESS)
			exit(5);
	}
	if (MatchCompile(set->match, &error) != MATCH_OK)
		exit(6);
}

static void
Free(Set *set, int literals)
{
	hs_free_database(set->block);
	hs_free_database(set->vector);
	MatchDestroy(set->match);
	for (int i = 0; i < set->count && !literals; i++)
		regfree(&set->regexes[i]);
}

/* A text without doubled blanks (so that match.c drops nothing) */
static int
RandomText(char *text, const Set *set, int literals)
{
	int			len = 0;
	int			want = Random(Random(3) == 0 ? TEXT_MAX - 64 : 80);
	int			letters = 6 + Random(9);

	while (len < want)
	{
		if (literals && Random(12) == 0)
			len += sprintf(text + len, "%s", set->patterns[Random(set->count)]);
		else
			text[len++] = "abcdeABCDE -1x"[Random(letters)];
		if (len > 1 && text[len - 1] == ' ' && text[len - 2] == ' ')
			len--;
	}
	text[len] = '\0';
	for (char *twice; (twice = strstr(text, "  ")) != NULL; len--)
		memmove(twice, twice + 1, strlen(twice));
	return len;
}

static long
Run(const Variant *variant, int literals, long texts)
{
	static char buffer[TEXT_MAX + 2 * MARGIN];
	long		wrong = 0;
	Set			set;

	state = 88172645463325252UL;
	for (long t = 0; t < texts; t++)
	{
		char	   *text = buffer + MARGIN;
		char		lower[TEXT_MAX + 1];
		unsigned	len;
		uint64_t	found = 0;
		uint64_t	plain = 0;

		if (t % TEXTS_A_SET == 0)
		{
			if (t > 0)
				Free(&set, literals);
			Build(&set, literals);
		}
		len = RandomText(text, &set, literals);
		for (unsigned i = 0; i <= len; i++)
			lower[i] = tolower((unsigned char) text[i]);
		for (int i = 0; i < set.count; i++)
			if (literals ? memmem(lower, len, set.lower[i], strlen(set.lower[i])) != NULL :
				regexec(&set.regexes[i], lower, 0, NULL, 0) == 0)
				plain |= UINT64_C(1) << i;
		if (variant->block)
			variant->block(set.block, text, len, 0, scratch, OnHit, &found);
		else if (variant->vector)
			variant->vector(set.vector, (const char *const *) &text, &len, 1, 0, scratch, OnHit, &found);
		else if (MatchScanBits(set.match, text, len, &found) != MATCH_OK)
			exit(7);
		wrong += found != plain;
	}
	return wrong;
}

int
main(int argc, char **argv)
{
	int			literals = argc < 2 || strcmp(argv[1], "expressions") != 0;
	long		texts = argc > 2 ? atol(argv[2]) : 100000;
	Variant		variants[] = {
		{"match.c", NULL, NULL, 1},
		{"SSE 4.2, vectored", NULL, corei7_hs_scan_vector, __builtin_cpu_supports("sse4.2")},
		{"SSE 4.2, block", corei7_hs_scan, NULL, __builtin_cpu_supports("sse4.2")},
		{"AVX2, vectored", NULL, avx2_hs_scan_vector, __builtin_cpu_supports("avx2")},
		{"AVX2, block", avx2_hs_scan, NULL, __builtin_cpu_supports("avx2")},
		{"AVX-512, vectored", NULL, avx512_hs_scan_vector, __builtin_cpu_supports("avx512bw")},
		{"AVX-512, block", avx512_hs_scan, NULL, __builtin_cpu_supports("avx512bw")},
	};

	printf("Vectorscan %s, %ld texts, 1 to %d %s a set, a new set every %d texts\n\n"
		   "| scan | texts with a wrong answer |\n| --- | --- |\n", hs_version(), texts, literals ? PATTERNS : 16,
		   literals ? "literals" : "expressions", TEXTS_A_SET);
	for (int v = 0; v < (int) (sizeof(variants) / sizeof(variants[0])); v++)
	{
		int			status;
		pid_t		child;

		if (!variants[v].runs || (v > 0 && !variants[v].block && !variants[v].vector))
			continue;
		fflush(stdout);
		child = fork();
		if (child == 0)
		{
			printf("| %s | %ld |\n", variants[v].name, Run(&variants[v], literals, texts));
			exit(0);
		}
		waitpid(child, &status, 0);
		if (WIFSIGNALED(status))
			printf("| %s | crashed by signal %d |\n", variants[v].name, WTERMSIG(status));
		else if (WEXITSTATUS(status) != 0)
			printf("| %s | failed (%d) |\n", variants[v].name, WEXITSTATUS(status));
	}
	return 0;
}
