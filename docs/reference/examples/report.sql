-- Errors and an example of each function of the module report; model.sql says how this is written.

--= roc_auc
--! numeric_value_out_of_range: a score is no number, or a weight is negative or too large
--? SELECT assay.roc_auc(float8 'NaN', true)
SELECT assay.roc_auc(v.score, l.malicious) FROM inbound_verdict v JOIN inbound_label_latest l USING (id);
--  1

--= average_precision
--! numeric_value_out_of_range: a score is no number, or a weight is negative or too large
--? SELECT assay.average_precision(float8 'NaN', true)
SELECT assay.average_precision(score, label) FROM (VALUES (0.9, true), (0.8, false), (0.7, true)) v(score, label);
--  0.8333333333333333

--= ks
--! numeric_value_out_of_range: a score is no number, or a weight is negative or too large
--? SELECT assay.ks(float8 'NaN', true)
SELECT assay.ks(score, label) FROM (VALUES (0.9, true), (0.8, false), (0.7, true)) v(score, label);
--  0.5

--= log_loss
--! numeric_value_out_of_range: a score is no probability, or a weight is negative or too large
--? SELECT assay.log_loss(2, true)
SELECT round(assay.log_loss(score, label)::numeric, 4) FROM (VALUES (0.9, true), (0.2, false)) v(score, label);
--  0.1643

--= brier
--! numeric_value_out_of_range: a score is no probability, or a weight is negative or too large
--? SELECT assay.brier(2, true)
SELECT assay.brier(score, label) FROM (VALUES (0.5, true), (0.5, false)) v(score, label);
--  0.25

--= confusion
--! numeric_value_out_of_range: a weight is negative or too large, or the threshold is no number
--? SELECT assay.confusion(true, true, -1)
SELECT c.tp, c.fp, c.fn, c.tn, c.precision, c.recall
FROM (SELECT (assay.confusion(v.verdict <> 'safe', l.malicious)).*
      FROM inbound_verdict v JOIN inbound_label_latest l USING (id)) c;
--  6 | 0 | 0 | 24 | 1 | 1

--= scored_agg
--! numeric_value_out_of_range: a score is no number, or a weight is negative or too large
--? SELECT assay.scored_agg(float8 'NaN', true)
CREATE TEMP TABLE scores AS
SELECT assay.scored_agg(score, label) AS s
FROM (VALUES (0.95, true), (0.9, true), (0.8, false), (0.6, true), (0.3, false), (0.1, false)) v(score, label);

--= scored_info
--! none of its own
SELECT positive, negative, distinct_scores, exact FROM scores, assay.scored_info(s);
--  3 | 3 | 6 | t

--= roc_curve
--! none of its own
SELECT c.* FROM scores, assay.roc_curve(s) c LIMIT 3;
--  Infinity | 0 | 0
--  0.95 | 0 | 0.3333333333333333
--  0.9 | 0 | 0.6666666666666666

--= precision_recall_curve
--! none of its own
SELECT c.threshold, c.tp, c.fp, c.precision FROM scores, assay.precision_recall_curve(s) c LIMIT 3;
--  0.95 | 1 | 0 | 1
--  0.9 | 2 | 0 | 1
--  0.8 | 2 | 1 | 0.6666666666666666

--= calibration_curve
--! invalid_parameter_value: bins are too few or too many, or the strategy is unknown
--? SELECT assay.calibration_curve(assay.scored_agg(0.5, true), 0)
--! numeric_value_out_of_range: a score is no probability
--? SELECT assay.calibration_curve(assay.scored_agg(2, true))
SELECT c.bin, c.positive_rate, c.weight FROM scores, assay.calibration_curve(s, bins => 2) c;
--  1 | 0 | 2
--  2 | 0.75 | 4

--= platt
--! numeric_value_out_of_range: a margin is infinite
--? SELECT assay.platt(assay.scored_agg(m, l)) FROM (VALUES (float8 'Infinity', true), (0, false)) v(m, l)
SELECT p.slope > 0 AS rising FROM scores, assay.platt(s) p;
--  t

