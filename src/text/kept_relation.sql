-- ---------------------------------------------------------------------------
-- kept_relation: a relation in tables that dumps take along
-- ---------------------------------------------------------------------------

-- type

CREATE TYPE assay_internal.kept_relation;

CREATE FUNCTION assay_internal.kept_relation_in(cstring) RETURNS assay_internal.kept_relation
	AS 'MODULE_PATHNAME', 'assay_kept_relation_in' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.kept_relation_in(cstring) IS
	'input: the name of a relation; a number, or with a warning a relation that does not exist, is none';

CREATE FUNCTION assay_internal.kept_relation_out(assay_internal.kept_relation) RETURNS cstring
	AS 'regclassout' LANGUAGE internal STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.kept_relation_out(assay_internal.kept_relation) IS
	'output: the name of a relation, or the number of one that was dropped';

CREATE FUNCTION assay_internal.kept_relation_recv(internal) RETURNS assay_internal.kept_relation
	AS 'regclassrecv' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.kept_relation_recv(internal) IS 'binary input';

CREATE FUNCTION assay_internal.kept_relation_send(assay_internal.kept_relation) RETURNS bytea
	AS 'regclasssend' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.kept_relation_send(assay_internal.kept_relation) IS 'binary output';

CREATE TYPE assay_internal.kept_relation (
	INPUT = assay_internal.kept_relation_in,
	OUTPUT = assay_internal.kept_relation_out,
	RECEIVE = assay_internal.kept_relation_recv,
	SEND = assay_internal.kept_relation_send,
	LIKE = pg_catalog.regclass,
	CATEGORY = 'N'
);
COMMENT ON TYPE assay_internal.kept_relation IS
	'a relation in a table that dumps take along: where the relation is missing, its row is there all the same';

CREATE CAST (assay_internal.kept_relation AS oid) WITHOUT FUNCTION AS IMPLICIT;
CREATE CAST (assay_internal.kept_relation AS regclass) WITHOUT FUNCTION AS IMPLICIT;
CREATE CAST (regclass AS assay_internal.kept_relation) WITHOUT FUNCTION AS ASSIGNMENT;
CREATE CAST (oid AS assay_internal.kept_relation) WITHOUT FUNCTION AS ASSIGNMENT;
COMMENT ON CAST (assay_internal.kept_relation AS oid) IS 'the relation''s number; 0 for none';
COMMENT ON CAST (assay_internal.kept_relation AS regclass) IS 'the relation; 0 for none';
COMMENT ON CAST (regclass AS assay_internal.kept_relation) IS 'the relation, to be kept';
COMMENT ON CAST (oid AS assay_internal.kept_relation) IS 'the relation of that number, to be kept';
