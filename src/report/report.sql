-- report: how good scores are

-- type

CREATE TYPE assay.scored;

CREATE FUNCTION assay_internal.scored_in(cstring) RETURNS assay.scored
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.scored_in(cstring) IS 'I/O of scored';

CREATE FUNCTION assay_internal.scored_out(assay.scored) RETURNS cstring
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.scored_out(assay.scored) IS 'I/O of scored';

CREATE FUNCTION assay_internal.scored_recv(internal) RETURNS assay.scored
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.scored_recv(internal) IS 'I/O of scored';

CREATE FUNCTION assay_internal.scored_send(assay.scored) RETURNS bytea
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.scored_send(assay.scored) IS 'I/O of scored';

CREATE TYPE assay.scored (
	INPUT = assay_internal.scored_in,
	OUTPUT = assay_internal.scored_out,
	RECEIVE = assay_internal.scored_recv,
	SEND = assay_internal.scored_send,
	INTERNALLENGTH = VARIABLE,
	ALIGNMENT = double,
	STORAGE = extended
);
COMMENT ON TYPE assay.scored IS 'distinct scores with the weight of positive and negative labels at each; mergeable';

CREATE TYPE assay.confusion AS (
	tp float8, fp float8, fn float8, tn float8,
	precision float8, recall float8, fnr float8, fpr float8, f1 float8, accuracy float8
);
COMMENT ON TYPE assay.confusion IS 'true and false positives and negatives, and the rates made of them';

-- functions

CREATE FUNCTION assay.roc_auc(scored assay.scored) RETURNS float8
	AS 'MODULE_PATHNAME', 'scored_roc_auc' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.roc_auc(assay.scored) IS 'area under the ROC curve: the probability that a positive scores above a negative, ties counting half';

CREATE FUNCTION assay.average_precision(scored assay.scored) RETURNS float8
	AS 'MODULE_PATHNAME', 'scored_average_precision' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.average_precision(assay.scored) IS 'precision averaged over the recall gained at each threshold';

CREATE FUNCTION assay.log_loss(scored assay.scored) RETURNS float8
	AS 'MODULE_PATHNAME', 'scored_log_loss' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.log_loss(assay.scored) IS 'mean negative logarithm of the probability given to the label';

CREATE FUNCTION assay.brier(scored assay.scored) RETURNS float8
	AS 'MODULE_PATHNAME', 'scored_brier' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.brier(assay.scored) IS 'mean squared difference of probability and label';

CREATE FUNCTION assay.confusion(scored assay.scored, threshold float8) RETURNS assay.confusion
	AS 'MODULE_PATHNAME', 'scored_confusion' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.confusion(assay.scored, float8) IS 'confusion when scores from the threshold up are taken as positive';

CREATE FUNCTION assay.precision_recall_curve(scored assay.scored,
	OUT threshold float8, OUT tp float8, OUT fp float8, OUT "precision" float8, OUT recall float8, OUT fpr float8) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'scored_curve' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.precision_recall_curve(assay.scored) IS 'precision, recall and false positive rate at each threshold, from the highest score down';

CREATE FUNCTION assay.scored_info(scored assay.scored,
	OUT positive float8, OUT negative float8, OUT distinct_scores integer, OUT exact boolean,
	OUT score_resolution float8, OUT auc_error float8) RETURNS record
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.scored_info(assay.scored) IS 'weights, number of distinct scores, and how far rounded scores can have moved the AUC';

CREATE FUNCTION assay.wilson_interval(k bigint, n bigint, confidence float8 DEFAULT 0.95, OUT lower float8, OUT upper float8) RETURNS record
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.wilson_interval(bigint, bigint, float8) IS 'Wilson score interval of the proportion k of n';

-- private functions

CREATE FUNCTION assay_internal.scored_add(assay.scored, score float8, label boolean) RETURNS assay.scored
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.scored_add(assay.scored, float8, boolean) IS 'aggregate transition function';

