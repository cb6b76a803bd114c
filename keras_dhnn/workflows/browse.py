"""Open a page over an archive in the browser."""

import threading
import time
import webbrowser
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from keras_dhnn.archive.manifest import IDENTITY
from keras_dhnn.browse import Page, make_app
from keras_dhnn.errors import SettingError
from keras_dhnn.experiment.resolve import notice
from keras_dhnn.files import as_list
from keras_dhnn.progress import Bar, no_bar
from keras_dhnn.saved_models.serving.connections import listen, make_server
from keras_dhnn.saved_models.serving.hosts import Hosts
from keras_dhnn.workflows.folder_archive import archive_of


def browse(
    archive: Path | str,
    *,
    port: int = 8080,
    host: str = "127.0.0.1",
    allow_host: str | Iterable[str] = (),
    open_browser: bool = True,
    bands: str | int | Iterable[int] | None = None,
    model: Path | str | None = None,
    data: Path | str = "data",
    bar: Bar = no_bar,
    say: Callable[[str], None] = notice,
) -> None:
    """Serve a page over an archive, or over what an exported model searches, until it is interrupted.

    Args:
        archive: folder of an archive, of an export or of a run that was exported; or any folder of images, see
            `archive_of`.
        port: TCP port; 0 is any that is free.
        host: address to listen at; by default only this machine reaches it.
        allow_host: other names by which it may be asked.
        open_browser: whether the browser is told to open it.
        bands: numbers, from 1, of the bands that are shown as red, green and blue, such as `"4,3,2"`.
        model: path of the archive's run or export, where that has moved.
        data: folder of the prepared data sets.
        bar: see `progress`.
        say: is told the address.

    Raises:
        DataError: if there is no archive, or it cannot be read.
        SettingError: if the port is not free, or `bands` are none, or none of the images.
    """
    serve_page(
        lambda: archive,
        port=port,
        host=host,
        allow_host=allow_host,
        open_browser=open_browser,
        say=say,
        bands=bands,
        model=model,
        data=data,
        bar=bar,
    )


def serve_page(
    make: Callable[[], Path | str],
    *,
    port: int,
    host: str,
    allow_host: str | Iterable[str],
    open_browser: bool,
    say: Callable[[str], None],
    **how: Any,
) -> None:
    """Serve the page of an archive; the port is taken before anything is made, so that a busy one costs no work.

    Args:
        make: function that gives the archive's folder.
        port: as of `browse`, as are the following.
        host: address to listen at.
        allow_host: other names.
        open_browser: whether the browser is told to open it.
        say: is told the address.
        **how: see `open_page`.

    Raises:
        SettingError: if the port cannot be taken; others as of `make` and `open_page`.
    """
    with listen(host, port) as listening:
        page = open_page(make(), say=say, **how)
        server = make_server(make_app(page, Hosts(host, as_list(allow_host))))
        address = f"[{host}]" if ":" in host else "localhost" if host == "127.0.0.1" else host
        url = f"http://{address}:{listening.getsockname()[1]}/"
        say(f"{page.name}: {page.archive.info.rows:,} items at {url} (Ctrl-C ends it)")
        page.warm_up()  # after that: what is written while TensorFlow is imported in a thread is not seen
        if open_browser:
            threading.Thread(target=_open_when_ready, args=(server, url), daemon=True).start()
        server.run(sockets=[listening])


def open_page(
    archive: Path | str,
    *,
    bands: str | int | Iterable[int] | None = None,
    model: Path | str | None = None,
    data: Path | str = "data",
    state: Path | None = None,
    synthetic: bool = False,
    bar: Bar = no_bar,
    say: Callable[[str], None] = notice,
) -> Page:
    """Return the `Page` of an archive, an export or a run.

    Args:
        archive: as of `browse`, as are the following.
        bands: which are shown.
        model: where the archive's model has moved.
        data: folder of the prepared data sets.
        state: folder in which searches are kept; None: one of the user's.
        synthetic: whether the images are made up.
        bar: see `progress`.
        say: is told what was done with a folder of images.

    Raises:
        DataError: if there is no archive, or it cannot be read.
        SettingError: if `bands` are none, or none of the images.
    """
    shown = _bands(bands)
    if not (Path(archive) / IDENTITY).exists():
        from keras_dhnn.workflows.browse_export import is_model, open_exported

        if is_model(archive):
            return open_exported(archive, bands=shown, data=Path(data), state=state)
    opened = archive_of(archive, bar=bar, say=say)

    def opener(source: str) -> Any:
        from keras_dhnn.workflows.archive_encoder import open_encoder

        return open_encoder(opened, model=model, data=Path(data), source=source)

    page = Page(opened, opener, state=state, bands=shown, synthetic=synthetic)
    most = page.pictures.most_bands() if shown else None
    if shown and most is not None and max(shown) > most:
        raise SettingError(
            f"The images of {archive} have {most} bands. Received: --bands {','.join(map(str, shown))}. Leave --bands "
            f"out, or name bands from 1 to {most}."
        )
    return page


def _bands(given):
    if given is None:
        return None
    parts = given.split(",") if isinstance(given, str) else as_list(given)
    try:
        numbers = tuple(int(part) for part in parts)
    except ValueError:
        numbers = ()
    if len(numbers) not in (1, 3) or min(numbers) < 1:
        raise SettingError(f"Expected --bands as one number or three, from 1, such as 4,3,2. Received: {given!r}")
    return numbers


def _open_when_ready(server, url):
    while not server.started:
        time.sleep(0.05)
    webbrowser.open(url)
