-- title: Longest context
-- about: The longest sequences that configs declare, and what the cache of 131,072 tokens costs there.
SELECT repo_id, max_context, attention_kind, sliding_window, params_total, kv_bytes_at_128k
FROM models
WHERE max_context IS NOT NULL
ORDER BY max_context DESC, kv_bytes_at_128k IS NULL, kv_bytes_at_128k, repo_id
LIMIT 25
