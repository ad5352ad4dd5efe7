WITH zones AS
(SELECT profile.timezone AS timezone, CASE WHEN (profile.timezone IN ('America/Adak', 'America/Atka', 'Etc/GMT+10', 'Etc/GMT+11', 'Etc/GMT+12', 'Etc/GMT+9', 'HST', 'Pacific/Gambier', 'Pacific/Honolulu', 'Pacific/Johnston', 'Pacific/Marquesas', 'Pacific/Midway', 'Pacific/Niue', 'Pacific/Pago_Pago', 'Pacific/Rarotonga', 'Pacific/Samoa', 'Pacific/Tahiti', 'US/Aleutian', 'US/Hawaii', 'US/Samoa')) THEN 1 ELSE 0 END AS answer_1
FROM profile
WHERE profile.timezone IS NOT NULL GROUP BY profile.timezone)
 SELECT profile.id
FROM profile LEFT OUTER JOIN zones ON zones.timezone = profile.timezone
WHERE profile.status = 'active' AND profile.objected_at IS NULL AND CASE WHEN (zones.answer_1 = 1) THEN 0 ELSE 1 END = 1 ORDER BY profile.id
