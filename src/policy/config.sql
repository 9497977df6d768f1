-- ---------------------------------------------------------------------------
-- policy: the configuration, and who may see and change it
--
-- The tables are in schema assay_internal, which nobody but the extension's
-- owner writes to.  In schema assay there is a view of each by the same name,
-- which shows the rows of policies that the user may read, and lets those be
-- changed that it may change (check_right below).  Row-level security would
-- do the same, but pg_dump refuses tables that have it.
--
-- No foreign keys: pg_restore loads the tables in any order, several at once.
-- ---------------------------------------------------------------------------

-- tables

CREATE TABLE assay_internal.policy (
	policy text PRIMARY KEY CHECK (policy <> ''),
	signals text NOT NULL CHECK (cardinality(parse_ident(signals)) = 2),
	signals_view assay_internal.kept_relation,
	key text[] NOT NULL CHECK (array_ndims(key) = 1 AND array_position(key, NULL) IS NULL),
	decision assay_internal.kept_relation NOT NULL,
	label assay_internal.kept_relation NOT NULL,
	access assay_internal.kept_relation,
	created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE assay_internal.policy IS 'policies: what they read and where they write; a policy belongs to the owner of its decision table';
COMMENT ON COLUMN assay_internal.policy.signals IS 'name of the signals view, qualified and quoted';
COMMENT ON COLUMN assay_internal.policy.signals_view IS 'the view that had that name; read where nothing has the name any more';
COMMENT ON COLUMN assay_internal.policy.key IS 'columns that identify a message, in view, message, decision and label table alike';
COMMENT ON COLUMN assay_internal.policy.access IS 'view <policy>_policy, whose privileges say who may read (SELECT), build (INSERT) and publish (UPDATE)';

CREATE TABLE assay_internal.revision (
	policy text NOT NULL,
	revision int NOT NULL CHECK (revision > 0),
	made_at timestamptz NOT NULL DEFAULT now(),
	made_by text NOT NULL DEFAULT session_user,
	summary text NOT NULL,
	prior float8 NOT NULL CHECK (abs(prior) <= 1000),
	thresholds jsonb NOT NULL,
	default_verdict text NOT NULL,
	on_error text NOT NULL CHECK (on_error IN ('degrade', 'raise')),
	log_signals boolean NOT NULL,
	search_path text NOT NULL,
	notify text[] NOT NULL DEFAULT '{}',
	on_unreadable text,
	PRIMARY KEY (policy, revision)
);
COMMENT ON TABLE assay_internal.revision IS 'each committed state of each policy: who, when, what, and the settings in force';
COMMENT ON COLUMN assay_internal.revision.search_path IS 'search_path of conditions and of the signals query';
COMMENT ON COLUMN assay_internal.revision.notify IS 'verdicts of which the trigger sends a notification on the channel assay_<policy>';
COMMENT ON COLUMN assay_internal.revision.on_unreadable IS 'the least verdict of a message that is decided without some of its evidence; NULL: none';

CREATE TABLE assay_internal.detector_model (
	policy text NOT NULL,
	detector text NOT NULL,
	revision int NOT NULL,
	model assay.model,
	text_model text CHECK (text_model <> ''),
	content text,
	PRIMARY KEY (policy, detector, revision),
	CHECK ((model IS NULL) <> (text_model IS NULL)),
	CHECK ((text_model IS NULL) = (content IS NULL))
);
COMMENT ON TABLE assay_internal.detector_model IS 'models of detectors, by the revision that brought them';
COMMENT ON COLUMN assay_internal.detector_model.text_model IS 'name of a text model (assay.text_models), in place of a model';
COMMENT ON COLUMN assay_internal.detector_model.content IS 'SQL expression over the signals: what the text model sees of a message';

CREATE TABLE assay_internal.detector (
	policy text NOT NULL,
	detector text NOT NULL CHECK (detector <> '' AND length(detector) <= 200),
	from_revision int NOT NULL,
	until_revision int CHECK (until_revision > from_revision),
	condition text,
	model_revision int,
	weight float8 NOT NULL CHECK (abs(weight) <= 1000),
	mode text NOT NULL CHECK (mode IN ('draft', 'shadow', 'live', 'retired')),
	force_verdict text,
	expires_at timestamptz,
	rollout float8 NOT NULL CHECK (rollout BETWEEN 0 AND 1),
	severity text,
	tags text[] NOT NULL DEFAULT '{}',
	description text,
	PRIMARY KEY (policy, detector, from_revision),
	CHECK ((condition IS NULL) <> (model_revision IS NULL))
);
-- also where rows are not written by the functions: a builder's draft takes no name of another's
CREATE UNIQUE INDEX detector_current_idx ON assay_internal.detector (policy, detector) WHERE until_revision IS NULL;
COMMENT ON TABLE assay_internal.detector IS 'each state of each detector, with the revisions in which it stood; the view assay.detectors shows the current ones';

CREATE TABLE assay_internal.guard (
	policy text NOT NULL,
	guard text NOT NULL CHECK (guard <> '' AND octet_length(guard) < 64),
	from_revision int NOT NULL,
	until_revision int CHECK (until_revision > from_revision),
	condition text NOT NULL,
	description text,
	PRIMARY KEY (policy, guard, from_revision)
);
CREATE UNIQUE INDEX guard_current_idx ON assay_internal.guard (policy, guard) WHERE until_revision IS NULL;
COMMENT ON TABLE assay_internal.guard IS 'named conditions that detectors and exclusions refer to, evaluated once a message';

CREATE TABLE assay_internal.exclusion (
	policy text NOT NULL,
	exclusion text NOT NULL CHECK (exclusion <> '' AND length(exclusion) <= 200),
	from_revision int NOT NULL,
	until_revision int CHECK (until_revision > from_revision),
	condition text NOT NULL,
	mutes text[],
	verdict text,
	reason text NOT NULL,
	expires_at timestamptz,
	decision_key text[],
	PRIMARY KEY (policy, exclusion, from_revision),
	CHECK (mutes IS NOT NULL OR verdict IS NOT NULL)
);
CREATE UNIQUE INDEX exclusion_current_idx ON assay_internal.exclusion (policy, exclusion) WHERE until_revision IS NULL;
COMMENT ON TABLE assay_internal.exclusion IS 'conditions that mute detectors or force a verdict, against false positives';

CREATE TABLE assay_internal.fault (
	fault bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	at timestamptz NOT NULL DEFAULT clock_timestamp(),
	policy text NOT NULL,
	revision int NOT NULL,
	detector text,
	key text[],
	sqlstate text NOT NULL,
	message text NOT NULL,
	suspended boolean NOT NULL DEFAULT false
);
COMMENT ON SEQUENCE assay_internal.fault_fault_seq IS 'numbers of faults';
CREATE INDEX fault_policy_at_idx ON assay_internal.fault (policy, at);
COMMENT ON TABLE assay_internal.fault IS 'errors that a detector (NULL: the signals view, or the policy as a whole) made on a message, which was decided without it or stayed undecided';

-- Rows are added and deleted only: two sessions with the same key wait for nothing.
CREATE TABLE assay_internal.reused_key (
	policy text NOT NULL,
	key text[] NOT NULL,
	at timestamptz NOT NULL DEFAULT clock_timestamp()
);
ALTER TABLE assay_internal.reused_key REPLICA IDENTITY FULL;
CREATE INDEX reused_key_policy_idx ON assay_internal.reused_key (policy);
COMMENT ON TABLE assay_internal.reused_key IS 'keys that came again while their decision could not be replaced: what was decided until then is about another message';

CREATE TABLE assay_internal.backfill_run (
	run bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	policy text NOT NULL,
	revision int NOT NULL,
	since timestamptz NOT NULL,
	until timestamptz NOT NULL,
	at_column text NOT NULL,
	undecided_only boolean NOT NULL,
	degraded_only boolean NOT NULL,
	expected bigint NOT NULL,
	decided bigint NOT NULL DEFAULT 0,
	degraded bigint NOT NULL DEFAULT 0,
	batches bigint NOT NULL DEFAULT 0,
	last_key text[],
	started_by text NOT NULL,
	started_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	finished_at timestamptz,
	pid int
);
COMMENT ON TABLE assay_internal.backfill_run IS 'backfills and how far they came; the view assay.backfill_progress reads better';
COMMENT ON SEQUENCE assay_internal.backfill_run_run_seq IS 'numbers of backfills';
COMMENT ON COLUMN assay_internal.backfill_run.expected IS 'messages to decide, as the planner estimated them at the start';
COMMENT ON COLUMN assay_internal.backfill_run.last_key IS 'everything up to this key is done';
CREATE INDEX backfill_run_policy_idx ON assay_internal.backfill_run (policy, revision);

-- Whoever owns the database may dump it; to restore takes a superuser, as CREATE EXTENSION does.
GRANT SELECT ON ALL TABLES IN SCHEMA assay_internal TO pg_database_owner;
GRANT SELECT ON SEQUENCE assay_internal.fault_fault_seq, assay_internal.backfill_run_run_seq TO pg_database_owner;

-- A table's toast is dumped by a name that is another's where it is restored, if anybody's,
-- and so is a temporary table.
SELECT pg_catalog.pg_extension_config_dump('assay_internal.policy',
	'WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class c
		WHERE c.oid IN (decision, label, access, signals_view) AND (c.relpersistence = ''t'' OR c.relkind <> ALL (''{r,p,v,m,f}'')))');
SELECT pg_catalog.pg_extension_config_dump('assay_internal.revision', '');
SELECT pg_catalog.pg_extension_config_dump('assay_internal.detector_model', '');
SELECT pg_catalog.pg_extension_config_dump('assay_internal.detector', '');
SELECT pg_catalog.pg_extension_config_dump('assay_internal.guard', '');
SELECT pg_catalog.pg_extension_config_dump('assay_internal.exclusion', '');
SELECT pg_catalog.pg_extension_config_dump('assay_internal.fault', '');
SELECT pg_catalog.pg_extension_config_dump('assay_internal.fault_fault_seq', '');
SELECT pg_catalog.pg_extension_config_dump('assay_internal.reused_key', '');

-- rights

CREATE FUNCTION assay_internal.policy_owner(decision regclass, access regclass, label regclass, signals_view regclass) RETURNS oid
	AS 'MODULE_PATHNAME', 'assay_policy_owner' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.policy_owner(regclass, regclass, regclass, regclass) IS
	'whom a policy belongs to: the owner of its decision table or, where that is gone, of what is left of it; NULL when nothing is';

CREATE FUNCTION assay_internal.may(wanted text, decision regclass, access regclass, label regclass, signals_view regclass) RETURNS boolean
	AS 'MODULE_PATHNAME', 'assay_may' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.may(text, regclass, regclass, regclass, regclass) IS
	'has the current user this right (reader, builder, publisher, owner) on the policy of these objects?';

-- views

-- Who may update a column of a view may lock its rows, and those that it reads where
-- its owner may; who may update or delete all columns, the views and tables
-- themselves.  From these every message is decided, and a policy's author waits for
-- whoever has its rows.  So what is updated or deleted from reads, with the user's
-- own rights, views that nobody may change.  What anybody may delete from anybody may
-- wait for, with others behind him: nothing of ours reads by it.

CREATE VIEW assay_internal.readable_policy WITH (security_barrier) AS
	SELECT p.policy, pg_get_userbyid(assay_internal.policy_owner(p.decision, p.access, p.label, p.signals_view))::text AS owner,
		p.signals, p.signals_view, p.key, p.decision, p.label, p.access, p.created_at
	FROM assay_internal.policy p
	WHERE assay_internal.may('reader', p.decision, p.access, p.label, p.signals_view);
COMMENT ON VIEW assay_internal.readable_policy IS 'what the view assay.policy shows';

CREATE VIEW assay.policy WITH (security_invoker) AS
	SELECT p.policy, p.owner, p.signals, p.signals_view, p.key, p.decision, p.label, p.access, p.created_at FROM assay_internal.readable_policy p;
COMMENT ON VIEW assay.policy IS 'policies that the user may read: who owns them, what they read and where they write';

CREATE FUNCTION assay_internal.may(wanted text, policy text) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce((SELECT assay_internal.may($1, p.decision, p.access, p.label, p.signals_view) FROM assay.policy p WHERE p.policy = $2), false)
$$;
COMMENT ON FUNCTION assay_internal.may(text, text) IS 'has the current user this right (reader, builder, publisher, owner) on the policy?';

CREATE VIEW assay.revision WITH (security_barrier) AS
	SELECT t.policy, t.revision, t.made_at, t.made_by, t.summary, t.prior, t.thresholds, t.default_verdict, t.on_error, t.log_signals, t.search_path, t.notify, t.on_unreadable
	FROM assay_internal.revision t
	WHERE EXISTS (SELECT FROM assay_internal.policy p WHERE p.policy = t.policy
		AND assay_internal.may('reader', p.decision, p.access, p.label, p.signals_view));
COMMENT ON VIEW assay.revision IS 'each committed state of each policy that the user may read';

CREATE VIEW assay.detector_model WITH (security_barrier) AS
	SELECT t.policy, t.detector, t.revision, t.model, t.text_model, t.content
	FROM assay_internal.detector_model t
	WHERE EXISTS (SELECT FROM assay_internal.policy p WHERE p.policy = t.policy
		AND assay_internal.may('reader', p.decision, p.access, p.label, p.signals_view));
COMMENT ON VIEW assay.detector_model IS 'models of detectors, by the revision that brought them';

CREATE VIEW assay_internal.readable_detector WITH (security_barrier) AS
	SELECT t.policy, t.detector, t.from_revision, t.until_revision, t.condition, t.model_revision, t.weight, t.mode, t.force_verdict, t.expires_at, t.rollout, t.severity, t.tags, t.description
	FROM assay_internal.detector t
	WHERE EXISTS (SELECT FROM assay_internal.policy p WHERE p.policy = t.policy
		AND assay_internal.may('reader', p.decision, p.access, p.label, p.signals_view));
COMMENT ON VIEW assay_internal.readable_detector IS 'what the view assay.detector shows';

CREATE VIEW assay.detector WITH (security_invoker) AS
	SELECT t.policy, t.detector, t.from_revision, t.until_revision, t.condition, t.model_revision, t.weight, t.mode, t.force_verdict, t.expires_at, t.rollout, t.severity, t.tags, t.description FROM assay_internal.readable_detector t;
COMMENT ON VIEW assay.detector IS 'each state of each detector, with the revisions in which it stood; the view assay.detectors shows the current ones';

CREATE VIEW assay_internal.readable_guard WITH (security_barrier) AS
	SELECT t.policy, t.guard, t.from_revision, t.until_revision, t.condition, t.description
	FROM assay_internal.guard t
	WHERE EXISTS (SELECT FROM assay_internal.policy p WHERE p.policy = t.policy
		AND assay_internal.may('reader', p.decision, p.access, p.label, p.signals_view));
COMMENT ON VIEW assay_internal.readable_guard IS 'what the view assay.guard shows';

CREATE VIEW assay.guard WITH (security_invoker) AS
	SELECT t.policy, t.guard, t.from_revision, t.until_revision, t.condition, t.description FROM assay_internal.readable_guard t;
COMMENT ON VIEW assay.guard IS 'named conditions, with the revisions in which they stood';

CREATE VIEW assay_internal.readable_exclusion WITH (security_barrier) AS
	SELECT t.policy, t.exclusion, t.from_revision, t.until_revision, t.condition, t.mutes, t.verdict, t.reason, t.expires_at, t.decision_key
	FROM assay_internal.exclusion t
	WHERE EXISTS (SELECT FROM assay_internal.policy p WHERE p.policy = t.policy
		AND assay_internal.may('reader', p.decision, p.access, p.label, p.signals_view));
COMMENT ON VIEW assay_internal.readable_exclusion IS 'what the view assay.exclusion shows';

CREATE VIEW assay.exclusion WITH (security_invoker) AS
	SELECT t.policy, t.exclusion, t.from_revision, t.until_revision, t.condition, t.mutes, t.verdict, t.reason, t.expires_at, t.decision_key FROM assay_internal.readable_exclusion t;
COMMENT ON VIEW assay.exclusion IS 'each state of each exclusion, with the revisions in which it stood; the view assay.exclusions shows the current ones';

-- An error quotes the message that it is about, which a builder sees by the signals view.
CREATE FUNCTION assay_internal.may_read_messages(decision regclass, access regclass, label regclass, signals_view regclass) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT assay_internal.may('builder', $1, $2, $3, $4) OR (coalesce(has_table_privilege($1, 'SELECT'), false) AND NOT row_security_active($1))
$$;
COMMENT ON FUNCTION assay_internal.may_read_messages(regclass, regclass, regclass, regclass) IS
	'may the user know of all messages of the policy of these objects: does nothing hide some of their decisions?';

CREATE VIEW assay_internal.readable_fault WITH (security_barrier) AS
	SELECT t.fault, t.at, t.policy, t.revision, t.detector,
		CASE WHEN has_table_privilege('assay_internal.fault', 'SELECT') OR t.policy IN (SELECT p.policy FROM assay_internal.policy p
			WHERE assay_internal.may_read_messages(p.decision, p.access, p.label, p.signals_view)) THEN t.key END AS key,
		t.sqlstate,
		CASE WHEN has_table_privilege('assay_internal.fault', 'SELECT') OR t.policy IN (SELECT p.policy FROM assay_internal.policy p
			WHERE assay_internal.may_read_messages(p.decision, p.access, p.label, p.signals_view)) THEN t.message
			ELSE '(for who may read all decisions of the policy)' END AS message,
		t.suspended
	FROM assay_internal.fault t
	WHERE EXISTS (SELECT FROM assay_internal.policy p WHERE p.policy = t.policy
		AND assay_internal.may('reader', p.decision, p.access, p.label, p.signals_view))
		OR has_table_privilege('assay_internal.fault', 'SELECT');
COMMENT ON VIEW assay_internal.readable_fault IS 'what the view assay.fault shows';

CREATE VIEW assay.fault WITH (security_invoker) AS
	SELECT t.fault, t.at, t.policy, t.revision, t.detector, t.key, t.sqlstate, t.message, t.suspended FROM assay_internal.readable_fault t;
COMMENT ON VIEW assay.fault IS 'errors of policies that the user may read: of a detector (NULL: of the signals view or of the policy as a whole)';

CREATE VIEW assay_internal.readable_reused_key WITH (security_barrier) AS
	SELECT t.policy, t.key, t.at FROM assay_internal.reused_key t
	WHERE t.policy IN (SELECT p.policy FROM assay_internal.policy p
		WHERE assay_internal.may_read_messages(p.decision, p.access, p.label, p.signals_view));
COMMENT ON VIEW assay_internal.readable_reused_key IS 'the same of policies all of whose messages the user may know';

CREATE VIEW assay_internal.readable_backfill_run WITH (security_barrier) AS
	SELECT t.run, t.policy, t.revision, t.since, t.until, t.at_column, t.undecided_only, t.degraded_only, t.expected, t.decided, t.degraded, t.batches,
		CASE WHEN t.policy IN (SELECT p.policy FROM assay_internal.policy p
			WHERE assay_internal.may_read_messages(p.decision, p.access, p.label, p.signals_view)) THEN t.last_key END AS last_key,
		t.started_by, t.started_at, t.updated_at, t.finished_at, t.pid
	FROM assay_internal.backfill_run t
	WHERE EXISTS (SELECT FROM assay_internal.policy p WHERE p.policy = t.policy
		AND assay_internal.may('reader', p.decision, p.access, p.label, p.signals_view));
COMMENT ON VIEW assay_internal.readable_backfill_run IS 'what the view assay.backfill_run shows';

CREATE VIEW assay.backfill_run WITH (security_invoker) AS
	SELECT t.run, t.policy, t.revision, t.since, t.until, t.at_column, t.undecided_only, t.degraded_only, t.expected, t.decided, t.degraded, t.batches, t.last_key, t.started_by, t.started_at, t.updated_at, t.finished_at, t.pid
	FROM assay_internal.readable_backfill_run t;
COMMENT ON VIEW assay.backfill_run IS 'backfills and how far they came; the view assay.backfill_progress reads better';

CREATE VIEW assay_internal.dropped_policy WITH (security_invoker) AS
	SELECT p.policy FROM assay.policy p;
COMMENT ON VIEW assay_internal.dropped_policy IS 'policies that the user may read, for assay.drop_policy() to drop by an update';

GRANT SELECT, INSERT ON assay_internal.readable_policy, assay_internal.readable_detector, assay_internal.readable_guard, assay_internal.readable_exclusion TO PUBLIC;
GRANT SELECT, INSERT, UPDATE (signals, signals_view, access) ON assay.policy TO PUBLIC;
GRANT SELECT, UPDATE (policy) ON assay_internal.dropped_policy TO PUBLIC;
GRANT SELECT, INSERT ON assay.revision, assay.detector_model TO PUBLIC;
GRANT SELECT, INSERT, UPDATE (until_revision) ON assay.detector, assay.guard, assay.exclusion TO PUBLIC;
GRANT SELECT ON assay_internal.readable_fault, assay_internal.readable_reused_key, assay_internal.readable_backfill_run TO PUBLIC;
GRANT SELECT, DELETE ON assay.fault, assay.backfill_run TO PUBLIC;

-- triggers

CREATE FUNCTION assay_internal.policy_changed() RETURNS trigger
	AS 'MODULE_PATHNAME' LANGUAGE C;
COMMENT ON FUNCTION assay_internal.policy_changed() IS 'tells every backend that a policy changed';

CREATE FUNCTION assay_internal.keep_history() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF TG_OP = 'UPDATE' THEN
		IF TG_TABLE_NAME NOT IN ('revision', 'detector_model')
			AND to_jsonb(OLD) - 'until_revision' = to_jsonb(NEW) - 'until_revision'
			AND to_jsonb(OLD) ->> 'until_revision' IS NULL
		THEN
			RETURN NEW;
		END IF;
	ELSIF TG_OP = 'DELETE' THEN
		-- a policy that is dropped goes with its history
		IF NOT EXISTS (SELECT FROM assay_internal.policy p WHERE p.policy = OLD.policy) THEN
			RETURN OLD;
		END IF;
	END IF;
	RAISE EXCEPTION 'past states of a policy cannot be changed'
		USING ERRCODE = 'object_not_in_prerequisite_state',
			  HINT = 'Change a policy by its functions: each change makes a new revision.';
END $$;
COMMENT ON FUNCTION assay_internal.keep_history() IS 'lets the configuration be closed and continued, never overwritten';

CREATE FUNCTION assay_internal.forget_policy() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	DELETE FROM assay_internal.revision t WHERE t.policy = OLD.policy;
	DELETE FROM assay_internal.detector t WHERE t.policy = OLD.policy;
	DELETE FROM assay_internal.detector_model t WHERE t.policy = OLD.policy;
	DELETE FROM assay_internal.guard t WHERE t.policy = OLD.policy;
	DELETE FROM assay_internal.exclusion t WHERE t.policy = OLD.policy;
	DELETE FROM assay_internal.fault t WHERE t.policy = OLD.policy;
	DELETE FROM assay_internal.reused_key t WHERE t.policy = OLD.policy;
	DELETE FROM assay_internal.backfill_run t WHERE t.policy = OLD.policy;
	DELETE FROM assay_internal.label_rule t WHERE t.policy = OLD.policy;
	DELETE FROM assay_internal.retention t WHERE t.policy = OLD.policy;
	DELETE FROM assay_internal.partitioning t WHERE t.policy = OLD.policy;
	DELETE FROM assay_internal.rollup t WHERE t.policy = OLD.policy;
	DELETE FROM assay_internal.decision_hour t WHERE t.policy = OLD.policy;
	DELETE FROM assay_internal.decision_day t WHERE t.policy = OLD.policy;
	PERFORM assay_internal.forget_stats(OLD.policy);
	RETURN NULL;
END $$;
COMMENT ON FUNCTION assay_internal.forget_policy() IS 'deletes what belongs to a policy that is dropped';

-- A policy is its decision table's owner's.  Numbers of relations that are not
-- there may be another's tomorrow, and those of a temporary one mean nothing in
-- a dump.
CREATE FUNCTION assay_internal.check_policy_relations(decision regclass, label regclass, access regclass, signals_view regclass) RETURNS void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	owner oid := (SELECT c.relowner FROM pg_class c WHERE c.oid = decision AND c.relkind IN ('r', 'p', 'f'));
	r record;
BEGIN
	IF owner IS NULL OR NOT pg_has_role(owner, 'USAGE') THEN
		RAISE EXCEPTION 'a policy needs a decision table of yours' USING ERRCODE = 'insufficient_privilege', HINT = 'assay.create_policy() makes it.';
	END IF;
	FOR r IN SELECT u.what, u.oid, c.relowner, c.relpersistence, c.relkind
		FROM (VALUES ('decision table', decision), ('label table', label), ('view of rights', access), ('signals view', signals_view)) u(what, oid)
		LEFT JOIN pg_class c ON c.oid = u.oid WHERE u.oid IS NOT NULL ORDER BY u.what LOOP
		IF r.relpersistence = 't' THEN
			RAISE EXCEPTION '% of a policy must not be temporary', r.what USING ERRCODE = 'invalid_table_definition';
		ELSIF r.relkind <> ALL ('{r,p,v,m,f}') THEN
			RAISE EXCEPTION '% of a policy must be a table or a view', r.what USING ERRCODE = 'wrong_object_type';
		ELSIF r.relowner IS NULL OR r.relowner <> owner AND r.what <> 'signals view' THEN
			RAISE EXCEPTION '% of a policy must belong to the owner of its decision table', r.what USING ERRCODE = 'insufficient_privilege';
		END IF;
	END LOOP;
END $$;
COMMENT ON FUNCTION assay_internal.check_policy_relations(regclass, regclass, regclass, regclass) IS
	'error unless these relations are there, permanent, and of one owner, as whom the user may act';

-- A superuser may act as anybody, so that whoever made a policy of a name that a superuser's trigger waits for would
-- decide those messages, and could have their INSERT fail.
CREATE FUNCTION assay_internal.refuse_superusers_trigger(policy text) RETURNS void LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	waiting text := (SELECT string_agg(DISTINCT c.oid::regclass::text, ', ') FROM assay_internal.decide_triggers(policy, NULL) t
		JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_roles r ON r.oid = c.relowner WHERE r.rolsuper);
BEGIN
	IF waiting IS NOT NULL THEN
		RAISE EXCEPTION 'policy "%" would decide the messages of a superuser: there is a trigger on %', policy, waiting USING ERRCODE = 'insufficient_privilege',
			HINT = 'Take another name; or a superuser makes the policy, or the trigger after it.';
	END IF;
END $$;
COMMENT ON FUNCTION assay_internal.refuse_superusers_trigger(text) IS
	'error where the trigger of a superuser''s table names a policy that is not there yet, and that who is none would make';

-- What a change takes: a draft or shadow detector a builder, anything that decisions depend on a publisher, and
-- what says whose code runs where the owner.  Nobody writes into the past, leaves out numbers of revisions, or
-- makes one in another's name.  Who may act as the table's owner restores a dump; a privilege alone, as that of
-- pg_write_all_data, is nothing.
CREATE FUNCTION assay_internal.check_right() RETURNS trigger LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	row record := CASE WHEN TG_OP = 'DELETE' OR TG_TABLE_NAME = 'dropped_policy' THEN OLD ELSE NEW END;
	needed text := 'publisher';
	in_time boolean := true;
	latest int;
	in_making boolean;
	r assay.revision;
BEGIN
	IF (SELECT pg_has_role(c.relowner, 'USAGE') FROM pg_class c WHERE c.oid = TG_RELID) THEN
		RETURN row;
	END IF;
	-- Nothing changes: who may change something of the policy takes his turn.
	IF TG_TABLE_NAME = 'policy' AND TG_OP = 'UPDATE' AND NEW IS NOT DISTINCT FROM OLD THEN
		RETURN CASE WHEN assay_internal.may('builder', row.policy) THEN row END;
	END IF;
	-- What was committed is past: messages may have been decided by it.
	SELECT v.revision, v.made_at = now() INTO latest, in_making FROM assay.revision v WHERE v.policy = row.policy ORDER BY v.revision DESC LIMIT 1;
	CASE TG_TABLE_NAME
		WHEN 'policy', 'dropped_policy' THEN
			needed := 'owner';
		WHEN 'revision' THEN
			SELECT * INTO r FROM assay.revision v WHERE v.policy = row.policy ORDER BY v.revision DESC LIMIT 1;
			IF NOT FOUND OR (row.search_path, row.on_error, row.log_signals) IS DISTINCT FROM (r.search_path, r.on_error, r.log_signals) THEN
				needed := 'owner';
			ELSIF (row.prior, row.thresholds, row.default_verdict, row.notify, row.on_unreadable)
				IS NOT DISTINCT FROM (r.prior, r.thresholds, r.default_verdict, r.notify, r.on_unreadable) THEN
				needed := 'builder';
			END IF;
			row.made_at := now();
			row.made_by := session_user;
			in_time := row.revision = coalesce(latest, 0) + 1;
		WHEN 'detector' THEN
			IF row.mode <> 'live' THEN
				needed := 'builder';
			END IF;
		WHEN 'detector_model' THEN
			needed := 'builder';
			in_time := in_making AND row.revision = latest;
		ELSE
			NULL;
	END CASE;
	IF TG_TABLE_NAME IN ('detector', 'guard', 'exclusion') THEN
		in_time := in_making AND CASE TG_OP WHEN 'INSERT' THEN row.from_revision = latest AND row.until_revision IS NULL ELSE row.until_revision = latest END;
	END IF;
	IF TG_TABLE_NAME = 'policy' AND TG_OP <> 'DELETE' THEN
		PERFORM assay_internal.check_policy_relations(row.decision, row.label, row.access, row.signals_view);
		IF cardinality(row.key) = 0 THEN
			RAISE EXCEPTION 'a policy needs a key' USING ERRCODE = 'invalid_parameter_value';
		END IF;
		IF TG_OP = 'INSERT' THEN
			PERFORM assay_internal.refuse_superusers_trigger(row.policy);
		END IF;
		-- of what it was, too: else whoever sees a policy could put a table of its own under it
		IF assay_internal.may(needed, row.decision, row.access, row.label, row.signals_view)
			AND (TG_OP = 'INSERT' OR assay_internal.may(needed, OLD.policy)) THEN
			RETURN row;
		END IF;
	ELSIF assay_internal.may(needed, row.policy) THEN
		IF TG_OP = 'DELETE' OR in_time THEN
			IF TG_OP = 'INSERT' AND TG_TABLE_NAME = 'detector_model' AND NOT assay_internal.may('owner', row.policy) THEN
				-- Nor does a text model come that its author may not read.
				PERFORM assay_internal.check_text_model(row.policy, row.text_model, row.content, TG_TABLE_NAME, false)
				WHERE NOT EXISTS (SELECT FROM assay.detector_model t
					WHERE t.policy = row.policy AND t.text_model = row.text_model AND t.content = row.content);
			END IF;
			IF TG_OP = 'INSERT' AND TG_TABLE_NAME IN ('detector', 'guard', 'exclusion') AND NOT assay_internal.may('owner', row.policy) THEN
				-- By whatever way it comes, a new condition calls nothing that its author may not.
				PERFORM assay_internal.check_condition(row.policy, row.condition, TG_TABLE_NAME, TG_TABLE_NAME <> 'guard', false)
				WHERE NOT EXISTS (SELECT FROM assay.detector t WHERE TG_TABLE_NAME = 'detector' AND t.policy = row.policy AND t.condition = row.condition
					UNION ALL SELECT FROM assay.guard t WHERE TG_TABLE_NAME = 'guard' AND t.policy = row.policy AND t.condition = row.condition
					UNION ALL SELECT FROM assay.exclusion t WHERE TG_TABLE_NAME = 'exclusion' AND t.policy = row.policy AND t.condition = row.condition);
			END IF;
			RETURN row;
		END IF;
		RAISE EXCEPTION 'past and future states of a policy cannot be written' USING ERRCODE = 'insufficient_privilege',
			HINT = 'Change a policy by its functions: each change makes a new revision.';
	END IF;
	RAISE EXCEPTION 'permission denied for policy "%"', row.policy USING ERRCODE = 'insufficient_privilege',
		DETAIL = format('It takes the right of %s.', CASE needed WHEN 'owner' THEN 'its owner' ELSE 'a ' || needed END),
		HINT = 'assay.grant_access() gives rights; the view assay.access shows them.';
END $$;
COMMENT ON FUNCTION assay_internal.check_right() IS 'error unless the user may make this change of the configuration';

-- What is beyond the limits is not evaluated: nobody pushes another's detectors there.
CREATE FUNCTION assay_internal.check_sizes() RETURNS trigger LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF NOT (SELECT pg_has_role(c.relowner, 'USAGE') FROM pg_class c WHERE c.oid = TG_RELID) THEN
		PERFORM assay_internal.check_size(a.policy) FROM (SELECT DISTINCT n.policy FROM added n) a;
	END IF;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION assay_internal.check_sizes() IS 'error when a policy has more than one revision may have, by whatever way it came';

-- After check_right(), which goes first by its name
CREATE FUNCTION assay_internal.delete_row() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	CASE TG_TABLE_NAME
		WHEN 'fault' THEN
			DELETE FROM assay_internal.fault t WHERE t.fault = OLD.fault;
		WHEN 'backfill_run' THEN
			DELETE FROM assay_internal.backfill_run t WHERE t.run = OLD.run;
		WHEN 'dropped_policy' THEN
			DELETE FROM assay_internal.policy t WHERE t.policy = OLD.policy;
	END CASE;
	RETURN CASE WHEN FOUND THEN OLD END;
END $$;
COMMENT ON FUNCTION assay_internal.delete_row() IS 'deletes from the table below a view';

CREATE FUNCTION assay_internal.change_row() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	CASE TG_TABLE_NAME
		WHEN 'policy' THEN
			-- one change at a time: whoever is first holds the row until his transaction ends
			PERFORM FROM assay_internal.policy t WHERE t.policy = OLD.policy AND t.decision = OLD.decision FOR NO KEY UPDATE;
			IF FOUND AND NEW IS DISTINCT FROM OLD THEN
				UPDATE assay_internal.policy t SET signals = NEW.signals, signals_view = NEW.signals_view, access = NEW.access
				WHERE t.policy = OLD.policy AND t.decision = OLD.decision;
			END IF;
		WHEN 'detector' THEN
			UPDATE assay_internal.detector t SET until_revision = NEW.until_revision
			WHERE t.policy = OLD.policy AND t.detector = OLD.detector AND t.from_revision = OLD.from_revision AND t.until_revision IS NOT DISTINCT FROM OLD.until_revision;
		WHEN 'guard' THEN
			UPDATE assay_internal.guard t SET until_revision = NEW.until_revision
			WHERE t.policy = OLD.policy AND t.guard = OLD.guard AND t.from_revision = OLD.from_revision AND t.until_revision IS NOT DISTINCT FROM OLD.until_revision;
		WHEN 'exclusion' THEN
			UPDATE assay_internal.exclusion t SET until_revision = NEW.until_revision
			WHERE t.policy = OLD.policy AND t.exclusion = OLD.exclusion AND t.from_revision = OLD.from_revision AND t.until_revision IS NOT DISTINCT FROM OLD.until_revision;
	END CASE;
	RETURN CASE WHEN FOUND THEN NEW END;
END $$;
COMMENT ON FUNCTION assay_internal.change_row() IS 'changes the table below a view, or holds its row';

CREATE FUNCTION assay_internal.lock_policy(policy text) RETURNS void LANGUAGE sql VOLATILE
	SET search_path = pg_catalog, pg_temp AS $$
	UPDATE assay.policy p SET access = p.access WHERE p.policy = $1
$$;
COMMENT ON FUNCTION assay_internal.lock_policy(text) IS 'waits for whoever changes the policy, and holds it until the transaction ends; does nothing for who may change nothing of it';

CREATE TRIGGER check_right INSTEAD OF UPDATE ON assay.policy FOR EACH ROW EXECUTE FUNCTION assay_internal.check_right();
CREATE TRIGGER write_row INSTEAD OF UPDATE ON assay.policy FOR EACH ROW EXECUTE FUNCTION assay_internal.change_row();
CREATE TRIGGER check_right INSTEAD OF UPDATE ON assay.detector FOR EACH ROW EXECUTE FUNCTION assay_internal.check_right();
CREATE TRIGGER write_row INSTEAD OF UPDATE ON assay.detector FOR EACH ROW EXECUTE FUNCTION assay_internal.change_row();
CREATE TRIGGER check_right INSTEAD OF UPDATE ON assay.guard FOR EACH ROW EXECUTE FUNCTION assay_internal.check_right();
CREATE TRIGGER write_row INSTEAD OF UPDATE ON assay.guard FOR EACH ROW EXECUTE FUNCTION assay_internal.change_row();
CREATE TRIGGER check_right INSTEAD OF UPDATE ON assay.exclusion FOR EACH ROW EXECUTE FUNCTION assay_internal.check_right();
CREATE TRIGGER write_row INSTEAD OF UPDATE ON assay.exclusion FOR EACH ROW EXECUTE FUNCTION assay_internal.change_row();
CREATE TRIGGER check_right INSTEAD OF DELETE ON assay.fault FOR EACH ROW EXECUTE FUNCTION assay_internal.check_right();
CREATE TRIGGER delete_row INSTEAD OF DELETE ON assay.fault FOR EACH ROW EXECUTE FUNCTION assay_internal.delete_row();
CREATE TRIGGER check_right INSTEAD OF DELETE ON assay.backfill_run FOR EACH ROW EXECUTE FUNCTION assay_internal.check_right();
CREATE TRIGGER delete_row INSTEAD OF DELETE ON assay.backfill_run FOR EACH ROW EXECUTE FUNCTION assay_internal.delete_row();
CREATE TRIGGER check_right INSTEAD OF UPDATE ON assay_internal.dropped_policy FOR EACH ROW EXECUTE FUNCTION assay_internal.check_right();
CREATE TRIGGER delete_row INSTEAD OF UPDATE ON assay_internal.dropped_policy FOR EACH ROW EXECUTE FUNCTION assay_internal.delete_row();

CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON assay_internal.policy
	FOR EACH ROW EXECUTE FUNCTION assay_internal.policy_changed();
CREATE TRIGGER changed_all AFTER TRUNCATE ON assay_internal.policy
	FOR EACH STATEMENT EXECUTE FUNCTION assay_internal.policy_changed();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON assay_internal.revision
	FOR EACH ROW EXECUTE FUNCTION assay_internal.policy_changed();
CREATE TRIGGER changed_all AFTER TRUNCATE ON assay_internal.revision
	FOR EACH STATEMENT EXECUTE FUNCTION assay_internal.policy_changed();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON assay_internal.detector
	FOR EACH ROW EXECUTE FUNCTION assay_internal.policy_changed();
CREATE TRIGGER changed_all AFTER TRUNCATE ON assay_internal.detector
	FOR EACH STATEMENT EXECUTE FUNCTION assay_internal.policy_changed();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON assay_internal.detector_model
	FOR EACH ROW EXECUTE FUNCTION assay_internal.policy_changed();
CREATE TRIGGER changed_all AFTER TRUNCATE ON assay_internal.detector_model
	FOR EACH STATEMENT EXECUTE FUNCTION assay_internal.policy_changed();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON assay_internal.guard
	FOR EACH ROW EXECUTE FUNCTION assay_internal.policy_changed();
CREATE TRIGGER changed_all AFTER TRUNCATE ON assay_internal.guard
	FOR EACH STATEMENT EXECUTE FUNCTION assay_internal.policy_changed();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON assay_internal.exclusion
	FOR EACH ROW EXECUTE FUNCTION assay_internal.policy_changed();
CREATE TRIGGER changed_all AFTER TRUNCATE ON assay_internal.exclusion
	FOR EACH STATEMENT EXECUTE FUNCTION assay_internal.policy_changed();
-- also where the rows arrive by replication, which fires row triggers only
ALTER TABLE assay_internal.policy ENABLE ALWAYS TRIGGER changed;
ALTER TABLE assay_internal.policy ENABLE ALWAYS TRIGGER changed_all;
ALTER TABLE assay_internal.revision ENABLE ALWAYS TRIGGER changed;
ALTER TABLE assay_internal.revision ENABLE ALWAYS TRIGGER changed_all;
ALTER TABLE assay_internal.detector ENABLE ALWAYS TRIGGER changed;
ALTER TABLE assay_internal.detector ENABLE ALWAYS TRIGGER changed_all;
ALTER TABLE assay_internal.detector_model ENABLE ALWAYS TRIGGER changed;
ALTER TABLE assay_internal.detector_model ENABLE ALWAYS TRIGGER changed_all;
ALTER TABLE assay_internal.guard ENABLE ALWAYS TRIGGER changed;
ALTER TABLE assay_internal.guard ENABLE ALWAYS TRIGGER changed_all;
ALTER TABLE assay_internal.exclusion ENABLE ALWAYS TRIGGER changed;
ALTER TABLE assay_internal.exclusion ENABLE ALWAYS TRIGGER changed_all;

CREATE TRIGGER keep_history BEFORE UPDATE OR DELETE ON assay_internal.revision FOR EACH ROW EXECUTE FUNCTION assay_internal.keep_history();
CREATE TRIGGER keep_history_all BEFORE TRUNCATE ON assay_internal.revision FOR EACH STATEMENT EXECUTE FUNCTION assay_internal.keep_history();
CREATE TRIGGER keep_history BEFORE UPDATE OR DELETE ON assay_internal.detector_model FOR EACH ROW EXECUTE FUNCTION assay_internal.keep_history();
CREATE TRIGGER keep_history_all BEFORE TRUNCATE ON assay_internal.detector_model FOR EACH STATEMENT EXECUTE FUNCTION assay_internal.keep_history();
CREATE TRIGGER keep_history BEFORE UPDATE OR DELETE ON assay_internal.detector FOR EACH ROW EXECUTE FUNCTION assay_internal.keep_history();
CREATE TRIGGER keep_history_all BEFORE TRUNCATE ON assay_internal.detector FOR EACH STATEMENT EXECUTE FUNCTION assay_internal.keep_history();
CREATE TRIGGER keep_history BEFORE UPDATE OR DELETE ON assay_internal.guard FOR EACH ROW EXECUTE FUNCTION assay_internal.keep_history();
CREATE TRIGGER keep_history_all BEFORE TRUNCATE ON assay_internal.guard FOR EACH STATEMENT EXECUTE FUNCTION assay_internal.keep_history();
CREATE TRIGGER keep_history BEFORE UPDATE OR DELETE ON assay_internal.exclusion FOR EACH ROW EXECUTE FUNCTION assay_internal.keep_history();
CREATE TRIGGER keep_history_all BEFORE TRUNCATE ON assay_internal.exclusion FOR EACH STATEMENT EXECUTE FUNCTION assay_internal.keep_history();
CREATE TRIGGER check_right BEFORE INSERT OR UPDATE OR DELETE ON assay_internal.policy FOR EACH ROW EXECUTE FUNCTION assay_internal.check_right();
CREATE TRIGGER check_right BEFORE INSERT OR UPDATE OR DELETE ON assay_internal.revision FOR EACH ROW EXECUTE FUNCTION assay_internal.check_right();
CREATE TRIGGER check_right BEFORE INSERT OR UPDATE OR DELETE ON assay_internal.detector_model FOR EACH ROW EXECUTE FUNCTION assay_internal.check_right();
CREATE TRIGGER check_right BEFORE INSERT OR UPDATE OR DELETE ON assay_internal.detector FOR EACH ROW EXECUTE FUNCTION assay_internal.check_right();
CREATE TRIGGER check_right BEFORE INSERT OR UPDATE OR DELETE ON assay_internal.guard FOR EACH ROW EXECUTE FUNCTION assay_internal.check_right();
CREATE TRIGGER check_right BEFORE INSERT OR UPDATE OR DELETE ON assay_internal.exclusion FOR EACH ROW EXECUTE FUNCTION assay_internal.check_right();
CREATE TRIGGER check_right BEFORE INSERT OR UPDATE OR DELETE ON assay_internal.fault FOR EACH ROW EXECUTE FUNCTION assay_internal.check_right();
CREATE TRIGGER check_right BEFORE INSERT OR UPDATE OR DELETE ON assay_internal.backfill_run FOR EACH ROW EXECUTE FUNCTION assay_internal.check_right();
CREATE TRIGGER check_sizes AFTER INSERT ON assay_internal.detector REFERENCING NEW TABLE AS added
	FOR EACH STATEMENT EXECUTE FUNCTION assay_internal.check_sizes();
CREATE TRIGGER check_sizes AFTER INSERT ON assay_internal.guard REFERENCING NEW TABLE AS added
	FOR EACH STATEMENT EXECUTE FUNCTION assay_internal.check_sizes();
CREATE TRIGGER check_sizes AFTER INSERT ON assay_internal.exclusion REFERENCING NEW TABLE AS added
	FOR EACH STATEMENT EXECUTE FUNCTION assay_internal.check_sizes();
CREATE TRIGGER forget AFTER DELETE ON assay_internal.policy FOR EACH ROW EXECUTE FUNCTION assay_internal.forget_policy();

CREATE FUNCTION assay_internal.forget_stats(policy text) RETURNS void
	AS 'MODULE_PATHNAME', 'assay_forget_stats' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION assay_internal.forget_stats(text) IS 'removes the counters of a policy and its detectors, where there are any';
REVOKE ALL ON FUNCTION assay_internal.forget_stats(text), assay_internal.forget_policy(), assay_internal.keep_history(), assay_internal.check_right(), assay_internal.check_sizes(), assay_internal.change_row(), assay_internal.delete_row(),
	assay_internal.policy_changed() FROM PUBLIC;

-- What a view reads, by views, and what is below tables: partitions, children
CREATE FUNCTION assay_internal.relations_below(view oid, through_materialized boolean DEFAULT true) RETURNS SETOF oid LANGUAGE sql STABLE ROWS 20
	SET search_path = pg_catalog, pg_temp AS $$
	WITH RECURSIVE below AS (
		SELECT $1 AS oid
		UNION
		SELECT n.oid FROM below b JOIN pg_class c ON c.oid = b.oid AND (c.relkind <> 'm' OR $2)
		CROSS JOIN LATERAL (
			SELECT d.refobjid AS oid FROM pg_rewrite w
			JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass
			WHERE w.ev_class = b.oid AND w.ev_type = '1'
			UNION ALL SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = b.oid
		) n
	)
	SELECT b.oid FROM below b
$$;
COMMENT ON FUNCTION assay_internal.relations_below(oid, boolean) IS
	'a view (or table), what it reads through any number of views, and their partitions; a materialized view''s own sources only where that is asked for';
