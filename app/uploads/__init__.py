"""Uploads as HTTP carries them."""
