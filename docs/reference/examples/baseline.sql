-- Errors and an example of each function of the module baseline; model.sql says how this is written.

--= activity_agg
--! numeric_value_out_of_range: there are more events than an activity counts
CREATE TEMP TABLE history AS
SELECT assay.activity_agg(received_at) AS activity FROM message WHERE from_addr = 'ceo@evil.example';
SELECT assay.events(activity) FROM history;
--  8

--= events
--! none of its own
SELECT assay.events(activity), assay.events(NULL) AS nothing FROM history;
--  8 | 0

--= first_seen
--! none of its own
SELECT assay.first_seen(activity) FROM history;
--  2024-03-03 20:00:00+00

--= last_seen
--! none of its own
SELECT assay.last_seen(activity) FROM history;
--  2024-03-21 08:00:00+00

--= days_known
--! none of its own
SELECT assay.days_known(activity, '2024-03-31 20:00+00') FROM history;
--  28

--= days_since
--! none of its own
SELECT assay.days_since(activity, '2024-03-31 20:00+00') FROM history;
--  10.5

--= rate
--! invalid_parameter_value: no count is kept that decays with this half-life
--? SELECT assay.rate(activity, '2024-03-22', '2 hours') FROM history
SELECT round(assay.rate(activity, '2024-03-22', '30 days')::numeric, 3) FROM history;
--  0.150

--= burst
--! invalid_parameter_value: no count is kept that decays with this half-life
--? SELECT assay.burst(assay.activity_agg(now()), now(), '2 hours')
SELECT round(assay.burst(activity, '2024-03-22', '1 day')::numeric, 2) FROM history;
--  1.45

--= hour_affinity
--! none of its own
SELECT round(assay.hour_affinity(activity, '2024-03-23 20:00+00')::numeric, 2) > 1 AS usual FROM history;
--  t

--= outcome
--! numeric_value_out_of_range: a count is negative or too large
--? SELECT assay.outcome(-1, 0)
SELECT assay.outcome(3, 17);
--  {"attacks": 3, "safe": 17}

--= outcome_agg
--! numeric_value_out_of_range: there are more labels than an outcome counts
SELECT assay.outcome_agg(malicious) FROM review;
--  {"attacks": 6, "safe": 24}

--= attacks
--! none of its own
SELECT assay.attacks(assay.outcome(3, 17));
--  3

--= safe
--! none of its own
SELECT assay.safe(assay.outcome(3, 17));
--  17

--= labels
--! none of its own
SELECT assay.labels(assay.outcome(3, 17));
--  20

--= attack_rate
--! invalid_parameter_value: the prior rate is not between 0 and 1, or its weight is not positive
--? SELECT assay.attack_rate(assay.outcome(3, 17), 2, 1)
SELECT assay.attack_rate(assay.outcome(3, 17), 0.05, 20) AS shrunk, assay.attack_rate(NULL, 0.05, 20) AS prior;
--  0.1 | 0.05

--= safe_rate_lower
--! invalid_parameter_value: the confidence is below 0.5, or not below 1
--? SELECT assay.safe_rate_lower(assay.outcome(3, 17), 1)
SELECT round(assay.safe_rate_lower(assay.outcome(0, 20))::numeric, 3);
--  0.881

--= summary_agg
--! numeric_value_out_of_range: there are more numbers than a summary counts
CREATE TEMP TABLE links AS SELECT assay.summary_agg(urls) AS s FROM message;
SELECT assay.observations(s) FROM links;
--  40

--= observations
--! none of its own
SELECT assay.observations(s) FROM links;
--  40

--= total
--! none of its own
SELECT assay.total(s) FROM links;
--  100

--= mean
--! none of its own
SELECT assay.mean(s) FROM links;
--  2.5

--= deviation
--! none of its own
SELECT round(assay.deviation(s)::numeric, 3) FROM links;
--  1.679

--= smallest
--! none of its own
SELECT assay.smallest(s) FROM links;
--  0

--= largest
--! none of its own
SELECT assay.largest(s) FROM links;
--  5

