WITH candidates_1 AS MATERIALIZED
(SELECT person.profile_id AS profile_id
FROM (SELECT customer_event.profile_id AS profile_id, bit_or(CASE WHEN customer_event.name IN ('cart_updated') THEN CAST(1 AS BIGINT) << CAST(mod(customer_event.occurred_at / 259200000000, 61) AS INTEGER) END) AS in_1, bit_or(CASE WHEN customer_event.name IN ('cart_updated') THEN CAST(1 AS BIGINT) << CAST(mod(customer_event.occurred_at / 259200000000, 61) AS INTEGER) END) AS in_2
FROM customer_event
WHERE customer_event.name IN ('cart_updated') AND customer_event.occurred_at < 1781078400000000 AND customer_event.profile_id IS NOT NULL GROUP BY customer_event.profile_id) AS person
WHERE person.in_2 & (person.in_1 | (((person.in_1 << 1) & 2305843009213693951) | (person.in_1 >> 60))) != 0),
sequence_1 AS
(SELECT level_2.profile_id AS profile_id
FROM (SELECT level_1.profile_id AS profile_id, level_1.at AS at, level_1.id AS id, CASE WHEN level_1.is_2 THEN max(CASE WHEN level_1.is_1 THEN level_1.at END) OVER (PARTITION BY level_1.profile_id ORDER BY level_1.at, level_1.id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) END AS began
FROM (SELECT customer_event.profile_id AS profile_id, customer_event.occurred_at AS at, customer_event.id AS id, customer_event.name IN ('cart_updated') AND (EXISTS (SELECT 1 AS anon_1
FROM (SELECT value FROM jsonb_path_query(customer_event.properties, '$."sku"[*]') AS value) AS element
WHERE (CASE jsonb_typeof(element.value) WHEN 'string' THEN element.value #>> '{}' END) COLLATE "C" = 'green-tea')) AND (EXISTS (SELECT 1 AS anon_2
FROM (SELECT value FROM jsonb_path_query(customer_event.properties, '$."total"[*]') AS value) AS element
WHERE CASE WHEN jsonb_typeof(element.value) = 'number' AND length(element.value #>> '{}') < 300 THEN CAST(element.value #>> '{}' AS DOUBLE PRECISION) END >= 1000)) AS is_1, customer_event.name IN ('cart_updated') AND (EXISTS (SELECT 1 AS anon_3
FROM (SELECT value FROM jsonb_path_query(customer_event.properties, '$."sku"[*]') AS value) AS element
WHERE (CASE jsonb_typeof(element.value) WHEN 'string' THEN element.value #>> '{}' END) COLLATE "C" = 'kettle')) AND (EXISTS (SELECT 1 AS anon_4
FROM (SELECT value FROM jsonb_path_query(customer_event.properties, '$."total"[*]') AS value) AS element
WHERE CASE WHEN jsonb_typeof(element.value) = 'number' AND length(element.value #>> '{}') < 300 THEN CAST(element.value #>> '{}' AS DOUBLE PRECISION) END < 1000)) AS is_2
FROM customer_event
WHERE customer_event.name IN ('cart_updated') AND customer_event.occurred_at < 1781078400000000 AND customer_event.profile_id IN (SELECT candidates_1.profile_id
FROM candidates_1)) AS level_1
WHERE level_1.is_1 OR level_1.is_2) AS level_2
WHERE level_2.began IS NOT NULL AND level_2.at - level_2.began < 259200000000 GROUP BY level_2.profile_id)
 SELECT profile.id
FROM profile LEFT OUTER JOIN sequence_1 ON sequence_1.profile_id = profile.id
WHERE profile.status = 'active' AND profile.objected_at IS NULL AND sequence_1.profile_id IS NOT NULL ORDER BY profile.id
