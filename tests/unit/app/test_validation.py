"""Validation errors say where, why, and what to do."""

from typing import Annotated

import pytest
from pydantic import AfterValidator, Field, ValidationError
from pydantic_core import PydanticCustomError

from app.models import RequestModel
from app.problems import FieldError
from app.validation import MAX_ERRORS, choose, field_errors, nearest, pointer


def _even(value: int) -> int:
    if value % 2:
        raise PydanticCustomError("odd", "{value} is odd", {"value": value, "remedy": "Add 1."})
    return value


class Inner(RequestModel):
    """A model within another."""

    depth: int = 0
    width: int = 0


class Outer(RequestModel):
    """A body with one field of each kind."""

    name: str = Field(max_length=3)
    count: int = Field(default=1, ge=1, le=9)
    even: Annotated[int, AfterValidator(_even)] = 0
    inner: Inner = Inner()
    several: list[Inner] = Field(default=[])


def errors_of(body: str) -> list[FieldError]:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate_json(body)
    return field_errors(Outer, caught.value.errors())


@pytest.mark.parametrize(
    ("body", "where", "remedy"),
    [
        ("{}", "/name", "Add this field."),
        ('{"name": 5}', "/name", "Send a JSON string, in double quotes."),
        ('{"name": "long"}', "/name", "Send at most 3 characters."),
        ('{"name": "a", "count": "5"}', "/count", "Send a JSON integer, without quotes."),
        ('{"name": "a", "count": 0}', "/count", "Send a number of at least 1."),
        ('{"name": "a", "count": 10}', "/count", "Send a number of at most 9."),
        ('{"name": "a", "even": 3}', "/even", "Add 1."),
        ('{"name": "a", "inner": 3}', "/inner", "Send a JSON object."),
        ('{"name": "a", "several": {}}', "/several", "Send a JSON array."),
        ("[]", "", "Send a JSON object."),
    ],
)
def test_each_error_has_a_pointer_and_a_remedy(body: str, where: str, remedy: str) -> None:
    [error] = errors_of(body)
    assert (error.pointer, error.remedy) == (where, remedy)


def test_an_unknown_field_is_refused_with_the_nearest_known_one() -> None:
    [error] = errors_of('{"name": "a", "cuont": 1}')
    assert error.pointer == "/cuont"
    assert error.reason == "Unknown field 'cuont'."
    assert error.remedy.startswith("Did you mean 'count'? Known: name, count,")


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ('{"name": "a", "inner": {"dept": 1}}', "/inner/dept"),
        ('{"name": "a", "several": [{}, {"dept": 1}]}', "/several/1/dept"),
    ],
)
def test_an_unknown_field_within_gets_the_names_of_the_model_within(body: str, where: str) -> None:
    [error] = errors_of(body)
    assert error.pointer == where
    assert error.remedy == "Did you mean 'depth'? Known: depth, width."


def test_a_name_like_no_other_gets_no_guess() -> None:
    assert choose("zzz", ["alpha", "beta"]) == "Known: alpha, beta."
    assert nearest("zzz", ["alpha", "beta"]) is None


def test_pointers_are_escaped() -> None:
    assert pointer(("a/b", "c~d", 0)) == "/a~1b/c~0d/0"
    assert pointer(()) == ""


def test_a_body_with_very_many_errors_gets_only_the_first() -> None:
    items = ", ".join(["1"] * (MAX_ERRORS + 5))
    assert len(errors_of(f'{{"name": "a", "several": [{items}]}}')) == MAX_ERRORS
