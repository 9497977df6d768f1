-- ---------------------------------------------------------------------------
-- policy: decision tables that are partitioned by a time of the message
-- ---------------------------------------------------------------------------

-- table

CREATE TABLE assay_internal.partitioning (
	policy text PRIMARY KEY,
	period text NOT NULL CHECK (period IN ('day', 'week', 'month')),
	at text NOT NULL
);
COMMENT ON TABLE assay_internal.partitioning IS 'policies whose decision table is partitioned: by which key column, and for how long a partition is';
GRANT SELECT ON assay_internal.partitioning TO pg_database_owner;
SELECT pg_catalog.pg_extension_config_dump('assay_internal.partitioning', '');

CREATE VIEW assay.partitioning WITH (security_barrier) AS
	SELECT t.policy, t.period, t.at, p.decision::regclass
	FROM assay_internal.partitioning t JOIN assay_internal.policy p ON p.policy = t.policy
	WHERE assay_internal.may('reader', p.decision, p.access, p.label, p.signals_view);
COMMENT ON VIEW assay.partitioning IS 'of policies that the user may read, those whose decision table create_policy() partitioned: by which key column, a partition for how long';
GRANT SELECT ON assay.partitioning TO PUBLIC;

-- private functions

CREATE FUNCTION assay_internal.decision_parts(decision regclass, OUT part regclass, OUT since timestamptz, OUT until timestamptz) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_decision_parts' LANGUAGE C STABLE STRICT PARALLEL RESTRICTED ROWS 20;
COMMENT ON FUNCTION assay_internal.decision_parts(regclass) IS
	'partitions of a table that is partitioned by ranges of a time, the default one without times; no row for another table';

CREATE FUNCTION assay_internal.store_partitioning(policy text, period text, at text) RETURNS void
	AS 'MODULE_PATHNAME', 'assay_store_partitioning' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION assay_internal.store_partitioning(text, text, text) IS 'keeps how the decision table is partitioned, for the policy''s owner and who may act as it';

CREATE FUNCTION assay_internal.rest_periods(policy text, at text, period text, OUT since timestamptz, OUT rows bigint) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_rest_periods' LANGUAGE C STABLE STRICT PARALLEL UNSAFE COST 10000 ROWS 10;
COMMENT ON FUNCTION assay_internal.rest_periods(text, text, text) IS 'periods whose decisions lie in the default partition, and how many';

CREATE FUNCTION assay_internal.message_periods(policy text, at text, period text, OUT since timestamptz, OUT messages bigint) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_message_periods' LANGUAGE C STABLE STRICT PARALLEL UNSAFE COST 100000 ROWS 50;
COMMENT ON FUNCTION assay_internal.message_periods(text, text, text) IS 'periods of the messages that there are, the latest first, for the policy''s owner and who may act as it';

CREATE FUNCTION assay_internal.expire_rest(policy text, at text, before timestamptz, batch int) RETURNS bigint
	AS 'MODULE_PATHNAME', 'assay_expire_rest' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION assay_internal.expire_rest(text, text, timestamptz, int) IS
	'deletes decisions of the default partition that were decided, or whose message came, before a time, so many at most';

CREATE FUNCTION assay_internal.attach_part_as_owner(decision regclass, what jsonb) RETURNS bigint
	AS 'MODULE_PATHNAME', 'assay_attach_part_as_owner' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION assay_internal.attach_part_as_owner(regclass, jsonb) IS 'attach_part() as the owner of the decision table, for who may act as it';

CREATE FUNCTION assay_internal.drop_part_as_owner(decision regclass, before timestamptz) RETURNS bigint
	AS 'MODULE_PATHNAME', 'assay_drop_part_as_owner' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION assay_internal.drop_part_as_owner(regclass, timestamptz) IS 'drop_part() as the owner of the decision table, for who may act as it';

CREATE FUNCTION assay_internal.must_be_owner(relation regclass) RETURNS void LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = relation AND pg_get_userbyid(c.relowner) = current_user) THEN
		RAISE EXCEPTION 'it runs as the owner of the table' USING ERRCODE = 'insufficient_privilege';
	END IF;
