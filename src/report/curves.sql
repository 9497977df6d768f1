-- ---- report: curves, quantiles and weighted rates

CREATE FUNCTION assay.ks(scored assay.scored) RETURNS float8
	AS 'MODULE_PATHNAME', 'scored_ks' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.ks(assay.scored) IS 'Kolmogorov and Smirnov''s statistic: the largest distance between the distributions of scores of positives and of negatives';

CREATE AGGREGATE assay.ks(score float8, label boolean) (
	SFUNC = assay_internal.scored_add, STYPE = assay.scored, SSPACE = 4096,
	COMBINEFUNC = assay_internal.scored_combine, FINALFUNC = assay.ks, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.ks(float8, boolean) IS 'largest distance between the distributions of scores of positives and of negatives';

CREATE AGGREGATE assay.ks(score float8, label boolean, weight float8) (
	SFUNC = assay_internal.scored_add, STYPE = assay.scored, SSPACE = 4096,
	COMBINEFUNC = assay_internal.scored_combine, FINALFUNC = assay.ks, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.ks(float8, boolean, float8) IS 'largest distance between the distributions of scores of positives and of negatives, weighted';

CREATE FUNCTION assay.roc_curve(scored assay.scored, OUT threshold float8, OUT fpr float8, OUT tpr float8) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'scored_roc_curve' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.roc_curve(assay.scored) IS 'rates of false and of true positives at each threshold, from above the highest score down';

CREATE FUNCTION assay.calibration_curve(scored assay.scored, bins integer DEFAULT 10, strategy text DEFAULT 'uniform',
	OUT bin integer, OUT lower float8, OUT upper float8, OUT mean_score float8, OUT positive_rate float8, OUT weight float8) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'scored_calibration_curve' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.calibration_curve(assay.scored, integer, text) IS 'mean score and share of positives for each bin of probabilities that has rows; strategy: uniform or quantile';

CREATE FUNCTION assay.platt(scored assay.scored, OUT slope float8, OUT intercept float8) RETURNS record
	AS 'MODULE_PATHNAME', 'scored_platt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.platt(assay.scored) IS 'slope and intercept that make these margins log-odds (Platt); NULL without both labels';

CREATE FUNCTION assay.isotonic(scored assay.scored, OUT lower float8, OUT upper float8, OUT positive_rate float8, OUT weight float8) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'scored_isotonic' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.isotonic(assay.scored) IS 'ascending rates of positives that are nearest to the labels, each with the scores from lower to upper';

CREATE FUNCTION assay.psi(reference assay.scored, recent assay.scored, bins integer DEFAULT 10) RETURNS float8
	AS 'MODULE_PATHNAME', 'scored_psi' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.psi(assay.scored, assay.scored, integer) IS 'population stability index of scores, labels aside, over bins that hold the same number of rows of the reference';

CREATE FUNCTION assay.quantile_interval(scored assay.scored, q float8, confidence float8 DEFAULT 0.95,
	OUT quantile float8, OUT lower float8, OUT upper float8) RETURNS record
	AS 'MODULE_PATHNAME', 'scored_quantile_interval' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.quantile_interval(assay.scored, float8, float8) IS 'a quantile of the scores with its interval by order statistics';

CREATE FUNCTION assay.exact_interval(k bigint, n bigint, confidence float8 DEFAULT 0.95, OUT lower float8, OUT upper float8) RETURNS record
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.exact_interval(bigint, bigint, float8) IS 'exact interval of Clopper and Pearson of the proportion k of n';

-- ---- rates of weighted rows

CREATE TYPE assay.weighted_rate AS (
	rate float8, lower float8, upper float8, n bigint, effective_n float8
);
COMMENT ON TYPE assay.weighted_rate IS 'a rate of weighted rows, its interval, the rows, and how many unweighted ones would tell as much';

CREATE FUNCTION assay_internal.weighted_rate_add(float8[], hit boolean, weight float8) RETURNS float8[]
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.weighted_rate_add(float8[], boolean, float8) IS 'aggregate transition function';

CREATE FUNCTION assay_internal.weighted_rate_add(float8[], hit boolean, weight float8, confidence float8) RETURNS float8[]
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.weighted_rate_add(float8[], boolean, float8, float8) IS 'aggregate transition function';

CREATE FUNCTION assay_internal.weighted_rate_combine(float8[], float8[]) RETURNS float8[]
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.weighted_rate_combine(float8[], float8[]) IS 'aggregate combine function';

CREATE FUNCTION assay_internal.weighted_rate_final(float8[]) RETURNS assay.weighted_rate
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.weighted_rate_final(float8[]) IS 'aggregate final function';

CREATE AGGREGATE assay.weighted_rate(hit boolean, weight float8) (
	SFUNC = assay_internal.weighted_rate_add, STYPE = float8[],
	COMBINEFUNC = assay_internal.weighted_rate_combine, FINALFUNC = assay_internal.weighted_rate_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.weighted_rate(boolean, float8) IS 'share of the weight that hit, with its 95 % interval';

CREATE AGGREGATE assay.weighted_rate(hit boolean, weight float8, confidence float8) (
	SFUNC = assay_internal.weighted_rate_add, STYPE = float8[],
	COMBINEFUNC = assay_internal.weighted_rate_combine, FINALFUNC = assay_internal.weighted_rate_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.weighted_rate(boolean, float8, float8) IS 'share of the weight that hit, with its interval of this confidence';
