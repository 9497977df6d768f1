/*
 * gunzip.c
 *	  Read a file that may be compressed by gzip.
 *
 * What does not begin as gzip is handed over as it is.  Of gzip, members
 * follow one another; what follows the last and is none is ignored, as gzip
 * does.  Bytes before a fault are handed over, then the fault is told.
 * Memory is a buffer and the library's window, whatever the file says.
 *
 * Inflating is ISA-L's work where that was there at build time, since it
 * takes half the time, else zlib's.  The header of a member is read here for
 * ISA-L, whose 2.30 forgets what is in it where two reads share it.
 *
 * This file alone includes them.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <glib.h>

#ifdef HAVE_ISAL
#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#else
#include <zlib.h>
#endif

#include "gunzip.h"

#define IN_BYTES	(32 * 1024)

typedef enum State
{
	STATE_START,				/* a member may begin here */
	STATE_PLAIN,				/* not compressed */
	STATE_MEMBER,				/* in a member */
	STATE_CUT,					/* ended in a member */
	STATE_OVER					/* nothing more is read */
} State;

struct Gunzip
{
	int			fd;
	State		state;
	bool		members;		/* one was read */
	bool		eof;			/* of the file */
	size_t		start;			/* in[start..end) is not taken yet */
	size_t		end;
	int64_t		offset;
	const char *error;
	unsigned char in[IN_BYTES];
#ifdef HAVE_ISAL
	struct inflate_state inflater;
#else
	z_stream	inflater;
	bool		ready;			/* inflater holds memory */
#endif
};

/* ---- the file ------------------------------------------------------------- */

static ssize_t
read_some(Gunzip *gz, void *data, size_t size)
{
	ssize_t		got;

	do
		got = read(gz->fd, data, size);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		gz->error = strerror(errno);
	if (got <= 0)
		gz->eof = true;
	else
		gz->offset += got;
	return got;
}

/* Have at least n bytes of the file, unless it ends before */
static size_t
have(Gunzip *gz, size_t n)
{
	if (gz->end - gz->start >= n)
		return gz->end - gz->start;
	memmove(gz->in, gz->in + gz->start, gz->end - gz->start);
	gz->end -= gz->start;
	gz->start = 0;
	while (gz->end < n && !gz->eof)
	{
		ssize_t		got = read_some(gz, gz->in + gz->end, IN_BYTES - gz->end);

		if (got > 0)
			gz->end += got;
	}
	return gz->end;
}

/* ---- the libraries -------------------------------------------------------- */

#ifdef HAVE_ISAL

/* Bits of a header's fourth byte (RFC 1952) */
#define FLAG_CRC		0x02
#define FLAG_EXTRA		0x04
#define FLAG_NAME		0x08
#define FLAG_COMMENT	0x10
#define FLAGS_RESERVED	0xE0

/* The next byte of a header, which goes into *crc; -1 where the file ends */
static int
header_byte(Gunzip *gz, uint32_t *crc)
{
	if (have(gz, 1) == 0)
		return -1;
	*crc = crc32_gzip_refl(*crc, gz->in + gz->start, 1);
	return gz->in[gz->start++];
}

/* Two bytes, the lower first; -1 where the file ends */
static int
header_word(Gunzip *gz, uint32_t *crc)
{
	int			low = header_byte(gz, crc);
	int			high = header_byte(gz, crc);

	return high < 0 ? -1 : low + 256 * high;
}

/* A string with its end; false where the file ends before */
static bool
header_string(Gunzip *gz, uint32_t *crc)
{
	int			c;

	while ((c = header_byte(gz, crc)) > 0)
		;
	return c == 0;
}

/* Read the header of a member; false where the file ends in it, or with an error set */
static bool
inflater_start(Gunzip *gz)
{
	uint32_t	crc = 0;
	uint32_t	so_far;
	int			header[10];

	for (size_t i = 0; i < G_N_ELEMENTS(header); i++)
		if ((header[i] = header_byte(gz, &crc)) < 0)
			return false;
	if (header[2] != 8)
		gz->error = "unknown compression method";
	else if ((header[3] & FLAGS_RESERVED) != 0)
		gz->error = "unknown header flags set";
	if (gz->error != NULL)
		return false;
	if ((header[3] & FLAG_EXTRA) != 0)
	{
		int			len = header_word(gz, &crc);

		for (int i = 0; i < len; i++)
			if (header_byte(gz, &crc) < 0)
				return false;
	}
	if (((header[3] & FLAG_NAME) != 0 && !header_string(gz, &crc)) ||
		((header[3] & FLAG_COMMENT) != 0 && !header_string(gz, &crc)))
		return false;
	so_far = crc & 0xFFFF;
	if ((header[3] & FLAG_CRC) != 0)
	{
		int			told = header_word(gz, &crc);

		if (told < 0)
			return false;
		if (told != (int) so_far)
		{
			gz->error = "header crc mismatch";
			return false;
		}
	}
	isal_inflate_init(&gz->inflater);
	gz->inflater.crc_flag = ISAL_GZIP_NO_HDR_VER;
	return true;
}

