/*
 * stream_listen.c
 *	  A socket for those who ask or bring something, on this machine unless told otherwise.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "stream.h"

/* "[ADDRESS:]PORT"; without an address nobody else's machine gets at it */
int
stream_listen(const char *option, const char *where)
{
	struct sockaddr_in addr = {.sin_family = AF_INET};
	const char *colon = strrchr(where, ':');
	char	   *host = colon != NULL ? g_strndup(where, colon - where) : g_strdup("127.0.0.1");
	int			one = 1;
	int			fd;

	addr.sin_port = htons(argument_size(option, colon != NULL ? colon + 1 : where, 1, 65535));
	if (inet_pton(AF_INET, host, &addr.sin_addr) != 1)
		fatal("%s must be [ADDRESS:]PORT, not \"%s\"", option, where);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *) &addr, sizeof(addr)) != 0 || listen(fd, 128) != 0)
		fatal("could not listen on %s for %s: %s", where, option, strerror(errno));
	g_free(host);
	return fd;
}
