-- text_model: a registry of models that learn from a label table
--
-- A text model NAME has two tables and a view beside it, of its owner's like any
-- other: NAME_content is the source's key, time and text; NAME_counted has each
-- message that is counted, with what it added, so that it can be taken out again;
-- NAME_version has a row for each day (UTC) on which labels became known, with
-- what that day changed. The sum of the days before a message's own is the model
-- as it was known when the message came.

-- tables

CREATE TABLE assay.text_model_registry (
	name text PRIMARY KEY CHECK (name <> '' AND octet_length(name) <= 48),
	relation assay_internal.kept_relation NOT NULL,
	counted assay_internal.kept_relation NOT NULL,
	content_view assay_internal.kept_relation NOT NULL,
	source assay_internal.kept_relation NOT NULL,
	content text NOT NULL,
	key_columns text[] NOT NULL,
	at_column text,
	labels assay_internal.kept_relation NOT NULL,
	delay interval NOT NULL,
	half_life interval,
	max_bytes integer NOT NULL,
	-- as of the last assay.learn()
	learned_until timestamptz,
	since date,
	took interval
);
COMMENT ON TABLE assay.text_model_registry IS 'text models that learn; the view assay.text_models shows yours';
COMMENT ON COLUMN assay.text_model_registry.relation IS 'table NAME_version; whoever owns it owns the text model';
COMMENT ON COLUMN assay.text_model_registry.counted IS 'table NAME_counted: the messages that are in the model';
COMMENT ON COLUMN assay.text_model_registry.content_view IS 'view NAME_content: what the model sees of a message';
COMMENT ON COLUMN assay.text_model_registry.source IS 'view or table with the messages';
COMMENT ON COLUMN assay.text_model_registry.content IS 'SQL expression over the source: text, or jsonb of subject, body, headers, urls, tokens';
COMMENT ON COLUMN assay.text_model_registry.key_columns IS 'columns that identify a message, in the source and the label table alike';
COMMENT ON COLUMN assay.text_model_registry.at_column IS 'column of the source with the time from which a message decays';
COMMENT ON COLUMN assay.text_model_registry.labels IS 'table or view with the key, malicious and labelled_at; the latest label of a message counts';
COMMENT ON COLUMN assay.text_model_registry.delay IS 'how long after labelled_at a label counts as known';
COMMENT ON COLUMN assay.text_model_registry.max_bytes IS 'size of the published model';
COMMENT ON COLUMN assay.text_model_registry.learned_until IS 'labels known up to then were looked at';
COMMENT ON COLUMN assay.text_model_registry.since IS 'the first day that the total has; with a half-life, older ones leave it';

-- Without its versions a text model is none.  A temporary table, or a table's toast, is
-- dumped by a name that is another's where it is restored, if anybody's.
SELECT pg_catalog.pg_extension_config_dump('assay.text_model_registry',
	'WHERE EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = relation) AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c
		WHERE c.oid IN (relation, counted, content_view, source, labels) AND (c.relpersistence = ''t'' OR c.relkind <> ALL (''{r,p,v,m,f}'')))');

-- Anybody may read it, as the catalogue, so that it can be dumped. Rows are
-- written by assay_internal.text_model_row() alone: whoever could write the table could lock it.
GRANT SELECT ON assay.text_model_registry TO PUBLIC;

-- private functions

CREATE FUNCTION assay_internal.text_model_learn_as_owner(relation regclass, steps integer) RETURNS bigint
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION assay_internal.text_model_learn_as_owner(regclass, integer) IS 'private: text_model_learn() with the rights of the text model''s owner';

CREATE FUNCTION assay_internal.text_model_row(relation regclass, entry assay.text_model_registry) RETURNS void
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION assay_internal.text_model_row(regclass, assay.text_model_registry) IS
	'private: writes, or without an entry removes, the registry''s row of a table of the caller''s';

CREATE FUNCTION assay_internal.text_model_at_as_owner(relation regclass, at timestamptz) RETURNS assay.text_model
	AS 'MODULE_PATHNAME' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100000;
COMMENT ON FUNCTION assay_internal.text_model_at_as_owner(regclass, timestamptz) IS
	'private: text_model_known() with the rights of the text model''s owner, for who may read its versions';

-- What text_model_row() does, as the registry's owner: it has seen that the
-- caller owns the relation.
CREATE FUNCTION assay_internal.text_model_write_row(relation regclass, entry assay.text_model_registry) RETURNS boolean
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
	AS $$
