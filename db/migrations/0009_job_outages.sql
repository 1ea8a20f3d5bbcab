-- How often an attempt at a task was ended by an outage, and given back: so that a task which
-- itself brings the server down is given up in the end.
ALTER TABLE millrace.job_tasks ADD COLUMN outages int NOT NULL DEFAULT 0;
