"""A real JupyterLab (and Notebook 7) in a real Chromium, for tests: a server in a folder of its own, and its pages."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import nbformat
import pytest

from tests.conftest import Patience

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic"]
COMMANDS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 120_000  # ms, on a busy machine
ADVICE = "No Chromium for the browser tests: apt-get install chromium, or python -m playwright install chromium."
QUIET = {
    "apputils-extension/notification": {"checkForUpdates": False, "fetchNews": "false"},
    "apputils-extension/themes": {"adaptive-theme": False},
    "docmanager-extension/plugin": {"autosave": False},
}


# --- Chromium -------------------------------------------------------------------------------------------------------


def find_chromium() -> str | None:
    """A Chromium that is installed on this machine; None leaves it to playwright's own."""
    if os.path.exists("/usr/bin/chromium"):
        return "/usr/bin/chromium"
    return next(filter(None, map(shutil.which, COMMANDS)), None)


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser; without any, the test fails in CI and is skipped elsewhere."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        _give_up("No playwright for the browser tests: pip install playwright.")
    with sync_playwright() as driver:
        try:
            browser = driver.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        except Error as error:
            _give_up(f"{ADVICE} ({str(error).splitlines()[0]})")
        yield browser
        browser.close()


def _give_up(advice: str) -> NoReturn:
    pytest.fail(advice) if os.environ.get("CI") else pytest.skip(advice)


# --- the server -----------------------------------------------------------------------------------------------------