--= isotonic
--! none of its own
SELECT i.lower, i.upper, i.positive_rate FROM scores, assay.isotonic(s) i;
--  0.1 | 0.3 | 0
--  0.6 | 0.8 | 0.5
--  0.9 | 0.95 | 1

--= psi
--! invalid_parameter_value: bins are too few or too many
--? SELECT assay.psi(assay.scored_agg(0.5, true), assay.scored_agg(0.5, true), 1)
SELECT assay.psi(s, s, bins => 2) FROM scores;
--  0

--= quantile_interval
--! numeric_value_out_of_range: q or confidence is not between 0 and 1, or weights do not count rows
--? SELECT assay.quantile_interval(assay.scored_agg(0.5, true), 1)
SELECT q.quantile FROM scores, assay.quantile_interval(s, 0.5, confidence => 0.5) q;
--  0.7

--= wilson_interval
--! numeric_value_out_of_range: k of n is not a proportion, or confidence is not between 0 and 1
--? SELECT assay.wilson_interval(3, 2)
SELECT round(lower::numeric, 3) AS lower, round(upper::numeric, 3) AS upper FROM assay.wilson_interval(9, 10);
--  0.596 | 0.982

--= exact_interval
--! numeric_value_out_of_range: k of n is not a proportion, or confidence is not between 0 and 1
--? SELECT assay.exact_interval(3, 2)
--! program_limit_exceeded: n is too large
--? SELECT assay.exact_interval(3, 9000000000000000000)
SELECT round(lower::numeric, 3) AS lower, round(upper::numeric, 3) AS upper FROM assay.exact_interval(9, 10);
--  0.555 | 0.997

--= weighted_rate
--! numeric_value_out_of_range: a weight is negative or too large, or confidence is not between 0 and 1
--? SELECT assay.weighted_rate(true, -1)
--! invalid_parameter_value: confidence is not the same for all rows
--? SELECT assay.weighted_rate(true, 1, c) FROM (VALUES (0.9), (0.95)) v(c)
SELECT w.rate FROM (SELECT (assay.weighted_rate(hit, weight)).* FROM (VALUES (true, 1), (false, 3)) v(hit, weight)) w;
--  0.25

--= precision_report
--! undefined_object: there is no such policy that you may read
--? SELECT assay.precision_report('nowhere')
--! null_value_not_allowed: since or until is NULL
--? SELECT assay.precision_report('inbound', NULL)
--! invalid_parameter_value: until lies before since
--? SELECT assay.precision_report('inbound', '2024-01-02', '2024-01-01')
--! numeric_value_out_of_range: confidence or mature is out of range
--? SELECT assay.precision_report('inbound', confidence => 1)
--! undefined_column: there is no such column to report by
--? SELECT assay.precision_report('inbound', by => 'colour')
--! program_limit_exceeded: the report would have too many rows
SELECT kind, name, hits, tp, fp, "precision" FROM assay.precision_report('inbound') WHERE kind = 'rule';
--  rule | links | 14 | 2 | 8 | 0.2
--  rule | money | 10 | 6 | 0 | 1

--= overlap_report
--! undefined_object: there is no such policy that you may read
--? SELECT assay.overlap_report('nowhere')
--! null_value_not_allowed: since or until is NULL
--? SELECT assay.overlap_report('inbound', NULL)
--! undefined_column: there is no such column to report by
--? SELECT assay.overlap_report('inbound', by => 'colour')
SELECT detector_a, detector_b, "both" FROM assay.overlap_report('inbound');
--  links | money | 5

--= refresh_rollup
--! undefined_object: there is no such policy
--? SELECT assay.refresh_rollup('nowhere')
--! null_value_not_allowed: the policy is NULL
--? SELECT assay.refresh_rollup(NULL)
--! insufficient_privilege: you may not act as the policy's owner
--?stranger SELECT assay.refresh_rollup('inbound')
SELECT assay.refresh_rollup('inbound') > 0 AS some_hours;
--  t

