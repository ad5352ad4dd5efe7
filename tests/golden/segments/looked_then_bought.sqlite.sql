WITH busy_1 AS MATERIALIZED
(SELECT customer_event.profile_id AS profile_id
FROM customer_event
WHERE customer_event.name IN ('cart_updated') AND customer_event.occurred_at < 1781078400000000 AND customer_event.profile_id IS NOT NULL GROUP BY customer_event.profile_id
HAVING count(*) > 40),
sequence_1_2 AS
(SELECT customer_event.profile_id AS profile_id, customer_event.occurred_at AS at, customer_event.id AS id, customer_event.occurred_at AS ended
FROM customer_event
WHERE customer_event.name IN ('cart_updated') AND (EXISTS (SELECT 1 AS anon_1
FROM (SELECT type, value FROM json_each(customer_event.properties, '$."sku"') WHERE json_type(customer_event.properties, '$."sku"') <> 'object') AS element
WHERE CASE element.type WHEN 'text' THEN element.value END = 'kettle')) AND (EXISTS (SELECT 1 AS anon_2
FROM (SELECT type, value FROM json_each(customer_event.properties, '$."total"') WHERE json_type(customer_event.properties, '$."total"') <> 'object') AS element
WHERE CASE WHEN element.type IN ('integer', 'real') THEN CAST(element.value AS REAL) END < 1000)) AND customer_event.occurred_at < 1781078400000000 AND customer_event.profile_id IS NOT NULL AND (customer_event.profile_id NOT IN (SELECT busy_1.profile_id
FROM busy_1))),
sequence_1 AS
(SELECT DISTINCT sequence_1_part_1.profile_id AS profile_id
FROM sequence_1_2 JOIN (SELECT customer_event.profile_id AS profile_id, customer_event.occurred_at AS at, customer_event.id AS id
FROM customer_event
WHERE customer_event.name IN ('cart_updated') AND (EXISTS (SELECT 1 AS anon_3
FROM (SELECT type, value FROM json_each(customer_event.properties, '$."sku"') WHERE json_type(customer_event.properties, '$."sku"') <> 'object') AS element
WHERE CASE element.type WHEN 'text' THEN element.value END = 'green-tea')) AND (EXISTS (SELECT 1 AS anon_4
FROM (SELECT type, value FROM json_each(customer_event.properties, '$."total"') WHERE json_type(customer_event.properties, '$."total"') <> 'object') AS element
WHERE CASE WHEN element.type IN ('integer', 'real') THEN CAST(element.value AS REAL) END >= 1000)) AND customer_event.occurred_at < 1781078400000000 AND customer_event.profile_id IS NOT NULL) AS sequence_1_part_1 ON sequence_1_part_1.profile_id = sequence_1_2.profile_id AND (sequence_1_2.at > sequence_1_part_1.at OR sequence_1_2.at = sequence_1_part_1.at AND sequence_1_2.id > sequence_1_part_1.id) AND sequence_1_2.ended - sequence_1_part_1.at < 259200000000 UNION SELECT level_2.profile_id AS profile_id
FROM (SELECT level_1.profile_id AS profile_id, level_1.at AS at, level_1.id AS id, CASE WHEN level_1.is_2 THEN max(CASE WHEN level_1.is_1 THEN level_1.at END) OVER (PARTITION BY level_1.profile_id ORDER BY level_1.at, level_1.id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) END AS began
FROM (SELECT customer_event.profile_id AS profile_id, customer_event.occurred_at AS at, customer_event.id AS id, customer_event.name IN ('cart_updated') AND (EXISTS (SELECT 1 AS anon_5
FROM (SELECT type, value FROM json_each(customer_event.properties, '$."sku"') WHERE json_type(customer_event.properties, '$."sku"') <> 'object') AS element
WHERE CASE element.type WHEN 'text' THEN element.value END = 'green-tea')) AND (EXISTS (SELECT 1 AS anon_6
FROM (SELECT type, value FROM json_each(customer_event.properties, '$."total"') WHERE json_type(customer_event.properties, '$."total"') <> 'object') AS element
WHERE CASE WHEN element.type IN ('integer', 'real') THEN CAST(element.value AS REAL) END >= 1000)) AS is_1, customer_event.name IN ('cart_updated') AND (EXISTS (SELECT 1 AS anon_7
FROM (SELECT type, value FROM json_each(customer_event.properties, '$."sku"') WHERE json_type(customer_event.properties, '$."sku"') <> 'object') AS element
WHERE CASE element.type WHEN 'text' THEN element.value END = 'kettle')) AND (EXISTS (SELECT 1 AS anon_8
FROM (SELECT type, value FROM json_each(customer_event.properties, '$."total"') WHERE json_type(customer_event.properties, '$."total"') <> 'object') AS element
WHERE CASE WHEN element.type IN ('integer', 'real') THEN CAST(element.value AS REAL) END < 1000)) AS is_2
FROM customer_event
WHERE customer_event.name IN ('cart_updated') AND customer_event.occurred_at < 1781078400000000 AND customer_event.profile_id IN (SELECT busy_1.profile_id
FROM busy_1)) AS level_1
WHERE level_1.is_1 = 1 OR level_1.is_2 = 1) AS level_2
WHERE level_2.began IS NOT NULL AND level_2.at - level_2.began < 259200000000 GROUP BY level_2.profile_id)
 SELECT profile.id
FROM profile LEFT OUTER JOIN sequence_1 ON sequence_1.profile_id = profile.id
WHERE profile.status = 'active' AND profile.objected_at IS NULL AND sequence_1.profile_id IS NOT NULL ORDER BY profile.id
