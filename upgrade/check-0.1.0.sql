-- What is asked of the data of world-0.1.0.sql; check-0.1.0.out is what 0.1.0
-- answered. Each part begins with a line `-- ? what it is about`.

-- ? decisions
SELECT id, revision, decided_at, verdict, score, attribution, degraded FROM world_decision ORDER BY id, revision;
SELECT id, revision, decided_at, verdict, score, attribution, degraded FROM strict_decision ORDER BY id, revision;
-- ? the latest decision of each message
SELECT id, revision, verdict, score FROM world_verdict ORDER BY id;
-- ? logged signals
SELECT id, (signals).received_at, (signals).sender, (signals).n, (signals).third, (signals).hits FROM world_decision ORDER BY id;
-- ? labels
SELECT id, malicious, source, labelled_at FROM world_label ORDER BY id;
-- ? scores
SELECT s.id, x.verdict, x.score, x.attribution FROM signals s, assay.score('world', s) x WHERE s.id % 4 = 1 ORDER BY s.id;
SELECT s.id, x.verdict, x.score, x.attribution FROM signals s, assay.score('strict', s) x WHERE s.id > 60 ORDER BY s.id;
-- ? scores of an older revision
SELECT s.id, x.verdict, x.score, x.attribution FROM signals s, assay.score('world', s, revision => 5) x WHERE s.id % 4 = 3 ORDER BY s.id;
-- ? ledgers
SELECT d.id, l.entry, l.detector, l.kind, l.contribution, l.hit, l.muted_by, l.forced FROM world_decision d, assay.ledger(d.attribution) l WHERE d.id > 60 ORDER BY d.id, l.entry;
-- ? explained
SELECT e.step, e.evidence, e.contribution, e.margin, e.because FROM assay.explain_decision('world', '65') e;
-- ? replay
SELECT r.key, r.verdict, r.score, r.attribution FROM assay.replay('world') r WHERE r.key[1]::int % 4 = 2 ORDER BY r.key;
-- ? comparison of revisions
SELECT c.change, c.messages, c.keys FROM assay.compare('world', 2, 7) c;
-- ? report
SELECT r.kind, r.name, r.mode, r.hits, r.labelled, r.tp, r.fp, r.precision FROM assay.precision_report('world') r ORDER BY r.kind COLLATE "C", r.name COLLATE "C", r.mode COLLATE "C";
-- ? policies and detectors
SELECT policy, owner, revision, prior, thresholds, default_verdict, on_error, notify, live, shadow, draft FROM assay.policies ORDER BY policy COLLATE "C";
SELECT policy, detector, mode, weight, kind, condition, force_verdict, revision FROM assay.detectors ORDER BY policy COLLATE "C", detector COLLATE "C";
-- ? differences of revisions
SELECT * FROM assay.policy_diff('world', 2);
-- ? models
SELECT library, model, assay.predict_vector(model, features), assay.contributions(model, features::float8[]) FROM trees ORDER BY library COLLATE "C";
SELECT s.id, assay.predict(m.model, s), assay.margin(m.model, s) FROM signals s, assay.detector_model m WHERE s.id % 4 = 0 ORDER BY s.id;
SELECT s.id, e.feature, e.value, e.contribution FROM signals s, assay.detector_model m, assay.explain(m.model, s) e WHERE s.id < 4 ORDER BY s.id, e.feature;
-- ? phrases
SELECT words, assay.phrase_hits(words, 'Wire  TRANSFER at lunch') FROM known;
-- ? baselines
SELECT sender, day, history FROM sender_view ORDER BY sender COLLATE "C", day;
SELECT sender, day, history, n FROM sender_table ORDER BY sender COLLATE "C", day;
SELECT m.id, t.n, assay.events(t.history) FROM message m LEFT JOIN LATERAL assay.as_of(NULL::sender_table, m.received_at, m.sender) t ON true WHERE m.id % 5 = 0 ORDER BY m.id;
-- ? faults
SELECT fault, policy, revision, detector, key, sqlstate, message FROM assay.fault ORDER BY fault;
