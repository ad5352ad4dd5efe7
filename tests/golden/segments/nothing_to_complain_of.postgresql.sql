SELECT profile.id
FROM profile
WHERE profile.status = 'active' AND profile.objected_at IS NULL AND NOT (EXISTS (SELECT 1 AS anon_1
FROM task
WHERE task.kind IN ('complaint', 'service_request') AND task.profile_id = profile.id AND coalesce(task.status IN ('open', 'in_progress'), false) AND coalesce(task.kind = 'complaint', false))) ORDER BY profile.id
