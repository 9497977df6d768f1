-- ---------------------------------------------------------------------------
-- policy: rights of one's own
-- ---------------------------------------------------------------------------

CREATE FUNCTION assay_internal.access_relations(policy text, OUT relation regclass, OUT kind text) RETURNS SETOF record LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	p assay.policy := assay_internal.policy_for_reading(policy);
BEGIN
	RETURN QUERY
		SELECT c.oid::regclass, CASE
				WHEN c.oid = p.access THEN 'access'
				WHEN c.oid IN (SELECT u::oid FROM assay_internal.unguarded_tables(p) u) THEN 'unguarded'
				WHEN c.oid IN (p.decision, p.label, assay_internal.review_table(p.policy, p.label), assay_internal.outbox_table(p.policy, p.label)) OR c.relname IN (p.policy || '_verdict', p.policy || '_label_latest') THEN 'result'
				ELSE 'signals' END
		FROM pg_class c
		-- what is another's is not the policy's to give
		WHERE pg_get_userbyid(c.relowner) = p.owner
			AND c.oid IN (SELECT r.oid FROM assay_internal.policy_relations(p) r)
		ORDER BY 1;
END $$;
COMMENT ON FUNCTION assay_internal.access_relations(text) IS 'objects of a policy on which its rights are privileges';

-- Who builds reads the signals with rights of his own: what the view may not ask for him is a fault in each message
-- that he replays.  Sets of others are theirs to grant, and not seen here.
CREATE FUNCTION assay_internal.tell_unasked_sets(policy text, role name) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	s record;
BEGIN
	FOR s IN SELECT DISTINCT p.kind, n.set FROM assay_internal.policy_sets(policy) p JOIN assay.named_sets n ON n.set = p.name AND n.content = p.kind
		WHERE NOT pg_has_role(role, n.owner::oid, 'USAGE')
			AND NOT EXISTS (SELECT FROM unnest(n.readers) r WHERE r::oid = 0 OR pg_has_role(role, r::oid, 'USAGE'))
		ORDER BY n.set LOOP
		RAISE NOTICE 'role % may not ask % "%", as policy "%" does', role, CASE s.kind WHEN 'list' THEN 'list' ELSE 'phrase set' END, s.set, policy
			USING HINT = format('Its replays and backtests would be degraded: SELECT assay.grant_set(%L, %L);', s.set, role);
	END LOOP;
EXCEPTION WHEN OTHERS THEN
	-- what does not compile is said elsewhere
	RETURN;
END $$;
COMMENT ON FUNCTION assay_internal.tell_unasked_sets(text, name) IS 'tells of the user''s lists and phrase sets that a policy names and that a role may not ask';

CREATE FUNCTION assay.grant_access(policy text, role name, "right" text) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	r record;
	schemas text[] := '{}';
	s text;
BEGIN
	IF "right" IS NULL OR "right" NOT IN ('reader', 'builder', 'publisher') THEN
		RAISE EXCEPTION 'right must be reader, builder or publisher, not %', coalesce('"' || "right" || '"', 'null')
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = 'reader: decisions, reports, configuration; builder: also drafts, shadows, replay; publisher: also what decisions depend on. The owner is changed by assay.alter_policy().';
	END IF;
	PERFORM assay_internal.policy_for_reading(policy);
	IF NOT assay_internal.may('owner', policy) THEN
		RAISE EXCEPTION 'must be owner of policy "%"', policy USING ERRCODE = 'insufficient_privilege';
	END IF;
	FOR r IN SELECT * FROM assay_internal.access_relations(policy) LOOP
		SELECT n.nspname INTO s FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = r.relation;
		schemas := schemas || s;
		CONTINUE WHEN r.kind = 'signals' AND "right" = 'reader';
		-- a builder sees every message by the signals view
		IF r.kind = 'unguarded' AND "right" = 'reader' THEN
			RAISE NOTICE 'role % does not get SELECT on %, which has no row-level security, as the decisions have', role, r.relation
				USING HINT = format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, with policies like those of the decisions, and call this again; or GRANT SELECT ON %1$s TO %I.', r.relation, role);
			CONTINUE;
		END IF;
		EXECUTE format('GRANT %s ON %s TO %I', CASE
			WHEN r.kind = 'access' AND "right" = 'builder' THEN 'SELECT, INSERT'
			WHEN r.kind = 'access' AND "right" = 'publisher' THEN 'SELECT, INSERT, UPDATE'
			ELSE 'SELECT' END, r.relation, role);
	END LOOP;
	FOR s IN SELECT DISTINCT u FROM unnest(schemas) u WHERE NOT has_schema_privilege(role, u, 'USAGE') LOOP
		RAISE NOTICE 'role % has no USAGE on schema %', role, s USING HINT = format('GRANT USAGE ON SCHEMA %I TO %I;', s, role);
	END LOOP;
	IF "right" <> 'reader' THEN
		PERFORM assay_internal.tell_unasked_sets(policy, role);
	END IF;
