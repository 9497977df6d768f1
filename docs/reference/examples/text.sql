-- Errors and an example of each function of the module text; model.sql says how this is written.

--= phrases
--+ SELECT assay.create_list('own'), assay.create_phrase_set('owns');
--! invalid_parameter_value: names and patterns are not as many, a name is empty, or the syntax is unknown
--? SELECT assay.phrases('{a}', '{x,y}')
--! null_value_not_allowed: an argument is NULL, or holds one
--? SELECT assay.phrases('{NULL}', '{x}')
--! array_subscript_error: an array has not one dimension
--? SELECT assay.phrases('{{a}}', '{{x}}')
--! program_limit_exceeded: patterns are too many, too long or too complex together, or take too long to compile
--? SELECT assay.phrases('{a}', ARRAY[repeat('x', 100000)])
--! invalid_regular_expression: a pattern is no regular expression, or none that can be matched in one pass
--? SELECT assay.phrases('{a}', ARRAY['(a)\1'], 'regex')
CREATE TEMP TABLE words AS
SELECT assay.phrases('{money,money,shop}', '{wire transfer,gift card,discount}') AS phrases;
SELECT assay.phrase_hits(phrases, 'A gift card, or a wire   transfer?') FROM words;
--  {money}

--= phrase_hits
--! program_limit_exceeded: the text is longer than can be searched
--! undefined_object: there is no phrase set of that name
--? SELECT assay.phrase_hits('nowhere', 'some text')
--! insufficient_privilege: the phrase set is not for you to ask
--?stranger SELECT assay.phrase_hits('owns', 'a text')
--! object_not_in_prerequisite_state: the phrase set is not compiled: see compile_phrase_set()
SELECT assay.phrase_hits(phrases, 'WIRE TRANSFER today') FROM words;
--  {money}

--= phrase_matches
--! invalid_parameter_value: max_matches is negative or too large
--? SELECT assay.phrase_matches(assay.phrases('{a}', '{x}'), 'x', -1)
--! program_limit_exceeded: the text is longer than can be searched
SELECT m.* FROM words, assay.phrase_matches(phrases, 'One Gift Card and a discount') m;
--  money | 5 | 13 | Gift Card
--  shop | 21 | 28 | discount

--= phrases_info
--! none of its own
SELECT i.syntax, i.names, i.patterns, i.compiled_here FROM words, assay.phrases_info(phrases) i;
--  literal | 2 | 3 | t

--= phrases_patterns
--! none of its own
SELECT p.* FROM words, assay.phrases_patterns(phrases) p;
--  money | wire transfer
--  money | gift card
--  shop | discount

--= phrases_cache
--! none of its own
SELECT entries > 0 AS some, bytes > 0 AS bytes FROM assay.phrases_cache();
--  t | t

--= create_phrase_set
--! invalid_name: the name is empty, longer than 63 bytes, or begins with a brace
--? SELECT assay.create_phrase_set('')
--! duplicate_object: there is a list or phrase set of that name
--? SELECT assay.create_phrase_set('owns')
--! undefined_object: a reader or the owner is no role
--? SELECT assay.create_phrase_set('lures', '{nobody_at_all}')
--! insufficient_privilege: the set would belong to a role that you are no member of
--?stranger SELECT assay.create_phrase_set('theirs', owner => 'reader')
SELECT assay.create_phrase_set('lures', readers => '{public}', description => 'what lures say');
INSERT INTO assay.phrase (set, name, pattern, theme, weight) VALUES
    ('lures', 'wire_transfer', 'wire transfer', 'money', 2), ('lures', 'gift_card', 'gift card', 'money', 1.5),
    ('lures', 'verify_account', 'verify your account', 'account', 1);

--= phrase_counts
--! undefined_object: there is no phrase set of that name
--? SELECT assay.phrase_counts('nowhere', 'a text', '{a}')
--! null_value_not_allowed: an array has not one dimension, or holds a NULL
--? SELECT assay.phrase_counts('lures', 'a text', '{NULL}')
--! program_limit_exceeded: an array of names is too big, or the text longer than can be searched
--! insufficient_privilege: the phrase set is not for you to ask
--?stranger SELECT assay.phrase_counts('owns', 'a text', '{a}')
SELECT assay.phrase_counts('lures', 'A wire transfer and a gift card', '{gift_card,verify_account}', '{money}');
--  {1,0,2,2,1}