BEGIN
	IF entry.name IS NULL THEN
		DELETE FROM assay.text_model_registry t WHERE t.relation = $1;
		RETURN FOUND;
	END IF;
	entry.relation := $1;
	UPDATE assay.text_model_registry t SET learned_until = entry.learned_until, since = entry.since, took = entry.took
	WHERE t.name = entry.name AND t.relation = $1;
	IF FOUND THEN
		RETURN true;
	END IF;
	-- Rows of models that were dropped by hand go, but for those that somebody
	-- else is at: nobody waits for him.
	DELETE FROM assay.text_model_registry t WHERE t.name IN (
		SELECT s.name FROM assay.text_model_registry s WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = s.relation)
		FOR UPDATE SKIP LOCKED);
	INSERT INTO assay.text_model_registry VALUES (entry.*) ON CONFLICT (name) DO NOTHING;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'duplicate_object', MESSAGE = format('text model "%s" already exists', entry.name);
	END IF;
	RETURN true;
END $$;
COMMENT ON FUNCTION assay_internal.text_model_write_row(regclass, assay.text_model_registry) IS 'private: writes or removes a row of the registry';
REVOKE ALL ON FUNCTION assay_internal.text_model_write_row(regclass, assay.text_model_registry) FROM PUBLIC;

-- The registry's row of a text model
CREATE FUNCTION assay_internal.text_model_named(name text) RETURNS assay.text_model_registry
	LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	r assay.text_model_registry;
BEGIN
	IF name IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'name must not be null';
	END IF;
	SELECT * INTO r FROM assay.text_model_registry t WHERE t.name = $1 AND EXISTS (SELECT FROM pg_class c WHERE c.oid = t.relation);
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('text model "%s" does not exist', name),
			HINT = 'The view assay.text_models lists yours.';
	END IF;
	RETURN r;
END $$;
COMMENT ON FUNCTION assay_internal.text_model_named(text) IS 'private: the registry''s row of a text model';

-- What a message adds; NULL where its content or its time is none that a message
-- has, so that no message keeps a model from learning others.
CREATE FUNCTION assay_internal.text_model_tried(label boolean, content anyelement, weight float8, at timestamptz, half_life interval) RETURNS assay.text_model
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 600 SET search_path = pg_catalog, pg_temp
	AS $$
BEGIN
	RETURN assay.text_model_of(label, content, weight, at, half_life);
EXCEPTION
	WHEN data_exception OR datatype_mismatch THEN
		RETURN NULL;
END $$;
COMMENT ON FUNCTION assay_internal.text_model_tried(boolean, anyelement, float8, timestamptz, interval) IS
	'private: text_model_of(), or null where the content can''t be a message''s';

