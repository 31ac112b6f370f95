"""Facts of well-known models, bundled so that zoo works where the Hub cannot be reached: see README.md beside this."""
