"""The header Prefer."""

import pytest

from app.preferences import Preferences, preferences


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        ([], Preferences()),
        (["respond-async"], Preferences(respond_async=True)),
        (["Respond-Async, wait=10"], Preferences(respond_async=True, wait_s=10)),
        (["respond-async", 'wait="7"'], Preferences(respond_async=True, wait_s=7)),
        (["wait = 5 ;why=not, respond-async;x=1"], Preferences(respond_async=True, wait_s=5)),
        (["wait=3, wait=9, respond-async"], Preferences(respond_async=True, wait_s=3)),
        (["respond-async, wait=-1"], Preferences(respond_async=True)),
        (["respond-async, wait=1e9"], Preferences(respond_async=True)),
        (['return=minimal, note="respond-async"'], Preferences()),
        (["respond-asynchronously"], Preferences()),
    ],
)
def test_known_preferences_are_read(headers: list[str], wanted: Preferences) -> None:
    assert preferences(headers) == wanted


def test_what_was_applied_is_told() -> None:
    assert Preferences(respond_async=True).applied == "respond-async"
    assert Preferences(respond_async=True, wait_s=2.0).applied == "respond-async, wait=2"
