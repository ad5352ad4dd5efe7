WITH owners_1 AS
(SELECT held.profile_id AS profile_id
FROM (SELECT customer_order.profile_id AS profile_id, order_line.sku AS sku, sum(order_line.quantity) AS quantity
FROM customer_order JOIN order_line ON order_line.order_id = customer_order.id
WHERE customer_order.profile_id IS NOT NULL AND customer_order.placed_at < 1781078400000000 AND order_line.kind = 'product' AND order_line.sku IN ('kettle') GROUP BY customer_order.profile_id, order_line.sku
HAVING sum(order_line.quantity) > 0 AND count(CASE WHEN (order_line.quantity > 0 AND customer_order.placed_at >= 1749542400000000) THEN 1 END) > 0) AS held GROUP BY held.profile_id)
 SELECT profile.id
FROM profile LEFT OUTER JOIN owners_1 ON owners_1.profile_id = profile.id
WHERE profile.status = 'active' AND profile.objected_at IS NULL AND owners_1.profile_id IS NOT NULL ORDER BY profile.id
