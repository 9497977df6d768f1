-- A policy whose condition scores by itself: what an old revision kept goes.
SET client_min_messages = warning;
CREATE TABLE nest_message (id int PRIMARY KEY, body text);
CREATE VIEW nest_signals AS SELECT id, body FROM nest_message;
SELECT assay.create_policy('nest', 'nest_signals', '{id}');
SELECT assay.create_detector('nest', 'again', 'CASE WHEN body = ''deep'' THEN (assay.score(''nest'', ROW(id, ''flat'')::public.nest_signals)).score < 0.5 END', weight => 9, mode => 'live');
INSERT INTO nest_message VALUES (1, 'deep');
DO $$
BEGIN
	FOR i IN 1..5 LOOP
		PERFORM assay.alter_policy('nest', prior => -i);
		PERFORM x.verdict FROM nest_signals s, LATERAL assay.score('nest', s) x;
	END LOOP;
END $$;
SELECT verdict FROM nest_signals s, LATERAL assay.score('nest', s) x;
SELECT valid, pins, count(*) FROM assay_internal.policy_cache() WHERE policy = 'nest' GROUP BY 1, 2;
SELECT assay.drop_policy('nest', true);
DROP VIEW nest_signals;
DROP TABLE nest_message;
