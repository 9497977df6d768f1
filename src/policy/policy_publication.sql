-- ---------------------------------------------------------------------------
-- policy: publishing policies to other servers
--
-- Logical replication writes columns as text, and a worker that can't read a
-- value tries again for ever, with all that comes behind it.  A regclass or
-- regrole can't be read where the table or role is not there yet.  So the tables
-- that have such columns don't travel: names do, in tables of their own, and
-- the subscriber looks for what they name when it is there
-- (policy_subscription.sql).  The rest is replicated as it is.
-- ---------------------------------------------------------------------------

-- tables: not dumped, since the triggers below fill them where a dump is restored

CREATE TABLE assay_internal.published_policy (
	policy text PRIMARY KEY,
	owner text NOT NULL,
	signals text NOT NULL CHECK (cardinality(parse_ident(signals)) = 2),
	key text[] NOT NULL,
	decision text NOT NULL CHECK (cardinality(parse_ident(decision)) = 2),
	label text NOT NULL CHECK (cardinality(parse_ident(label)) = 2),
	access text CHECK (cardinality(parse_ident(access)) = 2),
	created_at timestamptz NOT NULL
);
COMMENT ON TABLE assay_internal.published_policy IS 'policies with the names of their owners and relations, for servers that follow';

CREATE TABLE assay_internal.published_set (
	set text COLLATE "C" PRIMARY KEY,
	owner text NOT NULL,
	readers text[] NOT NULL
);
COMMENT ON TABLE assay_internal.published_set IS 'lists and phrase sets with the names of their owners and readers (public: everybody), for servers that follow';

GRANT SELECT ON assay_internal.published_policy, assay_internal.published_set TO pg_database_owner;

-- private functions

CREATE FUNCTION assay_internal.relation_name(relation oid) RETURNS text LANGUAGE sql STABLE STRICT
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1
$$;
COMMENT ON FUNCTION assay_internal.relation_name(oid) IS 'qualified and quoted name of a relation, NULL when it is gone';

-- A policy whose tables are gone has no names to tell: what was told stays.
CREATE FUNCTION assay_internal.note_policy(policy text) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	DELETE FROM assay_internal.published_policy n
	WHERE n.policy = $1 AND NOT EXISTS (SELECT FROM assay_internal.policy p WHERE p.policy = $1);
	INSERT INTO assay_internal.published_policy AS t
	SELECT p.policy, pg_get_userbyid(d.relowner), p.signals, p.key, assay_internal.relation_name(p.decision), assay_internal.relation_name(p.label),
		assay_internal.relation_name(p.access), p.created_at
	FROM assay_internal.policy p JOIN pg_class d ON d.oid = p.decision JOIN pg_class l ON l.oid = p.label
	WHERE p.policy = $1
	ON CONFLICT ON CONSTRAINT published_policy_pkey DO UPDATE SET owner = excluded.owner, signals = excluded.signals, key = excluded.key, decision = excluded.decision,
		label = excluded.label, access = excluded.access, created_at = excluded.created_at
	WHERE t.* IS DISTINCT FROM excluded.*;
END $$;
COMMENT ON FUNCTION assay_internal.note_policy(text) IS 'writes the names of a policy''s owner and relations, as they are now, for servers that follow';

CREATE FUNCTION assay_internal.note_set(set text) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	DELETE FROM assay_internal.published_set n
	WHERE n.set = $1 AND NOT EXISTS (SELECT FROM assay.named_set s WHERE s.set = $1);
	INSERT INTO assay_internal.published_set AS t
	SELECT s.set, pg_get_userbyid(s.owner), array(SELECT coalesce(r.rolname::text, 'public') FROM unnest(s.readers) WITH ORDINALITY u(oid, n)
		LEFT JOIN pg_roles r ON r.oid = u.oid WHERE u.oid = 0::oid OR r.oid IS NOT NULL ORDER BY u.n)
	FROM assay.named_set s WHERE s.set = $1
	ON CONFLICT ON CONSTRAINT published_set_pkey DO UPDATE SET owner = excluded.owner, readers = excluded.readers
	WHERE t.* IS DISTINCT FROM excluded.*;
END $$;
COMMENT ON FUNCTION assay_internal.note_set(text) IS 'writes the names of a set''s owner and readers, as they are now, for servers that follow';

