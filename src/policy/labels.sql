-- ---------------------------------------------------------------------------
-- policy: labels, which of a message's counts, and how long they take
-- ---------------------------------------------------------------------------

-- table

CREATE TABLE assay_internal.label_rule (
	policy text PRIMARY KEY,
	label_order text[] NOT NULL DEFAULT '{}' CHECK (coalesce(array_ndims(label_order), 1) = 1 AND array_position(label_order, NULL) IS NULL),
	label_maturity interval CHECK (label_maturity >= interval '0')
);
COMMENT ON TABLE assay_internal.label_rule IS 'which label of a message counts, and when the labels of a time are complete enough to be counted';
COMMENT ON COLUMN assay_internal.label_rule.label_order IS 'sources of labels from the best down; what is not in it comes last';
COMMENT ON COLUMN assay_internal.label_rule.label_maturity IS 'reports leave out decisions that are younger; NULL: none';
GRANT SELECT ON assay_internal.label_rule TO pg_database_owner;
SELECT pg_catalog.pg_extension_config_dump('assay_internal.label_rule', '');

CREATE VIEW assay.label_rules WITH (security_barrier) AS
	SELECT p.policy, coalesce(t.label_order, '{}') AS label_order, t.label_maturity
	FROM assay_internal.policy p LEFT JOIN assay_internal.label_rule t ON t.policy = p.policy
	WHERE assay_internal.may('reader', p.decision, p.access, p.label, p.signals_view);
COMMENT ON VIEW assay.label_rules IS 'of each policy that the user may read: which label of a message counts, and how old a decision must be to be reported on';
GRANT SELECT ON assay.label_rules TO PUBLIC;

-- private functions

CREATE FUNCTION assay_internal.label_columns() RETURNS text LANGUAGE sql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
	RETURN 'author text DEFAULT session_user, confidence real NOT NULL DEFAULT 1 CHECK (confidence > 0 AND confidence <= 1), category text';
COMMENT ON FUNCTION assay_internal.label_columns() IS 'columns of a label table that 0.1.0''s did not have, as a list of definitions';

CREATE FUNCTION assay_internal.label_query(label regclass, key text[], label_order text[]) RETURNS text LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT format('SELECT DISTINCT ON (%s) * FROM %s ORDER BY %s, %slabelled_at DESC', k.keys, label, k.keys,
		CASE WHEN cardinality(label_order) > 0 THEN format('coalesce(array_position(%L::text[], source), %s), ', label_order, cardinality(label_order) + 1) ELSE '' END)
	FROM (SELECT string_agg(quote_ident(u.name), ', ' ORDER BY u.n) AS keys FROM unnest(key) WITH ORDINALITY u(name, n)) k
$$;
COMMENT ON FUNCTION assay_internal.label_query(regclass, text[], text[]) IS 'the query of a policy''s view <policy>_label_latest';

-- A view that its owner has replaced by another stays as it is.
CREATE FUNCTION assay_internal.replace_label_view(p assay.policy, label_order text[]) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	view regclass;
BEGIN
	SELECT v.oid INTO view FROM pg_class t JOIN pg_class v ON v.relnamespace = t.relnamespace AND v.relowner = t.relowner AND v.relkind = 'v'
	WHERE t.oid = p.label AND v.relname = p.policy || '_label_latest'
		AND assay_internal.is_plain_view(v.oid, t.oid, 'ORDER BY .*labelled_at DESC');
	IF view IS NOT NULL THEN
		EXECUTE format('CREATE OR REPLACE VIEW %s%s AS ', view, (SELECT ' WITH (' || array_to_string(c.reloptions, ', ') || ')' FROM pg_class c WHERE c.oid = view)) || assay_internal.label_query(p.label, p.key, label_order);
	ELSE
		RAISE NOTICE 'there is no view %_label_latest as create_policy() makes it: it stays as it is', p.policy;
	END IF;
END $$;
COMMENT ON FUNCTION assay_internal.replace_label_view(assay.policy, text[]) IS 'gives the view <policy>_label_latest the query by which labels count';

CREATE FUNCTION assay_internal.upgrade_labels(p assay.policy) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	c text;
BEGIN
	IF NOT EXISTS (SELECT FROM pg_class t WHERE t.oid = p.label) THEN
		RETURN;
	END IF;
	IF p.key && '{author,confidence,category}' THEN
		RAISE WARNING 'label table % stays without columns author, confidence and category: the key has one of that name', p.label;
		RETURN;
	END IF;
	-- What is there by that name is the owner's own.  Old rows have no author: only then the default is set.
	FOREACH c IN ARRAY string_to_array(assay_internal.label_columns(), ', ') LOOP
		CONTINUE WHEN EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = p.label AND a.attname = split_part(c, ' ', 1) AND NOT a.attisdropped);
		EXECUTE format('ALTER TABLE %s ADD COLUMN %s', p.label, replace(c, 'DEFAULT session_user', ''));
		IF c LIKE 'author %' THEN
			EXECUTE format('ALTER TABLE %s ALTER COLUMN author SET DEFAULT session_user', p.label);
		END IF;
	END LOOP;
	PERFORM assay_internal.replace_label_view(p, coalesce((SELECT r.label_order FROM assay.label_rules r WHERE r.policy = p.policy), '{}'));
END $$;
COMMENT ON FUNCTION assay_internal.upgrade_labels(assay.policy) IS 'brings an older label table, and the view over it, to what create_policy() makes now';

