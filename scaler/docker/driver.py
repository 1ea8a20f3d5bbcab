"""Starts and stops workers' containers, beside Compose and as it would."""

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import structlog

from scaler.docker.container import PROJECT, SERVICE, Member, another, is_healthy, next_number
from scaler.docker.engine import Engine, EngineAway, EngineRefused, in_path
from scaler.driver import Crew, DriverFailed

CONFLICTS = 3  # so many names that should be free may be taken
USUAL_STOP_S = 10.0  # the engine's own, where a container says nothing
GONE, CONFLICT = 404, 409

# runs something beside all else
Aside = Callable[[Callable[[], None]], None]

_log = structlog.get_logger(__name__)


class DockerDriver:
    """The containers of one service of one project; all others it leaves alone.

    `grow` and `shrink` are for one thread.  Who leaves is given its time `aside`, so that workers
    can be added meanwhile.
    """

    name = "docker"
    acts = True

    def __init__(
        self,
        engine: Engine,
        *,
        hostname: str,
        project: str | None,
        service: str,
        aside: Aside,
        on_failure: Callable[[str, bool], None],
    ) -> None:
        """`project` None: that of the container whose host name we have.

        `on_failure` hears, in some thread, why a worker could not be taken away, and whether it
        has heard that of the same worker before; it is tried again at each look.
        """
        self._engine = engine
        self._hostname = hostname
        self._project = project
        self._service = service
        self._aside = aside
        self._on_failure = on_failure
        self._lock = threading.Lock()
        self._leaving: set[str] = set()
        self._seen_off: set[str] = set()
        self._unsure: set[str] = set()
        self._failed: set[str] = set()

    def crew(self) -> Crew:
        """Count the containers, and see those off again that could not be removed before."""
        members = self._members()
        # created while nobody heard the engine's answer, and never started
        half_made = {one for one in members if one.name in self._unsure and one.state == "created"}
        self._unsure -= {one.name for one in members}
        with self._lock:
            self._leaving |= {one.id for one in half_made}
            self._leaving &= {one.id for one in members}
            self._failed &= self._leaving
            leaving = len(self._leaving)
            stuck = self._leaving - self._seen_off
        for container in stuck:
            self._see_off(container)
        return Crew(len(self._running(members)), leaving)

    def grow(self, target: int, allowed: Callable[[], bool]) -> Iterator[str]:
        """Start containers like the newest healthy one.  Raises DriverFailed."""
        taken: set[int] = set()
        while len(taken) < CONFLICTS:
            members = self._members()
            if len(self._running(members)) >= target or not allowed():
                return
            number = next_number(members)
            while number in taken:  # its name is that of a container that is none of the service
                number += 1
            try:
                name = self._add(members, number, allowed)
            except EngineRefused as error:
                if error.status != CONFLICT:
                    raise
                taken.add(number)  # or somebody else scales, too: look anew at what there is
                continue
            if name is None:
                return
            yield name
        raise DriverFailed("Names that should be free are taken: who else makes such containers?")

    def shrink(self, target: int, allowed: Callable[[], bool]) -> Iterator[str]:
        """Stop the containers with the highest numbers.  Raises DriverFailed."""
        running = sorted(self._running(self._members()), key=lambda one: one.number)
        for one in reversed(running[target:]):
            if not allowed():
                return
            with self._lock:
                self._leaving.add(one.id)
            self._see_off(one.id)
            yield one.name

    def _members(self) -> list[Member]:
        project = self._project_name()
        labels = [f"{PROJECT}={project}", f"{SERVICE}={self._service}"]
        query = {"all": "1", "filters": json.dumps({"label": labels})}
        listed = self._engine.call("GET", "/containers/json", query=query)
        found = (Member.of(one, project, self._service) for one in listed)
        return [one for one in found if one is not None]

    def _running(self, members: list[Member]) -> list[Member]:
        with self._lock:
            return [one for one in members if one.is_there and one.id not in self._leaving]

    def _project_name(self) -> str:
        if self._project is None:
            try:
                own = self._engine.call("GET", f"/containers/{in_path(self._hostname)}/json")
            except EngineRefused as error:
                if error.status != GONE:
                    raise
                own = {"Config": {"Labels": {}}}
            self._project = (own["Config"]["Labels"] or {}).get(PROJECT)
        if not self._project:
            raise DriverFailed(
                "The scaler does not run in a container of a compose project: "
                "name the workers' with MILLRACE_SCALER_PROJECT."
            )
        return self._project

    def _add(self, members: list[Member], number: int, allowed: Callable[[], bool]) -> str | None:
        """Start one more; None if that is not allowed any more.  Raises DriverFailed."""
        model = self._model(members)
        new = another(model, number, self._image(model))
        try:
            created = self._engine.call(
                "POST", "/containers/create", query={"name": new.name}, body=new.body
            )["Id"]
        except EngineAway:
            self._unsure.add(new.name)
            raise
        try:
            for network, endpoint in new.networks.items():
                body = {"Container": created, "EndpointConfig": endpoint}
                self._engine.call("POST", f"/networks/{in_path(network)}/connect", body=body)
            if allowed():
                self._engine.call("POST", f"/containers/{created}/start")
                return new.name
        except DriverFailed as error:
            self._discard(created)
            raise DriverFailed(f"{new.name} could not be started: {error}") from error
        self._discard(created)
        return None

    def _discard(self, container: str) -> None:
        """Leave nothing half made; what cannot be removed now is removed at a later look."""
        try:
            self._remove(container)
        except DriverFailed as error:
            _log.warning("container left behind for now", container=container, error=str(error))
            with self._lock:
                self._leaving.add(container)

    def _model(self, members: list[Member]) -> dict[str, Any]:
        """Return the newest healthy one.  Raises DriverFailed."""
        for one in sorted(self._running(members), key=lambda one: one.created, reverse=True):
            try:
                inspected: dict[str, Any] = self._engine.call("GET", f"/containers/{one.id}/json")
            except EngineRefused as error:
                if error.status != GONE:
                    raise
                continue
            if is_healthy(inspected):
                return inspected
        raise DriverFailed(
            f"No container of the service {self._service} is healthy, so there is none to make "
            f"others like: start one with docker-compose up -d {self._service}, or see their logs."
        )

    def _image(self, model: dict[str, Any]) -> str:
        """Return the name of the model's image, or its id where the name means another by now."""
        name, own = str(model["Config"]["Image"]), str(model["Image"])
        try:
            found = self._engine.call("GET", f"/images/{in_path(name, '/:@')}/json")["Id"]
        except EngineRefused as error:
            if error.status != GONE:
                raise
            return own
        return name if found == own else own

    def _see_off(self, container: str) -> None:
        with self._lock:
            self._seen_off.add(container)

        def leave() -> None:
            try:
                self._stop(container)
                self._remove(container)
                with self._lock:
                    self._leaving.discard(container)
            except DriverFailed as error:
                with self._lock:
                    again = container in self._failed
                    self._failed.add(container)
                self._on_failure(str(error), again)
            finally:
                with self._lock:
                    self._seen_off.discard(container)

        self._aside(leave)

    def _stop(self, container: str) -> None:
        """Let it finish what it holds, in the time that it was given for that."""
        path = f"/containers/{container}"
        try:
            config = self._engine.call("GET", f"{path}/json")["Config"]
            stop_s = config.get("StopTimeout")
            more_s = USUAL_STOP_S if stop_s is None else float(stop_s)
            self._engine.call("POST", f"{path}/stop", more_s=more_s)
        except EngineRefused as error:
            if error.status != GONE:
                raise

    def _remove(self, container: str) -> None:
        query = {"v": "1", "force": "1"}
        try:
            self._engine.call("DELETE", f"/containers/{container}", query=query)
        except EngineRefused as error:
            if error.status not in {GONE, CONFLICT}:  # it has gone, or is going already
                raise