CREATE FUNCTION assay_internal.note_published() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF TG_TABLE_NAME = 'named_set' THEN
		PERFORM assay_internal.note_set(CASE TG_OP WHEN 'DELETE' THEN OLD.set ELSE NEW.set END);
	ELSE
		PERFORM assay_internal.note_policy(CASE TG_OP WHEN 'DELETE' THEN OLD.policy ELSE NEW.policy END);
	END IF;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION assay_internal.note_published() IS 'keeps the names of what is published as they are';
REVOKE ALL ON FUNCTION assay_internal.note_policy(text), assay_internal.note_set(text), assay_internal.note_published() FROM PUBLIC;

-- With each revision, too: tables may have been renamed, or given to others, since.
CREATE TRIGGER note_published AFTER INSERT OR UPDATE OR DELETE ON assay_internal.policy
	FOR EACH ROW EXECUTE FUNCTION assay_internal.note_published();
CREATE TRIGGER note_published AFTER INSERT ON assay_internal.revision
	FOR EACH ROW EXECUTE FUNCTION assay_internal.note_published();
CREATE TRIGGER note_published AFTER INSERT OR DELETE OR UPDATE OF owner, readers ON assay.named_set
	FOR EACH ROW EXECUTE FUNCTION assay_internal.note_published();

CREATE FUNCTION assay_internal.published_tables() RETURNS SETOF text LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT unnest('{assay_internal.revision,assay_internal.detector_model,assay_internal.detector,assay_internal.guard,assay_internal.exclusion,
		assay_internal.label_rule,assay_internal.published_policy,assay.named_set,assay_internal.published_set,assay.list_entry,assay.list_base,
		assay.phrase_entry,assay.phrase_base}'::text[])
$$;
COMMENT ON FUNCTION assay_internal.published_tables() IS 'tables in which policies, lists and phrases travel';

-- functions

CREATE FUNCTION assay.publish_policies() RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	tables text := (SELECT string_agg(t || CASE t WHEN 'assay.named_set' THEN ' (set, content, state, made_at, changed_at, description, pruned_at, pruned_state)' ELSE '' END, ', ')
		FROM assay_internal.published_tables() t);
	model text;
	other record;
BEGIN
	-- who owns a publication says what it leaves out, and what else it brings
	SELECT p.pubname, pg_get_userbyid(p.pubowner) AS owner INTO other FROM pg_publication p
	WHERE p.pubname IN ('assay_policies', 'assay_text_models')
		AND NOT pg_has_role(p.pubowner, (SELECT c.relowner FROM pg_class c WHERE c.oid = 'assay_internal.revision'::regclass), 'USAGE');
	IF FOUND THEN
		RAISE EXCEPTION 'publication "%" belongs to role "%"', other.pubname, other.owner USING ERRCODE = 'insufficient_privilege',
			DETAIL = 'Its owner could say what other servers take from it.',
			HINT = format('DROP PUBLICATION %I; and call this again.', other.pubname);
	END IF;
	IF NOT EXISTS (SELECT FROM pg_publication p WHERE p.pubname = 'assay_policies') THEN
		EXECUTE 'CREATE PUBLICATION assay_policies FOR TABLE ' || tables;
	ELSE
		EXECUTE 'ALTER PUBLICATION assay_policies SET TABLE ' || tables;
	END IF;
	IF NOT EXISTS (SELECT FROM pg_publication p WHERE p.pubname = 'assay_text_models') THEN
		EXECUTE 'CREATE PUBLICATION assay_text_models';
	END IF;
	FOR model IN SELECT assay_internal.relation_name(c.oid) FROM assay.text_model_registry r JOIN pg_class c ON c.oid = r.relation
		WHERE NOT EXISTS (SELECT FROM pg_publication p JOIN pg_publication_rel x ON x.prpubid = p.oid
			WHERE p.pubname = 'assay_text_models' AND x.prrelid = c.oid) ORDER BY 1
	LOOP
		EXECUTE format('ALTER PUBLICATION assay_text_models ADD TABLE %s', model);
	END LOOP;
	-- who follows itself has the names from where it follows
	IF NOT assay_internal.is_following() THEN
		PERFORM assay_internal.note_policy(p.policy) FROM (SELECT t.policy FROM assay_internal.policy t UNION SELECT n.policy FROM assay_internal.published_policy n) p;
		PERFORM assay_internal.note_set(s.set) FROM (SELECT t.set FROM assay.named_set t UNION SELECT n.set FROM assay_internal.published_set n) s;
	END IF;
END $$;
COMMENT ON FUNCTION assay.publish_policies() IS
	'makes the publications assay_policies (policies, lists, phrases) and assay_text_models, or brings them to what there is now';
REVOKE ALL ON FUNCTION assay.publish_policies() FROM PUBLIC;
