-- Errors and an example of each function of the module policy; model.sql says how this is written.

--= create_policy
--! invalid_name: the name is empty or longer than 50 bytes, or that of a verdict cannot be
--? SELECT assay.create_policy('', 'message_signals', '{id}')
--! null_value_not_allowed: a signals view, a key, a default verdict or a search_path is missing
--? SELECT assay.create_policy('inbound', NULL, '{id}')
--! undefined_column: the view has no such key column
--? SELECT assay.create_policy('inbound', 'message_signals', '{message}')
--! invalid_parameter_value: key, thresholds, on_error, notify or partition cannot be
--? SELECT assay.create_policy('inbound', 'message_signals', '{id}', thresholds => '{"malicious": 2}')
--! numeric_value_out_of_range: the prior is no log-odds between -1000 and 1000
--? SELECT assay.create_policy('inbound', 'message_signals', '{id}', prior => 2000)
--! duplicate_object: there is a policy of that name
--+ SELECT assay.create_policy('there', 'message_signals', '{id}');
--? SELECT assay.create_policy('there', 'message_signals', '{id}')
--! duplicate_table: there is a relation with the name of one that it makes
--+ CREATE TABLE taken_decision (id int);
--? SELECT assay.create_policy('taken', 'message_signals', '{id}')
--! duplicate_column: a key column is named as a column of the decision or label table
--+ CREATE VIEW odd_signals AS SELECT id AS verdict FROM message;
--? SELECT assay.create_policy('odd', 'odd_signals', '{verdict}')
--! wrong_object_type, invalid_table_definition: signals are no view or table, or temporary
--? SELECT assay.create_policy('odd', 'message_id_seq', '{id}')
SELECT assay.create_policy('inbound', signals => 'message_signals', key => '{id}', prior => -3, log_signals => true);
--  1
--+ SELECT assay.grant_access('inbound', 'reader', 'reader'), assay.grant_access('inbound', 'builder', 'builder');

--= create_detector
--! undefined_object: there is no such policy for you to change, or no such text model
--? SELECT assay.create_detector('nowhere', 'money', 'asks_for_money')
--! duplicate_object: there is a detector of that name
--! invalid_parameter_value: there is not one of condition, model and text model; the mode or verdict is unknown
--? SELECT assay.create_detector('inbound', 'money')
--! invalid_name: the name is empty or longer than 200 characters
--? SELECT assay.create_detector('inbound', '', 'asks_for_money')
--! numeric_value_out_of_range: weight or rollout is out of range
--? SELECT assay.create_detector('inbound', 'money', 'asks_for_money', weight => 'NaN')
--! undefined_column: the condition or model names a signal that there is not
--? SELECT assay.create_detector('inbound', 'money', 'ask_for_money')
--! syntax_error, datatype_mismatch: the condition is no boolean expression
--? SELECT assay.create_detector('inbound', 'money', 'asks_for_money AND')
--! feature_not_supported, invalid_object_definition: it has a subquery, or calls a volatile function
--? SELECT assay.create_detector('inbound', 'money', 'random() > urls')
--! insufficient_privilege: you are no builder, to make it live no publisher, or it calls what the owner does not trust
--?builder SELECT assay.create_detector('inbound', 'all', 'true', mode => 'live')
--! program_limit_exceeded: the policy would have more of something than a policy may have
SELECT assay.create_detector('inbound', 'money', 'asks_for_money', weight => 4, mode => 'live',
                             description => 'it asks for money');
--  2
SELECT assay.create_detector('inbound', 'links', 'urls > 3', weight => 1.5);
--  3

--= alter_detector
--! undefined_object: there is no such policy for you to change, or no such detector
--? SELECT assay.alter_detector('inbound', 'mony', weight => 2)
--! invalid_parameter_value: it would have both a condition and a model, or the mode or verdict is unknown
--? SELECT assay.alter_detector('inbound', 'money', mode => 'on')
--! numeric_value_out_of_range: weight or rollout is out of range
--? SELECT assay.alter_detector('inbound', 'money', rollout => 2)
--! undefined_column, syntax_error, datatype_mismatch: the condition does not fit, as of create_detector()
--? SELECT assay.alter_detector('inbound', 'money', condition => 'ask_for_money')
--! insufficient_privilege: it takes a builder, and a publisher to change what is live
--?reader SELECT assay.alter_detector('inbound', 'money', weight => 2)
SELECT assay.alter_detector('inbound', 'links', weight => 1);
--  4

--= promote
--! undefined_object: there is no such policy for you to change, or no such detector or revision
--? SELECT assay.promote('inbound', 'mony')
--! object_not_in_prerequisite_state: the detector was changed after that revision
--? SELECT assay.promote('inbound', 'links', revision => 1)
--! insufficient_privilege: you are no publisher of the policy
--?builder SELECT assay.promote('inbound', 'links')
--! undefined_column: the signals view has changed, and the condition does not fit any more
SELECT assay.promote('inbound', 'links');
--  5