--= backtest
--! undefined_object: there is no such policy that you may read
--? SELECT assay.backtest('nowhere', 'urls > 4')
--! invalid_parameter_value: there is not one of condition and model, or signals are not view, logged or auto
--? SELECT assay.backtest('inbound')
--! numeric_value_out_of_range: weight, examples or confidence is out of range
--? SELECT assay.backtest('inbound', 'urls > 4', examples => -1)
--! undefined_column, syntax_error, datatype_mismatch: the condition does not fit, as of create_detector()
--? SELECT assay.backtest('inbound', 'links > 4')
--! null_value_not_allowed: another argument than condition, model and force_verdict is NULL
--? SELECT assay.backtest('inbound', 'urls > 4', since => NULL)
--! insufficient_privilege: you are no builder of the policy, or may not read its messages
--?reader SELECT assay.backtest('inbound', 'urls > 4')
SELECT messages, hits, tp, fp, "precision", flips FROM assay.backtest('inbound', 'from_evil', weight => 3, at => NULL);
--  42 | 10 | 6 | 0 | 1 | 9

--= calibrate
--! undefined_object: there is no such policy that you may read
--? SELECT assay.calibrate('nowhere', now())
--! null_value_not_allowed: another argument than budget or share is NULL
--? SELECT assay.calibrate('inbound', NULL)
--! invalid_parameter_value: split is not between since and until, or the budget cannot be
--? SELECT assay.calibrate('inbound', now(), budget => '[]')
--! numeric_value_out_of_range: l2 is not above 0, or share not between 0 and 1
--? SELECT assay.calibrate('inbound', now(), l2 => 0)
--? SELECT assay.calibrate('inbound', now(), share => 1)
--! object_not_in_prerequisite_state: there are not both malicious and safe messages before split
--? SELECT assay.calibrate('inbound', '2000-01-01')
--! program_limit_exceeded: there are too many decisions
SELECT part, name, before, after > before AS more
FROM assay.calibrate('inbound', split => now() + interval '1 minute')
WHERE part = 'weight' AND name = 'money';
--  weight | money | 4 | t

--= signal_uses
--! null_value_not_allowed: measure is NULL
--? SELECT * FROM assay.signal_uses('inbound', NULL)
--! undefined_object: there is no such policy that you may read
--? SELECT assay.signal_uses('nowhere')
--! numeric_value_out_of_range: measure is too large
--? SELECT assay.signal_uses('inbound', -1)
SELECT signal, kind, name FROM assay.signal_uses('inbound') WHERE name IS NOT NULL ORDER BY signal;
--  asks_for_money | rule | money
--  urls | rule | links

--= signal_drift
--! undefined_object: there is no such policy that you may read
--? SELECT assay.signal_drift('nowhere')
--! numeric_value_out_of_range: span or reference is not above 0, or sample not between 1 and a million
--? SELECT assay.signal_drift('inbound', span => '0')
--! undefined_column, datatype_mismatch: the view has no such column of times
--? SELECT assay.signal_drift('inbound', at => 'received', signals => 'view')
SELECT signal, messages, reference_messages, round(mean::numeric, 2) AS mean
FROM assay.signal_drift('inbound', span => '5 days', until => '2024-03-22', signals => 'view')
WHERE signal = 'urls';
--  urls | 9 | 31 | 2.67

--= signal_skew
--! undefined_object: there is no such policy that you may read
--? SELECT assay.signal_skew('nowhere')
--! null_value_not_allowed: since or until is NULL
--? SELECT assay.signal_skew('inbound', NULL)
--! numeric_value_out_of_range: sample is not between 1 and a million
--? SELECT assay.signal_skew('inbound', sample => 0)
--! insufficient_privilege: you may not read the policy and its view
--?reader SELECT assay.signal_skew('inbound')
SELECT signal, differ FROM assay.signal_skew('inbound') WHERE signal = 'urls';
--  urls | 0

--= detector_drift
--! undefined_object: there is no such policy that you may read
--? SELECT assay.detector_drift('nowhere')
--! numeric_value_out_of_range: tested is negative
--? SELECT assay.detector_drift('inbound', tested => -1)
--! object_not_in_prerequisite_state: decisions are not counted by day: see refresh_rollup()
--? SELECT assay.detector_drift('there')
SELECT DISTINCT name, mode, outside FROM assay.detector_drift('inbound') WHERE name = 'money';
--  money | live | 

