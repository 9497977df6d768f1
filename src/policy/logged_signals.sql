-- ---------------------------------------------------------------------------
-- policy: logged signals
-- ---------------------------------------------------------------------------

CREATE TABLE assay_internal.signals_shape (
	shape uuid NOT NULL,
	names text[] NOT NULL,
	types text[] NOT NULL,
	oids bigint[] NOT NULL,
	forms text[] NOT NULL,
	seen_at timestamptz NOT NULL DEFAULT now()
);
-- Not unique: who adds a shape never waits for another transaction that does.
CREATE INDEX signals_shape_shape_idx ON assay_internal.signals_shape (shape);
-- a publication of all tables refuses no DELETE
ALTER TABLE assay_internal.signals_shape REPLICA IDENTITY FULL;
COMMENT ON TABLE assay_internal.signals_shape IS 'names and types of logged signals, which all decisions made by one view have in common';
COMMENT ON COLUMN assay_internal.signals_shape.shape IS 'hash of the rest; every logged_signals names one; sessions that met it first at once may have written it twice';
COMMENT ON COLUMN assay_internal.signals_shape.oids IS 'built-in types in which the values are kept, which have the same number in every database';
COMMENT ON COLUMN assay_internal.signals_shape.forms IS 'how values are kept: f fixed, b bytes, s sent, o output, t text';
GRANT SELECT ON assay_internal.signals_shape TO pg_database_owner;
SELECT pg_catalog.pg_extension_config_dump('assay_internal.signals_shape', '');

CREATE TYPE assay.logged_signals;

CREATE FUNCTION assay_internal.logged_signals_in(cstring) RETURNS assay.logged_signals
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.logged_signals_in(cstring) IS 'input: hexadecimal';

CREATE FUNCTION assay_internal.logged_signals_out(assay.logged_signals) RETURNS cstring
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.logged_signals_out(assay.logged_signals) IS 'output: hexadecimal; signals_to_jsonb() reads better';

CREATE FUNCTION assay_internal.logged_signals_recv(internal) RETURNS assay.logged_signals
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.logged_signals_recv(internal) IS 'binary input';

CREATE FUNCTION assay_internal.logged_signals_send(assay.logged_signals) RETURNS bytea
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.logged_signals_send(assay.logged_signals) IS 'binary output';

CREATE TYPE assay.logged_signals (
	INPUT = assay_internal.logged_signals_in,
	OUTPUT = assay_internal.logged_signals_out,
	RECEIVE = assay_internal.logged_signals_recv,
	SEND = assay_internal.logged_signals_send,
	INTERNALLENGTH = VARIABLE,
	ALIGNMENT = int4,
	STORAGE = extended
);
COMMENT ON TYPE assay.logged_signals IS 'the signals of a message as they were when it was decided, whatever became of the view';

CREATE FUNCTION assay.signals_to_jsonb(signals assay.logged_signals) RETURNS jsonb
	AS 'MODULE_PATHNAME', 'logged_signals_to_jsonb' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100
	SET timezone = 'UTC' SET datestyle = 'ISO, MDY' SET intervalstyle = 'postgres' SET extra_float_digits = 1 SET bytea_output = 'hex';
COMMENT ON FUNCTION assay.signals_to_jsonb(assay.logged_signals) IS 'logged signals by name, whatever the settings of the session';

CREATE CAST (assay.logged_signals AS jsonb) WITH FUNCTION assay.signals_to_jsonb(assay.logged_signals);
COMMENT ON CAST (assay.logged_signals AS jsonb) IS 'signals as an object';

CREATE FUNCTION assay.signal(signals assay.logged_signals, name text) RETURNS text
	AS 'MODULE_PATHNAME', 'logged_signals_get' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100
	SET timezone = 'UTC' SET datestyle = 'ISO, MDY' SET intervalstyle = 'postgres' SET extra_float_digits = 1 SET bytea_output = 'hex';
COMMENT ON FUNCTION assay.signal(assay.logged_signals, text) IS 'one logged signal as text; NULL when there is none of that name';

CREATE FUNCTION assay_internal.signal_is(signals assay.logged_signals, name text, given text, view_type anyelement) RETURNS boolean
	AS 'MODULE_PATHNAME', 'logged_signals_is' LANGUAGE C STABLE PARALLEL UNSAFE COST 100;
COMMENT ON FUNCTION assay_internal.signal_is(assay.logged_signals, text, text, anyelement) IS
	'is this the logged signal, of which the view has a type, given as NULL::type? By the equality of the type that was logged, or of the view''s, or by its text';

CREATE FUNCTION assay.signals_as(row_type anyelement, signals assay.logged_signals) RETURNS anyelement
	AS 'MODULE_PATHNAME', 'assay_signals_as' LANGUAGE C STABLE PARALLEL SAFE COST 100
	SET search_path = pg_catalog, pg_temp
	SET timezone = 'UTC' SET datestyle = 'ISO, MDY' SET intervalstyle = 'postgres' SET extra_float_digits = 1 SET bytea_output = 'hex';
COMMENT ON FUNCTION assay.signals_as(anyelement, assay.logged_signals) IS
	'logged signals as a row of a view or table, given as NULL::view: by name; columns that were not logged are NULL';

CREATE FUNCTION assay_internal.form_signals(signals record) RETURNS assay.logged_signals
	AS 'MODULE_PATHNAME', 'assay_form_signals' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION assay_internal.form_signals(record) IS 'a row as logged signals; its shape must be there';

CREATE FUNCTION assay_internal.signals_row(row_type anyelement, signals assay.logged_signals) RETURNS anyelement
	AS 'MODULE_PATHNAME', 'assay_signals_row' LANGUAGE C STABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION assay_internal.signals_row(anyelement, assay.logged_signals) IS
	'as signals_as(), in the settings of the session: for queries that have fixed them';

CREATE FUNCTION assay_internal.covers_signals(row_type anyelement, signals assay.logged_signals) RETURNS boolean
	AS 'MODULE_PATHNAME', 'assay_covers_signals' LANGUAGE C STABLE PARALLEL SAFE COST 5;
COMMENT ON FUNCTION assay_internal.covers_signals(anyelement, assay.logged_signals) IS 'was each column of the row type logged?';

-- Reports run as the policy's owner, who may not own a signal's type.
CREATE FUNCTION assay_internal.plain_jsonb(signals record) RETURNS jsonb
	AS 'MODULE_PATHNAME', 'assay_plain_jsonb' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION assay_internal.plain_jsonb(record) IS
	'a row as jsonb: of a type of a role that may not act as the row type''s owner by its text, without its casts';

CREATE FUNCTION assay_internal.plain_signals_jsonb(row_type anyelement, signals assay.logged_signals) RETURNS jsonb
	AS 'MODULE_PATHNAME', 'assay_plain_signals_jsonb' LANGUAGE C STABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION assay_internal.plain_signals_jsonb(anyelement, assay.logged_signals) IS
	'as plain_jsonb(), of logged signals as a view or table, given as NULL::view, has them by name';
