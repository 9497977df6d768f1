/*
 * qr.c
 *	  What QR codes in attached pictures say, with --qr.
 *
 * zbar finds them, gdk-pixbuf reads the pictures, in a process of its own
 * (bounded.c): a picture may be far larger than its file.  Both are optional at
 * build time, and looking is work that takes milliseconds a picture: so it is
 * asked for.
 *
 * This file alone includes zbar and gdk-pixbuf.
 */
#include <string.h>

#include "attachment.h"

#ifdef HAVE_ZBAR
#include <gdk-pixbuf/gdk-pixbuf.h>
#include <zbar.h>

/* Pictures that are looked at: bytes, pixels a side, and how many of a message */
#define MAX_PICTURE_BYTES	((size_t) 8 * 1024 * 1024)
#define MAX_PICTURE_SIDE	4096
#define MAX_PICTURES		20

#define MAX_QR_TEXTS		100

/* The kind of what is told of a picture */
#define TOLD_TEXT			't'

/* What would be too large is not read */
static void
limit_size(GdkPixbufLoader * loader, int width, int height, gpointer user_data)
{
	bool	   *too_large = user_data;

	if (width > MAX_PICTURE_SIDE || height > MAX_PICTURE_SIDE)
	{
		*too_large = true;
		gdk_pixbuf_loader_set_size(loader, 1, 1);
	}
}

/* The picture in grey, or NULL; *width and *height are set */
static unsigned char *
read_picture(const char *s, size_t len, unsigned *width, unsigned *height)
{
	GdkPixbufLoader *loader = gdk_pixbuf_loader_new();
	bool		too_large = false;
	GdkPixbuf  *picture;
	unsigned char *grey = NULL;

	g_signal_connect(loader, "size-prepared", G_CALLBACK(limit_size), &too_large);
	/* what of it can be read, is */
	gdk_pixbuf_loader_write(loader, (const guchar *) s, len, NULL);
	gdk_pixbuf_loader_close(loader, NULL);
	picture = gdk_pixbuf_loader_get_pixbuf(loader);
	if (picture != NULL && !too_large)
	{
		const guchar *row = gdk_pixbuf_read_pixels(picture);
		int			channels = gdk_pixbuf_get_n_channels(picture);

		*width = gdk_pixbuf_get_width(picture);
		*height = gdk_pixbuf_get_height(picture);
		grey = g_malloc((size_t) *width * *height);
		for (unsigned y = 0; y < *height; y++, row += gdk_pixbuf_get_rowstride(picture))
			for (unsigned x = 0; x < *width; x++)
			{
				const guchar *p = row + (size_t) x * channels;
				unsigned	v = (p[0] * 77 + p[1] * 150 + p[2] * 29) >> 8;

				/* what shows through is the white of the page */
				if (channels == 4)
					v = (v * p[3] + 255 * (255 - p[3])) / 255;
				grey[(size_t) y * *width + x] = v;
			}
	}
	g_object_unref(loader);
	return grey;
}

/* Note a text, and the URL that it mostly is */
static void
take_text(Message *m, const char *s, size_t len)
{
	GString    *text;

	if (m->qr_texts->len >= MAX_QR_TEXTS)
		return;
	text = g_string_new(NULL);

	text_append_clean(text, s, MIN(len, MAX_URL_BYTES), m, DEFECT_BAD_CHARSET);
	find_urls(m, text->str, text->len);
	g_ptr_array_add(m->qr_texts, g_string_free(text, FALSE));
}

static void
scan_picture(unsigned char *grey, unsigned width, unsigned height)
{
	zbar_image_scanner_t *scanner = zbar_image_scanner_create();
	zbar_image_t *image = zbar_image_create();

	zbar_image_scanner_set_config(scanner, 0, ZBAR_CFG_ENABLE, 0);
	zbar_image_scanner_set_config(scanner, ZBAR_QRCODE, ZBAR_CFG_ENABLE, 1);
	zbar_image_set_format(image, zbar_fourcc('Y', '8', '0', '0'));
	zbar_image_set_size(image, width, height);
	zbar_image_set_data(image, grey, (unsigned long) width * height, NULL);
	if (zbar_scan_image(scanner, image) > 0)
		for (const zbar_symbol_t * symbol = zbar_image_first_symbol(image); symbol != NULL; symbol = zbar_symbol_next(symbol))
			bounded_tell(TOLD_TEXT, zbar_symbol_get_data(symbol), zbar_symbol_get_data_length(symbol));
	zbar_image_destroy(image);
	zbar_image_scanner_destroy(scanner);
}

/* A picture to be looked at */
typedef struct Picture
{
	Message    *m;
	const char *bytes;
	size_t		len;
} Picture;

/* In the child */
static void
tell_picture(void *arg)
{
	Picture    *p = arg;
	unsigned	width = 0;
	unsigned	height = 0;
	unsigned char *grey = read_picture(p->bytes, p->len, &width, &height);

	/* smaller than any code */
	if (grey != NULL && width >= 21 && height >= 21)
		scan_picture(grey, width, height);
}

/* What it told */
static void
take_told(char kind, const char *s, size_t len, void *arg)
{
	take_text(((Picture *) arg)->m, s, len);
}

/* Look for QR codes in what may be a picture */
void
qr_look(Message *m, const char *s, size_t len)
{
	const char *type = detect_type(s, len);
	Picture		p = {m, s, len};

	if (type == NULL || strncmp(type, "image/", 6) != 0 || strcmp(type, "image/svg+xml") == 0 ||
		len > MAX_PICTURE_BYTES || m->num_pictures++ >= MAX_PICTURES)
		return;
	if (!bounded_run(m, tell_picture, take_told, &p))
		ADD_DEFECT(m, DEFECT_TRUNCATED_LIST);
}
#else
void
qr_look(Message *m, const char *s, size_t len)
{
}
#endif