--= decide
--! trigger_protocol_violated: it is no AFTER INSERT trigger with the name of a policy as its argument
--? SELECT assay.decide()
--! insufficient_privilege: the owner of the message table may not decide by the policy; only when it is set to raise
CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS arrived
FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('inbound');
INSERT INTO message (received_at, tenant, from_addr, subject, body, urls)
VALUES ('2024-03-25', 'cedar', 'ceo@evil.example', 'Today', 'I need a wire transfer.', 5);
SELECT verdict, round(score::numeric, 3) AS score FROM inbound_verdict;
--  suspicious | 0.881

--= view stat_policy
SELECT messages, degraded, faults FROM assay.stat_policy WHERE policy = 'inbound';
--  1 | 0 | 0

--= view stat_detector
SELECT detector, evaluations, hits, faults FROM assay.stat_detector WHERE policy = 'inbound' ORDER BY detector;
--  links | 1 | 1 | 0
--  money | 1 | 1 | 0

--= undecided
--! undefined_object: there is no such policy
--? SELECT assay.undecided('nowhere')
--! insufficient_privilege: you may not read the policy, or not its messages
--?stranger SELECT assay.undecided('inbound')
SELECT count(*) FROM assay.undecided('inbound');
--  40

--= backfill
--! undefined_object: there is no such policy
--? CALL assay.backfill('nowhere')
--! null_value_not_allowed: an argument is NULL
--? CALL assay.backfill('inbound', batch => NULL)
--! numeric_value_out_of_range: batch is not between 1 and a million
--? CALL assay.backfill('inbound', batch => 0)
--! invalid_parameter_value: undecided_only and degraded_only exclude each other
--? CALL assay.backfill('inbound', undecided_only => true, degraded_only => true)
--! undefined_column, datatype_mismatch: the view has no such column of times
--? CALL assay.backfill('inbound', since => '2024-01-01', at => 'received')
--! insufficient_privilege: you are no publisher of the policy
--?stranger CALL assay.backfill('inbound')
--! invalid_transaction_termination: it is called in a transaction block or a function
--? BEGIN; CALL assay.backfill('inbound'); ROLLBACK
CALL assay.backfill('inbound');
SELECT verdict, count(*) FROM inbound_verdict GROUP BY verdict ORDER BY verdict;
--  safe | 32
--  suspicious | 9

--= score
--! undefined_object: there is no such policy or revision
--? SELECT assay.score('nowhere', s) FROM message_signals s
--! undefined_column: the row lacks a key column
--? SELECT assay.score('inbound', r) FROM (SELECT 7 AS urls) r
--! datatype_mismatch: a column of the row has a type that the policy cannot trust
--! insufficient_privilege: you are no builder of the policy
--?reader SELECT assay.score('inbound', s) FROM message_signals s
--! statement_too_complex: the policy is being evaluated already
SELECT s.id, x.verdict, round(x.score::numeric, 3) AS score FROM message_signals s, assay.score('inbound', s) x
WHERE s.id IN (4, 5) ORDER BY s.id;
--  4 | safe | 0.119
--  5 | suspicious | 0.881

--= explain_decision
--! undefined_object: there is no such policy that you may read
--? SELECT assay.explain_decision('nowhere', 5)
--! invalid_parameter_value: the key has another number of values
--? SELECT assay.explain_decision('inbound', 5, 6)
--! no_data_found: the message has no decision
--? SELECT assay.explain_decision('inbound', 999999)
SELECT evidence, contribution, margin FROM assay.explain_decision('inbound', 5);
--  (prior) | -3 | -3
--  money | 4 | 1
--  links | 1 | 2
--  = suspicious |  | 2

--= explain_text
--! undefined_object: there is no such policy that you may read
--? SELECT assay.explain_text('nowhere', 5)
--! invalid_parameter_value: the key has another number of values
--? SELECT assay.explain_text('inbound', 5, 6)
--! no_data_found: the message has no decision
--? SELECT assay.explain_text('inbound', 999999)
SELECT left(assay.explain_text('inbound', 5), 58);
--  The message was found suspicious because it asks for money

--= ledger
--! none of its own
SELECT l.detector, l.kind, l.hit, l.contribution FROM inbound_verdict v, assay.ledger(v.attribution) l
WHERE v.id = 5 ORDER BY l.entry;
--  (prior) | prior | f | -3
--  links | rule | t | 1
--  money | rule | t | 4

--= hits
--! none of its own
SELECT assay.hits(attribution) FROM inbound_verdict WHERE id = 10;
--  {links,money}

--= counted_hits
--! none of its own
SELECT count(*) FROM inbound_verdict WHERE assay.counted_hits(attribution) = '{money}';
--  4

--= prior
--! none of its own
SELECT assay.prior(attribution) FROM inbound_verdict WHERE id = 5;
--  -3

