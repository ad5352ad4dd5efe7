SELECT profile.id
FROM profile
WHERE profile.status = 'active' AND profile.objected_at IS NULL AND ((EXISTS (SELECT 1 AS anon_1
FROM (SELECT type, value FROM json_each(profile.attributes, '$."tier"') WHERE json_type(profile.attributes, '$."tier"') <> 'object') AS element
WHERE substr(CASE element.type WHEN 'text' THEN element.value END, 1, 4) = 'gold')) OR (EXISTS (SELECT 1 AS anon_2
FROM (SELECT type, value FROM json_each(profile.attributes, '$."tags"') WHERE json_type(profile.attributes, '$."tags"') <> 'object') AS element
WHERE CASE element.type WHEN 'text' THEN element.value END = 'sport')) OR (EXISTS (SELECT 1 AS anon_3
FROM (SELECT type, value FROM json_each(profile.attributes, '$."points"') WHERE json_type(profile.attributes, '$."points"') <> 'object') AS element
WHERE CASE WHEN element.type IN ('integer', 'real') THEN CAST(element.value AS REAL) END >= 100 AND CASE WHEN element.type IN ('integer', 'real') THEN CAST(element.value AS REAL) END < 200)) OR (EXISTS (SELECT 1 AS anon_4
FROM static_list_member
WHERE static_list_member.list = 'vips' AND static_list_member.profile_id = profile.id))) ORDER BY profile.id