END $$;
COMMENT ON FUNCTION assay_internal.must_be_owner(regclass) IS 'error unless the current user is the owner of a table itself: what hangs on it is run with these rights';

-- No one who decides waits for more than the default partition, and for this only while its rows are looked through.
CREATE FUNCTION assay_internal.attach_part(decision regclass, what jsonb) RETURNS bigint LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp SET DateStyle = 'ISO, MDY' SET timezone = 'UTC' SET lock_timeout = '2s' AS $$
DECLARE
	low timestamptz := what ->> 'since';
	high timestamptz := what ->> 'until';
	at text := what ->> 'at';
	-- a partition that was detached, or another's table, may have the name
	target text := (SELECT format('%I.%I', n.nspname, v.name) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, generate_series(1, 10) i,
		LATERAL (SELECT (what ->> 'name') || CASE WHEN i > 1 THEN '_' || i ELSE '' END) v(name)
		WHERE c.oid = decision AND (i = 10 OR NOT EXISTS (SELECT FROM pg_class x WHERE x.relnamespace = n.oid AND x.relname = v.name)) ORDER BY i LIMIT 1);
	columns text := (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
		WHERE a.attrelid = decision AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '');
	rest regclass;
	moved bigint := 0;
BEGIN
	PERFORM assay_internal.must_be_owner(decision);
	EXECUTE format('LOCK TABLE ONLY %s IN SHARE UPDATE EXCLUSIVE MODE', decision);
	-- another session may have been here meanwhile
	IF EXISTS (SELECT FROM assay_internal.decision_parts(decision) p WHERE p.since < high AND p.until > low) THEN
		RETURN 0;
	END IF;
	rest := (SELECT p.part FROM assay_internal.decision_parts(decision) p WHERE p.until IS NULL);
	EXECUTE format('CREATE TABLE %s (LIKE %s INCLUDING ALL)', target, decision);
	EXECUTE format('COMMENT ON TABLE %s IS %L', target, format('decisions about messages from %s to before %s, in UTC', low AT TIME ZONE 'UTC', high AT TIME ZONE 'UTC'));
	IF rest IS NOT NULL THEN
		EXECUTE format('LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE', rest);
		EXECUTE format('WITH moved AS (DELETE FROM %s WHERE %I >= %L AND %I < %L RETURNING %s) INSERT INTO %s (%s) SELECT %s FROM moved',
			rest, at, low, at, high, columns, target, columns, columns);
		GET DIAGNOSTICS moved = ROW_COUNT;
	END IF;
	EXECUTE format('ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%L) TO (%L)', decision, target, low, high);
	RETURN moved;
END $$;
COMMENT ON FUNCTION assay_internal.attach_part(regclass, jsonb) IS
	'makes the partition of a time, with what of that time lies in the default one; returns how many rows that were';

-- Whoever decides waits for a moment; whoever reads for longer is waited for a little, three times.
CREATE FUNCTION assay_internal.drop_part(decision regclass, before timestamptz) RETURNS bigint LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
	oldest regclass;
BEGIN
	PERFORM assay_internal.must_be_owner(decision);
	SELECT p.part INTO oldest FROM assay_internal.decision_parts(decision) p WHERE p.until <= before ORDER BY p.until LIMIT 1;
	IF NOT FOUND THEN
		RETURN 0;
	END IF;
	FOR i IN 1 .. 3 LOOP
		BEGIN
			EXECUTE format('DROP %s %s', (SELECT CASE c.relkind WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END FROM pg_class c WHERE c.oid = oldest), oldest);
			RETURN 1;
		EXCEPTION WHEN lock_not_available THEN
			IF i = 3 THEN
				RAISE EXCEPTION 'partition % is past its retention, and in use', oldest USING ERRCODE = 'lock_not_available',
					HINT = 'It is dropped once nobody reads the decision table for a second: call assay.maintain() again.';
			END IF;
			PERFORM pg_sleep(0.2);
		END;
	END LOOP;
	RETURN 0;
END $$;
COMMENT ON FUNCTION assay_internal.drop_part(regclass, timestamptz) IS 'drops the oldest partition whose time ends before a moment; returns how many that were: one or none';

