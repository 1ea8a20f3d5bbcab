-- Under which ids the work of a request is logged and traced, after the request is over: those of
-- its log lines, and its trace's (https://www.w3.org/TR/trace-context/).
ALTER TABLE millrace.jobs ADD COLUMN origin json;
ALTER TABLE millrace.async_queries ADD COLUMN origin json;
