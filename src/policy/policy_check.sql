-- ---------------------------------------------------------------------------
-- policy: is all well?
-- ---------------------------------------------------------------------------

CREATE FUNCTION assay.undecided(policy text, OUT message_table regclass, OUT key text[], OUT reason text) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'assay_undecided' LANGUAGE C STABLE STRICT PARALLEL UNSAFE COST 100000 ROWS 100;
COMMENT ON FUNCTION assay.undecided(text) IS
	'messages of the tables that a policy decides which no revision has decided (what decided a former message of the same key does not count), and of which can never be decided why; backfill() decides the others';

CREATE FUNCTION assay_internal.changed_keys(policy text, message_table regclass) RETURNS text[]
	AS 'MODULE_PATHNAME', 'assay_changed_keys' LANGUAGE C STABLE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION assay_internal.changed_keys(text, regclass) IS 'key columns that the signals view does not show as a table has them';

CREATE FUNCTION assay_internal.drop_reused_keys(policy text, before timestamptz) RETURNS bigint
	AS 'MODULE_PATHNAME', 'assay_drop_reused_keys' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION assay_internal.drop_reused_keys(text, timestamptz) IS
	'forgets of keys that came again, before this time, those that have a later decision or none: undecided() needs them no more';

CREATE FUNCTION assay_internal.older_decisions(policy text, since timestamptz, revision int) RETURNS bigint
	AS 'MODULE_PATHNAME', 'assay_older_decisions' LANGUAGE C STABLE STRICT PARALLEL UNSAFE COST 100000;
COMMENT ON FUNCTION assay_internal.older_decisions(text, timestamptz, int) IS
	'how many decisions after a time are of revisions before this one, read as the policy''s owner by its members, by others with their own rights';

CREATE FUNCTION assay_internal.decide_triggers(policy text, owner oid, OUT tgname name, OUT tgrelid oid, OUT tgenabled "char", OUT per_row boolean,
	OUT on_arrival boolean, OUT has_when boolean, OUT may_decide boolean)
	RETURNS SETOF record LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	-- AFTER INSERT, with the arrived rows at hand (the bits of pg_trigger.h)
	SELECT t.tgname, t.tgrelid, t.tgenabled, t.tgtype & 1 = 1,
		t.tgtype & 4 <> 0 AND t.tgtype & 66 = 0 AND (t.tgtype & 1 = 1 OR t.tgnewtable IS NOT NULL), t.tgqual IS NOT NULL,
		coalesce(pg_has_role(c.relowner, $2, 'USAGE'), true)
	FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
	WHERE t.tgfoid = 'assay.decide()'::regprocedure AND t.tgparentid = 0
		AND t.tgnargs = 1 AND t.tgargs = convert_to($1, getdatabaseencoding()) || decode('00', 'hex')
	ORDER BY t.tgrelid::regclass::text COLLATE "C", t.tgname
$$;
COMMENT ON FUNCTION assay_internal.decide_triggers(text, oid) IS
	'triggers that name a policy, those of partitions left out, and whether the table''s owner may decide by it: anybody may make one';

-- Where a restore left the extension's tables out, there is no policy that would tell.
CREATE FUNCTION assay_internal.triggers_without_policy(OUT policy text, OUT tables text) RETURNS SETOF record LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT n.policy, string_agg(DISTINCT t.tgrelid::regclass::text, ', ')
	FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
	CROSS JOIN LATERAL (SELECT convert_from(substr(t.tgargs, 1, octet_length(t.tgargs) - 1), getdatabaseencoding()) AS policy) n
	WHERE t.tgfoid = 'assay.decide()'::regprocedure AND t.tgparentid = 0 AND t.tgnargs = 1 AND pg_has_role(c.relowner, 'USAGE')
		AND NOT EXISTS (SELECT FROM assay.policy p WHERE p.policy = n.policy)
	GROUP BY n.policy
$$;
COMMENT ON FUNCTION assay_internal.triggers_without_policy() IS 'policies that triggers on tables of the caller''s name, and that there are not';

CREATE FUNCTION assay_internal.partitions_generate_as(message_table regclass, "column" int2) RETURNS boolean
	AS 'MODULE_PATHNAME', 'assay_partitions_generate_as' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.partitions_generate_as(regclass, int2) IS 'does each partition generate a column of a table as the table does?';

-- Parts of check(), each a question of its own.

CREATE FUNCTION assay_internal.check_objects(p assay.policy, OUT severity text, OUT "check" text, OUT detail text, OUT hint text)
	RETURNS SETOF record LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	view regclass := coalesce(to_regclass(p.signals), (SELECT c.oid FROM pg_class c WHERE c.oid = p.signals_view));
	k text;
	o record;
