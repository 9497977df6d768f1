-- ---------------------------------------------------------------------------
-- report: what a condition or model that is not saved would have done
-- ---------------------------------------------------------------------------

-- private functions

CREATE FUNCTION assay_internal.condition_hit(policy text, condition text, signals record, careful boolean) RETURNS int
	AS 'MODULE_PATHNAME', 'assay_condition_hit' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION assay_internal.condition_hit(text, text, record, boolean) IS
	'does a condition hit a row of a policy''s view? 1: yes, 0: no, 2: it fails, where careful; else the error is raised. It runs as the policy''s owner for who may act as that, else as the caller';

CREATE FUNCTION assay_internal.condition_hit_logged(policy text, condition text, signals assay.logged_signals, careful boolean) RETURNS int
	AS 'MODULE_PATHNAME', 'assay_condition_hit_logged' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION assay_internal.condition_hit_logged(text, text, assay.logged_signals, boolean) IS 'the same of logged signals, of which those are read that it names';

CREATE FUNCTION assay_internal.count_backtest(policy text, condition text, model assay.model, weight float8, force_verdict text,
	since timestamptz, until timestamptz, at text, signals text, examples int,
	OUT messages bigint, OUT from_log bigint, OUT faults bigint, OUT hits bigint, OUT malicious bigint, OUT safe bigint,
	OUT hit_malicious bigint, OUT hit_safe bigint, OUT flips bigint, OUT flips_right bigint, OUT flips_wrong bigint,
	OUT cost_us float8, OUT overlap jsonb, OUT changes jsonb)
	AS 'MODULE_PATHNAME', 'assay_count_backtest' LANGUAGE C STABLE PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION assay_internal.count_backtest(text, text, assay.model, float8, text, timestamptz, timestamptz, text, text, int) IS
	'counts of backtest()';

-- functions

CREATE FUNCTION assay.backtest(policy text, condition text DEFAULT NULL, since timestamptz DEFAULT '-infinity', until timestamptz DEFAULT 'infinity',
	model assay.model DEFAULT NULL, weight float8 DEFAULT 1, force_verdict text DEFAULT NULL, at text DEFAULT 'received_at',
	signals text DEFAULT 'auto', examples int DEFAULT 10, confidence float8 DEFAULT 0.95,
	OUT messages bigint, OUT from_log bigint, OUT faults bigint, OUT claim text, OUT hits bigint, OUT labelled bigint, OUT tp bigint, OUT fp bigint,
	OUT "precision" float8, OUT lower float8, OUT upper float8, OUT recall float8, OUT flips bigint, OUT flips_right bigint, OUT flips_wrong bigint,
	OUT cost_us float8, OUT overlap jsonb, OUT changes jsonb) LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	c record;
	r assay.revision;
BEGIN
	r := assay_internal.revision_for_reading(policy);
	IF (condition IS NULL) = (model IS NULL) THEN
		RAISE EXCEPTION 'a backtest needs either a condition or a model' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	PERFORM assay_internal.check_detector('backtest', weight, 'draft', 1, '{}'), assay.wilson_interval(0, 0, confidence);
	PERFORM assay_internal.check_condition(policy, condition, 'the backtest', true), assay_internal.check_model(policy, model),
		assay_internal.check_verdict(policy, force_verdict);
	SELECT * INTO c FROM assay_internal.count_backtest(policy, condition, model, weight, force_verdict, since, until, at, signals, examples);
	messages := c.messages;
	from_log := c.from_log;
	faults := c.faults;
	claim := CASE WHEN weight < 0 OR (weight = 0 AND force_verdict = r.default_verdict) THEN 'safe' ELSE 'malicious' END;
	hits := c.hits;
	labelled := c.hit_malicious + c.hit_safe;
	tp := CASE claim WHEN 'safe' THEN c.hit_safe ELSE c.hit_malicious END;
	fp := labelled - tp;
	"precision" := tp::float8 / nullif(labelled, 0);
	SELECT w.lower, w.upper INTO lower, upper FROM assay.wilson_interval(tp, labelled, confidence) w;
	recall := tp::float8 / nullif(CASE claim WHEN 'safe' THEN c.safe ELSE c.malicious END, 0);
	flips := c.flips;
	flips_right := c.flips_right;
	flips_wrong := c.flips_wrong;
	cost_us := c.cost_us;
	overlap := c.overlap;
	changes := c.changes;
END $$;
COMMENT ON FUNCTION assay.backtest(text, text, timestamptz, timestamptz, assay.model, float8, text, text, text, int, float8) IS
	'what a condition or model that is not saved would have done to past messages: hits, precision with interval, decisions that it alone flips, overlap with each detector, the largest changes, cost';
