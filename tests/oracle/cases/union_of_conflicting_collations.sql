-- PostgreSQL refuses to sort what has two collations; each branch alone has one.
-- runs whole
SELECT t.ti FROM t UNION ALL SELECT a.tl FROM t AS a ORDER BY 1