--= create_baseline
--! null_value_not_allowed: a name, source, key, time column or search_path is missing
--? SELECT assay.create_baseline(NULL, 'message', '{from_addr}', 'received_at')
--! undefined_column: a column is not there
--? SELECT assay.create_baseline('b', 'message', '{sender}', 'received_at')
--! invalid_parameter_value: the tile, key, arrival column or an extra column cannot be, or labels have no key
--? SELECT assay.create_baseline('b', 'message', '{from_addr}', 'received_at', tile => '7 hours')
--! datatype_mismatch: the time is no timestamptz, the arrival column no integer, or labels lack their columns
--? SELECT assay.create_baseline('b', 'message', '{from_addr}', 'subject')
--! syntax_error: the aggregate of an extra column is not one expression
--? SELECT assay.create_baseline('b', 'message', '{from_addr}', 'received_at', extra => '{"n": {"aggregate": "count(*), 1", "rollup": "sum"}}')
--! invalid_table_definition: it, its source or its labels would be temporary
--+ CREATE TEMP TABLE passing (id bigint, received_at timestamptz, from_addr text);
--? SELECT assay.create_baseline('b', 'passing', '{from_addr}', 'received_at')
--! invalid_schema_name: there is no schema to create it in
--? SELECT assay.create_baseline('b', 'message', '{from_addr}', 'received_at', schema => NULL)
--! object_not_in_prerequisite_state: the sequence of the arrival column has a cache
--+ CREATE TABLE hasty (id bigint GENERATED ALWAYS AS IDENTITY (CACHE 20) PRIMARY KEY, at timestamptz, sender text);
--? SELECT assay.create_baseline('b', 'hasty', '{sender}', 'at', incremental => true, arrival => 'id')
--! duplicate_table: there is a relation of that name
--? SELECT assay.create_baseline('message', 'message', '{from_addr}', 'received_at')
--! insufficient_privilege: you may not read the source, or not create there
--?stranger SELECT assay.create_baseline('b', 'message', '{from_addr}', 'received_at')
SELECT assay.create_baseline('sender', 'message', '{from_addr}', 'received_at',
                             outcome => 'review', message_key => '{id}', incremental => true, arrival => 'id');
--  sender
SELECT count(*) AS rows FROM sender;
--  61

--= baseline_probe
--! undefined_object: it is no baseline of yours
--? SELECT assay.baseline_probe('message')
--! null_value_not_allowed: the baseline, live or the messages' alias is NULL
--? SELECT assay.baseline_probe('sender', NULL)
--! feature_not_supported: live of a baseline that is not incremental, or live and parallel where live_as_of() does not serve
--? SELECT assay.baseline_probe('sender', live => true, parallel => true)
--! undefined_table, undefined_column: its source, or a column of it, is gone
SELECT assay.baseline_probe('sender', message => 'm', alias => 's');
--  LEFT JOIN LATERAL (
--    SELECT * FROM public.sender b
--    WHERE b.from_addr = m.from_addr AND b.day < (m.received_at AT TIME ZONE 'UTC')::date
--    ORDER BY b.day DESC LIMIT 1) AS s ON true

--= as_of
--! datatype_mismatch: the first argument is no row of a baseline, or a key is of another type
--? SELECT b.* FROM message m, assay.as_of(NULL::sender, m.received_at, 7) b
--! invalid_parameter_value: the relation has no unique index on key and day
--? SELECT b.* FROM message m, assay.as_of(NULL::message, m.received_at, 'a') b
--! feature_not_supported: it is called in a way that it has no plan for, or the key is a VARIADIC array
--? SELECT b.* FROM message m, assay.as_of(NULL::sender, m.received_at, VARIADIC ARRAY[m.from_addr]) b
--! object_not_in_prerequisite_state: the materialized view is not populated, or its index is not ready yet
--! insufficient_privilege: you may not read the baseline
--?stranger SELECT b.* FROM (VALUES (now())) m(at), assay.as_of(NULL::sender, m.at, 'a') b
SELECT m.id, assay.events(s.history) AS before FROM message m, assay.as_of(NULL::sender, m.received_at, m.from_addr) s
WHERE m.id IN (5, 20, 40) ORDER BY m.id;
--  5 | 0
--  20 | 3
--  40 | 7

--= live_as_of
--! datatype_mismatch: the first argument is no row of a baseline, or a key is of another type
--? SELECT b.* FROM message m, assay.live_as_of(NULL::sender, m.received_at, m.id, 7) b
--! wrong_object_type: it is no incremental baseline
--? SELECT b.* FROM message m, assay.live_as_of(NULL::message, m.received_at, m.id, 'a') b
--! invalid_parameter_value: the key has another number of values
--? SELECT b.* FROM message m, assay.live_as_of(NULL::sender, m.received_at, m.id, 'a'::text, 'b'::text) b
--! feature_not_supported: the messages are not in one plain table, or have row-level security; the baseline has extra columns; the key is a VARIADIC array
--? SELECT b.* FROM message m, assay.live_as_of(NULL::sender, m.received_at, m.id, VARIADIC ARRAY[m.from_addr]) b
--! object_not_in_prerequisite_state: the baseline's index is not ready yet
--! undefined_table, undefined_column: its source, or a column of it, is gone
--! insufficient_privilege: you may not read the baseline or the messages' key, time and number
--?stranger SELECT b.* FROM (VALUES (now())) m(at), assay.live_as_of(NULL::sender, m.at, 1, 'a'::text) b
SELECT m.id, assay.events(s.history) AS before FROM message m, assay.live_as_of(NULL::sender, m.received_at, m.id, m.from_addr) s
WHERE m.id IN (5, 20, 40) ORDER BY m.id;
--  5 | 0
--  20 | 3
--  40 | 7