-- The statement that folds into NAME_counted what differs between it and the
-- labels known at $1, and gives what that changes: one row (plus, minus, changes,
-- odd messages, key of one of them). $3 is the model so far: a message's margin
-- is that of a model that has not seen it.
--
-- Of a past step it is the labels that became known since $2, so that a history
-- of many steps takes no look at all labels in each. The last step, of today,
-- compares all of them: what was missed, is gone or no longer the latest label.
--
-- With a half-life, what is twelve of them older than the latest message ($4, or
-- one that comes) weighs less than 1/4096 and is left out: sums in landmark form
-- can't span any time; so is what is that much older than its own label. No
-- message came after it was labelled.
--
-- A label from before the floor is none, and no time is reckoned from there:
-- where timestamps begin, there is none that much earlier.
-- A message whose content or time can't be one's is counted, with nothing ($5),
-- and never tried again.
--
-- The content is joined by an inner join: an outer one would have it computed for
-- every message of the source before it finds those that changed.
CREATE FUNCTION assay_internal.text_model_statement(r assay.text_model_registry, everything boolean) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT replace(replace(replace(replace(replace(replace(replace(replace(replace(replace('WITH latest AS (
  SELECT DISTINCT ON ({key}) {key}, labelled_at, malicious FROM {labels}
  WHERE labelled_at >= {floor} AND CASE WHEN labelled_at <= $1 THEN labelled_at + {delay} <= $1 AND {since} END
  ORDER BY {key}, labelled_at DESC, malicious DESC NULLS LAST),
changed AS MATERIALIZED (
  SELECT {key}, l.labelled_at, l.malicious, c.added AS before, c.malicious IS NULL AS is_new
  FROM latest l {join} JOIN {counted} c USING ({key})
  WHERE l.malicious IS DISTINCT FROM c.malicious AND ($2 IS NULL OR l.labelled_at > c.labelled_at OR c.labelled_at IS NULL)),
seen AS MATERIALIZED (
  SELECT {key}, m.content, m.at FROM changed JOIN {content} m USING ({key})),
dated AS (
  SELECT h.*, m.content, least(m.at, h.labelled_at) AS at,
    greatest($4, {floor}, max(least(m.at, h.labelled_at)) OVER ()) - 12 * {half_life} AS horizon
  FROM changed h LEFT JOIN seen m USING ({key})),
message AS MATERIALIZED (
  SELECT {key}, labelled_at, malicious, content IS NOT NULL OR malicious IS NULL AS found,
    CASE WHEN coalesce((assay.text_model_info(before)).last > horizon, true) THEN before END AS before,
    CASE WHEN odd THEN $5 ELSE tried END AS added, odd,
    CASE WHEN is_new AND NOT odd THEN assay.text_margin($3, content) END AS margin
  FROM dated CROSS JOIN LATERAL (
    SELECT assay_internal.text_model_tried(malicious, content,
      coalesce(at > greatest(horizon, greatest(labelled_at, {floor}) - 12 * {half_life}), true)::int, at, {half_life}) AS tried OFFSET 0) t
  CROSS JOIN LATERAL (SELECT tried IS NULL AND malicious IS NOT NULL AND content IS NOT NULL AS odd) o),
gone AS (
  DELETE FROM {counted} c USING message m WHERE {same} AND m.malicious IS NULL AND m.found),
written AS (
  INSERT INTO {counted} ({key}, labelled_at, malicious, margin, added)
  SELECT {key}, labelled_at, malicious, margin, added FROM message WHERE malicious IS NOT NULL AND found
  ON CONFLICT ({key}) DO UPDATE SET labelled_at = EXCLUDED.labelled_at, malicious = EXCLUDED.malicious, added = EXCLUDED.added)
SELECT assay.text_model_agg(added) AS plus, assay.text_model_agg(before) AS minus, count(*) AS changes,
  count(*) FILTER (WHERE odd) AS odd, min(left(concat_ws('', '', {key}), 100) COLLATE "C") FILTER (WHERE odd) AS one
FROM message WHERE found',
		'{key}', (SELECT string_agg(quote_ident(k), ', ' ORDER BY i) FROM unnest(r.key_columns) WITH ORDINALITY u(k, i))),
		'{same}', (SELECT string_agg(format('c.%1$I = m.%1$I', k), ' AND ' ORDER BY i) FROM unnest(r.key_columns) WITH ORDINALITY u(k, i))),
		'{labels}', r.labels::text), '{counted}', r.counted::text), '{content}', r.content_view::text),
		'{floor}', quote_literal('3000-01-01 00:00+00 BC') || '::timestamptz'),
		'{delay}', quote_literal(r.delay) || '::interval'),
		'{half_life}', coalesce(quote_literal(r.half_life), 'NULL') || '::interval'),
		'{since}', CASE WHEN everything THEN 'true' ELSE format('labelled_at + %L::interval > $2', r.delay) END),
		'{join}', CASE WHEN everything THEN 'FULL' ELSE 'LEFT' END)
	$$;
COMMENT ON FUNCTION assay_internal.text_model_statement(assay.text_model_registry, boolean) IS
	'private: the statement that folds into a text model the labels of a step, or whatever differs from them';

-- Write what a day changed, and the calibration after it, by the margins that
-- messages had before they were counted. Without a half-life, a sum is the same
-- however it is made: its model is published at once, while it is at hand, where
-- there is a total. Who scores a history asks for that of each day.
CREATE FUNCTION assay_internal.text_model_write(r assay.text_model_registry, today date, delta assay.text_model, total assay.text_model, changes bigint)
	RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	margins real[];
	labels boolean[];
	slope float8;
	intercept float8;
