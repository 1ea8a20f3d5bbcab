"""The documentation has the list."""

from tests.columnar.document import DOCUMENT, document


def test_the_documentation_shows_the_list() -> None:
    assert DOCUMENT.read_text() == document(), "run python -m tests.columnar.document"
