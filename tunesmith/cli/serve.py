"""`tunesmith serve`: the trained models behind an OpenAI-compatible server, and its keys."""

from __future__ import annotations

import argparse
import importlib.util
import re
from typing import TYPE_CHECKING, Any

from tunesmith.cli.arguments import add_verb, open_project, screen_for
from tunesmith.deployment.ways_to_serve import ENGINES, EXACT, PRECISIONS, WIDE, check_of_llamacpp
from tunesmith.errors import InputError, MissingExtra

if TYPE_CHECKING:
    from tunesmith.project import Project
    from tunesmith.server.keys import Key, Keys, Limits
    from tunesmith.server.registry import Routes
    from tunesmith.server.rollout import Roller

FIRST_KEY = "first"
#: A project's name, and what may follow it: a version or an alias.
MODEL_NAME = re.compile(r"[^@:,\s]+(@[0-9a-f]{4,}|:[^@:,\s]+)?")


def add_parser(verbs: Any) -> None:
    parser = add_verb(verbs, "serve", run, "answer over HTTP as OpenAI's servers do")
    parser.add_argument("projects", metavar="PROJECT", nargs="*", help="folders of projects (default: this one)")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: this machine alone)")
    parser.add_argument("--port", type=int, default=8000, help="default: 8000; 0 takes a free one")
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        default="auto",
        help="what writes: llamacpp where it can (auto), torch, which is exact and slower, or the server of "
        "serve.upstream, asked by token ids (vllm) or by messages (openai)",
    )
    parser.add_argument(
        "--precision", choices=PRECISIONS, help="of the weights that llama.cpp reads (default: as deployed, else f16)"
    )
    parser.add_argument(
        "--arithmetic",
        choices=(WIDE, "f16"),
        default=WIDE,
        help="what llama.cpp computes with where weights are f16: f32 answers as tested, f16 takes half the memory",
    )
    parser.add_argument("--queue", type=int, metavar="N", help="requests that may wait for a model (serve.queue)")
    parser.add_argument(
        "--allow-host", action="append", default=[], metavar="NAME", help="a name that clients reach this server by"
    )
    parser.add_argument(
        "--try-rules",
        metavar="TEXT",
        help="show what serve.rules do with a text, as question and as answer; no serving",
    )
    keys = parser.add_argument_group("keys", "of the first project; these end without serving")
    keys.add_argument("--new-key", metavar="NAME", help="make a key and show it, this once")
    keys.add_argument("--requests-a-minute", type=int, metavar="N", help="what the new key may ask (no limit)")
    keys.add_argument("--tokens-a-minute", type=int, metavar="N", help="prompts and answers together (no limit)")
    keys.add_argument("--at-once", type=int, default=64, metavar="N", help="requests that it may have running (64)")
    keys.add_argument("--tokens-a-request", type=int, metavar="N", help="prompt and answer together (no limit)")
    keys.add_argument("--models", metavar="A,B", help="the models that it may ask, by name or name@version (all)")
    keys.add_argument("--keys", action="store_true", help="list the keys by name")
    keys.add_argument("--revoke", metavar="NAME", help="end a key; a server that runs refuses it at once")


def run(arguments: argparse.Namespace) -> int:
    if arguments.try_rules is not None:
        from tunesmith.cli.trying_rules import try_rules

        return try_rules(_projects(arguments)[0], arguments.try_rules)
    for package in ("fastapi", "uvicorn", "prometheus_client"):
        if importlib.util.find_spec(package) is None:
            raise MissingExtra(package, "serve")
    _check_numbers(arguments)
    check_of_llamacpp(arguments.engine, arguments.precision or EXACT, arguments.arithmetic)
    projects = _projects(arguments)
    from tunesmith.server.keys import FILE, Keys

    keys = Keys(projects[0].store.root / FILE)
    if arguments.new_key or arguments.revoke or arguments.keys:
        return _manage(arguments, keys)
    return _serve(arguments, projects, keys)


def _check_numbers(arguments: argparse.Namespace) -> None:
    least = {"port": 0, "queue": 0, "requests_a_minute": 1, "at_once": 1}
    least |= {"tokens_a_request": 1, "tokens_a_minute": 2}
    for name, lowest in least.items():
        value = getattr(arguments, name)
        if value is not None and (value < lowest or (name == "port" and value > 65_535)):
            flag = f"--{name.replace('_', '-')}"
            highest = " to 65535" if name == "port" else ""
            raise InputError("wrong_number", f"{value} is out of range", flag, f"a number from {lowest}{highest}")


def _projects(arguments: argparse.Namespace) -> list[Project]:
    from tunesmith.project import Project

    if not arguments.projects:
        return [open_project(arguments)]
    if getattr(arguments, "project", None):
        fix = "name them one way: serve PROJECT …"
        raise InputError("two_projects", "projects were given twice", "--project", fix)
    return [Project.open(folder) for folder in arguments.projects]


