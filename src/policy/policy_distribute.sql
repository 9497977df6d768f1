-- ---------------------------------------------------------------------------
-- policy: over tables that Citus distributes
--
-- A trigger on a distributed table fires on its shards, on the servers that have
-- them, and there reads and writes what is beside the shard (shards.c).  So the
-- tables of a policy lie beside its messages, and the policy is on each server,
-- by replication (policy_publication.sql).
--
-- Citus may not be there: its functions and tables are named in dynamic SQL only.
-- ---------------------------------------------------------------------------

-- private functions

CREATE FUNCTION assay_internal.signals_relations(policy text) RETURNS oid[]
	AS 'MODULE_PATHNAME', 'assay_signals_relations' LANGUAGE C STABLE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION assay_internal.signals_relations(text) IS 'what the signals view of a policy reads, through other views too';

CREATE FUNCTION assay_internal.shard_problem(policy text, tables oid[]) RETURNS text
	AS 'MODULE_PATHNAME', 'assay_shard_problem' LANGUAGE C STABLE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION assay_internal.shard_problem(text, oid[]) IS
	'why the signals view of a policy could not be read on a shard, were these tables distributed together; NULL: it can';

-- colocation: -1 for a reference table, 0 for one that is alone
CREATE FUNCTION assay_internal.placement(relation oid, OUT "column" text, OUT colocation int) LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF assay_internal.is_distributed(relation) THEN
		EXECUTE 'SELECT CASE WHEN p.partmethod <> ''n'' THEN column_to_column_name(p.logicalrelid, p.partkey::text) END,
			CASE WHEN p.partmethod = ''n'' AND p.repmodel = ''t'' THEN -1 ELSE p.colocationid END::int FROM pg_dist_partition p WHERE p.logicalrelid = $1'
			INTO "column", colocation USING relation::regclass;
	END IF;
END $$;
COMMENT ON FUNCTION assay_internal.placement(oid) IS 'by which column Citus distributes a table, and together with what; NULL: it does not';

CREATE FUNCTION assay_internal.check_distributed(p assay.policy, OUT severity text, OUT "check" text, OUT detail text, OUT hint text)
	RETURNS SETOF record LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	decision record := assay_internal.placement(p.decision);
	rel regclass;
	at record;
	problem text;
BEGIN
	IF to_regclass('pg_catalog.pg_dist_partition') IS NULL OR NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = p.decision) THEN
		RETURN;
	END IF;
	FOR rel IN SELECT DISTINCT t.tgrelid::regclass FROM assay_internal.decide_triggers(p.policy, (SELECT c.relowner FROM pg_class c WHERE c.oid = p.decision)) t
		WHERE t.may_decide ORDER BY 1
	LOOP
		at := assay_internal.placement(rel);
		IF at.colocation IS DISTINCT FROM decision.colocation THEN
			RETURN QUERY SELECT 'error', 'distributed', format('%s and decision table %s are not distributed together: messages stay undecided', rel, p.decision),
				format('CALL assay.distribute(%L, ...);', p.policy);
		END IF;
	END LOOP;
	IF decision.colocation IS NULL OR NOT pg_has_role(p.owner, 'USAGE') OR to_regclass(p.signals) IS NULL THEN
		RETURN;
	END IF;
	IF p.label IS NOT NULL AND EXISTS (SELECT FROM pg_class c WHERE c.oid = p.label)
		AND (assay_internal.placement(p.label)).colocation IS DISTINCT FROM decision.colocation THEN
		RETURN QUERY SELECT 'warning', 'distributed', format('label table %s is not distributed with the decisions: reports are slow, or fail', p.label),
			format('CALL assay.distribute(%L, ...);', p.policy);
	END IF;
	BEGIN
		problem := assay_internal.shard_problem(p.policy, array(SELECT r FROM unnest(assay_internal.signals_relations(p.policy)) r,
			assay_internal.placement(r) l WHERE l.colocation IN (-1, decision.colocation)));
	EXCEPTION WHEN OTHERS THEN
		problem := SQLERRM;
	END;
	IF problem IS NOT NULL THEN
		RETURN QUERY SELECT 'error', 'distributed', format('%s: messages are decided without their signals', problem), 'docs/scale.md tells what a view over distributed tables may be.';
	END IF;
	IF current_setting('citus.enable_local_execution', true) = 'on' THEN
		RETURN QUERY SELECT 'warning', 'distributed', 'citus.enable_local_execution is on: a server that has shards itself refuses COPY and INSERT of many rows',
			format('ALTER DATABASE %I SET citus.enable_local_execution = off; for new sessions.', current_database());
	END IF;
	IF EXISTS (SELECT FROM assay.revision r WHERE r.policy = p.policy AND r.log_signals AND r.revision = (SELECT max(n.revision) FROM assay.revision n WHERE n.policy = p.policy)) THEN
		RETURN QUERY SELECT 'warning', 'distributed', 'signals are logged: what they are called is known only on the server that logged them',
			format('SELECT assay.alter_policy(%L, log_signals => false);', p.policy);
	END IF;
