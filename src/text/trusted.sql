-- ---- text: what a text model's content, or a baseline's statements, call ----------

-- Names are looked up in a search_path: who may create in a schema of it could be called.
-- What was looked at is kept in the session, so no parallel worker looks.
CREATE FUNCTION assay_internal.check_trusted(statement text, what text) RETURNS void
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION assay_internal.check_trusted(text, text) IS
	'private: error where a statement of a baseline, or of a text model, calls what is neither a superuser''s nor of a role that may act as the current one';
