-- Keys of a type whose operators are not the server's, nor in sight of the policy
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA kt;
CREATE TYPE kt.num;
CREATE FUNCTION kt.num_in(cstring) RETURNS kt.num LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION kt.num_out(kt.num) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
CREATE TYPE kt.num (INPUT = kt.num_in, OUTPUT = kt.num_out, LIKE = int4);
CREATE FUNCTION kt.lt(kt.num, kt.num) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'int4lt';
CREATE FUNCTION kt.le(kt.num, kt.num) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'int4le';
CREATE FUNCTION kt.eq(kt.num, kt.num) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'int4eq';
CREATE FUNCTION kt.ge(kt.num, kt.num) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'int4ge';
CREATE FUNCTION kt.gt(kt.num, kt.num) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'int4gt';
CREATE FUNCTION kt.cmp(kt.num, kt.num) RETURNS int LANGUAGE internal IMMUTABLE STRICT AS 'btint4cmp';
CREATE OPERATOR kt.< (LEFTARG = kt.num, RIGHTARG = kt.num, FUNCTION = kt.lt, COMMUTATOR = OPERATOR(kt.>));
CREATE OPERATOR kt.<= (LEFTARG = kt.num, RIGHTARG = kt.num, FUNCTION = kt.le, COMMUTATOR = OPERATOR(kt.>=));
CREATE OPERATOR kt.= (LEFTARG = kt.num, RIGHTARG = kt.num, FUNCTION = kt.eq, COMMUTATOR = OPERATOR(kt.=), MERGES);
CREATE OPERATOR kt.>= (LEFTARG = kt.num, RIGHTARG = kt.num, FUNCTION = kt.ge, COMMUTATOR = OPERATOR(kt.<=));
CREATE OPERATOR kt.> (LEFTARG = kt.num, RIGHTARG = kt.num, FUNCTION = kt.gt, COMMUTATOR = OPERATOR(kt.<));
CREATE OPERATOR CLASS kt.num_ops DEFAULT FOR TYPE kt.num USING btree AS
	OPERATOR 1 kt.<, OPERATOR 2 kt.<=, OPERATOR 3 kt.=, OPERATOR 4 kt.>=, OPERATOR 5 kt.>, FUNCTION 1 kt.cmp(kt.num, kt.num);
CREATE TABLE kt.message (part kt.num, id int, "of" kt.num, s real, PRIMARY KEY (part, id, "of"));
CREATE VIEW kt.signals AS SELECT part, id, "of", s FROM kt.message;
SELECT assay.create_policy('kt', 'kt.signals', '{part,id,of}', prior => -3, log_signals => true);
SELECT assay.create_detector('kt', 'high', 's > 0.5', weight => 8, mode => 'live');
-- in batches, each from where the last stopped
INSERT INTO kt.message SELECT (i % 3)::text::kt.num, i % 5, (i / 15)::text::kt.num, i % 2 FROM generate_series(1, 200) i;
CALL assay.backfill('kt', at => NULL, batch => 7);
SELECT count(*), count(*) FILTER (WHERE degraded) AS degraded, count(*) FILTER (WHERE verdict = 'malicious') AS malicious FROM kt.kt_decision;
-- on arrival, of the new rows and by reading them again, with an outbox of what changes
SELECT assay.create_outbox('kt');
CREATE TRIGGER decide AFTER INSERT ON kt.message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('kt');
SELECT assay.reads_again('kt', 'kt.message');
INSERT INTO kt.message VALUES ('9', 1, '1', 1);
INSERT INTO kt.message VALUES ('9', 1, '2', 1), ('9', 2, '1', 0);
SET assay.new_rows = off;
INSERT INTO kt.message VALUES ('9', 3, '1', 1);
INSERT INTO kt.message VALUES ('9', 3, '2', 1), ('9', 4, '1', 0);
SELECT part, id, "of", verdict, degraded FROM kt.kt_decision WHERE part::text = '9' ORDER BY 1, 2, 3;
SELECT assay.alter_detector('kt', 'high', condition => 's < 0.5');
CALL assay.backfill('kt', at => NULL, undecided_only => false, batch => 50);
SELECT key, revision, old_verdict, verdict FROM assay.read_changes('kt') WHERE key[1] = '9' ORDER BY key, revision;
SELECT verdict FROM assay.latest_decision('kt', '{9,2,1}');
SELECT count(*) FROM assay.undecided('kt');
SELECT count(*), count(*) FILTER (WHERE verdict = 'malicious') AS malicious FROM assay.replay('kt', at => NULL);
SELECT what, rows FROM assay.forget('kt', '{"of": "12"}') WHERE rows > 0;
SELECT count(*) FROM assay.fault WHERE policy = 'kt';
SELECT assay.drop_outbox('kt');

-- a row that has a null for a field, or for each, is a key; no row is none
CREATE TYPE kt.pair AS (a int, b text);
CREATE TABLE kt.paired (pair kt.pair UNIQUE, s real);
CREATE VIEW kt.paired_signals AS SELECT pair, s FROM kt.paired;
SELECT assay.create_policy('paired', 'kt.paired_signals', '{pair}');
CREATE TRIGGER decide AFTER INSERT ON kt.paired REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('paired');
INSERT INTO kt.paired VALUES ('(1,x)', 1), ('(2,)', 1);
INSERT INTO kt.paired VALUES ('(,)', 1);
ALTER TABLE kt.paired DISABLE TRIGGER decide;
INSERT INTO kt.paired VALUES ('(3,)', 1), (NULL, 1);
ALTER TABLE kt.paired ENABLE TRIGGER decide;
TRUNCATE kt.paired_decision;
SELECT key, reason FROM assay.undecided('paired') ORDER BY key;
CALL assay.backfill('paired', at => NULL, batch => 2);
SELECT pair FROM kt.paired_decision ORDER BY pair;
SELECT key, reason FROM assay.undecided('paired');
DROP TABLE kt.paired CASCADE;
SELECT assay.drop_policy('paired', true);
-- a domain's checks are of what is stored: who asks for a message by its key runs them for nobody
CREATE FUNCTION kt.checked(int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'checked'; RETURN true; END $$;
CREATE DOMAIN kt.checked_key AS int CHECK (kt.checked(VALUE));
CREATE TABLE kt.known (id kt.checked_key PRIMARY KEY, s real);
CREATE VIEW kt.known_signals AS SELECT id, s FROM kt.known;
SELECT assay.create_policy('known', 'kt.known_signals', '{id}', prior => -3, log_signals => true);
SELECT assay.create_detector('known', 'high', 's > 0.5', weight => 1, mode => 'live');
INSERT INTO kt.known VALUES (1, 1);
CALL assay.backfill('known', at => NULL);
SET client_min_messages = notice;
SELECT step, evidence FROM assay.explain_decision('known', 1);
SELECT verdict FROM assay.latest_decision('known', '{1}');
SELECT relation, rows FROM assay.forget('known', keys => '{1}') WHERE rows > 0;
SET client_min_messages = warning;
DROP TABLE kt.known CASCADE;
SELECT assay.drop_policy('known', true);
DROP TABLE kt.message CASCADE;
SELECT assay.drop_policy('kt', true);
DROP SCHEMA kt CASCADE;
