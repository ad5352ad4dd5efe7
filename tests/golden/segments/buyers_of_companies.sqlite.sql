SELECT profile.id
FROM profile
WHERE profile.status = 'active' AND profile.objected_at IS NULL AND (EXISTS (SELECT 1 AS anon_1
FROM account_member JOIN account ON account.id = account_member.account_id
WHERE account_member.until IS NULL AND account_member.profile_id = profile.id AND coalesce(account.country IN ('DE', 'AT'), 0) = 1 AND coalesce(account_member.role IN ('buyer', 'decider'), 0) = 1 AND (EXISTS (SELECT 1 AS anon_2
FROM (SELECT type, value FROM json_each(account.attributes, '$."employees"') WHERE json_type(account.attributes, '$."employees"') <> 'object') AS element
WHERE CASE WHEN element.type IN ('integer', 'real') THEN CAST(element.value AS REAL) END >= 50)))) ORDER BY profile.id
