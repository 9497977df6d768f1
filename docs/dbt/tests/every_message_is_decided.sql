-- depends_on: {{ ref("message_signals") }}
select * from assay.undecided('{{ var("policy") }}')
