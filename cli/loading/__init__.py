"""Files into tables: types inferred over the whole file, rows streamed by COPY."""