CREATE FUNCTION assay_internal.scored_add(assay.scored, score float8, label boolean, weight float8) RETURNS assay.scored
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.scored_add(assay.scored, float8, boolean, float8) IS 'aggregate transition function';

CREATE FUNCTION assay_internal.scored_combine(assay.scored, assay.scored) RETURNS assay.scored
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.scored_combine(assay.scored, assay.scored) IS 'aggregate combine function';

CREATE FUNCTION assay_internal.scored_final(assay.scored) RETURNS assay.scored
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.scored_final(assay.scored) IS 'aggregate final function';

CREATE FUNCTION assay_internal.log_loss_add(float8[], score float8, label boolean) RETURNS float8[]
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.log_loss_add(float8[], float8, boolean) IS 'aggregate transition function';

CREATE FUNCTION assay_internal.log_loss_add(float8[], score float8, label boolean, weight float8) RETURNS float8[]
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.log_loss_add(float8[], float8, boolean, float8) IS 'aggregate transition function';

CREATE FUNCTION assay_internal.brier_add(float8[], score float8, label boolean) RETURNS float8[]
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.brier_add(float8[], float8, boolean) IS 'aggregate transition function';

CREATE FUNCTION assay_internal.brier_add(float8[], score float8, label boolean, weight float8) RETURNS float8[]
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.brier_add(float8[], float8, boolean, float8) IS 'aggregate transition function';

CREATE FUNCTION assay_internal.confusion_add(float8[], predicted boolean, label boolean) RETURNS float8[]
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.confusion_add(float8[], boolean, boolean) IS 'aggregate transition function';

CREATE FUNCTION assay_internal.confusion_add(float8[], predicted boolean, label boolean, weight float8) RETURNS float8[]
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.confusion_add(float8[], boolean, boolean, float8) IS 'aggregate transition function';

CREATE FUNCTION assay_internal.sums_combine(float8[], float8[]) RETURNS float8[]
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.sums_combine(float8[], float8[]) IS 'aggregate combine function';

CREATE FUNCTION assay_internal.mean_final(float8[]) RETURNS float8
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.mean_final(float8[]) IS 'aggregate final function';

CREATE FUNCTION assay_internal.confusion_final(float8[]) RETURNS assay.confusion
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.confusion_final(float8[]) IS 'aggregate final function';

CREATE FUNCTION assay_internal.confusion_merge(state float8[], c assay.confusion) RETURNS float8[]
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN CASE WHEN (c).tp IS NULL THEN state
		ELSE assay_internal.sums_combine(state, ARRAY[(c).tp, (c).fp, (c).fn, (c).tn]) END;
COMMENT ON FUNCTION assay_internal.confusion_merge(float8[], assay.confusion) IS 'aggregate transition function';

-- aggregates

