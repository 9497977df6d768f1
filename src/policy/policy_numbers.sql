-- ---------------------------------------------------------------------------
-- policy: numbers that a sequence gives, where rows come by replication
--
-- Replication brings rows and not sequences.  A server that takes over from the
-- one that it followed would give numbers that stand already, and a decision
-- whose change can't be told is not written.
-- ---------------------------------------------------------------------------

-- private functions

CREATE FUNCTION assay_internal.follow_number() RETURNS trigger LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	numbers regclass := pg_get_serial_sequence(TG_RELID::regclass::text, TG_ARGV[0]);
	number bigint;
BEGIN
	-- pg_restore --disable-triggers leaves a trigger for replicas enabled for all
	IF current_setting('session_replication_role') <> 'replica' OR numbers IS NULL THEN
		RETURN NULL;
	END IF;
	EXECUTE format('SELECT ($1).%I', TG_ARGV[0]) INTO number USING NEW;
	IF number > coalesce(pg_sequence_last_value(numbers), 0) THEN
		PERFORM setval(numbers, number);
	END IF;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION assay_internal.follow_number() IS 'has the sequence of a column go on behind the numbers that come by replication';

CREATE FUNCTION assay_internal.let_number_follow(target text, number text) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	EXECUTE format('CREATE TRIGGER assay_follow AFTER INSERT ON %s FOR EACH ROW EXECUTE FUNCTION assay_internal.follow_number(%L)', target, number);
	EXECUTE format('ALTER TABLE %s ENABLE REPLICA TRIGGER assay_follow', target);
END $$;
COMMENT ON FUNCTION assay_internal.let_number_follow(text, text) IS 'makes the trigger of a table by which its numbers go on where rows come by replication';

SELECT assay_internal.let_number_follow('assay_internal.fault', 'fault'), assay_internal.let_number_follow('assay_internal.backfill_run', 'run');
