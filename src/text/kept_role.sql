-- ---------------------------------------------------------------------------
-- kept_role: a role in tables that dumps take along
-- ---------------------------------------------------------------------------

-- type

CREATE TYPE assay_internal.kept_role;

CREATE FUNCTION assay_internal.kept_role_in(cstring) RETURNS assay_internal.kept_role
	AS 'MODULE_PATHNAME', 'assay_kept_role_in' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.kept_role_in(cstring) IS 'input: the name of a role; a number, or with a warning a role that does not exist, is nobody';

CREATE FUNCTION assay_internal.kept_role_out(assay_internal.kept_role) RETURNS cstring
	AS 'regroleout' LANGUAGE internal STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.kept_role_out(assay_internal.kept_role) IS 'output: the name of a role, or the number of one that was dropped';

CREATE FUNCTION assay_internal.kept_role_recv(internal) RETURNS assay_internal.kept_role
	AS 'regrolerecv' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.kept_role_recv(internal) IS 'binary input';

CREATE FUNCTION assay_internal.kept_role_send(assay_internal.kept_role) RETURNS bytea
	AS 'regrolesend' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.kept_role_send(assay_internal.kept_role) IS 'binary output';

CREATE TYPE assay_internal.kept_role (
	INPUT = assay_internal.kept_role_in,
	OUTPUT = assay_internal.kept_role_out,
	RECEIVE = assay_internal.kept_role_recv,
	SEND = assay_internal.kept_role_send,
	LIKE = pg_catalog.regrole,
	CATEGORY = 'N'
);
COMMENT ON TYPE assay_internal.kept_role IS 'a role in a table that dumps take along: where the role is missing, its row is there all the same';

CREATE CAST (assay_internal.kept_role AS oid) WITHOUT FUNCTION AS IMPLICIT;
CREATE CAST (assay_internal.kept_role AS regrole) WITHOUT FUNCTION AS IMPLICIT;
CREATE CAST (regrole AS assay_internal.kept_role) WITHOUT FUNCTION AS ASSIGNMENT;
CREATE CAST (oid AS assay_internal.kept_role) WITHOUT FUNCTION AS ASSIGNMENT;
COMMENT ON CAST (assay_internal.kept_role AS oid) IS 'the role''s number; 1 is nobody, 0 everybody';
COMMENT ON CAST (assay_internal.kept_role AS regrole) IS 'the role; 1 is nobody, 0 everybody';
COMMENT ON CAST (regrole AS assay_internal.kept_role) IS 'the role, to be kept';
COMMENT ON CAST (oid AS assay_internal.kept_role) IS 'the role of that number, to be kept';
