WITH score_1 AS
(SELECT score.profile_id AS profile_id, score.value AS value
FROM score
WHERE score.name = 'churn' AND score.computed_at >= 1780473600000000)
 SELECT profile.id
FROM profile LEFT OUTER JOIN score_1 ON score_1.profile_id = profile.id
WHERE profile.status = 'active' AND profile.objected_at IS NULL AND coalesce(score_1.value >= 0.5, false) AND profile.id IN (SELECT segment_rank.profile_id
FROM segment_rank JOIN segment_rank_run ON segment_rank_run.basis = segment_rank.basis
WHERE segment_rank.basis = '51d5fa97136c7299' AND segment_rank.place * 10000 <= segment_rank_run.counted * 5000) ORDER BY profile.id
