-- The same where no row comes that would tell the columns.
-- runs whole
SELECT coalesce(CAST('A' AS char(5)), 'Z') FROM t AS a WHERE a.i8 < a.i8 - 1 LIMIT 3
