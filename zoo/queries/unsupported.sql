-- title: Model types without a number
-- about: What zoo does not derive, by model type: how many models, how often downloaded, and one of them.
SELECT model_type, COUNT(*) AS models, COALESCE(SUM(downloads), 0) AS downloads, MIN(repo_id) AS example
FROM models
WHERE method = 'unsupported'
GROUP BY model_type
ORDER BY models DESC, downloads DESC, model_type