BEGIN
	IF NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = p.decision) THEN
		RETURN QUERY SELECT 'error', 'decision table', 'it does not exist: messages stay undecided',
			format('Restore it, and a superuser tells it: UPDATE assay_internal.policy SET decision = ... WHERE policy = %L; or assay.policy_export() keeps the policy: drop it and make it anew.',
				p.policy);
	END IF;
	IF NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = p.label) THEN
		RETURN QUERY SELECT 'error', 'label table', 'it does not exist: nothing is known of the truth, and changes of verdicts are not written to an outbox',
			format('Restore it, and a superuser tells it: UPDATE assay_internal.policy SET label = ... WHERE policy = %L;', p.policy);
	END IF;
	IF view IS NULL THEN
		RETURN QUERY SELECT 'error', 'signals view', format('%s does not exist: messages are decided from the prior', p.signals),
			format('Create it, or SELECT assay.alter_policy(%L, signals => ...);', p.policy);
		RETURN;
	END IF;
	IF to_regclass(p.signals) IS NULL THEN
		RETURN QUERY SELECT 'warning', 'signals view', format('%s is called %s now', p.signals, view),
			format('SELECT assay.alter_policy(%L, signals => %L);', p.policy, view);
	END IF;
	IF (assay_internal.revision_for_reading(p.policy)).log_signals AND NOT EXISTS (SELECT FROM pg_attribute a
		WHERE a.attrelid = p.decision AND a.attname = 'signals' AND NOT a.attisdropped AND a.atttypid = 'assay.logged_signals'::regtype) THEN
		RETURN QUERY SELECT 'warning', 'signals', 'the decision table has no column for logged signals', format('SELECT assay.upgrade_policy(%L);', p.policy);
	END IF;
	IF p.access IS NULL THEN
		RETURN QUERY SELECT 'info', 'rights', 'the policy was made by an older version: only its owner has rights', format('SELECT assay.upgrade_policy(%L);', p.policy);
	ELSIF NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = p.access) THEN
		RETURN QUERY SELECT 'warning', 'rights', format('view %I, which has the rights on the policy, does not exist: only its owner has them', p.policy || '_policy'),
			format('SELECT assay.upgrade_policy(%L) makes it anew, and assay.grant_access() gives them.', p.policy);
	END IF;
	-- what hides decisions from readers hides nothing in the tables beside them
	RETURN QUERY
		SELECT 'warning', 'rights', format('row-level security is enabled on %s, not on %s, which tells of the same messages: %s may read it', p.decision, c.oid::regclass, g.roles),
			format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, with policies like those of the other; or REVOKE ALL ON %1$s FROM %s;', c.oid::regclass, g.roles)
		FROM pg_class c
		CROSS JOIN LATERAL (SELECT string_agg(DISTINCT coalesce(quote_ident(r.rolname), 'PUBLIC'), ', ') AS roles
			FROM aclexplode(c.relacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee WHERE a.privilege_type = 'SELECT' AND a.grantee <> c.relowner) g
		WHERE c.oid IN (SELECT u::oid FROM assay_internal.unguarded_tables(p) u) AND g.roles IS NOT NULL
		ORDER BY c.oid::regclass::text COLLATE "C";
	-- create_policy() takes away what default privileges give; a dump doesn't say so to where it is restored
	RETURN QUERY
		SELECT 'warning', 'rights', format('%s has rights on %s as default privileges give them, which a restore may have brought: %s', g.role, p.access,
				(SELECT a."right" FROM assay.access a WHERE a.policy = p.policy AND a.role = coalesce(g.name, 'public'))),
			format('REVOKE ALL ON %s FROM %s, unless it is meant; assay.grant_access() gives what is.', p.access, g.role)
		FROM pg_class c
		CROSS JOIN LATERAL (
			SELECT DISTINCT r.rolname AS name, coalesce(quote_ident(r.rolname), 'PUBLIC') AS role
			FROM pg_default_acl d CROSS JOIN LATERAL aclexplode(d.defaclacl) a
			LEFT JOIN pg_roles r ON r.oid = a.grantee
			LEFT JOIN (SELECT x.grantee, x.privilege_type FROM aclexplode(c.relacl) x) h ON h.grantee = a.grantee AND h.privilege_type = a.privilege_type
			WHERE d.defaclobjtype = 'r' AND d.defaclnamespace IN (0, c.relnamespace) AND a.grantee <> c.relowner AND a.grantee <> d.defaclrole
			GROUP BY d.oid, a.grantee, r.rolname
			HAVING bool_and(h.grantee IS NOT NULL) AND bool_or(a.privilege_type = 'SELECT') AND bool_or(a.privilege_type IN ('INSERT', 'UPDATE'))
		) g
		WHERE c.oid = p.access
		ORDER BY g.role COLLATE "C";
	RETURN QUERY
		SELECT CASE WHEN v.guarded THEN 'warning' ELSE 'info' END, 'views',
			format('%s was made by an older version: it reads as its owner, past row-level security of %s', v.view, v.source),
			format('SELECT assay.upgrade_policy(%L); who reads it needs SELECT on %s then.', p.policy, v.source)
		FROM assay_internal.owner_views(p) v;
	FOREACH k IN ARRAY p.key LOOP
		IF NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = view AND a.attname = k AND a.attnum > 0 AND NOT a.attisdropped) THEN
			RETURN QUERY SELECT 'error', 'key', format('signals view %s has no key column "%s"', view, k), 'Add it to the view.';
		END IF;
	END LOOP;
	FOR o IN SELECT u.what, pg_get_userbyid(c.relowner) AS owner FROM (VALUES ('signals view', view), ('label table', p.label)) u(what, oid)
		JOIN pg_class c ON c.oid = u.oid WHERE pg_get_userbyid(c.relowner) <> p.owner LOOP
		RETURN QUERY SELECT 'error', 'owner', format('%s belongs to %s, the policy to %s: messages stay undecided', o.what, o.owner, p.owner),
			format('SELECT assay.alter_policy(%L, owner => ...) gives them all the same.', p.policy);
	END LOOP;