--= revision
--! none of its own
SELECT assay.revision(attribution) = revision AS same FROM inbound_verdict WHERE id = 5;
--  t

--= degraded
--! none of its own
SELECT count(*) FROM inbound_verdict WHERE assay.degraded(attribution);
--  0

--= attribution_to_jsonb
--! none of its own
SELECT assay.attribution_to_jsonb(attribution) = attribution::jsonb AS the_cast FROM inbound_verdict WHERE id = 5;
--  t

--= states
--! none of its own
SELECT count(*) FROM inbound_verdict v, assay.states(v.attribution) s WHERE v.id = 5;
--  0

--= state
--! invalid_parameter_value: the kind is not list, phrases or text_model
--? SELECT assay.state(attribution, 'table', 'message') FROM inbound_verdict LIMIT 1
SELECT assay.state(attribution, 'list', 'bad_hosts') IS NULL AS not_asked FROM inbound_verdict WHERE id = 5;
--  t

--= latest_decision
--! undefined_object: there is no such policy
--? SELECT assay.latest_decision('nowhere', '{5}')
--! invalid_parameter_value: the key has another number of values
--? SELECT assay.latest_decision('inbound', '{5,6}')
--! insufficient_privilege: you may not read the policy
--?stranger SELECT assay.latest_decision('inbound', '{5}')
SELECT verdict FROM assay.latest_decision('inbound', '{5}');
--  suspicious

--= latest_decisions
--! undefined_object: there is no such policy
--? SELECT assay.latest_decisions('nowhere')
--! insufficient_privilege: you may not read the policy
--?stranger SELECT assay.latest_decisions('inbound')
SELECT count(*) FROM assay.latest_decisions('inbound', since => now() - interval '1 day');
--  41

--= labels_from
--! undefined_object: there is no such policy
--? SELECT assay.labels_from('nowhere', 'reviewer', 'review')
--! null_value_not_allowed: another argument than malicious and category is NULL
--? SELECT assay.labels_from('inbound', NULL, 'review')
--! numeric_value_out_of_range: confidence is not above 0 and at most 1
--? SELECT assay.labels_from('inbound', 'reviewer', 'review', confidence => 2)
--! invalid_parameter_value: the source is empty
--? SELECT assay.labels_from('inbound', '', 'review')
--! undefined_column: the relation has no key column, or nothing says what is malicious
--? SELECT assay.labels_from('inbound', 'reviewer', 'message')
--! wrong_object_type: the relation is not a table or view
--? SELECT assay.labels_from('inbound', 'reviewer', 'message_pkey')
--! insufficient_privilege: you may not read the relation, or not insert labels
--?stranger SELECT assay.labels_from('inbound', 'reviewer', 'review')
SELECT * FROM assay.labels_from('inbound', 'reviewer', 'review');
--  30 | 0 | 0

--= label_reported
--! null_value_not_allowed: the policy or messages is NULL
--? SELECT * FROM assay.label_reported(NULL, 'message', '[]')
--! undefined_object: there is no such policy
--? SELECT assay.label_reported('nowhere', 'message', '[]')
--! undefined_column: the relation lacks a column that it looks for
--? SELECT assay.label_reported('inbound', 'review', '[{"message_id": "m5@mail.example", "malicious": true, "source": "user report"}]')
--! wrong_object_type: the relation is not a table or view
--? SELECT assay.label_reported('inbound', 'message_pkey', '[]')
--! insufficient_privilege: you may not read the relation, or not insert labels
--?stranger SELECT assay.label_reported('inbound', 'message', '[]')
SELECT outcome, key FROM assay.label_reported('inbound', 'message', '[
    {"message_id": "m5@mail.example", "from_addr": "ceo@evil.example", "malicious": true, "source": "user report",
     "author": "ann@corp.example", "confidence": 0.7, "reported_at": "2024-03-05T00:00:00Z"}]');
--  surer | {5}

--= latest_labels
--! undefined_object: there is no such policy
--? SELECT assay.latest_labels('nowhere')
--! insufficient_privilege: you may not read the policy
--?stranger SELECT assay.latest_labels('inbound')
SELECT malicious, count(*) FROM assay.latest_labels('inbound') GROUP BY malicious ORDER BY malicious;
--  f | 24
--  t | 6

--= set_labels
--! undefined_object: there is no such policy that you may read
--? SELECT assay.set_labels('nowhere')
--! invalid_parameter_value: the order names a source twice, or is no plain list
--? SELECT assay.set_labels('inbound', '{a,a}')
--! numeric_value_out_of_range: the maturity is negative or longer than 100 years
--? SELECT assay.set_labels('inbound', label_maturity => '-1 day')
--! insufficient_privilege: you are not the policy's owner
--?reader SELECT assay.set_labels('inbound')
SELECT assay.set_labels('inbound', label_order => '{analyst,reviewer}');

