"""AWS on a laptop: a private MariaDB or MySQL, an RDS Data API server, and the API itself."""