END $$;
COMMENT ON FUNCTION assay_internal.check_objects(assay.policy) IS 'are the view and the tables of a policy there, and the owner''s?';

CREATE FUNCTION assay_internal.check_decision_table(p assay.policy, OUT severity text, OUT "check" text, OUT detail text, OUT hint text)
	RETURNS SETOF record LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	WITH wanted AS (
		SELECT w.name, w.type, a.atttypid, w.i
		FROM (VALUES ('revision', 'int4'::regtype, 1), ('decided_at', 'timestamptz', 2), ('verdict', 'text', 3), ('score', 'real', 4),
			('attribution', 'assay.attribution', 5), ('degraded', 'boolean', 6)) AS w (name, type, i)
		LEFT JOIN pg_attribute a ON a.attrelid = p.decision AND a.attname = w.name AND a.attnum > 0 AND NOT a.attisdropped
		WHERE EXISTS (SELECT FROM pg_class c WHERE c.oid = p.decision)
	)
	SELECT 'error', 'decision table', format('%s has no column "%s": messages stay undecided', p.decision, w.name),
		format('ALTER TABLE %s ADD COLUMN %s %s; SELECT assay.upgrade_policy(%L); makes the view that went with it. What it said of older decisions is in a backup.',
			p.decision, w.name, w.type, p.policy)
	FROM wanted w WHERE w.atttypid IS NULL
	UNION ALL
	SELECT 'error', 'decision table', format('column "%s" of %s is of type %s, not %s: messages stay undecided', w.name, p.decision,
			format_type(w.atttypid, NULL), w.type),
		format('ALTER TABLE %s ALTER COLUMN %s TYPE %s;', p.decision, w.name, w.type)
	FROM wanted w WHERE w.atttypid <> w.type
	UNION ALL
	-- a key column that is gone is told of by check_objects(), or by what cannot be written
	SELECT 'warning', 'decision table', format('nothing keeps two decisions about a message by one revision from being in %s', p.decision),
		format('ALTER TABLE %s ADD %s (%s);', p.decision, CASE WHEN EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary) THEN 'UNIQUE' ELSE 'PRIMARY KEY' END,
			(SELECT string_agg(quote_ident(k.name), ', ' ORDER BY k.i) FROM unnest(p.key || 'revision'::text) WITH ORDINALITY k(name, i)))
	FROM pg_class c
	WHERE c.oid = p.decision AND c.relkind IN ('r', 'p')
		AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate
			AND i.indpred IS NULL AND i.indnkeyatts = cardinality(p.key) + 1
			AND (SELECT count(*) FROM unnest(i.indkey[0:i.indnkeyatts - 1]) k JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k
				 WHERE a.attname = ANY (p.key || 'revision'::text)) = i.indnkeyatts)
$$;
COMMENT ON FUNCTION assay_internal.check_decision_table(assay.policy) IS 'has the decision table the columns and the key that decisions are written by?';

-- A publication with updates refuses them where it could not tell the old row.
CREATE FUNCTION assay_internal.may_be_replaced(relation regclass) RETURNS boolean
	AS 'MODULE_PATHNAME', 'assay_may_be_replaced' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.may_be_replaced(regclass) IS 'do the publications of a table allow that its rows are updated? NULL where it is no table';

CREATE FUNCTION assay_internal.check_replaced(p assay.policy, OUT severity text, OUT "check" text, OUT detail text, OUT hint text)
	RETURNS SETOF record LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	WITH refused AS (
		SELECT t.relid, count(*) OVER () AS n, row_number() OVER (ORDER BY t.relid <> p.decision, t.relid::text COLLATE "C") AS i
		FROM (SELECT p.decision AS relid UNION SELECT part.relid FROM pg_partition_tree(p.decision) part WHERE part.isleaf) t
		WHERE NOT assay_internal.may_be_replaced(t.relid)
	)
	SELECT 'error', 'publication', format('a publication allows no update of %s%s: of a key that comes again the decision of the former message stands',
			f.relid, CASE WHEN f.n > 1 THEN format(' and %s more', f.n - 1) ELSE '' END),
		format('ALTER TABLE %s REPLICA IDENTITY FULL; where a list of columns is published, publish all instead, or no updates.', f.relid)
	FROM refused f WHERE f.i = 1
$$;
COMMENT ON FUNCTION assay_internal.check_replaced(assay.policy) IS 'may a decision take the place of another, for all that is published?';

CREATE FUNCTION assay_internal.check_triggers(p assay.policy, OUT severity text, OUT "check" text, OUT detail text, OUT hint text)
	RETURNS SETOF record LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	decision_owner oid := (SELECT c.relowner FROM pg_class c WHERE c.oid = p.decision);
	t record;
	rel regclass;
	missing text;
	found boolean := false;
	replicated boolean;
