-- report: how good scores are

-- type

CREATE TYPE assay.scored;

CREATE FUNCTION assay.scored_in(cstring) RETURNS assay.scored
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.scored_in(cstring) IS 'I/O of scored';

CREATE FUNCTION assay.scored_out(assay.scored) RETURNS cstring
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.scored_out(assay.scored) IS 'I/O of scored';

CREATE FUNCTION assay.scored_recv(internal) RETURNS assay.scored
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.scored_recv(internal) IS 'I/O of scored';

CREATE FUNCTION assay.scored_send(assay.scored) RETURNS bytea
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.scored_send(assay.scored) IS 'I/O of scored';

CREATE TYPE assay.scored (
	INPUT = assay.scored_in,
	OUTPUT = assay.scored_out,
	RECEIVE = assay.scored_recv,
	SEND = assay.scored_send,
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

CREATE FUNCTION assay.scored_add(assay.scored, score float8, label boolean) RETURNS assay.scored
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION assay.scored_add(assay.scored, float8, boolean) IS 'aggregate transition function';

CREATE FUNCTION assay.scored_add(assay.scored, score float8, label boolean, weight float8) RETURNS assay.scored
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION assay.scored_add(assay.scored, float8, boolean, float8) IS 'aggregate transition function';

CREATE FUNCTION assay.scored_combine(assay.scored, assay.scored) RETURNS assay.scored
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION assay.scored_combine(assay.scored, assay.scored) IS 'aggregate combine function';

CREATE FUNCTION assay.scored_final(assay.scored) RETURNS assay.scored
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.scored_final(assay.scored) IS 'aggregate final function';

CREATE FUNCTION assay.log_loss_add(float8[], score float8, label boolean) RETURNS float8[]
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION assay.log_loss_add(float8[], float8, boolean) IS 'aggregate transition function';

CREATE FUNCTION assay.log_loss_add(float8[], score float8, label boolean, weight float8) RETURNS float8[]
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION assay.log_loss_add(float8[], float8, boolean, float8) IS 'aggregate transition function';

CREATE FUNCTION assay.brier_add(float8[], score float8, label boolean) RETURNS float8[]
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION assay.brier_add(float8[], float8, boolean) IS 'aggregate transition function';

CREATE FUNCTION assay.brier_add(float8[], score float8, label boolean, weight float8) RETURNS float8[]
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION assay.brier_add(float8[], float8, boolean, float8) IS 'aggregate transition function';

CREATE FUNCTION assay.confusion_add(float8[], predicted boolean, label boolean) RETURNS float8[]
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION assay.confusion_add(float8[], boolean, boolean) IS 'aggregate transition function';

CREATE FUNCTION assay.confusion_add(float8[], predicted boolean, label boolean, weight float8) RETURNS float8[]
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION assay.confusion_add(float8[], boolean, boolean, float8) IS 'aggregate transition function';

CREATE FUNCTION assay.sums_combine(float8[], float8[]) RETURNS float8[]
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION assay.sums_combine(float8[], float8[]) IS 'aggregate combine function';

CREATE FUNCTION assay.mean_final(float8[]) RETURNS float8
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.mean_final(float8[]) IS 'aggregate final function';

CREATE FUNCTION assay.confusion_final(float8[]) RETURNS assay.confusion
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.confusion_final(float8[]) IS 'aggregate final function';

CREATE FUNCTION assay.confusion_merge(state float8[], c assay.confusion) RETURNS float8[]
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN CASE WHEN (c).tp IS NULL THEN state
		ELSE assay.sums_combine(state, ARRAY[(c).tp, (c).fp, (c).fn, (c).tn]) END;
COMMENT ON FUNCTION assay.confusion_merge(float8[], assay.confusion) IS 'aggregate transition function';

-- aggregates

CREATE AGGREGATE assay.scored_agg(score float8, label boolean) (
	SFUNC = assay.scored_add, STYPE = assay.scored, SSPACE = 4096,
	COMBINEFUNC = assay.scored_combine, FINALFUNC = assay.scored_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.scored_agg(float8, boolean) IS 'scores and their labels, for roc_auc and the like';

CREATE AGGREGATE assay.scored_agg(score float8, label boolean, weight float8) (
	SFUNC = assay.scored_add, STYPE = assay.scored, SSPACE = 4096,
	COMBINEFUNC = assay.scored_combine, FINALFUNC = assay.scored_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.scored_agg(float8, boolean, float8) IS 'weighted scores and their labels, for roc_auc and the like';

CREATE AGGREGATE assay.scored_agg(scored assay.scored) (
	SFUNC = assay.scored_combine, STYPE = assay.scored, SSPACE = 4096,
	COMBINEFUNC = assay.scored_combine, FINALFUNC = assay.scored_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.scored_agg(assay.scored) IS 'union of scored values';

CREATE AGGREGATE assay.roc_auc(score float8, label boolean) (
	SFUNC = assay.scored_add, STYPE = assay.scored, SSPACE = 4096,
	COMBINEFUNC = assay.scored_combine, FINALFUNC = assay.roc_auc, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.roc_auc(float8, boolean) IS 'area under the ROC curve';

CREATE AGGREGATE assay.roc_auc(score float8, label boolean, weight float8) (
	SFUNC = assay.scored_add, STYPE = assay.scored, SSPACE = 4096,
	COMBINEFUNC = assay.scored_combine, FINALFUNC = assay.roc_auc, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.roc_auc(float8, boolean, float8) IS 'area under the ROC curve, weighted';

CREATE AGGREGATE assay.average_precision(score float8, label boolean) (
	SFUNC = assay.scored_add, STYPE = assay.scored, SSPACE = 4096,
	COMBINEFUNC = assay.scored_combine, FINALFUNC = assay.average_precision, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.average_precision(float8, boolean) IS 'precision averaged over the recall gained at each threshold';

CREATE AGGREGATE assay.average_precision(score float8, label boolean, weight float8) (
	SFUNC = assay.scored_add, STYPE = assay.scored, SSPACE = 4096,
	COMBINEFUNC = assay.scored_combine, FINALFUNC = assay.average_precision, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.average_precision(float8, boolean, float8) IS 'precision averaged over the recall gained at each threshold, weighted';

CREATE AGGREGATE assay.log_loss(score float8, label boolean) (
	SFUNC = assay.log_loss_add, STYPE = float8[],
	COMBINEFUNC = assay.sums_combine, FINALFUNC = assay.mean_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.log_loss(float8, boolean) IS 'mean negative logarithm of the probability given to the label';

CREATE AGGREGATE assay.log_loss(score float8, label boolean, weight float8) (
	SFUNC = assay.log_loss_add, STYPE = float8[],
	COMBINEFUNC = assay.sums_combine, FINALFUNC = assay.mean_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.log_loss(float8, boolean, float8) IS 'mean negative logarithm of the probability given to the label, weighted';

CREATE AGGREGATE assay.brier(score float8, label boolean) (
	SFUNC = assay.brier_add, STYPE = float8[],
	COMBINEFUNC = assay.sums_combine, FINALFUNC = assay.mean_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.brier(float8, boolean) IS 'mean squared difference of probability and label';

CREATE AGGREGATE assay.brier(score float8, label boolean, weight float8) (
	SFUNC = assay.brier_add, STYPE = float8[],
	COMBINEFUNC = assay.sums_combine, FINALFUNC = assay.mean_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.brier(float8, boolean, float8) IS 'mean squared difference of probability and label, weighted';

CREATE AGGREGATE assay.confusion(predicted boolean, label boolean) (
	SFUNC = assay.confusion_add, STYPE = float8[],
	COMBINEFUNC = assay.sums_combine, FINALFUNC = assay.confusion_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.confusion(boolean, boolean) IS 'true and false positives and negatives, and the rates made of them';

CREATE AGGREGATE assay.confusion(predicted boolean, label boolean, weight float8) (
	SFUNC = assay.confusion_add, STYPE = float8[],
	COMBINEFUNC = assay.sums_combine, FINALFUNC = assay.confusion_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.confusion(boolean, boolean, float8) IS 'weighted true and false positives and negatives, and the rates made of them';

CREATE AGGREGATE assay.confusion(confusion assay.confusion) (
	SFUNC = assay.confusion_merge, STYPE = float8[],
	COMBINEFUNC = assay.sums_combine, FINALFUNC = assay.confusion_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE assay.confusion(assay.confusion) IS 'sum of confusions';

-- report of a policy

CREATE FUNCTION assay.precision_report(policy text, since timestamptz DEFAULT '-infinity', until timestamptz DEFAULT 'infinity',
	confidence float8 DEFAULT 0.95,
	OUT kind text, OUT name text, OUT mode text, OUT claim text, OUT hits bigint, OUT labelled bigint, OUT tp bigint, OUT fp bigint,
	OUT "precision" float8, OUT lower float8, OUT upper float8, OUT recall float8, OUT fnr float8,
	OUT sole bigint, OUT sole_right bigint, OUT sole_wrong bigint, OUT overlap bigint) RETURNS SETOF record
	LANGUAGE plpgsql STABLE ROWS 100
	SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
	PERFORM assay.policy_for_reading(precision_report.policy);
	IF since IS NULL OR until IS NULL THEN
		RAISE EXCEPTION 'since and until must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	PERFORM assay.wilson_interval(0, 0, confidence);
	RETURN QUERY
		WITH j AS MATERIALIZED (
			-- a message counts once, by its latest decision of that time
			SELECT row_number() OVER () AS n, d.revision, d.verdict, d.attribution, l.malicious
			FROM assay.latest_decisions(precision_report.policy, since, until) d
			LEFT JOIN assay.latest_labels(precision_report.policy) l ON l.key = d.key
		), r AS MATERIALIZED (
			-- verdicts by level: 0 is the default, the others in order of their thresholds
			SELECT v.revision, v.default_verdict || t.names AS names, t.thresholds
			FROM assay.revision v, LATERAL (
				SELECT coalesce(array_agg(e.key ORDER BY e.value::float8), '{}') AS names,
					coalesce(array_agg(e.value::float8 ORDER BY e.value::float8), '{}') AS thresholds
				FROM jsonb_each_text(v.thresholds) e) t
			WHERE v.policy = precision_report.policy
		), e AS (
			SELECT j.n, j.malicious, g.kind, g.detector AS name, g.hit, g.counted, g.shadow, g.muted_by, g.contribution,
				array_position(r.names, g.forced) - 1 AS forced, assay.margin(j.attribution) AS margin, r.thresholds,
				CASE WHEN g.kind = 'exclusion' OR g.contribution = 0 AND g.hit
					THEN CASE WHEN array_position(r.names, g.forced) > 1 OR g.forced IS NULL AND g.kind <> 'exclusion' THEN 'malicious' ELSE 'safe' END
					WHEN (g.contribution > 0) = g.hit THEN 'malicious' ELSE 'safe' END AS claim
			FROM j JOIN r USING (revision), assay.ledger(j.attribution) g
			WHERE g.kind IN ('rule', 'model', 'exclusion') AND g.fault IS NULL
		), u AS (
			-- what each exclusion silenced
			SELECT e.n, e.muted_by AS name, sum(e.contribution) AS contribution, max(e.forced) FILTER (WHERE e.hit) AS forced
			FROM e WHERE e.muted_by IS NOT NULL AND NOT e.shadow GROUP BY 1, 2
		), m AS (
			SELECT e.*,
				min(e.forced) FILTER (WHERE e.kind = 'exclusion' AND e.hit) OVER w AS allowed,
				min(e.forced) FILTER (WHERE e.kind = 'exclusion' AND e.hit) OVER o AS allowed_without,
				max(e.forced) FILTER (WHERE e.kind <> 'exclusion' AND e.hit AND e.counted) OVER w AS pushed,
				max(e.forced) FILTER (WHERE e.kind <> 'exclusion' AND e.hit AND e.counted) OVER o AS pushed_without,
				count(*) FILTER (WHERE e.kind <> 'exclusion' AND e.hit AND e.counted AND e.claim = 'malicious') OVER o AS others_malicious,
				count(*) FILTER (WHERE e.kind <> 'exclusion' AND e.hit AND e.counted AND e.claim = 'safe') OVER o AS others_safe
			FROM e WINDOW w AS (PARTITION BY e.n),
				o AS (PARTITION BY e.n ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE CURRENT ROW)
		), x AS (
			-- the level with (a) and without (b) this entry; with a shadow detector, as if it were live
			SELECT m.*,
				CASE WHEN m.shadow AND m.muted_by IS NULL THEN coalesce(m.allowed, greatest(m.pushed, CASE WHEN m.hit THEN m.forced END), s.other)
					ELSE coalesce(m.allowed, m.pushed, s.level) END AS a,
				CASE WHEN m.kind = 'exclusion' THEN coalesce(m.allowed_without, greatest(m.pushed, u.forced), s.other)
					WHEN m.counted THEN coalesce(m.allowed, m.pushed_without, s.other)
					ELSE coalesce(m.allowed, m.pushed, s.level) END AS b
			FROM m LEFT JOIN u ON m.kind = 'exclusion' AND u.n = m.n AND u.name = m.name,
				LATERAL (SELECT
					width_bucket(1 / (1 + exp(-least(greatest(m.margin, -700), 700))), m.thresholds) AS level,
					width_bucket(1 / (1 + exp(-least(greatest(m.margin + CASE WHEN m.kind = 'exclusion' THEN coalesce(u.contribution, 0)
						WHEN m.shadow THEN m.contribution ELSE -m.contribution END, -700), 700))), m.thresholds) AS other) s
		), h AS (
			SELECT x.kind, x.name, CASE WHEN x.kind <> 'exclusion' THEN CASE WHEN x.shadow THEN 'shadow' ELSE 'live' END END AS mode, x.claim,
				count(*) FILTER (WHERE x.hit) AS hits,
				count(x.malicious) FILTER (WHERE x.hit) AS labelled,
				count(*) FILTER (WHERE x.hit AND x.malicious = (x.claim = 'malicious')) AS tp,
				count(*) FILTER (WHERE x.a <> x.b) AS sole,
				count(*) FILTER (WHERE x.a <> x.b AND x.malicious = (x.a > x.b)) AS sole_right,
				count(*) FILTER (WHERE x.a <> x.b AND x.malicious <> (x.a > x.b)) AS sole_wrong,
				count(*) FILTER (WHERE x.hit AND CASE x.claim WHEN 'safe' THEN x.others_safe ELSE x.others_malicious END > 0) AS overlap
			FROM x GROUP BY 1, 2, 3, 4
		), c AS (
			SELECT j.revision, count(*) FILTER (WHERE j.malicious) AS malicious, count(*) FILTER (WHERE NOT j.malicious) AS safe FROM j GROUP BY 1
		), stood AS (
			-- what each could have hit: labelled messages decided by a revision in which it stood
			SELECT q.detector AS name, q.mode, sum(c.malicious) AS malicious, sum(c.safe) AS safe
			FROM assay.detector q JOIN c ON c.revision >= q.from_revision AND (q.until_revision IS NULL OR c.revision < q.until_revision)
			WHERE q.policy = precision_report.policy AND q.mode IN ('live', 'shadow') GROUP BY 1, 2
			UNION ALL
			SELECT q.exclusion, NULL, sum(c.malicious), sum(c.safe)
			FROM assay.exclusion q JOIN c ON c.revision >= q.from_revision AND (q.until_revision IS NULL OR c.revision < q.until_revision)
			WHERE q.policy = precision_report.policy GROUP BY 1
		), silent AS (
			-- detectors that stand now and had nothing to say
			SELECT CASE WHEN q.condition IS NULL THEN 'model' ELSE 'rule' END AS kind, q.detector AS name, q.mode,
				CASE WHEN q.weight < 0 THEN 'safe' ELSE 'malicious' END AS claim
			FROM assay.detector q WHERE q.policy = precision_report.policy AND q.until_revision IS NULL AND q.mode IN ('live', 'shadow')
				AND NOT EXISTS (SELECT FROM h WHERE h.name = q.detector AND h.kind <> 'exclusion')
		), rows AS (
			SELECT 1 AS part, 0 AS level, h.kind, h.name, h.mode, h.claim, h.hits, h.labelled, h.tp, h.labelled - h.tp AS fp,
				h.tp AS found, CASE h.claim WHEN 'safe' THEN stood.safe ELSE stood.malicious END::bigint AS all_of_them,
				h.sole, h.sole_right, h.sole_wrong, h.overlap
			FROM h LEFT JOIN stood ON stood.name = h.name AND stood.mode IS NOT DISTINCT FROM h.mode
			UNION ALL
			SELECT 1, 0, s.kind, s.name, s.mode, s.claim, 0, 0, 0, 0, 0,
				CASE s.claim WHEN 'safe' THEN stood.safe ELSE stood.malicious END::bigint, 0, 0, 0, 0
			FROM silent s LEFT JOIN stood ON stood.name = s.name AND stood.mode = s.mode
			UNION ALL
			SELECT 0, v.level, 'verdict', v.name, NULL, CASE WHEN v.level = 0 THEN 'safe' ELSE 'malicious' END, v.hits, v.labelled,
				CASE WHEN v.level = 0 THEN v.safe ELSE v.malicious END, CASE WHEN v.level = 0 THEN v.malicious ELSE v.safe END,
				-- this verdict or a worse one
				CASE WHEN v.level = 0 THEN v.safe ELSE sum(v.malicious) OVER (ORDER BY v.level DESC) END::bigint,
				CASE WHEN v.level = 0 THEN sum(v.safe) OVER () ELSE sum(v.malicious) OVER () END::bigint, NULL, NULL, NULL, NULL
			FROM (
				-- by the latest revision, or by its own if that does not know it
				SELECT coalesce(k.level, max(array_position(r.names, j.verdict)) - 1, 0) AS level, coalesce(k.name, j.verdict) AS name,
					count(j.n) AS hits, count(j.malicious) AS labelled,
					count(*) FILTER (WHERE j.malicious) AS malicious, count(*) FILTER (WHERE NOT j.malicious) AS safe
				FROM (SELECT u.name, u.level - 1 AS level
						FROM (SELECT r.names FROM r ORDER BY r.revision DESC LIMIT 1) z, unnest(z.names) WITH ORDINALITY u(name, level)) k
				FULL JOIN j ON j.verdict = k.name LEFT JOIN r USING (revision) GROUP BY k.level, coalesce(k.name, j.verdict)
			) v
		)
		SELECT rows.kind, rows.name, rows.mode, rows.claim, rows.hits, rows.labelled, rows.tp, rows.fp,
			rows.tp::float8 / nullif(rows.labelled, 0), w.lower, w.upper,
			rows.found::float8 / nullif(rows.all_of_them, 0), 1 - rows.found::float8 / nullif(rows.all_of_them, 0),
			rows.sole, rows.sole_right, rows.sole_wrong, rows.overlap
		FROM rows, assay.wilson_interval(rows.tp, rows.labelled, confidence) w
		ORDER BY rows.part, rows.level DESC, rows.hits DESC, rows.name COLLATE "C", rows.mode, rows.claim;
END $$;
COMMENT ON FUNCTION assay.precision_report(text, timestamptz, timestamptz, float8) IS
	'how right the decisions of a time were, by verdict, detector and exclusion: precision with interval, recall, sole effect, overlap';