END $$;
COMMENT ON FUNCTION assay_internal.check_distributed(assay.policy) IS 'what is wrong with a policy over tables that Citus distributes';

-- Errors before anything is done
CREATE FUNCTION assay_internal.check_distribute(policy text, "column" text, message_table regclass, beside regclass[], copied regclass[]) RETURNS regclass LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	p assay.policy;
	tables regclass[];
	coordinator boolean;
	known boolean;
	rel record;
	problem text;
BEGIN
	IF policy IS NULL OR "column" IS NULL OR beside IS NULL OR copied IS NULL OR array_position(beside || copied, NULL) IS NOT NULL THEN
		RAISE EXCEPTION 'distributing a policy takes its name, a column and lists of tables' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF NOT (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user) THEN
		RAISE EXCEPTION 'permission denied to distribute policies' USING ERRCODE = 'insufficient_privilege',
			HINT = 'It makes publications, slots and subscriptions, which takes a superuser.';
	END IF;
	IF to_regclass('pg_catalog.pg_dist_partition') IS NULL OR to_regprocedure('pg_catalog.citus_is_coordinator()') IS NULL THEN
		RAISE EXCEPTION 'extension "citus" is not installed in this database' USING ERRCODE = 'undefined_object',
			HINT = 'CREATE EXTENSION citus; and citus_add_node(...) come first; docs/scale.md has the whole.';
	END IF;
	EXECUTE 'SELECT citus_is_coordinator(), EXISTS (SELECT FROM pg_dist_node n WHERE n.groupid = 0)' INTO coordinator, known;
	IF NOT coordinator OR NOT known THEN
		RAISE EXCEPTION 'this is not the coordinator, or its workers do not know it' USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = 'SELECT citus_set_coordinator_host(''host'', port); on the coordinator tells them where it is.';
	END IF;
	IF current_setting('wal_level') <> 'logical' THEN
		RAISE EXCEPTION 'policies come to the workers by logical replication' USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = 'Set wal_level = logical, and start the server again.';
	END IF;
	p := assay_internal.policy_for_reading(policy);
	IF NOT "column" = ANY (p.key) THEN
		RAISE EXCEPTION 'column "%" is not in the key of policy "%"', "column", policy USING ERRCODE = 'invalid_parameter_value',
			DETAIL = format('It identifies a message by (%s).', array_to_string(p.key, ', ')),
			HINT = 'A message and its decisions are in shards of the same tenant, so that the tenant is part of their key.';
	END IF;
	IF assay_internal.outbox_table(p.policy, p.label) IS NOT NULL THEN
		RAISE EXCEPTION 'policy "%" has an outbox, which is on one server', policy USING ERRCODE = 'feature_not_supported',
			HINT = format('Once the consumers have taken what is in it, SELECT assay.drop_outbox(%L); decisions of distributed tables come out by logical decoding.', policy);
	END IF;
	IF EXISTS (SELECT FROM assay.revision r WHERE r.policy = p.policy AND r.log_signals AND r.revision = (SELECT max(n.revision) FROM assay.revision n WHERE n.policy = p.policy)) THEN
		RAISE EXCEPTION 'policy "%" logs signals, whose names each server keeps for itself', policy USING ERRCODE = 'feature_not_supported',
			HINT = format('SELECT assay.alter_policy(%L, log_signals => false);', policy);
	END IF;
	tables := coalesce(nullif(ARRAY[message_table], ARRAY[NULL]::regclass[]), array(SELECT DISTINCT t.tgrelid::regclass FROM assay_internal.decide_triggers(p.policy,
		(SELECT c.relowner FROM pg_class c WHERE c.oid = p.decision)) t WHERE t.may_decide));
	IF cardinality(tables) <> 1 THEN
		RAISE EXCEPTION 'policy "%" decides the messages of % tables', policy, cardinality(tables) USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Name the message table: CALL assay.distribute(''policy'', ''column'', ''table'');';
	END IF;
	IF NOT EXISTS (SELECT FROM pg_attribute a JOIN pg_attribute d ON d.attrelid = p.decision AND d.attname = a.attname AND d.atttypid = a.atttypid
		WHERE a.attrelid = tables[1] AND a.attname = "column") THEN
		RAISE EXCEPTION 'table % has no column "%" of the type that it has in %', tables[1], "column", p.decision USING ERRCODE = 'undefined_column';
	END IF;
	-- what the view reads beside
	FOR rel IN SELECT c.oid::regclass AS name, l.*, c.oid = ANY (ARRAY[tables[1], p.decision, p.label] || beside || copied) AS ours,
			EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e') AS extension
		FROM unnest(assay_internal.signals_relations(policy)) r JOIN pg_class c ON c.oid = r, assay_internal.placement(c.oid) l
		WHERE c.relkind NOT IN ('v', 'c') AND c.relnamespace <> 'pg_catalog'::regnamespace ORDER BY 1
	LOOP
		CONTINUE WHEN rel.ours OR rel.extension OR rel.colocation = -1;
		IF rel.colocation IS NULL THEN
			RAISE EXCEPTION 'the signals view reads %, which is on this server only', rel.name USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = format('Name it in beside => ''{...}'', to have its rows of a tenant beside the tenant''s messages (it has a column "%s" then), or in copied => ''{...}'', to have a copy on each server.', "column");
		ELSIF rel."column" IS DISTINCT FROM "column" THEN
			RAISE EXCEPTION 'the signals view reads %, which is distributed by another column', rel.name USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = format('undistribute_table(%L), then distribute it by "%s" or as a reference table.', rel.name, "column");
		END IF;
	END LOOP;
	problem := assay_internal.shard_problem(policy, array(SELECT r FROM unnest(assay_internal.signals_relations(policy)) r
		WHERE r = ANY (ARRAY[tables[1], p.decision, p.label] || beside || copied) OR assay_internal.is_distributed(r)));
	IF problem IS NOT NULL THEN
		RAISE EXCEPTION '%', problem USING ERRCODE = 'feature_not_supported',
			HINT = 'On a shard the view is written out with the tables that are there: with the rights of the policy''s owner, no barrier, and columns by their names.';
	END IF;
	RETURN tables[1];