BEGIN
	-- anybody may make any number of these
	RETURN QUERY
		SELECT 'warning', 'owner', CASE WHEN s.n = 1 THEN format('the owner of %s may not decide by this policy: its messages stay undecided', s.tables[1])
				ELSE format('the owners of %s and %s more may not decide by this policy: their messages stay undecided', s.tables[1], s.n - 1) END,
			format('Anybody can make such a trigger. If these messages are to be decided, and their owner may do all that %1$I may: GRANT %1$I TO the owner of %2$s, or give both to one role.',
				p.owner, s.tables[1])
				|| CASE WHEN s.n > 1 THEN ' SELECT tgrelid::regclass FROM pg_trigger WHERE tgfoid = ''assay.decide''::regproc; has the others.' ELSE '' END
		FROM (SELECT array_agg(d.tgrelid::regclass ORDER BY d.tgrelid::regclass::text COLLATE "C") AS tables, count(*) AS n
			FROM (SELECT DISTINCT tgrelid FROM assay_internal.decide_triggers(p.policy, decision_owner) WHERE NOT may_decide) d) s
		WHERE s.n > 0;
	FOR t IN SELECT * FROM assay_internal.decide_triggers(p.policy, decision_owner) d WHERE d.may_decide LOOP
		rel := t.tgrelid;
		found := true;
		-- unless its decisions come the same way
		replicated := EXISTS (SELECT FROM pg_subscription_rel s WHERE s.srrelid = t.tgrelid)
			AND NOT EXISTS (SELECT FROM pg_subscription_rel s WHERE s.srrelid = p.decision OR s.srrelid IN (SELECT r.relid FROM pg_partition_tree(p.decision) r));
		IF NOT t.on_arrival THEN
			RETURN QUERY SELECT 'error', 'trigger', format('trigger %s on %s is not AFTER INSERT with the new rows: what fires it fails, and nothing is decided', t.tgname, rel),
				'CREATE TRIGGER ... AFTER INSERT, FOR EACH ROW or with REFERENCING NEW TABLE.';
		ELSIF t.tgenabled = 'D' THEN
			RETURN QUERY SELECT 'error', 'trigger', format('trigger %s on %s is disabled: messages stay undecided', t.tgname, rel),
				format('ALTER TABLE %s ENABLE %sTRIGGER %I;', rel, CASE WHEN replicated THEN 'ALWAYS ' END, t.tgname);
		ELSIF replicated AND NOT (t.per_row AND t.tgenabled IN ('A', 'R')) THEN
			RETURN QUERY SELECT 'error', 'trigger', format('%s is filled by replication, which fires row triggers that are enabled always only', rel),
				format('CREATE TRIGGER ... FOR EACH ROW, and ALTER TABLE %s ENABLE ALWAYS TRIGGER ...', rel);
		ELSIF t.tgenabled = 'R' AND NOT EXISTS (SELECT FROM pg_subscription_rel s WHERE s.srrelid = t.tgrelid) THEN
			RETURN QUERY SELECT 'error', 'trigger', format('trigger %s on %s fires for replicated rows only: messages stay undecided', t.tgname, rel),
				format('ALTER TABLE %s ENABLE TRIGGER %I;', rel, t.tgname);
		ELSIF t.has_when THEN
			RETURN QUERY SELECT 'info', 'trigger', format('trigger %s on %s has a WHEN condition: what it leaves out counts as undecided', t.tgname, rel),
				'A condition or guard of the policy leaves nothing undecided.';
		END IF;
		missing := (SELECT min(f.ftrelid::regclass::text COLLATE "C") FROM pg_partition_tree(t.tgrelid) r JOIN pg_foreign_table f ON f.ftrelid = r.relid WHERE NOT t.per_row);
		IF missing IS NOT NULL THEN
			RETURN QUERY SELECT 'warning', 'trigger', format('%s has the foreign partition %s: an INSERT of a message for it fails', rel, missing),
				'PostgreSQL collects no new rows of foreign tables. Take a trigger FOR EACH ROW, or detach it.';
		END IF;
		-- new rows have no virtual columns, nor, on 15, what is generated in a partition only; later, where a partition has
		-- its columns in another order, nor what partitions generate by different expressions
		missing := (SELECT string_agg(format('"%s"', k.name), ', ' ORDER BY k.i) FROM unnest(p.key) WITH ORDINALITY k(name, i)
			WHERE EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = t.tgrelid AND a.attname = k.name AND NOT a.attisdropped AND (a.attgenerated = 'v'
				OR NOT t.per_row AND a.attgenerated = '' AND EXISTS (SELECT FROM pg_attribute g JOIN pg_partition_tree(t.tgrelid) r ON r.relid = g.attrelid
					WHERE g.attname = k.name AND g.attgenerated = 's')
				OR NOT t.per_row AND a.attgenerated = 's' AND NOT assay_internal.partitions_generate_as(t.tgrelid, a.attnum)
					AND EXISTS (SELECT FROM pg_partition_tree(t.tgrelid) r
						WHERE r.isleaf AND (SELECT array_agg(c.attname ORDER BY c.attnum) FROM pg_attribute c WHERE c.attrelid = r.relid AND c.attnum > 0)
							<> (SELECT array_agg(c.attname ORDER BY c.attnum) FROM pg_attribute c WHERE c.attrelid = t.tgrelid AND c.attnum > 0)))));
		IF missing IS NOT NULL THEN
			RETURN QUERY SELECT 'warning', 'key', format('key column %s of %s is generated, which new rows may lack: such messages stay undecided, and of a key that comes again the former decision stands', missing, rel),
				'A trigger FOR EACH ROW has what is generated and stored; virtual columns are no key.';
		END IF;
	END LOOP;
	FOR t IN SELECT d.tgrelid, array_agg(d.tgname ORDER BY d.tgname) FILTER (WHERE d.on_arrival AND NOT d.has_when AND d.tgenabled IN ('O', 'A')) AS names
		FROM assay_internal.decide_triggers(p.policy, decision_owner) d WHERE d.may_decide GROUP BY d.tgrelid ORDER BY d.tgrelid::regclass::text COLLATE "C" LOOP
		rel := t.tgrelid;
		IF cardinality(t.names) > 1 THEN
			RETURN QUERY SELECT 'warning', 'trigger', format('%s triggers on %s decide by this policy: each message is decided as often', cardinality(t.names), rel),
				format('DROP TRIGGER %I ON %s;', t.names[2], rel);
		END IF;
		missing := (SELECT string_agg(format('"%s"', k.name), ', ' ORDER BY k.i) FROM unnest(p.key) WITH ORDINALITY k(name, i)
			WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = t.tgrelid AND a.attname = k.name AND a.attnum > 0 AND NOT a.attisdropped));
		IF missing IS NOT NULL THEN
			RETURN QUERY SELECT 'error', 'key', format('%s has no key column %s: its messages stay undecided', rel, missing),
				'The columns of the key have one name in the view and in the message table: rename them in one of both.';
		ELSIF NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = t.tgrelid AND i.indisunique AND i.indimmediate AND i.indpred IS NULL
			AND (SELECT count(*) FROM unnest(i.indkey[0:i.indnkeyatts - 1]) k JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k
				 WHERE a.attname = ANY (p.key)) = i.indnkeyatts
			-- unique by another collation than the one in which keys are equal
			AND NOT EXISTS (SELECT FROM unnest(i.indkey[0:i.indnkeyatts - 1], i.indcollation[0:i.indnkeyatts - 1]) k (attnum, collated)
				JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum JOIN pg_collation c ON c.oid = a.attcollation
				WHERE NOT c.collisdeterministic AND c.oid <> k.collated)) THEN
			RETURN QUERY SELECT 'warning', 'key', format('nothing keeps two rows of %s from having the same key (%s): one decision stands for both',
				rel, array_to_string(p.key, ', ')),
				format('ALTER TABLE %s ADD UNIQUE (%s);', rel, (SELECT string_agg(quote_ident(k.name), ', ' ORDER BY k.i) FROM unnest(p.key) WITH ORDINALITY k(name, i)));
		END IF;
		-- check_objects() tells where there is none
		CONTINUE WHEN decision_owner IS NULL;
		RETURN QUERY
			SELECT 'warning', 'key', format('%s makes key column "%s" by an expression: where its value is another than in %s, the trigger finds no signals', p.signals, k.key, rel),
				format('Let the view show the column of %s as it is; a generated column can keep the expression.', rel)
			FROM unnest(assay_internal.changed_keys(p.policy, rel)) AS k (key);
	END LOOP;
	IF NOT found THEN
		RETURN QUERY SELECT CASE WHEN EXISTS (SELECT FROM assay_internal.readable_fault f WHERE f.policy = p.policy AND f.sqlstate <> 'PA001') THEN 'error' ELSE 'warning' END, 'trigger',
			'no table has a trigger that decides by this policy: new messages stay undecided, and undecided() does not know of which table',
			format('CREATE TRIGGER decide AFTER INSERT ON ... REFERENCING NEW TABLE AS new_messages FOR EACH STATEMENT EXECUTE FUNCTION assay.decide(%L);', p.policy);
	END IF;