END $$;
COMMENT ON FUNCTION assay.grant_access(text, name, text) IS
	'gives a role the right of a reader, builder or publisher of a policy, as privileges on the policy''s objects';

CREATE FUNCTION assay.revoke_access(policy text, role name) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	r record;
BEGIN
	PERFORM assay_internal.policy_for_reading(policy);
	IF NOT assay_internal.may('owner', policy) THEN
		RAISE EXCEPTION 'must be owner of policy "%"', policy USING ERRCODE = 'insufficient_privilege';
	END IF;
	FOR r IN SELECT * FROM assay_internal.access_relations(policy) LOOP
		EXECUTE format('REVOKE SELECT, INSERT, UPDATE ON %s FROM %I', r.relation, role);
	END LOOP;
	-- REVOKE takes what the owner gave, and is silent of what others gave, by a grant option; 0: PUBLIC
	FOR r IN SELECT a.relation, quote_ident(pg_get_userbyid(x.grantor)) AS grantor, string_agg(x.privilege_type, ', ' ORDER BY x.privilege_type) AS privileges
		FROM assay_internal.access_relations(policy) a JOIN pg_class c ON c.oid = a.relation CROSS JOIN LATERAL aclexplode(c.relacl) x
		WHERE x.grantee = coalesce((SELECT g.oid FROM pg_roles g WHERE g.rolname = revoke_access.role), 0) AND x.grantee <> c.relowner AND x.privilege_type IN ('SELECT', 'INSERT', 'UPDATE')
		GROUP BY a.relation, x.grantor ORDER BY a.relation::text COLLATE "C", pg_get_userbyid(x.grantor) COLLATE "C" LOOP
		RAISE WARNING 'role % keeps % on %, which role % has given', role, r.privileges, r.relation, r.grantor
			USING HINT = format('REVOKE GRANT OPTION FOR ALL ON %s FROM %s CASCADE;', r.relation, r.grantor);
	END LOOP;
END $$;
COMMENT ON FUNCTION assay.revoke_access(text, name) IS 'takes from a role every right on a policy that its owner gave; warns of what others gave';

CREATE VIEW assay.access AS
	SELECT p.policy, coalesce(g.rolname, 'public') AS role,
		CASE WHEN g.oid = c.relowner THEN 'owner'
			-- who does not read neither builds nor publishes
			WHEN NOT bool_or(c.oid = p.access AND a.privilege_type = 'SELECT') THEN 'reader'
			WHEN bool_or(c.oid = p.access AND a.privilege_type = 'UPDATE') THEN 'publisher'
			WHEN bool_or(c.oid = p.access AND a.privilege_type = 'INSERT') THEN 'builder'
			ELSE 'reader' END AS "right"
	FROM assay.policy p
	-- the decisions alone make a reader, too
	JOIN pg_catalog.pg_class c ON c.oid IN (p.access, p.decision) AND pg_catalog.pg_get_userbyid(c.relowner) = p.owner
	CROSS JOIN LATERAL pg_catalog.aclexplode(coalesce(c.relacl, pg_catalog.acldefault('r', c.relowner))) a
	LEFT JOIN pg_catalog.pg_roles g ON g.oid = a.grantee
	GROUP BY p.policy, g.rolname, g.oid, c.relowner
	HAVING bool_or(a.privilege_type = 'SELECT');
COMMENT ON VIEW assay.access IS 'who has which right on the policies that the user may read; members of these roles have it too';
GRANT SELECT ON assay.access TO PUBLIC;