--= phrase_totals
--! undefined_object: there is no phrase set of that name
--? SELECT assay.phrase_totals('nowhere', 'a text', '{a}')
--! null_value_not_allowed: an array has not one dimension, or holds a NULL
--? SELECT assay.phrase_totals('lures', 'a text', '{NULL}')
--! program_limit_exceeded: an array of names is too big, or the text longer than can be searched
--! insufficient_privilege: the phrase set is not for you to ask
--?stranger SELECT assay.phrase_totals('owns', 'a text', '{a}')
SELECT * FROM assay.phrase_totals('lures', 'A wire transfer and a gift card', '{gift_card}');
--  {1,2,1} | 3.5

--= phrase_summary
--! undefined_object: there is no phrase set of that name
--? SELECT assay.phrase_summary('nowhere', 'a text')
--! insufficient_privilege: the phrase set is not for you to ask
--?stranger SELECT assay.phrase_summary('owns', 'a text')
--! program_limit_exceeded: the text is longer than can be searched
SELECT * FROM assay.phrase_summary('lures', 'Verify your account by a wire transfer');
--  {verify_account,wire_transfer} | {money,account} | {1,1} | 3 | {{1,19},{26,38}}

--= phrase_state
--! undefined_object: there is no phrase set of that name
--? SELECT assay.phrase_state('nowhere')
--! insufficient_privilege: the phrase set is not for you to ask
--?stranger SELECT assay.phrase_state('owns')
SELECT assay.phrase_state('lures');
--  1

--= phrases_of
--! undefined_object: there is no such phrase set
--? SELECT assay.phrases_of('nosuch', 1)
--! invalid_parameter_value: the set has had no such state, or the syntax is unknown
--? SELECT assay.phrases_of('lures', 1, 'glob')
SELECT assay.phrase_hits(assay.phrases_of('lures', 1), 'a gift card');
--  {gift_card}

--= compile_phrase_set
--! null_value_not_allowed: the set is NULL
--? SELECT assay.compile_phrase_set(NULL)
--! undefined_object: there is no phrase set of that name that is yours
--? SELECT assay.compile_phrase_set('nowhere')
--! insufficient_privilege: the set is not yours
--?stranger SELECT assay.compile_phrase_set('owns')
SELECT assay.compile_phrase_set('lures');

--= create_list
--! invalid_name: the name is empty, longer than 63 bytes, or begins with a brace
--? SELECT assay.create_list('{a}')
--! duplicate_object: there is a list or phrase set of that name
--? SELECT assay.create_list('lures')
--! undefined_object: a reader or the owner is no role
--? SELECT assay.create_list('other', '{nobody_at_all}')
--! insufficient_privilege: the list would belong to a role that you are no member of
--?stranger SELECT assay.create_list('theirs', owner => 'reader')
SELECT assay.create_list('bad_hosts', readers => '{public}');
INSERT INTO assay.list (set, value, kind)
VALUES ('bad_hosts', 'evil.example', 'domain'), ('bad_hosts', '10.9.0.0/16', 'cidr');

--= in_list
--! undefined_object: there is no list of that name
--? SELECT assay.in_list('nowhere', 'a')
--! insufficient_privilege: the list is not for you to ask
--?stranger SELECT assay.in_list('own', 'a')
--! invalid_parameter_value: the list has had no such state
--? SELECT assay.in_list('bad_hosts', 'x', state => 1000)
--! object_not_in_prerequisite_state: history of that moment is not kept: see set_list_retention()
SELECT assay.in_list('bad_hosts', 'www.evil.example'), assay.in_list('bad_hosts', inet '10.9.8.7');
--  t | t

--= list_match
--! undefined_object: there is no list of that name
--? SELECT assay.list_match('nowhere', 'a')
--! insufficient_privilege: the list is not for you to ask
--?stranger SELECT assay.list_match('own', 'a')
--! invalid_parameter_value: the list has had no such state
--? SELECT assay.list_match('bad_hosts', 'x', state => 1000)
--! object_not_in_prerequisite_state: history of that moment is not kept: see set_list_retention()
SELECT assay.list_match('bad_hosts', 'ceo@evil.example');
--  evil.example

