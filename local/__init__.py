"""AWS on a laptop: a private MariaDB, the RDS Data API in front of it, and the API itself."""
