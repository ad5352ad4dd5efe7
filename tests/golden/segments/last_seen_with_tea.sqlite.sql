SELECT profile.id
FROM profile
WHERE profile.status = 'active' AND profile.objected_at IS NULL AND (EXISTS (SELECT 1 AS anon_1
FROM (SELECT type, value FROM json_each((SELECT customer_event.properties
FROM customer_event
WHERE customer_event.profile_id = profile.id AND customer_event.name = 'cart_updated' AND (EXISTS (SELECT 1 AS anon_2
FROM (SELECT type, value FROM json_each(customer_event.properties, '$."total"') WHERE json_type(customer_event.properties, '$."total"') <> 'object') AS element
WHERE CASE WHEN element.type IN ('integer', 'real') THEN CAST(element.value AS REAL) END >= 1000)) AND customer_event.occurred_at < 1781078400000000 ORDER BY customer_event.occurred_at DESC, customer_event.id DESC
 LIMIT 1 OFFSET 0), '$."sku"') WHERE json_type((SELECT customer_event.properties
FROM customer_event
WHERE customer_event.profile_id = profile.id AND customer_event.name = 'cart_updated' AND (EXISTS (SELECT 1 AS anon_2
FROM (SELECT type, value FROM json_each(customer_event.properties, '$."total"') WHERE json_type(customer_event.properties, '$."total"') <> 'object') AS element
WHERE CASE WHEN element.type IN ('integer', 'real') THEN CAST(element.value AS REAL) END >= 1000)) AND customer_event.occurred_at < 1781078400000000 ORDER BY customer_event.occurred_at DESC, customer_event.id DESC
 LIMIT 1 OFFSET 0), '$."sku"') <> 'object') AS element
WHERE instr(CASE element.type WHEN 'text' THEN element.value END, 'tea') > 0)) ORDER BY profile.id
