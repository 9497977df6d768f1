-- ---- baseline: the live probe as a function ------------------------------------------

CREATE FUNCTION assay.live_as_of(baseline anyelement, at timestamptz, arrival bigint, VARIADIC key "any") RETURNS anyelement
	AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL SAFE COST 300;
COMMENT ON FUNCTION assay.live_as_of(anyelement, timestamptz, bigint, "any") IS
	'an incremental baseline''s row for a key with the history as of a message, of all that come before it by time and number; in FROM, and in parallel workers';

CREATE FUNCTION assay_internal.baseline_not_live(relation regclass) RETURNS text
	AS 'MODULE_PATHNAME' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.baseline_not_live(regclass) IS 'why live_as_of() does not serve for a baseline; NULL: it does';

-- The live probe: by the function where that serves, else in SQL; parallel says which
CREATE FUNCTION assay_internal.baseline_live_probe(b assay.baseline, message text, alias text, parallel boolean) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	why_not text;
BEGIN
	IF b.incremental AND parallel IS NOT FALSE THEN
		why_not := assay_internal.baseline_not_live(b.relation);
	END IF;
	IF why_not IS NOT NULL AND parallel THEN
		RAISE EXCEPTION USING ERRCODE = 'feature_not_supported', MESSAGE = why_not,
			HINT = 'In SQL the probe has no form for parallel workers: leave parallel out.';
	ELSIF NOT b.incremental OR why_not IS NOT NULL OR parallel IS FALSE THEN
		-- what is had by an index is told; not what a table is, or a baseline
		IF why_not LIKE '% has no index on the key, %' THEN
			RAISE NOTICE USING MESSAGE = format('the live probe of %s is made in SQL, and may read all messages: %s', b.relation, why_not),
				HINT = (SELECT string_agg(format('CREATE INDEX ON %s (%s, %I, %I);', b.source, assay_internal.baseline_columns(NULL, b.key_columns), c.first, c.second), ' ')
					|| ' Then ask for the probe again.' FROM (VALUES (b.at_column, b.arrival_column), (b.arrival_column, b.at_column)) c(first, second));
		END IF;
		RETURN assay_internal.baseline_live(b, message, alias);
	END IF;
	RETURN assay_internal.baseline_fill('LEFT JOIN LATERAL assay.live_as_of(NULL::{baseline}, {m}.{at}, {m}.{arrival}, {key}) AS {alias} ON true',
		'baseline', b.relation::text, 'm', quote_ident(message), 'at', quote_ident(b.at_column), 'arrival', quote_ident(b.arrival_column),
		'key', assay_internal.baseline_columns(quote_ident(message), b.key_columns), 'alias', quote_ident(alias));
END $$;
COMMENT ON FUNCTION assay_internal.baseline_live_probe(assay.baseline, text, text, boolean) IS 'builds SQL for baselines';
