"""Show how a run goes while it goes: a page that keeps itself up to date, for this machine's browser.

Usage:
    python scripts/watch.py
    python scripts/watch.py my_run.yaml --port 8002

Without settings files, the demo's run. Reads what the run writes, and writes nothing. Ends with Ctrl-C.
"""

import errno
import shlex
import signal
import sys
import threading
import webbrowser
from collections.abc import Callable
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from lib.core.errors import UserError
from lib.core.page_templates import render
from lib.core.program import program_parser, run, say
from lib.report.charts import Chart, library
from lib.report.live_training import LiveTraining, last_line
from lib.report.tables import NOTHING, Cell, Column, RichText, Table, chart_summary, duration_text, text_column
from lib.report.training import LOSS, STAGES, loss_lines
from lib.runs.following import Follower, Look, Stage, job_name, stage_of
from lib.runs.names import DEMO_NAME, run_name
from lib.runs.settings_files import read_settings
from lib.runs.sizes import TRAINING

HOSTS = ("localhost", "127.0.0.1", "[::1]")
SECONDS = 2
"""Between two looks of the page."""
CHARTS = 4
"""Trainings whose curves are shown, the newest ones: a sweep has many."""
NAMED = 4
"""Rules that are named where nothing is known of them; of others, how many there are."""
QUIET_MINUTES = 10
"""After so long without a sign of life, the page says so."""
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="settings files of the run; none for the demo")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 lets others in")
    parser.add_argument("--port", type=int, default=8001)
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    args = parser.parse_args()
    files: list[Path] = args.files
    settings = read_settings(files)
    follower = Follower(Path(), run_name(settings.run, files), settings)
    config = f" CONFIG={shlex.quote(' '.join(map(str, files)))}" if files else ""
    hosts = None if args.host == "0.0.0.0" else {*HOSTS, args.host}
    try:
        server = ThreadingHTTPServer((args.host, args.port), _handler(Pages(follower, config), hosts))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise UserError(f"port {args.port} is in use; choose another, as in make watch PORT={args.port + 1}") from None
    address = f"http://{args.host}:{server.server_port}/"
    say(f"watch: {address} shows the run {follower.name or DEMO_NAME}; Ctrl-C ends this, and not the run")
    if args.open:
        threading.Timer(1, webbrowser.open, [address]).start()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    with server:
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


class Pages:
    """The page, and the part of it that changes."""

    def __init__(self, follower: Follower, config: str) -> None:
        """`config` is what a command of make takes to be about this run."""
        self.follower, self.config = follower, config
        self.lock = threading.Lock()  # a browser may ask twice at once

    def whole(self) -> str:
        return render(
            "watch.html.jinja",
            title="A run as it goes",
            name=self.follower.name or DEMO_NAME,
            footer="Shown by make watch.",
            library=library(),
            seconds=SECONDS,
            live=self.live(),
        )

    def live(self) -> str:
        """The part that changes, as the run is now."""
        with self.lock:
            look = self.follower.look()
        name = self.follower.name or DEMO_NAME
        values: dict[str, Any] = {"title": name, "tiles": [], "running": [], "charts": [], "stages": None}
        if look:
            values = {
                "title": f"{_time_left(look)} – {name}" if look.state == "running" else f"{look.state} – {name}",
                "problem": _problem(look, self.config),
                "tiles": _tiles(look),
                "running": [(job_name(job), last_line(self.follower.folder / job.log)) for job in look.running]
                if look.state == "running"
                else [],
                "charts": charts(look),
                "stages": stages_table(look),
            }
        return render("watch_live.html.jinja", look=look, config=self.config, chart_summary=chart_summary, **values)


def _handler(pages: Pages, hosts: set[str] | None) -> type[BaseHTTPRequestHandler]:
    """What answers requests for the pages, under these names of this machine; None for any."""
    answers: dict[str, Callable[[], str]] = {"/": pages.whole, "/live": pages.live}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
            if hosts is not None and host not in hosts:
                self.send_error(400, "asked under a name that is not this machine's")
            elif self.path not in answers:
                self.send_error(404)
            else:
                self._send(answers[self.path]().encode())

        def _send(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("Content-Security-Policy", POLICY)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *values: object) -> None:
            """Nothing: a line every few seconds would hide the others."""

    return Handler


