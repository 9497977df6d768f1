-- Errors and an example of each function of the module onboard; model.sql says how this is written.

--= onboard
--! null_value_not_allowed: the policy, messages, columns, options or at is NULL, or without a pack the signals
--? CALL assay.onboard(NULL, 'message')
--! invalid_name: the policy's name is empty or longer than 40 bytes
--? CALL assay.onboard('', 'message')
--! invalid_parameter_value: budget, go_live, checks, columns or options cannot be
--? CALL assay.onboard('second', 'message', go_live => 'soon')
--! numeric_value_out_of_range: batch is not between 1 and a million
--? CALL assay.onboard('second', 'message', batch => 0)
--! undefined_object: there is no such pack here, or the messages have no primary key
--? CALL assay.onboard('second', 'message', pack => 'telephone')
--! undefined_column, datatype_mismatch: a column is not there, or of another type
--? CALL assay.onboard('second', 'message', pack => NULL, signals => 'message_signals', tenant => 'customer')
--! undefined_table: the relation of labels is gone
--! wrong_object_type: the messages are no table or view, or temporary
--? CALL assay.onboard('third', 'passing', pack => NULL, signals => 'message_signals')
--! insufficient_privilege: messages or labels are another's, or another role onboards this policy
--?stranger CALL assay.onboard('fourth', 'message', pack => NULL, signals => 'message_signals')
--! object_not_in_prerequisite_state: it was onboarded in another way, or dropped since: see offboard()
--! program_limit_exceeded: this role has begun a hundred policies that are not made yet
--! invalid_transaction_termination: it is called in a transaction block or a function
--? BEGIN; CALL assay.onboard('third', 'message', pack => NULL, signals => 'message_signals'); ROLLBACK
CALL assay.onboard('second', messages => 'message', pack => NULL, signals => 'message_signals', tenant => 'tenant',
    options => '{"document": {"pg_assay_policy": 1, "settings": {"prior": -3}, "detectors": [
        {"name": "money", "condition": "asks_for_money", "weight": 4, "mode": "live"}]}}');
SELECT name, value FROM assay.onboarding_report WHERE policy = 'second' AND part = 'detector';
--  money | 10

--= go_live
--! null_value_not_allowed: ahead is NULL
--? SELECT assay.go_live('second', 'cedar', NULL)
--! undefined_object: the policy was not onboarded by a role of yours, or it knows no such tenant
--? SELECT assay.go_live('second', 'cedarr')
--? SELECT assay.go_live('nowhere')
--! object_not_in_prerequisite_state: it is still being onboarded, or has no tenants
--! insufficient_privilege: the policy was not onboarded by its owner
SELECT assay.go_live('second', 'cedar');
--  1
SELECT tenant, state FROM assay.tenant_status WHERE policy = 'second' ORDER BY tenant;
--  birch | learning
--  cedar | live

--= back_to_learning
--! undefined_object: the policy was not onboarded by a role of yours, or it knows no such tenant
--? SELECT assay.back_to_learning('nowhere')
--! null_value_not_allowed: the policy has tenants, and none is named
--? SELECT assay.back_to_learning('second')
--! object_not_in_prerequisite_state: the policy has no tenants
--! insufficient_privilege: you are not the policy's owner
SELECT assay.back_to_learning('second', 'cedar');
--  t

--= tenant_threshold
--! undefined_object: the policy was not onboarded by a role of yours
--? SELECT assay.tenant_threshold('nowhere', 'cedar', 'malicious', 0.8)
--! invalid_parameter_value: there is no such verdict with a threshold
--? SELECT assay.tenant_threshold('second', 'cedar', 'awful', 0.8)
--! numeric_value_out_of_range: the threshold is not above 0 and below 1
--? SELECT assay.tenant_threshold('second', 'cedar', 'malicious', 1)
--! null_value_not_allowed: the tenant is NULL
--? SELECT assay.tenant_threshold('second', NULL, 'malicious', 0.8)
--! object_not_in_prerequisite_state: the policy has no tenants
SELECT round(assay.tenant_threshold('second', 'cedar', 'malicious', 0.95)::numeric, 3);
--  -0.747

--= erase_tenant
--! undefined_object: the policy was not onboarded by a role of yours
--? SELECT assay.erase_tenant('nowhere', 'birch')
--! null_value_not_allowed: the tenant, messages or dry_run is NULL
--? SELECT assay.erase_tenant('second', 'birch', NULL)
--! object_not_in_prerequisite_state: the policy has no tenants
--! insufficient_privilege: you are not the policy's owner
SELECT what, rows, done FROM assay.erase_tenant('second', 'birch', messages => true) WHERE rows > 0;
--  found by key or signals | 10 | f
--  decisions, with their signals | 10 | f
--  messages | 10 | f

--= view onboarding
SELECT step, state FROM assay.onboarding WHERE policy = 'second' AND state = 'skipped' ORDER BY n;
--  thresholds | skipped

--= view onboarding_report
SELECT name, value FROM assay.onboarding_report WHERE policy = 'second' AND part = 'history' AND name = 'messages';
--  messages | 42

--= view tenant_status
SELECT tenant, messages, alerts FROM assay.tenant_status WHERE policy = 'second' ORDER BY tenant;
--  birch | 10 | 2
--  cedar | 32 | 8

--= offboard
--! undefined_object: the policy was not onboarded by a role of yours
--? SELECT assay.offboard('nowhere')
--! null_value_not_allowed: keep_tables is NULL
--? SELECT assay.offboard('second', NULL)
--! insufficient_privilege: another role onboarded it
--! dependent_objects_still_exist: something of yours reads its tables
SELECT assay.offboard('second');