--= list_state
--! undefined_object: there is no list of that name
--? SELECT assay.list_state('nowhere')
--! insufficient_privilege: the list is not for you to ask
--?stranger SELECT assay.list_state('own')
SELECT assay.list_state('bad_hosts');
--  1

--= list_key
--! none of its own
SELECT assay.list_key('domain', 'Evil.Example') = assay.list_key('domain', 'evil.example') AS same;
--  t

--= list_cache
--! none of its own
SELECT c.set, c.probes > 0 AS asked FROM assay.list_cache() c WHERE c.set = 'bad_hosts';
--  bad_hosts | t

--= rebuild_list
--! null_value_not_allowed: the set is NULL
--? SELECT assay.rebuild_list(NULL)
--! undefined_object: there is no list of that name that is yours
--? SELECT assay.rebuild_list('nowhere')
--! insufficient_privilege: the list is not yours
--?stranger SELECT assay.rebuild_list('own')
SELECT assay.rebuild_list('bad_hosts');

--= grant_set
--! null_value_not_allowed: the role is NULL
--? SELECT assay.grant_set('lures', NULL)
--! undefined_object: there is no set of that name that is yours, or no such role
--? SELECT assay.grant_set('bad_hosts', 'nobody_at_all')
SELECT assay.grant_set('bad_hosts', 'analyst');

--= revoke_set
--! null_value_not_allowed: the role is NULL
--? SELECT assay.revoke_set('lures', NULL)
--! undefined_object: there is no set of that name that is yours, or no such role
--? SELECT assay.revoke_set('nowhere', 'public')
SELECT assay.revoke_set('bad_hosts', 'analyst');

--= set_list_retention
--! numeric_value_out_of_range: keep is less than an hour, or more than 1000 years
--? SELECT assay.set_list_retention('bad_hosts', '1 minute')
--! undefined_object: there is no list of that name that is yours
--? SELECT assay.set_list_retention('nowhere', '30 days')
SELECT assay.set_list_retention('bad_hosts', '180 days');

--= alter_set
--! null_value_not_allowed: the owner is NULL
--? SELECT assay.alter_set('lures', NULL)
--! undefined_object: there is no set of that name that is yours, or no such role
--? SELECT assay.alter_set('nowhere', 'analyst')
--! insufficient_privilege: you are no member of the role that is to have it
SELECT assay.alter_set('lures', owner => 'analyst');

--= drop_set
--! undefined_object: there is no set of that name that is yours
--? SELECT assay.drop_set('nowhere')
SELECT assay.drop_set('lures');

--= domain_of
--! none of its own
SELECT assay.domain_of('Ann Miller <ann@Mail.Example.ORG>');
--  mail.example.org

--= registrable_domain
--! none of its own
SELECT assay.registrable_domain('www.shop.example.co.uk');
--  example.co.uk

--= public_suffix_list
--! none of its own
SELECT suffixes > 1000 AS many FROM assay.public_suffix_list();
--  t

--= text_facts
--! none of its own
SELECT words, uppercase_words, exclamations, scripts FROM assay.text_facts('Act NOW, your account is limited!');
--  6 | 1 | 1 | {Latin}

--= auth_facts
--! invalid_parameter_value: headers are no JSON object
--? SELECT assay.auth_facts('[]', '{mx.corp.example}')
SELECT spf, dmarc, spf_aligned
FROM assay.auth_facts('{"authentication-results": [
    "mx.corp.example; spf=pass smtp.mailfrom=a@shop.example; dmarc=pass header.from=shop.example"]}',
    '{mx.corp.example}', 'shop.example');
--  pass | pass | t

--= received_facts
--! invalid_parameter_value: headers are no JSON object
--? SELECT assay.received_facts('[]')
SELECT ip, helo, name
FROM assay.received_facts('{"received": [
    "from mail.shop.example (out7.shop.example [203.0.113.9]) by mx.corp.example with ESMTP"]}');
