SELECT profile.id
FROM profile
WHERE profile.status = 'active' AND profile.objected_at IS NULL AND (EXISTS (SELECT 1 AS anon_1
FROM (SELECT value FROM jsonb_path_query((SELECT customer_event.properties
FROM customer_event
WHERE customer_event.profile_id = profile.id AND customer_event.name = 'cart_updated' AND (EXISTS (SELECT 1 AS anon_2
FROM (SELECT value FROM jsonb_path_query(customer_event.properties, '$."total"[*]') AS value) AS element
WHERE CASE WHEN jsonb_typeof(element.value) = 'number' AND length(element.value #>> '{}') < 300 THEN CAST(element.value #>> '{}' AS DOUBLE PRECISION) END >= 1000)) AND customer_event.occurred_at < 1781078400000000 ORDER BY customer_event.occurred_at DESC, customer_event.id DESC
 LIMIT 1), '$."sku"[*]') AS value) AS element
WHERE strpos((CASE jsonb_typeof(element.value) WHEN 'string' THEN element.value #>> '{}' END) COLLATE "C", 'tea') > 0)) ORDER BY profile.id