END $$;
COMMENT ON FUNCTION assay_internal.check_triggers(assay.policy) IS 'is there a trigger that decides by a policy, and is it enabled?';

CREATE FUNCTION assay_internal.check_baselines(p assay.policy, OUT severity text, OUT "check" text, OUT detail text, OUT hint text)
	RETURNS SETOF record LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN e.emptied THEN 'error' ELSE 'warning' END, 'baseline',
		format(CASE WHEN NOT c.relispopulated THEN 'baseline %s was restored without its rows: who reads it fails, and messages are decided without signals'
			WHEN e.emptied THEN 'baseline %s was restored without its rows: messages are decided as if none had come before' ELSE 'baseline %s is as of %s' END,
			b.relation, coalesce(b.as_of::text, 'never')),
		format(CASE WHEN e.emptied AND b.incremental THEN 'SELECT assay.rebuild_baseline(%L);' ELSE 'SELECT assay.refresh_baseline(%L), daily.' END, b.relation)
	FROM assay_internal.relations_below(coalesce(to_regclass(p.signals), p.signals_view), false) r(oid)
	JOIN assay.baseline b ON b.relation = r.oid
	JOIN pg_class c ON c.oid = r.oid
	CROSS JOIN LATERAL assay_internal.baseline_emptied(b.relation, b.rows) e(emptied)
	WHERE coalesce(b.as_of, '-infinity') < now() - interval '2 days' OR e.emptied
	ORDER BY b.relation::text COLLATE "C"
$$;
COMMENT ON FUNCTION assay_internal.check_baselines(assay.policy) IS 'are the baselines that the signals view reads there, and fresh?';