--  203.0.113.9 | mail.shop.example | out7.shop.example

--= url_facts
--! none of its own
SELECT urls, ip_urls, host_names FROM assay.url_facts('{https://www.shop.example/a,http://3325256711/pay}');
--  2 | 1 | {www.shop.example,198.51.100.7}

--= header_values
--! array_subscript_error: names have not one dimension
--? SELECT assay.header_values('{}', '{{a}}')
SELECT assay.header_values('{"x-mailer": ["mutt"], "list-id": ["<a.b>"]}', '{x-mailer,organization}');
--  {mutt,NULL}

--= header_lines
--! none of its own
SELECT assay.header_lines('{"received": ["from a by b", "from b by c"]}', 'received');
--  {"from a by b","from b by c"}

--= occurrences
--! program_limit_exceeded: more than 100 strings
--? SELECT assay.occurrences('a', array_fill('a'::text, '{101}'))
SELECT assay.occurrences('Buy now! Cheap!', '{!,now,later}');
--  {2,1,0}

--= message_facts
--! invalid_parameter_value: headers are no JSON object
--? SELECT assay.message_facts('[]', 'a@b.example', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
SELECT f.from_org, f.reply_to_aligned, f.from_name_mismatch
FROM assay.message_facts('{}', 'billing@shop.example', 'pay@bank.example', 'x@free.example', NULL, 'm1@shop.example',
    '{ann@corp.example}', 'Invoice', 'See below', '{}', '{}', '{}') f;
--  shop.example | f | 

--= nearest_name
--! program_limit_exceeded: a name of the array is too long, or the list has too many values
--? SELECT assay.nearest_name('Paypol', ARRAY[repeat('x', 100000)])
--! undefined_object: there is no list of that name
--? SELECT assay.nearest_name('Paypol', 'nowhere')
--! insufficient_privilege: the list is not for you to ask
--?stranger SELECT assay.nearest_name('Paypol', 'own')
SELECT * FROM assay.nearest_name('Paypol', '{PayPal,"Bank of America"}'::text[]);
--  PayPal | 1

--= lookalike_domain
--! invalid_parameter_value: a value of the array is not a domain that can be protected
--? SELECT assay.lookalike_domain('a.example', '{com}'::text[])
--! undefined_object: there is no list of that name
--? SELECT assay.lookalike_domain('a.example', 'nowhere')
--! insufficient_privilege: the list is not for you to ask
--?stranger SELECT assay.lookalike_domain('a.example', 'own')
--! program_limit_exceeded: the list has too many values
SELECT * FROM assay.lookalike_domain('paypal-login.com', '{paypal.com}'::text[]);
--  paypal.com | combosquat

--= display_name_claim
--! program_limit_exceeded: a name of an array is too long, or a list has too many values
--? SELECT assay.display_name_claim('Paypol', ARRAY[repeat('x', 100000)], '{}'::text[])
--! undefined_object: there is no list of that name
--? SELECT assay.display_name_claim('Ann', 'nowhere', 'nowhere')
--! insufficient_privilege: a list is not for you to ask
--?stranger SELECT assay.display_name_claim('Ann', 'own', 'own')
SELECT * FROM assay.display_name_claim('Miller, Ann (CEO)', '{Ann Miller}'::text[], '{PayPal}'::text[]);
--  Ann Miller | person | 0

--= link_mismatch
--! none of its own
SELECT assay.link_mismatch('www.paypal.com', 'http://paypal.com@evil.example/');
--  t

--= skeleton
--! external_routine_exception: the ICU library could not make one
SELECT assay.skeleton('pаypаl') = assay.skeleton('paypal') AS looks_the_same;
--  t

--= signature
--! none of its own
CREATE TEMP TABLE lure AS
SELECT n, assay.signature(format('Dear customer %s, your parcel number %s is waiting at our office, please pay the fee',
                                 n, n * 77)) AS s
FROM generate_series(1, 2) n;
SELECT length(s::text) > 0 AS made FROM lure WHERE n = 1;
--  t

--= similar
--! none of its own
SELECT assay.similar(a.s, b.s) > 0.8 AS alike FROM lure a, lure b WHERE a.n = 1 AND b.n = 2;
--  t

--= signature_bands
--! none of its own
SELECT assay.signature_bands(a.s) && assay.signature_bands(b.s) AS share_one FROM lure a, lure b
WHERE a.n = 1 AND b.n = 2;
--  t

--= signature_length
--! none of its own
SELECT assay.signature_length(s) FROM lure WHERE n = 1;
--  16

--= signature_words
--! none of its own
SELECT assay.signature_words('Dear Ann, pay 100 EUR at http://evil.example/x');
--  {dear,~,pay,0,eur,at,evil.example}

--= text_model_agg
--! numeric_value_out_of_range: a weight is out of range, or the sum too large
--? SELECT assay.text_model_agg(true, 'a', -1)
--! invalid_parameter_value: half-lives differ or are out of range, or the jsonb has no part of a message
--? SELECT assay.text_model_agg(true, '{"colour": "red"}'::jsonb)
--! datatype_mismatch: a part of the jsonb is of another type
--? SELECT assay.text_model_agg(true, '{"subject": 7}'::jsonb)
--! datetime_field_overflow: the time of a message is infinite
--? SELECT assay.text_model_agg(true, 'a', 1, 'infinity', '1 day')
--! wrong_object_type: a published model has no counts to add
--? SELECT assay.text_model_agg(assay.text_model_publish(assay.text_model_of(true, 'a'), 4096))
--! program_limit_exceeded: the model is too large
CREATE TEMP TABLE learned AS SELECT assay.text_model_agg(id % 5 = 0, subject || ' ' || body) AS model FROM message;
SELECT i.malicious, i.safe FROM learned, assay.text_model_info(model) i;
--  8 | 32

--= text_model_of
--! numeric_value_out_of_range: the weight is out of range
--? SELECT assay.text_model_of(true, 'a', -1)
--! invalid_parameter_value: the half-life is out of range, or the jsonb has no part of a message
--? SELECT assay.text_model_of(true, 'a', 1, '2024-01-01', '1 hour')
--! datatype_mismatch: a part of the jsonb is of another type
--? SELECT assay.text_model_of(true, '{"subject": 7}'::jsonb)
--! datetime_field_overflow: the time is infinite
--? SELECT assay.text_model_of(true, 'a', 1, 'infinity', '1 day')
SELECT i.malicious
FROM assay.text_model_info(assay.text_model_of(true, 'please pay') OPERATOR(assay.+)
                           assay.text_model_of(true, 'pay now')) i;
--  2

--= text_model_info
--! none of its own
SELECT i.kind, i.tokens > 20 AS tokens, i.half_life FROM learned, assay.text_model_info(model) i;
--  counts | t | 

--= text_content
--! invalid_parameter_value: headers are no JSON object
--? SELECT assay.text_content('a', 'b', '[]')
--! undefined_object: there is no phrase set of that name
--? SELECT assay.text_content('a', 'b', without => 'nowhere')
--! insufficient_privilege: the phrase set is not for you to ask
--?stranger SELECT assay.text_content('a', 'b', without => 'owns')
SELECT assay.text_content('Hello', 'See below', '{"from": ["ann@a.example"], "received": ["from x"]}');
--  {"body": "See below", "headers": {"from": "ann@a.example"}, "subject": "Hello"}

--= text_score
--! invalid_parameter_value: the jsonb is no object, or has what is no part of a message
--? SELECT assay.text_score(assay.text_model_of(true, 'a'), '[]'::jsonb)
--! datatype_mismatch: a part is of another type than it must be
--? SELECT assay.text_score(assay.text_model_of(true, 'a'), '{"body": 1}'::jsonb)
--! undefined_column: the row has no part of a message
--? SELECT assay.text_score(assay.text_model_of(true, 'a'), r) FROM (SELECT 1 AS colour) r
SELECT assay.text_score(model, 'Please send a wire transfer') > 0 AS suspect,
       assay.text_score(model, 'minutes of our meeting') > 0 AS meeting
FROM learned;
--  t | f

--= text_margin
--! invalid_parameter_value: the jsonb is no object, or has what is no part of a message
--? SELECT assay.text_margin(assay.text_model_of(true, 'a'), '[]'::jsonb)
--! datatype_mismatch: a part is of another type than it must be
--? SELECT assay.text_margin(assay.text_model_of(true, 'a'), '{"body": 1}'::jsonb)
--! undefined_column: the row has no part of a message
--? SELECT assay.text_margin(assay.text_model_of(true, 'a'), r) FROM (SELECT 1 AS colour) r
SELECT assay.text_margin(model, 'wire transfer') = assay.text_score(model, 'wire transfer') AS not_calibrated
FROM learned;
--  t

--= text_explain
--! invalid_parameter_value: top is negative, the jsonb is no object, or has what is no part of a message
--? SELECT assay.text_explain(assay.text_model_of(true, 'a'), 'a', -1)
--! datatype_mismatch: a part is of another type than it must be
--? SELECT assay.text_explain(assay.text_model_of(true, 'a'), '{"body": 1}'::jsonb)
--! undefined_column: the row has no part of a message
--? SELECT assay.text_explain(assay.text_model_of(true, 'a'), r) FROM (SELECT 1 AS colour) r
SELECT e.token, e.contribution > 0 AS speaks_against_it
FROM learned, assay.text_explain(model, 'send a wire transfer', top => 1) e WHERE e.token IS NOT NULL;
--  body: send | t

--= text_model_publish
--! invalid_parameter_value: max_bytes is too small
--? SELECT assay.text_model_publish(assay.text_model_of(true, 'a'), 10)
SELECT i.kind FROM learned, assay.text_model_info(assay.text_model_publish(model, 4096)) i;
--  published

--= text_model_prune
--! invalid_parameter_value: min_messages is negative
--? SELECT assay.text_model_prune(assay.text_model_of(true, 'a'), -1)
--! wrong_object_type: a published model has no counts
--? SELECT assay.text_model_prune(assay.text_model_publish(assay.text_model_of(true, 'a'), 4096), 1)
SELECT p.tokens < i.tokens AS fewer
FROM learned, assay.text_model_info(assay.text_model_prune(model, 3)) p, assay.text_model_info(model) i;
--  t

--= text_model_calibrate
--! invalid_parameter_value: a slope or intercept is out of range, or labels are not of both kinds
--? SELECT assay.text_model_calibrate(assay.text_model_of(true, 'a'), '{1,2}'::real[], '{t,t}'::boolean[])
--! array_subscript_error: margins and labels are not as many
--? SELECT assay.text_model_calibrate(assay.text_model_of(true, 'a'), '{1}'::real[], '{t,f}'::boolean[])
--! data_exception: safe messages have higher margins than malicious ones
--? SELECT assay.text_model_calibrate(assay.text_model_of(true, 'a'), '{1,2,3,4}'::real[], '{t,t,f,f}'::boolean[])
SELECT i.slope, i.intercept FROM learned, assay.text_model_info(assay.text_model_calibrate(model, 0.5, -1)) i;
--  0.5 | -1

--= create_text_model
--! null_value_not_allowed: a name, source, content, labels, delay or size is missing
--? SELECT assay.create_text_model('lure', NULL, 'body', 'review')
--! duplicate_object, duplicate_table: there is a text model of that name, or a relation of one that it makes
--+ SELECT assay.create_text_model('twice', 'message', 'body', 'review', '{id}', 'received_at');
--? SELECT assay.create_text_model('twice', 'message', 'body', 'review', '{id}', 'received_at')
--! invalid_parameter_value: the name, key, delay, half-life or size cannot be
--? SELECT assay.create_text_model('lure', 'message', 'body', 'review', '{id}', 'received_at', max_bytes => 1)
--! datatype_mismatch: the content or a column of the labels is of another type
--? SELECT assay.create_text_model('lure', 'message', 'urls', 'review', '{id}', 'received_at')
--! invalid_schema_name: there is no schema to create its tables in
--? SELECT assay.create_text_model('lure', 'message', 'body', 'review', '{id}', 'received_at', schema => NULL)
--! invalid_table_definition: it would have temporary tables
--? SELECT assay.create_text_model('lure', 'message', 'body', 'review', '{id}', 'received_at', schema => 'pg_temp')
--! insufficient_privilege: you may not read the source or labels, or not create there
--?stranger SELECT assay.create_text_model('lure', 'message', 'body', 'review', '{id}', 'received_at')
SELECT assay.create_text_model('lure', 'message', 'subject || '' '' || body', 'review', '{id}', 'received_at');
--  lure_version

--= learn
--! null_value_not_allowed: the name or steps is NULL
--? SELECT assay.learn(NULL)
--! undefined_object: there is no text model of that name that is yours
--? SELECT assay.learn('nowhere')
--! numeric_value_out_of_range: steps is less than 2
--? SELECT assay.learn('lure', steps => 1)
SELECT assay.learn('lure');
--  30

--= text_model_at
--! undefined_object: there is no text model of that name that you may read
--? SELECT assay.text_model_at('nowhere')
SELECT assay.text_score(assay.text_model_at('lure'), 'wire transfer') > 0 AS suspect;
--  t

--= drop_text_model
--! null_value_not_allowed: the name is NULL
--? SELECT assay.drop_text_model(NULL)
--! undefined_object: there is no text model of that name that is yours
--? SELECT assay.drop_text_model('nowhere')
--! dependent_objects_still_exist: a view of yours reads its tables
--+ CREATE VIEW reads_it AS SELECT * FROM twice_version;
--? SELECT assay.drop_text_model('twice')
SELECT assay.drop_text_model('lure');

--= type phrases
SELECT phrases::text::assay.phrases OPERATOR(assay.=) phrases AS the_same FROM words;
--  t

--= type text_facts
SELECT (assay.text_facts('Hello  WORLD')).uppercase_words;
--  1

--= type auth_facts
SELECT (assay.auth_facts('{"authentication-results": ["mx.corp.example; dkim=fail"]}', '{mx.corp.example}')).dkim;
--  fail

--= type received_facts
SELECT (assay.received_facts('{"received": ["from a.example (a.example [203.0.113.9]) by mx.corp.example"]}')).ip;
--  203.0.113.9

--= type url_facts
SELECT (assay.url_facts('{https://user@evil.example/}')).userinfo_urls;
--  1

--= type message_facts
CREATE TEMP TABLE with_facts (id int, facts assay.message_facts);
SELECT count(*) FROM with_facts WHERE (facts).url_ip > 0;
--  0

--= type text_signature
SELECT assay.signature('one two three four') OPERATOR(assay.=) assay.signature('one two three four') AS the_same;
--  t

--= type text_model
SELECT i.malicious, i.safe
FROM learned, assay.text_model_info(model OPERATOR(assay.-) assay.text_model_of(false, 'see you')) i;
--  8 | 31

--= view list
UPDATE assay.list SET note = 'reported', expires_at = '2100-01-01' WHERE set = 'bad_hosts' AND value = 'evil.example';
SELECT value, kind, note FROM assay.list WHERE set = 'bad_hosts' ORDER BY value;
--  10.9.0.0/16 | cidr | 
--  evil.example | domain | reported

--= view list_history
SELECT value, added_state, removed_state FROM assay.list_history WHERE set = 'bad_hosts' ORDER BY value, added_state;
--  10.9.0.0/16 | 1 | 
--  evil.example | 1 | 3
--  evil.example | 3 | 

--= view phrase
INSERT INTO assay.phrase (set, name, pattern, kind) VALUES ('owns', 'amount', '\d+ (EUR|USD)', 'regex');
SELECT name, pattern, kind FROM assay.phrase WHERE set = 'owns';
--  amount | \d+ (EUR|USD) | regex

--= view phrase_history
SELECT name, added_state, removed_state FROM assay.phrase_history WHERE set = 'owns';
--  amount | 1 | 

--= view named_sets
SELECT set, content, owner::text = current_user AS mine
FROM assay.named_sets WHERE set IN ('bad_hosts', 'owns') ORDER BY set;
--  bad_hosts | list | t
--  owns | phrases | t

--= view dropped_set
SELECT set FROM assay.dropped_set WHERE set LIKE 'inbound.%';

--= view text_models
SELECT name, content, key, delay FROM assay.text_models;
--  twice | body | {id} | 00:00:00