BEGIN
	EXECUTE format('SELECT array_agg(margin), array_agg(malicious) FROM (
			SELECT margin, malicious FROM %s WHERE margin IS NOT NULL ORDER BY labelled_at DESC LIMIT 5000) c', r.counted)
		INTO margins, labels;
	IF (SELECT count(*) FILTER (WHERE l) >= 20 AND count(*) FILTER (WHERE NOT l) >= 20 FROM unnest(labels) l) THEN
		BEGIN
			SELECT i.slope, i.intercept INTO slope, intercept
			FROM assay.text_model_info(assay.text_model_calibrate(assay.text_model_of(true, '', 0), margins, labels)) i;
		EXCEPTION WHEN data_exception THEN
			NULL; -- margins that go the wrong way round calibrate nothing
		END;
	END IF;
	EXECUTE format('INSERT INTO %s AS v (day, delta, published, slope, intercept, changes) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (day) DO UPDATE SET delta = v.delta OPERATOR(assay.+) EXCLUDED.delta, published = EXCLUDED.published,
			slope = EXCLUDED.slope, intercept = EXCLUDED.intercept, changes = v.changes + EXCLUDED.changes',
		r.relation) USING today, delta,
			CASE WHEN r.half_life IS NULL AND total IS NOT NULL THEN assay_internal.text_model_published(total, r.max_bytes, slope, intercept) END, slope, intercept, changes;
END $$;
COMMENT ON FUNCTION assay_internal.text_model_write(assay.text_model_registry, date, assay.text_model, assay.text_model, bigint) IS 'private: write what a day changed in a text model';

-- The published form, calibrated where that is known
CREATE FUNCTION assay_internal.text_model_published(total assay.text_model, max_bytes integer, slope float8, intercept float8) RETURNS assay.text_model
	LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT CASE WHEN slope IS NULL THEN assay.text_model_publish(total, max_bytes)
		ELSE assay.text_model_calibrate(assay.text_model_publish(total, max_bytes), slope, intercept) END
	$$;
COMMENT ON FUNCTION assay_internal.text_model_published(assay.text_model, integer, float8, float8) IS 'private: the published form of a sum, calibrated';

-- The days on which what became known between two moments is folded in: each on
-- which there are labels, or, where these are more than there may be steps, the
-- last days of as many spans with equally many labels; and today in any case.
-- A version has all labels up to the end of its day, so that with fewer of them
-- a message is judged by an older one, and never by a label of its own day.
CREATE FUNCTION assay_internal.text_model_days(labels regclass, delay interval, since timestamptz, until timestamptz, steps integer) RETURNS SETOF date
	LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 100 SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	statement text := replace('WITH label_day AS (
  SELECT (least(l.labelled_at + $1, $3) AT TIME ZONE ''UTC'')::date AS day, count(*) AS labels FROM {labels} l
  WHERE l.labelled_at >= ''3000-01-01 00:00+00 BC'' AND CASE WHEN l.labelled_at <= $3 THEN l.labelled_at + $1 > $2 AND l.labelled_at + $1 <= $3 END
  GROUP BY 1 HAVING (least(l.labelled_at + $1, $3) AT TIME ZONE ''UTC'')::date < ($3 AT TIME ZONE ''UTC'')::date),
span AS (
  SELECT d.day, CASE WHEN count(*) OVER () < $4 THEN row_number() OVER w
    ELSE ceil(($4 - 1) * sum(d.labels) OVER w / sum(d.labels) OVER ()) END AS number
  FROM label_day d WINDOW w AS (ORDER BY d.day))
SELECT max(s.day) AS day FROM span s GROUP BY s.number
UNION SELECT ($3 AT TIME ZONE ''UTC'')::date ORDER BY day', '{labels}', labels::text);
BEGIN
	-- the labels may be another's table, whose columns may get another type
	PERFORM assay_internal.check_trusted(statement, 'text model', false);
	RETURN QUERY EXECUTE statement USING delay, since, until, steps;
END $$;
COMMENT ON FUNCTION assay_internal.text_model_days(regclass, interval, timestamptz, timestamptz, integer) IS
	'private: the days on which a text model gets a version, of what became known between two moments, so many at most';

-- Fold in what has become known since, day by day; as the owner, who holds a
-- lock on the versions meanwhile: one learns at a time, and anybody may read.
CREATE FUNCTION assay_internal.text_model_learn(relation regclass, steps integer) RETURNS bigint
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	r assay.text_model_registry;
	started timestamptz;
	statement text;
	known timestamptz;
	now_known timestamptz;
	is_last boolean;
	today date;
	steps_left bigint;
	last_day date;
	nothing assay.text_model;
	total assay.text_model;
	plus assay.text_model;
	minus assay.text_model;
	latest timestamptz;
	changes bigint;
	all_changes bigint := 0;
	odd bigint;
	all_odd bigint := 0;
	odd_key text;
	one_odd text;
	gone record;
