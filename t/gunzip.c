/*
 * gunzip.c
 *		src/bin/gunzip.c against zlib's inflate(), on files of gzip that are sound,
 *		cut, changed, or thrown together: the same bytes and the same end.  Built
 *		over zlib and over ISA-L, which takes some tables of codes that zlib does
 *		not, where the checksum agrees.  Run by t/gunzip.pl.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "../src/bin/gunzip.h"

#define FILES		6000
#define MAX_PLAIN	200000

#ifdef HAVE_ISAL
#define LENIENT		(FILES / 1000)
#else
#define LENIENT		0
#endif

static GRand *dice;
static char file_name[50];		/* it is in memory */

static unsigned
roll(unsigned n)
{
	return g_rand_int(dice) % n;
}

/* Text that repeats itself more or less, so that all kinds of blocks come */
static void
some_text(GString *s)
{
	unsigned	len = roll(8) == 0 ? roll(MAX_PLAIN) : roll(3000);
	unsigned	kinds = 1 + roll(256);

	g_string_truncate(s, 0);
	while (s->len < len)
	{
		if (s->len > 0 && roll(4) == 0)
		{
			unsigned	from = roll(s->len);
			unsigned	most = s->len - from;
			unsigned	n = 1 + roll(MIN(most, 400));
			char	   *copy = g_memdup2(s->str + from, n);

			g_string_append_len(s, copy, n);
			g_free(copy);
		}
		else
			g_string_append_c(s, (char) roll(kinds));
	}
}

/* One member, with a header of every kind */
static void
add_member(GString *to, const GString *plain)
{
	static const int strategies[] = {Z_DEFAULT_STRATEGY, Z_FILTERED, Z_HUFFMAN_ONLY, Z_RLE, Z_FIXED};
	z_stream	z = {0};
	gz_header	header = {0};
	unsigned char extra[300];
	char		words[300];
	unsigned char out[4096];
	int			code;

	memset(words, 'n', sizeof(words));
	words[roll(sizeof(words))] = '\0';
	words[sizeof(words) - 1] = '\0';
	memset(extra, 'x', sizeof(extra));
	if (deflateInit2(&z, roll(10), Z_DEFLATED, 9 + roll(7) + 16, 1 + roll(9), strategies[roll(5)]) != Z_OK)
		exit(2);
	if (roll(3) == 0)
	{
		header.name = roll(2) ? (Bytef *) words : NULL;
		header.comment = roll(2) ? (Bytef *) words : NULL;
		header.extra = roll(2) ? extra : NULL;
		header.extra_len = roll(sizeof(extra));
		header.hcrc = roll(2);
		deflateSetHeader(&z, &header);
	}
	z.next_in = (Bytef *) plain->str;
	z.avail_in = plain->len;
	do
	{
		z.next_out = out;
		z.avail_out = sizeof(out);
		code = deflate(&z, Z_FINISH);
		g_string_append_len(to, (char *) out, sizeof(out) - z.avail_out);
	} while (code == Z_OK);
	deflateEnd(&z);
}

/* Something is wrong with it, or nothing */
static void
spoil(GString *s)
{
	switch (roll(7))
	{
		case 0:
			g_string_truncate(s, roll(s->len + 1));
			break;
		case 1:
			for (unsigned n = 1 + roll(3); n > 0 && s->len > 0; n--)
				s->str[roll(s->len)] ^= 1 << roll(8);
			break;
		case 2:
			if (s->len > 0)
				s->str[roll(MIN(s->len, 40))] = (char) roll(256);
			break;
		case 3:
			for (unsigned n = roll(50); n > 0; n--)
				g_string_append_c(s, (char) roll(256));
			break;
		case 4:
			g_string_append_len(s, "\0\0\0\0\0\0\0\0\0\0", roll(11));
			break;
		default:
			break;
	}
}

/* One member of the rest of a file, by zlib at once: how it ended, and where */
static int
inflate_member(z_stream *z, GString *to)
{
	unsigned char out[7000];
	int			code;

	if (inflateReset(z) != Z_OK)
		exit(2);
	do
	{
		z->next_out = out;
		z->avail_out = sizeof(out);
		code = inflate(z, Z_NO_FLUSH);
		g_string_append_len(to, (char *) out, sizeof(out) - z->avail_out);
	} while (code == Z_OK);
	return code;
}

