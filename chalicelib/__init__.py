"""The customers API: what `app.py` routes to."""