--= review_sample
--! undefined_object: there is no such policy that you may read, or no such detector
--? SELECT assay.review_sample('nowhere', 10)
--! invalid_parameter_value: n is not positive or too small, the strategy unknown, or it lacks its detector
--? SELECT assay.review_sample('inbound', 10, 'random')
--! insufficient_privilege: you are not the policy's owner
--?reader SELECT assay.review_sample('inbound', 10)
--! undefined_table: tables of the policy are gone
SELECT * FROM assay.review_sample('inbound', 10, 'uniform');
--  malicious | 1 | 1
--  safe | 32 | 7
--  suspicious | 9 | 2

--= take_review
--! null_value_not_allowed: an argument is NULL
--? SELECT * FROM assay.take_review(NULL)
--! undefined_object: there is no such policy
--? SELECT assay.take_review('nowhere')
--! undefined_table: no messages were drawn for review
--? SELECT assay.take_review('there')
--! invalid_parameter_value: n is not positive
--? SELECT assay.take_review('inbound', 0)
--! insufficient_privilege: you may not update the review table
--?stranger SELECT assay.take_review('inbound')
SELECT count(*) FROM assay.take_review('inbound', 2);
--  2

--= label_review
--! undefined_object: there is no such policy
--? SELECT assay.label_review('nowhere', 1, true)
--! invalid_parameter_value: the message was not taken for review by you
--? SELECT assay.label_review('inbound', 999999, true)
--! null_value_not_allowed: another argument than the category is NULL
--? SELECT assay.label_review('inbound', NULL, true)
--! undefined_table: no messages were drawn for review
--? SELECT assay.label_review('there', 1, true)
--! insufficient_privilege: you may not insert labels
--?stranger SELECT assay.label_review('inbound', 1, true)
SELECT assay.label_review('inbound', review, malicious => false)
FROM inbound_review WHERE taken_at IS NOT NULL ORDER BY review LIMIT 1;

--= skip_review
--! null_value_not_allowed: the policy or review is NULL
--? SELECT assay.skip_review(NULL, 1)
--! undefined_object: there is no such policy that you may read
--? SELECT assay.skip_review('nowhere', 1)
--! invalid_parameter_value: the message was not taken for review by you
--? SELECT assay.skip_review('inbound', 999999)
--! undefined_table: no messages were drawn for review
--? SELECT assay.skip_review('there', 1)
SELECT assay.skip_review('inbound', review)
FROM inbound_review WHERE taken_at IS NOT NULL AND outcome IS NULL;

--= review_rounds
--! undefined_object: there is no such policy
--? SELECT assay.review_rounds('nowhere')
--! undefined_table: no messages were drawn for review
--? SELECT assay.review_rounds('there')
--! insufficient_privilege: you may not read the review table
--?stranger SELECT assay.review_rounds('inbound')
SELECT round, strategy, drawn, labelled, skipped FROM assay.review_rounds('inbound');
--  1 | uniform | 10 | 1 | 1

--= online_report
--! null_value_not_allowed: the policy is NULL, or since or until without a round
--? SELECT * FROM assay.online_report(NULL)
--! undefined_object: there is no such policy that you may read, or no draw of that round or time
--? SELECT assay.online_report('inbound', 99)
--! undefined_table: no messages were drawn for review
--? SELECT assay.online_report('there')
--! invalid_parameter_value: rounds drew from the same time
--! numeric_value_out_of_range: confidence is not between 0 and 1
--? SELECT assay.online_report('inbound', confidence => 1)
--! insufficient_privilege: you may not read the review table
--?stranger SELECT assay.online_report('inbound')
SELECT metric, name, population, reviewed FROM assay.online_report('inbound') WHERE metric = 'prevalence';
--  prevalence |  | 42 | 1

--= review_rates
--! invalid_parameter_value: a stratum cannot be: malicious <= reviewed <= drawn <= population
--? SELECT assay.review_rates(ARRAY[('a', 'safe', 0, NULL, 10, 20, 20, 1)]::assay.review_stratum[])
--! numeric_value_out_of_range: confidence is not between 0 and 1
--? SELECT assay.review_rates(ARRAY[('a', 'safe', 0, NULL, 10, 5, 5, 1)]::assay.review_stratum[], 1)
SELECT metric, round(estimate::numeric, 4) AS estimate FROM assay.review_rates(ARRAY[
    ('safe', 'safe', 0, NULL, 9000, 100, 100, 1), ('bad', 'bad', 1, NULL, 1000, 50, 50, 45)]::assay.review_stratum[])