/* What is wrong, in zlib's words */
static const char *
inflater_fault(int code)
{
	switch (code)
	{
		case ISAL_INVALID_BLOCK:
			return "invalid block";
		case ISAL_INVALID_SYMBOL:
			return "invalid code";
		case ISAL_INVALID_LOOKBACK:
			return "invalid distance too far back";
		case ISAL_INVALID_WRAPPER:
			return "incorrect header check";
		case ISAL_UNSUPPORTED_METHOD:
			return "unknown compression method";
		case ISAL_INCORRECT_CHECKSUM:
			return "incorrect data check";
		default:
			return "invalid data";
	}
}

/* Inflate what is there into data: how much came, and whether the member ends here */
static size_t
inflater_run(Gunzip *gz, char *data, size_t size, bool *ended)
{
	struct inflate_state *z = &gz->inflater;
	int			code;

	z->next_in = gz->in + gz->start;
	z->avail_in = (uint32_t) (gz->end - gz->start);
	z->next_out = (uint8_t *) data;
	z->avail_out = (uint32_t) size;
	code = isal_inflate(z);
	gz->start = gz->end - z->avail_in;
	*ended = code == ISAL_DECOMP_OK && z->block_state == ISAL_BLOCK_FINISH;
	if (code < 0 || code == ISAL_NEED_DICT)
		gz->error = inflater_fault(code);
	return size - z->avail_out;
}

#define inflater_end(gz)	((void) (gz))

#else

/* 15 bits of window, 16 for gzip's header and trailer */
static bool
inflater_start(Gunzip *gz)
{
	if (gz->ready)
		return inflateReset(&gz->inflater) == Z_OK;
	gz->ready = inflateInit2(&gz->inflater, 15 + 16) == Z_OK;
	if (!gz->ready)
		gz->error = "out of memory";
	return gz->ready;
}

/* Inflate what is there into data: how much came, and whether the member ends here */
static size_t
inflater_run(Gunzip *gz, char *data, size_t size, bool *ended)
{
	z_stream   *z = &gz->inflater;
	int			code;

	z->next_in = gz->in + gz->start;
	z->avail_in = (uInt) (gz->end - gz->start);
	z->next_out = (Bytef *) data;
	z->avail_out = (uInt) size;
	code = inflate(z, Z_NO_FLUSH);
	gz->start = gz->end - z->avail_in;
	*ended = code == Z_STREAM_END;
	/* Z_BUF_ERROR only asks for more */
	if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
		gz->error = z->msg != NULL ? z->msg : "invalid data";
	return size - z->avail_out;
}

static void
inflater_end(Gunzip *gz)
{
	if (gz->ready)
		inflateEnd(&gz->inflater);
}

#endif

/* ---- what is in it -------------------------------------------------------- */

/* What is not compressed: first what was looked at, then straight from the file */
static size_t
read_plain(Gunzip *gz, char *data, size_t size)
{
	size_t		len = MIN(gz->end - gz->start, size);
	ssize_t		got;

	if (len > 0)
	{
		memcpy(data, gz->in + gz->start, len);
		gz->start += len;
		return len;
	}
	got = gz->eof ? 0 : read_some(gz, data, size);
	if (got <= 0)
		gz->state = STATE_OVER;
	return MAX(got, 0);
}

/* A member, the file as it is, or the end? */
static void
look(Gunzip *gz)
{
	size_t		there = have(gz, 2);

	if (there >= 2 && gz->in[gz->start] == 0x1f && gz->in[gz->start + 1] == 0x8b)
	{
		gz->members = true;
		gz->state = inflater_start(gz) ? STATE_MEMBER : STATE_CUT;
	}
	else
		gz->state = gz->members ? STATE_OVER : STATE_PLAIN;
}

Gunzip	   *
gunzip_open(int fd)
{
	Gunzip	   *gz = g_new0(Gunzip, 1);

	gz->fd = fd;
	return gz;
}

/* More of a member */
static size_t
read_member(Gunzip *gz, char *data, size_t size)
{
	size_t		there = have(gz, 1);
	size_t		len;
	bool		ended = false;

	if (gz->error != NULL)
		return 0;
	len = inflater_run(gz, data, size, &ended);
	if (ended)
		gz->state = STATE_START;
	else if (len == 0 && there == gz->end - gz->start && gz->error == NULL)
	{
		/*
		 * nothing was taken: either there is nothing left, or it never will
		 * be
		 */
		gz->state = STATE_CUT;
		if (there > 0)
			gz->error = "invalid data";
	}
	return len;
}

GunzipResult
gunzip_read(Gunzip *gz, char *data, size_t size, size_t *len)
{
	*len = 0;
	while (*len == 0 && gz->error == NULL && gz->state < STATE_CUT)
	{
		if (gz->state == STATE_START)
			look(gz);
		else if (gz->state == STATE_PLAIN)
			*len = read_plain(gz, data, size);
		else
			*len = read_member(gz, data, size);
	}
	if (gz->error != NULL)
		return GUNZIP_ERROR;
	if (gz->state == STATE_CUT)
		return GUNZIP_TRUNCATED;
	return *len > 0 ? GUNZIP_DATA : GUNZIP_END;
}

const char *
gunzip_error(const Gunzip *gz)
{
	return gz->error;
}

int64_t
gunzip_offset(const Gunzip *gz)
{
	return gz->offset;
}

void
gunzip_close(Gunzip *gz)
{
	inflater_end(gz);
	close(gz->fd);
	g_free(gz);
}
