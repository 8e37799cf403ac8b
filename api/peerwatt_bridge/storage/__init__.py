"""What the bridge keeps, in SQLite or PostgreSQL."""