CREATE AGGREGATE assay.scored_agg(score float8, label boolean) (
	SFUNC = assay_internal.scored_add, STYPE = assay.scored, SSPACE = 4096,
	COMBINEFUNC = assay_internal.scored_combine, FINALFUNC = assay_internal.scored_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.scored_agg(float8, boolean) IS 'scores and their labels, for roc_auc and the like';

CREATE AGGREGATE assay.scored_agg(score float8, label boolean, weight float8) (
	SFUNC = assay_internal.scored_add, STYPE = assay.scored, SSPACE = 4096,
	COMBINEFUNC = assay_internal.scored_combine, FINALFUNC = assay_internal.scored_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.scored_agg(float8, boolean, float8) IS 'weighted scores and their labels, for roc_auc and the like';

CREATE AGGREGATE assay.scored_agg(scored assay.scored) (
	SFUNC = assay_internal.scored_combine, STYPE = assay.scored, SSPACE = 4096,
	COMBINEFUNC = assay_internal.scored_combine, FINALFUNC = assay_internal.scored_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.scored_agg(assay.scored) IS 'union of scored values';

CREATE AGGREGATE assay.roc_auc(score float8, label boolean) (
	SFUNC = assay_internal.scored_add, STYPE = assay.scored, SSPACE = 4096,
	COMBINEFUNC = assay_internal.scored_combine, FINALFUNC = assay.roc_auc, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.roc_auc(float8, boolean) IS 'area under the ROC curve';

CREATE AGGREGATE assay.roc_auc(score float8, label boolean, weight float8) (
	SFUNC = assay_internal.scored_add, STYPE = assay.scored, SSPACE = 4096,
	COMBINEFUNC = assay_internal.scored_combine, FINALFUNC = assay.roc_auc, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.roc_auc(float8, boolean, float8) IS 'area under the ROC curve, weighted';

CREATE AGGREGATE assay.average_precision(score float8, label boolean) (
	SFUNC = assay_internal.scored_add, STYPE = assay.scored, SSPACE = 4096,
	COMBINEFUNC = assay_internal.scored_combine, FINALFUNC = assay.average_precision, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.average_precision(float8, boolean) IS 'precision averaged over the recall gained at each threshold';

CREATE AGGREGATE assay.average_precision(score float8, label boolean, weight float8) (
	SFUNC = assay_internal.scored_add, STYPE = assay.scored, SSPACE = 4096,
	COMBINEFUNC = assay_internal.scored_combine, FINALFUNC = assay.average_precision, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.average_precision(float8, boolean, float8) IS 'precision averaged over the recall gained at each threshold, weighted';

CREATE AGGREGATE assay.log_loss(score float8, label boolean) (
	SFUNC = assay_internal.log_loss_add, STYPE = float8[],
	COMBINEFUNC = assay_internal.sums_combine, FINALFUNC = assay_internal.mean_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.log_loss(float8, boolean) IS 'mean negative logarithm of the probability given to the label';

CREATE AGGREGATE assay.log_loss(score float8, label boolean, weight float8) (
	SFUNC = assay_internal.log_loss_add, STYPE = float8[],
	COMBINEFUNC = assay_internal.sums_combine, FINALFUNC = assay_internal.mean_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.log_loss(float8, boolean, float8) IS 'mean negative logarithm of the probability given to the label, weighted';

CREATE AGGREGATE assay.brier(score float8, label boolean) (
	SFUNC = assay_internal.brier_add, STYPE = float8[],
	COMBINEFUNC = assay_internal.sums_combine, FINALFUNC = assay_internal.mean_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.brier(float8, boolean) IS 'mean squared difference of probability and label';

CREATE AGGREGATE assay.brier(score float8, label boolean, weight float8) (
	SFUNC = assay_internal.brier_add, STYPE = float8[],
	COMBINEFUNC = assay_internal.sums_combine, FINALFUNC = assay_internal.mean_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.brier(float8, boolean, float8) IS 'mean squared difference of probability and label, weighted';

CREATE AGGREGATE assay.confusion(predicted boolean, label boolean) (
	SFUNC = assay_internal.confusion_add, STYPE = float8[],
	COMBINEFUNC = assay_internal.sums_combine, FINALFUNC = assay_internal.confusion_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.confusion(boolean, boolean) IS 'true and false positives and negatives, and the rates made of them';

CREATE AGGREGATE assay.confusion(predicted boolean, label boolean, weight float8) (
	SFUNC = assay_internal.confusion_add, STYPE = float8[],
	COMBINEFUNC = assay_internal.sums_combine, FINALFUNC = assay_internal.confusion_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.confusion(boolean, boolean, float8) IS 'weighted true and false positives and negatives, and the rates made of them';

CREATE AGGREGATE assay.confusion(confusion assay.confusion) (
	SFUNC = assay_internal.confusion_merge, STYPE = float8[],
	COMBINEFUNC = assay_internal.sums_combine, FINALFUNC = assay_internal.confusion_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.confusion(assay.confusion) IS 'sum of confusions';
