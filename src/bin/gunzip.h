/*
 * gunzip.h
 *	  Files that may be compressed by gzip, read as if they were not.
 */
#ifndef ASSAY_GUNZIP_H
#define ASSAY_GUNZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <inttypes.h>

typedef struct Gunzip Gunzip;

typedef enum GunzipResult
{
	GUNZIP_DATA,				/* there may be more */
	GUNZIP_END,
	GUNZIP_TRUNCATED,			/* the compressed file just stops */
	GUNZIP_ERROR
} GunzipResult;

/* The descriptor is the reader's from here on */
extern Gunzip *gunzip_open(int fd);

/* At most size bytes into data; *len of them are there, whatever the result */
extern GunzipResult gunzip_read(Gunzip *gz, char *data, size_t size, size_t *len);

/* What was wrong, after GUNZIP_ERROR */
extern const char *gunzip_error(const Gunzip *gz);

/* Bytes of the file that have been taken */
extern int64_t gunzip_offset(const Gunzip *gz);

extern void gunzip_close(Gunzip *gz);

#endif
