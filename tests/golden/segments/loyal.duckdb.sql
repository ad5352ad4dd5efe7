WITH "features_1" AS
(SELECT "customer_event"."profile_id" AS "profile_id", count(*) AS "count_1"
FROM "customer_event"
WHERE "customer_event"."name" = 'order_placed' AND "customer_event"."occurred_at" >= 1749542400000000 AND "customer_event"."occurred_at" < 1781078400000000 AND "customer_event"."profile_id" IS NOT NULL GROUP BY "customer_event"."profile_id"),
"features_2" AS
(SELECT "customer_event"."profile_id" AS "profile_id", sum(CASE WHEN abs(CASE WHEN json_type("customer_event"."properties", '$."total"') IN ('BIGINT', 'UBIGINT', 'HUGEINT', 'DOUBLE') THEN CAST(json_extract_string("customer_event"."properties", '$."total"') AS DOUBLE) END) < 1e11 THEN CAST(trunc(CASE WHEN json_type("customer_event"."properties", '$."total"') IN ('BIGINT', 'UBIGINT', 'HUGEINT', 'DOUBLE') THEN CAST(json_extract_string("customer_event"."properties", '$."total"') AS DOUBLE) END * 10000 + 0.5 * sign(CASE WHEN json_type("customer_event"."properties", '$."total"') IN ('BIGINT', 'UBIGINT', 'HUGEINT', 'DOUBLE') THEN CAST(json_extract_string("customer_event"."properties", '$."total"') AS DOUBLE) END)) AS BIGINT) END) AS "sum_2"
FROM "customer_event"
WHERE "customer_event"."name" = 'order_placed' AND "customer_event"."occurred_at" < 1781078400000000 AND "customer_event"."profile_id" IS NOT NULL GROUP BY "customer_event"."profile_id"),
"features_3" AS
(SELECT "customer_event"."profile_id" AS "profile_id", count(*) AS "count_3"
FROM "customer_event"
WHERE "customer_event"."name" = 'order_returned' AND "customer_event"."occurred_at" >= 1778486400000000 AND "customer_event"."occurred_at" < 1781078400000000 AND "customer_event"."profile_id" IS NOT NULL GROUP BY "customer_event"."profile_id")
 SELECT "profile"."id"
FROM "profile" LEFT OUTER JOIN "features_1" ON "features_1"."profile_id" = "profile"."id" LEFT OUTER JOIN "features_2" ON "features_2"."profile_id" = "profile"."id" LEFT OUTER JOIN "features_3" ON "features_3"."profile_id" = "profile"."id"
WHERE "profile"."status" = 'active' AND "profile"."objected_at" IS NULL AND coalesce("features_1"."count_1", 0) >= 2 AND (CAST(coalesce("features_2"."sum_2", 0) AS DOUBLE PRECISION) / 10000.0) >= 10000 AND coalesce("features_3"."count_3", 0) < 1 ORDER BY "profile"."id"