--= label_delays
--! undefined_object: there is no such policy
--? SELECT assay.label_delays('nowhere')
--! insufficient_privilege: you may not read the policy
--?stranger SELECT assay.label_delays('inbound')
SELECT source, malicious, early FROM assay.label_delays('inbound') ORDER BY source, malicious;
--  reviewer | f | 24
--  reviewer | t | 6

--= label_check
--! undefined_object: there is no such policy
--? SELECT assay.label_check('nowhere')
--! insufficient_privilege: you may not read the policy
--?stranger SELECT assay.label_check('inbound')
SELECT problem, key FROM assay.label_check('inbound');

--= create_guard
--! undefined_object: there is no such policy for you to change
--? SELECT assay.create_guard('nowhere', 'partner', 'true')
--! invalid_name: the name is empty or longer than 63 bytes
--? SELECT assay.create_guard('inbound', '', 'true')
--! null_value_not_allowed: the condition is missing
--? SELECT assay.create_guard('inbound', 'partner', NULL)
--! duplicate_object: a signal has that name
--? SELECT assay.create_guard('inbound', 'urls', 'true')
--! undefined_column, syntax_error, datatype_mismatch: the condition does not fit, as of create_detector()
--? SELECT assay.create_guard('inbound', 'partner', 'sender = 1')
SELECT assay.create_guard('inbound', 'partner', 'from_addr LIKE ''%@partner.example''');
--  6

--= drop_guard
--! undefined_object: there is no such policy for you to change, or no such guard
--? SELECT assay.drop_guard('inbound', 'friend')
--! dependent_objects_still_exist: a detector or an exclusion uses it
--+ SELECT assay.create_detector('there', 'uses it', 'used') FROM (SELECT assay.create_guard('there', 'used', 'urls > 1')) g;
--? SELECT assay.drop_guard('there', 'used')
SELECT assay.drop_guard('inbound', 'partner');
--  7

--= exclude
--! undefined_object: there is no such policy for you to change, or no detector that it is to mute
--? SELECT assay.exclude('inbound', 'x', 'true', mutes => '{mony}', reason => 'test')
--! null_value_not_allowed: the condition or the reason is missing
--? SELECT assay.exclude('inbound', 'x', 'true', mutes => '{money}')
--! invalid_parameter_value: it neither mutes nor forces a verdict, the verdict is unknown, or the key has other values
--? SELECT assay.exclude('inbound', 'x', 'true', reason => 'test')
--! invalid_name: the name is empty or longer than 200 characters
--? SELECT assay.exclude('inbound', '', 'true', mutes => '{money}', reason => 'test')
--! no_data_found: the message of decision_key has no decision
--? SELECT assay.exclude('inbound', 'x', 'true', mutes => '{money}', reason => 'test', decision_key => '{999999}')
--! undefined_column, syntax_error, datatype_mismatch: the condition does not fit, as of create_detector()
--? SELECT assay.exclude('inbound', 'x', 'sender = 1', mutes => '{money}', reason => 'test')
--! insufficient_privilege: you are no publisher of the policy
--?builder SELECT assay.exclude('inbound', 'x', 'true', mutes => '{money}', reason => 'test')
SELECT assay.exclude('inbound', 'minutes', 'subject LIKE ''Minutes%''', mutes => '{links}', reason => 'newsletter',
                     expires_at => now() + interval '30 days');
--  8

--= drop_exclusion
--! undefined_object: there is no such policy for you to change, or no such exclusion
--? SELECT assay.drop_exclusion('inbound', 'minuets')
--! insufficient_privilege: you are no publisher of the policy
--?builder SELECT assay.drop_exclusion('inbound', 'minutes')
SELECT assay.drop_exclusion('inbound', 'minutes');
--  9

--= condition_names
--! none of its own
SELECT assay.condition_names('urls > 3 AND (asks_for_money OR tenant = ''birch'')');
--  {asks_for_money,tenant,urls}

--= replay
--! undefined_object: there is no such policy that you may read or revision
--? SELECT assay.replay('inbound', revision => 99)
--! null_value_not_allowed: an argument is NULL that may not be
--? SELECT assay.replay('inbound', since => NULL)
--! undefined_column, datatype_mismatch: the view has no such column of times
--? SELECT assay.replay('inbound', at => 'received')
--! invalid_parameter_value: signals are not view, logged or auto
--? SELECT assay.replay('inbound', signals => 'none')
--! object_not_in_prerequisite_state: logged signals are asked for, and the decision table has no column for them
--! insufficient_privilege: you are no builder of the policy, or may not read its messages
--?reader SELECT assay.replay('inbound')
SELECT verdict, count(*) FROM assay.replay('inbound', revision => 2) GROUP BY verdict ORDER BY verdict;
--  safe | 32
--  suspicious | 9

