-- ---------------------------------------------------------------------------
-- policy: an outbox of verdicts that changed, for those who act on them
-- ---------------------------------------------------------------------------

-- private functions

CREATE FUNCTION assay_internal.outbox_table(policy text, label regclass) RETURNS regclass LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT c.oid::regclass FROM pg_class l JOIN pg_class c ON c.relnamespace = l.relnamespace AND c.relowner = l.relowner
	WHERE l.oid = label AND c.relkind = 'r' AND c.relname = policy || '_change'
$$;
COMMENT ON FUNCTION assay_internal.outbox_table(text, regclass) IS 'table of a policy''s verdicts that changed, as far as it is the owner''s';

CREATE FUNCTION assay_internal.review_table(policy text, label regclass) RETURNS regclass LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT c.oid::regclass FROM pg_class l JOIN pg_class c ON c.relnamespace = l.relnamespace AND c.relowner = l.relowner
	WHERE l.oid = label AND c.relkind IN ('r', 'p') AND c.relname = policy || '_review'
$$;
COMMENT ON FUNCTION assay_internal.review_table(text, regclass) IS 'table of the messages drawn for review, as far as it is the owner''s';

CREATE FUNCTION assay_internal.unguarded_tables(p assay.policy) RETURNS SETOF regclass LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT c.oid::regclass FROM pg_class c
	-- a partition that is read by itself has no row-level security but its own
	WHERE (c.oid IN (p.label, assay_internal.review_table(p.policy, p.label), assay_internal.outbox_table(p.policy, p.label))
			OR c.oid IN (SELECT t.relid FROM pg_partition_tree(p.decision) t WHERE t.level > 0))
		AND NOT c.relrowsecurity AND (SELECT d.relrowsecurity FROM pg_class d WHERE d.oid = p.decision)
	ORDER BY c.oid::regclass::text COLLATE "C"
$$;
COMMENT ON FUNCTION assay_internal.unguarded_tables(assay.policy) IS
	'tables beside the decisions, and their partitions, that tell of the same messages, without row-level security where the decisions have it';

CREATE FUNCTION assay_internal.key_equality(type regtype) RETURNS text
	AS 'MODULE_PATHNAME', 'assay_key_equality' LANGUAGE C STABLE STRICT;
COMMENT ON FUNCTION assay_internal.key_equality(regtype) IS 'operator by which keys of a type are the same, as their indexes have it';

CREATE FUNCTION assay_internal.check_own_columns(policy text, key text[], what text, columns text[]) RETURNS void LANGUAGE plpgsql IMMUTABLE
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF key && columns THEN
		RAISE EXCEPTION '% of policy "%" has a column "%" of its own, as the key has', what, policy, (SELECT min(k) FROM unnest(key) k WHERE k = ANY (columns))
			USING ERRCODE = 'duplicate_column', HINT = 'Give the key''s column another name in the signals view, and make the policy with that.';
	END IF;
END $$;
COMMENT ON FUNCTION assay_internal.check_own_columns(text, text[], text, text[]) IS 'error where a table beside a policy''s decisions would have a column of the key twice';

CREATE FUNCTION assay_internal.read_now(query text, VARIADIC arguments "any") RETURNS text
	AS 'MODULE_PATHNAME', 'assay_read_now' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION assay_internal.read_now(text, "any") IS 'first value of a query, by a snapshot of now, also in REPEATABLE READ and SERIALIZABLE';

CREATE FUNCTION assay_internal.last_xact_id() RETURNS xid8
	AS 'MODULE_PATHNAME', 'assay_last_xact_id' LANGUAGE C VOLATILE PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.last_xact_id() IS 'number of the last transaction that began writing, whether it has ended or not';

CREATE FUNCTION assay_internal.changes_statement(policy text, decision regclass, op text, by_now boolean) RETURNS text LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	p assay.policy;
	target regclass;
	keys text;
	new_keys text;
	same text;
	asked text;
	former text;
	later text;
