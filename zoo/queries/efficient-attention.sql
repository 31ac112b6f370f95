-- title: Most efficient attention for its size
-- about: Bytes of cache and state at 32,768 tokens for each thousand active parameters; lower is leaner.
SELECT repo_id, attention_kind, sliding_window, params_active, kv_bytes_at_32k,
  ROUND(CAST(1000.0 * kv_bytes_at_32k / params_active AS NUMERIC), 1) AS bytes_per_1000_active
FROM models
WHERE params_active > 500000000 AND kv_bytes_at_32k > 0
ORDER BY 1.0 * kv_bytes_at_32k / params_active, repo_id
LIMIT 25