--= compare
--! undefined_object: there is no such policy that you may read or revision
--? SELECT assay.compare('inbound', 1, 99)
--! invalid_parameter_value: a revision has no such verdict to be caught by
--? SELECT assay.compare('inbound', 1, 2, caught => 'awful')
--! undefined_column, datatype_mismatch, null_value_not_allowed, insufficient_privilege: as of replay()
--? SELECT assay.compare('inbound', 1, 2, at => 'received')
SELECT change, messages FROM assay.compare('inbound', 1, 2) WHERE messages > 0;
--  caught now | 6
--  unlabelled, caught now | 3
--  same | 32

--= compare_messages
--! undefined_object: there is no such policy that you may read or revision
--? SELECT assay.compare_messages('inbound', 1, 99)
--! invalid_parameter_value: a revision has no such verdict to be caught by
--? SELECT assay.compare_messages('inbound', 1, 2, caught => 'awful')
--! undefined_column, datatype_mismatch, null_value_not_allowed, insufficient_privilege: as of replay()
--? SELECT assay.compare_messages('inbound', 1, 2, at => 'received')
SELECT key, change, verdict_a, verdict_b FROM assay.compare_messages('inbound', 1, 2) WHERE key = '{5}';
--  {5} | caught now | safe | suspicious

--= policy_diff
--! undefined_object: there is no such policy that you may read or revision
--? SELECT assay.policy_diff('inbound', 1, 99)
SELECT kind, name, attribute, new FROM assay.policy_diff('inbound', 3, 4);
--  detector | links | weight | 1

--= rollback_policy
--! undefined_object: there is no such policy for you to change, or no such revision
--? SELECT assay.rollback_policy('inbound', 99)
--! null_value_not_allowed: the revision is NULL
--? SELECT assay.rollback_policy('inbound', NULL)
--! insufficient_privilege: you are no publisher of the policy
--?builder SELECT assay.rollback_policy('inbound', 1)
--! serialization_failure: another transaction changed the policy
SELECT assay.rollback_policy('inbound', 5) > 5 AS a_new_one;
--  t

--= policy_export
--! undefined_object: there is no such policy that you may read or revision
--? SELECT assay.policy_export('nowhere')
SELECT d->>'policy' AS policy, jsonb_array_length(d->'detectors') AS detectors FROM assay.policy_export('inbound') d;
--  inbound | 2

--= policy_import
--! invalid_parameter_value: it is not a policy document, or something in it cannot be
--? SELECT assay.policy_import('{}')
--! null_value_not_allowed: the document or dry_run is NULL
--? SELECT assay.policy_import(NULL)
--! feature_not_supported: the document is of a version that this release does not read
--? SELECT assay.policy_import('{"pg_assay_policy": 99}')
--! duplicate_object: the document has two of a name
--? SELECT assay.policy_import('{"pg_assay_policy": 1, "policy": "inbound", "settings": {}, "guards": [{"name": "a", "condition": "true"}, {"name": "a", "condition": "true"}]}')
--! undefined_object: the policy does not exist, and the document does not say how to make it, or it leaves out a model
--? SELECT assay.policy_import('{"pg_assay_policy": 1, "policy": "nowhere", "settings": {}}')
--! undefined_column, syntax_error, datatype_mismatch: a condition does not fit, as of create_detector()
--? SELECT assay.policy_import('{"pg_assay_policy": 1, "policy": "inbound", "settings": {}, "detectors": [{"name": "a", "condition": "sender = 1"}]}')
--! data_corrupted: a model is not the one that its digest says
--! insufficient_privilege: you are no publisher of the policy
--?builder SELECT assay.policy_import(jsonb_set(assay.policy_export('inbound'), '{settings,prior}', '-1'), dry_run => false)
--! serialization_failure: another transaction changed the policy
SELECT i.* FROM assay.policy_export('inbound') d, assay.policy_import(jsonb_set(d, '{settings,prior}', '-2.5')) i;
--  policy | inbound | prior | -3 | -2.5

--= alter_policy
--! undefined_object: there is no such policy for you to change, or no such role
--? SELECT assay.alter_policy('nowhere')
--! invalid_parameter_value: thresholds, on_error, on_unreadable or notify cannot be
--? SELECT assay.alter_policy('inbound', on_error => 'ignore')
--! numeric_value_out_of_range: the prior is no log-odds between -1000 and 1000
--? SELECT assay.alter_policy('inbound', prior => 5000)
--! invalid_name: a verdict has no name, or one longer than 200 characters
--? SELECT assay.alter_policy('inbound', default_verdict => repeat('x', 201))
--! null_value_not_allowed: the default verdict is empty
--? SELECT assay.alter_policy('inbound', default_verdict => '')
--! undefined_column, wrong_object_type, invalid_table_definition: the new signals view does not fit
--? SELECT assay.alter_policy('inbound', signals => 'odd_signals')
--! insufficient_privilege: you are no publisher, or for owner, search_path and signals not the owner
--?builder SELECT assay.alter_policy('inbound', prior => -1)
--! serialization_failure: another transaction changed the policy
SELECT assay.alter_policy('inbound', thresholds => '{"suspicious": 0.4, "malicious": 0.7}') > 1 AS a_new_revision;
--  t

