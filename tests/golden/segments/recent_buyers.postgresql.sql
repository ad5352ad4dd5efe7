WITH features AS
(SELECT customer_event.profile_id AS profile_id, count(*) AS count_1
FROM customer_event
WHERE customer_event.name = 'order_placed' AND customer_event.occurred_at >= 1778486400000000 AND customer_event.occurred_at < 1781078400000000 AND customer_event.profile_id IS NOT NULL GROUP BY customer_event.profile_id)
 SELECT profile.id
FROM profile LEFT OUTER JOIN features ON features.profile_id = profile.id
WHERE profile.status = 'active' AND profile.objected_at IS NULL AND coalesce(features.count_1, 0) >= 1 ORDER BY profile.id
