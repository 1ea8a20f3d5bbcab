"""What was used last is kept."""

from collections import OrderedDict

from hypothesis import given
from hypothesis import strategies as st

from app.queries.newest import Newest


@given(
    st.integers(1, 4),
    st.lists(st.tuples(st.sampled_from(["put", "get", "drop", "in"]), st.integers(0, 6))),
)
def test_it_is_a_dictionary_that_forgets_what_was_used_longest_ago(
    size: int, steps: list[tuple[str, int]]
) -> None:
    newest: Newest[int, str] = Newest(size)
    model: OrderedDict[int, str] = OrderedDict()
    for number, (step, key) in enumerate(steps):
        if step == "put":
            newest.put(key, str(number))
            model[key] = str(number)
            model.move_to_end(key)
            if len(model) > size:
                model.popitem(last=False)
        elif step == "get":
            assert newest.get(key) == model.get(key)
            if key in model:
                model.move_to_end(key)
        elif step == "drop":
            newest.drop(key)
            model.pop(key, None)
        else:
            assert (key in newest) == (key in model)
