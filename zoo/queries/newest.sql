-- title: Newest models
-- about: The repositories that were created last.
SELECT created_at, repo_id, family, params_total, params_active, max_context, license
FROM models
WHERE created_at IS NOT NULL
ORDER BY created_at DESC, repo_id
LIMIT 25
