"""Whether two answers are the same."""

from bench.query.answers import Answer, verdict

TYPES = ("text", "double precision", "numeric(12,2)")
THEIRS = Answer([("a", "0.30000000000000004", "1.50"), ("b", None, "2.00")], TYPES)


def test_equal_answers_are_equal() -> None:
    assert verdict(Answer(list(THEIRS.rows), TYPES), THEIRS) == "equal"


def test_floats_may_differ_in_their_last_digits_and_numerics_may_not() -> None:
    floats = Answer([("a", "0.3", "1.50"), ("b", None, "2.00")], TYPES)
    assert verdict(floats, THEIRS) == "equal"
    far = Answer([("a", "0.3001", "1.50"), ("b", None, "2.00")], TYPES)
    assert verdict(far, THEIRS) == "DIFFERS"
    digits = Answer([("a", "0.30000000000000004", "1.5"), ("b", None, "2.00")], TYPES)
    assert verdict(digits, THEIRS) == "DIFFERS"


def test_numbers_of_another_engine_are_compared_as_numbers() -> None:
    assert verdict(Answer([("a", "0.3", "1.5"), ("b", None, "2")], None), THEIRS) == "equal"
    assert verdict(Answer([("a", "0.3", "1.6"), ("b", None, "2")], None), THEIRS) == "DIFFERS"


def test_the_same_rows_in_another_order_are_ties() -> None:
    turned = Answer([("b", None, "2.00"), ("a", "0.3", "1.50")], TYPES)
    assert verdict(turned, THEIRS) == "ties"
    texts = Answer([("x",), ("y",)], ("text",))
    assert verdict(Answer([("y",), ("x",)], ("text",)), texts) == "ties"


def test_a_null_a_missing_row_and_another_type_are_seen() -> None:
    null = Answer([("a", None, "1.50"), ("b", None, "2.00")], TYPES)
    assert verdict(null, THEIRS) == "DIFFERS"
    assert verdict(Answer(THEIRS.rows[:1], TYPES), THEIRS) == "DIFFERS"
    other = Answer(list(THEIRS.rows), ("text", "real", "numeric(12,2)"))
    assert verdict(other, THEIRS) == "DIFFERS"


def test_not_a_number_equals_itself_alone() -> None:
    nan = Answer([("NaN",)], ("double precision",))
    assert verdict(Answer([("NaN",)], ("double precision",)), nan) == "equal"
    assert verdict(Answer([("1",)], ("double precision",)), nan) == "DIFFERS"
