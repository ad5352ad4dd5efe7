SELECT profile.id
FROM profile
WHERE profile.status = 'active' AND profile.objected_at IS NULL AND NOT (EXISTS (SELECT 1 AS anon_1
FROM task
WHERE task.kind IN ('complaint', 'service_request') AND task.profile_id = profile.id AND coalesce(task.status IN ('open', 'in_progress'), 0) = 1 AND coalesce(task.kind = 'complaint', 0) = 1)) ORDER BY profile.id
