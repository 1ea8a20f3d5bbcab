-- A statement that is cut off ends its transaction; the snapshot told must be the rows' own.
-- runs whole
SELECT k.d FROM s AS a LEFT JOIN s AS j ON j.id > 3 LEFT JOIN s AS k ON k.id = j.i4