END $$;
COMMENT ON FUNCTION assay_internal.check_distribute(text, text, regclass, regclass[], regclass[]) IS 'the table of a policy''s messages; an error that says what distribute() can''t do';

-- Tables of one policy, and its triggers on their shards
CREATE FUNCTION assay_internal.distribute_tables(policy text, "column" text, message_table regclass, shard_count int, beside regclass[], copied regclass[]) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	p assay.policy := assay_internal.policy_for_reading(policy);
	triggers text[];
	trigger_name name;
	rel regclass;
BEGIN
	PERFORM assay_internal.lock_policy(policy);
	EXECUTE format('LOCK TABLE %s, %s, %s IN SHARE ROW EXCLUSIVE MODE', message_table, p.decision, p.label);
	PERFORM set_config('citus.enable_unsafe_triggers', 'on', true);
	-- A trigger begins subtransactions, which Citus can't while it copies rows to other servers in the same process.
	IF current_setting('citus.enable_local_execution', true) = 'on' THEN
		EXECUTE format('ALTER DATABASE %I SET citus.enable_local_execution = off', current_database());
	END IF;
	IF NOT assay_internal.is_distributed(message_table) THEN
		-- made again on the shards, once these are filled
		FOR trigger_name IN SELECT t.tgname FROM assay_internal.decide_triggers(policy, (SELECT c.relowner FROM pg_class c WHERE c.oid = p.decision)) t
			WHERE t.tgrelid = message_table AND t.may_decide
		LOOP
			triggers := triggers || (SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t WHERE t.tgrelid = message_table AND t.tgname = trigger_name);
			EXECUTE format('DROP TRIGGER %I ON %s', trigger_name, message_table);
		END LOOP;
		IF shard_count IS NULL THEN
			EXECUTE 'SELECT create_distributed_table($1, $2)' USING message_table, "column";
		ELSE
			EXECUTE 'SELECT create_distributed_table($1, $2, shard_count => $3)' USING message_table, "column", shard_count;
		END IF;
	END IF;
	FOREACH rel IN ARRAY copied LOOP
		IF NOT assay_internal.is_distributed(rel) THEN
			EXECUTE 'SELECT create_reference_table($1)' USING rel;
		END IF;
	END LOOP;
	FOREACH rel IN ARRAY ARRAY[p.decision, p.label] || beside LOOP
		IF NOT assay_internal.is_distributed(rel) THEN
			EXECUTE 'SELECT create_distributed_table($1, $2, colocate_with => $3)' USING rel, "column", message_table::text;
		ELSIF (assay_internal.placement(rel)).colocation <> (assay_internal.placement(message_table)).colocation THEN
			RAISE EXCEPTION '% is distributed, but not with %', rel, message_table USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = format('SELECT alter_distributed_table(%L, colocate_with => %L);', rel, message_table);
		END IF;
	END LOOP;
	FOR i IN 1 .. coalesce(cardinality(triggers), 0) LOOP
		EXECUTE triggers[i];
	END LOOP;
	FOR rel IN SELECT r::regclass FROM unnest(assay_internal.signals_relations(policy)) r JOIN pg_class c ON c.oid = r, assay_internal.placement(r) l
		WHERE c.relkind <> 'v' AND l.colocation NOT IN (-1, (assay_internal.placement(message_table)).colocation)
	LOOP
		RAISE EXCEPTION '% is distributed, but not with %', rel, message_table USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = format('SELECT alter_distributed_table(%L, colocate_with => %L);', rel, message_table);
	END LOOP;
