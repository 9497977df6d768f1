/*
 * columns.h
 *	  The columns that are filled, and the server that has them: what copy.c,
 *	  reparse.c and assay_stream share.
 */
#ifndef ASSAY_COLUMNS_H
#define ASSAY_COLUMNS_H

#include <libpq-fe.h>

#include "assay_load.h"

/* connection.c */
extern PGconn *server_connect(void);
extern PGconn *server_try_connect(char **error, bool *refused);
extern void server_check_encoding(PGconn *conn);
extern void server_keep_commits(PGconn *conn);
extern PGresult *server_query(PGconn *conn, const char *sql, int nparams, const char *const *params);
extern char *server_error_text(PGconn *conn, PGresult *res);
extern bool server_recovers(PGconn *conn, const PGresult *res);
extern bool server_made_by_another(const PGresult *res);
extern void server_give_up(PGconn *conn, const PGresult *res, const char *text) G_GNUC_NORETURN;
extern bool server_is_fatal(const char *state);
extern bool server_is_transient(const char *state);

/* target.c */
extern bool target_refuse_stranger(PGconn *conn, const char *name, const char *beside, const char *hint);
extern void target_create(PGconn *conn);
extern void target_settle(PGconn *conn);
extern char *target_find(PGconn *conn, char **oid_out, char **table_out);
extern bool target_put(GByteArray *a, Message *m);

/* reparse.c */
extern char *reparse_prepare(PGconn *conn, const char *oid, const char *table, char **update);

/* columns.c */
extern int	columns_known(void);
extern const char *columns_name(int k);
extern const char *columns_type(int k);
extern const char *columns_comment(int k);
extern bool columns_wanted(int k);
extern void columns_target(const PGresult *cols, const char *table, GString *list);
extern int	columns_targets(void);
extern const char *columns_target_name(int t);
extern void columns_put(GByteArray *a, const Message *m);
extern void put16(GByteArray *a, int v);
extern void put32(GByteArray *a, uint32_t v);
extern void put_json(GByteArray *a, const GString *s, bool plain);

#endif							/* ASSAY_COLUMNS_H */