class Server:
    """JupyterLab on a free port of 127.0.0.1, with configuration, data and notebooks in `folder` alone.

    It starts for seconds, in which its maker may do other things; `wait` returns when it answers.
    """

    def __init__(self, folder: Path) -> None:
        self.notebooks, self.runtime = folder / "notebooks", folder / "runtime"
        self.notebooks.mkdir(parents=True)
        self.port = free_port()
        self.log = folder / "server.log"
        self._write_settings(folder / "settings")
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                self._command(), env=self._environment(folder), stdout=log, stderr=log, cwd=self.notebooks
            )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait(self) -> Server:
        patience = Patience(90)
        while not patience.is_over() and self.process.poll() is None:
            try:
                self.ask("status")
                return self
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.1)
        raise RuntimeError(f"JupyterLab did not start in {patience}:\n{self.log.read_text()[-3000:]}")

    def path(self, name: str) -> Path:
        return self.notebooks / name

    def write(self, name: str, *cells: str) -> None:
        """A notebook with these code cells."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, self.path(name))

    def read(self, name: str) -> Any:
        return nbformat.read(self.path(name), as_version=4)

    def ask(self, path: str, method: str = "GET", content: Any = None) -> Any:
        """An answer of the server's REST interface."""
        data = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(f"{self.url}/api/{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def start_kernel(self) -> str:
        return str(self.ask("kernels", "POST", {"name": "python3"})["id"])

    def end_kernel(self, kernel: str) -> None:
        self.ask(f"kernels/{kernel}", "DELETE")

    def attach(self, name: str, kernel: str) -> None:
        """When this notebook is opened, it is connected to this kernel."""
        self.ask("sessions", "POST", {"path": name, "name": name, "type": "notebook", "kernel": {"id": kernel}})

    def interrupt(self, kernel: str) -> None:
        self.ask(f"kernels/{kernel}/interrupt", "POST")

    def execute(self, kernel: str, code: str, timeout: float = 60) -> None:
        """Runs code in a kernel past all pages; returns when it has ended, and fails where it did."""
        from jupyter_client.blocking.client import BlockingKernelClient

        client = BlockingKernelClient(connection_file=str(self.runtime / f"kernel-{kernel}.json"))
        client.load_connection_file()
        client.start_channels()
        try:
            client.wait_for_ready(timeout)
            reply = client.execute_interactive(code, silent=True, timeout=timeout, output_hook=lambda message: None)
        finally:
            client.stop_channels()
        assert reply["content"]["status"] == "ok", reply["content"]

    def stop(self) -> None:
        """Ends the kernels, too."""
        for kernel in self.ask("kernels"):
            self.end_kernel(kernel["id"])
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def _command(self) -> list[str]:
        options = {
            "ip": "127.0.0.1",
            "port": self.port,
            "ServerApp.port_retries": 0,
            "ServerApp.root_dir": self.notebooks,
            "ServerApp.disable_check_xsrf": True,
            "IdentityProvider.token": "",
            "LabApp.expose_app_in_browser": True,
            "JupyterNotebookApp.expose_app_in_browser": True,
        }
        given = [f"--{name}={value}" for name, value in options.items()]
        return [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", *given]

    def _environment(self, folder: Path) -> dict[str, str]:
        own = {
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "IPYTHONDIR": "ipython",
        }
        path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
        return {**os.environ, **{name: str(folder / value) for name, value in own.items()}, "PATH": path}

    def _write_settings(self, folder: Path) -> None:
        for name, values in QUIET.items():
            file = folder / "@jupyterlab" / f"{name}.jupyterlab-settings"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(values))


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


# --- a notebook in a page -------------------------------------------------------------------------------------------

_SCRIPT = """
window.test = {
  panel: () => window.jupyterapp.shell.currentWidget,
  cell: i => window.test.panel().content.widgets[i],
  ready() {
    const panel = window.jupyterapp?.shell?.currentWidget;
    return !!panel?.sessionContext && panel.content?.widgets?.length > 0
      && panel.sessionContext.session?.kernel?.status === 'idle' && !!panel.sessionContext.session.kernel.info;
  },
  async open(path) {
    const { shell, serviceManager, commands } = window.jupyterapp;
    await serviceManager.sessions.refreshRunning();
    for (const widget of Array.from(shell.widgets('main'))) widget.dispose();
    await commands.execute('docmanager:open', { path, factory: 'Notebook' });
  },
  run(i) {
    window.test.panel().content.activeCellIndex = i;
    void window.jupyterapp.commands.execute('notebook:run-cell');
  },
  ended(i) {
    const model = window.test.cell(i).model;
    return model.executionCount !== null && model.executionState !== 'running';
  },
  trusted: () => Array.from(window.test.panel().content.model.cells).every(cell => cell.trusted),
  theme: theme => window.jupyterapp.commands.execute('apputils:change-theme', { theme }),
  running: () => window.test.panel().content.widgets.some(cell => cell.model.executionState === 'running'),
  outputs: i => window.test.cell(i).model.sharedModel.getOutputs(),
  change(i, source) { window.test.cell(i).model.sharedModel.setSource(source); },
  save: () => window.test.panel().context.save(),
};
"""


class Notebook:
    """A notebook that is open in a page; its cells are counted from 0."""

    def __init__(self, page: Any, server: Server, name: str) -> None:
        self.page, self.server, self.name = page, server, name

    def load(self, place: str = "lab/tree", kernel: bool = True) -> Notebook:
        """Loads the page anew and waits for the notebook, and for its idle kernel unless told not to."""
        self.page.goto(f"{self.server.url}/{place}/{self.name}?reset")
        return self._wait(kernel)

    def open(self, place: str = "lab/tree", kernel: bool = True) -> Notebook:
        """Opens it in the page as it is, in place of all that was open; loads the page where it shows no JupyterLab."""
        if place != "lab/tree" or not self.page.url.startswith(f"{self.server.url}/lab/"):
            return self.load(place, kernel)
        self.page.evaluate("path => test.open(path)", self.name)
        return self._wait(kernel)

    def _wait(self, kernel: bool) -> Notebook:
        shown = "() => window.jupyterapp?.shell?.currentWidget?.context?.isReady"
        self.page.wait_for_function("test.ready" if kernel else shown)
        return self

    def start(self, cell: int) -> None:
        """Runs a cell and returns at once."""
        self.page.evaluate("i => test.run(i)", cell)

    def wait_for(self, cell: int) -> list[dict[str, Any]]:
        """Waits until the cell has ended; returns its outputs."""
        self.page.wait_for_function("i => test.ended(i)", arg=cell)
        return self.outputs(cell)

    def run(self, *cells: int) -> list[dict[str, Any]]:
        """Runs cells one after another; returns the outputs of the last."""
        outputs: list[dict[str, Any]] = []
        for cell in cells:
            self.start(cell)
            outputs = self.wait_for(cell)
        return outputs

    def has_ended(self, cell: int) -> bool:
        return bool(self.page.evaluate("i => test.ended(i)", cell))

    def is_trusted(self) -> bool:
        return bool(self.page.evaluate("() => test.trusted()"))

    def set_theme(self, theme: str) -> None:
        self.page.evaluate("theme => test.theme(theme)", theme)

    def attribute(self, locator: Any, name: str) -> str | None:
        """An attribute as it is now; None also where the element is gone."""
        return next(
            iter(locator.evaluate_all("(nodes, name) => nodes.map(node => node.getAttribute(name))", name)), None
        )

    def change(self, cell: int, source: str) -> None:
        self.page.evaluate("([i, source]) => test.change(i, source)", [cell, source])

    def outputs(self, cell: int) -> list[dict[str, Any]]:
        """As nbformat has them."""
        return list(self.page.evaluate("i => test.outputs(i)", cell))

    def text(self, cell: int) -> str:
        """What the cell printed, as the page shows it or not."""
        return "".join("".join(output.get("text", "")) for output in self.outputs(cell))

    def error(self, cell: int) -> dict[str, Any] | None:
        return next((output for output in self.outputs(cell) if output["output_type"] == "error"), None)

    def sees(self, cell: int, text: str) -> None:
        """Waits until the outputs of the cell, as the page shows them, contain this text."""
        self.area(cell).filter(has_text=text).wait_for()

    def sees_live(self, cell: int, text: str) -> None:
        """The same of its live view."""
        self.view(cell).filter(has_text=text).wait_for()

    def cell(self, cell: int) -> Any:
        """The cell in the page."""
        return self.page.locator(".jp-Notebook .jp-CodeCell").nth(cell)

    def area(self, cell: int) -> Any:
        """The outputs of the cell in the page."""
        return self.cell(cell).locator(".jp-Cell-outputArea")

    def view(self, cell: int) -> Any:
        """The live view of the cell in the page."""
        return self.cell(cell).locator(".ray-magics-view")

    def button(self, cell: int) -> Any:
        """The Stop button of that view."""
        return self.view(cell).locator("button.ray-magics-stop")

    def rows_button(self, cell: int) -> Any:
        """The button of a dataset's card."""
        return self.view(cell).get_by_role("button", name="Show 10 rows")

    def save(self) -> Any:
        """Saves, and reads what lies on the disk."""
        self.page.evaluate("() => test.save()")
        return self.server.read(self.name)


def new_page(browser: Any, width: int = 1000, height: int = 900) -> Any:
    """A page whose dialogs and errors are kept in `page.complaints`, and whose requests in `page.requests`."""
    page = browser.new_page(viewport={"width": width, "height": height})
    page.set_default_timeout(PATIENCE)
    page.add_init_script(_SCRIPT)
    page.requests, page.complaints = [], []
    page.on("request", lambda request: page.requests.append(request.url))
    page.on("pageerror", lambda error: page.complaints.append(f"page error: {error}"))
    page.on("dialog", lambda dialog: _answer(page, dialog))
    return page


def _answer(page: Any, dialog: Any) -> None:
    """Leaving an unsaved notebook is fine; nothing else may open a dialog."""
    if dialog.type != "beforeunload":
        page.complaints.append(f"dialog: {dialog.message}")
    dialog.accept()