END $$;
COMMENT ON FUNCTION assay_internal.distribute_tables(text, text, regclass, int, regclass[], regclass[]) IS 'distributes the messages, decisions and labels of a policy together';

-- Citus' own way to run a statement on each worker, in a transaction of its own
CREATE FUNCTION assay_internal.on_workers(statements text[], groups int[], OUT node text, OUT success boolean, OUT result text) RETURNS SETOF record LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN QUERY EXECUTE 'SELECT r.node_name || '':'' || r.node_port, r.success, r.result
		FROM (SELECT array_agg(n.nodename ORDER BY u.i) AS names, array_agg(n.nodeport ORDER BY u.i) AS ports, array_agg(u.s ORDER BY u.i) AS statements
			FROM unnest($1, $2) WITH ORDINALITY u(s, g, i) JOIN pg_dist_node n ON n.groupid = u.g AND n.noderole = ''primary'' AND n.isactive) w,
			master_run_on_worker(w.names, w.ports, w.statements, true) r WHERE w.names IS NOT NULL' USING statements, groups;
END $$;
COMMENT ON FUNCTION assay_internal.on_workers(text[], int[]) IS 'runs a statement on each of some workers';

CREATE FUNCTION assay_internal.worker_groups(following boolean) RETURNS int[] LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	groups int[];
BEGIN
	EXECUTE 'SELECT array_agg(n.groupid ORDER BY n.groupid) FROM pg_dist_node n WHERE n.groupid <> 0 AND n.noderole = ''primary'' AND n.isactive' INTO groups;
	IF following IS NULL THEN
		RETURN coalesce(groups, '{}');
	END IF;
	RETURN array(SELECT g.g FROM unnest(groups) g(g), assay_internal.on_workers(ARRAY['SELECT assay_internal.is_following()'], ARRAY[g.g]) r
		WHERE r.success AND r.result::boolean = following ORDER BY 1);
