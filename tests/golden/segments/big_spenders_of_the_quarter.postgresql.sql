SELECT profile.id
FROM profile
WHERE profile.status = 'active' AND profile.objected_at IS NULL AND profile.id IN (SELECT segment_rank.profile_id
FROM segment_rank JOIN segment_rank_run ON segment_rank_run.basis = segment_rank.basis
WHERE segment_rank.basis = 'f8abc091021802a0' AND segment_rank.place * 10000 <= segment_rank_run.counted * 6667) AND (profile.id NOT IN (SELECT segment_rank.profile_id
FROM segment_rank JOIN segment_rank_run ON segment_rank_run.basis = segment_rank.basis
WHERE segment_rank.basis = '576161e621b1781e' AND ((segment_rank_run.counted - segment_rank.place) + 1) * 10000 <= segment_rank_run.counted * 3334)) ORDER BY profile.id
