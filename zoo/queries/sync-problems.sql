-- title: What a sync could not bring
-- about: Repositories without a usable config, the latest first, with the reason.
SELECT seen_at, kind, repo_id, message
FROM sync_errors
ORDER BY seen_at DESC, kind, repo_id
LIMIT 200
