"""The database: SQLite or PostgreSQL, the same tables, views and values on both."""
