-- ---------------------------------------------------------------------------
-- columns: what a message table calls what the signals are made from
-- ---------------------------------------------------------------------------

-- What assay_load calls a column, by what other names it is found, and what is lost without it
CREATE TABLE assay.email_column (
	fact text COLLATE "C" PRIMARY KEY REFERENCES assay.email_fact,
	names text[] NOT NULL,
	missing text
);
COMMENT ON TABLE assay.email_column IS 'names by which columns of a message table are found, and what is lost without a column; NULL: little';
GRANT SELECT ON assay.email_column TO PUBLIC;

INSERT INTO assay.email_column VALUES
	('received_at', '{received,received_on,received_time,date_received,delivered_at,arrived_at,timestamp,ts,date,created_at}', 'without it there is no policy'),
	('from_addr', '{from,sender,from_address,sender_address,from_email,sender_email,mail_from,email_from}', 'without it there is no policy'),
	('from_name', '{sender_name,display_name,from_display}', 'no display names: passing oneself off as a brand or a director is not seen'),
	('reply_to', '{reply_to_addr,reply_to_address,replyto}', 'replies that go elsewhere are not seen'),
	('return_path', '{envelope_from,bounce_addr,mailfrom,returnpath}', 'envelope senders that differ are not seen'),
	('recipients', '{to_addrs,rcpts,rcpt_to,to_addresses,recipient_addrs,recipient,to_addr,to_address,rcpt,to}', 'no histories of who writes to whom, and no relation between sender and reader'),
	('subject', '{title,subject_line,subj}', 'subjects are not looked at'),
	('body_text', '{body,text,body_plain,plain_text,content,text_body,message_body}', 'what the text says is not looked at: most phishing is missed'),
	('has_html', '{is_html,html}', NULL),
	('urls', '{links,url_list}', 'links are not looked at'),
	('link_texts', '{}', NULL),
	('link_hrefs', '{}', 'links whose text names another place are not seen'),
	('attachments', '{files}', 'attachments are not looked at'),
	('headers', '{header,raw_headers,mail_headers}', 'no authentication (SPF, DKIM, DMARC), no relays: who sent it is as written, and "cold" rules weigh less'),
	('message_id', '{msg_id,messageid,internet_message_id,rfc822_message_id}', 'threads are not seen'),
	('in_reply_to', '{inreplyto,parent_message_id}', 'threads are not seen'),
	('reference_ids', '{references,thread_refs}', NULL),
	('list_id', '{listid,mailing_list}', 'mailing lists are not told'),
	('size_bytes', '{size,message_size,bytes}', NULL);

-- How a column of another type becomes what the signals want; NULL: not at all.
-- An address may be written with a name before it.
CREATE FUNCTION assay.email_conversion(fact text, type regtype, col text, has regtype, atttypmod int) RETURNS text LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE
		WHEN fact = 'from_addr' AND c.base = 'S' THEN
			format('coalesce(lower(substring(%1$I::text FROM ''<\s*([^<>@\s]+@[^<>\s]+?)\s*>'')), lower(btrim(%1$I::text)))', col)
		WHEN fact = 'from_name' AND c.base = 'S' THEN format('%I::text', col)
		WHEN has = type THEN quote_ident(col)
		WHEN type = 'text'::regtype AND c.base = 'S' THEN format('%I::text', col)
		WHEN type = 'text[]'::regtype AND c.base = 'S' THEN
			format('string_to_array(regexp_replace(btrim(%I::text), ''\s*[,;]\s*'', '','', ''g''), '','')', col)
		WHEN type = 'text[]'::regtype AND has IN ('varchar[]'::regtype, 'bpchar[]'::regtype) THEN format('%I::text[]', col)
		WHEN type = 'timestamptz'::regtype AND has = 'timestamp'::regtype THEN format('%I AT TIME ZONE ''UTC''', col)
		WHEN type = 'timestamptz'::regtype AND has = 'date'::regtype THEN format('%I::timestamp AT TIME ZONE ''UTC''', col)
		WHEN type = 'jsonb'::regtype AND has = 'json'::regtype THEN format('%I::jsonb', col)
		WHEN type = 'bigint'::regtype AND has IN ('int'::regtype, 'smallint'::regtype) THEN format('%I::bigint', col)
	END
	FROM (SELECT t.typcategory AS base FROM pg_type t WHERE t.oid = has) c
	$$;
