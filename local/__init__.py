"""AWS on a laptop: a private MariaDB, an RDS Data API server, and the API itself."""
