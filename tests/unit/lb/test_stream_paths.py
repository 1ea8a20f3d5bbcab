"""Only what is plainly below a listed path is let pass without limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.routing import Map, RequestRedirect, Rule

from lb.settings import BalancerSettings
from lb.stream_paths import StreamPaths

PATHS = StreamPaths(BalancerSettings(backends="a:1").streams)


@pytest.mark.parametrize(
    "target",
    [
        b"/v1/uploads",
        b"/v1/uploads?x=/../",
        b"/v1/uploads/0123",
        b"/v1/hash/stream?algorithm=sha256",
        b"/v1/jobs/a1/output/x.y_z~-",
    ],
)
def test_listed_paths_and_those_below_stream(target: bytes) -> None:
    assert PATHS.include(target)


@pytest.mark.parametrize(
    "target",
    [
        b"/",
        b"*",
        b"/v1/hash",
        b"/v1/hash/streams",
        b"/v1/uploads/",
        b"/v1/uploads/..",
        b"/v1/uploads/../query",
        b"/v1/uploads/./x",
        b"/v1/uploads/.x",
        b"/v1/uploads//x",
        b"//v1/uploads",
        b"/v1//uploads",
        b"/v1/uploads/%2e%2e/query",
        b"/v1/%75ploads",
        b"/v1/uploads%2fx",
        b"/v1/uploads;a=b",
        b"/v1/uploads\\..\\query",
        b"/V1/Uploads",
        b"http://a/v1/uploads",
        b"/v1/query?/v1/uploads",
        b"/v1/uploads/x\xc3\xa4",
    ],
)
def test_everything_else_has_the_usual_limits(target: bytes) -> None:
    assert not PATHS.include(target)


@given(
    st.lists(
        st.sampled_from(
            ["/", "v1", "uploads", "query", ".", "..", "%2f", "%2e", "?", ";", "a", "\\"]
        )
    ).map("".join)
)
def test_what_streams_is_routed_to_what_streams(target: str) -> None:
    if not PATHS.include(target.encode()):
        return
    routes = Map(
        [Rule("/v1/uploads", endpoint="yes"), Rule("/v1/uploads/<path:rest>", endpoint="yes"),
         Rule("/<path:rest>", endpoint="no")],
    )  # fmt: skip
    try:
        endpoint, _ = routes.bind("a").match(target.partition("?")[0])
    except RequestRedirect:
        endpoint = "no"
    assert endpoint == "yes"


def test_without_paths_nothing_streams() -> None:
    assert not StreamPaths(BalancerSettings(backends="a:1", stream_paths="").streams).include(b"/")


@pytest.mark.parametrize("paths", ["v1/uploads", "/v1/uploads/", "/"])
def test_a_path_that_would_mean_something_else_is_refused(paths: str) -> None:
    with pytest.raises(ValueError, match="give paths"):
        BalancerSettings(backends="a:1", stream_paths=paths)