--= create_outbox
--! undefined_object: there is no such policy that you may read
--? SELECT assay.create_outbox('nowhere')
--! invalid_parameter_value: consumers are no plain list of 1 to 100 different names
--? SELECT assay.create_outbox('inbound', '{}')
--! insufficient_privilege: you are not the policy's owner
--?reader SELECT assay.create_outbox('inbound')
--! duplicate_table: there is an outbox, or a table of its name
--! undefined_table: tables of the policy are gone
--! feature_not_supported: the decision table is distributed
SELECT assay.create_outbox('inbound', consumers => '{quarantine}');

--= read_changes
--! undefined_object: there is no such policy
--? SELECT assay.read_changes('nowhere')
--! undefined_table: the policy has no outbox
--? SELECT assay.read_changes('there')
--! invalid_parameter_value: n is not positive
--? SELECT assay.read_changes('inbound', 'quarantine', 0)
--! insufficient_privilege: you may not read the policy
--?stranger SELECT assay.read_changes('inbound')
INSERT INTO message (received_at, tenant, from_addr, subject, body, urls)
VALUES ('2024-03-26', 'cedar', 'ceo@evil.example', 'Now', 'Where is the wire transfer?', 0);
SELECT change, old_verdict, verdict FROM assay.read_changes('inbound', 'quarantine');
--  1 |  | malicious

--= take_changes
--! null_value_not_allowed: the policy or consumer is NULL
--? SELECT assay.take_changes(NULL, 'default', '{1}')
--! undefined_object: there is no such policy
--? SELECT assay.take_changes('nowhere', 'quarantine', '{1}')
--! undefined_table: the policy has no outbox
--? SELECT assay.take_changes('there', 'default', '{1}')
--! insufficient_privilege: you may not delete from it
--?stranger SELECT assay.take_changes('inbound', 'quarantine', '{1}')
SELECT assay.take_changes('inbound', 'quarantine', '{1}');
--  1

--= drop_outbox
--! undefined_object: there is no such policy that you may read
--? SELECT assay.drop_outbox('nowhere')
--! insufficient_privilege: you are not the policy's owner
--?reader SELECT assay.drop_outbox('inbound')
SELECT assay.drop_outbox('inbound');

--= check
--! undefined_object: there is no such policy that you may read
--? SELECT assay.check('nowhere')
SELECT severity, "check" FROM assay.check('inbound') WHERE severity = 'error';

--= signals_query
--! undefined_object: there is no such policy
--? SELECT assay.signals_query('nowhere')
--! invalid_parameter_value: a key has another number of values
--+ SELECT assay.create_policy('pair', 'message_signals', '{received_at,id}');
--? SELECT assay.signals_query('pair', '{1}')
--! insufficient_privilege: you may not act as the policy's owner
--?reader SELECT assay.signals_query('inbound')
SELECT assay.signals_query('inbound', '{5}') LIKE '%message_signals%' AS reads_the_view;
--  t

--= reads_again
--! undefined_object: there is no such policy
--? SELECT assay.reads_again('nowhere', 'message')
--! undefined_table: there is no such table any more
--? SELECT assay.reads_again('inbound', 1::regclass)
--! insufficient_privilege: you may not act as the policy's owner
--?reader SELECT assay.reads_again('inbound', 'message')
SELECT assay.reads_again('inbound', 'message') IS NULL AS from_the_new_rows;
--  t

--= signal
--! data_corrupted, undefined_object: the value is damaged, or its shape is gone
SELECT assay.signal(signals, 'urls') FROM inbound_decision WHERE id = 5 ORDER BY revision LIMIT 1;
--  5

--= signals_as
--! datatype_mismatch: the first argument is no row of a view or table
--? SELECT assay.signals_as(7, signals) FROM inbound_decision
--! data_corrupted, undefined_object: the value is damaged, or its shape is gone
SELECT s.id, s.subject FROM inbound_decision d, assay.signals_as(NULL::message_signals, d.signals) s
WHERE d.id = 5 ORDER BY d.revision LIMIT 1;
--  5 | Urgent payment

--= signals_to_jsonb
--! data_corrupted, undefined_object: the value is damaged, or its shape is gone
SELECT assay.signals_to_jsonb(signals)->>'from_addr' AS from_addr FROM inbound_decision
WHERE id = 5 ORDER BY revision LIMIT 1;
--  ceo@evil.example

--= grant_access
--! undefined_object: there is no such role, or no such policy that you may read
--? SELECT assay.grant_access('inbound', 'nobody_at_all', 'reader')
--! invalid_parameter_value: the right is not reader, builder or publisher
--? SELECT assay.grant_access('inbound', 'analyst', 'boss')
--! insufficient_privilege: the policy is not yours
SELECT assay.grant_access('inbound', 'analyst', 'builder');
SELECT role, "right" FROM assay.access WHERE policy = 'inbound' AND role = 'analyst';
--  analyst | builder