-- What is far is waited for: no budget of ours ends what happens within a wrapper's own code.
CREATE FUNCTION assay_internal.check_foreign(p assay.policy, OUT severity text, OUT "check" text, OUT detail text, OUT hint text)
	RETURNS SETOF record LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	WITH message AS (
		-- where messages themselves are far, so is what stores them
		SELECT m.oid FROM assay_internal.decide_triggers(p.policy, (SELECT c.relowner FROM pg_class c WHERE c.oid = p.decision)) t
		CROSS JOIN LATERAL assay_internal.relations_below(t.tgrelid) m(oid) WHERE t.may_decide
	)
	SELECT 'warning', 'foreign table', format('%s reads %s on server %s: while that hangs, so does each INSERT', p.signals, r.oid::regclass, quote_ident(s.srvname)),
		'Let the view read a local copy (a materialized view, or a table that a job fills).'
	FROM assay_internal.relations_below(coalesce(to_regclass(p.signals), p.signals_view), false) r(oid)
	JOIN pg_foreign_table f ON f.ftrelid = r.oid JOIN pg_foreign_server s ON s.oid = f.ftserver
	WHERE EXISTS (SELECT FROM message) AND r.oid NOT IN (SELECT m.oid FROM message m)
	ORDER BY r.oid::regclass::text COLLATE "C" LIMIT 100
$$;
COMMENT ON FUNCTION assay_internal.check_foreign(assay.policy) IS 'does the signals view of messages that are stored here wait for other servers?';

CREATE FUNCTION assay_internal.check_parts(p assay.policy, OUT severity text, OUT "check" text, OUT detail text, OUT hint text)
	RETURNS SETOF record LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	c record;
BEGIN
	FOR c IN SELECT * FROM assay_internal.conditions(p.policy) LOOP
		IF NOT assay_internal.may('builder', p.policy) THEN
			RETURN QUERY SELECT 'info', 'condition', 'conditions are checked for builders and the owner only', format('SELECT assay.grant_access(%L, %L, ''builder''); by its owner.', p.policy, current_user);
			EXIT;
		END IF;
		-- check_objects() has said so
		EXIT WHEN NOT EXISTS (SELECT FROM pg_class t WHERE t.oid = p.decision);
		BEGIN
			PERFORM assay_internal.check_condition(p.policy, c.condition, c.what, c.what NOT LIKE 'guard %'), assay_internal.check_model(p.policy, c.model),
				assay_internal.check_text_model(p.policy, c.text_model, c.content, c.what);
		EXCEPTION WHEN OTHERS THEN
			-- a builder may not write each condition of the owner's
			IF SQLSTATE = '42501' AND NOT assay_internal.may('owner', p.policy) THEN
				RETURN QUERY SELECT 'info', 'condition', format('%s is checked for the owner only: %s', c.what, SQLERRM), 'It takes membership in the policy''s owner.';
			ELSE
				RETURN QUERY SELECT 'error', 'condition', format('%s %s: %s', c.what, assay_internal.how_unfit(c.model, SQLSTATE), SQLERRM),
					CASE WHEN c.model IS NULL THEN 'Mend the view, or change the condition.' ELSE 'Mend the view, or give the detector another model.' END;
			END IF;
		END;
	END LOOP;
	RETURN QUERY
		SELECT 'info', 'duplicate', format('detectors %s have the same condition', string_agg('"' || d.detector || '"', ', ' ORDER BY d.detector COLLATE "C")),
			'One of them with the sum of the weights does the same.'
		FROM assay.detector d WHERE d.policy = p.policy AND d.until_revision IS NULL AND d.mode IN ('live', 'shadow') AND d.condition IS NOT NULL
		GROUP BY d.condition, d.mode HAVING count(*) > 1;
	RETURN QUERY
		SELECT 'info', 'expired', format('%s has expired', e.what),
			format('It takes no part any more. What was decided with it stays so: SELECT assay.alter_policy(%L); and CALL assay.backfill(%1$L, since => ...) decides it again.', p.policy)
		FROM (SELECT format('detector "%s"', d.detector) FROM assay.detector d
				WHERE d.policy = p.policy AND d.until_revision IS NULL AND d.mode IN ('live', 'shadow') AND d.expires_at <= now()
			UNION ALL SELECT format('exclusion "%s"', x.exclusion) FROM assay.exclusion x
				WHERE x.policy = p.policy AND x.until_revision IS NULL AND x.expires_at <= now()) e(what);
END $$;
COMMENT ON FUNCTION assay_internal.check_parts(assay.policy) IS 'does every condition and model of a policy compile, and only once?';

CREATE FUNCTION assay_internal.check_settings_now(p assay.policy, OUT severity text, OUT "check" text, OUT detail text, OUT hint text)
	RETURNS SETOF record LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	r assay.revision := assay_internal.revision_for_reading(p.policy);