/* By zlib, with the whole file in memory; its gzread() is not the same in all releases */
static const char *
read_by_zlib(const GString *file, GString *to)
{
	z_stream	z = {0};
	int			code = Z_STREAM_END;
	bool		members = false;

	g_string_truncate(to, 0);
	if (inflateInit2(&z, 15 + 16) != Z_OK)
		exit(2);
	z.next_in = (Bytef *) file->str;
	z.avail_in = file->len;
	while (code == Z_STREAM_END && z.avail_in >= 2 && z.next_in[0] == 0x1f && z.next_in[1] == 0x8b)
	{
		code = inflate_member(&z, to);
		members = true;
	}
	inflateEnd(&z);
	if (!members)
		g_string_append_len(to, file->str, file->len);
	return code == Z_STREAM_END ? "whole" : code == Z_BUF_ERROR ? "truncated" : "wrong";
}

/* By ours, in pieces of any size */
static const char *
read_by_ours(GString *to)
{
	Gunzip	   *gz = gunzip_open(open(file_name, O_RDONLY));
	unsigned	most = roll(30) > 0 ? 64 * 1024 : 1 + roll(500);
	char	   *piece = g_malloc(most);
	GunzipResult result;

	g_string_truncate(to, 0);
	do
	{
		size_t		got;

		result = gunzip_read(gz, piece, most, &got);
		g_assert(got <= most);
		g_assert((result == GUNZIP_ERROR) == (gunzip_error(gz) != NULL));
		g_string_append_len(to, piece, got);
	} while (result == GUNZIP_DATA);
	g_free(piece);
	gunzip_close(gz);
	return result == GUNZIP_END ? "whole" : result == GUNZIP_TRUNCATED ? "truncated" : "wrong";
}

/* A file that stops is told from one that is wrong, wherever it stops. */
static bool
stops_anywhere(int fd, GString *ours)
{
	/* all that a header may have, its checksum too; and an empty member */
	static const unsigned char start[] = {0x1f, 0x8b, 8, 0x1e, 0, 0, 0, 0, 0, 3, 2, 0, 'x', 'x', 'n', 0, 'c', 0};
	static const unsigned char rest[] = {3, 0, 0, 0, 0, 0, 0, 0, 0, 0};
	GString    *file = g_string_new_len((const char *) start, sizeof(start));
	uLong		crc = crc32(0, start, sizeof(start));

	g_string_append_c(file, (char) (crc & 0xff));
	g_string_append_c(file, (char) (crc >> 8 & 0xff));
	g_string_append_len(file, (const char *) rest, sizeof(rest));
	for (gsize len = 2; len <= file->len; len++)
	{
		const char *expected = len < file->len ? "truncated" : "whole";

		if (ftruncate(fd, 0) != 0 || pwrite(fd, file->str, len, 0) != (ssize_t) len)
			exit(2);
		if (strcmp(read_by_ours(ours), expected) != 0)
		{
			printf("not ok - a file cut to %zu of %zu bytes is not %s\n", len, file->len, expected);
			return false;
		}
	}
	g_string_free(file, TRUE);
	return true;
}

int
main(void)
{
	GString    *plain = g_string_new(NULL);
	GString    *file = g_string_new(NULL);
	GString    *theirs = g_string_new(NULL);
	GString    *ours = g_string_new(NULL);
	int			counts[3] = {0};
	int			lenient = 0;
	int			fd = memfd_create("gunzip", 0);

	snprintf(file_name, sizeof(file_name), "/proc/self/fd/%d", fd);
	dice = g_rand_new_with_seed(getenv("SEED") != NULL ? atoi(getenv("SEED")) : 1);
	if (!stops_anywhere(fd, ours))
		return 1;
	for (int i = 0; i < FILES; i++)
	{
		const char *expected;
		const char *result;
		bool		whole;

		g_string_truncate(file, 0);
		for (unsigned n = roll(10) == 0 ? roll(5) : 1; n > 0; n--)
		{
			some_text(plain);
			add_member(file, plain);
		}
		if (roll(3) > 0)
			spoil(file);
		if (ftruncate(fd, 0) != 0 || pwrite(fd, file->str, file->len, 0) != (ssize_t) file->len)
			exit(2);
		expected = read_by_zlib(file, theirs);
		result = read_by_ours(ours);
		whole = strcmp(expected, "whole") == 0;
		counts[whole ? 0 : *expected == 't' ? 1 : 2]++;
		/* which fault is told first is the library's; that there is one is not */
		if (!whole && strcmp(result, "whole") == 0 && ++lenient <= LENIENT)
			continue;
		if (whole != (strcmp(result, "whole") == 0) || (whole && theirs->len != ours->len) ||
			memcmp(theirs->str, ours->str, MIN(theirs->len, ours->len)) != 0)
		{
			printf("not ok - file %d: zlib says %s after %zu bytes, we %s after %zu\n", i,
				   expected, theirs->len, result, ours->len);
			return 1;
		}
	}
	printf("ok - %d files: %d whole, %d truncated, %d wrong, %d of these taken for whole\n", FILES, counts[0],
		   counts[1], counts[2], lenient);
	return 0;
}
