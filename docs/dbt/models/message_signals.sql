select id, received_at, from_addr,
       split_part(from_addr, '@', 2) as from_domain,
       coalesce(cardinality(urls), 0) as url_count
from {{ source('mail', 'message') }}
