SELECT profile.id
FROM profile
WHERE profile.status = 'active' AND profile.objected_at IS NULL AND ((EXISTS (SELECT 1 AS anon_1
FROM (SELECT value FROM jsonb_path_query(profile.attributes, '$."tier"[*]') AS value) AS element
WHERE substr((CASE jsonb_typeof(element.value) WHEN 'string' THEN element.value #>> '{}' END) COLLATE "C", 1, 4) = 'gold')) OR (EXISTS (SELECT 1 AS anon_2
FROM (SELECT value FROM jsonb_path_query(profile.attributes, '$."tags"[*]') AS value) AS element
WHERE (CASE jsonb_typeof(element.value) WHEN 'string' THEN element.value #>> '{}' END) COLLATE "C" = 'sport')) OR (EXISTS (SELECT 1 AS anon_3
FROM (SELECT value FROM jsonb_path_query(profile.attributes, '$."points"[*]') AS value) AS element
WHERE CASE WHEN jsonb_typeof(element.value) = 'number' AND length(element.value #>> '{}') < 300 THEN CAST(element.value #>> '{}' AS DOUBLE PRECISION) END >= 100 AND CASE WHEN jsonb_typeof(element.value) = 'number' AND length(element.value #>> '{}') < 300 THEN CAST(element.value #>> '{}' AS DOUBLE PRECISION) END < 200)) OR (EXISTS (SELECT 1 AS anon_4
FROM static_list_member
WHERE static_list_member.list = 'vips' AND static_list_member.profile_id = profile.id))) ORDER BY profile.id