END $$;
COMMENT ON FUNCTION assay_internal.worker_groups(boolean) IS 'groups of Citus'' workers, all (NULL), or those that follow policies, or do not';

CREATE FUNCTION assay_internal.worker_slot(worker int) RETURNS name LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT format('assay_%s_%s', (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()), worker)::name
$$;
COMMENT ON FUNCTION assay_internal.worker_slot(int) IS 'name of the replication slot of a worker that follows this database';

CREATE FUNCTION assay_internal.make_worker_slots() RETURNS void LANGUAGE sql
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT pg_create_logical_replication_slot(assay_internal.worker_slot(g), 'pgoutput') FROM unnest(assay_internal.worker_groups(false)) g
	WHERE NOT EXISTS (SELECT FROM pg_replication_slots s WHERE s.slot_name = assay_internal.worker_slot(g))
$$;
COMMENT ON FUNCTION assay_internal.make_worker_slots() IS 'makes the slots of workers that follow no policies yet';

CREATE FUNCTION assay_internal.follow_on_workers(conninfo text, patience interval) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	groups int[] := assay_internal.worker_groups(false);
	failed text;
BEGIN
	IF conninfo IS NULL THEN
		EXECUTE 'SELECT format(''host=%s port=%s dbname=%L user=%L'', n.nodename, n.nodeport, current_database(), current_user)
			FROM pg_dist_node n WHERE n.groupid = 0 AND n.noderole = ''primary''' INTO conninfo;
	END IF;
	SELECT string_agg(format('%s: %s', r.node, r.result), E'\n') INTO failed FROM assay_internal.on_workers(
		array(SELECT format('CALL assay.follow_policies(%L, %L, patience => %L)', conninfo, assay_internal.worker_slot(g), patience) FROM unnest(groups) g), groups) r WHERE NOT r.success;
	IF failed IS NOT NULL THEN
		RAISE EXCEPTION 'a worker does not follow the policies of this server' USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = failed,
			HINT = 'What is done stays: call it again. A worker may need another connection: conninfo => ''host=... dbname=...''.';
	END IF;
END $$;
COMMENT ON FUNCTION assay_internal.follow_on_workers(text, interval) IS 'lets workers follow the policies of this server that follow none yet';

-- What each worker still waits for; no row: the policy is in force on all, by its current revision
CREATE FUNCTION assay_internal.waiting_workers(policy text, OUT node text, OUT waits_for text) RETURNS SETOF record LANGUAGE sql
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT r.node, CASE WHEN r.success THEN r.result ELSE 'an error: ' || r.result END
	FROM (SELECT assay_internal.worker_groups(NULL) AS groups) w,
		assay_internal.on_workers(array_fill(format('SELECT CASE WHEN NOT f.in_force THEN coalesce(f.waits_for, ''settle_policies()'') WHEN v.revision < %s THEN ''revision %1$s'' END FROM (SELECT 1) o
			LEFT JOIN assay.followed f ON f.kind = ''policy'' AND f.name = %2$L LEFT JOIN LATERAL (SELECT max(r.revision) AS revision FROM assay_internal.revision r WHERE r.policy = %2$L) v ON true
			WHERE f.in_force IS NOT TRUE OR v.revision < %1$s',
			(SELECT max(r.revision) FROM assay_internal.revision r WHERE r.policy = $1), $1), ARRAY[cardinality(w.groups)]), w.groups) r
	WHERE NOT r.success OR r.result <> ''
$$;
COMMENT ON FUNCTION assay_internal.waiting_workers(text) IS 'workers on which a policy is not in force yet, and what they wait for';

-- functions

CREATE PROCEDURE assay.distribute(policy text, "column" name, message_table regclass DEFAULT NULL,
	beside regclass[] DEFAULT '{}', copied regclass[] DEFAULT '{}', shard_count int DEFAULT NULL, conninfo text DEFAULT NULL, patience interval DEFAULT '1 minute')
	LANGUAGE plpgsql AS $$
DECLARE
	until pg_catalog.timestamptz := pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) patience;
	messages pg_catalog.regclass;
	waiting pg_catalog.text;
BEGIN
	-- by no time it would wait for ever
	IF patience IS NULL THEN
		RAISE EXCEPTION 'patience must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	messages := assay_internal.check_distribute(policy, "column"::pg_catalog.text, message_table, beside, copied);
	PERFORM assay_internal.distribute_tables(policy, "column"::pg_catalog.text, messages, shard_count, beside, copied);
	PERFORM assay.publish_policies();
	COMMIT;
	PERFORM assay_internal.make_worker_slots();
	COMMIT;
	PERFORM assay_internal.follow_on_workers(conninfo, patience);
	COMMIT;
	LOOP
		PERFORM assay_internal.on_workers(pg_catalog.array_fill('SELECT pg_catalog.count(*) FROM assay.settle_policies()'::pg_catalog.text, ARRAY[pg_catalog.cardinality(g)]), g)
		FROM assay_internal.worker_groups(NULL) g;
		COMMIT;
		SELECT pg_catalog.string_agg(w.node OPERATOR(pg_catalog.||) ': ' OPERATOR(pg_catalog.||) w.waits_for, E'\n') INTO waiting FROM assay_internal.waiting_workers(policy) w;
		COMMIT;
		EXIT WHEN waiting IS NULL OR pg_catalog.clock_timestamp() OPERATOR(pg_catalog.>) until;
		PERFORM pg_catalog.pg_sleep(0.1);
	END LOOP;
	IF waiting IS NOT NULL THEN
		RAISE WARNING 'policy "%" is not in force on each worker', policy USING DETAIL = waiting,
			HINT = 'Messages are stored there, undecided. When what is missing is there, call it again.';
	ELSIF EXISTS (SELECT FROM assay.undecided(policy)) THEN
		RAISE NOTICE 'some messages are undecided: what came while policy "%" was distributed, or before', policy
			USING HINT = pg_catalog.format('CALL assay.backfill(%L, undecided_only => true);', policy);
	END IF;
END $$;
COMMENT ON PROCEDURE assay.distribute(text, name, regclass, regclass[], regclass[], int, text, interval) IS
	'distributes the messages, decisions and labels of a policy together with Citus, and lets its workers follow the policies of this server; call it again for new workers';

REVOKE ALL ON FUNCTION assay_internal.check_distribute(text, text, regclass, regclass[], regclass[]), assay_internal.distribute_tables(text, text, regclass, int, regclass[], regclass[]),
	assay_internal.on_workers(text[], int[]), assay_internal.worker_groups(boolean), assay_internal.worker_slot(int), assay_internal.make_worker_slots(),
	assay_internal.follow_on_workers(text, interval), assay_internal.waiting_workers(text) FROM PUBLIC;
REVOKE ALL ON PROCEDURE assay.distribute(text, name, regclass, regclass[], regclass[], int, text, interval) FROM PUBLIC;
