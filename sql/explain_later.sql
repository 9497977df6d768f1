-- Contributions of models that a decision did not keep are computed when somebody
-- looks, from the logged signals and the model of that revision; exact, and said.
SET client_min_messages = warning;
CREATE SCHEMA explain_later;
SET search_path = explain_later, assay, public;
CREATE TABLE message (id int PRIMARY KEY, a int, b real, c float8, d numeric, at timestamptz DEFAULT '2024-01-01');
CREATE VIEW signals AS SELECT id, a, b, c, d, at FROM message;
SELECT assay.create_policy('later', 'signals', '{id}', prior => -2, log_signals => true);
SELECT assay.create_detector('later', 'linear', model => assay.model_from_linear('{a,b,c,d}', '{0.5,0.1,-0.25,0.3}', 0.3, 'logistic'), weight => 0.7, mode => 'live');
SELECT assay.create_detector('later', 'rule', 'a > 3', weight => 1, mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('later');
-- 0.1 as real is another number than as double precision
INSERT INTO message VALUES (1, 1, 0.1, 0.3, 1.5), (2, 9, 3.7, -0.1, 2), (3, NULL, 'NaN', NULL, NULL);
SELECT id, verdict, l.detector, jsonb_array_length(l.signals) AS kept FROM later_decision, assay.ledger(attribution) l WHERE l.kind = 'model' ORDER BY id;
SELECT evidence, round(contribution::numeric, 4) AS adds, because FROM assay.explain_decision('later', '1') WHERE contribution IS NOT NULL;
-- from the first threshold on they are kept
SELECT evidence, round(contribution::numeric, 4) AS adds, because FROM assay.explain_decision('later', 2) WHERE contribution IS NOT NULL;

-- The same to the last bit as what is kept where all are
SET assay.explain_from = 0;
INSERT INTO message SELECT id + 10, a, b, c, d FROM message;
RESET assay.explain_from;
CREATE FUNCTION kept(id int) RETURNS jsonb LANGUAGE sql STABLE AS
	$$ SELECT l.signals FROM explain_later.later_decision d, assay.ledger(d.attribution) l WHERE d.id = kept.id AND l.kind = 'model' $$;
CREATE FUNCTION computed(id int) RETURNS jsonb LANGUAGE sql STABLE AS
	$$ SELECT assay_internal.explain_logged('later', d.revision, 'linear', l.contribution, d.signals)
		FROM explain_later.later_decision d, assay.ledger(d.attribution) l WHERE d.id = computed.id AND l.kind = 'model' $$;
SELECT i AS id, jsonb_array_length(kept(i)) AS kept, jsonb_array_length(kept(i + 10)) AS kept_all, computed(i) = kept(i + 10) AS the_same FROM generate_series(1, 3) i;

-- It is the model of that revision, and the signals as they were
SELECT assay.alter_detector('later', 'linear', model => assay.model_from_linear('{a}', '{5}', 0, 'logistic'));
UPDATE message SET a = 100;
DROP VIEW signals;
CREATE VIEW signals AS SELECT id, a, at FROM message;
SELECT computed(1) = kept(11) AS the_same;
SELECT because FROM assay.explain_decision('later', 1) WHERE evidence = 'linear';
-- What does not give the contribution that was kept is no explanation of it
SELECT assay_internal.explain_logged('later', 1, 'linear', l.contribution, d.signals) IS NULL AS of_no_model,
	assay_internal.explain_logged('later', d.revision, 'linear', l.contribution + 1e-15, d.signals) IS NULL AS of_another_margin,
	assay_internal.explain_logged('later', d.revision, 'linear', l.contribution, NULL) IS NULL AS of_no_signals
	FROM later_decision d, assay.ledger(d.attribution) l WHERE d.id = 1 AND l.kind = 'model';
UPDATE later_decision SET signals = NULL WHERE id = 1;
SELECT because FROM assay.explain_decision('later', 1) WHERE evidence = 'linear';

-- Without logged signals, and in score(), all are kept
SELECT assay.alter_policy('later', log_signals => false);
INSERT INTO message VALUES (4, -1);
SELECT id, verdict, jsonb_array_length(l.signals) AS kept FROM later_decision, assay.ledger(attribution) l WHERE l.kind = 'model' AND id = 4;
SELECT assay.alter_policy('later', log_signals => true);
INSERT INTO message VALUES (5, -1);
SELECT id, verdict, jsonb_array_length(l.signals) AS kept FROM later_decision, assay.ledger(attribution) l WHERE l.kind = 'model' AND id = 5;
SELECT jsonb_array_length(l.signals) AS kept FROM signals s, assay.score('later', s) x, assay.ledger(x.attribution) l WHERE l.kind = 'model' AND id = 5;
-- A model's signals are as it saw them, kept or computed later: a real is written as one, a category by its name
CREATE TABLE letter (id int PRIMARY KEY, size real, kind text);
SELECT assay.create_policy('letters', 'letter', '{id}', prior => -2, log_signals => true);
SELECT assay.create_detector('letters', 'trees', mode => 'live', model => '{"pg_assay_model": 1, "format": "xgboost", "library": "3.2.0",
	"objective": "binary:logistic", "link": "logistic", "link_parameters": [1, 0], "single": true,
	"start": [0.5], "bias": [0], "scale": 1, "divisor": 1, "iterations": 1, "best_iteration": -1,
	"features": [{"name": "size", "kind": "numeric"}, {"name": "kind", "kind": "text", "categories": {"invoice": 1, "note": 0, "order": 2}}],
	"trees": [{"output": 0, "nodes": [[0, 10, 0, "<", 1.5, "left"], [1, 6, 1, "in", [0, 2], "right"], [3, 4, -0.25], [4, 2, 0.1], [2, 4, 1e-3]]}]}');
CREATE TRIGGER decide AFTER INSERT ON letter REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('letters');
INSERT INTO letter VALUES (1, 0.1, 'invoice');
SET assay.explain_from = 0;
INSERT INTO letter VALUES (2, 0.1, 'invoice'), (3, 'Infinity', 'unheard of');
RESET assay.explain_from;
SELECT id, because FROM generate_series(1, 3) id, assay.explain_decision('letters', id) WHERE evidence = 'trees';
-- Of a category's name 128 bytes are kept, as of every value
SELECT assay.alter_detector('letters', 'trees', model => format('{"pg_assay_model": 1, "format": "xgboost", "library": "3.2.0",
	"objective": "binary:logistic", "link": "logistic", "link_parameters": [1, 0], "single": true,
	"start": [0.5], "bias": [0], "scale": 1, "divisor": 1, "iterations": 1, "best_iteration": -1,
	"features": [{"name": "size", "kind": "numeric"}, {"name": "kind", "kind": "text", "categories": {"%s": 1, "%s": 0, "%s": 2}}],
	"trees": [{"output": 0, "nodes": [[0, 10, 0, "<", 1.5, "left"], [1, 6, 1, "in", [0, 2], "right"], [3, 4, -0.25], [4, 2, 0.1], [2, 4, 1e-3]]}]}',
	repeat('x', 128), repeat('y', 129), repeat('z', 127) || 'é')::assay.model);
SET assay.explain_from = 0;
INSERT INTO letter VALUES (4, 0.1, repeat('x', 128)), (5, 0.1, repeat('y', 129)), (6, 0.1, repeat('z', 127) || 'é');
RESET assay.explain_from;
SELECT id, octet_length(s->>1) AS bytes, left(s->>1, 3) AS beginning, right(s->>1, 4) AS ending
	FROM letters_decision, assay.ledger(attribution) l, jsonb_array_elements(l.signals) s
	WHERE id > 3 AND l.kind = 'model' AND s->>0 = 'kind' ORDER BY id;
DROP TRIGGER decide ON letter;
SELECT assay.drop_policy('letters');
-- Who may not read decisions learns nothing
CREATE ROLE regress_later_stranger;
GRANT USAGE ON SCHEMA explain_later TO regress_later_stranger;
SET ROLE regress_later_stranger;
SELECT * FROM assay_internal.latest_signals('later', '{5}');
RESET ROLE;
REVOKE USAGE ON SCHEMA explain_later FROM regress_later_stranger;
DROP ROLE regress_later_stranger;
DROP TRIGGER decide ON message;
SELECT assay.drop_policy('later');
DROP SCHEMA explain_later CASCADE;
