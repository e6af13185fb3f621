"""The units and proxies in docs/operate.md have what the server needs of them."""

from __future__ import annotations

import configparser
import re
import shlex

from tests.repo.modules import ROOT
from tunesmith.cli.main import build_parser
from tunesmith.server.door import Bounds
from tunesmith.server.start import KEEP_ALIVE_SECONDS

PAGE = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    [found] = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


def test_the_unit_starts_a_command_that_there_is_and_signals_the_server_alone() -> None:
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(block("ini"))
    service = unit["Service"]
    program, *words = shlex.split(service["ExecStart"])
    assert program.endswith("/tunesmith")
    assert build_parser().parse_args(words).projects == [service["ReadWritePaths"]]
    assert (service["KillMode"], service["KillSignal"]) == ("mixed", "SIGTERM")


def test_the_proxies_let_streams_through_and_give_connections_up_before_the_server() -> None:
    for text, opening in ((block("nginx"), "upstream tunesmith {"), (block("caddyfile"), "models.example.com {")):
        assert text.startswith(opening)
        assert text.count("{") == text.count("}") >= 2
        [seconds] = re.findall(r"keepalive(?:_timeout)? (\d+)s", text)
        assert int(seconds) < KEEP_ALIVE_SECONDS
        [megabytes] = re.findall(r"(?:client_max_body_size|max_size) (\d+)[mM]", text)
        assert int(megabytes) * 10**6 > Bounds().body_bytes  # the server says itself what is too large
    assert "proxy_buffering off;" in block("nginx")
    assert "proxy_set_header Host $host;" in block("nginx")
    assert all(line.endswith((";", "{", "}")) for line in block("nginx").split("\n") if line.strip())
    assert "flush_interval" not in block("caddyfile")  # with -1 the server is not told of clients that hang up


def test_the_container_starts_a_command_that_there_is() -> None:
    lines = block("dockerfile").splitlines()
    words = {line.split(" ", 1)[0]: line.split(" ", 1)[1] for line in lines}
    assert next(iter(words)) == "FROM"
    [entry] = re.findall(r'"([^"]+)"', words["ENTRYPOINT"])
    assert entry == "tunesmith"
    assert build_parser().parse_args(re.findall(r'"([^"]+)"', words["CMD"])).host == "0.0.0.0"
    for words_of in re.findall(r"^docker run .* tunesmith (serve .*)$", PAGE, re.MULTILINE):
        build_parser().parse_args(shlex.split(words_of))
