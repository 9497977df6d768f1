/*
 * report.c
 *	  What every part of assay_load knows: the options, whether it is to stop,
 *	  and how to tell the user.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "assay_load.h"

const char *progname = "assay_load";
volatile sig_atomic_t interrupted = 0;

Options		options = {
	.table = "message",
	.format = "auto",
	.batch_size = 1000,
	.max_body = MAX_BODY_DEFAULT,
	.max_message = MAX_MESSAGE_DEFAULT,
	.progress = -1,
};

/* Called before a line is printed: clears what may stand there */
void		(*before_report) (void) = NULL;

/*
 * Clear what steers a terminal: an error quotes what a sender has written, and
 * names of files.
 */
static void
clear_controls(char *text)
{
	for (unsigned char *c = (unsigned char *) text; *c != '\0'; c++)
		if ((*c < ' ' && *c != '\n' && *c != '\t') || *c == 0x7f)
			*c = '?';
		else if (*c == 0xc2 && c[1] >= 0x80 && c[1] <= 0x9f)
			*c = *(c + 1) = '?';
}

static void
G_GNUC_PRINTF(1, 0)
vreport(const char *fmt, va_list args)
{
	char	   *text = g_strdup_vprintf(fmt, args);

	if (before_report != NULL)
		before_report();
	clear_controls(text);
	fprintf(stderr, "%s: %s\n", progname, text);
	g_free(text);
}

/* A line on stderr */
void
report(const char *fmt,...)
{
	va_list		args;

	va_start(args, fmt);
	vreport(fmt, args);
	va_end(args);
}

/* An error, and the end */
static void
G_GNUC_PRINTF(2, 0) G_GNUC_NORETURN
vfatal(int status, const char *fmt, va_list args)
{
	char	   *message = g_strdup_vprintf(fmt, args);

	report("error: %s", message);
	exit(status);
}

void
fatal(const char *fmt,...)
{
	va_list		args;

	va_start(args, fmt);
	vfatal(1, fmt, args);
	va_end(args);
}

/* The same, where the same command may work later: mail servers then try again */
void
fatal_retry(const char *fmt,...)
{
	va_list		args;

	va_start(args, fmt);
	vfatal(EX_TEMPFAIL, fmt, args);
	va_end(args);
}