BEGIN
	SELECT * INTO p FROM assay.policy q WHERE q.policy = changes_statement.policy AND q.decision = changes_statement.decision;
	target := assay_internal.outbox_table(p.policy, p.label);
	IF target IS NULL THEN
		RETURN NULL;
	END IF;
	SELECT string_agg(quote_ident(k), ', ' ORDER BY o), string_agg(format('n.%I', k), ', ' ORDER BY o),
		string_agg(format('d.%1$I %2$s n.%1$I', k, e), ' AND ' ORDER BY o), string_agg(format('d.%I %s $%s', k, e, o), ' AND ' ORDER BY o)
	INTO keys, new_keys, same, asked
	FROM unnest(p.key) WITH ORDINALITY u(k, o) JOIN pg_attribute a ON a.attrelid = p.decision AND a.attname = k, assay_internal.key_equality(a.atttypid) e;
	former := CASE WHEN op = 'UPDATE' THEN format('SELECT d.verdict FROM old_decisions d WHERE %s AND d.revision = n.revision', same)
		WHEN by_now THEN format('SELECT assay_internal.read_now(%L, %s, n.revision) AS verdict',
			format('SELECT d.verdict FROM %s d WHERE %s AND d.revision < $%s ORDER BY d.revision DESC LIMIT 1', p.decision, asked, cardinality(p.key) + 1), new_keys)
		ELSE format('SELECT d.verdict FROM %s d WHERE %s AND d.revision < n.revision ORDER BY d.revision DESC LIMIT 1', p.decision, same) END;
	later := CASE WHEN by_now THEN format('assay_internal.read_now(%L, %s, n.revision) IS NOT NULL',
			format('SELECT d.revision FROM %s d WHERE %s AND d.revision > $%s LIMIT 1', p.decision, asked, cardinality(p.key) + 1), new_keys)
		ELSE format('EXISTS (SELECT FROM %s d WHERE %s AND d.revision > n.revision)', p.decision, same) END;
	-- a first decision is news unless it has the default verdict, and what a backfill by a former revision adds to a later one's is none
	RETURN CASE WHEN by_now THEN 'WITH r AS MATERIALIZED (SELECT n.revision, assay_internal.read_now('
			'''SELECT r.default_verdict FROM assay.revision r WHERE r.policy = $1 AND r.revision = $2'', $2, n.revision) AS default_verdict '
			'FROM (SELECT DISTINCT n.revision FROM new_decisions n) n) ' ELSE '' END
		|| format('INSERT INTO %s (consumer, %s, revision, old_verdict, verdict, score, xid) SELECT c.consumer, %s, n.revision, o.verdict, n.verdict, n.score, %s '
		'FROM new_decisions n LEFT JOIN LATERAL (%s) o ON true, unnest($1) c(consumer) WHERE n.verdict IS DISTINCT FROM coalesce(o.verdict, '
		'(SELECT r.default_verdict FROM %s r WHERE %sr.revision = n.revision)) AND NOT %s', target, keys, new_keys,
		-- a later revision may not be committed yet, and its transaction have taken keys
		'CASE WHEN assay_internal.in_batch() OR EXISTS (SELECT FROM assay.revision r WHERE r.policy = $2 AND r.revision > n.revision) '
		'THEN assay_internal.last_xact_id() ELSE pg_current_xact_id() END',
		former, CASE WHEN by_now THEN 'r' ELSE 'assay.revision' END, CASE WHEN by_now THEN '' ELSE 'r.policy = $2 AND ' END, later);
END $$;
COMMENT ON FUNCTION assay_internal.changes_statement(text, regclass, text, boolean) IS
	'statement that writes changes of new_decisions for consumers, $1, of a policy, $2; by_now: what was before is read by a snapshot of now; NULL: there is no outbox';

-- Runs as who writes decisions: the policy's owner.  Also where a worker of a subscription
-- does, whose trigger decides the messages that come (depth 2); decisions that a first copy
-- brings have their changes with them, or had them there.
CREATE FUNCTION assay_internal.note_changes() RETURNS trigger LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	statement text;
	number bigint;
	written bigint;
BEGIN
	IF TG_LEVEL <> 'STATEMENT' OR TG_WHEN <> 'AFTER' OR TG_OP NOT IN ('INSERT', 'UPDATE') OR TG_NARGS <> 2 THEN
		RAISE EXCEPTION 'assay_internal.note_changes() must be called by the triggers that assay.create_outbox() makes' USING ERRCODE = 'trigger_protocol_violated';
	END IF;
	IF current_setting('session_replication_role') = 'replica' AND pg_trigger_depth() < 2 THEN
		RETURN NULL;
	END IF;
	-- As of now, as messages are decided: by the snapshot of REPEATABLE READ there may be no outbox yet, nor the decision before.
	IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
		statement := assay_internal.read_now('SELECT assay_internal.changes_statement($1, $2, $3, true)', TG_ARGV[0], TG_RELID, TG_OP);
	ELSE
		statement := assay_internal.changes_statement(TG_ARGV[0], TG_RELID, TG_OP, false);
	END IF;
	IF statement IS NULL THEN
		RETURN NULL;
	END IF;
	number := assay_internal.last_number();
	EXECUTE statement USING TG_ARGV[1]::text[], TG_ARGV[0];
	GET DIAGNOSTICS written = ROW_COUNT;
	IF written > 0 THEN
		PERFORM assay_internal.put_back_last_number(number);
	END IF;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION assay_internal.note_changes() IS 'trigger function of a decision table: writes verdicts that changed to the policy''s outbox';

-- functions

CREATE FUNCTION assay.create_outbox(policy text, consumers text[] DEFAULT '{default}') RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	p assay.policy;
	target text;
	columns text;
	arguments text;
BEGIN
	p := assay_internal.policy_for_owner(policy);
	IF assay_internal.is_distributed(p.decision) THEN
		RAISE EXCEPTION 'decision table % is distributed, and an outbox is on one server', p.decision USING ERRCODE = 'feature_not_supported',
			HINT = 'Take decisions out by logical decoding, or look for them by decided_at.';
	END IF;
	IF coalesce(cardinality(consumers), 0) = 0 OR array_ndims(consumers) > 1 OR array_position(consumers, NULL) IS NOT NULL
		OR cardinality(consumers) > 100 OR cardinality(consumers) <> (SELECT count(DISTINCT u) FROM unnest(consumers) u) THEN
		RAISE EXCEPTION 'consumers must be a plain list of 1 to 100 different names' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	SELECT string_agg(format('%I %s NOT NULL, ', a.attname, format_type(a.atttypid, a.atttypmod)), '' ORDER BY u.n) INTO columns
	FROM unnest(p.key) WITH ORDINALITY u(name, n) JOIN pg_attribute a ON a.attrelid = p.decision AND a.attname = u.name;
	SELECT format('%I.%I', n.nspname, p.policy || '_change') INTO target FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = p.label;
	IF target IS NULL OR columns IS NULL THEN
		RAISE EXCEPTION 'tables of policy "%" do not exist', p.policy USING ERRCODE = 'undefined_table',
			HINT = format('SELECT * FROM assay.check(%L) tells what is missing.', p.policy);
	END IF;
	IF assay_internal.outbox_table(p.policy, p.label) IS NOT NULL THEN
		RAISE EXCEPTION 'policy "%" has an outbox already', policy USING ERRCODE = 'duplicate_table',
			HINT = format('For other consumers, SELECT assay.drop_outbox(%L) first, in the same transaction: what is in it goes.', policy);
	END IF;
	PERFORM assay_internal.check_own_columns(policy, p.key, 'the outbox', '{change,consumer,xid,old_verdict,changed_at}');
	EXECUTE format('CREATE TABLE %s (change bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, consumer text NOT NULL, '
		'xid xid8 NOT NULL DEFAULT pg_current_xact_id(), ', target) || columns
		|| 'revision int NOT NULL, old_verdict text, verdict text NOT NULL, score real NOT NULL, changed_at timestamptz NOT NULL DEFAULT clock_timestamp())';
	EXECUTE format('CREATE INDEX ON %s (consumer, xid, change)', target);
	PERFORM assay_internal.let_number_follow(target, 'change');
	EXECUTE format('COMMENT ON TABLE %s IS %L', target,
		format('verdicts of policy %s that changed and that a consumer has not taken out yet', policy));
	IF p.owner <> current_user THEN
		EXECUTE format('ALTER TABLE %s OWNER TO %I', target, p.owner);
	END IF;
	arguments := format('%L, %L', policy, consumers);
	EXECUTE format('CREATE TRIGGER assay_outbox_insert AFTER INSERT ON %s REFERENCING NEW TABLE AS new_decisions FOR EACH STATEMENT EXECUTE FUNCTION assay_internal.note_changes(%s)',
		p.decision, arguments);
	EXECUTE format('CREATE TRIGGER assay_outbox_update AFTER UPDATE ON %s REFERENCING OLD TABLE AS old_decisions NEW TABLE AS new_decisions FOR EACH STATEMENT EXECUTE FUNCTION assay_internal.note_changes(%s)',
		p.decision, arguments);
	EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER assay_outbox_insert, ENABLE ALWAYS TRIGGER assay_outbox_update', p.decision);
END $$;
COMMENT ON FUNCTION assay.create_outbox(text, text[]) IS
	'makes the table <policy>_change and the triggers of the decision table that write verdicts that change to it, once for each consumer';

CREATE FUNCTION assay.drop_outbox(policy text) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	p assay.policy := assay_internal.policy_for_reading(policy);
	target regclass;
BEGIN
	IF NOT assay_internal.may('owner', policy) THEN
		RAISE EXCEPTION 'must be owner of policy "%"', policy USING ERRCODE = 'insufficient_privilege';
	END IF;
	EXECUTE format('DROP TRIGGER IF EXISTS assay_outbox_insert ON %s', p.decision);
	EXECUTE format('DROP TRIGGER IF EXISTS assay_outbox_update ON %s', p.decision);
	target := assay_internal.outbox_table(p.policy, p.label);
	IF target IS NOT NULL THEN
		EXECUTE format('DROP TABLE %s', target);
	END IF;
END $$;
COMMENT ON FUNCTION assay.drop_outbox(text) IS 'drops the outbox of a policy with all that is in it';

CREATE FUNCTION assay.read_changes(policy text, consumer text DEFAULT 'default', n int DEFAULT 1000,
	OUT change bigint, OUT key text[], OUT revision int, OUT old_verdict text, OUT verdict text, OUT score real, OUT at timestamptz) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_read_changes' LANGUAGE C STABLE STRICT PARALLEL UNSAFE ROWS 100;
COMMENT ON FUNCTION assay.read_changes(text, text, int) IS
	'verdicts that changed and that the consumer has not taken out, in an order in which none comes later that belongs before';

CREATE FUNCTION assay.take_changes(policy text, consumer text, changes bigint[]) RETURNS bigint
	AS 'MODULE_PATHNAME', 'assay_take_changes' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION assay.take_changes(text, text, bigint[]) IS 'takes changes out of the outbox that the consumer is done with; returns how many there were';
