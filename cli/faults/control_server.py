"""The proxies' side of the control socket."""

import asyncio
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from cli.faults.control import Side
from cli.faults.proxy import Proxy
from cli.faults.rules import PASS, Rules


class _Question(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    proxy: str


class _Set(_Question):
    do: Literal["set"]
    rules: Rules


class _Cut(_Question):
    do: Literal["cut"]


class _HalfOpen(_Question):
    do: Literal["half_open"]
    side: Side


class _Count(_Question):
    do: Literal["count"]


_Asked = _Set | _Cut | _HalfOpen | _Count
_QUESTION: TypeAdapter[_Asked] = TypeAdapter(Annotated[_Asked, Field(discriminator="do")])


class ControlServer:
    """Answers questions, a JSON object a line.

    What a connection has done to a proxy is taken back when it ends, unless another has set rules
    since: a drill that dies must not leave a fault behind.
    """

    def __init__(self, proxies: Mapping[str, Proxy]) -> None:
        self._proxies = proxies
        self._set_by: dict[str, asyncio.StreamWriter] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection until it ends."""
        try:
            while line := await reader.readline():
                writer.write(json.dumps(await self._answer(line, writer)).encode() + b"\n")
                await writer.drain()
        except (OSError, ValueError):  # ValueError: a line without an end
            pass
        finally:
            for name in [name for name, by in self._set_by.items() if by is writer]:
                del self._set_by[name]
                await self._proxies[name].set(PASS)
            writer.close()

    async def _answer(self, line: bytes, by: asyncio.StreamWriter) -> dict[str, Any]:
        try:
            question = _QUESTION.validate_json(line)
        except ValidationError as error:
            return {"error": "; ".join(_told(one["loc"], one["msg"]) for one in error.errors())}
        proxy = self._proxies.get(question.proxy)
        if proxy is None:
            return {"error": f"no proxy {question.proxy!r}; there are {', '.join(self._proxies)}"}
        if isinstance(question, _Count):
            return {"connections": proxy.connections}
        if isinstance(question, _Cut):
            return {"connections": await proxy.cut()}
        self._set_by[question.proxy] = by
        if isinstance(question, _HalfOpen):
            return {"connections": proxy.half_open(question.side)}
        await proxy.set(question.rules)
        return {"connections": proxy.connections}


def _told(place: tuple[int | str, ...], message: str) -> str:
    return f"{'.'.join(str(part) for part in place) or 'the line'}: {message}"