--= revoke_access
--! undefined_object: there is no such role, or no such policy that you may read
--? SELECT assay.revoke_access('inbound', 'nobody_at_all')
--! insufficient_privilege: the policy is not yours
SELECT assay.revoke_access('inbound', 'analyst');

--= set_retention
--! undefined_object: there is no such policy that you may read
--? SELECT assay.set_retention('nowhere')
--! numeric_value_out_of_range: a time is below an hour or above 1000 years
--? SELECT assay.set_retention('inbound', decisions => '1 minute')
--! insufficient_privilege: you are not the policy's owner
--?reader SELECT assay.set_retention('inbound')
SELECT assay.set_retention('inbound', decisions => '90 days', signals => '30 days') > 1 AS a_new_revision;
--  t

--= make_partitions
--! undefined_object: there is no such policy that you may read
--? SELECT assay.make_partitions('nowhere')
--! object_not_in_prerequisite_state: the decision table is not partitioned
--? SELECT assay.make_partitions('inbound')
--! insufficient_privilege: you are not the policy's owner
--?reader SELECT assay.make_partitions('inbound')
SELECT assay.create_policy('busy', 'message_signals', '{received_at,id}', partition => 'month');
--  1
SELECT assay.make_partitions('busy');
--  0

--= view partitioning
SELECT policy, period, at FROM assay.partitioning WHERE policy = 'busy';
--  busy | month | received_at

--= forget
--! undefined_object: there is no such policy that you may read
--? SELECT assay.forget('nowhere', keys => '{5}')
--! null_value_not_allowed: neither columns nor keys are given, or dry_run is NULL
--? SELECT assay.forget('inbound')
--! invalid_parameter_value: columns are no object of values, or keys have other numbers of values
--? SELECT assay.forget('inbound', '[]')
--! undefined_column: the signals view has no such column
--? SELECT assay.forget('inbound', '{"sender": "a"}')
--! insufficient_privilege: you are not the policy's owner
--?reader SELECT assay.forget('inbound', keys => '{5}')
SELECT what, rows, done FROM assay.forget('inbound', keys => '{40}') WHERE rows > 0;
--  found by key or signals | 1 | f
--  decisions, with their signals | 1 | f

--= stat_reset
--! object_not_in_prerequisite_state: the library is not in shared_preload_libraries
--! insufficient_privilege: it is for superusers, and whom they grant it to
--?stranger SELECT assay.stat_reset()
SELECT assay.stat_reset();

--= upgrade_policy
--! undefined_object: there is no such policy for you to change
--? SELECT assay.upgrade_policy('nowhere')
--! insufficient_privilege: a view of its name belongs to another role
SELECT assay.upgrade_policy('inbound');

--= retire_detector
--! undefined_object: there is no such policy for you to change, or no such detector
--? SELECT assay.retire_detector('inbound', 'mony')
--! insufficient_privilege: you are no publisher of the policy
--?builder SELECT assay.retire_detector('inbound', 'money')
SELECT assay.create_detector('inbound', 'short', 'length(subject) < 4', weight => 0.5) > 1 AS made;
--  t
SELECT assay.retire_detector('inbound', 'short') > 1 AS retired;
--  t

--= drop_detector
--! undefined_object: there is no such policy for you to change, or no such detector
--? SELECT assay.drop_detector('inbound', 'mony')
--! dependent_objects_still_exist: an exclusion mutes it
--+ SELECT assay.exclude('there', 'x', 'true', mutes => '{uses it}', reason => 'test');
--? SELECT assay.drop_detector('there', 'uses it')
--! insufficient_privilege: you are no publisher of the policy
--?builder SELECT assay.drop_detector('inbound', 'money')
SELECT assay.drop_detector('inbound', 'short') > 1 AS dropped;
--  t

--= drop_policy
--! undefined_object: there is no such policy for you to change
--? SELECT assay.drop_policy('nowhere')
--! dependent_objects_still_exist: a trigger decides by it, or with drop_tables something reads its tables
--? SELECT assay.drop_policy('inbound')
--! insufficient_privilege: you are not the policy's owner, or, with drop_tables, its tables are another's
--+ SELECT assay.grant_access('there', 'reader', 'reader');
--?reader SELECT assay.drop_policy('there')
SELECT assay.drop_policy('busy', drop_tables => true);

--= publish_policies
--! insufficient_privilege: you may not make publications
--?stranger SELECT assay.publish_policies()
SELECT assay.publish_policies();
SELECT pubname FROM pg_publication ORDER BY pubname;
--  assay_policies
--  assay_text_models

--= follow_policies
--! null_value_not_allowed: a connection, a slot or a name is missing
--? CALL assay.follow_policies(NULL, 'assay')
--! object_not_in_prerequisite_state: this database has policies, lists or phrases already
--? CALL assay.follow_policies('dbname=mail', 'assay')
--! invalid_transaction_termination: it is called in a transaction block or a function
--! insufficient_privilege: it is for superusers, and whom they grant it to
--?stranger CALL assay.follow_policies('dbname=mail', 'assay')
--- CALL assay.follow_policies('host=main.example dbname=mail user=replica', slot => 'assay_edge1');

