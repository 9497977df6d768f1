/*
 * distributed.h
 *		What Citus tells of a table.
 */
#ifndef ASSAY_DISTRIBUTED_H
#define ASSAY_DISTRIBUTED_H

extern Oid	CitusTable(const char *name);
extern bool IsDistributed(Oid relid);

#endif							/* ASSAY_DISTRIBUTED_H */
