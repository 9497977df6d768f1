/*
 * html.h
 *	  How an HTML element shows its text: what style.c finds out for html.c.
 */
#ifndef ASSAY_HTML_H
#define ASSAY_HTML_H

#include <stdbool.h>
#include <stddef.h>

#define COLOR_UNKNOWN	(-1)

/* What an element's text inherits.  Any of the first four hides it. */
typedef struct Style
{
	bool		gone;			/* not shown, whatever is inside */
	bool		invisible;		/* visibility: hidden */
	bool		tiny;			/* a font too small to read */
	bool		off_page;		/* moved or clipped away */
	int			color;			/* 0xRRGGBB */
	int			background;		/* 0xRRGGBB, or unknown behind a picture */
} Style;

extern void style_init(Style *style);
extern void style_declarations(Style *style, const char *s, size_t len);
extern void style_color(int *color, const char *s, size_t len);
extern bool style_hides(const Style *style);

#endif							/* ASSAY_HTML_H */
