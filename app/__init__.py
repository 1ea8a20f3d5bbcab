"""The API replica: Flask under gunicorn, stateless."""
