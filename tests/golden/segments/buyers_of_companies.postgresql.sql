SELECT profile.id
FROM profile
WHERE profile.status = 'active' AND profile.objected_at IS NULL AND (EXISTS (SELECT 1 AS anon_1
FROM account_member JOIN account ON account.id = account_member.account_id
WHERE account_member.until IS NULL AND account_member.profile_id = profile.id AND coalesce(account.country IN ('DE', 'AT'), false) AND coalesce(account_member.role IN ('buyer', 'decider'), false) AND (EXISTS (SELECT 1 AS anon_2
FROM (SELECT value FROM jsonb_path_query(account.attributes, '$."employees"[*]') AS value) AS element
WHERE CASE WHEN jsonb_typeof(element.value) = 'number' AND length(element.value #>> '{}') < 300 THEN CAST(element.value #>> '{}' AS DOUBLE PRECISION) END >= 50)))) ORDER BY profile.id