def _time_left(look: Look) -> str:
    """The time until the whole run has ended, in words: at least that when of some jobs nothing is known."""
    if not look.unknown:
        return f"about {duration_text(look.seconds_left)}"
    if not look.seconds_left or any(stage_of(rule) in TRAINING for rule in look.unknown):
        return "not known yet"
    return f"at least {duration_text(look.seconds_left)}"


def _time_note(look: Look) -> str:
    """What is known of the time that is left, and of which rules nothing is."""
    if not look.unknown:
        return f"left of the whole run, until {datetime.now() + timedelta(seconds=look.seconds_left):%H:%M}"
    named, others = look.unknown[:NAMED], len(look.unknown) - NAMED
    rules = ", ".join(named) + (f" and {others} more" if others > 0 else "")
    known = f"at least {duration_text(look.seconds_left)}; " if look.seconds_left else ""
    return f"left of the whole run: {known}no job of {rules} has been measured yet"


def _tiles(look: Look) -> list[tuple[str, str]]:
    tiles = [(_time_left(look), _time_note(look))] if look.state == "running" else []
    tiles += [(name, label) for name, label in (_training_tile(look),) if name]
    tiles.append((f"{look.done} of {len(look.plan.jobs)}", "jobs done"))
    return tiles


def _training_tile(look: Look) -> tuple[str, str]:
    """Where the training is that goes on; two empty texts when there is none."""
    for job in look.running:
        live = look.trainings.get(job_name(job))
        if live and look.state == "running":
            left = "" if live.seconds_left is None else f", about {duration_text(live.seconds_left)} left"
            where = f"step {live.step:,} of {live.steps:,}" if live.steps else "starting"
            return where, f"{training_title(job_name(job))}{left}"
    return "", ""


def _problem(look: Look, config: str) -> str:
    """What is wrong with the run, in one sentence; empty when nothing is."""
    logs = ", ".join(job.log for job in look.running)
    where = f"; see {logs}" if logs else ""
    if look.state == "failed":
        return f"The run has stopped before its end{where}. make run{config} goes on."
    if look.state == "killed":
        return f"The run was killed{f' while these jobs ran: {logs}' if logs else ''}. make run{config} goes on."
    if look.state == "running" and look.seconds_quiet > 60 * QUIET_MINUTES:
        return f"No job has written a line for {duration_text(look.seconds_quiet)}{where}."
    return ""


def charts(look: Look) -> list[Chart]:
    """Losses of the newest trainings, the one that goes on first."""
    newest = list(look.trainings.items())[-CHARTS:][::-1]
    return [_chart(name, live) for name, live in newest if len(live.log)]


def _chart(name: str, live: LiveTraining) -> Chart:
    return Chart(training_title(name), "step", LOSS, loss_lines(live.log, validation_color=1), better="lower")


def training_title(job: str) -> str:
    """What a training is called on the page: the stage, and of a sweep the name of the job."""
    return STAGES.get(job, job)


def stages_table(look: Look) -> Table:
    """A row for each rule: its jobs, what they took, what is left and how that is known."""
    columns = [text_column("rule"), Column("jobs done"), text_column(""), Column("took", "all jobs added up")]
    columns += [Column("left", "all jobs added up"), text_column("known from")]
    return Table("Stages", columns, [_row(stage, look.state == "running") for stage in look.stages])


def _row(stage: Stage, goes_on: bool) -> list[Cell]:
    total, done, running = len(stage.states), stage.count("done"), stage.count("running")
    state = "done" if done == total else "waiting"
    if running:
        state = "running" if goes_on else "not finished"
    left: Cell = NOTHING
    if done < total:
        left = duration_text(stage.left) if stage.is_known else RichText("unknown", "never measured")
    sources = ", ".join(sorted(stage.sources)) or NOTHING
    took = duration_text(stage.seconds) if done else NOTHING
    return [stage.rule, f"{done} of {total}", RichText(state, is_best=state == "running"), took, left, sources]


if __name__ == "__main__":
    run(main)
