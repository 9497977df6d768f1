-- reads_again(): whether the trigger takes signals from the new rows themselves

CREATE FUNCTION assay.reads_again(policy text, message_table regclass) RETURNS text
	AS 'MODULE_PATHNAME', 'assay_reads_again'
	LANGUAGE C STABLE STRICT PARALLEL UNSAFE COST 1000;
COMMENT ON FUNCTION assay.reads_again(text, regclass) IS
	'why a statement-level trigger on the table reads new messages again for the policy; NULL: it takes their signals from the new rows';
