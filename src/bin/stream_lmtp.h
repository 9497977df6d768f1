/*
 * stream_lmtp.h
 *	  What stream_lmtp.c and stream_lmtp_client.c share.
 */
#ifndef ASSAY_STREAM_LMTP_H
#define ASSAY_STREAM_LMTP_H

#include "stream.h"

typedef struct Client Client;

/*
 * A message on its way and who waits for it.  The main loop and the thread of
 * the clients hold it both.
 */
typedef struct Ticket
{
	Client	   *client;			/* the thread's alone; NULL when it is gone */
	gint		abandoned;		/* nobody waits for it any more */
	int			kilobytes;		/* that it holds */
	int64_t		offset;			/* these two are set before it is answered */
	bool		dead;
} Ticket;

/* For the metrics, by the thread of the clients */
typedef struct LmtpCounts
{
	gint		clients;
	gint		put_off;
	gint		turned_away;
} LmtpCounts;

/* stream_lmtp_client.c */
extern LmtpCounts lmtp_counts;
extern void (*lmtp_deliver) (Item *item);	/* takes a message to the main
											 * loop */
extern bool lmtp_away;			/* it is of no use to take any */
extern Client *client_new(int fd, bool too_many);
extern void client_free(Client *c);
extern int	client_socket(const Client *c);
extern short client_events(const Client *c);
extern int64_t client_deadline(const Client *c);
extern bool client_serve(Client *c, short revents);
extern void client_answer(Client *c, const Ticket *ticket);
extern void client_dismiss(Client *c);
extern void ticket_release(Ticket *ticket);

#endif							/* ASSAY_STREAM_LMTP_H */
