-- ---- text: what statements of a text model, a baseline or a policy call ----------

-- Names are looked up in a search_path: who may create in a schema of it could be called.
-- What was looked at is kept in the session, so no parallel worker looks.
-- One without literals of a user's may have parameters: it is looked at as it runs alone.
CREATE FUNCTION assay_internal.check_trusted(statement text, what text, before_it_runs boolean DEFAULT true) RETURNS void
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION assay_internal.check_trusted(text, text, boolean) IS
	'private: error where a statement of a baseline, a text model or a policy calls what is neither a superuser''s nor of a role that may act as the current one';

-- A view of a baseline or text model that an older version made was not looked at as one is now.
CREATE FUNCTION assay_internal.check_trusted_view(relation regclass, what text) RETURNS void
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION assay_internal.check_trusted_view(regclass, text) IS
	'private: error where a view of a baseline or a text model calls what is neither a superuser''s nor of a role that may act as the current one';
