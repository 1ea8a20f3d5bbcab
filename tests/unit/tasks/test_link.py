"""Commands are packed as RESP asks for."""

from redis.exceptions import ResponseError

from tasks.link import group_is_missing, packed


def test_commands_are_packed_as_arrays_of_binary_safe_strings() -> None:
    commands = [("SET", "é", b"\r\n\x00"), ("XLEN", 42)]
    assert packed(commands) == (
        b"*3\r\n$3\r\nSET\r\n$2\r\n\xc3\xa9\r\n$3\r\n\r\n\x00\r\n*2\r\n$4\r\nXLEN\r\n$2\r\n42\r\n"
    )


def test_only_a_missing_group_calls_for_a_new_one() -> None:
    assert group_is_missing(ResponseError("NOGROUP No such key"))
    assert group_is_missing(ResponseError("UNBLOCKED the stream key no longer exists"))
    assert not group_is_missing(ResponseError("OOM command not allowed"))
    assert not group_is_missing(None)