-- Its errors come before anything is made.
CREATE FUNCTION assay_internal.part_column(signals regclass, key text[], period text) RETURNS text LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	found text;
BEGIN
	IF period NOT IN ('day', 'week', 'month') THEN
		RAISE EXCEPTION 'partition must be day, week or month, not "%"', period USING ERRCODE = 'invalid_parameter_value';
	END IF;
	SELECT u.name INTO found FROM unnest(key) WITH ORDINALITY u(name, n)
	JOIN pg_attribute a ON a.attrelid = signals AND a.attname = u.name AND a.attnum > 0 AND NOT a.attisdropped
	WHERE a.atttypid IN ('timestamptz'::regtype, 'timestamp'::regtype, 'date'::regtype) ORDER BY u.n LIMIT 1;
	IF found IS NULL THEN
		RAISE EXCEPTION 'no key column is a time to partition by' USING ERRCODE = 'invalid_parameter_value',
			DETAIL = 'It takes a column of type timestamp with time zone, timestamp or date in the key.',
			HINT = format('Take the message''s time into the key, as in key => %L; a message must not change it.', array_append(key, 'received_at'));
	END IF;
	RETURN found;
END $$;
COMMENT ON FUNCTION assay_internal.part_column(regclass, text[], text) IS 'the key column by which decisions can be partitioned, an error where there is none';

CREATE FUNCTION assay_internal.period_after(since timestamptz, period text, n int) RETURNS timestamptz LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT (date_trunc($2, $1 AT TIME ZONE 'UTC') + $3 * ('1 ' || $2)::interval) AT TIME ZONE 'UTC'
$$;
COMMENT ON FUNCTION assay_internal.period_after(timestamptz, text, int) IS 'when the n-th day, week or month in UTC after the one of a time begins';

CREATE FUNCTION assay_internal.is_published(relation regclass) RETURNS boolean LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT EXISTS (SELECT FROM pg_publication_tables t JOIN pg_class c ON c.relname = t.tablename
		JOIN pg_namespace s ON s.oid = c.relnamespace AND s.nspname = t.schemaname
		WHERE c.oid = $1 OR c.oid IN (SELECT p.part FROM assay_internal.decision_parts($1) p))
$$;
COMMENT ON FUNCTION assay_internal.is_published(regclass) IS 'is a table, or a partition of it, in a publication?';

-- Rows of a published table stay where they are: a subscriber would see them go, and not come again.
CREATE FUNCTION assay_internal.wanted_parts(policy text, OUT since timestamptz, OUT until timestamptz, OUT rows bigint, OUT ahead int, OUT published boolean)
	RETURNS SETOF record LANGUAGE sql STABLE ROWS 10
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT w.since, w.until, coalesce(w.rows, 0), w.ahead, w.rows > 0 AND assay_internal.is_published(p.decision)
	FROM assay.partitioning t JOIN assay.policy p ON p.policy = t.policy LEFT JOIN assay.retention k ON k.policy = t.policy,
	LATERAL (SELECT coalesce(a.since, r.since) AS since, assay_internal.period_after(coalesce(a.since, r.since), t.period, 1) AS until, r.rows, a.ahead
		FROM (SELECT assay_internal.period_after(now(), t.period, n) AS since, n AS ahead FROM generate_series(-1, 3) n) a
		FULL JOIN assay_internal.rest_periods(t.policy, t.at, t.period) r ON r.since = a.since) w
	WHERE t.policy = $1
		-- of other times where many rows lie, as far as these are no longer to come
		AND (w.ahead IS NOT NULL OR w.rows >= 1000 AND w.since < now() AND (SELECT count(*) FROM assay_internal.decision_parts(p.decision)) < 400)
		AND (k.decisions IS NULL OR w.until > now() - k.decisions)
		AND NOT EXISTS (SELECT FROM assay_internal.decision_parts(p.decision) d WHERE d.since < w.until AND d.until > w.since)
	ORDER BY w.ahead NULLS LAST, w.since DESC
$$;
COMMENT ON FUNCTION assay_internal.wanted_parts(text) IS
	'partitions that a policy should have and has not: of now, a period before and three ahead, and of a thousand decisions and more in the default one';

