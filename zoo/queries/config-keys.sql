-- title: Keys of configs
-- about: Which keys occur in the configs, in how many models, and with how many different values.
SELECT key, COUNT(*) AS models, COUNT(DISTINCT value) AS different_values, MIN(value) AS smallest_as_text
FROM config_values
GROUP BY key
ORDER BY models DESC, key
LIMIT 100
