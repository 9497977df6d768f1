-- kept_role and kept_relation: roles and relations in tables that dumps take along
SET client_min_messages = warning;
CREATE SCHEMA kept;
SET search_path = kept, public;
CREATE ROLE regress_kept;
SELECT 'regress_kept'::assay_internal.kept_role = 'regress_kept'::regrole AS role, '-'::assay_internal.kept_role::oid AS everybody,
	'4711'::assay_internal.kept_role::oid AS a_number, 'regress_no_such'::assay_internal.kept_role::oid AS missing;
SELECT ''::assay_internal.kept_role;
SELECT 'a.b'::assay_internal.kept_role;
SELECT '"'::assay_internal.kept_role;

-- A name has 63 bytes, each of which may be a quote: 128 bytes as it is written.  Nothing longer is read.
SELECT repeat('"', 63) AS quotes \gset
CREATE ROLE :"quotes";
SELECT octet_length(r.role) AS written, r.role::assay_internal.kept_role::text = r.role AS the_same
	FROM (SELECT oid::regrole::text FROM pg_roles WHERE rolname = :'quotes') r(role);
SELECT octet_length(r.role) AS written, r.role::assay_internal.kept_role
	FROM (SELECT oid::regrole::text || ' ' FROM pg_roles WHERE rolname = :'quotes') r(role);
DROP ROLE :"quotes";

-- A relation's name may be in a schema, and its quotes too
CREATE SCHEMA :"quotes";
CREATE TABLE :"quotes".:"quotes" ();
SELECT octet_length(c.relation) AS written, c.relation::assay_internal.kept_relation::text = c.relation AS the_same
	FROM (SELECT oid::regclass::text FROM pg_class WHERE relname = :'quotes') c(relation);
SELECT '-'::assay_internal.kept_relation::oid AS nothing, '4711'::assay_internal.kept_relation::oid AS a_number, 'kept.no_such'::assay_internal.kept_relation::oid AS missing;
SELECT 'a.b.c.d'::assay_internal.kept_relation;
DROP SCHEMA :"quotes" CASCADE;
DROP ROLE regress_kept;
DROP SCHEMA kept;