CREATE FUNCTION assay_internal.make_part(policy text, since timestamptz, until timestamptz) RETURNS bigint LANGUAGE sql VOLATILE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT assay_internal.attach_part_as_owner(t.decision, jsonb_build_object('since', since, 'until', until, 'at', t.at,
		'name', t.policy || to_char(since AT TIME ZONE 'UTC', '"_d"YYYYMMDD')))
	FROM assay.partitioning t WHERE t.policy = $1
$$;
COMMENT ON FUNCTION assay_internal.make_part(text, timestamptz, timestamptz) IS 'makes one partition of a policy''s decision table; returns how many decisions it took from the default one';

CREATE FUNCTION assay_internal.make_next_part(policy text, move bigint) RETURNS bigint LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	w record;
BEGIN
	SELECT * INTO w FROM assay_internal.wanted_parts(policy) v WHERE v.rows <= move AND NOT coalesce(v.published, false) LIMIT 1;
	IF NOT FOUND THEN
		RETURN 0;
	END IF;
	PERFORM assay_internal.make_part(policy, w.since, w.until);
	RETURN 1;
END $$;
COMMENT ON FUNCTION assay_internal.make_next_part(text, bigint) IS 'makes a partition that is wanted, unless more decisions than that would have to move; returns how many: one or none';

-- Fewer at once than the server has locks for
CREATE FUNCTION assay_internal.make_message_parts(policy text) RETURNS int LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	made int := 0;
	w record;
BEGIN
	FOR w IN SELECT m.since, assay_internal.period_after(m.since, t.period, 1) AS until, t.decision, t.policy,
			400 - (SELECT count(*) FROM assay_internal.decision_parts(t.decision)) AS room
		FROM assay.partitioning t LEFT JOIN assay.retention k ON k.policy = t.policy, assay_internal.message_periods(t.policy, t.at, t.period) m
		WHERE t.policy = make_message_parts.policy AND m.since <= now() AND NOT assay_internal.is_published(t.decision)
			AND (k.decisions IS NULL OR assay_internal.period_after(m.since, t.period, 1) > now() - k.decisions)
			AND NOT EXISTS (SELECT FROM assay_internal.decision_parts(t.decision) d WHERE d.since < assay_internal.period_after(m.since, t.period, 1) AND d.until > m.since)
		ORDER BY m.since DESC LIMIT 50
	LOOP
		EXIT WHEN made >= w.room;
		PERFORM assay_internal.make_part(w.policy, w.since, w.until);
		made := made + 1;
	END LOOP;
	RETURN made;
EXCEPTION WHEN OTHERS THEN
	RAISE WARNING 'decisions go to the default partition: %', SQLERRM;
	RETURN 0;
END $$;
COMMENT ON FUNCTION assay_internal.make_message_parts(text) IS 'makes partitions of times that there are messages of, the latest first, 50 at most; returns how many; an error only warns';

CREATE FUNCTION assay_internal.apply_part_retention(policy text, decisions interval, batch int) RETURNS bigint LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	t assay.partitioning;
BEGIN
	SELECT * INTO STRICT t FROM assay.partitioning q WHERE q.policy = apply_part_retention.policy;
	-- one a transaction: there may be more
	IF assay_internal.drop_part_as_owner(t.decision, now() - decisions) > 0 THEN
		RETURN batch;
	END IF;
	RETURN assay_internal.expire_rest(policy, t.at, now() - decisions, batch);
END $$;
COMMENT ON FUNCTION assay_internal.apply_part_retention(text, interval, int) IS
	'lets go a partition whose time is past, or such decisions of the default one; returns how many of these, or for a partition the batch';

CREATE FUNCTION assay_internal.check_partitions(p assay.policy, OUT severity text, OUT "check" text, OUT detail text, OUT hint text)
	RETURNS SETOF record LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	t assay.partitioning;
	rest regclass;
	kept interval := (SELECT k.decisions FROM assay.retention k WHERE k.policy = p.policy);
	w record;
