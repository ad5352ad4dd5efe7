WITH granted_1 AS
(SELECT identity.profile_id AS profile_id
FROM identity
WHERE identity.kind = 'email' AND identity.lookup IN (SELECT consent_entry.lookup
FROM consent_entry
WHERE consent_entry.channel = 'email' AND consent_entry.topic IN ('*', 'marketing') GROUP BY consent_entry.lookup
HAVING CASE WHEN (max(CASE WHEN (consent_entry.status = 'withdrawn') THEN consent_entry.occurred_at END) IS NOT NULL AND max(CASE WHEN (consent_entry.status = 'granted') THEN consent_entry.occurred_at END) IS NULL) THEN 'withdrawn' WHEN (max(CASE WHEN (consent_entry.status = 'withdrawn') THEN consent_entry.occurred_at END) >= max(CASE WHEN (consent_entry.status = 'granted') THEN consent_entry.occurred_at END)) THEN 'withdrawn' WHEN (max(CASE WHEN (consent_entry.status = 'granted' AND (consent_entry.expires_at IS NULL OR consent_entry.expires_at > 1781078400000000)) THEN consent_entry.occurred_at END) IS NOT NULL AND max(CASE WHEN (consent_entry.status = 'withdrawn') THEN consent_entry.occurred_at END) IS NULL) THEN 'granted' WHEN (max(CASE WHEN (consent_entry.status = 'granted' AND (consent_entry.expires_at IS NULL OR consent_entry.expires_at > 1781078400000000)) THEN consent_entry.occurred_at END) > max(CASE WHEN (consent_entry.status = 'withdrawn') THEN consent_entry.occurred_at END)) THEN 'granted' ELSE 'unknown' END = 'granted') GROUP BY identity.profile_id)
 SELECT profile.id
FROM profile LEFT OUTER JOIN granted_1 ON granted_1.profile_id = profile.id
WHERE profile.status = 'active' AND profile.objected_at IS NULL AND coalesce(profile.country IN ('DE', 'AT', 'CH'), false) AND coalesce(profile.has_email = true, false) AND granted_1.profile_id IS NOT NULL ORDER BY profile.id
