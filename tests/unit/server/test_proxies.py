"""The server behind nginx and Caddy, as docs/operate.md sets them up: what reaches a client through them, and back.

Only names of files and ports are others than on the page. `.ci/run` installs nginx; what is not there is skipped.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.recipes.small_project import ROOT
from tests.unit.server.conftest import Running, running
from tunesmith.server.keys import Limits

NAME = "models.example.com"
HELD = "hold on, please"
PAGE = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
#: What surrounds the page's part in Debian's own nginx.conf, in one folder.
NGINX = """\
{user}daemon off;
pid nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
{page}}}
"""
CADDY = "{{\n\tadmin off\n\tauto_https off\n}}\n{page}"


@dataclass
class Proxied:
    """A server, and the address at which a proxy answers for it."""

    server: Running
    port: int
    certificate: Path

    def client(self, key: str | None = None) -> openai.OpenAI:
        """The official client, which calls the server by its public name."""
        trusting = openai.DefaultHttpxClient(verify=ssl.create_default_context(cafile=str(self.certificate)))
        return openai.OpenAI(
            base_url=f"https://localhost:{self.port}/v1",
            api_key=key or self.server.key,
            default_headers={"Host": NAME},
            http_client=trusting,
            max_retries=0,
            timeout=60,
        )


def block(language: str) -> str:
    [found] = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


def nginx(folder: Path, server: str, port: int) -> list[str]:
    page = block("nginx").replace("127.0.0.1:8000", server).replace("listen 443", f"listen 127.0.0.1:{port}")
    page = page.replace(f"/etc/letsencrypt/live/{NAME}", str(folder))
    user = "" if os.geteuid() else "user root;\n"  # who reads the folders of tests that root runs
    (folder / "nginx.conf").write_text(NGINX.format(page=page, user=user), encoding="utf-8")
    return ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]


def caddy(folder: Path, server: str, port: int) -> list[str]:
    certificate = f"{NAME}:{port} {{\n\ttls {folder}/fullchain.pem {folder}/privkey.pem"
    page = block("caddyfile").replace("127.0.0.1:8000", server).replace(f"{NAME} {{", certificate, 1)
    (folder / "Caddyfile").write_text(CADDY.format(page=page), encoding="utf-8")
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


PROXIES: dict[str, Callable[[Path, str, int], list[str]]] = {"nginx": nginx, "caddy": caddy}


def program(name: str) -> str:
    """Where a program is; Debian keeps servers where only root looks."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    return found or pytest.skip(f"there is no {name}")


def write_certificate(folder: Path) -> Path:
    """A certificate for the public name and for this machine, which only the test's own client trusts."""
    names = f"subjectAltName=DNS:{NAME},DNS:localhost"
    files = ["-keyout", str(folder / "privkey.pem"), "-out", str(folder / "fullchain.pem")]
    asked = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={NAME}", "-addext", names]
    subprocess.run([program("openssl"), *asked, *files], check=True, capture_output=True)
    return folder / "fullchain.pem"


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


def is_taken(port: int) -> bool:
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def answering(command: list[str], port: int, folder: Path) -> Iterator[None]:
    """The proxy at work."""
    told = folder / "proxy.out"
    home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with told.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out, cwd=folder, env=home) as process:
        try:
            until = time.monotonic() + 60
            while not is_taken(port):
                assert process.poll() is None, told.read_text()
                assert time.monotonic() < until, told.read_text()
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:  # Caddy waits for answers that are still held
                process.kill()


@pytest.fixture(params=PROXIES)
def proxied(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Proxied]:
    path, port = program(request.param), free_port()
    certificate = write_certificate(tmp_path)
    (tmp_path / "server").mkdir()
    with running(tmp_path / "server", hosts=[NAME], patient=True) as server:
        _, *words = PROXIES[request.param](tmp_path, server.url.removeprefix("http://"), port)
        with answering([path, *words], port, tmp_path):
            yield Proxied(server, port, certificate)


def ask(client: openai.OpenAI, text: str, **more: Any) -> Any:
    return client.chat.completions.create(model="echo", messages=[{"role": "user", "content": text}], **more)


def given_up(client: openai.OpenAI, **more: Any) -> None:
    """Ask for an answer that is held, and hang up in its midst."""
    with pytest.raises(openai.APITimeoutError):
        for _ in ask(client.with_options(timeout=0.5), HELD, **more):
            pass


def test_a_stream_comes_event_by_event_and_a_proxy_is_told_of_a_drain(proxied: Proxied) -> None:
    client = proxied.client()
    events = iter(ask(client, HELD, stream=True))
    text = ""
    while text != HELD[:4]:  # the rest is not written yet: nothing is held back to be sent together
        text += next(events).choices[0].delta.content or ""
    proxied.server.process.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    with pytest.raises(openai.InternalServerError) as refused:
        ask(client, "a")
    assert (refused.value.status_code, refused.value.code) == (503, "draining")
    assert int(refused.value.response.headers["retry-after"]) > 0
    proxied.server.go()
    assert text + "".join(event.choices[0].delta.content or "" for event in events) == HELD
    assert proxied.server.process.wait(30) == 0


def test_an_answer_whose_client_hangs_up_is_given_up(proxied: Proxied) -> None:
    client = proxied.client()
    for stream in (True, False):
        for _ in range(2):  # both slots of the model
            given_up(client, stream=stream)
        assert ask(client, "a").choices[0].message.content == "a"


def test_refusals_come_through_with_their_words(proxied: Proxied) -> None:
    client = proxied.client(proxied.server.keys.make("often", Limits(requests_a_minute=1)))
    assert ask(client, "a").choices[0].message.content == "a"
    with pytest.raises(openai.RateLimitError) as refused:
        ask(client, "a")
    assert refused.value.code == "too_many_requests"
    assert refused.value.response.headers["retry-after"] == "60"
    assert str(refused.value.request_id).startswith("req-")
    with pytest.raises(openai.APIStatusError) as refused:  # let through by the proxy, and too large for the server
        ask(proxied.client(), "x" * 4_500_000)
    assert (refused.value.status_code, refused.value.code) == (413, "body_too_large")
