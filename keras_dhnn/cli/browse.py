"""Run `keras-dhnn browse`: a page to search an archive by picture, and teach it by clicking."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from keras_dhnn.cli.options import DataFolder
from keras_dhnn.errors import MissingPackage

Port = Annotated[int, typer.Option(min=0, max=65535, help="TCP port; 0 for any that is free.")]
Host = Annotated[str, typer.Option(help="Address to listen at; by default only this machine reaches it.")]
AllowHost = Annotated[
    list[str] | None,
    typer.Option(
        help="Another name by which it may be asked, such as that of a proxy before it; repeat it for more.",
        metavar="NAME",
    ),
]
NoOpen = Annotated[bool, typer.Option("--no-open", help="Only say the address; open no browser.")]


def browse(
    archive: Annotated[
        Path,
        typer.Argument(
            help="Folder of an archive (see encode), of a run or of an export; or any folder of images, which is "
            "encoded first.",
            metavar="ARCHIVE|RUN|EXPORT|IMAGES",
        ),
    ],
    port: Port = 8080,
    host: Host = "127.0.0.1",
    allow_host: AllowHost = None,
    no_open: NoOpen = False,
    bands: Annotated[
        str | None,
        typer.Option(help="Numbers of the bands shown as red, green and blue, such as 4,3,2.", metavar="R,G,B"),
    ] = None,
    model: Annotated[Path | None, typer.Option(help="Where the archive's run or export has moved to.")] = None,
    data: DataFolder = Path("data"),
) -> None:
    """Open a page to search an archive by picture, and teach it by clicking: confirm, reject, repeat, take it away.

    Whoever reaches the address can look at the archive's pictures. Searches that you name are kept in
    ~/.local/state/keras-dhnn.

    Try it without any data: keras-dhnn demo
    """
    from keras_dhnn.cli.bars import bars

    with naming_the_extra():
        from keras_dhnn.workflows.browse import browse as open_and_serve
    open_and_serve(
        archive,
        port=port,
        host=host,
        allow_host=allow_host or (),
        open_browser=not no_open,
        bands=bands,
        model=model,
        data=data,
        bar=bars(False),
    )


@contextlib.contextmanager
def naming_the_extra() -> Iterator[None]:
    """Say which extra brings a package that is not installed."""
    try:
        yield
    except ImportError as error:
        lacking = error.__cause__ or error  # an archive's own message names less than the page needs
        raise MissingPackage(f"The page needs packages ({lacking}). Run: pip install 'keras-dhnn[browse]'") from error
