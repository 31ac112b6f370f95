-- title: Quantised checkpoints
-- about: Models whose stored weights are quantised, by how many bits are stored for each parameter.
SELECT repo_id, quantization, dtype, params_total, weights_bytes,
  ROUND(CAST(8.0 * weights_bytes / params_total AS NUMERIC), 2) AS bits_per_param
FROM models
WHERE quantization IS NOT NULL AND params_total > 0 AND weights_bytes > 0
ORDER BY 8.0 * weights_bytes / params_total, repo_id
