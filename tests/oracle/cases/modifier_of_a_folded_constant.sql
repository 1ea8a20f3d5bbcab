-- Planning leaves the constant char(5) of a choice, whose modifier parsing alone does not see.
-- runs whole
SELECT coalesce(CAST('A' AS char(5)), 'Z') FROM t AS a WHERE a.i8 = ANY (SELECT k1.k FROM skew AS k1)
