WITH features AS
(SELECT customer_event.profile_id AS profile_id, count(*) AS count_1
FROM customer_event
WHERE customer_event.name = 'order_placed' AND customer_event.occurred_at >= 1780473600000000 AND customer_event.occurred_at < 1781078400000000 AND customer_event.profile_id IS NOT NULL GROUP BY customer_event.profile_id)
 SELECT profile.id
FROM profile LEFT OUTER JOIN features ON features.profile_id = profile.id
WHERE profile.status = 'active' AND profile.objected_at IS NULL AND (EXISTS (SELECT 1 AS anon_1
FROM message JOIN engagement_event ON engagement_event.message_id = message.id
WHERE message.profile_id = profile.id AND (message.origin = 'spring' OR message.template = 'spring') AND engagement_event.kind = 'clicked' AND engagement_event.occurred_at IS NOT NULL AND engagement_event.occurred_at < 1781078400000000 AND engagement_event.human_probability >= 0.5 AND coalesce(engagement_event.link_tag = 'hero', 0) = 1)) AND coalesce(features.count_1, 0) < 1 ORDER BY profile.id
