"""What pydantic found wrong, as field errors with a remedy each."""

import difflib
import inspect
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from app.problems import FieldError

MAX_ERRORS = 20  # a body can hold thousands of wrong items; nobody reads more than these

_REMEDIES: Mapping[str, str] = {
    "missing": "Add this field.",
    "string_type": "Send a JSON string, in double quotes.",
    "string_too_long": "Send at most {max_length} characters.",
    "string_too_short": "Send at least {min_length} characters.",
    "int_type": "Send a JSON integer, without quotes.",
    "int_from_float": "Send a whole number.",
    "float_type": "Send a JSON number, without quotes.",
    "finite_number": "Send a finite number.",
    "bool_type": "Send true or false, without quotes.",
    "list_type": "Send a JSON array.",
    "dict_type": "Send a JSON object.",
    "model_type": "Send a JSON object.",
    "model_attributes_type": "Send a JSON object.",
    "greater_than": "Send a number above {gt}.",
    "greater_than_equal": "Send a number of at least {ge}.",
    "less_than": "Send a number below {lt}.",
    "less_than_equal": "Send a number of at most {le}.",
    "too_long": "Send at most {max_length} items.",
    "too_short": "Send at least {min_length} items.",
    "literal_error": "Use one of: {expected}.",
}
_ELSE = "The field's type and limits are listed at /docs."


def nearest(word: str, known: Sequence[str]) -> str | None:
    """Return the one of `known` that `word` was most likely meant to be, if any is close."""
    found = difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    return found[0] if found else None


def choose(word: str, known: Sequence[str]) -> str:
    """Return the remedy for an unknown name: the nearest known one, and all of them."""
    near = nearest(word, known)
    guess = f"Did you mean '{near}'? " if near else ""
    return f"{guess}Known: {', '.join(known)}."


def pointer(location: Sequence[str | int]) -> str:
    """Return the JSON pointer (RFC 6901) of a place in the body; `""` is the whole body."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)


def field_errors(model: type[BaseModel], errors: Sequence[ErrorDetails]) -> list[FieldError]:
    """Translate pydantic's errors about a body of `model`; the first MAX_ERRORS of them.

    A validator of ours can bring its own remedy: `PydanticCustomError(type, reason,
    {"remedy": …})`.
    """
    return [_field_error(model, error) for error in errors[:MAX_ERRORS]]


def _field_error(model: type[BaseModel], error: ErrorDetails) -> FieldError:
    location = error["loc"]
    context = error.get("ctx", {})
    if error["type"] == "extra_forbidden":
        name = str(location[-1])
        known = _fields_at(model, location[:-1])
        return FieldError(pointer(location), f"Unknown field '{name}'.", choose(name, known))
    if "remedy" in context:
        remedy = str(context["remedy"])
    else:
        try:
            remedy = _REMEDIES.get(error["type"], _ELSE).format_map(context)
        except KeyError:
            remedy = _ELSE
    return FieldError(pointer(location), error["msg"].rstrip(".") + ".", remedy)


def _fields_at(model: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    """Return the names of the fields of the model at `location` below `model`."""
    found: type[BaseModel] | None = model
    for part in location:
        if found is not None and isinstance(part, str) and part in found.model_fields:
            found = _model_in(found.model_fields[part].annotation)
    return list(found.model_fields) if found is not None else []


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the first model within an annotation such as `list[Model] | None`."""
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return annotation
    inner = (_model_in(argument) for argument in typing.get_args(annotation))
    return next((model for model in inner if model is not None), None)
