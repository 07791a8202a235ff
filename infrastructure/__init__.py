"""What the API stands on in AWS, and what Chalice's own template lacks."""