BEGIN
	SELECT * INTO t FROM assay.partitioning q WHERE q.policy = p.policy;
	IF NOT FOUND OR NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = p.decision) THEN
		RETURN;
	END IF;
	rest := (SELECT d.part FROM assay_internal.decision_parts(p.decision) d WHERE d.until IS NULL);
	IF rest IS NULL THEN
		RETURN QUERY SELECT 'error', 'partitions', format('%s has no default partition: messages of times that no other has stay undecided', p.decision),
			format('CREATE TABLE ... PARTITION OF %s DEFAULT;', p.decision);
	END IF;
	RETURN QUERY
		SELECT 'error', 'partitions', format('%s belongs to another than %s: its triggers run with the rights of the policy''s owner, and it is neither made smaller nor dropped', d.part, p.decision),
			format('ALTER TABLE %s OWNER TO %I;', d.part, p.owner)
		FROM assay_internal.decision_parts(p.decision) d JOIN pg_class c ON c.oid = d.part WHERE NOT pg_has_role(c.relowner, p.owner::name, 'USAGE');
	FOR w IN SELECT count(*) FILTER (WHERE v.ahead BETWEEN 0 AND 1) AS missing, count(*) FILTER (WHERE v.ahead = 0) AS now, sum(v.rows) AS rows,
			coalesce(bool_or(v.published), false) AS published
		FROM assay_internal.wanted_parts(p.policy) v
	LOOP
		IF w.missing > 0 THEN
			RETURN QUERY SELECT 'warning', 'partitions', format('%s has no partition for the %s %s', p.decision, CASE WHEN w.now > 0 THEN 'present' ELSE 'next' END, t.period),
				format('SELECT assay.make_partitions(%L); CALL assay.maintain(), daily, makes them ahead.', p.policy);
		END IF;
		IF w.rows > 0 THEN
			RETURN QUERY SELECT CASE WHEN w.published THEN 'info' ELSE 'warning' END, 'partitions', format('decisions of times that should have a partition lie in %s: %s', rest, w.rows),
				CASE WHEN w.published THEN 'What is published is not moved.'
					ELSE format('SELECT assay.make_partitions(%L) moves them, at a quiet time where they are many.', p.policy) END;
		END IF;
	END LOOP;
	RETURN QUERY
		SELECT 'warning', 'partitions', format('%s partitions are past their retention, the oldest is %s', count(*), (array_agg(d.part ORDER BY d.until))[1]),
			'CALL assay.maintain(), daily, drops them.'
		FROM assay_internal.decision_parts(p.decision) d WHERE d.until < now() - kept - interval '2 days' HAVING count(*) > 0;
EXCEPTION WHEN insufficient_privilege THEN
	-- a reader who may not read the decisions
	RETURN;
WHEN OTHERS THEN
	RETURN QUERY SELECT 'warning', 'partitions', 'it cannot be told what lies in the default partition: ' || SQLERRM, NULL::text;
END $$;
COMMENT ON FUNCTION assay_internal.check_partitions(assay.policy) IS 'has a decision table the partitions that it should have?';

-- functions

CREATE FUNCTION assay.make_partitions(policy text) RETURNS int LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	made int := 0;
	n bigint;
BEGIN
	IF NOT assay_internal.may('reader', policy) IS TRUE THEN
		RAISE EXCEPTION 'policy "%" does not exist', policy USING ERRCODE = 'undefined_object', HINT = assay_internal.policy_hint(policy, 'change');
	END IF;
	IF NOT assay_internal.may('owner', policy) THEN
		RAISE EXCEPTION 'must be owner of policy "%"', policy USING ERRCODE = 'insufficient_privilege';
	END IF;
	IF NOT EXISTS (SELECT FROM assay.partitioning t WHERE t.policy = make_partitions.policy) THEN
		RAISE EXCEPTION 'the decision table of policy "%" is not partitioned', policy USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = 'create_policy(..., partition => ''month'') partitions it from the beginning.';
	END IF;
	-- at most so many locks
	WHILE made < 50 LOOP
		n := assay_internal.make_next_part(policy, 9223372036854775807);
		EXIT WHEN n = 0;
		made := made + n;
	END LOOP;
	RETURN made;
END $$;
COMMENT ON FUNCTION assay.make_partitions(text) IS
	'makes the partitions of now and the next three periods, and those of a thousand decisions and more in the default one, which move there; returns how many; maintain() does it, unless very many have to move';
