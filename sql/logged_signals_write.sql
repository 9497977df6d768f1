-- logged signals: written once for all readers, whatever session wrote them
SET client_min_messages = warning;
CREATE SCHEMA ls;
CREATE TABLE ls.message (id int PRIMARY KEY, txt text, tags text[], doc jsonb);
CREATE VIEW ls.signals AS SELECT id, txt, tags, doc FROM ls.message;
CREATE TABLE ls.other (id int PRIMARY KEY, n int);
CREATE VIEW ls.other_signals AS SELECT id, n FROM ls.other;
SELECT assay.create_policy('ls', 'ls.signals', '{id}', log_signals => true);
SELECT assay.create_policy('ls_other', 'ls.other_signals', '{id}', log_signals => true);
CREATE TRIGGER decide AFTER INSERT ON ls.message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('ls');
CREATE TRIGGER decide AFTER INSERT ON ls.other REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('ls_other');

-- Two shapes whose first rows are rolled back are both written again.
BEGIN;
INSERT INTO ls.message VALUES (1, 'a');
INSERT INTO ls.other VALUES (1, 1);
ROLLBACK;
INSERT INTO ls.message VALUES (1, 'a');
INSERT INTO ls.other VALUES (1, 1);
SELECT assay.signals_to_jsonb(signals) FROM ls.ls_decision;
SELECT assay.signals_to_jsonb(signals) FROM ls.ls_other_decision;

-- The encoding of the client that inserts does not matter.
SET client_encoding = 'LATIN1';
INSERT INTO ls.message VALUES (2, 'b', ARRAY[chr(233)], jsonb_build_object('k', chr(233)));
INSERT INTO ls.message VALUES (3, 'c', ARRAY[chr(20013)], jsonb_build_object('k', chr(20013))), (4, 'd', NULL, NULL);
SET client_encoding = 'UTF8';
SELECT id, verdict, ascii((assay.signal(signals, 'tags')::text[])[1]) AS tag, ascii(assay.signals_to_jsonb(signals)->'doc'->>'k') AS k
FROM ls.ls_decision WHERE id > 1 ORDER BY id;

-- A value that cannot be written costs its message's signals, and no other message's decision.
CREATE TYPE ls.odd;
CREATE FUNCTION ls.odd_in(cstring) RETURNS ls.odd LANGUAGE internal IMMUTABLE STRICT AS 'oidin';
CREATE FUNCTION ls.odd_out(ls.odd) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'enum_out';
CREATE TYPE ls.odd (INPUT = ls.odd_in, OUTPUT = ls.odd_out, LIKE = oid);
CREATE TABLE ls.third (id int PRIMARY KEY, odd ls.odd);
CREATE VIEW ls.third_signals AS SELECT id, odd FROM ls.third;
SELECT assay.create_policy('ls_third', 'ls.third_signals', '{id}', log_signals => true);
CREATE TRIGGER decide AFTER INSERT ON ls.third REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('ls_third');
INSERT INTO ls.third VALUES (1, '1'), (2, NULL);
SELECT id, verdict, signals IS NULL AS unlogged FROM ls.ls_third_decision ORDER BY id;
SELECT key, sqlstate, message FROM assay.fault WHERE policy = 'ls_third';
DROP TRIGGER decide ON ls.third;
SELECT assay.drop_policy('ls_third', true);
DROP TRIGGER decide ON ls.message;
DROP TRIGGER decide ON ls.other;
SELECT assay.drop_policy('ls', true), assay.drop_policy('ls_other', true);
DROP SCHEMA ls CASCADE;