WHERE metric = 'prevalence';
--  prevalence | 0.0990

--= suggest_exclusion
--! undefined_object: there is no such policy that you may read, or the revision that decided is not known
--? SELECT assay.suggest_exclusion('nowhere', 5)
--! invalid_parameter_value: the key has another number of values, or the message has the default verdict already
--? SELECT assay.suggest_exclusion('inbound', 1)
--! no_data_found: the message has no decision, or its signals are not there
--? SELECT assay.suggest_exclusion('inbound', 999999)
--! insufficient_privilege: you may not read the policy and its messages
--?reader SELECT assay.suggest_exclusion('inbound', 5)
SELECT condition, mutes, others, malicious FROM assay.suggest_exclusion('inbound', 10) LIMIT 1;
--  tenant = 'cedar' AND urls = 4 | {money} | 0 | 0

--= suggest_detector
--! undefined_object: there is no such policy that you may read
--? SELECT assay.suggest_detector('nowhere', '{1}')
--! null_value_not_allowed: an argument is NULL
--? SELECT assay.suggest_detector('inbound', NULL)
--! no_data_found: no signals of these messages were logged
--? SELECT assay.suggest_detector('inbound', '{999999}')
--! numeric_value_out_of_range: n, parts or confidence is out of range
--? SELECT assay.suggest_detector('inbound', '{1}', n => 0)
--! invalid_parameter_value: keys have other numbers of values
--? SELECT assay.suggest_detector('inbound', '{}')
--! insufficient_privilege: you may not read the policy, its view, decisions and labels
--?reader SELECT assay.suggest_detector('inbound', '{1}')
SELECT condition, caught, hits FROM assay.suggest_detector('inbound', '{5,10,15,20}', n => 1);
--  subject = 'Urgent payment' AND urls <= 3 | 2 | 4

--= report_html
--! undefined_object: there is no such policy that you may read
--? SELECT assay.report_html('nowhere')
--! null_value_not_allowed: since or until is NULL
--? SELECT assay.report_html('inbound', NULL)
SELECT left(assay.report_html('inbound', columns => '{subject}'), 15);
--  <!DOCTYPE html>

--= maintain
--! invalid_parameter_value: faults is negative, or batch not positive
--? CALL assay.maintain(batch => 0)
--! invalid_transaction_termination: it is called in a transaction block or a function
--? BEGIN; CALL assay.maintain(); ROLLBACK
CALL assay.maintain();
SELECT step, state FROM assay.maintenance WHERE object = 'inbound' ORDER BY step;
--  faults | done
--  retention | done
--  rollup | done

--= type scored
SELECT s::text LIKE '%0.95%' AS text_form FROM scores;
--  t

--= type confusion
SELECT (assay.confusion(true, true)).tp;
--  1

--= type weighted_rate
SELECT round((assay.weighted_rate(true, 1)).rate::numeric, 2);
--  1.00

--= type review_stratum
SELECT ('safe: 0 to 0.1', 'safe', 0, NULL, 9000, 100, 90, 2)::assay.review_stratum;
--  ("safe: 0 to 0.1",safe,0,,9000,100,90,2)

--= view rollups
SELECT policy FROM assay.rollups;
--  inbound

--= view decision_days
SELECT name, sum(hits) AS hits FROM assay.decision_days
WHERE policy = 'inbound' AND kind = 'rule' GROUP BY name ORDER BY name;
--  links | 14
--  money | 10

--= view decision_hours
SELECT count(DISTINCT hour) > 0 AS some FROM assay.decision_hours WHERE policy = 'inbound';
--  t

--= view alerts
SELECT policy, kind, name, detail FROM assay.alerts WHERE severity = 'warning' AND kind = 'signal skew';

--= view health
SELECT severity, kind, "check" FROM assay.health WHERE object = 'inbound' AND severity = 'error';

--= view maintenance
SELECT step, state FROM assay.maintenance WHERE object = 'inbound' AND state <> 'done';