--= settle_policies
--! object_not_in_prerequisite_state: this database follows no other server's policies
--? SELECT assay.settle_policies()
--! insufficient_privilege: it is for superusers, and whom they grant it to
--?stranger SELECT assay.settle_policies()
--- SELECT kind, name, waits_for FROM assay.settle_policies();

--= unfollow_policies
--! null_value_not_allowed: forget is NULL
--? SELECT assay.unfollow_policies(NULL)
--! object_not_in_prerequisite_state: this database follows no other server's policies
--? SELECT assay.unfollow_policies()
--! insufficient_privilege: it is for superusers, and whom they grant it to
--?stranger SELECT assay.unfollow_policies()
--- SELECT assay.unfollow_policies();

--= distribute
--! undefined_object: there is no such policy, or Citus is not installed
--? CALL assay.distribute('nowhere', 'tenant')
--! object_not_in_prerequisite_state: a relation that the view reads lies elsewhere
--! undefined_column: the tables have no such column
--! feature_not_supported: the view or the policy has what cannot be distributed
--! invalid_parameter_value: the policy decides several tables, and none is named
--! insufficient_privilege: it is for superusers, and whom they grant it to
--?stranger CALL assay.distribute('inbound', 'tenant')
--- CALL assay.distribute('inbound', 'tenant', message_table => 'message');

--= type attribution
SELECT attribution::jsonb->>'revision' AS revision FROM inbound_decision WHERE id = 5 ORDER BY 1 LIMIT 1;
--  5

--= type logged_signals
SELECT signals::jsonb->'urls' AS urls FROM inbound_decision WHERE id = 5 ORDER BY revision LIMIT 1;
--  5

--= view policies
SELECT policy, key, live, shadow, draft FROM assay.policies WHERE policy = 'inbound';
--  inbound | {id} | 2 | 0 | 0

--= view detectors
SELECT detector, mode, weight, condition FROM assay.detectors WHERE policy = 'inbound' ORDER BY detector;
--  links | live | 1 | urls > 3
--  money | live | 4 | asks_for_money

--= view exclusions
SELECT exclusion, mutes, reason FROM assay.exclusions WHERE policy = 'there';
--  x | {"uses it"} | test

--= view revisions
SELECT revision, summary FROM assay.revisions WHERE policy = 'inbound' AND revision <= 3 ORDER BY revision;
--  1 | create policy
--  2 | create detector money (live)
--  3 | create detector links (shadow)

--= view policy
SELECT signals, decision, label FROM assay.policy WHERE policy = 'inbound';
--  public.message_signals | inbound_decision | inbound_label

--= view revision
SELECT prior, thresholds, log_signals FROM assay.revision WHERE policy = 'inbound' AND revision = 1;
--  -3 | {"malicious": 0.9, "suspicious": 0.5} | t

--= view detector
SELECT from_revision, until_revision, weight FROM assay.detector
WHERE policy = 'inbound' AND detector = 'links' AND from_revision < 5 ORDER BY from_revision;
--  3 | 4 | 1.5
--  4 | 5 | 1

--= view detector_model
SELECT count(*) AS versions FROM assay.detector_model WHERE policy = 'inbound';
--  0

--= view guard
SELECT guard, from_revision, until_revision FROM assay.guard WHERE policy = 'inbound';
--  partner | 6 | 7

--= view exclusion
SELECT exclusion, from_revision, until_revision FROM assay.exclusion
WHERE policy = 'inbound' AND until_revision IS NOT NULL;
--  minutes | 8 | 9

--= view access
SELECT role, "right" FROM assay.access WHERE policy = 'inbound' AND role <> current_user ORDER BY role;
--  builder | builder
--  reader | reader

--= view fault
SELECT count(*) FROM assay.fault WHERE policy = 'inbound';
--  0

--= view backfill_progress
SELECT state, decided FROM assay.backfill_progress WHERE policy = 'inbound';
--  finished | 40

--= view backfill_run
SELECT batches, finished_at IS NOT NULL AS finished FROM assay.backfill_run WHERE policy = 'inbound';
--  1 | t

--= view label_rules
SELECT label_order, label_maturity FROM assay.label_rules WHERE policy = 'inbound';
--  {analyst,reviewer} | 

--= view retention
SELECT policy, decisions, signals FROM assay.retention;
--  inbound | 90 days | 30 days

--= view policy_cache
SELECT sum(bytes) < 1000000 AS small FROM assay.policy_cache;
--  t

--= view followed
SELECT kind, name, waits_for FROM assay.followed WHERE waits_for IS NOT NULL;

--= view policy_subscription
SELECT subscription, running, errors FROM assay.policy_subscription WHERE NOT running;
