"""Run `keras-dhnn demo`: the page over made-up images, for a first look."""

from pathlib import Path
from typing import Annotated

import typer

from keras_dhnn.cli.browse import AllowHost, Host, NoOpen, Port, naming_the_extra
from keras_dhnn.cli.options import Quiet


def demo(
    port: Port = 8080,
    host: Host = "127.0.0.1",
    allow_host: AllowHost = None,
    no_open: NoOpen = False,
    folder: Annotated[
        Path | None, typer.Option(help="Where the images and their archive are kept; by default in ~/.cache.")
    ] = None,
    quiet: Quiet = False,
):
    """Look at what this does: draw 252 images and a scene, encode them by a frozen network, open the page.

    It takes a minute the first time, works without a network connection, and needs no data. The images are made up.
    """
    with naming_the_extra():
        from keras_dhnn.cli.bars import bars
        from keras_dhnn.workflows.demo import demo as draw_and_serve
    draw_and_serve(
        port=port,
        host=host,
        allow_host=allow_host or (),
        open_browser=not no_open,
        folder=folder,
        bar=bars(quiet),
    )