CREATE FUNCTION assay_internal.store_label_rule(policy text, label_order text[], label_maturity interval) RETURNS void
	AS 'MODULE_PATHNAME', 'assay_store_label_rule' LANGUAGE C VOLATILE;
COMMENT ON FUNCTION assay_internal.store_label_rule(text, text[], interval) IS 'keeps the rule of set_labels(), for the policy''s owner and who may act as it';

CREATE FUNCTION assay_internal.mature_until(policy text, until timestamptz, mature interval) RETURNS timestamptz LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF mature < interval '0' OR mature > interval '100 years' THEN
		RAISE EXCEPTION 'mature must be a time between 0 and 100 years' USING ERRCODE = 'numeric_value_out_of_range';
	END IF;
	mature := nullif(coalesce(mature, (SELECT r.label_maturity FROM assay.label_rules r WHERE r.policy = mature_until.policy)), interval '0');
	RETURN least(until, now() - mature);
END $$;
COMMENT ON FUNCTION assay_internal.mature_until(text, timestamptz, interval) IS
	'the end of a time to report on, without decisions whose labels may still come: by the policy''s label_maturity, where nothing else is said';

-- functions

CREATE FUNCTION assay.set_labels(policy text, label_order text[] DEFAULT NULL, label_maturity interval DEFAULT NULL) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	p assay.policy;
	r assay.label_rules;
BEGIN
	p := assay_internal.policy_for_owner(policy);
	IF array_ndims(label_order) > 1 OR array_position(label_order, NULL) IS NOT NULL
		OR cardinality(label_order) <> (SELECT count(DISTINCT u) FROM unnest(label_order) u) THEN
		RAISE EXCEPTION 'label_order must be a plain list of different sources' USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Write the best first, as in ''{analyst,user report}''; ''{}'' for the latest label, whatever its source.';
	END IF;
	IF label_maturity < interval '0' OR label_maturity > interval '100 years' THEN
		RAISE EXCEPTION 'label_maturity must be a time between 0 and 100 years' USING ERRCODE = 'numeric_value_out_of_range',
			HINT = 'interval ''0'' takes it away.';
	END IF;
	SELECT * INTO r FROM assay.label_rules t WHERE t.policy = set_labels.policy;
	r.label_order := coalesce(label_order, r.label_order);
	r.label_maturity := nullif(coalesce(label_maturity, r.label_maturity), interval '0');
	PERFORM assay_internal.store_label_rule(policy, r.label_order, r.label_maturity);
	IF label_order IS NOT NULL THEN
		PERFORM assay_internal.replace_label_view(p, r.label_order);
	END IF;
END $$;
COMMENT ON FUNCTION assay.set_labels(text, text[], interval) IS
	'says which label of a message counts (sources from the best down), and how old a decision must be to be reported on; what is NULL stays, ''{}'' and ''0'' take away';

CREATE FUNCTION assay.label_delays(policy text, since timestamptz DEFAULT '-infinity', until timestamptz DEFAULT 'infinity',
	OUT source text, OUT malicious boolean, OUT labels bigint, OUT early bigint, OUT median interval, OUT p90 interval, OUT p99 interval, OUT longest interval)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_label_delays' LANGUAGE C STABLE STRICT PARALLEL UNSAFE COST 100000 ROWS 10;
COMMENT ON FUNCTION assay.label_delays(text, timestamptz, timestamptz) IS
	'how long labels take: of messages first decided in a time, from that decision to the first label of each source; early: labelled before they were decided';

CREATE FUNCTION assay.label_check(policy text, OUT problem text, OUT key text[], OUT malicious boolean, OUT source text, OUT labelled_at timestamptz)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_label_check' LANGUAGE C STABLE STRICT PARALLEL UNSAFE COST 100000 ROWS 100;
COMMENT ON FUNCTION assay.label_check(text) IS
	'labels that may be wrong: of a message without any decision, of a time to come, or where the latest words of two sources differ';

-- For assay.check()
CREATE FUNCTION assay_internal.check_labels(p assay.policy, OUT severity text, OUT "check" text, OUT detail text, OUT hint text)
	RETURNS SETOF record LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = p.label) OR NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = p.decision)
		OR NOT has_table_privilege(p.label, 'SELECT') THEN
		RETURN;
	END IF;
	IF (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = p.label AND a.attname IN ('author', 'confidence', 'category') AND NOT a.attisdropped) < 3 THEN
		RETURN QUERY SELECT 'info', 'labels', 'the label table was made by an older version', format('SELECT assay.upgrade_policy(%L);', p.policy);
	END IF;
	RETURN QUERY
		SELECT CASE WHEN c.problem = 'sources disagree' THEN 'info' ELSE 'warning' END, 'labels',
			format('%s: %s%s, the first of (%s)', c.problem, count(*), CASE WHEN count(*) = 1000 THEN ' or more' ELSE '' END, array_to_string(min(c.key), ', ')),
			format('SELECT * FROM assay.label_check(%L);', p.policy)
		FROM (SELECT l.problem, l.key, row_number() OVER (PARTITION BY l.problem ORDER BY l.key) AS n FROM assay.label_check(p.policy) l) c
		WHERE c.n <= 1000
		GROUP BY c.problem;
EXCEPTION WHEN OTHERS THEN
	RETURN QUERY SELECT 'warning', 'labels', 'they cannot be checked: ' || SQLERRM, NULL::text;
END $$;
COMMENT ON FUNCTION assay_internal.check_labels(assay.policy) IS 'are the labels of a policy of its messages, and of one mind?';