--= recent_probe
--! null_value_not_allowed: an argument is NULL
--? SELECT assay.recent_probe('message', NULL, 'received_at')
--! undefined_column: a column is not there, or none is known to tell what came first
--? SELECT assay.recent_probe('message', '{sender}', 'received_at', arrival => 'id')
--! invalid_parameter_value: a window is too short or too long, or an argument cannot be
--? SELECT assay.recent_probe('message', '{from_addr}', 'received_at', windows => '{90 days}', arrival => 'id')
--! datatype_mismatch: the time is no timestamptz
--? SELECT assay.recent_probe('message', '{from_addr}', 'subject', arrival => 'id')
--! syntax_error: a column is not one call of an aggregate
--? SELECT assay.recent_probe('message', '{from_addr}', 'received_at', '{"n": "count(*) + 1"}', arrival => 'id')
--! duplicate_column, name_too_long: names of columns would meet, or be longer than 63 bytes
--? SELECT assay.recent_probe('message', '{from_addr}', 'received_at', windows => '{1 day,1 day}', arrival => 'id')
SELECT assay.recent_probe('message', '{from_addr}', 'received_at', windows => '{1 day}', arrival => 'id')
       LIKE '%JOIN LATERAL%' AS it_is_a_join;
--  t

--= refresh_baseline
--! null_value_not_allowed: the baseline is NULL
--? SELECT * FROM assay.refresh_baseline(NULL)
--! undefined_object: it is no baseline of yours
--? SELECT assay.refresh_baseline('message')
--! undefined_table, undefined_column: its source, or a column of it, is gone
--! program_limit_exceeded: a key is too long for an index
--! feature_not_supported: labels of a distributed baseline are not distributed
SELECT rows, changed FROM assay.refresh_baseline('sender');
--  61 | 0

--= refresh_baselines
--! none of its own
SELECT baseline, changed, error FROM assay.refresh_baselines();
--  sender | 0 | 

--= rebuild_baseline
--! null_value_not_allowed: the key is NULL
--? SELECT * FROM assay.rebuild_baseline('sender', VARIADIC NULL)
--! undefined_object: it is no baseline of yours
--? SELECT assay.rebuild_baseline('message')
--+ SELECT assay.create_baseline('viewed', 'message', '{from_addr}', 'received_at', incremental => false);
--! object_not_in_prerequisite_state: it keeps the history of messages that are gone: see keep_baseline()
--+ SELECT assay.keep_baseline('sender');
--? SELECT assay.rebuild_baseline('sender')
--+ SELECT assay.keep_baseline('sender', keep => false);
--! invalid_parameter_value: the key has another number of values
--? SELECT assay.rebuild_baseline('sender', 'a', 'b')
--! feature_not_supported: it is distributed
SELECT changed FROM assay.rebuild_baseline('sender', 'ceo@evil.example');
--  28

--= keep_baseline
--! undefined_object: it is no baseline of yours
--? SELECT assay.keep_baseline('message')
--! null_value_not_allowed: the baseline or keep is NULL
--? SELECT assay.keep_baseline('sender', NULL)
--! wrong_object_type: it is not incremental
--? SELECT assay.keep_baseline('viewed')
SELECT assay.keep_baseline('sender');
SELECT assay.keep_baseline('sender', keep => false);

--= compact_baseline
--! null_value_not_allowed: the baseline is NULL
--? SELECT assay.compact_baseline(NULL)
--! undefined_object: it is no baseline of yours
--? SELECT assay.compact_baseline('message')
--! wrong_object_type: it is not incremental
--? SELECT assay.compact_baseline('viewed')
--! numeric_value_out_of_range: older_than is negative or too long
--? SELECT assay.compact_baseline('sender', '-1 day')
SELECT assay.compact_baseline('sender', older_than => '100 days') > 0 AS some_went;
--  t

--= drop_baseline
--! null_value_not_allowed: the baseline is NULL
--? SELECT assay.drop_baseline(NULL)
--! undefined_object: it is no baseline of yours
--? SELECT assay.drop_baseline('message')
--! dependent_objects_still_exist: a view of yours reads it
--+ CREATE VIEW reads_viewed AS SELECT * FROM viewed;
--? SELECT assay.drop_baseline('viewed')
SELECT assay.drop_baseline('sender');

--= type activity
SELECT assay.events(activity OPERATOR(assay.+) timestamptz '2024-04-01') AS one_more FROM history;
--  9

--= type outcome
SELECT assay.outcome(3, 17) OPERATOR(assay.+) assay.outcome(1, 2) AS together;
--  {"attacks": 4, "safe": 19}

--= type summary
SELECT assay.mean(s OPERATOR(assay.+) 44.5) AS with_one_more FROM links;
--  3.524390243902439

--= view baseline_info
SELECT baseline, key, incremental, keys FROM assay.baseline_info;
--  viewed | {from_addr} | f | 4
