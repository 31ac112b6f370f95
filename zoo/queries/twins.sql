-- title: One architecture, many models
-- about: Fingerprints that several models share (fine-tunes, chat versions, copies), with the number of those models.
SELECT fingerprint, COUNT(*) AS models, MIN(model_type) AS model_type, MIN(params_total) AS params_total,
  MIN(repo_id) AS first_of_them, SUM(downloads) AS downloads
FROM models
WHERE fingerprint IS NOT NULL
GROUP BY fingerprint
HAVING COUNT(*) > 1
ORDER BY models DESC, fingerprint
LIMIT 25
