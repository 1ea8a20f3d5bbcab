"""SQL to plan to fragments; partials to merge SQL.  Pure: no I/O."""
