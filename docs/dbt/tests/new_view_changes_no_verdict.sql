-- depends_on: {{ ref("message_signals") }}
-- Decisions of the last day that the view as it is now would not make again
select r.key, r.verdict as now, d.verdict as "then"
from assay.replay('{{ var("policy") }}', since => now() - interval '1 day') r
join assay.latest_decisions('{{ var("policy") }}') d using (key)
where r.verdict <> d.verdict
