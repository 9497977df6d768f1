-- depends_on: {{ ref("message_signals") }}
-- What check() finds wrong with the policy, notes aside
select * from assay.check('{{ var("policy") }}') where severity <> 'info'
