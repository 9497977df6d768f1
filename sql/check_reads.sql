-- what a signals view reads through other views is looked at by check(): baselines that are old,
-- and tables of other servers
CREATE SCHEMA check_reads;
SET search_path = check_reads, public;
SET client_min_messages = warning;
CREATE EXTENSION postgres_fdw SCHEMA public;
CREATE SERVER check_reads_far FOREIGN DATA WRAPPER postgres_fdw;
CREATE TABLE message (id int PRIMARY KEY, from_addr text, received_at timestamptz);
CREATE FOREIGN TABLE contact (address text, known boolean) SERVER check_reads_far;
CREATE TABLE event (address text, kind int) PARTITION BY LIST (kind);
CREATE TABLE event_here PARTITION OF event FOR VALUES IN (1);
CREATE FOREIGN TABLE event_far PARTITION OF event FOR VALUES IN (2) SERVER check_reads_far;
CREATE FOREIGN TABLE copied (address text) SERVER check_reads_far;
CREATE MATERIALIZED VIEW copy AS SELECT * FROM copied WITH NO DATA;
SELECT assay.create_baseline('sender', 'message', '{from_addr}', 'received_at');
CREATE VIEW known AS SELECT m.*, c.known FROM message m LEFT JOIN contact c ON c.address = m.from_addr;
CREATE VIEW signals AS SELECT k.*, EXISTS (SELECT FROM event e WHERE e.address = k.from_addr) AS seen, EXISTS (SELECT FROM copy c WHERE c.address = k.from_addr) AS copied,
	(SELECT count(*) FROM sender b WHERE b.from_addr = k.from_addr) AS days FROM known k;
CREATE VIEW upper AS SELECT * FROM signals;
SELECT assay.create_policy('reads', 'check_reads.upper', '{id}', prior => -3);
-- nothing is decided yet
SELECT severity, "check", detail, hint FROM assay.check('reads') WHERE "check" IN ('foreign table', 'baseline') ORDER BY detail COLLATE "C";
CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new_messages FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('reads');
UPDATE assay.baseline b SET as_of = '2026-01-01 00:00+00' WHERE b.relation = 'sender'::regclass;
SELECT severity, "check", detail, hint FROM assay.check('reads') WHERE "check" IN ('foreign table', 'baseline') ORDER BY detail COLLATE "C";
-- nothing far is read
CREATE VIEW here AS SELECT id, from_addr, received_at FROM message;
SELECT assay.alter_policy('reads', signals => 'check_reads.here');
SELECT severity, "check", detail FROM assay.check('reads') WHERE "check" IN ('foreign table', 'baseline');
-- messages themselves are far: where they are stored is where they are read
DROP TRIGGER decide ON message;
SELECT assay.drop_policy('reads', true);
CREATE FOREIGN TABLE far_message (id int, from_addr text) SERVER check_reads_far;
CREATE VIEW far_signals AS SELECT m.id, c.known FROM far_message m JOIN contact c ON c.address = m.from_addr;
SELECT assay.create_policy('reads', 'check_reads.far_signals', '{id}', prior => -3);
CREATE TRIGGER decide AFTER INSERT ON far_message FOR EACH ROW EXECUTE FUNCTION assay.decide('reads');
SELECT severity, "check", detail FROM assay.check('reads') WHERE "check" = 'foreign table';
DROP TRIGGER decide ON far_message;
SELECT assay.drop_policy('reads', true);
DROP VIEW upper, signals;
SELECT assay.drop_baseline('sender');
DROP SCHEMA check_reads CASCADE;
DROP EXTENSION postgres_fdw CASCADE;
RESET client_min_messages;
RESET search_path;