BEGIN
	IF r.prior > 0 THEN
		RETURN QUERY SELECT 'warning', 'prior', format('%s is in log-odds: %s %% of all messages would be malicious', r.prior, round((100 / (1 + exp(-least(greatest(r.prior, -700), 700))))::numeric, 1)),
			'A prior of -4 means 1.8 %.';
	END IF;
	IF NOT EXISTS (SELECT FROM assay.detector d WHERE d.policy = p.policy AND d.until_revision IS NULL AND d.mode = 'live') THEN
		RETURN QUERY SELECT 'warning', 'detectors', 'none is live: every message gets the same verdict', format('SELECT assay.promote(%L, %L); makes one live.', p.policy,
			coalesce((SELECT min(d.detector) FROM assay.detector d WHERE d.policy = p.policy AND d.until_revision IS NULL AND d.mode IN ('shadow', 'draft')), '...'));
	END IF;
	RETURN QUERY
		SELECT 'warning', 'search_path', format('others than its owner may create in schema "%s": %s', o.schema, o.roles),
			format('A condition may come to mean what they put there: REVOKE CREATE on it, or SELECT assay.alter_policy(%L, search_path => ...).', p.policy)
		FROM pg_class c CROSS JOIN LATERAL assay_internal.open_schemas(r.search_path, c.relowner) o WHERE c.oid = p.decision;
	-- the same limits as in check_size()
	RETURN QUERY
		SELECT 'error', 'size', format('it has %s %s: those beyond %s are not evaluated', n.has, n.what, n.may), 'Retire or drop some.'
		FROM (SELECT 'detectors' AS what, count(*) AS has, 20000 AS may FROM assay.detector d
				WHERE d.policy = p.policy AND d.until_revision IS NULL AND d.mode IN ('live', 'shadow')
			UNION ALL SELECT 'exclusions', count(*), 10000 FROM assay.exclusion x WHERE x.policy = p.policy AND x.until_revision IS NULL
			UNION ALL SELECT 'guards', count(*), 10000 FROM assay.guard g WHERE g.policy = p.policy AND g.until_revision IS NULL) n
		WHERE n.has > n.may;
	IF EXISTS (SELECT FROM jsonb_each_text(r.thresholds) t WHERE t.value::float8 <= 1 / (1 + exp(-least(greatest(r.prior, -700), 700)))) THEN
		RETURN QUERY SELECT 'warning', 'thresholds', 'the prior alone reaches a threshold', 'Raise the threshold, or lower the prior.';
	END IF;
	IF current_setting('assay.stat_max', true) IS NULL THEN
		RETURN QUERY SELECT 'info', 'statistics', 'none are kept', 'Add pg_assay to shared_preload_libraries.';
	END IF;
END $$;
COMMENT ON FUNCTION assay_internal.check_settings_now(assay.policy) IS 'are the prior and the thresholds of a policy plausible?';

CREATE FUNCTION assay_internal.check_traffic(p assay.policy, OUT severity text, OUT "check" text, OUT detail text, OUT hint text)
	RETURNS SETOF record LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	r assay.revision := assay_internal.revision_for_reading(p.policy);
	n bigint;
	never bigint;
