"""The columnar tier against PostgreSQL itself."""