BEGIN
	IF (SELECT c.relowner FROM pg_class c WHERE c.oid = $1) <> (SELECT u.oid FROM pg_roles u WHERE u.rolname = current_user) THEN
		RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = 'text_model_learn() runs as the owner of the text model',
			HINT = 'Call assay.learn().';
	END IF;
	IF steps < 2 THEN
		RAISE EXCEPTION USING ERRCODE = 'numeric_value_out_of_range', MESSAGE = 'steps must be at least 2',
			HINT = 'It is how many versions of the model one call may make of labels of many days.';
	END IF;
	EXECUTE format('LOCK TABLE %s IN SHARE UPDATE EXCLUSIVE MODE', $1);
	SELECT * INTO r FROM assay.text_model_registry t WHERE t.relation = $1;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('%s is not the version table of a text model', $1);
	END IF;
	SELECT v.what, v.column_name INTO gone
	FROM (VALUES ('view of contents', 'content_view', r.content_view), ('label table', 'labels', r.labels), ('table of counted messages', 'counted', r.counted)) v(what, column_name, oid)
	WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = v.oid);
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_table',
			MESSAGE = format('the %s of text model "%s" does not exist any more', gone.what, r.name),
			HINT = format('Restore it, and a superuser does UPDATE assay.text_model_registry SET %s = ... WHERE name = %L; assay.drop_text_model(%2$L) takes along what it has learned.',
				gone.column_name, r.name);
	END IF;
	PERFORM assay_internal.check_trusted_view(r.content_view, 'text model');
	-- Labels that transactions before this one's lock committed are seen below.
	started := clock_timestamp();
	statement := assay_internal.text_model_statement(r, false);
	nothing := assay.text_model_of(true, '', 0, '2000-01-01 00:00+00', r.half_life);
	EXECUTE format('SELECT v.day, v.total FROM %s v ORDER BY v.day DESC LIMIT 1', r.relation) INTO last_day, total;

	known := coalesce(CASE WHEN total IS NOT NULL THEN r.learned_until END, '-infinity');
	FOR today, steps_left IN SELECT d, row_number() OVER (ORDER BY d DESC)
		FROM assay_internal.text_model_days(r.labels, r.delay, known, started, steps) d ORDER BY d
	LOOP
		latest := (assay.text_model_info(total)).last;
		IF latest - r.since::timestamp AT TIME ZONE 'UTC' > 20 * r.half_life THEN
			r.since := ((latest - 12 * r.half_life) AT TIME ZONE 'UTC')::date;
			EXECUTE format('SELECT assay.text_model_agg(v.delta) FROM %s v WHERE v.day >= $1', r.relation) INTO total USING r.since;
		END IF;
		now_known := least(started, ((today + 1)::timestamp AT TIME ZONE 'UTC') - interval '1 microsecond');
		is_last := today = (started AT TIME ZONE 'UTC')::date;
		IF is_last THEN
			statement := assay_internal.text_model_statement(r, true);
		END IF;
		PERFORM assay_internal.check_trusted(statement, 'text model', false);
		BEGIN
			EXECUTE statement INTO plus, minus, changes, odd, odd_key USING now_known, CASE WHEN NOT is_last THEN known END, total, latest, nothing;
		EXCEPTION WHEN cardinality_violation THEN
			EXECUTE (SELECT format('SELECT left(concat_ws('', '', %1$s), 100) FROM %2$s GROUP BY %1$s HAVING count(*) > 1 ORDER BY %1$s LIMIT 1', string_agg(quote_ident(k), ', ' ORDER BY i), r.content_view)
				FROM unnest(r.key_columns) WITH ORDINALITY u(k, i)) INTO odd_key;
			-- or the content itself is to blame
			IF odd_key IS NULL THEN
				RAISE;
			END IF;
			RAISE EXCEPTION USING ERRCODE = 'cardinality_violation', MESSAGE = format('text model "%s" finds two messages with the key (%s)', r.name, odd_key),
				HINT = format('%s must have one row for each key: it is made of %s.', r.content_view, r.source);
		END;
		known := now_known;
		CONTINUE WHEN changes = 0;
		all_odd := all_odd + odd;
		one_odd := coalesce(one_odd, odd_key);
		all_changes := all_changes + changes;
		plus := coalesce(plus, nothing) OPERATOR(assay.-) coalesce(minus, nothing);
		today := greatest(today, last_day);
		-- the last day of a month keeps its total, from which later days are summed
		IF date_trunc('month', last_day) < date_trunc('month', today) THEN
			EXECUTE format('UPDATE %s SET total = $1 WHERE day = $2', r.relation) USING total, last_day;
		END IF;
		-- what is so much older weighs nothing, and can't be added to
		IF (assay.text_model_info(plus)).last - latest > 20 * r.half_life THEN
			r.since := today;
			total := NULL;
		END IF;
		total := coalesce(total, nothing) OPERATOR(assay.+) plus;
		r.since := coalesce(r.since, today);
		-- What would not stay published below is not, since each takes max_bytes; today may bring nothing.
		PERFORM assay_internal.text_model_write(r, today, plus, CASE WHEN steps_left <= 129 THEN total END, changes);
		last_day := today;
	END LOOP;

	-- Besides, the latest day alone has its total, and the model to score with.
	IF all_changes > 0 THEN
		EXECUTE format('UPDATE %s SET total = NULL WHERE total IS NOT NULL AND day < $1 AND date_trunc(''month'', day) = date_trunc(''month'', $1)',
			r.relation) USING last_day;
		EXECUTE format('UPDATE %s SET total = $1, published = coalesce(published, assay_internal.text_model_published($1, $2, slope, intercept)) WHERE day = $3',
			r.relation) USING total, r.max_bytes, last_day;
		-- The messages of the latest day are judged by the version before it: that lies there ready, too.
		EXECUTE format('UPDATE %s SET published = coalesce(published, assay_internal.text_model_known($1, $2::timestamp AT TIME ZONE ''UTC''))
			WHERE day = (SELECT max(b.day) FROM %1$s b WHERE b.day < $2)', r.relation) USING r.relation, last_day;
		-- Those of the past stay, for whoever scores a history; not all, since each takes max_bytes.
		EXECUTE format('UPDATE %s SET published = NULL WHERE published IS NOT NULL AND day < (SELECT b.day FROM %1$s b ORDER BY b.day DESC OFFSET 127 LIMIT 1)',
			r.relation);
	END IF;

	IF all_odd > 0 THEN
		RAISE WARNING USING ERRCODE = 'data_exception',
			MESSAGE = format('%s labelled message%s taught text model "%s" nothing', all_odd, CASE WHEN all_odd > 1 THEN 's' END, r.name),
			DETAIL = format('The content or the time is none that a message has; one has the key (%s).', one_odd),
			HINT = format('Let assay.text_model_of() take its content from %s to see what is wrong with it.', r.content_view);
	END IF;
	r.learned_until := started;
	r.took := clock_timestamp() - started;
	PERFORM assay_internal.text_model_row($1, r);
	RETURN all_changes;
END $$;
COMMENT ON FUNCTION assay_internal.text_model_learn(regclass, integer) IS 'private: fold the labels known since into a text model';

-- functions

CREATE FUNCTION assay.learn(name text, steps integer DEFAULT 100) RETURNS bigint
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
	AS $$
BEGIN
	IF steps IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'steps must not be null';
	END IF;
	RETURN assay_internal.text_model_learn_as_owner((assay_internal.text_model_named(name)).relation, steps);
END $$;
COMMENT ON FUNCTION assay.learn(text, integer) IS
	'fold into a text model the labels known since, day by day or in so many steps, and take out those that are gone; the number of messages that changed';

-- As the owner: the table is his, with columns of whatever types and casts.
CREATE FUNCTION assay_internal.text_model_known(relation regclass, at timestamptz) RETURNS assay.text_model
	LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE COST 100000 SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	r assay.text_model_registry;
	last_day date;
	published assay.text_model;
	slope float8;
	intercept float8;
	total assay.text_model;
BEGIN
	SELECT * INTO r FROM assay.text_model_registry t WHERE t.relation = $1;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('%s is not the version table of a text model', $1);
	END IF;
	EXECUTE format('SELECT v.day, v.published, v.slope, v.intercept FROM %s v
			WHERE v.day < ($1 AT TIME ZONE ''UTC'')::date ORDER BY v.day DESC LIMIT 1', r.relation)
		INTO last_day, published, slope, intercept USING at;
	IF last_day IS NULL OR published IS NOT NULL THEN
		RETURN published;
	END IF;
	-- the last total before, and the days since
	EXECUTE format('SELECT assay.text_model_agg(model) FROM (
			SELECT m.model, (assay.text_model_info(m.model)).last, max((assay.text_model_info(m.model)).last) OVER () AS latest
			FROM %1$s v CROSS JOIN LATERAL coalesce(v.total, v.delta) m(model)
			WHERE v.day <= $1 AND v.day >= coalesce((SELECT max(b.day) FROM %1$s b WHERE b.day <= $1 AND b.total IS NOT NULL), ''-infinity'')) x
			WHERE coalesce(last > latest - 12 * $2, true)', r.relation)
		INTO total USING last_day, r.half_life;
	RETURN assay_internal.text_model_published(total, r.max_bytes, slope, intercept);
END $$;
COMMENT ON FUNCTION assay_internal.text_model_known(regclass, timestamptz) IS 'private: a text model as it was known before the day (UTC) of a moment';

CREATE FUNCTION assay.text_model_at(name text, at timestamptz DEFAULT 'infinity') RETURNS assay.text_model
	AS 'MODULE_PATHNAME' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100000;
COMMENT ON FUNCTION assay.text_model_at(text, timestamptz) IS 'a text model as it was known before the day (UTC) of a moment; without one, as it is now';

CREATE FUNCTION assay.create_text_model(name text, source regclass, content text, labels regclass, key text[] DEFAULT NULL,
	at text DEFAULT NULL, delay interval DEFAULT '0', half_life interval DEFAULT NULL, max_bytes integer DEFAULT 1048576,
	schema text DEFAULT current_schema(), search_path text DEFAULT current_setting('search_path')) RETURNS regclass
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	keys text;
	content_type regtype;
	content_view text;
	counted text;
	versions text;
	query text;
	wrong record;
BEGIN
	IF name IS NULL OR source IS NULL OR content IS NULL OR labels IS NULL OR delay IS NULL OR max_bytes IS NULL OR search_path IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'a text model needs a name, a source, a content, labels, a delay and a size';
	ELSIF schema IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_schema_name', MESSAGE = 'no schema has been selected to create in';
	ELSIF name = '' OR octet_length(name) > 48 THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'the name of a text model has 1 to 48 bytes',
			HINT = 'Names of what belongs to it are made from it.';
	ELSIF max_bytes < 1024 THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'max_bytes must be at least 1024';
	ELSIF delay < interval '0' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'a delay must not be negative';
	END IF;
	IF EXISTS (SELECT FROM pg_class c WHERE c.oid IN (source, labels) AND c.relpersistence = 't') OR
		schema IN ('pg_temp', (SELECT n.nspname FROM pg_namespace n WHERE n.oid = pg_my_temp_schema())) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_table_definition', MESSAGE = 'a text model must not have temporary tables',
			HINT = 'text_model_agg(boolean, text) builds a model without tables.';
	END IF;
	content_view := format('%I.%I', schema, name || '_content');
	counted := format('%I.%I', schema, name || '_counted');
	versions := format('%I.%I', schema, name || '_version');
	-- raises where the half-life is out of range
	PERFORM assay.text_model_of(true, '', 1, '2000-01-01 00:00+00', half_life);

	-- By default a label's primary key is its message's, and the time.
	key := coalesce(key, (
		SELECT array_agg(a.attname::text ORDER BY array_position(i.indkey::int2[], a.attnum))
		FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
		WHERE i.indrelid = labels AND i.indisprimary AND a.attname <> 'labelled_at'));
	IF key IS NULL OR cardinality(key) = 0 OR array_position(key, NULL) IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('label table %s has no primary key to find its messages by', labels),
			HINT = 'Give the columns that both have in key.';
	ELSIF key && '{labelled_at,malicious,margin,added,before,is_new,found,content,at,horizon,tried,odd}' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'a key may not have columns called labelled_at, malicious, margin, added, before, is_new, found, content, at, horizon, tried or odd',
			HINT = 'Make views that call them otherwise.';
	END IF;
	keys := (SELECT string_agg(quote_ident(k), ', ' ORDER BY i) FROM unnest(key) WITH ORDINALITY u(k, i));

	-- Names in the content are looked up where the caller looks, once: not for what others have put there.
	query := format('SELECT %s, %s AS at, (%s
		) AS content FROM %s', keys, coalesce(quote_ident(at), 'NULL') || '::pg_catalog.timestamptz', content, source);
	PERFORM set_config('search_path', search_path, true);
	PERFORM assay_internal.check_trusted(query, 'text model');
	EXECUTE pg_catalog.concat('CREATE VIEW ', content_view, ' AS ', query);
	PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
	SELECT a.atttypid INTO content_type FROM pg_attribute a WHERE a.attrelid = content_view::regclass AND a.attname = 'content';
	IF content_type <> ALL ('{text,jsonb}'::regtype[]) THEN
		RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch', MESSAGE = format('the content of a message is of type %s, not text or jsonb', content_type);
	END IF;
	EXECUTE format('CREATE TABLE %s AS SELECT %s, labelled_at, malicious FROM %s WITH NO DATA', counted, keys, labels);
	SELECT a.attname, w.type INTO wrong FROM (VALUES ('labelled_at', 'timestamptz'::regtype), ('malicious', 'boolean')) w(attname, type)
		JOIN pg_attribute a ON a.attrelid = counted::regclass AND a.attname = w.attname AND a.atttypid <> w.type LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch', MESSAGE = format('column %I of label table %s is not of type %s', wrong.attname, labels, wrong.type);
	END IF;
	EXECUTE format('ALTER TABLE %s ADD PRIMARY KEY (%s), ALTER labelled_at SET NOT NULL, ALTER malicious SET NOT NULL,
		ADD margin real, ADD added assay.text_model NOT NULL', counted, keys);
	EXECUTE format('CREATE TABLE %s (day date PRIMARY KEY, delta assay.text_model NOT NULL, total assay.text_model,
		published assay.text_model, slope float8, intercept float8, changes bigint NOT NULL)', versions);
	EXECUTE format('COMMENT ON VIEW %s IS %L', content_view, format('what the text model %s sees of a message', name));
	EXECUTE format('COMMENT ON TABLE %s IS %L', counted, format('messages that the text model %s has counted, with what each added', name));
	EXECUTE format('COMMENT ON TABLE %s IS %L', versions, format('the text model %s: what each day (UTC) changed', name));
	PERFORM assay_internal.text_model_row(versions::regclass, ROW(name, versions::regclass, counted::regclass, content_view::regclass, source, content,
		key, at, labels, delay, half_life, max_bytes, NULL, NULL, NULL)::assay.text_model_registry);
	RETURN versions::regclass;
END $$;
COMMENT ON FUNCTION assay.create_text_model(text, regclass, text, regclass, text[], text, interval, interval, integer, text, text)
	IS 'register a text model that learns from a label table; assay.learn() folds the labels in';

CREATE FUNCTION assay.drop_text_model(name text) RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	r assay.text_model_registry := assay_internal.text_model_named(name);
	view regclass;
	counted regclass;
BEGIN
	PERFORM assay_internal.text_model_row(r.relation, NULL);
	-- What has changed hands since is not the model's any more.
	SELECT max(c.oid) FILTER (WHERE c.oid = r.content_view), max(c.oid) FILTER (WHERE c.oid = r.counted) INTO view, counted
	FROM pg_class c JOIN pg_class o ON o.relowner = c.relowner
	WHERE o.oid = r.relation AND c.oid IN (r.content_view, r.counted);
	IF view IS NOT NULL THEN
		EXECUTE format('DROP VIEW %s', view);
	END IF;
	IF counted IS NOT NULL THEN
		EXECUTE format('DROP TABLE %s', counted);
	END IF;
	EXECUTE format('DROP TABLE %s', r.relation);
END $$;
COMMENT ON FUNCTION assay.drop_text_model(text) IS 'drop a text model with its tables and view';

-- views

CREATE VIEW assay.text_models WITH (security_invoker = true) AS
	SELECT r.name, r.source::pg_catalog.regclass, r.content, r.labels::pg_catalog.regclass, r.key_columns AS key, r.at_column AS at, r.delay, r.half_life, r.max_bytes,
		r.relation::pg_catalog.regclass AS versions, pg_catalog.pg_total_relation_size(r.relation) AS bytes, r.learned_until, r.took
	FROM assay.text_model_registry r
	JOIN pg_catalog.pg_class c ON c.oid = r.relation
	WHERE pg_catalog.pg_has_role(c.relowner, 'USAGE');
GRANT SELECT ON assay.text_models TO PUBLIC;
COMMENT ON VIEW assay.text_models IS 'text models of yours that learn: where from, and how far';
COMMENT ON COLUMN assay.text_models.bytes IS 'size of the versions on disk';
COMMENT ON COLUMN assay.text_models.learned_until IS 'labels known up to then were looked at';