def _limits(arguments: argparse.Namespace) -> Limits:
    from tunesmith.server.keys import Limits

    return Limits(
        arguments.requests_a_minute,
        arguments.at_once,
        arguments.tokens_a_request,
        arguments.tokens_a_minute,
        _models(arguments.models),
    )


def _models(told: str | None) -> tuple[str, ...] | None:
    """Raises InputError ``wrong_model_name``."""
    if told is None:
        return None
    names = tuple(name.strip() for name in told.split(","))
    wrong = next((name for name in names if not MODEL_NAME.fullmatch(name)), None)
    if wrong is not None:
        fix = "names as GET /v1/models lists them, with commas between: support-desk,ticket-routing@3f2a"
        raise InputError("wrong_model_name", f"{wrong!r} is no name of a model", "--models", fix)
    return names


def _manage(arguments: argparse.Namespace, keys: Keys) -> int:
    named = next(iter(arguments.projects), None)
    screen = screen_for(arguments if named is None else argparse.Namespace(folder=named))
    if arguments.revoke:
        keys.revoke(arguments.revoke)
        screen.say(f"The key {arguments.revoke} is ended.")
    if arguments.new_key:
        _show_key(arguments.new_key, keys.make(arguments.new_key, _limits(arguments)), keys)
    known = keys.all() if arguments.keys else []
    if arguments.keys and not known:
        command = screen.command("serve --new-key NAME")
        screen.say(f"There are no keys yet. `{command}` makes one; so does the first start.")
    elif arguments.keys:
        heads = ["key", "requests a minute", "tokens a minute", "at once", "tokens a request", "models"]
        screen.table(heads, [_row(key) for key in known])
    return 0


def _row(key: Key) -> list[str]:
    limits = key.limits
    told = (limits.requests_a_minute, limits.tokens_a_minute, limits.at_once, limits.tokens_a_request)
    return [key.name, *(str(one or "no limit") for one in told), ", ".join(limits.models or ("all",))]


def _show_key(name: str, secret: str, keys: Keys) -> None:
    from tunesmith.cli.screen import Screen
    from tunesmith.cli.words import near_path

    screen = Screen()
    screen.say(f'A key named "{name}", shown this once (its hash is in {near_path(keys.path)}):')
    screen.console.file.write(f"{secret}\n")


def _serve(arguments: argparse.Namespace, projects: list[Project], keys: Keys) -> int:
    from tunesmith.cli.screen import Screen
    from tunesmith.server.door import Bounds
    from tunesmith.server.keys import Limits
    from tunesmith.server.registry import Registry
    from tunesmith.server.start import bind, listen, run
    from tunesmith.threads import be_patient

    be_patient()
    screen = Screen()
    listener = bind(arguments.host, arguments.port)
    keys.all()  # what is wrong with them is told before what takes long
    opened = _load(arguments, projects)
    for routes, _ in opened:
        version = routes.main.version
        tested = version.tested or "not tested: `tunesmith run` measures it"
        screen.say(f"{version.name} ({version.full_name}, {version.goal.input} to {version.goal.output}): {tested}")
    listen(listener)
    if not keys.all():
        _show_key(FIRST_KEY, keys.make(FIRST_KEY, Limits()), keys)
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host

    def ready() -> None:
        screen.say(f"Serving on http://{shown}:{port}/v1; Ctrl-C ends it.")
        screen.console.file.flush()

    screen.say("Starting …", "dim")  # llama.cpp takes its time to load a model
    screen.console.file.flush()
    bounds = Bounds(hosts=frozenset(name.lower() for name in arguments.allow_host))
    registry = Registry([routes for routes, _ in opened])
    run(registry, keys, listener, bounds, [roller for _, roller in opened], ready)
    return 0


def _load(arguments: argparse.Namespace, projects: list[Project]) -> list[tuple[Routes, Roller]]:
    from tunesmith.cli.screen import Screen
    from tunesmith.cli.steps import telling
    from tunesmith.server.opening import open_routes
    from tunesmith.server.served import Wanted
    from tunesmith.server.sites import open_site

    names = [project.name for project in projects]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        fix = "change `name` in one tunesmith.yaml"
        raise InputError("two_models_one_name", f"two projects are named {twice!r}", "serve", fix)
    errors = Screen(stderr=True)
    with telling(errors, "loading") as progress:
        opened = []
        for project in projects:
            progress(f"loading {project.name}", 0, 0)
            waiting = project.settings.serve.queue if arguments.queue is None else arguments.queue
            wanted = Wanted(
                arguments.engine, arguments.precision, waiting, errors.say, progress, arithmetic=arguments.arithmetic
            )
            opened.append(open_routes(project, open_site(project, errors.say), wanted))
        return opened