COMMENT ON FUNCTION assay.email_conversion(text, regtype, text, regtype, int) IS 'private: expression that gives a fact from a column of a message table; NULL where its type does not fit';

-- Which column is which: as told, by its own name, or by another that is usual
CREATE FUNCTION assay.email_map_columns(messages regclass, columns jsonb DEFAULT '{}', OUT fact text, OUT col text, OUT how text, OUT expression text, OUT note text)
	RETURNS SETOF record LANGUAGE plpgsql STABLE ROWS 20
	SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	bad text;
	taken text[] := '{}';
	named boolean := false;
	f record;
	a record;
BEGIN
	IF jsonb_typeof(columns) IS DISTINCT FROM 'object' OR EXISTS (SELECT FROM jsonb_each(columns) c WHERE jsonb_typeof(c.value) <> 'string') THEN
		RAISE EXCEPTION 'columns must be an object of column names' USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Write the e-mail pack''s name of each with the table''s, as in {"from_addr": "sender"}.';
	END IF;
	SELECT c.key INTO bad FROM jsonb_each_text(columns) c WHERE NOT EXISTS (SELECT FROM assay.email_fact k WHERE k.fact = c.key);
	IF FOUND THEN
		RAISE EXCEPTION 'the e-mail pack has no column "%"', bad USING ERRCODE = 'undefined_column', HINT = 'SELECT fact FROM assay.email_fact lists them.';
	END IF;
	SELECT c.value INTO bad FROM jsonb_each_text(columns) c
	WHERE NOT EXISTS (SELECT FROM pg_attribute x WHERE x.attrelid = messages AND x.attname = c.value AND x.attnum > 0 AND NOT x.attisdropped);
	IF FOUND THEN
		RAISE EXCEPTION 'relation "%" has no column "%"', messages, bad USING ERRCODE = 'undefined_column';
	END IF;
	-- a column that goes by its own name or was told goes by no other
	taken := array(SELECT c.value FROM jsonb_each_text(columns) c UNION SELECT e.fact::text FROM assay.email_fact e);
	FOR f IN SELECT e.fact, e.type, coalesce(c.names, '{}') AS names, c.missing, c.fact IS NOT NULL AS listed, columns->>e.fact::text AS told
		FROM assay.email_fact e LEFT JOIN assay.email_column c ON c.fact = e.fact ORDER BY e.fact COLLATE "C"
	LOOP
		SELECT x.attname AS name, x.atttypid::regtype AS type, x.atttypmod AS typmod, assay.email_conversion(f.fact::text, f.type, x.attname, x.atttypid, x.atttypmod) AS made INTO a
		FROM pg_attribute x
		WHERE x.attrelid = messages AND x.attnum > 0 AND NOT x.attisdropped
			AND CASE WHEN f.told IS NOT NULL THEN x.attname = f.told
				ELSE x.attname = f.fact OR lower(x.attname) = ANY (f.names) AND NOT x.attname = ANY (taken) END
		ORDER BY x.attname <> f.fact, assay.email_conversion(f.fact::text, f.type, x.attname, x.atttypid, x.atttypmod) IS NULL, array_position(f.names, lower(x.attname)::text)
		LIMIT 1;
		fact := f.fact;
		col := a.name;
		expression := NULL;
		note := NULL;
		IF a.name IS NULL THEN
			CONTINUE WHEN NOT f.listed OR f.missing IS NULL OR f.fact = 'from_name' AND named;
			how := 'missing';
			note := f.missing;
		ELSIF a.name = f.fact AND (a.made IS NULL OR a.type = f.type) AND f.told IS NULL THEN
			-- the facts view casts it, as ever
			CONTINUE WHEN NOT f.listed;
			how := 'own name';
		ELSIF a.made IS NULL THEN
			IF f.told IS NOT NULL THEN
				RAISE EXCEPTION 'column "%" is of type %, and "%" wants %', a.name, a.type, f.fact, f.type USING ERRCODE = 'datatype_mismatch';
			END IF;
			how := 'missing';
			note := format('column "%s" is of type %s, and %s is wanted; %s', a.name, a.type, f.type, coalesce(f.missing, 'it is left out'));
			col := NULL;
		ELSE
			how := CASE WHEN f.told IS NOT NULL THEN 'told' ELSE 'usual name' END;
			expression := a.made;
			taken := taken || a.name::text;
		END IF;
		RETURN NEXT;
		-- "Ann <ann@example.com>": the name is there as well
		IF f.fact = 'from_addr' AND expression IS NOT NULL AND NOT columns ? 'from_name'
			AND NOT EXISTS (SELECT FROM pg_attribute x JOIN assay.email_column c ON c.fact = 'from_name' AND (x.attname = c.fact OR lower(x.attname) = ANY (c.names))
				WHERE x.attrelid = messages AND x.attnum > 0 AND NOT x.attisdropped)
		THEN
			fact := 'from_name';
			how := 'part of it';
			named := true;
			expression := format('nullif(btrim(substring(%I::text FROM ''^(.*?)<''), '' "''), '''')', col);
			RETURN NEXT;
		END IF;
	END LOOP;
END $$;
COMMENT ON FUNCTION assay.email_map_columns(regclass, jsonb) IS
	'which columns of a message table give what the e-mail pack looks for: told, by the same or by a usual name, or missing, and what that costs; an expression where another name or type has to be bridged';

CREATE FUNCTION assay.email_mapped(definition text, mapped jsonb) RETURNS text LANGUAGE plpgsql IMMUTABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	f record;
BEGIN
	FOR f IN SELECT * FROM jsonb_each_text(mapped) LOOP
		definition := regexp_replace(definition, '\m' || f.key || '\M', replace('(' || f.value || ')', '\', '\\'), 'g');
	END LOOP;
	RETURN definition;
END $$;
COMMENT ON FUNCTION assay.email_mapped(text, jsonb) IS 'private: an index definition over the columns of a table whose names differ';

CREATE FUNCTION assay.email_messages_comment() RETURNS text LANGUAGE sql IMMUTABLE
	SET search_path = pg_catalog, pg_temp AS $$ SELECT 'messages with the columns that the e-mail pack looks for' $$;
COMMENT ON FUNCTION assay.email_messages_comment() IS 'private: by which create_email_policy() knows its view again';

CREATE FUNCTION assay.email_messages_view(policy text, base regclass, mapped jsonb, key text[], tenant text) RETURNS regclass LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	made text := (SELECT format('%I.%I', n.nspname, policy || '_messages') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = base);
BEGIN
	EXECUTE format('CREATE VIEW %s AS SELECT %s FROM %s m', made, (
		SELECT string_agg(c.item, ', ' ORDER BY c.n) FROM (
			SELECT a.attnum::int AS n, format('m.%I', a.attname) AS item FROM pg_attribute a
			WHERE a.attrelid = base AND a.attnum > 0 AND NOT a.attisdropped AND NOT mapped ? a.attname
			UNION ALL
			SELECT 100000, format('%s AS %I', e.value, e.key) FROM jsonb_each_text(mapped) e) c), base);
	EXECUTE format('COMMENT ON VIEW %s IS %L', made, assay.email_messages_comment());
	RETURN made::regclass;
END $$;
COMMENT ON FUNCTION assay.email_messages_view(text, regclass, jsonb, text[], text) IS 'private: a view that gives a message table''s columns the names that the signals ask for';

-- What a text model is to see of a message
CREATE FUNCTION assay.email_content(messages regclass, alias text DEFAULT '') RETURNS text LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT format('jsonb_build_object(%s)', string_agg(format('%L, %s%I', v.part, alias, v.col), ', ' ORDER BY v.part))
	FROM (VALUES ('subject', 'subject', 'text'::regtype), ('body', 'body_text', 'text'), ('urls', 'urls', 'text[]')) v(part, col, type)
	JOIN pg_attribute a ON a.attrelid = messages AND a.attname = v.col AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid = v.type
	$$;
COMMENT ON FUNCTION assay.email_content(regclass, text) IS 'private: expression over a message table for the text that a text model learns from; NULL: there is no text';
