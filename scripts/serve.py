"""Serve the finished model of a run, and the base model beside it, as OpenAI's interface and as a chat page.

Usage:
    python scripts/serve.py
    python scripts/serve.py config/qwen3-0.6b.yaml --port 8080
    python scripts/serve.py --model results/sft_model

Without settings files, those of the demo. The models are called `final` and `base`; no other can be asked for. Bound to
this machine alone unless --host says otherwise; there is no password.
"""

import threading
import webbrowser
from pathlib import Path

import uvicorn

from lib.core.program import program_parser, run, say
from lib.models.compute import pick_device
from lib.models.loading import load_model, load_tokenizer, quiet_libraries
from lib.runs.models import finished_model
from lib.runs.names import run_folder, run_name
from lib.runs.settings_files import read_settings
from lib.serving.app import LOOPBACK, make_app
from lib.serving.engine import Engine


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="settings files of the run; none for the demo")
    parser.add_argument("--model", type=Path, help="serve this model alone")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 lets others in")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--open", action="store_true", help="open the chat page in the browser")
    args = parser.parse_args()
    quiet_libraries()

    settings = read_settings(args.files)
    results = run_folder(run_name(settings.run, args.files)) / "results"
    paths = {"final": args.model or finished_model(results)}
    if not args.model:
        paths["base"] = results / "base_model"
    device = pick_device(min(settings.gpu, 1))
    engines = {}
    for name, path in paths.items():
        say(f"serve: loading {name} ({path})")
        # A template of the base's own may be missing; it is asked in the words that the final model was trained in.
        tokenizer = load_tokenizer(path)
        tokenizer.chat_template = tokenizer.chat_template or load_tokenizer(paths["final"]).chat_template
        engines[name] = Engine(load_model(path, device).eval(), tokenizer)
    hosts = [*LOOPBACK, args.host] if args.host != "0.0.0.0" else ["*"]
    say(f"serve: chat page http://{args.host}:{args.port}/, OpenAI's interface http://{args.host}:{args.port}/v1")
    if args.open:
        threading.Timer(1, webbrowser.open, [f"http://127.0.0.1:{args.port}/"]).start()
    uvicorn.run(make_app(engines, hosts), host=args.host, port=args.port, log_level="warning")


if __name__ == "__main__":
    run(main)