BEGIN
	RETURN QUERY
		SELECT CASE WHEN f.last < r.made_at THEN 'info' WHEN f.detector IS NULL AND f.sqlstate <> 'PA001' THEN 'error' ELSE 'warning' END, 'faults',
			format('%s of %s with SQLSTATE %s in a day, the last at %s: %s', f.n,
				CASE WHEN f.detector IS NULL THEN 'the signals or the policy' ELSE format('detector "%s"', f.detector) END, f.sqlstate, f.last, f.message),
			CASE WHEN f.last < r.made_at THEN format('Revision %s came later.', r.revision)
				ELSE concat_ws(' ', CASE WHEN f.suspended THEN 'Sessions where it failed on most messages suspended it for a while.' END,
					format('The view assay.fault has the keys; with the cause mended, SELECT assay.alter_policy(%L); makes a revision, and they are of the past.', p.policy)) END
		FROM (SELECT t.detector, t.sqlstate, count(*) AS n, max(t.at) AS last, bool_or(t.suspended) AS suspended,
				(array_agg(t.message ORDER BY t.at DESC))[1] AS message
			  FROM assay_internal.readable_fault t WHERE t.policy = p.policy AND t.at > now() - interval '1 day'
			  GROUP BY t.detector, t.sqlstate) f
		ORDER BY f.detector COLLATE "C" NULLS FIRST, f.sqlstate;
	BEGIN
		SELECT count(*), count(*) FILTER (WHERE u.reason ~ 'can have no decision$') INTO n, never FROM (SELECT * FROM assay.undecided(p.policy) LIMIT 1000) u;
		IF n > 0 THEN
			RETURN QUERY SELECT CASE WHEN EXISTS (SELECT FROM assay_internal.decide_triggers(p.policy, (SELECT c.relowner FROM pg_class c WHERE c.oid = p.decision)) t
				WHERE t.has_when AND t.may_decide) THEN 'warning' ELSE 'error' END,
				'undecided', concat(format('messages without a decision: %s', CASE WHEN n = 1000 THEN '1000 or more' ELSE n::text END),
					CASE WHEN never > 0 THEN format(', of which %s can have none', never) END),
				concat(format('SELECT * FROM assay.undecided(%L)', p.policy), CASE WHEN never > 0 THEN ' has the reasons' END,
					CASE WHEN never < n THEN format('; CALL assay.backfill(%L, undecided_only => true) decides %s', p.policy, CASE WHEN never > 0 THEN 'the others' ELSE 'them' END) END, '.');
		END IF;
	EXCEPTION WHEN OTHERS THEN
		-- what the error itself hints at may be the words of whoever's code raised it
		RETURN QUERY SELECT 'warning', 'undecided', 'it cannot be told which messages have no decision: ' || SQLERRM,
			CASE WHEN SQLSTATE = '42501' THEN 'It takes SELECT on the message table, and USAGE on its schema.' ELSE format('SELECT * FROM assay.undecided(%L); has the whole error.', p.policy) END;
	END;
	-- a session that has not heard of the revision for a minute
	IF EXISTS (SELECT FROM pg_class c WHERE c.oid = p.decision) AND has_table_privilege(p.decision, 'SELECT') THEN
		BEGIN
			n := assay_internal.older_decisions(p.policy, r.made_at + interval '1 minute', r.revision);
			IF n > 0 THEN
				RETURN QUERY SELECT 'warning', 'revision', format('decisions by older revisions since revision %s: %s', r.revision, n),
					format('CALL assay.backfill(%L) decides them again.', p.policy);
			END IF;
		EXCEPTION WHEN OTHERS THEN
			RETURN QUERY SELECT 'error', 'decision table', 'it cannot be read: ' || SQLERRM, NULL::text;
		END;
	END IF;
	IF NOT pg_is_in_recovery() AND (assay_internal.is_published(p.decision) OR assay_internal.is_published('assay_internal.published_policy')) THEN
		RETURN QUERY
			SELECT 'warning', 'subscriber', format('replication slot %s %s, %s behind', s.slot_name,
				CASE WHEN s.active THEN 'is slow' ELSE 'is not read' END,
				coalesce(pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_lsn(), s.confirmed_flush_lsn)), 'all')),
				'Mend its subscription, or pg_drop_replication_slot() drops it; the server keeps its log until then.'
			FROM pg_replication_slots s
			WHERE s.slot_type = 'logical' AND s.database = current_database()
				AND (NOT s.active OR pg_wal_lsn_diff(pg_current_wal_lsn(), s.confirmed_flush_lsn) > 64 * 1024 * 1024)
			ORDER BY s.slot_name;
	END IF;
	IF NOT pg_is_in_recovery() AND NOT assay_internal.is_following() AND has_table_privilege('assay_internal.published_policy', 'SELECT')
		AND assay_internal.is_published('assay_internal.published_policy') THEN
		RETURN QUERY SELECT 'error', 'subscriber', 'servers that follow are not told of the policy, as after pg_restore --disable-triggers',
			'A superuser does SELECT assay.publish_policies();'
			WHERE NOT EXISTS (SELECT FROM assay_internal.published_policy n WHERE n.policy = p.policy);
	END IF;
	IF current_setting('assay.stat_max', true) IS NOT NULL THEN
		RETURN QUERY
			SELECT 'info', 'detector', format('detector "%s" %s on %s messages', s.detector,
				CASE WHEN s.hits = 0 THEN 'never hit' ELSE 'always hit' END, s.evaluations), 'It tells nothing about them.'
			FROM assay.stat_detector s JOIN assay.detector d ON d.policy = s.policy AND d.detector = s.detector
			WHERE s.policy = p.policy AND d.until_revision IS NULL AND d.mode IN ('live', 'shadow') AND d.condition IS NOT NULL
				AND s.evaluations >= 1000 AND s.hits IN (0, s.evaluations)
			ORDER BY s.detector COLLATE "C";
	END IF;
END $$;
COMMENT ON FUNCTION assay_internal.check_traffic(assay.policy) IS 'what went wrong lately with messages of a policy';

CREATE FUNCTION assay.check(policy text, OUT severity text, OUT "check" text, OUT detail text, OUT hint text)
	RETURNS SETOF record LANGUAGE plpgsql STABLE ROWS 10
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	p assay.policy;
BEGIN
	-- it came from another server, and is not in force yet
	IF EXISTS (SELECT FROM assay.followed f WHERE f.kind = 'policy' AND f.name = $1 AND NOT f.in_force) THEN
		RETURN QUERY SELECT * FROM assay_internal.check_following(policy);
		RETURN;
	END IF;
	p := assay_internal.policy_for_reading(policy);
	RETURN QUERY
		SELECT c.* FROM (
			SELECT * FROM assay_internal.check_following(policy)
			UNION ALL SELECT * FROM assay_internal.check_objects(p)
			UNION ALL SELECT * FROM assay_internal.check_decision_table(p)
			UNION ALL SELECT * FROM assay_internal.check_replaced(p)
			UNION ALL SELECT * FROM assay_internal.check_triggers(p)
			UNION ALL SELECT * FROM assay_internal.check_enabled()
			UNION ALL SELECT * FROM assay_internal.check_baselines(p)
			UNION ALL SELECT * FROM assay_internal.check_foreign(p)
			UNION ALL SELECT * FROM assay_internal.check_parts(p)
			UNION ALL SELECT * FROM assay_internal.check_sets(p)
			UNION ALL SELECT * FROM assay_internal.check_settings_now(p)
			UNION ALL SELECT * FROM assay_internal.check_labels(p)
			UNION ALL SELECT * FROM assay_internal.check_partitions(p)
			UNION ALL SELECT * FROM assay_internal.check_backlog(p)
			UNION ALL SELECT * FROM assay_internal.check_distributed(p)
			UNION ALL SELECT * FROM assay_internal.check_traffic(p)) c
		ORDER BY array_position('{error,warning,info}'::text[], c.severity);
END $$;
COMMENT ON FUNCTION assay.check(text) IS
	'what is wrong, or may be, with a policy: its objects, triggers, conditions, settings, and what happened to messages; no row but info: all is well';
