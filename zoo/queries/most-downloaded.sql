-- title: Most downloaded
-- about: What is used most, with its size and what a sequence of 8,192 tokens costs.
SELECT repo_id, downloads, likes, params_total, params_active, weights_bytes, kv_bytes_at_8k, license
FROM models
WHERE downloads IS NOT NULL
ORDER BY downloads DESC, repo_id
LIMIT 25
