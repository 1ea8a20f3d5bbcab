"""Each balancer's configuration: one worker, kept connections to the backend, no access log."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
BODY = b"x" * 90

NGINX = """
daemon off; worker_processes 1; pid {folder}/{name}.pid; error_log stderr crit; {user}
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000; sendfile off; tcp_nodelay on;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  {inside}
}}
"""
NGINX_BACKEND = 'server {{ listen 127.0.0.1:{port}; location / {{ return 200 "{body}"; }} }}'
NGINX_PROXY = """
  upstream backend {{ server 127.0.0.1:{backend}; keepalive 64; keepalive_requests 1000000000; }}
  server {{ listen 127.0.0.1:{port}; location / {{
    proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection "";
    proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $remote_addr; }} }}
"""
HAPROXY = """
global
  nbthread 1
defaults
  mode http
  option forwardfor
  http-reuse always
  timeout connect 2s
  timeout client 60s
  timeout server 60s
frontend front
  bind 127.0.0.1:{port}
  default_backend back
backend back
  server one 127.0.0.1:{backend}
"""
ENVOY = """
static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: bench
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes: [{{match: {{prefix: /}}, route: {{cluster: back}}}}]
          http_filters:
          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
  clusters:
  - name: back
    type: STATIC
    load_assignment:
      cluster_name: back
      endpoints:
      - lb_endpoints:
        - endpoint:
            address: {{socket_address: {{address: 127.0.0.1, port_value: {backend}}}}}
"""  # noqa: E501 (a type's name)
TRAEFIK = """
global: {{checkNewVersion: false, sendAnonymousUsage: false}}
log: {{level: ERROR}}
entryPoints:
  web: {{address: "127.0.0.1:{port}"}}
providers:
  file: {{filename: {folder}/routes.yml}}
"""
TRAEFIK_ROUTES = """
http:
  routers:
    all: {{rule: "PathPrefix(`/`)", service: back, entryPoints: [web]}}
  services:
    back: {{loadBalancer: {{servers: [{{url: "http://127.0.0.1:{backend}"}}]}}}}
"""
CADDY = """
{{
  admin off
  auto_https off
}}
http://127.0.0.1:{port} {{
  bind 127.0.0.1
  reverse_proxy 127.0.0.1:{backend}
}}
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one server of the benchmark runs: its folder, its port, and its backend's."""

    folder: Path
    port: int
    backend: int
    admin: int = 0

    def file(self, name: str, template: str, **values: str) -> str:
        """Write a configuration from its template; return the path."""
        path = self.folder / name
        path.write_text(
            template.format(
                folder=self.folder, port=self.port, backend=self.backend, name=name, **values
            )
        )
        return str(path)


Start = tuple[list[str], dict[str, str]]


def nginx(place: Place, inside: str) -> Start:
    name = f"nginx-{place.port}.conf"
    filled = inside.format(port=place.port, backend=place.backend, body=BODY.decode())
    user = "user root;" if os.geteuid() == 0 else ""
    path = place.file(name, NGINX, inside=filled, user=user)
    return ["nginx", "-p", str(place.folder), "-e", "stderr", "-c", path], {}


def backend(place: Place) -> Start:
    if shutil.which("nginx"):
        return nginx(place, NGINX_BACKEND)
    return [sys.executable, str(HERE / "backend.py"), str(place.port)], {}


def _ours(place: Place, limit: str) -> Start:
    return [sys.executable, "-m", "lb"], {
        "MILLRACE_LB_LISTEN": f"127.0.0.1:{place.port}",
        "MILLRACE_LB_ADMIN_LISTEN": f"127.0.0.1:{place.admin}",
        "MILLRACE_LB_BACKENDS": f"127.0.0.1:{place.backend}",
        "MILLRACE_LB_CHECK_RISE": "1",
        "MILLRACE_LB_ACCESS_LOG": "off",
        "MILLRACE_RATE_LIMIT": limit,
        "MILLRACE_LOG_LEVEL": "error",
    }


def _traefik(place: Place) -> Start:
    place.file("routes.yml", TRAEFIK_ROUTES)
    path = place.file("traefik.yml", TRAEFIK)
    return ["traefik", f"--configFile={path}"], {"GOMAXPROCS": "1"}


def _caddy(place: Place) -> Start:
    path = place.file("Caddyfile", CADDY)
    home = {"HOME": str(place.folder), "GOMAXPROCS": "1"}
    return ["caddy", "run", "--adapter", "caddyfile", "--config", path], home


def _envoy(place: Place) -> Start:
    path = place.file("envoy.yml", ENVOY)
    return ["envoy", "-c", path, "--concurrency", "1", "-l", "error", "--disable-hot-restart"], {}


def _aiohttp(place: Place) -> Start:
    script = str(HERE / "aiohttp_proxy.py")
    return [_python_with_aiohttp() or "", script, str(place.port), str(place.backend)], {}


def _python_with_aiohttp() -> str | None:
    if importlib.util.find_spec("aiohttp") is not None:
        return sys.executable
    # The first python of PATH may be that of a venv which was named for the peers.
    other = shutil.which("python3")
    if other is not None and list(Path(other).parent.parent.glob("lib/python3*/*/aiohttp")):
        return other
    return None


def _program(name: str) -> Callable[[], bool]:
    return lambda: shutil.which(name) is not None


@dataclass(frozen=True, slots=True)
class Peer:
    """A row of the table: how it is started, and whether it can be."""

    name: str
    start: Callable[[Place], Start]
    is_present: Callable[[], bool] = lambda: True


PEERS = (
    # A limit that is never reached: each request is counted all the same.
    Peer("ours, full", lambda place: _ours(place, "1000000/second")),
    Peer("ours, bare", lambda place: _ours(place, "off")),
    Peer("nginx", lambda place: nginx(place, NGINX_PROXY), _program("nginx")),
    Peer(
        "haproxy",
        lambda place: (["haproxy", "-db", "-q", "-f", place.file("haproxy.cfg", HAPROXY)], {}),
        _program("haproxy"),
    ),
    Peer("envoy", _envoy, _program("envoy")),
    Peer("traefik", _traefik, _program("traefik")),
    Peer("caddy", _caddy, _program("caddy")),
    Peer("aiohttp", _aiohttp, lambda: _python_with_aiohttp() is not None),
)
