-- title: What fits on one 80 GB device at 32k
-- about: The largest models whose weights as stored and cache of one 32,768-token sequence take at most 80 GB (1e9 bytes), overhead left out.
SELECT repo_id, params_total, dtype, quantization, weights_bytes, kv_bytes_at_32k,
  weights_bytes + kv_bytes_at_32k AS bytes_needed
FROM models
WHERE weights_bytes + kv_bytes_at_32k <= 80000000000
ORDER BY params_total DESC, bytes_needed, repo_id
LIMIT 25
